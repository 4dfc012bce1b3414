//! Events on members: `kubectl describe` answers "what happened to this person?", once per change, without addresses or links.

use serde_json::Value;

use crate::support::control_plane::control_plane;
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{World, staff};

/// The words of a member's events, in the order in which they were told.
fn told(world: &World, member: &str) -> Vec<String> {
    let selector = format!("involvedObject.name={member},involvedObject.kind=ClinicUser");
    let list: Value =
        serde_json::from_str(&world.kubectl(&["get", "events", "--field-selector", &selector, "-o", "json"])).unwrap();
    let mut events = list["items"].as_array().unwrap().clone();
    events.sort_by_key(|event| event["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap());
    events.iter().map(|event| event["reason"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn is_told(world: &World, member: &str, expected: &[&str]) {
    eventually_ok(PATIENCE, &format!("{member} to be told {expected:?}"), || {
        let told = told(world, member);
        if told == expected { Ok(()) } else { Err(told) }
    });
}

#[test]
fn the_life_of_a_trainee_can_be_read_in_its_events() {
    let mut world = World::at("story", "2027-06-29T12:00:00Z");
    let trainee = |end: &str, more: &str| {
        format!(
            "apiVersion: clinic-operator.dev/v1alpha1\nkind: ClinicUser\nmetadata: {{name: sam}}\nspec: {{email: sam@university.example, type: Practitioner, classification: ClinicalTrainee, expectedEndOfTraining: {end}{more}}}\n---\n"
        )
    };
    world.accepted("sam", &trainee("2027-06-30", ""));
    is_told(&world, "sam", &["Invited", "Accepted"]);
    let mut story = vec!["Invited", "Accepted"];
    for (instant, word) in [
        ("2027-07-01T04:00:00Z", "TrainingEndsSoon"),
        ("2027-07-08T04:00:00Z", "TrainingEndsSoon"),
        ("2027-07-14T04:00:00Z", "TrainingEndsSoon"),
        ("2027-07-15T04:00:00Z", "AccessEnded"),
    ] {
        world.clock().set(instant);
        story.push(word);
        is_told(&world, "sam", &story);
    }
    world.apply(&trainee("2027-12-31", ""));
    story.push("AccessRestored");
    is_told(&world, "sam", &story);
    world.kubectl(&["annotate", "clinicuser", "sam", "clinic-operator.dev/resend=1"]);
    story.push("ResendIgnored");
    is_told(&world, "sam", &story);
    world.apply(&trainee("2027-12-31", ", suspended: true"));
    story.push("Suspended");
    is_told(&world, "sam", &story);
    // A restart tells nothing again.
    world.operator.restart();
    world.member_in("Suspended", "sam");
    world.at_rest(std::time::Duration::from_secs(2));
    is_told(&world, "sam", &story);
    let described = world.kubectl(&["describe", "clinicuser", "sam"]);
    let (_, events) = described.split_once("Events:").unwrap();
    for part in [
        "Access ends at 2027-07-15 00:00 America/Toronto",
        "two weeks after the Expected End of Training",
        "clinic-operator",
    ] {
        assert!(events.contains(part), "{part} in {events}");
    }
    assert!(!events.contains('@') && !events.contains("https://"), "{events}");
}

#[test]
fn a_conflict_is_a_warning_that_is_told_to_the_loser_only() {
    let world = World::new("told");
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("Invited", "ana");
    world.apply(&staff("bea", "ana@maple.example"));
    world.member_in("EmailConflict", "bea");
    is_told(&world, "bea", &["EmailConflict"]);
    world.apply(&staff("bea", "bea@maple.example"));
    world.member_in("Invited", "bea");
    is_told(&world, "bea", &["EmailConflict", "Invited"]);
    is_told(&world, "ana", &["Invited"]);
    let warnings = world.kubectl(&["get", "events", "--field-selector", "type=Warning", "-o", "name"]);
    assert_eq!(warnings.lines().count(), 1, "{warnings}");
}

#[test]
fn a_pause_or_a_wiped_status_tells_nothing_again() {
    let world = World::at("again", "2027-06-29T12:00:00Z");
    let trainee = "
apiVersion: clinic-operator.dev/v1alpha1
kind: ClinicUser
metadata: {name: sam}
spec: {email: sam@university.example, type: Practitioner, classification: ClinicalTrainee, expectedEndOfTraining: 2027-06-30}
";
    world.accepted("sam", trainee);
    world.accepted("ana", &staff("ana", "ana@maple.example"));
    world.accepted("zoe", &staff("zoe", "zoe@maple.example"));
    world.apply(&staff("zoe", "zoe@maple.example").replace("type: Staff", "type: Staff, suspended: true"));
    world.apply(&staff("bea", "Ana@maple.example"));
    world.clock().set("2027-07-15T04:00:00Z");
    let all = [("sam", "TrainingEnded"), ("ana", "Active"), ("zoe", "Suspended"), ("bea", "EmailConflict")];
    let in_their_states = || {
        for (name, state) in all {
            world.member_in(state, name);
        }
    };
    in_their_states();
    let stories = || all.map(|(name, _)| told(&world, name));
    let before = stories();
    assert_eq!(
        before[1..],
        [vec!["Invited", "Accepted"], vec!["Invited", "Accepted", "Suspended"], vec!["EmailConflict"]]
    );
    for pause in [true, false] {
        let patch = format!("{{\"spec\": {{\"paused\": {pause}}}}}");
        world.kubectl(&["patch", "clinic", "clinic", "--type=merge", "-p", &patch]);
        for (name, state) in all {
            world.member_in(if pause { "Paused" } else { state }, name);
        }
    }
    assert_eq!(stories(), before, "after a pause");
    for (name, _) in all {
        world.wipe_status("clinicusers", name);
    }
    in_their_states();
    assert_eq!(stories(), before, "after their statuses were wiped");
}

#[test]
fn an_event_that_is_refused_holds_up_neither_mail_nor_status() {
    let world = World::new("mute");
    world.at_rest(std::time::Duration::from_secs(2));
    let mut role: Value =
        serde_json::from_str(&world.kubectl(&["get", "role", "clinic-operator", "-o", "json"])).unwrap();
    role["rules"].as_array_mut().unwrap().retain(|rule| rule["resources"][0] != "events");
    control_plane().kubectl_stdin(&world.namespace, &["replace", "-f", "-"], &role.to_string()).ok();
    // A Role counts a moment after it was written.
    let operator = format!("--as=system:serviceaccount:{}:clinic-operator", world.namespace.name());
    eventually_ok(PATIENCE, "the right to be gone", || {
        let answer = control_plane().kubectl(&world.namespace, &["auth", "can-i", "create", "events", &operator]);
        if answer.success { Err(answer.stdout) } else { Ok(()) }
    });
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("Invited", "ana");
    assert_eq!(told(&world, "ana"), Vec::<String>::new());
    let log = world.operator.log();
    assert!(log.contains("failed to write an event") && log.contains("cannot create resource"), "{log}");
}

#[test]
fn many_suspensions_are_told_once_on_the_clinic_and_one_alone_is_not() {
    let mut world = World::new("suspensions");
    let names = ["ana", "bea", "cyd", "dan"];
    let suspended =
        |name: &str| staff(name, &format!("{name}@maple.example")).replace("Staff}", "Staff, suspended: true}");
    let accounts = names.map(|name| world.accepted(name, &staff(name, &format!("{name}@maple.example"))));
    let told = |world: &World| -> Vec<String> {
        let selector = "involvedObject.kind=Clinic,reason=ManySuspended";
        let events = world.kubectl(&["get", "events", "--field-selector", selector, "-o", "json"]);
        let list: Value = serde_json::from_str(&events).unwrap();
        list["items"].as_array().unwrap().iter().map(|event| event["message"].as_str().unwrap().to_owned()).collect()
    };
    world.apply(&names[..3].iter().map(|name| suspended(name)).collect::<String>());
    for account in &accounts[..3] {
        world.access(account, "Suspended");
    }
    eventually_ok(PATIENCE, "the suspensions to be told", || {
        let told = told(&world);
        if told.len() == 1 && told[0].starts_with("3 members with access were suspended") { Ok(()) } else { Err(told) }
    });
    world.apply(&suspended("dan"));
    world.access(&accounts[3], "Suspended");
    world.operator.restart();
    world.member_in("Suspended", "dan");
    world.at_rest(std::time::Duration::from_secs(7));
    assert_eq!(told(&world).len(), 1);
}
