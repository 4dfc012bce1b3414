//! The columns of `kubectl get`. Both kinds of members begin with the same ones, so that `kubectl get members` reads as one
//! list. Columns show what an object holds; nothing is computed here.
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceColumnDefinition as Column;

const MESSAGE: &str = r#".status.conditions[?(@.type=="Ready")].message"#;
const READY: &str = r#".status.conditions[?(@.type=="Ready")].status"#;

pub(super) fn clinic_user() -> Vec<Column> {
    let mut columns = member();
    columns.extend([
        wide(text("Type", ".spec.type", "Staff or Practitioner")),
        wide(text("Classification", ".spec.classification", "The kind of practitioner")),
        wide(text("License", ".spec.license", "The license of a Standard practitioner")),
        wide(since("Sent", ".status.invitation.sentAt", "Time since the latest invitation was mailed")),
        // Not a date column: those print <invalid> for an instant that is still to come.
        wide(text("Expires", ".status.invitation.expiresAt", "When the invitation's link stops working, UTC")),
        wide(text("Account", ".status.account", "The member's ClinicAccount")),
        message(),
    ]);
    columns
}

pub(super) fn service_account() -> Vec<Column> {
    let mut columns = member();
    columns.extend([
        wide(text("Manager first name", ".spec.manager.firstName", "First name of the person who answers for it")),
        wide(text("Manager last name", ".spec.manager.lastName", "Last name of the person who answers for it")),
        message(),
    ]);
    columns
}

pub(super) fn clinic() -> Vec<Column> {
    vec![
        text("Display name", ".spec.displayName", "The clinic's name as its members know it"),
        text("Time zone", ".spec.timeZone", "Where the clinic's days begin and end"),
        number("Members", ".status.members.total", "ClinicUsers and ServiceAccounts together"),
        number("Active", ".status.members.active", "Members in the state Active"),
        number("Invited", ".status.members.invited", "Members in the state Invited: mailed, not accepted yet"),
        number("Stalled", ".status.members.stalled", "Members that wait for a person to act"),
        text("Ready", READY, "Whether the operator can do its work for the clinic"),
        age(),
    ]
}

pub(super) fn clinic_account() -> Vec<Column> {
    vec![
        text("Holder", ".spec.desired.holder.name", "The ClinicUser that holds the account"),
        number("Round", ".spec.delivery.round", "The round of invitation whose links count"),
        text("Access", ".spec.access.reason", "Granted, or why not"),
        since("Removed", ".spec.desired.removed.at", "Time since the member was removed"),
        age(),
    ]
}

pub(super) fn email_claim() -> Vec<Column> {
    vec![text("Account", ".spec.account", "The ClinicAccount that holds the address"), age()]
}

pub(super) fn clinic_credential() -> Vec<Column> {
    vec![text("Account", ".spec.account", "The ClinicAccount that it is for"), age()]
}

/// What both kinds of members show.
fn member() -> Vec<Column> {
    vec![
        text("Member", ".status.member.name", "Name: of a person once they have signed in for the first time"),
        text("Title", ".status.member.title", "Form of address"),
        text("Position or type", ".status.member.designation", "Position, else classification, else type"),
        text("State", ".status.state", "Where the member stands; the message (-o wide) says what to do"),
        text("Access until", ".status.accessUntil", "Last day with access, in the clinic's time zone"),
        age(),
    ]
}

fn message() -> Column {
    wide(text("Message", MESSAGE, "Why the member is in this state, and what to do"))
}

fn age() -> Column {
    since("Age", ".metadata.creationTimestamp", "Time since the object was created")
}

fn text(name: &str, path: &str, description: &str) -> Column {
    column(name, "string", path, description)
}

fn number(name: &str, path: &str, description: &str) -> Column {
    column(name, "integer", path, description)
}

fn since(name: &str, path: &str, description: &str) -> Column {
    column(name, "date", path, description)
}

fn column(name: &str, type_: &str, path: &str, description: &str) -> Column {
    Column {
        name: name.into(),
        type_: type_.into(),
        json_path: path.into(),
        description: Some(description.into()),
        ..Column::default()
    }
}

/// Shown by `-o wide` only.
fn wide(column: Column) -> Column {
    Column { priority: Some(1), ..column }
}
