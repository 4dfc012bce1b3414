//! Metrics, alerts, dashboard and docs/operations.md fit one another. What Prometheus makes of them on a real clinic never stands here:
//! see `tests/cluster/portal/observed.rs`.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clinic_operator::adapters::kubernetes::Requests;
use clinic_operator::controller::cache::Class;
use clinic_operator::domain::guard::Guard;
use clinic_operator::domain::invitation::{MailKind, Outcome};
use clinic_operator::domain::lifecycle::{Attention, State};
use clinic_operator::domain::restore::RestoreMode;
use clinic_operator::{controller, portal};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

#[path = "support/tools.rs"]
mod tools;

use tools::tool;

const ALERTS: &str = "charts/clinic-operator/files/alerts.yaml";
const DASHBOARD: &str = "charts/clinic-operator/files/dashboard.json";
const PAGE: &str = "docs/operations.md";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

fn yaml(file: &Path) -> Value {
    serde_yaml::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} in {value}"))
}

/// Every metric of both parts, by the name that it has in queries, without the suffixes of a histogram's series.
fn told() -> BTreeSet<String> {
    let of_controller = {
        let metrics = controller::metrics::Metrics::new(Requests::default());
        metrics.reconciled("member", Ok(()), Duration::ZERO);
        metrics.mailed(MailKind::Invitation, Outcome::Sent, None);
        metrics.text(&controller::metrics::Now {
            restore_mode: RestoreMode::Off,
            now: Timestamp::UNIX_EPOCH,
            queue: controller::metrics::Depth::default(),
            members: vec![((None, Class::Staff), 1)],
            overdue: SignedDuration::ZERO,
            next_end: Some(SignedDuration::ZERO),
            waiting: 0,
            oldest: SignedDuration::ZERO,
            mailer_fails: false,
            held: vec![(Guard::Removals, 0)],
        })
    };
    let of_portal = {
        let metrics = portal::metrics::Metrics::new(Requests::default());
        metrics.sign_in(portal::metrics::SignIn::Refused);
        metrics.acceptance(portal::metrics::Acceptance::Refused);
        metrics.answered("/", 200);
        metrics.text(&portal::metrics::Now {
            not_by_current: Some(portal::metrics::NotByCurrent::default()),
            hashes: 0,
            silent_for: None,
            restore_mode: RestoreMode::Off,
            now: Timestamp::UNIX_EPOCH,
        })
    };
    let plain = clinic_operator::adapters::metrics::plain(&(of_controller + &of_portal));
    let names = plain.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let mut told: BTreeSet<String> = names.map(str::to_owned).collect();
    // Counted by a request, of which there is none here.
    told.insert("clinic_operator_api_requests_total".to_owned());
    assert!(told.len() > 30, "{told:?}");
    told
}

/// The names of metrics in a query or a text.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = words.filter(|word| word.starts_with("clinic_operator_") || word.starts_with("process_"));
    let whole = |word: &str| {
        let suffix = ["_bucket", "_count", "_sum"].into_iter().find(|suffix| word.ends_with(suffix));
        suffix.map_or(word, |suffix| word.trim_end_matches(suffix)).to_owned()
    };
    ours.map(whole).collect()
}

fn alerts() -> BTreeMap<String, Value> {
    let file = yaml(&root().join(ALERTS));
    let rules = file["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap().clone());
    let all: Vec<Value> = rules.collect();
    let by_name: BTreeMap<String, Value> =
        all.iter().map(|rule| (text(rule, "/alert").to_owned(), rule.clone())).collect();
    assert_eq!(by_name.len(), all.len(), "two alerts have one name");
    by_name
}

fn panels() -> Vec<Value> {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    dashboard["panels"].as_array().unwrap().clone()
}

fn queries(panels: &[Value]) -> Vec<String> {
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
    targets.map(|target| text(&target, "/expr").to_owned()).collect()
}

#[test]
fn the_table_of_metrics_names_what_is_told_and_nothing_else() {
    let page = read(PAGE);
    let rows = page.lines().filter(|line| line.starts_with("| `clinic_operator_") || line.starts_with("| `process_"));
    let first_cells: String = rows.filter_map(|row| row.split(" | ").next()).collect();
    // Labels stand in braces behind the name.
    assert_eq!(named(&first_cells), told());
}

#[test]
fn no_query_and_no_page_asks_for_a_metric_that_is_not_told() {
    let told = told();
    let mut wrong = Vec::new();
    let rules = alerts().into_iter().map(|(name, rule)| (name, text(&rule, "/expr").to_owned()));
    let of_dashboard = queries(&panels()).into_iter().map(|query| (DASHBOARD.to_owned(), query));
    let pages = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = pages
        .filter(|path| path.is_file())
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap()));
    for (place, text) in rules.chain(of_dashboard).chain(pages) {
        // A page may name a group of metrics by what they begin with, as in `grep '^clinic_operator_mails'`.
        let is_told = |name: &String| {
            told.contains(name)
                || Path::new(&place).extension().is_some_and(|extension| extension == "md")
                    && text.contains(&format!("^{name}"))
        };
        wrong.extend(named(&text).into_iter().filter(|name| !is_told(name)).map(|name| format!("{place}: {name}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_alert_has_its_section_and_every_section_its_alert() {
    let page = read(PAGE);
    let (_, sections) = page.split_once("\n## Alerts\n").unwrap();
    let sections: Vec<&str> = sections.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let alerts = alerts();
    assert_eq!(
        sections.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(),
        alerts.keys().cloned().collect()
    );
    assert_eq!(sections.len(), alerts.len());
    for (name, rule) in alerts {
        let anchor = format!("/docs/operations.md#{}", name.to_lowercase());
        assert!(text(&rule, "/annotations/runbook_url").ends_with(&anchor), "{name}");
        assert!(["critical", "warning", "info"].contains(&text(&rule, "/labels/severity")), "{name}");
        for words in ["/annotations/summary", "/annotations/description"] {
            assert!(text(&rule, words).contains("{{ $labels.namespace }}"), "{name} says whose clinic it is");
        }
        let (_, section) = page.split_once(&format!("\n### {name}\n")).unwrap();
        let section = section.split("\n### ").next().unwrap();
        assert!(
            section.contains("**Do:**") || section.contains("| Do |") || section.contains("\n- "),
            "{name} says what to do"
        );
        assert!(section.contains("\n```console\n$ "), "{name} shows what to ask and what is answered");
    }
}

/// Silence is tested too: a check after the one in which it fires, in which it does not.
#[test]
fn every_alert_is_seen_to_fire_and_to_fall_silent_again() {
    let mut seen = BTreeSet::new();
    for entry in fs::read_dir(root().join("tests/alerts")).unwrap() {
        for test in yaml(&entry.unwrap().path())["tests"].as_array().unwrap() {
            let checks = test["promql_expr_test"].as_array().cloned().unwrap_or_default();
            let fires = |check: &Value, name: &str| check["exp_samples"].to_string().contains(&format!("{name}\\\""));
            for name in alerts().keys() {
                let first = checks.iter().position(|check| fires(check, name));
                let silent = |from: usize| checks[from..].iter().any(|check| !fires(check, name));
                if first.is_some_and(|first| first > 0 && silent(first)) {
                    seen.insert(name.clone());
                }
            }
        }
    }
    assert_eq!(seen, alerts().keys().cloned().collect());
}

#[test]
fn promtool_takes_the_rules_and_its_tests_pass() {
    let promtool = tool("promtool");
    let tests = fs::read_dir(root().join("tests/alerts")).unwrap().map(|entry| entry.unwrap().path().into_os_string());
    let check = ["check", "rules", "--lint=all", "--lint-fatal", ALERTS].map(Into::into).to_vec();
    for arguments in [check, ["test", "rules"].map(Into::into).into_iter().chain(tests).collect()] {
        let output = Command::new(&promtool).args(&arguments).current_dir(root()).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
    }
}

/// `Held` has an alert of its own, and is in the dashboard's number.
#[test]
fn alert_and_dashboard_count_exactly_the_states_in_which_a_person_must_act() {
    let stalled = State::ALL.into_iter().filter(|state| state.attention() == Attention::Stalled);
    let stalled: BTreeSet<&str> = stalled.map(State::name).collect();
    let without_held: BTreeSet<&str> = stalled.iter().copied().filter(|name| *name != State::Held.name()).collect();
    let counted = |query: &str| -> BTreeSet<String> {
        let (_, after) = query.split_once("state=~\"").unwrap();
        after.split('"').next().unwrap().split('|').map(str::to_owned).collect()
    };
    let query = queries(&panels()).into_iter().find(|query| query.contains("state=~")).unwrap();
    let alert = alerts();
    assert_eq!(
        counted(text(&alert["ClinicMembersStalled"], "/expr")),
        without_held.iter().map(|name| (*name).to_owned()).collect()
    );
    assert_eq!(counted(&query), stalled.iter().map(|name| (*name).to_owned()).collect());
}

#[test]
fn the_dashboard_asks_for_data_source_and_clinic_and_no_panel_covers_another() {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let variables: Vec<&str> =
        dashboard["templating"]["list"].as_array().unwrap().iter().map(|variable| text(variable, "/name")).collect();
    assert_eq!(variables, ["datasource", "namespace"]);
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels() {
        let title = text(&panel, "/title");
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: a second panel of this id");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(x + w <= 24, "{title} leaves the screen");
        for place in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(place), "{title} covers another panel");
        }
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(text(target, "/datasource/uid"), "${datasource}", "{title}");
            assert!(text(target, "/expr").contains("{namespace=\"$namespace\""), "{title} is of one clinic");
        }
        assert!(panel["type"] == "row" || !text(&panel, "/description").is_empty(), "{title}");
    }
}
