//! `kubectl clinic sign-out`: ends the sessions of some or of everybody, for who administers the clinic. That sessions end by it is
//! shown with the real portal.

use serde_json::{Value, json};

use super::{EDITOR, Person, rules};
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{World, staff};

const SIGN_OUT: &str = "clinic-operator.dev/sign-out";
const ENDS: &str = "Every session of theirs ends with its next request.";

fn manifest(name: &str) -> String {
    staff(name, &format!("{name}@maple.example"))
}

/// Waits until the grants of these members' accounts are those.
#[track_caller]
fn grants(world: &World, members: &[&str], wanted: &[u32]) {
    eventually_ok(PATIENCE, "the sign-out to be answered", || {
        let grant = |member: &&str| world.account_of(member)["spec"]["desired"]["grant"].clone();
        let now: Vec<Value> = members.iter().map(grant).collect();
        if json!(now) == json!(wanted) { Ok(()) } else { Err(now) }
    });
}

fn asked(world: &World, member: &str) -> Value {
    world.object("clinicuser", member)["metadata"]["annotations"][SIGN_OUT].clone()
}

#[test]
fn members_are_signed_out_by_name_or_all_and_again_when_it_is_asked_again() {
    let mut world = World::new("signing-out");
    for name in ["ana", "bea", "cyd"] {
        world.accepted(name, &manifest(name));
    }
    world.apply(&manifest("dan"));
    world.member_in("Invited", "dan");
    let administrator = Person::administrator(&world);
    assert_eq!(administrator.ok(&["sign-out", "ana"]), format!("Signed out: 1. {ENDS}\n"));
    grants(&world, &["ana", "bea", "cyd"], &[1, 0, 0]);
    let error = administrator.fails(5, &["sign-out", "dan"]);
    assert_eq!(error, "nobody was signed out: none of them has accepted an invitation");
    let said = administrator.ok(&["sign-out", "bea", "clinicuser/dan"]);
    assert_eq!(
        said,
        format!("Signed out: 1. {ENDS} 1 more had not accepted, so had no session to lose (clinicuser/dan).\n")
    );
    grants(&world, &["ana", "bea", "cyd"], &[1, 1, 0]);
    let everybody = format!("Signed out: 3. {ENDS} 1 more had not accepted, so had no session to lose.\n");
    assert_eq!(administrator.ok(&["sign-out", "--all"]), everybody);
    grants(&world, &["ana", "bea", "cyd"], &[2, 2, 1]);
    assert_eq!(world.account_of("dan")["spec"]["desired"]["grant"], 0);
    // With no controller there, what is asked for and not answered is not asked for again.
    world.operator.kill();
    assert_eq!(administrator.ok(&["sign-out", "--all", "--after", "ana"]), everybody.replace('3', "2"));
    let version = |name: &str| world.object("clinicuser", name)["metadata"]["resourceVersion"].clone();
    let before = version("bea");
    assert_eq!(administrator.ok(&["sign-out", "--all"]), everybody);
    assert_eq!(version("bea"), before);
    let account = world.account_of("ana")["metadata"]["name"].as_str().unwrap().to_owned();
    assert_eq!(asked(&world, "ana"), json!(format!("{account}.2")));
    for wrong in [&["sign-out"][..], &["sign-out", "ana", "--all"], &["sign-out", "ana", "--after", "ana"]] {
        assert_eq!(administrator.says(wrong).code, 2, "{wrong:?}");
    }
    let error = administrator.fails(3, &["sign-out", "anna"]);
    assert!(error.ends_with("did you mean ana?"), "{error}");
}

#[test]
fn who_has_no_status_after_a_restore_is_signed_out_by_the_account_that_the_record_names() {
    let mut world = World::new("sign-out-restored");
    let account = world.accepted("ana", &manifest("ana"));
    world.apply(&manifest("bea"));
    world.member_in("Invited", "bea");
    // As a restore leaves it: other UIDs, no status, and no controller yet that writes one.
    world.operator.kill();
    world.kubectl(&["delete", "clinicuser", "ana", "bea"]);
    world.apply(&(manifest("ana") + &manifest("bea")));
    assert_eq!(world.object("clinicuser", "ana")["status"]["account"], Value::Null);
    let administrator = Person::administrator(&world);
    let everybody = format!("Signed out: 1. {ENDS} 1 more had not accepted, so had no session to lose.\n");
    assert_eq!(administrator.ok(&["sign-out", "--all"]), everybody);
    assert_eq!(asked(&world, "ana"), json!(format!("{account}.0")));
    assert_eq!(administrator.ok(&["sign-out", "ana"]), format!("Signed out: 1. {ENDS}\n"));
}

#[test]
fn who_cannot_be_signed_out_keeps_nobody_else_back_and_is_named_at_the_end() {
    let world = World::new("sign-out-kept-back");
    for name in ["ana", "bea", "cyd"] {
        world.accepted(name, &manifest(name));
    }
    // What somebody once wrote into the file, answered long ago.
    let stale = format!("metadata: {{name: bea, annotations: {{{SIGN_OUT}: a-0.0}}}}");
    world.apply(&manifest("bea").replace("metadata: {name: bea}", &stale));
    let administrator = Person::administrator(&world);
    for (arguments, wanted) in [(vec!["--all"], [1, 0, 1]), (vec!["ana", "bea", "cyd"], [2, 0, 2])] {
        let said = administrator.says(&[vec!["sign-out"], arguments].concat());
        let lines: Vec<&str> = said.stderr.lines().collect();
        assert_eq!((said.code, said.stdout.as_str(), lines.len()), (5, "", 3), "{said:?}");
        assert!(lines[0].starts_with("Not signed out: bea: the manifest of bea in Git sets"), "{lines:?}");
        assert_eq!(lines[1], format!("Signed out: 2. {ENDS}"));
        assert_eq!(lines[2], "error: 1 not signed out, for the reasons above: bea");
        grants(&world, &["ana", "bea", "cyd"], &wanted);
    }
}

#[test]
fn whom_a_policy_refuses_a_sign_out_is_told_which_verb_it_takes_and_nothing_ends() {
    let world = World::new("may-not-sign-out");
    world.accepted("ana", &manifest("ana"));
    let error = Person::editor(&world).fails(4, &["sign-out", "ana"]);
    assert!(error.starts_with("you may not get clinicaccounts"), "{error}");
    // May read the records, but not decide.
    let mut rules = rules(EDITOR);
    rules.push(json!({"apiGroups": ["clinic-operator.dev"], "resources": ["clinicaccounts"], "verbs": ["get"]}));
    let manager = Person::new(&world.namespace, "manager", &rules);
    let error = manager.fails(4, &["sign-out", "ana"]);
    let hint =
        "; a sign-out takes the verb administer on clinics.clinic-operator.dev: ask an administrator of the clinic";
    assert!(error.starts_with("refused: ") && error.ends_with(hint), "{error}");
    assert_eq!(asked(&world, "ana"), Value::Null);
}
