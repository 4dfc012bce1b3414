//! CEL rules (`x-kubernetes-validations`) about a whole object, each with the field it names and a message that says what
//! to do. Rules about a single value live in `schema`; what CEL cannot say (time, other objects) lives in the domain.
use serde_json::{Value, json};

/// A rule about the value that it stands on.
pub(super) fn invalid(rule: &str, message: &str) -> Value {
    json!({"rule": rule, "message": message, "reason": "FieldValueInvalid"})
}

/// The value may not change once set.
pub(super) fn unchanged(message: &str) -> Value {
    json!({"rule": "self == oldSelf", "message": message, "reason": "FieldValueForbidden"})
}

/// The number may grow, never shrink.
pub(super) fn never_back(message: &str) -> Value {
    json!({"rule": "self >= oldSelf", "message": message, "reason": "FieldValueForbidden"})
}

fn field_invalid(field: &str, rule: &str, message: &str) -> Value {
    json!({"rule": rule, "fieldPath": field, "message": message, "reason": "FieldValueInvalid"})
}

fn required(field: &str, rule: &str, message: &str) -> Value {
    json!({"rule": rule, "fieldPath": field, "message": message, "reason": "FieldValueRequired"})
}

fn forbidden(field: &str, rule: &str, message: &str) -> Value {
    json!({"rule": rule, "fieldPath": field, "message": message, "reason": "FieldValueForbidden"})
}

/// A field that only members of some classifications have. A practitioner whose classification is missing is told that,
/// and not also of each field that depends on it.
fn only_for(field: &str, classifications: &str, message: &str) -> Value {
    let rule = format!(
        "!has(self.{field}) || (self.type == 'Practitioner' && (!has(self.classification) || self.classification in [{classifications}]))"
    );
    forbidden(&format!(".{field}"), &rule, message)
}

/// What a `ClinicUser` needs and may not have, by its type and classification (the clinic's rules of invitation).
pub(super) fn clinic_user_spec() -> Value {
    json!([
        required(
            ".classification",
            "self.type != 'Practitioner' || has(self.classification)",
            "a Practitioner needs a classification: Standard, Locum or ClinicalTrainee",
        ),
        forbidden(
            ".classification",
            "self.type == 'Practitioner' || !has(self.classification)",
            "only a Practitioner has a classification: remove it, or set type: Practitioner",
        ),
        required(
            ".license",
            "self.type != 'Practitioner' || !has(self.classification) || self.classification != 'Standard' || has(self.license)",
            "a Standard practitioner needs a license: CHRLite, CHRLiteVV or CHRPlus",
        ),
        only_for("license", "'Standard'", "only a Standard practitioner has a license: remove it"),
        required(
            ".expectedEndOfTraining",
            "self.type != 'Practitioner' || !has(self.classification) || self.classification != 'ClinicalTrainee' || has(self.expectedEndOfTraining)",
            "a ClinicalTrainee needs an expectedEndOfTraining, such as 2027-06-30",
        ),
        only_for(
            "expectedEndOfTraining",
            "'ClinicalTrainee'",
            "only a ClinicalTrainee has an expectedEndOfTraining: remove it; to end the access of anybody else, delete the ClinicUser",
        ),
        only_for("supervisor", "'ClinicalTrainee'", "only a ClinicalTrainee has a supervisor: remove it",),
        only_for(
            "billingNumber",
            "'Standard', 'Locum'",
            "only Standard and Locum practitioners bill, clinical trainees and staff do not: remove it",
        ),
        only_for("coverages", "'Locum'", "only a Locum has coverages: remove them, or set classification: Locum"),
    ])
}

/// A coverage's two days are in order.
pub(super) fn coverage() -> Value {
    json!([field_invalid(".end", "self.start <= self.end", "the last day must not be before the first day (start)")])
}

/// Rules that need `metadata.name`.
pub(super) fn clinic_user() -> Value {
    json!([
        short_name(),
        field_invalid(
            ".spec.supervisor",
            "!has(self.spec.supervisor) || self.spec.supervisor != self.metadata.name",
            "a trainee cannot be their own supervisor: name another ClinicUser",
        ),
        field_invalid(
            ".spec.coverages",
            "!has(self.spec.coverages) || self.spec.coverages.all(c, c.covers != self.metadata.name)",
            "a locum cannot stand in for themself: covers must name another ClinicUser",
        ),
    ])
}

/// Rules that need `metadata.name`.
pub(super) fn service_account() -> Value {
    json!([short_name()])
}

/// There is one clinic in a namespace.
pub(super) fn clinic() -> Value {
    json!([field_invalid(
        ".metadata.name",
        "self.metadata.name == 'clinic'",
        "there is one Clinic in a namespace and its name is clinic: set metadata.name: clinic",
    )])
}

/// The name of a claim is its address's digest.
pub(super) fn email_claim() -> Value {
    json!([field_invalid(
        ".metadata.name",
        "self.metadata.name.matches('^e-[a-z2-7]{32}$')",
        "must be e- and 32 characters of lower case base32 (160 bits); only the operator makes claims",
    )])
}

/// An account is called by its id.
pub(super) fn clinic_account() -> Value {
    json!([field_invalid(".spec.id", "self.spec.id == self.metadata.name", "must equal metadata.name")])
}

/// The ledger of deliveries, once begun, stays.
pub(super) fn clinic_account_spec() -> Value {
    json!([forbidden(
        ".delivery",
        "!has(oldSelf.delivery) || has(self.delivery)",
        "the ledger of deliveries is never removed"
    )])
}

/// What was written ahead of a mail is the truth about that mail.
pub(super) fn attempt() -> Value {
    json!([
        {
            "rule": "self.kind == oldSelf.kind && self.round == oldSelf.round && self.tokenDigest == oldSelf.tokenDigest && self.at == oldSelf.at && self.date == oldSelf.date",
            "message": "what was written ahead of a mail never changes; only its outcome and code do",
            "reason": "FieldValueForbidden",
        },
        forbidden(
            ".outcome",
            "oldSelf.outcome == 'Sending' || self.outcome == oldSelf.outcome",
            "a settled outcome never changes",
        ),
    ])
}

fn short_name() -> Value {
    field_invalid(
        ".metadata.name",
        "size(self.metadata.name) <= 63",
        "must be at most 63 characters, so that other members can refer to it",
    )
}
