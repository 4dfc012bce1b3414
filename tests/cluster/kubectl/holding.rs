//! `kubectl clinic holds` and `release`: what is held is shown with what follows, and goes on when somebody who may releases it.

use serde_json::{Value, json};

use super::{EDITOR, Person, rules, signed_in};
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{CLINIC, World, staff};

/// Waits until one hold of so many is listed; its id.
#[track_caller]
fn held(world: &World, count: u32) -> String {
    let holds = eventually_ok(PATIENCE, &format!("a hold of {count}"), || {
        let holds = world.object("clinic", "clinic")["status"]["holds"].clone();
        if holds[0]["count"] == count { Ok(holds) } else { Err(holds) }
    });
    holds[0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn removals_that_are_held_are_shown_and_an_administrator_releases_them() {
    let world = World::new("holding");
    let viewer = Person::viewer(&world);
    let said = viewer.says(&["holds"]);
    let nothing = format!("Nothing is held in {}.\n", world.namespace.name());
    assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (0, "", nothing.as_str()));
    let names = ["ana", "bea", "cyd", "dan", "eve"];
    let accounts = names.map(|name| world.accepted(name, &staff(name, &format!("{name}@maple.example"))));
    world.kubectl(&["delete", "clinicuser", "ana", "bea", "cyd", "dan"]);
    let id = held(&world, 2);
    let listed = world.object("clinic", "clinic")["status"]["holds"][0]["members"].clone();
    let members: Vec<&str> = listed.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(
        viewer.ok(&["holds"]),
        format!(
            "\
{id}
  Keep their access without a manifest (2): {}
  If it is meant:  kubectl clinic release {id}
                   ends their access at once and keeps their accounts
  If it is not:    bring their manifests back; each goes on as before
",
            members.join(", ")
        )
    );
    let holds: Value = serde_json::from_str(&viewer.ok(&["holds", "-o", "json"])).unwrap();
    assert_eq!(holds, json!([{"id": id, "guard": "removals", "count": 2, "members": members}]));
    let error = viewer.fails(4, &["release", &id]);
    let right = "patch resource \"clinics\" in API group \"clinic-operator.dev\" in the namespace";
    assert!(error.starts_with(&format!("you may not {right}")), "{error}");
    let administrator = Person::administrator(&world);
    let error = administrator.fails(3, &["release", "removals-20000101T000000Z"]);
    assert_eq!(error, format!("there is no hold \"removals-20000101T000000Z\"; what is held: {id}"));
    assert_eq!(administrator.ok(&["release", &id]), format!("Released {id} (2): their access has ended.\n"));
    // It came back when that was so.
    let granted = |account: &String| world.object("clinicaccount", account)["spec"]["access"]["granted"] == true;
    let still: Vec<bool> = accounts.iter().map(granted).collect();
    assert_eq!(still, [false, false, false, false, true]);
    let again = administrator.ok(&["release", &id]);
    assert_eq!(again, format!("Nothing is held under {id} any more: it was released before.\n"));
    let error = administrator.fails(3, &["release", "removals-20000101T000000Z"]);
    assert!(error.ends_with("nothing is held"), "{error}");
}

#[test]
fn invitations_that_are_held_go_out_after_a_release() {
    let world = World::without_clinic("inviting");
    world.apply(&CLINIC.replace("1000", "1"));
    world.apply(&["ana", "bea", "cyd"].map(|name| staff(name, &format!("{name}@maple.example"))).concat());
    let id = held(&world, 2);
    let administrator = Person::administrator(&world);
    let shown = administrator.ok(&["holds"]);
    assert!(
        shown.contains("  Are not mailed (2): ")
            && shown.contains("mails each of them, to the address in the manifest"),
        "{shown}"
    );
    let said = administrator.says(&["release", &id]);
    assert_eq!(said.stdout, format!("Released {id} (2): their mails go out.\n"), "{said:?}");
    assert_eq!(world.relay.wait_for(3, PATIENCE).len(), 3);
}

#[test]
fn whom_a_policy_refuses_the_release_is_told_which_verb_it_takes() {
    let world = World::without_clinic("policy");
    world.apply(&CLINIC.replace("1000", "1"));
    world.apply(&["ana", "bea"].map(|name| staff(name, &format!("{name}@maple.example"))).concat());
    let id = held(&world, 1);
    // May write the Clinic, but not decide for it.
    let mut rules = rules(EDITOR);
    rules.push(json!({"apiGroups": ["clinic-operator.dev"], "resources": ["clinics"], "verbs": ["patch"]}));
    let manager = Person::new(&world.namespace, "manager", &rules);
    let error = manager.fails(4, &["release", &id]);
    assert!(error.starts_with("refused: "), "{error}");
    assert!(
        error.ends_with(
            "; a release takes the verb administer on clinics.clinic-operator.dev: ask an administrator of the clinic"
        ),
        "{error}"
    );
    assert_eq!(held(&world, 1), id);
    Person::administrator(&world).ok(&["release", &id]);
    world.member_in("Invited", "ana");
    world.member_in("Invited", "bea");
}

#[test]
fn some_of_a_hold_are_released_by_name_or_as_the_first_and_nobody_else() {
    let world = World::without_clinic("onlysome");
    world.apply(&CLINIC.replace("1000", "1"));
    world.apply(&staff("zoe", "zoe@maple.example"));
    world.member_in("Invited", "zoe");
    let names: Vec<String> = (0..25).map(|number| format!("member-{number:02}")).collect();
    world.apply(&names.iter().map(|name| staff(name, &format!("{name}@maple.example"))).collect::<String>());
    let id = held(&world, 25);
    let administrator = Person::administrator(&world);
    let shown: Value = serde_json::from_str(&administrator.ok(&["holds", "-o", "json"])).unwrap();
    assert_eq!(shown[0]["members"], json!(names), "who may read the records sees everybody");
    let said = Person::viewer(&world).says(&["holds"]);
    assert!(said.stdout.contains("member-19 and 5 more\n"), "{said:?}");
    assert_eq!(said.stderr, "Not everybody is named: you may not read the records (list clinicaccounts).\n");
    let error = administrator.fails(3, &["release", &id, "--only", "member-07,membr-08"]);
    assert!(error.starts_with(&format!("\"membr-08\" is not held under {id}; did you mean member-08")), "{error}");
    let error = administrator.fails(3, &["release", &id, "--only", "zoe"]);
    assert_eq!(error, format!("\"zoe\" is not held under {id}; kubectl clinic holds names who is"));
    assert_eq!(
        administrator.ok(&["release", &id, "--only", "member-24,clinicuser/member-07"]),
        format!("Released {id} (2 of 25): their mails go out.\n")
    );
    assert_eq!(
        administrator.ok(&["release", &id, "--first", "2"]),
        format!("Released {id} (2 of 23): their mails go out.\n")
    );
    // Two orders at once: the second does not take the first one back.
    administrator.ok(&["release", &id, "--only", "member-10", "--no-wait"]);
    administrator.ok(&["release", &id, "--only", "member-11", "--no-wait"]);
    let released = ["member-00", "member-01", "member-07", "member-10", "member-11", "member-24"];
    for name in released {
        world.member_in("Invited", name);
    }
    assert_eq!(held(&world, 19), id);
    assert_eq!(world.relay.wait_for(7, PATIENCE).len(), 7);
    for name in names.iter().filter(|name| !released.contains(&name.as_str())) {
        world.member_in("Held", name);
    }
}

#[test]
fn who_is_held_for_removal_is_listed_and_why_says_what_to_do() {
    let world = World::new("kept");
    let names = ["ana", "bea", "cyd", "dan"];
    for name in names {
        signed_in(&world, name, &staff(name, &format!("{name}@maple.example")), name, "Silva", None);
    }
    world.kubectl(&["delete", "clinicuser", "ana", "bea", "cyd"]);
    let id = held(&world, 1);
    let kept = world.object("clinic", "clinic")["status"]["holds"][0]["members"][0].as_str().unwrap().to_owned();
    let (administrator, viewer) = (Person::administrator(&world), Person::viewer(&world));
    let row = format!("{kept} Silva   -       Staff              - (held: {id})\n");
    let listed = administrator.ok(&["members"]);
    assert!(listed.contains(&row) && listed.contains("clinicuser/dan"), "{listed}");
    let list: Value = serde_json::from_str(&administrator.ok(&["members", "-o", "json"])).unwrap();
    assert_eq!(list[0]["manifest"], Value::Null, "{list}");
    // Who may not read the records is told that there is somebody.
    assert!(viewer.ok(&["members"]).contains(&format!("- (held: {id})")));
    for person in [&administrator, &viewer] {
        let why = person.ok(&["why", &kept]);
        assert!(why.starts_with(&format!("clinicuser/{kept} in ")), "{why}");
        assert!(why.contains(&format!("kubectl clinic release {id} --only {kept}")), "{why}");
    }
    administrator.ok(&["release", &id, "--only", &kept]);
    assert!(!administrator.ok(&["members"]).contains("held"));
    administrator.fails(3, &["why", &kept]);
}
