//! Members in quantity: manifests, and whole records that are copies of one that the operator wrote, under other names.
//! Never here: what is measured with them.

use std::fmt::Write as _;
use std::future::Future;
use std::path::Path;
use std::time::Duration;

use clinic_operator::adapters::kubernetes::connect;
use clinic_operator::api::email_claim::EmailClaimSpec;
use clinic_operator::api::{ClinicAccount, ClinicUser, EmailClaim};
use clinic_operator::domain::email::Email;
use futures::{StreamExt, stream};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::support::control_plane::{Namespace, control_plane};

/// Requests at the same time: as many as the operator has lanes, and mails under way.
pub(crate) const WORKERS: usize = 16;

/// A client with the operator's own settings.
pub(crate) async fn client(kubeconfig: &Path) -> Client {
    connect(Some(kubeconfig), Duration::from_secs(60)).await.expect("the kubeconfig of the harness is right").write
}

/// The administrator's client.
pub(crate) async fn administrator() -> Client {
    client(&control_plane().kubeconfig).await
}

/// A clinic in a new namespace.
pub(crate) fn clinic(prefix: &str) -> Namespace {
    let namespace = control_plane().namespace(prefix);
    let clinic = json!({
        "apiVersion": "clinic-operator.dev/v1alpha1",
        "kind": "Clinic",
        "metadata": {"name": "clinic"},
        "spec": {"displayName": "Maple Clinic", "timeZone": "America/Toronto", "guard": {"invitationsPerHour": 1000}},
    });
    control_plane().kubectl_stdin(&namespace, &["apply", "-f", "-"], &clinic.to_string()).ok();
    namespace
}

/// All names have the same length, and no name is a part of another.
pub(crate) fn name(number: usize) -> String {
    format!("member-{number:05}")
}

/// A practitioner, as the example clinic writes them.
pub(crate) fn manifest(number: usize) -> Value {
    let name = name(number);
    json!({
        "apiVersion": "clinic-operator.dev/v1alpha1",
        "kind": "ClinicUser",
        "metadata": {"name": name},
        "spec": {
            "email": format!("{name}@maple.example"),
            "type": "Practitioner",
            "classification": "Standard",
            "license": "CHRPlus",
            "firstName": "Ana",
            "lastName": "Silva",
            "title": "Dr.",
            "position": "Family physician",
            "billingNumber": "012345",
            "roles": ["Physician", "Lab reviewer"],
        },
    })
}

/// The manifests of so many members as one file.
pub(crate) fn manifests(count: usize) -> String {
    (0..count).fold(String::new(), |mut file, number| {
        writeln!(file, "---\n{}", manifest(number)).expect("a string takes everything");
        file
    })
}

/// Does the work for every number, [`WORKERS`] at a time, and gives the results in any order.
pub(crate) async fn for_each<T, F: Future<Output = T>>(
    numbers: impl Iterator<Item = usize>,
    work: impl Fn(usize) -> F,
) -> Vec<T> {
    stream::iter(numbers).map(work).buffer_unordered(WORKERS).collect().await
}

/// Creates members that nobody has looked at yet.
pub(crate) async fn create(
    client: &Client,
    namespace: &Namespace,
    numbers: impl Iterator<Item = usize>,
) -> Vec<(usize, ClinicUser)> {
    let users: Api<ClinicUser> = Api::namespaced(client.clone(), namespace.name());
    let users = &users;
    for_each(numbers, |number| async move {
        let user = typed(manifest(number));
        (number, users.create(&PostParams::default(), &user).await.expect("the manifest is right"))
    })
    .await
}

/// What the operator left of one member: the record of every other one, once name and UID are replaced.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    uid: String,
    account: String,
    status: String,
}

impl Record {
    /// Reads what the operator wrote for member 0 of the namespace.
    pub(crate) fn read(namespace: &Namespace) -> Self {
        let get = |kind: &str, name: &str| -> Value {
            let object = control_plane().kubectl(namespace, &["get", kind, name, "-o", "json"]).ok();
            serde_json::from_str(&object).expect("kubectl prints JSON")
        };
        let user = get("clinicuser", &name(0));
        let account = get("clinicaccount", user["status"]["account"].as_str().expect("the member has an account"));
        Self {
            uid: user["metadata"]["uid"].as_str().expect("every object has a UID").to_owned(),
            account: account["spec"].to_string(),
            status: user["status"].to_string(),
        }
    }

    /// The objects of another member.
    pub(crate) fn of(&self, number: usize, user: &ClinicUser) -> Member {
        let uid = user.metadata.uid.clone().expect("every object has a UID");
        let copy = |text: &str| -> Value {
            let text = text.replace(&self.uid, &uid).replace(&name(0), &name(number));
            serde_json::from_str(&text).expect("only names were replaced")
        };
        let claim = Email::parse(&user.spec.email).expect("the manifest is right").key().claim().to_string();
        let account = format!("a-{uid}");
        Member {
            name: name(number),
            claim: EmailClaim::new(&claim, EmailClaimSpec { account: account.clone() }),
            account: ClinicAccount::new(&account, typed(copy(&self.account))),
            status: copy(&self.status),
        }
    }
}

/// A member's objects but for the manifest.
pub(crate) struct Member {
    /// metadata.name of the `ClinicUser`.
    pub(crate) name: String,
    /// The claim of the address.
    pub(crate) claim: EmailClaim,
    /// The account with its ledger.
    pub(crate) account: ClinicAccount,
    /// The status of the `ClinicUser`.
    pub(crate) status: Value,
}

/// Writes members as they are once they were invited, by hand: no operator may run.
pub(crate) async fn load(
    client: &Client,
    namespace: &Namespace,
    record: &Record,
    numbers: impl Iterator<Item = usize>,
) {
    let users: Api<ClinicUser> = Api::namespaced(client.clone(), namespace.name());
    let claims: Api<EmailClaim> = Api::namespaced(client.clone(), namespace.name());
    let accounts: Api<ClinicAccount> = Api::namespaced(client.clone(), namespace.name());
    let (users, claims, accounts) = (&users, &claims, &accounts);
    let _open = namespace.open_door();
    for_each(numbers, |number| async move {
        let user = users.create(&PostParams::default(), &typed(manifest(number))).await.expect("the manifest is right");
        let member = record.of(number, &user);
        claims.create(&PostParams::default(), &member.claim).await.expect("the claim is a copy");
        accounts.create(&PostParams::default(), &member.account).await.expect("the account is a copy");
        let status = Patch::Merge(json!({"status": member.status}));
        users.patch_status(&member.name, &PatchParams::default(), &status).await.expect("the status is a copy");
    })
    .await;
}

fn typed<K: DeserializeOwned>(object: Value) -> K {
    serde_json::from_value(object).expect("the object fits its type")
}
