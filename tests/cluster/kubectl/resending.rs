//! `kubectl clinic resend`: a new mail that leaves, an old link that is dead, and a plain word where no mail would leave.

use serde_json::Value;

use super::{Person, signed_in};
use crate::support::smtp::Stage;
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{CLINIC, World, staff};

#[test]
fn an_editor_resends_and_sees_it_mailed_and_only_the_new_link_works() {
    let world = World::new("resending");
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("Invited", "ana");
    world.relay.wait_for(1, PATIENCE);
    let said = Person::editor(&world).says(&["resend", "ana"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.starts_with("Asked to mail clinicuser/ana again (clinic-operator.dev/resend: 2"), "{said:?}");
    assert!(
        said.stdout.starts_with("Mailed at 2")
            && said.stdout.contains(" America/Toronto (round 2); the link works until "),
        "{said:?}"
    );
    let mails = world.relay.mails();
    assert_eq!(mails.len(), 2, "it came back when the mail had left");
    world.accept(&mails[0], "Ana", "Silva").unwrap_err();
    world.accept(&mails[1], "Ana", "Silva").unwrap();
    world.member_in("Active", "ana");
    // By name alone it is the person's, also where a service account has the same name.
    let error = Person::editor(&world).fails(5, &["resend", "ana"]);
    assert_eq!(error, "nothing was asked for: ana has accepted and has access, so there is no invitation to send");
    assert_eq!(world.relay.mails().len(), 2);
}

#[test]
fn a_resend_that_the_relay_refuses_is_told_with_the_reason() {
    let world = World::new("refused");
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("Invited", "ana");
    world.relay.at(Stage::RcptTo).of("ana@maple.example").reply(550, "5.1.1 no such person");
    let error = Person::editor(&world).fails(5, &["resend", "cu/ana"]);
    assert!(error.starts_with("not mailed: The email address was refused (550 5.1.1)."), "{error}");
    world.relay.take_everything();
    assert!(Person::editor(&world).ok(&["resend", "ana"]).contains("(round 3)"));
    assert_eq!(world.relay.mails().len(), 2);
}

#[test]
fn a_relay_that_is_away_is_waited_for_and_then_told_and_the_mail_leaves_later() {
    let world = World::new("away");
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("Invited", "ana");
    world.relay.at(Stage::Greeting).reply(421, "4.3.2 away");
    let editor = Person::editor(&world);
    let error = editor.fails(5, &["resend", "ana", "--timeout", "3"]);
    assert!(error.starts_with("not done within 3 s ("), "{error}");
    assert!(error.ends_with("it goes on without you; see how: kubectl clinic why ana"), "{error}");
    world.relay.take_everything();
    world.relay.wait_for(2, 2 * PATIENCE);
    let member = world.member_in("Invited", "ana");
    assert_eq!(member["status"]["invitation"]["round"], 2);
}

#[test]
fn without_waiting_it_is_asked_for_and_mailed_all_the_same() {
    let world = World::new("nowait");
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("Invited", "ana");
    let namespace = world.namespace.name();
    let told = Person::editor(&world).ok(&["resend", "ana", "--no-wait", "-n", namespace]);
    assert_eq!(told, format!("Asked for; see how it goes: kubectl clinic why ana -n {namespace}\n"));
    world.relay.wait_for(2, PATIENCE);
}

#[test]
fn what_would_mail_nobody_is_not_asked_for() {
    let world = World::new("nothing");
    let editor = Person::editor(&world);
    world.apply(&staff("ana", "ana@maple.example"));
    world.member_in("Invited", "ana");
    world.apply(&staff("bea", "ana@maple.example"));
    world.member_in("EmailConflict", "bea");
    let error = editor.fails(5, &["resend", "bea"]);
    assert!(error.starts_with("nothing was asked for: no mail leaves while bea is EmailConflict. The email address belongs to ClinicUser \"ana\"."), "{error}");
    world.apply(&CLINIC.replace("America/Toronto", "America/Toronto, paused: true"));
    world.member_in("Paused", "ana");
    let error = editor.fails(5, &["resend", "ana"]);
    assert!(error.starts_with("nothing was asked for: no mail leaves while ana is Paused."), "{error}");
    world.apply(
        "
apiVersion: clinic-operator.dev/v1alpha1
kind: ServiceAccount
metadata: {name: lab}
spec: {displayName: Lab, email: ana@maple.example, manager: {firstName: Ana, lastName: Silva}}
",
    );
    assert_eq!(editor.fails(5, &["resend", "lab"]), "lab is a service account: nobody is ever mailed for it");
    for name in ["ana", "bea"] {
        let annotations = &world.object("clinicuser", name)["metadata"]["annotations"];
        assert!(annotations["clinic-operator.dev/resend"].is_null(), "{annotations}");
    }
}

#[test]
fn a_value_that_git_sets_is_left_to_git() {
    let world = World::new("ingit");
    let manifest = staff("ana", "ana@maple.example")
        .replace("{name: ana}", "{name: ana, annotations: {clinic-operator.dev/resend: '1'}}");
    world.apply(&manifest);
    world.member_in("Invited", "ana");
    let editor = Person::editor(&world);
    let error = editor.fails(5, &["resend", "ana"]);
    assert!(error.contains("set back, which mails once more; change its value in Git instead"), "{error}");
    // By server-side apply, as Flux does it, the manager is named.
    world.kubectl(&["delete", "clinicuser", "ana"]);
    let apply = ["apply", "--server-side", "--field-manager=kustomize-controller", "-f", "-"];
    let control_plane = crate::support::control_plane::control_plane();
    control_plane.kubectl_stdin(&world.namespace, &apply, &manifest).ok();
    world.member_in("Invited", "ana");
    let error = editor.fails(5, &["resend", "ana"]);
    assert!(error.contains("(written by kustomize-controller)"), "{error}");
    // One that Git does not set is a person's to set, and Git's next application leaves it alone.
    let without = staff("bea", "bea@maple.example");
    control_plane.kubectl_stdin(&world.namespace, &apply, &without).ok();
    world.member_in("Invited", "bea");
    let mails = world.relay.mails().len();
    editor.ok(&["resend", "bea"]);
    let managed = world.object("clinicuser", "bea")["metadata"]["managedFields"].clone();
    let of_resend =
        |entry: &&Value| entry["fieldsV1"]["f:metadata"]["f:annotations"]["f:clinic-operator.dev/resend"].is_object();
    let writer = managed.as_array().unwrap().iter().find(of_resend).unwrap()["manager"].as_str().unwrap();
    assert!(!writer.starts_with("kubectl"), "Flux takes back what {writer} writes");
    let annotation =
        || world.object("clinicuser", "bea")["metadata"]["annotations"]["clinic-operator.dev/resend"].clone();
    let value = annotation();
    control_plane.kubectl_stdin(&world.namespace, &apply, &without).ok();
    assert_eq!((annotation(), value.is_string()), (value.clone(), true));
    assert_eq!(world.relay.mails().len(), mails + 1);
}

#[test]
fn a_changed_address_is_mailed_its_confirmation_again() {
    let world = World::new("reconfirm");
    signed_in(&world, "ana", &staff("ana", "ana@maple.example"), "Ana", "Silva", None);
    world.apply(&staff("ana", "ana.silva@maple.example"));
    world.member_told("ana", "waits for its confirmation by the link that was mailed to it");
    let confirmations = || world.relay.mails_to("ana.silva@maple.example").len();
    assert_eq!(confirmations(), 1);
    let told = Person::administrator(&world).ok(&["resend", "ana"]);
    assert_eq!(told, "Mailed the confirmation of the changed address again; earlier links work no more.\n");
    assert_eq!(confirmations(), 2);
    // Who may not read the record asks as well, and is told what they cannot see.
    let told = Person::editor(&world).ok(&["resend", "ana"]);
    assert!(told.starts_with("Asked for. Whether the mail left is in a record that you may not read"), "{told}");
    eventually_ok(PATIENCE, "a third confirmation", || {
        let count = confirmations();
        if count == 3 { Ok(()) } else { Err(count) }
    });
}
