//! What no browser sends: it is answered with a clear word, changes nothing, and costs a bounded amount.

use std::io::{Read, Write};

use serde_json::Value;

use super::{House, PASSWORD, WRONG, alone, email, filled, is_signed_in, page_of, sign_in};
use crate::support::portal::{Portal, PortalOptions};
use crate::support::visitor::connection;
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::torture;

const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn names_and_passwords_that_do_not_do_are_refused_beside_their_fields() {
    let house = House::new("faults");
    let link = house.invited("ana");
    let mut visitor = house.portal.visitor();
    let page = visitor.get(&link);
    let long = "x".repeat(200);
    for (field, values) in [
        (
            "first_name",
            ["---", "!", long.as_str(), "Ana\r\nBcc: x", "A\u{0}na", "\u{202e}Ana", "...", "\u{3164}", "www.evil"],
        ),
        (
            "last_name",
            ["' '", "\u{301}", long.as_str(), "Sil\nva", "\u{7f}Silva", "Sil\u{ad}va", "-", "\u{feff}", "evil.example"],
        ),
        ("title", ["D\rr", "D\u{0}r", long.as_str(), "\u{200f}Dr", "!", "?", "x\u{2028}x", "Dr\u{e0041}", "a@evil"]),
    ] {
        for value in values {
            let answer = visitor.submit(&alone(filled(&page, PASSWORD)).with(field, value));
            assert_eq!((answer.status, answer.faults().len()), (422, 1), "{field} {value:?}: {:?}", answer.faults());
            let at = answer.attribute(&format!("#{field}"), "aria-invalid");
            assert_eq!(at.as_deref(), Some("true"), "{field} {value:?}");
            let again = answer.form();
            assert_eq!((again.value("password"), again.value("repeated")), ("", ""), "no password comes back");
        }
    }
    for (first, last) in [("", ""), (" \t ", "\u{a0}")] {
        let form = alone(filled(&page, PASSWORD)).with("first_name", first).with("last_name", last);
        assert_eq!(visitor.submit(&form).faults().len(), 2, "{first:?} {last:?}: somebody has a name");
    }
    let common = "passwordpassword";
    let longer = "tall river ".repeat(40);
    for (password, repeated, says) in [
        ("", "", "Enter a password"),
        ("short", "short", "at least 15 characters"),
        ("fourteen chars", "fourteen chars", "at least 15 characters"),
        (common, common, "Many people use this password"),
        ("ana.maple.example", "ana.maple.example", "made of your name"),
        ("MapleClinicMapleClinic", "MapleClinicMapleClinic", "made of your name"),
        (longer.as_str(), longer.as_str(), "at most"),
        ("a tall river\u{7} walks", "a tall river\u{7} walks", "cannot be typed"),
        (PASSWORD, "", "Enter the password again"),
        (PASSWORD, WRONG, "not the same"),
    ] {
        let form = alone(filled(&page, "")).with("password", password).with("repeated", repeated);
        let answer = visitor.submit(&form);
        let said = answer.faults().concat();
        assert!(answer.status == 422 && said.contains(says), "{password:?}: {} {said}", answer.status);
    }
    assert_eq!(house.world.account_of("ana")["spec"]["acceptance"], Value::Null);
    assert!(house.world.objects("cliniccredentials").is_empty());
    // Names of all the world, and a password in letters that one writes in two ways.
    let names = [
        ("Zoë-Anne", "d'Été"),
        ("李", "王小明"),
        ("Suharto", ""),
        ("", "ᐊᓇ"),
        ("Ολγα", "Παπαδοπούλου"),
        ("أحمد", "بن علي"),
        ("Bjørn", "O’Brien-Łęcki"),
    ];
    for (number, (first, last)) in names.into_iter().enumerate() {
        let member = format!("member-{number}");
        let link = house.invited(&member);
        let mut visitor = house.portal.visitor();
        let page = visitor.get(&link);
        let form = alone(filled(&page, "caf\u{e9} tall river walks")).with("repeated", "cafe\u{301} tall river walks");
        let answer = visitor.submit(&form.with("first_name", first).with("last_name", last));
        assert_eq!(answer.status, 303, "{first}: {:?}", answer.faults());
        let home = visitor.get("/");
        let whole = format!("{first} {last}");
        assert!(home.texts("main").concat().contains(whole.trim()), "{}", home.body);
        let listed = house.world.member_in("Active", &member)["status"]["member"]["name"].clone();
        assert_eq!(listed, whole.trim());
    }
    let mut again = house.portal.visitor();
    assert_eq!(sign_in(&mut again, &email("member-0"), "cafe\u{301} tall river walks").status, 303);
    // A shorter one will do with a second factor.
    let page = visitor.get(&link);
    let answer = visitor.go_on(&filled(&page, "tall9river"));
    assert_eq!((answer.status, answer.heading().as_str()), (200, "Set up two-factor authentication"));
}

#[test]
fn whatever_is_typed_as_username_or_password_is_refused_like_any_other() {
    let house = House::new("usernames");
    house.accepted("ana");
    let long = format!("{}@maple.example", "a".repeat(9000));
    for (number, who) in [
        "",
        " ",
        "@",
        "ana",
        "ana@",
        "@maple.example",
        "ana@@maple.example",
        "ana@maple.example\r\nBcc: eve@evil.example",
        "ana@maple.example\u{0}",
        "\"ana\"@maple.example",
        "ana@[127.0.0.1]",
        "ana@xn--maple-example",
        "\u{202e}ána@maple.example",
        "ana@máple.example",
        "' OR 1=1 --",
        "<script>alert(1)</script>@maple.example",
        "{{7*7}}@maple.example",
        long.as_str(),
    ]
    .into_iter()
    .enumerate()
    {
        let mut visitor = house.portal.visitor();
        let answer = sign_in(&mut visitor, who, PASSWORD);
        assert_eq!((answer.status, visitor.cookie("session")), (422, None), "{number}: {who:?}");
        let again = answer.form();
        // What a field for one line makes of it, the page shows again, as text.
        let shown = again.value("email").replace(char::REPLACEMENT_CHARACTER, "");
        let shown: String = shown.chars().filter(|c| !c.is_control()).collect();
        let typed: String = who.chars().filter(|c| !c.is_control()).collect();
        assert!(again.value("password").is_empty() && typed.contains(shown.trim()), "{number}: {shown:?}");
        assert!(!answer.body.contains("<script>alert"), "{number}");
    }
    for password in ["\u{0}".to_owned(), "x".repeat(20_000), "\r\n".to_owned(), "\u{fffd}\u{fffe}".to_owned()] {
        assert_eq!(sign_in(&mut house.portal.visitor(), &email("ana"), &password).status, 422);
    }
    let mut visitor = house.portal.visitor();
    assert_eq!(sign_in(&mut visitor, &email("ana"), &"x".repeat(40_000)).status, 413, "more than any form holds");
}

#[test]
fn a_cookie_that_is_not_ours_is_nobodys() {
    let house = House::new("cookies");
    let (ana, bea) = (house.accepted("ana"), house.accepted("bea"));
    let good = ana.cookie("session").unwrap().to_owned();
    assert!(is_signed_in(&ana) && is_signed_in(&bea));
    let cut = &good[..good.len() - 4];
    let mut flipped = good.clone().into_bytes();
    let middle = flipped.len() / 2;
    flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    let token = ana.clone().get("/").form().value("form").to_owned();
    let device = ana.cookie("device").unwrap().to_owned();
    for forged in ["", "x", "{}", cut, &flipped, &format!("{good}AAAA"), &token, &device, &"A".repeat(3000)] {
        let mut visitor = house.portal.visitor();
        visitor.set_cookie("session", forged);
        assert!(!is_signed_in(&visitor), "{forged}");
    }
    // A device of somebody else's, or nobody's, changes nothing about who is let in.
    let mut visitor = house.portal.visitor();
    visitor.set_cookie("device", &good);
    assert_eq!(sign_in(&mut visitor, &email("ana"), WRONG).status, 422);
}

#[test]
fn every_answer_says_what_a_browser_may_do_with_it() {
    let house = House::new("headers");
    let link = house.invited("ana");
    let mut visitor = house.portal.visitor();
    visitor.get(&link);
    let page = page_of(&link);
    for path in [
        page.as_str(),
        "/invitations",
        "/sign-in",
        "/",
        "/nothing",
        "/invitations/x",
        "/style.css",
        "/portal.js",
        "/icon.svg",
    ] {
        let answer = visitor.get(path);
        let head = visitor.head(path);
        assert_eq!((head.status, head.body.as_str()), (answer.status, ""), "{path}: HEAD is GET without a body");
        for (name, part) in [
            ("content-security-policy", "default-src 'none'"),
            ("content-security-policy", "frame-ancestors 'none'"),
            ("content-security-policy", "form-action 'self'"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("strict-transport-security", "max-age="),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert!(answer.header(name).is_some_and(|value| value.contains(part)), "{path}: {name}");
        }
        let is_asset =
            path.contains('.') && !path.contains('/') || ["/style.css", "/portal.js", "/icon.svg"].contains(&path);
        let stored = answer.header("cache-control");
        assert_eq!(stored, Some(if is_asset { "no-cache" } else { "no-store" }), "{path}");
        assert!(answer.header("server").is_none() && answer.header("x-powered-by").is_none());
    }
    let style = visitor.get("/style.css");
    let known = [("if-none-match", style.header("etag").unwrap())];
    assert_eq!(visitor.send("GET", "/style.css", &known, "").status, 304);
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
        assert_eq!(visitor.send(method, "/sign-in", &[], "").status, 405, "{method}");
    }
    // Whatever a request says about the host, links lead where the configuration says.
    let answer =
        visitor.send("GET", &page, &[("x-forwarded-host", "evil.example"), ("forwarded", "host=evil.example")], "");
    assert!(!answer.body.contains("evil"));
}

/// RFC 9112 §3.2.
#[test]
fn a_request_that_names_no_host_or_two_is_refused() {
    let house = House::new("hosts");
    for (head, expected) in [
        ("GET /sign-in HTTP/1.1\r\nHost: portal.maple.example\r\n", "200"),
        ("GET /sign-in HTTP/1.1\r\nHost: [2001:db8::1]:8443\r\n", "200"),
        ("GET /sign-in HTTP/1.0\r\n", "200"),
        ("GET /sign-in HTTP/1.1\r\n", "400"),
        ("GET https://portal.maple.example/sign-in HTTP/1.1\r\n", "400"),
        ("POST /sign-in HTTP/1.1\r\nContent-Length: 0\r\n", "400"),
        ("GET /sign-in HTTP/1.1\r\nHost: portal.maple.example\r\nHost: portal.maple.example\r\n", "400"),
        ("GET /sign-in HTTP/1.0\r\nHost: a.example\r\nhost: b.example\r\n", "400"),
        ("GET /sign-in HTTP/1.1\r\nHost: portal maple\r\n", "400"),
        ("GET /sign-in HTTP/1.1\r\nHost: ana@maple.example\r\n", "400"),
        ("GET /sign-in HTTP/1.1\r\nHost:\r\n", "400"),
    ] {
        let mut connection = connection(house.portal.pages);
        write!(connection, "{head}Connection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert_eq!(answer.split(' ').nth(1), Some(expected), "{head:?}: {answer}");
        assert!(answer.contains("content-security-policy"), "as every answer: {answer}");
    }
}

#[test]
fn who_is_slow_or_says_nothing_is_hung_up_on_and_others_go_on() {
    let house = House::new("slow-clients");
    let pages = house.portal.pages;
    let before = sockets(&house.portal);
    let mut silent: Vec<_> = (0..120).map(|_| connection(pages)).collect();
    let mut half: Vec<_> = (0..50)
        .map(|_| {
            let mut one = connection(pages);
            one.write_all(b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Le").unwrap();
            one
        })
        .collect();
    // A whole head, and nothing of the body: less patience than a request may take in all.
    let mut headed: Vec<_> = (0..20)
        .map(|_| {
            let mut one = connection(pages);
            let head = format!(
                "POST /sign-in HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: same-origin\r\nContent-Type: {FORM}\r\nContent-Length: 9\r\n\r\n"
            );
            one.write_all(head.as_bytes()).unwrap();
            one.set_read_timeout(Some(std::time::Duration::from_secs(45))).unwrap();
            one
        })
        .collect();
    // Who asks for more and more and reads nothing of it.
    let mut deaf: Vec<_> = (0..20).map(|_| connection(pages)).collect();
    let ask = "GET /style.css HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2000);
    for one in &mut deaf {
        one.set_nonblocking(true).unwrap();
        // As much as it takes.
        let _ = one.write(ask.as_bytes());
    }
    assert_eq!(house.portal.visitor().get("/sign-in").status, 200);
    for one in silent.iter_mut().chain(&mut half).chain(&mut headed) {
        let mut said = Vec::new();
        // Closed, with a word or without one; a limit of the test's own otherwise.
        let ended = one.read_to_end(&mut said);
        assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
    }
    eventually_ok(PATIENCE * 4, "all to be hung up on", || {
        // Its own to the API server come and go.
        let left = sockets(&house.portal);
        if left < before + 10 { Ok(()) } else { Err(left) }
    });
    drop(deaf);
    // More connections than there may be: some are hung up on, and afterwards it takes new ones.
    let many: Vec<_> = (0..1100).filter_map(|_| std::net::TcpStream::connect(("127.0.0.1", pages)).ok()).collect();
    drop(many);
    eventually_ok(PATIENCE, "room for a visitor", || {
        match std::panic::catch_unwind(|| house.portal.visitor().get("/sign-in").status) {
            Ok(200) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}

/// How many files and sockets the process has, as it says itself: of another process only an administrator sees them.
fn sockets(portal: &Portal) -> u64 {
    portal.metric("process_open_fds")
}

/// Kilobytes of memory that are the process's own.
fn memory(portal: &Portal) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", portal.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("Linux says it");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn ten_thousand_bad_sign_ins_cost_no_memory_to_speak_of() {
    let options = PortalOptions {
        configuration: vec![
            ("/trustedProxies", serde_json::json!(["127.0.0.1/32"])),
            ("/log/level", serde_json::json!("info")),
        ],
        ..PortalOptions::default()
    };
    let house = House::with("flood", options);
    let ana = house.accepted("ana");
    // From ever new addresses, half of them on one person.
    let flood = |range: std::ops::Range<usize>| {
        let tries: Vec<_> = (0..4)
            .map(|thread| {
                let (visitor, range) = (house.portal.visitor(), range.clone());
                std::thread::spawn(move || {
                    let mut visitor = visitor;
                    let form = visitor.get("/sign-in").form().with("password", WRONG);
                    let mut seen = std::collections::BTreeMap::new();
                    for number in range.filter(|number| number % 4 == thread) {
                        let (high, low) = (number / 250, number % 250);
                        let mut visitor = visitor.clone().with("x-forwarded-for", &format!("198.18.{high}.{low}"));
                        let who = if number % 8 < 4 { "ana".to_owned() } else { format!("nobody-{number}") };
                        let answer = visitor.submit(&form.clone().with("email", &email(&who)));
                        *seen.entry(answer.status).or_insert(0_u32) += 1;
                    }
                    seen
                })
            })
            .collect();
        let mut all = std::collections::BTreeMap::new();
        for (status, count) in tries.into_iter().flat_map(|one| one.join().unwrap()) {
            *all.entry(status).or_insert(0) += count;
        }
        all
    };
    let count = 10_000 * torture();
    let first = flood(0..count / 10);
    let before = memory(&house.portal);
    let rest = flood(count / 10..count);
    let after = memory(&house.portal);
    for seen in [&first, &rest] {
        assert!(seen.keys().all(|status| [422, 429, 503].contains(status)), "{seen:?}");
    }
    assert!(after < before + 8 * 1024, "{before} KiB before and {after} KiB after {first:?} and {rest:?}");
    // Who has signed in here before still can.
    let mut known = ana.clone();
    known.set_cookie("session", "");
    assert_eq!(sign_in(&mut known, &email("ana"), PASSWORD).status, 303);
}
