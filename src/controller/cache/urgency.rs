//! How urgent the work is that a change makes necessary: whose manifest or record changed goes first if they have accepted, since their
//! access may have to end. The cache asks before it fills the queue.

use std::collections::BTreeSet;

use super::index::Index;
use super::kind::Kind;
use crate::controller::queue::{Key, Urgency};

impl Index {
    /// The work about the person whose manifest or record this is, if they have accepted. `uid`: of the object, which may be gone.
    pub(super) fn of_the_same_person(&self, kind: Kind, name: &str, uid: &str) -> BTreeSet<Key> {
        match kind {
            Kind::ClinicUser if self.has_accepted(uid) => {
                let accounts = self.held_by(uid).cloned().map(Key::Account);
                accounts.chain([Key::Member(name.into()), Key::Removals]).collect()
            }
            Kind::ClinicAccount if self.guards().has_accepted(name) => {
                let holder = self.member_that_holds(name).map(Key::Member);
                holder.into_iter().chain([Key::Account(name.into())]).collect()
            }
            Kind::ClinicUser | Kind::ClinicAccount | Kind::Clinic | Kind::ServiceAccount | Kind::EmailClaim => {
                BTreeSet::new()
            }
        }
    }

    /// How urgent each piece of work is. `of_the_same_person`: those about whose change makes it necessary.
    pub(super) fn by_urgency(&self, work: BTreeSet<Key>, of_the_same_person: &BTreeSet<Key>) -> Vec<(Key, Urgency)> {
        let is_accepted = |key: &Key| match key {
            // Also one that comes back under the name of a holder who is gone.
            Key::Member(name) => self.accounts_of_name(name).any(|account| self.guards().has_accepted(account)),
            Key::Account(name) => self.guards().has_accepted(name),
            Key::Clinic | Key::ServiceAccount(_) | Key::Removals => false,
        };
        let by_urgency = |key: Key| {
            let urgency = match of_the_same_person.contains(&key) {
                true => Urgency::Access,
                false if is_accepted(&key) => Urgency::Accepted,
                false => Urgency::of(&key),
            };
            (key, urgency)
        };
        work.into_iter().map(by_urgency).collect()
    }

    /// Whether the `ClinicUser` with this UID holds an account that somebody has accepted.
    fn has_accepted(&self, uid: &str) -> bool {
        self.held_by(uid).any(|account| self.guards().has_accepted(account))
    }
}

#[cfg(test)]
mod tests {
    use kube::api::DynamicObject;
    use serde_json::{Value, json};

    use super::*;

    fn object(kind: &str, name: &str, body: &Value) -> DynamicObject {
        let mut object = json!({
            "apiVersion": "clinic-operator.dev/v1alpha1", "kind": kind,
            "metadata": {"name": name, "uid": format!("uid-{name}"), "resourceVersion": "1"},
        });
        json_patch::merge(&mut object, body);
        serde_json::from_value(object).unwrap()
    }

    /// A member with an account of the name `a-<name>`.
    fn learn(index: &mut Index, name: &str, accepted: bool) {
        let email = format!("{name}@maple.example");
        index.apply(Kind::ClinicUser, object("ClinicUser", name, &json!({"spec": {"email": email, "type": "Staff"}})));
        let holder = json!({"name": name, "uid": format!("uid-{name}")});
        let id = format!("a-{name}");
        let mut spec = json!({"id": id, "desired": {"holder": holder, "email": email, "type": "Staff"}});
        if accepted {
            spec["acceptance"] = json!({"acceptedAt": "2027-03-01T12:00:00Z", "login": email, "firstName": "Ana",
                "lastName": "Silva", "credential": "c-1"});
        }
        index.apply(Kind::ClinicAccount, object("ClinicAccount", &id, &json!({ "spec": spec })));
    }

    #[test]
    fn whose_manifest_or_record_changes_goes_first_if_they_have_accepted_and_nobody_else_does() {
        let member = |name: &str| Key::Member(name.into());
        let account = |name: &str| Key::Account(format!("a-{name}").into());
        let mut index = Index::default();
        learn(&mut index, "ana", true);
        learn(&mut index, "bea", true);
        learn(&mut index, "cyd", false);
        let all = index.everything();
        let found = |kind, name: &str| -> Vec<Urgency> {
            let own = index.of_the_same_person(kind, name, &format!("uid-{name}"));
            let work = index.by_urgency(all.clone(), &own);
            let of = |key: Key| work.iter().find(|(found, _)| *found == key).map(|(_, urgency)| *urgency).unwrap();
            [member("ana"), account("ana"), Key::Removals, account("bea"), member("bea"), account("cyd"), member("cyd")]
                .map(of)
                .to_vec()
        };
        let [access, accepted, mail, rest] = Urgency::ALL;
        let of_ana = [access, access, access, accepted, accepted, mail, rest];
        assert_eq!(found(Kind::ClinicUser, "ana"), of_ana);
        assert_eq!(found(Kind::ClinicAccount, "a-ana"), [access, access, rest, accepted, accepted, mail, rest]);
        let of_nobody = [accepted, accepted, rest, accepted, accepted, mail, rest];
        for (kind, name) in [(Kind::ClinicUser, "cyd"), (Kind::ClinicAccount, "a-cyd"), (Kind::Clinic, "clinic")] {
            assert_eq!(found(kind, name), of_nobody, "{name}");
        }
    }
}
