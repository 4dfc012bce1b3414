//! Access and time (I4), by the compiled binary whose clock the test sets: days pass in seconds.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::control_plane::control_plane;
use crate::support::operator::OperatorOptions;
use crate::support::test_clock::{self, TestClock, VARIABLE};
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{CLINIC, World, condition};

/// A clinical trainee's manifest.
fn trainee(name: &str, end: &str) -> String {
    format!(
        "apiVersion: clinic-operator.dev/v1alpha1\nkind: ClinicUser\nmetadata: {{name: {name}}}\nspec: {{email: {name}@university.example, type: Practitioner, classification: ClinicalTrainee, expectedEndOfTraining: {end}}}\n---\n"
    )
}

/// The same person as a Standard practitioner.
fn standard(name: &str) -> String {
    format!(
        "apiVersion: clinic-operator.dev/v1alpha1\nkind: ClinicUser\nmetadata: {{name: {name}}}\nspec: {{email: {name}@university.example, type: Practitioner, classification: Standard, license: CHRLite}}\n---\n"
    )
}

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

fn message(member: &Value) -> &str {
    condition(member, "Ready").unwrap()["message"].as_str().unwrap()
}

#[test]
fn a_trainees_access_ends_at_midnight_two_weeks_after_training_and_a_later_date_gives_it_back_without_a_mail() {
    let world = World::at("training", "2027-06-30T16:00:00Z");
    let account = world.accepted("sam", &trainee("sam", "2027-06-30"));
    world.clock().set("2027-07-15T03:59:30Z");
    // Half a minute before 00:00 in Toronto; then it strikes.
    assert!(message(&world.member_in("Active", "sam")).contains("2027-07-15 00:00 America/Toronto"));
    world.clock().set("2027-07-15T04:00:00Z");
    let ended = world.member_in("TrainingEnded", "sam");
    assert!(message(&ended).contains("2027-07-15 00:00 America/Toronto"), "{}", message(&ended));
    world.access(&account, "TrainingEnded");
    world.apply(&trainee("sam", "2027-07-31"));
    world.member_in("Active", "sam");
    world.access(&account, "Granted");
    // Extended before the end, too.
    world.apply(&trainee("sam", "2027-08-31"));
    eventually_ok(PATIENCE, "the new last day", || {
        let sam = world.object("clinicuser", "sam");
        if sam["status"]["accessUntil"] == "2027-09-14" { Ok(()) } else { Err(sam["status"].clone()) }
    });
    world.clock().set("2027-08-16T12:00:00Z");
    world.member_in("Active", "sam");
    assert_eq!(world.relay.mails().len(), 1, "nobody who accepted is invited again");
}

#[test]
fn the_end_follows_the_clinics_zone_from_minus_eleven_to_plus_fourteen() {
    let world = World::at("zones", "2027-06-01T12:00:00Z");
    let account = world.accepted("sam", &trainee("sam", "2027-06-30"));
    for (zone, ends) in [
        ("Pacific/Pago_Pago", "2027-07-15T11:00:00Z"),
        ("America/Toronto", "2027-07-15T04:00:00Z"),
        ("Europe/Paris", "2027-07-14T22:00:00Z"),
        ("Pacific/Kiritimati", "2027-07-14T10:00:00Z"),
    ] {
        world.apply(&CLINIC.replace("America/Toronto", zone));
        eventually_ok(PATIENCE, &format!("the end of access in {zone}"), || {
            let until = world.object("clinicaccount", &account)["spec"]["desired"]["accessUntil"].clone();
            if until == ends { Ok(()) } else { Err(until) }
        });
    }
    world.clock().set("2027-07-14T10:00:00Z");
    world.member_in("TrainingEnded", "sam");
    // A zone in which the day is not over gives access back.
    world.apply(CLINIC);
    world.member_in("Active", "sam");
    // Without a known zone the last instant stays, and still ends access.
    world.apply(&CLINIC.replace("Toronto", "Torontoo"));
    world.member_in("ClinicMissing", "sam");
    world.clock().set("2027-07-15T04:00:00Z");
    world.access(&account, "TrainingEnded");
}

#[test]
fn an_end_that_is_past_invites_within_the_two_weeks_and_nobody_beyond() {
    let world = World::at("past", "2028-03-14T12:00:00Z");
    world.apply(&(trainee("within", "2028-02-29") + &trainee("beyond", "2028-02-28")));
    let invited = world.member_in("Invited", "within");
    assert_eq!(invited["status"]["accessUntil"], "2028-03-14");
    assert!(message(&invited).contains("2028-03-15 00:00"), "the link dies with access: {}", message(&invited));
    world.member_in("TrainingEnded", "beyond");
    world.clock().set("2028-03-15T04:00:00Z");
    world.member_in("TrainingEnded", "within");
    let mails = world.relay.mails();
    assert_eq!(mails.len(), 1, "only who still has a day");
    assert_eq!(mails[0].recipients, ["within@university.example"]);
    let refused = world.accept(&mails[0], "Within", "Silva").unwrap_err();
    assert!(refused.to_string().contains("TrainingEnded"), "{refused}");
    // An extension makes the same invitation work again, and invites who never was.
    world.apply(&(trainee("within", "2028-03-31") + &trainee("beyond", "2028-03-31")));
    world.member_in("Invited", "within");
    world.member_in("Invited", "beyond");
    assert_eq!(world.relay.mails().len(), 2);
    world.accept(&mails[0], "Within", "Silva").unwrap();
    world.member_in("Active", "within");
}

#[test]
fn an_operator_that_was_down_at_the_instant_records_the_end_when_it_starts() {
    let mut world = World::at("down", "2026-12-17T12:00:00Z");
    let account = world.accepted("sam", &trainee("sam", "2026-12-17"));
    world.operator.kill();
    world.clock().set("2027-01-01T05:00:00Z");
    world.access(&account, "Granted");
    world.operator.restart();
    world.access(&account, "TrainingEnded");
    world.member_in("TrainingEnded", "sam");
}

#[test]
fn how_late_the_record_of_an_end_is_is_told_until_it_is_written_and_after() {
    let world = World::at("late", "2026-12-17T12:00:00Z");
    let account = world.accepted("sam", &trainee("sam", "2026-12-17"));
    world.access(&account, "Granted");
    let told = |line: &str, wanted: fn(u64) -> bool| {
        eventually_ok(PATIENCE, line, || {
            let metrics = world.operator.metrics();
            let value = metrics.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
            let value = value.and_then(|value| value.parse().ok());
            if value.is_some_and(wanted) { Ok(()) } else { Err(value) }
        });
    };
    told("clinic_operator_access_end_overdue_seconds", |seconds| seconds == 0);
    told("clinic_operator_next_access_end_seconds", |seconds| seconds > 1_000_000);

    // Without the right to write it.
    let role = || -> Value {
        serde_json::from_str(&world.kubectl(&["get", "role", "clinic-operator", "-o", "json"])).unwrap()
    };
    let (granted, mut without) = (role(), role());
    let rules = without["rules"].as_array_mut().unwrap();
    let of_accounts = rules.iter_mut().find(|rule| rule["resources"][0] == "clinicaccounts").unwrap();
    of_accounts["verbs"].as_array_mut().unwrap().retain(|verb| verb != "patch");
    let patch = |role: &Value| {
        let rules = json!({ "rules": role["rules"] }).to_string();
        world.kubectl(&["patch", "role", "clinic-operator", "--type=merge", "-p", &rules]);
    };
    patch(&without);
    let may = || {
        let identity = format!("system:serviceaccount:{}:clinic-operator", world.namespace.name());
        let verb = ["auth", "can-i", "patch", "clinicaccounts", "--as", &identity];
        control_plane().kubectl(&world.namespace, &verb).stdout.trim() == "yes"
    };
    eventually_ok(PATIENCE, "the right to be taken away", || if may() { Err("it is there") } else { Ok(()) });
    world.clock().set("2027-01-01T07:30:00Z");
    told("clinic_operator_access_end_overdue_seconds", |seconds| seconds >= 9000);
    told("clinic_operator_queue_retrying", |keys| keys >= 1);
    told("clinic_operator_access_end_lateness_seconds_count", |ends| ends == 0);

    patch(&granted);
    world.access(&account, "TrainingEnded");
    told("clinic_operator_access_end_overdue_seconds", |seconds| seconds == 0);
    told("clinic_operator_queue_retrying", |keys| keys == 0);
    told("clinic_operator_access_end_lateness_seconds_bucket{le=\"3600.0\"}", |ends| ends == 0);
    told("clinic_operator_access_end_lateness_seconds_bucket{le=\"21600.0\"}", |ends| ends == 1);
    assert!(!world.operator.metrics().contains("next_access_end"), "none is planned");
}

#[test]
fn the_instant_strikes_by_itself() {
    let world = World::at("strikes", "2027-06-30T16:00:00Z");
    let account = world.accepted("sam", &trainee("sam", "2027-06-30"));
    // From here on nothing is set or changed: only the operator's own timer can wake it.
    world.clock().set("2027-07-15T03:59:48Z");
    world.access(&account, "TrainingEnded");
    world.member_in("TrainingEnded", "sam");
}

#[test]
fn a_clock_that_jumps_is_followed_both_ways() {
    let world = World::at("jumps", "2026-10-20T12:00:00Z");
    let account = world.accepted("sam", &trainee("sam", "2026-10-25"));
    // Two weeks that end after the change to winter time.
    for (instant, reason) in [
        ("2026-11-09T05:00:00Z", "TrainingEnded"),
        ("2026-11-09T04:50:00Z", "Granted"),
        ("2030-01-01T00:00:00Z", "TrainingEnded"),
        ("2026-10-20T12:00:00Z", "Granted"),
    ] {
        world.clock().set(instant);
        world.access(&account, reason);
    }
    assert_eq!(world.relay.mails().len(), 1);
}

#[test]
fn a_trainee_who_becomes_standard_keeps_the_account_without_an_end_and_back() {
    let world = World::at("becomes", "2027-03-01T12:00:00Z");
    let account = world.accepted("sam", &trainee("sam", "2027-03-01"));
    world.clock().set("2027-03-16T04:00:00Z");
    world.member_in("TrainingEnded", "sam");
    world.apply(&standard("sam"));
    let sam = world.member_in("Active", "sam");
    assert_eq!((sam["status"]["accessUntil"].clone(), &sam["status"]["account"]), (Value::Null, &Value::from(account)));
    world.apply(&trainee("sam", "2027-03-01"));
    world.member_in("TrainingEnded", "sam");
    assert_eq!(world.relay.mails().len(), 1);
}

#[test]
fn who_is_suspended_loses_access_at_once_and_gets_it_back_at_once() {
    let world = World::at("suspended", "2027-03-01T12:00:00Z");
    let account = world.accepted("sam", &standard("sam"));
    for paused in ["", ", paused: true"] {
        world.apply(&CLINIC.replace("America/Toronto", &format!("America/Toronto{paused}")));
        world.apply(&standard("sam").replace("license: CHRLite", "license: CHRLite, suspended: true"));
        world.access(&account, "Suspended");
        world.apply(&standard("sam"));
        world.access(&account, "Granted");
    }
}

#[test]
fn a_suspended_trainee_stays_suspended_through_the_end_and_an_extension() {
    let world = World::at("both", "2027-03-01T12:00:00Z");
    let account = world.accepted("sam", &trainee("sam", "2027-03-01"));
    let suspended = |end: &str| trainee("sam", end).replace("classification:", "suspended: true, classification:");
    world.apply(&suspended("2027-03-01"));
    world.access(&account, "Suspended");
    world.clock().set("2027-03-16T04:00:00Z");
    world.access(&account, "TrainingEnded");
    world.apply(&suspended("2027-03-31"));
    world.access(&account, "Suspended");
    world.member_in("Suspended", "sam");
    world.apply(&trainee("sam", "2027-03-31"));
    world.member_in("Active", "sam");
    assert_eq!(world.relay.mails().len(), 1);
}

#[test]
fn an_invitation_expires_after_its_days_and_a_resend_invites_again() {
    let world = World::at("expires", "2027-03-01T12:00:00Z");
    world.apply(&standard("sam"));
    world.member_in("Invited", "sam");
    world.clock().advance(days(7));
    let sam = world.member_in("InvitationExpired", "sam");
    assert!(condition(&sam, "InvitationExpired").is_some() && message(&sam).contains("clinic-operator.dev/resend"));
    let mails = world.relay.mails();
    assert!(world.accept(&mails[0], "Sam", "Silva").unwrap_err().to_string().contains("Expired"));
    world.kubectl(&["annotate", "clinicuser", "sam", "clinic-operator.dev/resend=1"]);
    world.member_in("Invited", "sam");
    let mails = world.relay.wait_for(2, PATIENCE);
    assert!(world.accept(&mails[0], "Sam", "Silva").unwrap_err().to_string().contains("Replaced"));
    world.accept(&mails[1], "Sam", "Silva").unwrap();
    world.member_in("Active", "sam");
    assert!(world.accept(&mails[1], "Sam", "Silva").unwrap_err().to_string().contains("AlreadyAccepted"));
}

#[test]
fn the_program_that_people_install_has_no_clock_that_a_test_can_set() {
    let name = VARIABLE.as_bytes();
    let has_it = |program: &str| std::fs::read(program).unwrap().windows(name.len()).any(|window| window == name);
    assert!(!has_it(env!("CARGO_BIN_EXE_clinic-operator")), "the feature test-clock is in the usual build");
    assert!(has_it(&test_clock::program()), "this test looks for the right thing");
}

#[test]
fn setting_the_variable_changes_nothing_in_the_program_that_people_install() {
    let clock = TestClock::new();
    clock.set("2087-01-01T12:00:00Z");
    let environment = vec![(VARIABLE, clock.path())];
    let world = World::with("plain", OperatorOptions { environment, ..OperatorOptions::default() });
    world.apply(&trainee("sam", "2086-06-30"));
    let sam = world.member_in("Invited", "sam");
    let instant = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
    let (made, sent) = (&sam["metadata"]["creationTimestamp"], &sam["status"]["invitation"]["sentAt"]);
    assert!(
        instant(sent).duration_since(instant(made)) < days(1),
        "made {made} by the API server's clock, sent {sent}"
    );
    let says_so = |world: &World| world.operator.log().contains("this is a build for tests");
    assert!(!says_so(&world) && says_so(&World::at("loud", "2087-01-01T12:00:00Z")), "only the build for tests warns");
}
