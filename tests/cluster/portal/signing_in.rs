//! Signing in: a password, a second factor that counts once, and a session that lasts across replicas and restarts.

use jiff::SignedDuration;
use serde_json::json;

use super::{Factor, House, PASSWORD, WRONG, alone, email, filled, is_signed_in, sign_in};
use crate::support::portal::PortalOptions;
use crate::support::visitor::{Answer, Visitor};
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::staff;

const NOON: &str = "2027-06-01T12:00:00Z";
/// The time for which a code counts.
const STEP: SignedDuration = SignedDuration::from_secs(30);

#[test]
fn a_session_is_good_at_every_replica_and_after_a_restart_until_it_is_ended_everywhere() {
    let mut house = House::new("replicas");
    let visitor = house.accepted("ana");
    let other = house.portal.start_another(PortalOptions::default());
    let elsewhere = visitor.at(other.pages);
    assert!(is_signed_in(&visitor) && is_signed_in(&elsewhere));
    house.portal.restart();
    assert!(is_signed_in(&visitor));
    // A second sign-in, at the other replica, with capital letters and blanks around.
    let mut second = other.visitor();
    assert_eq!(sign_in(&mut second, " ANA@Maple.Example ", PASSWORD).status, 303);
    assert!(is_signed_in(&second.at(house.portal.pages)));
    let mut first = visitor.clone();
    let home = first.get("/");
    let answer = first.submit(&home.form());
    assert_eq!(answer.location().as_deref(), Some("/sign-in"));
    assert!(first.follow(&answer).body.contains("signed out on all your devices"), "it is said");
    assert_eq!(first.cookie("session"), None);
    for link in ["/sign-in", "/sign-in?after=sign-out", "/sign-in?after=session"] {
        let stranger = house.portal.visitor().get(link);
        assert_eq!(stranger.texts("[role=status]"), [""; 0], "{link} tells a stranger something");
    }
    for (who, browser) in [("the same tab", &visitor), ("the other replica", &elsewhere), ("another browser", &second)]
    {
        eventually_ok(PATIENCE, who, || if is_signed_in(browser) { Err("still signed in") } else { Ok(()) });
    }
}

#[test]
fn a_second_factor_counts_once_and_without_it_the_password_is_nothing() {
    let house = House::at("factor", NOON);
    let (visitor, factor, codes) = house.accepted_with_factor("ana");
    assert!(is_signed_in(&visitor), "the first code signs in");
    let mut thief = house.portal.visitor();
    let step = sign_in(&mut thief, &email("ana"), PASSWORD);
    assert_eq!((step.status, step.form().action.as_str()), (200, "/sign-in/code"));
    assert!(!is_signed_in(&thief));
    let answer = thief.submit(&step.form().with("code", &factor.code(house.now())));
    assert_eq!(answer.status, 422, "the code with which it was set up is used up");
    assert_eq!(answer.faults().len(), 1, "{}", answer.body);
    for wrong in ["000000", "12345", "abcdef", "", "0000000"] {
        let answer = thief.submit(&step.form().with("code", wrong));
        assert_eq!(answer.status, 422, "{wrong}: {}", answer.heading());
    }
    // The next code: once, in digits of another script and with a hyphen, as people type it.
    house.world.clock().advance(STEP);
    let code = factor.code(house.now());
    let arabic = |digit: char| char::from_u32(0x660 + digit.to_digit(10).unwrap()).unwrap();
    let typed: String = code.chars().map(arabic).collect();
    let typed = typed.chars().take(3).chain("-\u{200e}".chars()).chain(typed.chars().skip(3)).collect::<String>();
    let mut ana = house.portal.visitor();
    let step = sign_in(&mut ana, &email("ana"), PASSWORD);
    let form = step.form().with("code", &typed);
    assert_eq!(ana.submit(&form).location().as_deref(), Some("/"));
    assert!(is_signed_in(&ana));
    let mut again = house.portal.visitor();
    let step = sign_in(&mut again, &email("ana"), PASSWORD);
    let answer = again.submit(&step.form().with("code", &typed));
    assert_eq!(answer.status, 422, "a code counts once: {}", answer.heading());
    // A recovery code: once too, however it is written.
    let mut lost = house.portal.visitor();
    let step = sign_in(&mut lost, &email("ana"), PASSWORD);
    let form = recovery(&step, &codes[3].to_lowercase().replace('-', "\u{2011}\u{200b}"));
    assert_eq!(lost.submit(&form).location().as_deref(), Some("/"), "in small letters");
    assert!(is_signed_in(&lost));
    let mut again = house.portal.visitor();
    let step = sign_in(&mut again, &email("ana"), PASSWORD);
    assert_eq!(again.submit(&recovery(&step, &codes[3])).status, 422);
    assert_eq!(again.submit(&recovery(&step, &codes[4])).status, 303);
    let used = house.world.objects("cliniccredentials")[0]["spec"]["used"].clone();
    assert_eq!(used["recoveryCodes"], json!([3, 4]));
}

#[test]
fn whoever_is_suspended_between_password_and_code_reads_what_every_refused_person_reads() {
    let house = House::at("between", NOON);
    let (_, factor, _) = house.accepted_with_factor("ana");
    let mut ana = house.portal.visitor();
    let step = sign_in(&mut ana, &email("ana"), PASSWORD);
    house.member("ana", &json!({"suspended": true}));
    eventually_ok(PATIENCE, "the portal to know", || {
        let answer = sign_in(&mut house.portal.visitor(), &email("ana"), PASSWORD);
        if answer.status == 422 { Ok(()) } else { Err(answer.heading()) }
    });
    house.world.clock().advance(STEP);
    let wrong = sign_in(&mut house.portal.visitor(), &email("ana"), WRONG);
    for code in [factor.code(house.now()), "000000".to_owned()] {
        let answer = ana.submit(&step.form().with("code", &code));
        assert_eq!((answer.status, answer.texts("#refused")), (422, wrong.texts("#refused")), "{code}");
    }
    assert!(!wrong.texts("#refused").is_empty() && !is_signed_in(&ana));
}

#[test]
fn people_sign_in_by_their_address_as_they_type_it() {
    let house = House::new("typed");
    house.accepted("ana");
    house.accepted_by("zoe", &staff("zoe", "zoe@xn--rable-9ra.example"));
    for typed in [
        "\u{feff}ana@maple.example\u{a0}",
        "ana @ maple.example.",
        "ＡＮＡ＠ｍａｐｌｅ．ｅｘａｍｐｌｅ",
        "ana@\u{200b}maple。example",
        "zoe@érable.example",
        "Zoe@E\u{301}RABLE.example",
        "zoe@xn--rable-9ra.example",
    ] {
        let mut visitor = house.portal.visitor();
        assert_eq!(sign_in(&mut visitor, typed, PASSWORD).status, 303, "{typed:?}");
        assert!(is_signed_in(&visitor), "{typed:?}");
    }
    // A password is what it is.
    for typed in [format!(" {PASSWORD}"), PASSWORD.to_uppercase(), format!("{PASSWORD}\u{200b}")] {
        assert_eq!(sign_in(&mut house.portal.visitor(), &email("ana"), &typed).status, 422, "{typed:?}");
    }
}

fn recovery(step: &Answer, code: &str) -> crate::support::visitor::Form {
    step.form().without("code").with("recovery_code", code)
}

#[test]
fn of_two_replicas_one_takes_a_code() {
    let house = House::at("race", NOON);
    let (_, factor, _) = house.accepted_with_factor("ana");
    let test_clock = Some(house.world.clock().path());
    let other = house.portal.start_another(PortalOptions { test_clock, ..PortalOptions::default() });
    for _ in 0..4 {
        house.world.clock().advance(STEP * 2);
        let code = factor.code(house.now());
        let tries: Vec<_> = [house.portal.pages, other.pages]
            .into_iter()
            .map(|pages| {
                let mut visitor = Visitor::of(pages);
                let form = sign_in(&mut visitor, &email("ana"), PASSWORD).form().with("code", &code);
                std::thread::spawn(move || visitor.submit(&form).status)
            })
            .collect();
        let mut statuses: Vec<_> = tries.into_iter().map(|one| one.join().unwrap()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 422]);
    }
}

#[test]
fn a_second_factor_that_the_clinic_requires_later_is_set_up_at_the_next_sign_in() {
    let house = House::new("required");
    let mut visitor = house.accepted("ana");
    let before = house.world.account_of("ana")["spec"]["acceptance"]["credential"].clone();
    house.clinic(&json!({"twoFactor": "Required"}));
    // An invitation leaves no choice any more.
    let link = house.invited("bea");
    let page = eventually_ok(PATIENCE, "the portal to know", || {
        let page = house.portal.visitor().get(&link);
        if page.attribute("input[name=second_factor]", "type").is_none() { Ok(page) } else { Err("a choice") }
    });
    let mut bea = house.portal.visitor();
    let form = alone(filled(&page, PASSWORD)).with("form", bea.get(&link).form().value("form"));
    let enrol = bea.go_on(&form);
    assert_eq!((enrol.status, enrol.attribute("svg.qr", "role").as_deref()), (200, Some("img")));
    assert!(house.world.objects("cliniccredentials").len() == 1, "nothing is kept before the first code");
    // Who has a session keeps it; the next sign-in leads through it.
    assert!(is_signed_in(&visitor));
    let mut elsewhere = house.portal.visitor();
    let enrol = sign_in(&mut elsewhere, &email("ana"), PASSWORD);
    let factor = Factor::of(&enrol);
    assert!(!is_signed_in(&elsewhere));
    let wrong = elsewhere.submit(&enrol.form().with("code", "000000"));
    assert_eq!((wrong.status, Factor::of(&wrong).code(house.now())), (422, factor.code(house.now())), "the same key");
    let form = enrol.form().with("code", &factor.code(house.now()));
    let codes = elsewhere.go_on(&form);
    assert_eq!((codes.status, codes.texts(".codes code").len()), (200, 10), "{:?}", codes.faults());
    assert!(is_signed_in(&elsewhere));
    let after = house.world.account_of("ana")["spec"]["acceptance"]["credential"].clone();
    assert_ne!(before, after, "a change is a new object");
    eventually_ok(PATIENCE, "the old session to end", || {
        if visitor.get("/").status == 303 { Ok(()) } else { Err("still signed in") }
    });
    let mut by_password = house.portal.visitor();
    assert_eq!(sign_in(&mut by_password, &email("ana"), PASSWORD).form().action, "/sign-in/code");
}

#[test]
fn wrong_passwords_slow_down_who_tries_and_nobody_else_and_never_for_good() {
    let options =
        PortalOptions { configuration: vec![("/trustedProxies", json!(["127.0.0.1/32"]))], ..PortalOptions::default() };
    let house = House::at_with("slow", NOON, options);
    let ana = house.accepted("ana");
    house.accepted("bea");
    let from = |address: &str| house.portal.visitor().with("x-forwarded-for", address);
    let mut thief = from("192.0.2.1");
    let statuses: Vec<u16> = (0..5).map(|_| sign_in(&mut thief, &email("ana"), WRONG).status).collect();
    assert_eq!(statuses, [422; 5], "a few mistakes cost nothing");
    // Each further one costs twice the wait of the one before, up to a minute.
    let mut waits = Vec::new();
    while waits.last() != Some(&60) {
        let tried = sign_in(&mut thief, &email("ana"), WRONG);
        if let Some(wait) = waited(&tried) {
            assert!(tried.status == 429 && waits.len() < 20, "{} {waits:?}", tried.status);
            waits.push(wait);
            if wait < 60 {
                house.world.clock().advance(SignedDuration::from_secs(wait));
            }
        } else {
            assert_eq!(tried.status, 422);
        }
    }
    assert_eq!(sign_in(&mut thief, &email("ana"), PASSWORD).status, 429, "{waits:?}");
    // From elsewhere they sign in, and even from there in a browser that has signed them in before.
    assert_eq!(sign_in(&mut from("192.0.2.2"), &email("ana"), PASSWORD).status, 303);
    let mut beside = ana.clone().with("x-forwarded-for", "192.0.2.1");
    beside.set_cookie("session", "");
    assert_eq!(sign_in(&mut beside, &email("ana"), PASSWORD).status, 303);
    assert_eq!(sign_in(&mut thief, &email("ana"), PASSWORD).status, 429, "not for the thief");
    // Many addresses that try one person are slowed down together, and still not a browser that is known.
    let statuses: Vec<u16> =
        (0..60).map(|last| sign_in(&mut from(&format!("203.0.113.{last}")), &email("ana"), WRONG).status).collect();
    assert_eq!((statuses[30], statuses.contains(&429)), (422, true), "{statuses:?}");
    beside.set_cookie("session", "");
    assert_eq!(sign_in(&mut beside, &email("ana"), PASSWORD).status, 303);
    // The same address may still sign in another.
    assert_eq!(sign_in(&mut thief, &email("bea"), PASSWORD).status, 303);
    // Not for good: a right password after the wait.
    house.world.clock().advance(SignedDuration::from_secs(60));
    assert_eq!(sign_in(&mut from("192.0.2.1"), &email("ana"), PASSWORD).status, 303);
    // One address that tries many people is slowed down as a whole.
    let mut sprayer = from("198.51.100.1");
    let statuses: Vec<u16> =
        (0..34).map(|person| sign_in(&mut sprayer, &email(&format!("nobody-{person}")), WRONG).status).collect();
    assert_eq!((statuses[29], statuses[33]), (422, 429), "{statuses:?}");
}

#[test]
fn a_copied_cookie_of_a_known_browser_meets_a_limit_and_ends_with_what_ends_sessions() {
    let options =
        PortalOptions { configuration: vec![("/trustedProxies", json!(["127.0.0.1/32"]))], ..PortalOptions::default() };
    let house = House::at_with("copied", NOON, options);
    let mut ana = house.accepted("ana");
    let addresses = std::cell::Cell::new(0_u32);
    let tried = |browser: &Visitor, password: &str| {
        addresses.set(addresses.get() + 1);
        let address = format!("198.18.{}.{}", addresses.get() / 250, addresses.get() % 250);
        let mut browser = browser.clone().with("x-forwarded-for", &address);
        browser.set_cookie("session", "");
        let answer = sign_in(&mut browser, &email("ana"), password);
        (answer.status, answer, browser)
    };
    // From ever new addresses, until the next try must wait for half a minute at least.
    let slowed = |browser: &Visitor| {
        for _ in 0..200 {
            match waited(&tried(browser, WRONG).1) {
                Some(31..) => return,
                Some(wait) => house.world.clock().advance(SignedDuration::from_secs(wait)),
                None => {}
            }
        }
        panic!("two hundred wrong passwords, and no end");
    };
    let stranger = house.portal.visitor();
    let copy = ana.clone();
    slowed(&copy);
    assert_eq!(tried(&stranger, PASSWORD).0, 303, "known browsers are slowed down by themselves alone");
    house.world.clock().advance(SignedDuration::from_mins(1));
    assert_eq!(tried(&ana, PASSWORD).0, 303, "not for good");
    // From now on a right password is of no use but in a browser that is known.
    let is_known = |browser: &Visitor| {
        slowed(&stranger);
        let (status, _, browser) = tried(browser, PASSWORD);
        (status != 429).then_some(browser)
    };
    assert!(is_known(&stranger).is_none() && is_known(&copy).is_some(), "a copy is as good as the browser");
    let form = ana.get("/").form();
    assert_eq!(ana.submit(&form).location().as_deref(), Some("/sign-in"));
    assert!(is_known(&copy).is_none(), "a copy ends with a sign-out");
    let before = is_known(&ana).expect("whoever signs out in their own browser is known there");
    house.clinic(&json!({"twoFactor": "Required"}));
    let (enrol, mut after) = eventually_ok(PATIENCE, "the portal to know", || {
        let (status, answer, browser) = tried(&before, PASSWORD);
        if status == 200 { Ok((answer, browser)) } else { Err(status) }
    });
    let form = enrol.form().with("code", &Factor::of(&enrol).code(house.now()));
    assert_eq!(after.go_on(&form).status, 200);
    assert!(is_known(&after).is_some());
    assert!(is_known(&before).is_none(), "what was known before ends with a new second factor");
}

/// After how many seconds it may be tried again.
fn waited(answer: &Answer) -> Option<i64> {
    answer.header("retry-after").map(|wait| wait.parse().expect("seconds"))
}

#[test]
fn sessions_end_by_themselves_after_half_an_hour_unused_and_after_twelve_hours() {
    let house = House::at("lasts", NOON);
    let visitor = house.accepted("ana");
    let minutes = SignedDuration::from_mins;
    house.world.clock().advance(minutes(29));
    let mut used = visitor.clone();
    assert_eq!(used.get("/").status, 200);
    house.world.clock().advance(minutes(2));
    assert!(!is_signed_in(&visitor), "an unused one");
    assert_eq!(used.get("/").status, 200, "one that was used");
    // A cookie is written again every five minutes only.
    for _ in 0..28 {
        house.world.clock().advance(minutes(24));
        assert_eq!(used.get("/").status, 200);
    }
    house.world.clock().advance(minutes(20));
    let over = used.get("/");
    assert_eq!(over.location().as_deref(), Some("/sign-in"), "twelve hours are over");
    assert!(used.follow(&over).body.contains("sign in again"), "it is said");
}
