//! `clinic-operator plan` beside a real clinic: what it says of a tree is what the operator then does. Never here: the rules, which
//! the unit tests of `review::plan` walk through.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use clinic_operator::adapters::clock::Clock;
use jiff::ToSpan;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::kubectl::Person;
use crate::support::process::program;
use crate::support::wait::PATIENCE;
use crate::world::{CLINIC, World};

fn user(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: clinic-operator.dev/v1alpha1\nkind: ClinicUser\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n---\n"
    )
}

fn standard(name: &str, more: &str) -> String {
    user(name, &format!("email: {name}@maple.example, type: Practitioner, classification: Standard, {more}"))
}

fn trainee(name: &str, days_from_now: i64) -> String {
    let end = Clock.now().to_zoned(TimeZone::UTC).date() + days_from_now.days();
    user(
        name,
        &format!(
            "email: {name}@maple.example, type: Practitioner, classification: ClinicalTrainee, expectedEndOfTraining: '{end}'"
        ),
    )
}

fn plan(world: &World, person: &Person, arguments: &[&str], tree: &str) -> Output {
    let mut command = Command::new(program());
    command.arg("plan").arg("--kubeconfig").arg(&person.kubeconfig).args(["--namespace", world.namespace.name()]);
    command.args(arguments).arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(tree.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// The one plan, as JSON.
fn planned(world: &World, person: &Person, tree: &str) -> Value {
    let output = plan(world, person, &["--output", "json"], tree);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let plans: Value = serde_json::from_slice(&output.stdout).unwrap();
    plans[0].clone()
}

/// Who is in for what.
fn effects(plan: &Value) -> BTreeSet<(String, String)> {
    let text = |change: &Value, field: &str| change[field].as_str().unwrap().to_owned();
    plan["changes"].as_array().unwrap().iter().map(|change| (text(change, "member"), text(change, "effect"))).collect()
}

#[test]
fn what_a_plan_says_is_what_the_operator_does_and_then_nothing_is_left_to_do() {
    let world = World::new("plan");
    let administrator = Person::administrator(&world);
    let (ana, zoe) = (
        standard("ana", "license: CHRPlus"),
        user("zoe", "email: zoe@maple.example, type: Staff, firstName: Zoe, lastName: Silva"),
    );
    let account = |name: &str, manifest: &str| (name.to_owned(), world.accepted(name, manifest));
    let accounts = [
        account("ana", &ana),
        account("lee", &standard("lee", "license: CHRLite")),
        account("mei", &standard("mei", "license: CHRLite")),
        account("sam", &trainee("sam", 30)),
        account("zoe", &zoe),
    ];
    let of = |name: &str| accounts.iter().find(|(other, _)| other == name).unwrap().1.as_str();
    world.kubectl(&["delete", "clinicuser", "zoe"]);
    world.access(of("zoe"), "Removed");
    world.apply(&user("omar", "email: omar@maple.example, type: Staff"));
    world.member_in("Invited", "omar");

    let mut tree = String::new();
    for manifest in [
        CLINIC.to_owned() + "\n---\n",
        standard("ana", "license: CHRLite"),
        user("bo", "email: bo@maple.example, type: Staff"),
        user("kim", "email: Ana@maple.example, type: Staff"),
        standard("lee", "license: CHRLite, suspended: true"),
        user("omar", "email: omar.haddad@maple.example, type: Staff"),
        user("per", "email: mei@maple.example, type: Staff"),
        trainee("sam", -20),
        zoe,
    ] {
        write!(tree, "{manifest}").unwrap();
    }
    // Two who share an address would not pass `validate`; the plan says the same of one who is merged all the same.
    let told = planned(&world, &administrator, &tree);
    let expected = [
        ("ana", "Changes"),
        ("bo", "Mailed"),
        ("kim", "NeedsAPerson"),
        ("lee", "AccessEnds"),
        ("mei", "AccessEnds"),
        ("omar", "Mailed"),
        ("per", "NeedsAPerson"),
        ("sam", "AccessEnds"),
        ("zoe", "AccessReturns"),
        ("zoe", "TakesUpAccount"),
    ];
    assert_eq!(
        effects(&told),
        expected.map(|(member, effect)| (member.to_owned(), effect.to_owned())).into(),
        "{told:#}"
    );
    assert_eq!(told["notes"], json!([]), "an administrator sees everything");
    assert!(!told.to_string().contains('@'), "{told:#}");

    let mails = world.relay.mails().len();
    world.apply(&tree);
    world.kubectl(&["delete", "clinicuser", "mei"]);
    for (name, reason) in
        [("ana", "Granted"), ("lee", "Suspended"), ("mei", "Removed"), ("sam", "TrainingEnded"), ("zoe", "Granted")]
    {
        world.access(of(name), reason);
    }
    for (name, state) in
        [("kim", "EmailConflict"), ("per", "FormerMember"), ("bo", "Invited"), ("omar", "Invited"), ("zoe", "Active")]
    {
        world.member_in(state, name);
    }
    let mailed: BTreeSet<_> =
        world.relay.wait_for(mails + 2, PATIENCE)[mails..].iter().flat_map(|mail| mail.recipients.clone()).collect();
    assert_eq!(mailed, ["bo@maple.example", "omar.haddad@maple.example"].map(str::to_owned).into());
    assert_eq!(effects(&planned(&world, &administrator, &tree)), BTreeSet::new());
    assert_eq!(world.relay.mails().len(), mails + 2, "and no other mail");

    // Whoever waits goes on once a person has decided, or the address is free.
    let decided = format!("name: per, annotations: {{clinic-operator.dev/replace: {}.0}}", of("mei"));
    let tree = tree.replace("name: per", &decided).replace("Ana@maple.example", "kim@maple.example");
    let told = planned(&world, &administrator, &tree);
    let expected = [("kim", "Mailed"), ("per", "Mailed")];
    assert_eq!(
        effects(&told),
        expected.map(|(member, effect)| (member.to_owned(), effect.to_owned())).into(),
        "{told:#}"
    );
    world.apply(&tree);
    for name in ["kim", "per"] {
        world.member_in("Invited", name);
    }
    assert_eq!(world.relay.mails().len(), mails + 4);
    assert_eq!(effects(&planned(&world, &administrator, &tree)), BTreeSet::new());
}

#[test]
fn who_may_not_see_everything_is_told_what_that_hides() {
    let world = World::new("planrights");
    world.accepted("ana", &standard("ana", "license: CHRPlus"));
    let rules = json!([{"apiGroups": ["clinic-operator.dev"], "resources": ["clinicusers"], "verbs": ["list"]}]);
    let person = Person::new(&world.namespace, "reader", rules.as_array().unwrap());
    let told = planned(&world, &person, &user("bo", "email: bo@maple.example, type: Staff"));
    let expected = [("ana", "AccessEnds"), ("bo", "Mailed")];
    assert_eq!(
        effects(&told),
        expected.map(|(member, effect)| (member.to_owned(), effect.to_owned())).into(),
        "{told:#}"
    );
    let notes: Vec<_> = told["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect();
    let hidden = ["clinicserviceaccounts", "clinics", "clinicaccounts", "the Namespace"];
    assert!(
        notes.len() == hidden.len()
            && hidden.iter().zip(&notes).all(|(kind, note)| note.starts_with(&format!("You may not read {kind}: "))),
        "{notes:?}"
    );
    let nobody = Person::new(&world.namespace, "nobody", &[]);
    let output = plan(&world, &nobody, &[], &user("bo", "email: bo@maple.example, type: Staff"));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("failed to read the clinicusers of namespace"), "{said}");
}

#[test]
fn a_plan_begins_with_a_warning_while_restore_mode_is_on_or_where_the_tree_turns_it_on() {
    let world = World::new("planrestore");
    let rules = json!([
        {"apiGroups": ["clinic-operator.dev"], "resources": ["clinicusers", "clinicserviceaccounts", "clinics", "clinicaccounts"],
            "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
    ]);
    let person = Person::new(&world.namespace, "reader", rules.as_array().unwrap());
    let tree = user("bo", "email: bo@maple.example, type: Staff");
    let first = |tree: &str| planned(&world, &person, tree)["first"].clone();
    assert_eq!(first(&tree), json!([]));

    let name = world.namespace.name();
    let until = "clinic-operator.dev/restore-door: open until 2027-03-01T18:00:00Z";
    let namespace =
        format!("---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, annotations: {{{until}}}}}\n");
    let said = first(&(tree.clone() + &namespace));
    assert!(
        said[0].as_str().is_some_and(|said| said.contains("sets the annotation of restore mode")) && said[1].is_null(),
        "{said}"
    );

    world.namespace.by_hand(|| {
        let said = first(&tree);
        assert!(said[0].as_str().is_some_and(|said| said.starts_with("Restore mode is on until ")), "{said}");
    });
}
