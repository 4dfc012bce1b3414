//! docs/operations.md shows what the program really says: each command of the page is run, and its output compared. Never here: what an
//! alert means.

use std::process::Command;

use serde_json::json;

use super::{House, PASSWORD, WRONG, email, sign_in};
use crate::support::console::{Shown, in_general, shown_in};
use crate::support::control_plane::control_plane;
use crate::support::door::open_at;
use crate::support::operator::OperatorOptions;
use crate::support::portal::{Portal, PortalOptions};
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{World, staff};

/// The clinic of the page: somebody for each thing that can wait for a person.
fn clinic_of_the_page() -> House {
    let options = OperatorOptions { configuration: vec![("/log/level", json!("debug"))], ..OperatorOptions::default() };
    let world = World::with("maple", options);
    let portal = Portal::start(&world.namespace, PortalOptions::default());
    let house = House { world, portal };
    house.accepted_by(
        "sam-okafor",
        "apiVersion: clinic-operator.dev/v1alpha1\nkind: ClinicUser\nmetadata: {name: sam-okafor}\nspec: {email: \
         sam-okafor@maple.example, type: Practitioner, classification: ClinicalTrainee, expectedEndOfTraining: 2087-06-30}\n",
    );
    let mut visitor = house.portal.visitor();
    assert_eq!(sign_in(&mut visitor, &email("sam-okafor"), WRONG).status, 422);
    assert_eq!(sign_in(&mut visitor, &email("sam-okafor"), PASSWORD).status, 303);
    house.invited("omar-haddad");
    house.world.apply(&staff("ana-again", &email("omar-haddad")));
    house.world.member_in("EmailConflict", "ana-again");
    house.clinic(&json!({"guard": {"invitationsPerHour": 1}}));
    house.world.apply(&staff("mei-chen", &email("mei-chen")));
    house.world.member_in("Held", "mei-chen");
    eventually_ok(PATIENCE, "the Clinic to tell of the hold", || {
        let holds = house.world.object("clinic", "clinic")["status"]["holds"].clone();
        if holds.as_array().is_some_and(|holds| !holds.is_empty()) { Ok(()) } else { Err(holds) }
    });
    // A right that somebody took away.
    let role = json!([{"op": "test", "path": "/rules/3/resources/0", "value": "clinicusers/status"}, {"op": "remove", "path": "/rules/3"}]);
    house.world.kubectl(&["patch", "role", "clinic-operator", "--type=json", "-p", &role.to_string()]);
    eventually_ok(PATIENCE, "a write to be refused", || {
        let touch = format!("clinic-operator.dev/resend=x{}", house.world.operator.log().len());
        house.world.kubectl(&["annotate", "clinicuser", "omar-haddad", &touch, "--overwrite"]);
        let log = house.world.operator.log();
        if log.contains("a reconcile failed") { Ok(()) } else { Err("no failure") }
    });
    house
}

/// Runs all commands of the page in one shell, as somebody who follows it would, and returns what each prints.
fn outputs(house: &House, commands: &[String]) -> Vec<String> {
    let name = house.world.namespace.name();
    let (log, of_portal) = (house.world.operator.log_file(), house.portal.log_file());
    let mut script = String::from("set -e\n");
    for command in commands {
        let command = command
            .replace(
                "kubectl logs -n maple -l app.kubernetes.io/component=controller --tail=-1",
                &format!("cat '{}'", log.display()),
            )
            .replace(
                "kubectl logs -n maple -l app.kubernetes.io/component=portal --tail=-1",
                &format!("cat '{}'", of_portal.display()),
            )
            .replace("-n maple", &format!("-n {name}"))
            .replace("namespace maple", &format!("namespace {name}"))
            .replace("localhost:8080", &format!("127.0.0.1:{}", house.world.operator.port()))
            .replace("localhost:8081", &format!("127.0.0.1:{}", house.portal.port()));
        script += &command;
        script += "\necho; echo '--- next ---'\n";
    }
    let control_plane = control_plane();
    let path = format!("{}:{}", control_plane.folder.join("bin").display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash");
    shell.args(["-c", &script]).env("PATH", path).env("KUBECONFIG", &control_plane.kubeconfig);
    let output = shell.env("KUBECACHEDIR", control_plane.folder.join("cache")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.split("--- next ---").map(|printed| printed.replace(name, "maple")).take(commands.len()).collect()
}

#[test]
fn the_page_about_operations_shows_what_is_really_printed() {
    let house = clinic_of_the_page();
    let shown = shown_in("docs/operations.md");
    assert!(shown.len() >= 12, "the page shows its commands in blocks of the kind `console`");
    let commands: Vec<String> = shown.iter().map(|shown| shown.command.clone()).collect();
    let mut printed = outputs(&house, &commands);
    // Last: once the controller knows of restore mode, the Clinic tells of nothing else.
    let namespace = house.world.namespace.name();
    house.world.kubectl(&["annotate", "namespace", namespace, &open_at(house.world.now())]);
    let of_door =
        commands.iter().position(|command| command.contains("restore-door}")).expect("the runbook of restore mode");
    printed[of_door] = outputs(&house, &commands[of_door..=of_door]).remove(0);
    let differs = |(shown, printed): &(&Shown, String)| in_general(&shown.output) != in_general(printed);
    let wrong = shown.iter().zip(printed).filter(differs);
    let wrong: Vec<_> = wrong.map(|(shown, printed)| format!("$ {}\n{}\n", shown.command, printed.trim())).collect();
    assert!(wrong.is_empty(), "docs/operations.md must show:\n{}", wrong.concat());
}
