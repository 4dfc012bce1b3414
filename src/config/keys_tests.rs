//! Every key of both files with values that do not do: one line that names the key and what is right.
use std::path::Path;

use serde_json::{Value, json};

use super::{ConfigError, File, controller, parse, portal};

const FILE: &str = "config.yaml";

fn controllers() -> Value {
    json!({
        "portalUrl": "https://portal.maple.example",
        "mail": {"host": "smtp.maple.example", "from": "Maple Clinic <no-reply@maple.example>"},
    })
}

fn portals() -> Value {
    json!({"portalUrl": "https://portal.maple.example", "keys": "/keys", "tls": {"certificate": "/c", "key": "/k"}})
}

/// The file with a value at a key such as `mail.port`.
fn with(mut file: Value, key: &str, value: &Value) -> String {
    let mut place = &mut file;
    for name in key.split('.') {
        place = &mut place[name];
    }
    *place = value.clone();
    file.to_string()
}

fn check_controllers(text: &str) -> Result<(), ConfigError> {
    parse::<controller::Config>(text, Path::new(FILE))?.check(Path::new(FILE))
}

async fn check_portals(text: &str) -> Result<(), ConfigError> {
    let config: portal::Config = parse(text, Path::new(FILE))?;
    config.settings(Path::new(FILE), "maple".to_owned()).await.map(drop)
}

#[track_caller]
fn names_key_and_remedy<T: File>(key: &str, value: &Value, result: Result<(), ConfigError>) {
    let Err(error) = result else { panic!("{key}: {value} is taken") };
    let said = error.to_string();
    let right = T::right(key).unwrap_or_else(|| panic!("{key} is not in the table"));
    assert!(said.starts_with(&format!("the configuration {FILE} is not valid: {key}: {right}")), "{value}: {said}");
    assert!(!said.contains('\n') && !said.contains("hunter2"), "{value}: {said}");
}

/// Of the wrong kind, blank, zero, out of range.
fn wrong_controllers() -> Vec<(&'static str, Vec<Value>)> {
    let blank = || vec![json!(""), json!(" "), json!([]), json!({}), json!(["hunter2"])];
    let words = || vec![json!(""), json!(0), json!(null), json!("hunter2"), json!(["hunter2"])];
    let numbers =
        || vec![json!(0), json!(-1), json!(1.5), json!("hunter2"), json!(""), json!(null), json!(4_294_967_296_u64)];
    let and = |mut some: Vec<Value>, more: &[Value]| {
        some.extend_from_slice(more);
        some
    };
    let mailboxes =
        and(blank(), &[json!("desk@érable.example"), json!("a@x.example, b@x.example"), json!("hunter2"), json!(5)]);
    vec![
        ("portalUrl", and(words(), &[json!("http://portal.maple.example")])),
        ("listen", and(words(), &[json!(8080), json!("0.0.0.0:0"), json!("0.0.0.0"), json!(":8080")])),
        ("leaderElection", words()),
        ("log", vec![json!(5), json!("hunter2"), json!([])]),
        ("log.level", and(words(), &[json!("INFO")])),
        ("log.format", words()),
        ("mail", vec![json!(5), json!("hunter2"), json!(["hunter2"])]),
        (
            "mail.host",
            and(
                blank(),
                &[
                    json!("a b"),
                    json!(5),
                    json!(null),
                    json!("smtp.maple.example:587"),
                    json!("[::1]"),
                    json!("érable.example"),
                ],
            ),
        ),
        ("mail.port", and(numbers(), &[json!(65536)])),
        ("mail.ehloName", and(blank(), &[json!("10.1.2.3"), json!("a b"), json!(5)])),
        ("mail.tls", and(words(), &[json!("STARTTLS"), json!(false)])),
        ("mail.caFile", blank()),
        ("mail.from", and(mailboxes.clone(), &[json!(null)])),
        ("mail.replyTo", mailboxes),
        ("mail.credentials", blank()),
        ("mail.auth", words()),
        ("mail.timeoutSeconds", and(numbers(), &[json!(81), json!(256)])),
        ("mail.mailsPerMinute", numbers()),
        ("mail.connections", and(numbers(), &[json!(1001)])),
    ]
}

fn wrong_portals() -> Vec<(&'static str, Vec<Value>)> {
    let blank = || vec![json!(""), json!(" "), json!([]), json!({}), json!(["hunter2"])];
    let listens = || vec![json!(""), json!(8443), json!("0.0.0.0:0"), json!("hunter2"), json!(null), json!([])];
    let words = || vec![json!(""), json!(0), json!(null), json!("hunter2"), json!(["hunter2"])];
    let networks = [
        "0.0.0.0/0",
        "::/0",
        "0.0.0.0/1",
        "128.0.0.0/1",
        "10.0.0.0/7",
        "2000::/3",
        "10.42.0.7",
        "10.42.0.0/33",
        "ingress",
        "",
    ];
    let mut proxies = vec![json!("10.42.0.0/16"), json!(5), json!(null), json!({}), json!([5])];
    proxies.extend(networks.map(|network| json!(["10.42.0.0/16", network])));
    vec![
        ("portalUrl", words()),
        ("listen", listens()),
        ("listenProbes", listens()),
        ("tls", vec![json!(5), json!("hunter2"), json!([])]),
        ("tls.certificate", blank()),
        ("tls.key", blank()),
        ("keys", blank()),
        ("keysSecondPart", blank()),
        ("trustedProxies", proxies),
        (
            "sessionOutageSeconds",
            vec![json!(0), json!(59), json!(3601), json!(-1), json!(65536), json!("hunter2"), json!(null)],
        ),
        (
            "peers",
            vec![
                json!(""),
                json!(8080),
                json!([]),
                json!("hunter2"),
                json!(":8080"),
                json!("maple:0"),
                json!("a@maple.example:80"),
            ],
        ),
        ("branding", vec![json!(5), json!("hunter2"), json!([])]),
        ("branding.logo", blank()),
        ("branding.accent", vec![json!([]), json!({})]),
        ("log", vec![json!(5), json!("hunter2"), json!([])]),
        ("log.level", words()),
        ("log.format", words()),
    ]
}

#[test]
fn each_key_of_the_controllers_file_says_what_is_right() {
    let table = wrong_controllers();
    for (key, values) in &table {
        for value in values {
            let result = check_controllers(&with(controllers(), key, value));
            names_key_and_remedy::<controller::Config>(key, value, result);
        }
    }
    assert!(table.iter().map(|(key, _)| *key).eq(controller::Config::KEYS.iter().map(|(key, _)| *key)));
    assert!(check_controllers(&controllers().to_string()).is_ok());
}

#[tokio::test]
async fn each_key_of_the_portals_file_says_what_is_right() {
    let table = wrong_portals();
    for (key, values) in &table {
        for value in values {
            let result = check_portals(&with(portals(), key, value)).await;
            names_key_and_remedy::<portal::Config>(key, value, result);
        }
    }
    assert!(table.iter().map(|(key, _)| *key).eq(portal::Config::KEYS.iter().map(|(key, _)| *key)));
    for network in ["10.0.0.0/8", "fc00::/7", "10.42.0.7/32", "2001:db8::/32"] {
        assert!(check_portals(&with(portals(), "trustedProxies", &json!([network]))).await.is_ok(), "{network}");
    }
}

/// The keys that a section takes, by what it says to one that it does not take.
fn known<T: File>(file: Value, section: &str) -> Vec<String> {
    let key = format!("{section}hots");
    let Err(error) = parse::<T>(&with(file, &key, &json!(1)), Path::new(FILE)) else { panic!("{key} is taken") };
    let said = error.to_string();
    let (_, expected) =
        said.split_once("expected one of ").or_else(|| said.split_once("expected ")).expect("the right ones");
    let names = expected.split(" at line").next().unwrap().split(", ");
    names.map(|name| format!("{section}{}", name.trim_matches('`'))).collect()
}

#[test]
fn the_tables_have_every_key() {
    for section in ["", "log.", "mail."] {
        for key in known::<controller::Config>(controllers(), section) {
            assert!(controller::Config::right(&key).is_some(), "{key}");
        }
    }
    for section in ["", "log.", "tls.", "branding."] {
        for key in known::<portal::Config>(portals(), section) {
            assert!(portal::Config::right(&key).is_some(), "{key}");
        }
    }
}

#[test]
fn what_is_missing_twice_or_no_yaml_is_told_in_one_line_too() {
    for (text, expected) in [
        ("mail: {host: x.example, from: a@x.example}", "portalUrl is missing: it must be https:// and a host"),
        ("portalUrl: https://x.example\nmail: {from: a@x.example}", "mail.host is missing: it must be the DNS name"),
        ("portalUrl: a\nportalUrl: b", "portalUrl stands there twice (line 2"),
        ("portalUrl: \"a", "at line 1"),
        ("- hunter2", "it must hold keys and values such as portalUrl: "),
        ("hunter2", "it must hold keys and values such as portalUrl: "),
        ("", "it must hold keys and values such as portalUrl: "),
    ] {
        let said = check_controllers(text).unwrap_err().to_string();
        assert!(said.contains(expected) && !said.contains('\n') && !said.contains("hunter2"), "{text}: {said}");
    }
}

#[test]
fn credentials_are_not_sent_in_the_clear_to_another_host() {
    for (host, taken) in [
        ("localhost", true),
        ("127.0.0.2", true),
        ("::1", true),
        ("smtp.maple.example", false),
        ("10.1.2.3", false),
        ("localhost.maple.example", false),
    ] {
        let mut file = controllers();
        file["mail"] = json!({"host": host, "from": "a@x.example", "tls": "None", "credentials": "/run/smtp"});
        let result = check_controllers(&file.to_string()).map_err(|error| error.to_string());
        let refused =
            result.as_ref().is_err_and(|said| said.contains("mail.tls: None would send mail.credentials in the clear"));
        assert_eq!((result.is_ok(), refused), (taken, !taken), "{host}: {result:?}");
        file["mail"]["credentials"] = json!(null);
        assert!(check_controllers(&file.to_string()).is_ok(), "{host}");
    }
}
