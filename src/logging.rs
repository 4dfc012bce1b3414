//! What the program says about itself, on standard error: which of its parts and libraries may log, and how a panic is told. What
//! is worth a line is decided where it happens.

use std::io::IsTerminal;

use tracing::error;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use crate::config::{LogConfig, LogFormat, LogLevel};

const PANICKED: &str = "a bug: the program panicked; what it said is left out, since it may quote what it worked on. Please report the place";

/// Logs from now on.
pub fn start(log: LogConfig) {
    let level = match log.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let filter = filter(level);
    let layer =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let registry = tracing_subscriber::registry();
    match log.format {
        LogFormat::Json => {
            registry.with(layer.json().flatten_event(true).with_span_list(false).with_filter(filter)).init();
        }
        LogFormat::Text => registry.with(layer.with_filter(filter)).init(),
    }
}

/// Libraries log warnings only, whatever the level: what they log below that is not ours to keep free of secrets. kube logs
/// nothing: its warnings hold whole answers of the API server, addresses and all, and what failed is told by us.
fn filter(level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(LevelFilter::WARN.min(level))
        .with_target("kube", LevelFilter::OFF)
        .with_target("clinic_operator", level)
}

/// From now on a panic is told by its place only: the message of one can quote an address (a text cut at the wrong byte does).
pub fn leave_out_what_panics_say() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        if tracing::dispatcher::has_been_set() {
            error!(place, "{PANICKED}");
        } else {
            eprintln!("error: {PANICKED}: {place}");
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use tracing::Level;

    #[test]
    fn no_library_logs_what_it_was_sent() {
        let filter = filter(LevelFilter::TRACE);
        for (target, level, expected) in [
            ("kube_client::client", Level::WARN, false),
            ("kube_runtime::watcher", Level::ERROR, false),
            ("hyper", Level::INFO, false),
            ("hyper", Level::WARN, true),
            ("clinic_operator::controller", Level::TRACE, true),
        ] {
            assert_eq!(filter.would_enable(target, &level), expected, "{target} {level}");
        }
    }

    /// In a process of its own, since the hook is the process's.
    #[test]
    fn a_panic_tells_its_place_and_not_its_message() {
        const IN_A_PROCESS_OF_ITS_OWN: &str = "CLINIC_OPERATOR_TEST_PANICS";
        if let Some(log) = std::env::var_os(IN_A_PROCESS_OF_ITS_OWN) {
            leave_out_what_panics_say();
            if log == "logging" {
                start(LogConfig { level: LogLevel::Trace, format: LogFormat::Json });
            }
            let address = "canary-é@maple.example";
            let cut = std::panic::catch_unwind(|| address[..8].len());
            assert!(cut.is_err(), "cut within a character, which quotes the text");
            return;
        }
        for log in ["logging", "silent"] {
            let mut itself = Command::new(std::env::current_exe().unwrap());
            itself.args(["--exact", "logging::tests::a_panic_tells_its_place_and_not_its_message", "--nocapture"]);
            let output = itself.env(IN_A_PROCESS_OF_ITS_OWN, log).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.contains("logging.rs:") && said.contains(PANICKED), "{said}");
            assert!(!said.contains("canary") && !said.contains("maple.example"), "{said}");
        }
    }
}
