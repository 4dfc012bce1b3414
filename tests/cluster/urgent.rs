//! Whoever has an account goes first: a suspension does not wait behind a bulk of new members, nor behind a change of the Clinic that
//! wakes everybody. Shown by the order of the operator's writes, not by time (`make bench` measures that).

use serde_json::{Value, json};

use crate::support::control_plane::{AuditRecord, control_plane};
use crate::world::{CLINIC, World, staff};

const NEW: usize = 400;
const SUSPENDED: [&str; 3] = ["ana", "bea", "cyd"];

/// So many new members, whose accounts nobody has made yet.
fn new_members(world: &World) {
    let manifest = |number: usize| -> Value {
        json!({
            "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicUser",
            "metadata": {"name": format!("new-{number:03}")},
            "spec": {"email": format!("new-{number:03}@maple.example"), "type": "Staff"},
        })
    };
    control_plane().create_all(&world.namespace, "clinicusers", (0..NEW).map(manifest).collect());
}

#[test]
fn a_suspension_is_written_while_hundreds_of_new_members_wait() {
    let world = World::new("urgent");
    let email = |name: &str| format!("{name}@maple.example");
    let accounts = SUSPENDED.map(|name| world.accepted(name, &staff(name, &email(name))));
    world.apply(&CLINIC.replace("America/Toronto", "America/Toronto, paused: true"));
    world.member_in("Paused", "ana");
    new_members(&world);
    world.member_in("Paused", &format!("new-{:03}", NEW - 1));
    // From here on all of them are due at once.
    world.apply(CLINIC);
    for name in SUSPENDED {
        world.kubectl(&["patch", "clinicuser", name, "--type=merge", "-p", r#"{"spec":{"suspended":true}}"#]);
    }
    for account in &accounts {
        world.access(account, "Suspended");
    }
    for name in SUSPENDED {
        world.member_in("Suspended", name);
    }
    let writes = world.operators_writes();
    let new_account = |write: &AuditRecord| write.resource == "clinicaccounts" && write.verb == "create";
    for account in &accounts {
        let is_it = |write: &AuditRecord| write.verb == "patch" && write.name == *account;
        let last = writes.iter().rposition(is_it).expect("the suspension was written");
        let before = writes[..last].iter().filter(|write| new_account(write)).count();
        assert!(before < NEW / 2, "{before} of {NEW} new accounts were made before {account} was suspended");
    }
    for name in SUSPENDED {
        let is_it = |write: &AuditRecord| write.subresource == "status" && write.name == name;
        let last = writes.iter().rposition(is_it).expect("the state was written");
        let before = writes[..last].iter().filter(|write| new_account(write)).count();
        assert!(before < NEW / 2, "{before} of {NEW} new accounts were made before {name} was told");
    }
}
