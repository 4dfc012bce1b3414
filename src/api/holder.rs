//! The manifest of an account's holder as the portal reads it: field by field, so that what can be read of one counts although the
//! rest does not fit our types. The portal's records keep it, and it says what it takes away from the account.

use jiff::civil::Date;
use kube::api::DynamicObject;
use serde_json::Value;

use super::account::{ClinicAccountSpec, Desired};
use super::convert::{access_until, claim_of};
use super::wishes::signed_out;
use crate::domain::acceptance::Holder;
use crate::domain::calendar::{ClinicZone, parse_date};
use crate::domain::email::ClaimName;
use crate::domain::member::Period;
use crate::domain::standing;

/// What a `ClinicUser` says that counts where people sign in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    uid: Box<str>,
    is_being_deleted: bool,
    suspended: bool,
    /// The Expected End of Training of a clinical trainee; `None`: somebody else's, or not a date.
    training_ends: Option<Date>,
    /// The claim of the address; `None`: it is none.
    address: Option<ClaimName>,
    /// The account and grant whose sessions a person has ended.
    signed_out: Option<Box<str>>,
}

impl Manifest {
    /// Reads what can be read.
    pub fn read(object: &DynamicObject) -> Self {
        let spec = |field: &str| object.data.get("spec").and_then(|spec| spec.get(field));
        let text = |field: &str| spec(field).and_then(Value::as_str);
        let is_trainee = text("classification") == Some("ClinicalTrainee");
        Self {
            uid: object.metadata.uid.as_deref().unwrap_or_default().into(),
            is_being_deleted: object.metadata.deletion_timestamp.is_some(),
            suspended: spec("suspended").and_then(Value::as_bool).unwrap_or_default(),
            training_ends: text("expectedEndOfTraining").filter(|_| is_trainee).and_then(parse_date),
            address: text("email").and_then(claim_of),
            signed_out: signed_out(object.metadata.annotations.as_ref()).map(Into::into),
        }
    }

    /// Whether it can take away what a record gives, sooner or later: access, or sessions.
    pub fn may_take_away(&self) -> bool {
        self.suspended || self.training_ends.is_some() || self.signed_out.is_some()
    }

    /// Whether it is the object by whose UID the account's holder is known.
    pub fn is_the_holder_of(&self, account: &ClinicAccountSpec) -> bool {
        *self.uid == *account.desired.holder.uid
    }

    /// Whether it is the same object as this one.
    pub fn is_same_object(&self, other: &Self) -> bool {
        self.uid == other.uid
    }

    /// What it takes away from this account. Where the clinic's zone is not known an end cannot be told, and the record's alone
    /// counts. `zone` is asked only where it matters.
    pub fn takes_away(
        &self,
        account: &ClinicAccountSpec,
        zone: impl FnOnce() -> Option<ClinicZone>,
    ) -> standing::Manifest {
        let until = self.training_ends.and_then(|end| access_until(Period::Training(end), &zone()?));
        let signs_out = account.is_signed_out_by(self.signed_out.as_deref());
        standing::Manifest { suspended: self.suspended, until, signs_out }
    }

    /// Whether it is the manifest of the account's holder, for who has not accepted yet: the same object, or one of its name that
    /// asks for the same address; and none that is being deleted.
    fn is_of(&self, desired: &Desired) -> bool {
        let asks_for_the_address = self.address.is_some() && self.address == wanted(desired);
        !self.is_being_deleted && (*self.uid == *desired.holder.uid || asks_for_the_address)
    }

    /// How the holder of an invitation stands. `found` is the manifest of the holder's name.
    pub fn of_invited(
        found: Option<&Self>,
        account: &ClinicAccountSpec,
        zone: impl FnOnce() -> Option<ClinicZone>,
    ) -> Holder {
        match found.filter(|manifest| manifest.is_of(&account.desired)) {
            None => Holder::Gone,
            Some(Self { address: Some(address), .. }) if Some(*address) != wanted(&account.desired) => {
                Holder::WantsAnotherAddress
            }
            Some(manifest) => Holder::There(manifest.takes_away(account, zone)),
        }
    }
}

fn wanted(desired: &Desired) -> Option<ClaimName> {
    claim_of(desired.email.as_deref()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn manifest(change: &Value) -> Manifest {
        let mut object = json!({
            "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicUser", "metadata": {"name": "ana", "uid": "1"},
            "spec": {"email": "ana@maple.example", "type": "Staff"},
        });
        json_patch::merge(&mut object, change);
        Manifest::read(&serde_json::from_value(object).unwrap())
    }

    fn account() -> ClinicAccountSpec {
        serde_json::from_value(json!({
            "id": "a-1",
            "desired": {"holder": {"name": "ana", "uid": "1"}, "email": "Ana@maple.example", "type": "Staff", "grant": 2},
        }))
        .unwrap()
    }

    fn takes_away(change: &Value) -> standing::Manifest {
        manifest(change).takes_away(&account(), || ClinicZone::find("America/Toronto"))
    }

    #[test]
    fn what_can_be_read_counts_although_the_rest_does_not_fit() {
        let nothing = standing::Manifest::default();
        let suspended = standing::Manifest { suspended: true, ..nothing };
        let trainee = |end: &str| json!({"spec": {"classification": "ClinicalTrainee", "expectedEndOfTraining": end}});
        let until = Some("2027-07-15T04:00:00Z".parse().unwrap());
        for (change, expected) in [
            (json!({}), nothing),
            (json!({"spec": {"suspended": true}}), suspended),
            (json!({"spec": {"suspended": true, "email": 7, "type": ["x"], "classification": {}}}), suspended),
            (json!({"spec": {"suspended": "maybe"}}), nothing),
            (json!({"spec": null}), nothing),
            (trainee("2027-06-30"), standing::Manifest { until, ..nothing }),
            (trainee("soon"), nothing),
            (json!({"spec": {"classification": "Locum", "expectedEndOfTraining": "2027-06-30"}}), nothing),
            (
                json!({"metadata": {"annotations": {"clinic-operator.dev/sign-out": " a-1.2 "}}}),
                standing::Manifest { signs_out: true, ..nothing },
            ),
            (json!({"metadata": {"annotations": {"clinic-operator.dev/sign-out": "a-1.1"}}}), nothing),
            (json!({"metadata": {"annotations": {"clinic-operator.dev/sign-out": "a-2.2"}}}), nothing),
        ] {
            assert_eq!(takes_away(&change), expected, "{change}");
        }
        let answered: ClinicAccountSpec = serde_json::from_value(json!({
            "id": "a-1", "desired": {"holder": {"name": "ana", "uid": "1"}, "email": "ana@maple.example", "type": "Staff", "grant": 2},
            "acceptance": {
                "acceptedAt": "2027-06-01T12:00:00Z", "login": "ana@maple.example", "firstName": "Ana", "lastName": "Silva",
                "credential": "c", "signOuts": 1,
            },
        }))
        .unwrap();
        let signs_out = |value: &str| answered.is_signed_out_by(Some(value));
        assert_eq!(
            ["a-1.2", "a-1.3", "a-1.1"].map(signs_out),
            [false, true, false],
            "what the portal answered is answered"
        );
        let trainee = manifest(&trainee("2027-06-30"));
        assert_eq!(trainee.takes_away(&account(), || None), nothing, "without a zone the record's end alone counts");
    }

    #[test]
    fn who_has_not_accepted_is_there_with_their_object_or_one_of_its_name_and_address() {
        let deleted = "2027-06-01T12:00:00Z";
        let there = Holder::There(standing::Manifest::default());
        for (change, expected) in [
            (json!({}), there),
            (json!({"spec": {"email": "ANA@MAPLE.EXAMPLE"}}), there),
            (json!({"spec": {"email": "unreadable"}}), there),
            (json!({"spec": {"email": "other@maple.example"}}), Holder::WantsAnotherAddress),
            (json!({"metadata": {"deletionTimestamp": deleted}}), Holder::Gone),
            (json!({"metadata": {"uid": "2"}}), there),
            (json!({"metadata": {"uid": "2"}, "spec": {"email": "other@maple.example"}}), Holder::Gone),
            (json!({"metadata": {"uid": "2"}, "spec": {"email": "unreadable"}}), Holder::Gone),
            (json!({"metadata": {"uid": "2", "deletionTimestamp": deleted}}), Holder::Gone),
        ] {
            assert_eq!(Manifest::of_invited(Some(&manifest(&change)), &account(), || None), expected, "{change}");
        }
        assert_eq!(Manifest::of_invited(None, &account(), || None), Holder::Gone);
    }
}
