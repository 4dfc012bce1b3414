//! The portal's rights: all that it ever does, in one clinic. How they are compared with what it asked for stands in
//! `crate::rights`.

use jiff::SignedDuration;
use serde_json::json;

use super::{House, PASSWORD, email, sign_in};
use crate::rights::uses_exactly_its_rights;
use crate::support::wait::{PATIENCE, eventually_ok};

#[test]
fn the_portal_uses_every_right_that_it_has_and_asks_for_nothing_else() {
    let mut house = House::at("portal-rights", "2027-06-01T12:00:00Z");
    let (_, factor, _) = house.accepted_with_factor("ana");
    house.world.clock().advance(SignedDuration::from_secs(90));
    let mut again = house.portal.visitor();
    let step = sign_in(&mut again, &email("ana"), PASSWORD);
    assert_eq!(again.submit(&step.form().with("code", &factor.code(house.now()))).status, 303);
    // One that no account names, which it sweeps.
    let account = house.world.account_of("ana")["metadata"]["name"].clone();
    let left = json!({
        "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicCredential",
        "metadata": {"name": "c-aaaaaaaaaaaaaaaaaaaaaaaaaa"}, "spec": {"account": account, "sealed": "c2VhbGVk"},
    });
    house.world.create_as(&house.world.namespace.portal(), "cliniccredentials", &left);
    let made = house.world.object("cliniccredential", "c-aaaaaaaaaaaaaaaaaaaaaaaaaa");
    house.world.clock().set(made["metadata"]["creationTimestamp"].as_str().unwrap());
    house.world.clock().advance(SignedDuration::from_mins(70));
    eventually_ok(PATIENCE, "the sweep", || {
        house.world.clock().advance(SignedDuration::from_secs(10));
        let left = house.world.names("cliniccredentials");
        if left.len() == 1 { Ok(()) } else { Err(left) }
    });
    let (status, _) = house.portal.terminate();
    assert!(status.success(), "{status}");
    uses_exactly_its_rights(&house.world.namespace, "clinic-operator-portal");
}
