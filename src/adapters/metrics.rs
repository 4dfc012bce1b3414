//! Metrics in the two formats that Prometheus reads, and what every part tells of itself. What a part counts never stands here.

use std::collections::HashSet;
use std::fmt::Write as _;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::kubernetes::Requests;
use super::process;

/// A label's value: a word out of a fixed set, never what people wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Word(pub &'static str);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.0.encode(encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    part: Word,
    version: Word,
}

/// Registers what every part tells: its build, its requests to the API server, its process.
pub fn register_common(registry: &mut Registry, part: &'static str, requests: &Requests) {
    let build: Family<Build, Gauge> = Family::default();
    build.get_or_create(&Build { part: Word(part), version: Word(env!("CARGO_PKG_VERSION")) }).set(1);
    registry.register("clinic_operator_build_info", "Part and version of the program, always 1", build);
    let help = "Requests to the API server by verb, resource and result, lists and watches of the cache aside";
    registry.register("clinic_operator_api_requests", help, requests.counted());
    process::register(registry);
}

/// What is registered, in the `OpenMetrics` format.
pub fn text(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    encode(&mut text, registry).unwrap_or_default();
    text
}

/// The same in Prometheus' own text format, which people and `promtool` read: there a counter is called by its whole name, and a
/// unit is part of it.
pub fn plain(open_metrics: &str) -> String {
    let is_counter = |line: &str| line.strip_prefix("# TYPE ")?.strip_suffix(" counter").map(str::to_owned);
    let counters: HashSet<String> = open_metrics.lines().filter_map(is_counter).collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let described = ["# HELP ", "# TYPE "].iter().find_map(|word| Some((word, line.strip_prefix(word)?)));
        match described.and_then(|(word, rest)| rest.split_once(' ').map(|(name, rest)| (word, name, rest))) {
            Some((word, name, rest)) if counters.contains(name) => {
                // Writing to a string does not fail.
                writeln!(text, "{word}{name}_total {rest}").unwrap_or_default();
            }
            _ if line.starts_with("# UNIT ") || line == "# EOF" => {}
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::registry::Unit;

    #[test]
    fn the_plain_format_calls_a_counter_by_its_whole_name_and_has_no_unit_and_no_end() {
        let mut registry = Registry::default();
        let counter = Counter::<u64>::default();
        counter.inc();
        registry.register("mails", "Mails", counter);
        registry.register_with_unit("wait", "How long", Unit::Seconds, Gauge::<i64>::default());
        let expected = "# HELP mails_total Mails.\n# TYPE mails_total counter\nmails_total 1\n\
                        # HELP wait_seconds How long.\n# TYPE wait_seconds gauge\nwait_seconds 0\n";
        assert_eq!(plain(&text(&registry)), expected);
    }
}
