//! What Linux says of this process: memory, processor time, open files. Read from `/proc`, when somebody asks; never more than
//! Prometheus' own client libraries tell.

use std::fs;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// Ticks a second in which Linux tells processor time and starts, on every machine that Rust's standard library runs on.
const TICKS: f64 = 100.0;

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Process {
    /// Of user and system together, in seconds.
    cpu: f64,
    /// Seconds since 1970.
    started: f64,
    resident_bytes: i64,
    virtual_bytes: i64,
    open_files: Option<i64>,
    most_open_files: Option<i64>,
}

/// Registers what Linux says now; nothing where there is no `/proc`.
pub fn register(registry: &mut Registry) {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let Some(process) = parse(&read("/proc/self/stat"), &read("/proc/self/status"), &read("/proc/stat")) else {
        return;
    };
    let open = fs::read_dir("/proc/self/fd").ok().and_then(|files| i64::try_from(files.count()).ok());
    let open_files = open.map(|open| open - 1); // Without the folder that is read.
    let most_open_files = most_open_files(&read("/proc/self/limits"));
    tell(registry, &Process { open_files, most_open_files, ..process });
}

fn tell(registry: &mut Registry, process: &Process) {
    let cpu = Counter::<f64, AtomicU64>::default();
    cpu.inc_by(process.cpu);
    registry.register_with_unit("process_cpu", "Processor time of user and system", Unit::Seconds, cpu);
    let started = Gauge::<f64, AtomicU64>::default();
    started.set(process.started);
    registry.register_with_unit("process_start_time", "Start, in seconds since 1970", Unit::Seconds, started);
    for (name, help, value, unit) in [
        ("process_resident_memory", "Resident memory", Some(process.resident_bytes), Some(Unit::Bytes)),
        ("process_virtual_memory", "Virtual memory", Some(process.virtual_bytes), Some(Unit::Bytes)),
        ("process_open_fds", "Open files and connections", process.open_files, None),
        ("process_max_fds", "Most files and connections that may be open", process.most_open_files, None),
    ] {
        let Some(value) = value else { continue };
        let gauge = Gauge::<i64>::default();
        gauge.set(value);
        match unit {
            Some(unit) => registry.register_with_unit(name, help, unit, gauge),
            None => registry.register(name, help, gauge),
        }
    }
}

/// `stat` and `status` of the process and `stat` of the machine (proc(5)).
fn parse(process: &str, memory: &str, machine: &str) -> Option<Process> {
    // The second field, the program's name in parentheses, may hold anything.
    let (_, rest) = process.rsplit_once(") ")?;
    let field = |number: usize| rest.split(' ').nth(number - 3)?.parse::<f64>().ok();
    let (user, system, begun) = (field(14)?, field(15)?, field(22)?);
    let booted: f64 = machine.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    let kilobytes = |name: &str| {
        let value = memory.lines().find_map(|line| line.strip_prefix(name))?;
        value.trim().strip_suffix(" kB")?.parse::<i64>().ok()
    };
    Some(Process {
        cpu: (user + system) / TICKS,
        started: booted + begun / TICKS,
        resident_bytes: kilobytes("VmRSS:")? * 1024,
        virtual_bytes: kilobytes("VmSize:")? * 1024,
        open_files: None,
        most_open_files: None,
    })
}

/// The soft limit; `None`: there is none.
fn most_open_files(limits: &str) -> Option<i64> {
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    limit.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::metrics::text;

    #[test]
    fn a_name_with_a_parenthesis_in_it_moves_no_field() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 4 0 1200 9 9 9";
        let status = "Name:\ta) b (c\nVmSize:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        let process = parse(stat, status, "cpu 1 2\nbtime 1700000000\n").unwrap();
        let expected = Process {
            cpu: 3.0,
            started: 1_700_000_012.0,
            resident_bytes: 1 << 20,
            virtual_bytes: 2 << 20,
            ..Process::default()
        };
        assert_eq!(process, expected);
    }

    #[test]
    fn a_limit_is_told_and_the_lack_of_one_is_not() {
        let limits =
            |soft: &str| format!("Limit  Soft  Hard  Units\nMax open files            {soft}     4096   files\n");
        assert_eq!(most_open_files(&limits("1024")), Some(1024));
        assert_eq!(most_open_files(&limits("unlimited")), None);
    }

    #[test]
    fn linux_says_it_of_this_process() {
        let mut registry = Registry::default();
        register(&mut registry);
        let text = text(&registry);
        for name in ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"] {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            assert!(
                value.is_some_and(|value| value.parse::<f64>().is_ok_and(|value| value >= 0.0)),
                "{name} in\n{text}"
            );
        }
    }
}
