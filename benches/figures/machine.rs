//! What the kernel says about this machine and about one process of it. Never here: what a figure should be.

use std::fs::read_to_string;

/// Ticks a second in `/proc/<pid>/stat`: `USER_HZ`, which is 100 on every Linux platform that people run.
const TICKS_A_SECOND: f64 = 100.0;

/// One line: processor, cores, memory, kernel.
pub(crate) fn describe() -> String {
    let processor = field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = kibibytes(&read("/proc/meminfo"), "MemTotal") / 1024 / 1024;
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{processor}, {cores} cores, {memory} GiB, Linux {}", kernel.trim())
}

/// The memory of a process that is in RAM.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Now, in KiB.
    pub(crate) now: u64,
    /// The most so far, in KiB.
    pub(crate) peak: u64,
    /// What of `now` is the program's file, which the kernel can drop and read again, in KiB.
    pub(crate) file: u64,
}

/// `VmRSS`, `VmHWM` and `RssFile` of a process.
pub(crate) fn memory(process: u32) -> Memory {
    let status = read(&format!("/proc/{process}/status"));
    Memory { now: kibibytes(&status, "VmRSS"), peak: kibibytes(&status, "VmHWM"), file: kibibytes(&status, "RssFile") }
}

/// The most memory of a process so far, in KiB; `None`: it has ended.
pub(crate) fn peak(process: u32) -> Option<u64> {
    let status = read_to_string(format!("/proc/{process}/status")).ok()?;
    field(&status, "VmHWM")?.trim_end_matches("kB").trim().parse().ok()
}

/// Seconds of processor time that a process has used, in user and in kernel mode.
pub(crate) fn processor_seconds(process: u32) -> f64 {
    let stat = read(&format!("/proc/{process}/stat"));
    // The second field is the program's name in brackets and may contain anything; utime and stime are the 14th and 15th.
    let after_name = stat.rsplit_once(')').expect("the kernel names the program").1;
    let ticks = after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("a number"));
    ticks.sum::<f64>() / TICKS_A_SECOND
}

fn read(path: &str) -> String {
    read_to_string(path).unwrap_or_else(|error| panic!("failed to read {path}: {error}"))
}

fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}

fn kibibytes(text: &str, name: &str) -> u64 {
    let value = field(text, name).unwrap_or_else(|| panic!("the kernel does not tell {name}"));
    value.trim_end_matches("kB").trim().parse().expect("the kernel counts in kB")
}
