//! The custom resources: their Rust types, from which the CRDs are generated, and the rules about one object (schema and
//! CEL) that the API server enforces. What needs a clock, another object or I/O never lives here.

pub mod account;
pub mod check;
pub mod clinic;
pub mod clinic_user;
mod columns;
pub mod condition;
pub mod convert;
pub mod crds;
pub mod credential;
pub mod editor;
pub mod email_claim;
pub mod holder;
pub mod reference;
pub mod renamed;
mod rules;
pub mod schema;
pub mod service_account;
pub mod status;
pub mod wishes;

pub use account::ClinicAccount;
pub use clinic::Clinic;
pub use clinic_user::ClinicUser;
pub use condition::Condition;
pub use credential::ClinicCredential;
pub use email_claim::EmailClaim;
pub use service_account::ServiceAccount;

/// The API group of every resource.
pub const GROUP: &str = "clinic-operator.dev";
/// The only version so far. No version of this group is ever named `v1`: Kustomize would then take our `ServiceAccount`
/// for the core one.
pub const VERSION: &str = "v1alpha1";
/// The name of the one `Clinic` of a namespace.
pub const CLINIC_NAME: &str = "clinic";
/// Annotation on a `ClinicUser`: any new value asks for a new invitation round.
pub const RESEND_ANNOTATION: &str = "clinic-operator.dev/resend";
/// Annotation on a `ClinicUser`: the manifest is of the person to whom the named account belongs.
pub const REACTIVATE_ANNOTATION: &str = "clinic-operator.dev/reactivate";
/// Annotation on a `ClinicUser`: the manifest is of another person than the one to whom the named account belonged.
pub const REPLACE_ANNOTATION: &str = "clinic-operator.dev/replace";
/// Annotation on a `ClinicUser`: every session of the named account and grant ends.
pub const SIGN_OUT_ANNOTATION: &str = "clinic-operator.dev/sign-out";
/// Annotation on the `Clinic`: what the named hold keeps back may go on.
pub const RELEASE_HOLD_ANNOTATION: &str = "clinic-operator.dev/release-hold";
