//! CEL rules (`x-kubernetes-validations`) about a whole object, each with the field it names and a message that says what
//! to do. Rules about a single value live in `schema`; what CEL cannot say (time, other objects) lives in the domain.
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule as Rule;

/// Why a value is refused: the API server's word for it, which opens the message.
#[derive(Clone, Copy)]
enum Reason {
    /// `Invalid value`.
    Invalid,
    /// `Required value`.
    Required,
    /// `Forbidden`.
    Forbidden,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "FieldValueInvalid",
            Self::Required => "FieldValueRequired",
            Self::Forbidden => "FieldValueForbidden",
        }
    }
}

fn rule(reason: Reason, rule: &str, message: &str) -> Rule {
    Rule { rule: rule.into(), message: Some(message.into()), reason: Some(reason.as_str().into()), ..Rule::default() }
}

/// A rule about the value that it stands on.
pub(super) fn invalid(expression: &str, message: &str) -> Rule {
    rule(Reason::Invalid, expression, message)
}

/// The value may not change once set.
pub(super) fn unchanged(message: &str) -> Rule {
    rule(Reason::Forbidden, "self == oldSelf", message)
}

/// The value may change only so.
pub(super) fn forbidden_change(expression: &str, message: &str) -> Rule {
    rule(Reason::Forbidden, expression, message)
}

/// The number may grow, never shrink.
pub(super) fn never_back(message: &str) -> Rule {
    rule(Reason::Forbidden, "self >= oldSelf", message)
}

fn field_invalid(field: &str, expression: &str, message: &str) -> Rule {
    Rule { field_path: Some(field.into()), ..rule(Reason::Invalid, expression, message) }
}

fn required(field: &str, expression: &str, message: &str) -> Rule {
    Rule { field_path: Some(field.into()), ..rule(Reason::Required, expression, message) }
}

fn forbidden(field: &str, expression: &str, message: &str) -> Rule {
    Rule { field_path: Some(field.into()), ..rule(Reason::Forbidden, expression, message) }
}

/// A field that only members of some classifications have. A practitioner whose classification is missing is told that,
/// and not also of each field that depends on it.
fn only_for(field: &str, classifications: &str, message: &str) -> Rule {
    let expression = format!(
        "!has(self.{field}) || (self.type == 'Practitioner' && (!has(self.classification) || self.classification in [{classifications}]))"
    );
    forbidden(&format!(".{field}"), &expression, message)
}

/// What a `ClinicUser` needs and may not have, by its type and classification (the clinic's rules of invitation).
pub(super) fn clinic_user_spec() -> Vec<Rule> {
    vec![
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
            "only a ClinicalTrainee has an expectedEndOfTraining: remove it; to end the access of anybody else, set suspended: true",
        ),
        only_for("supervisor", "'ClinicalTrainee'", "only a ClinicalTrainee has a supervisor: remove it"),
        only_for(
            "billingNumber",
            "'Standard', 'Locum'",
            "only Standard and Locum practitioners bill, clinical trainees and staff do not: remove it",
        ),
        only_for("coverages", "'Locum'", "only a Locum has coverages: remove them, or set classification: Locum"),
    ]
}

/// Whoever answers for a service account has a name.
pub(super) fn manager() -> Vec<Rule> {
    vec![rule(
        Reason::Required,
        "has(self.firstName) || has(self.lastName)",
        "needs firstName and lastName, or one of them for somebody who has one name",
    )]
}

/// A coverage's two days are in order.
pub(super) fn coverage() -> Vec<Rule> {
    vec![field_invalid(
        ".end",
        "!self.start.matches('^[0-9-]{10}$') || !self.end.matches('^[0-9-]{10}$') || self.start <= self.end",
        "the last day must not be before the first day (start)",
    )]
}

/// Rules that need `metadata.name`.
pub(super) fn clinic_user() -> Vec<Rule> {
    vec![
        short_name(),
        field_invalid(
            ".spec.supervisor",
            "!has(self.spec.supervisor) || self.spec.supervisor != self.metadata.name",
            "a trainee cannot be their own supervisor: name another ClinicUser",
        ),
        field_invalid(
            ".spec.coverages",
            "!has(self.spec.coverages) || self.spec.coverages.all(c, c.covers != self.metadata.name)",
            "a locum cannot stand in for themselves: covers must name another ClinicUser",
        ),
    ]
}

/// Rules that need `metadata.name`.
pub(super) fn service_account() -> Vec<Rule> {
    vec![short_name()]
}

/// There is one clinic in a namespace.
pub(super) fn clinic() -> Vec<Rule> {
    vec![field_invalid(
        ".metadata.name",
        "self.metadata.name == 'clinic'",
        "there is one Clinic in a namespace and its name is clinic: set metadata.name: clinic",
    )]
}

/// The name of a claim is its address's digest.
pub(super) fn email_claim() -> Vec<Rule> {
    vec![field_invalid(
        ".metadata.name",
        "self.metadata.name.matches('^e-[a-z2-7]{32}$')",
        "must be e- and 32 characters of lower case base32 (160 bits); only the operator makes claims",
    )]
}

/// The name of a credential is drawn at random.
pub(super) fn clinic_credential() -> Vec<Rule> {
    vec![field_invalid(
        ".metadata.name",
        "self.metadata.name.matches('^c-[a-z2-7]{26}$')",
        "must be c- and 26 characters of lower case base32 (130 bits); only the portal makes credentials",
    )]
}

/// An account is called by its id.
pub(super) fn clinic_account() -> Vec<Rule> {
    vec![field_invalid(".spec.id", "self.spec.id == self.metadata.name", "must equal metadata.name")]
}

/// The ledger of deliveries, once begun, stays.
pub(super) fn clinic_account_spec() -> Vec<Rule> {
    vec![forbidden(
        ".delivery",
        "!has(oldSelf.delivery) || has(self.delivery)",
        "the ledger of deliveries is never removed",
    )]
}

/// What was written ahead of a mail is the truth about that mail.
pub(super) fn attempt() -> Vec<Rule> {
    vec![
        rule(
            Reason::Forbidden,
            "self.kind == oldSelf.kind && self.round == oldSelf.round && self.tokenDigest == oldSelf.tokenDigest && self.at == oldSelf.at && self.date == oldSelf.date && has(self.validUntil) == has(oldSelf.validUntil) && (!has(self.validUntil) || self.validUntil == oldSelf.validUntil)",
            "what was written ahead of a mail never changes; only what became of it does",
        ),
        forbidden(
            ".outcome",
            "oldSelf.outcome == 'Sending' || self.outcome == oldSelf.outcome",
            "a settled outcome never changes",
        ),
    ]
}

fn short_name() -> Rule {
    field_invalid(
        ".metadata.name",
        "size(self.metadata.name) <= 63",
        "must be at most 63 characters, so that other members can refer to it",
    )
}
