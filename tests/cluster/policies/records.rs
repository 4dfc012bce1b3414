//! Who writes records and statuses, each block by the part whose it is: while restore mode is off, and while it is on.

use serde_json::{Value, json};

use super::{ACCOUNT, CLAIM, CREDENTIAL, Ground, accepted, account, claim, credential, identities};
use crate::support::control_plane::control_plane;

const OTHER_ACCOUNT: &str = "a-3f2504e0-4f89-41d3-9a0c-0305e82c3303";
const OTHER_CLAIM: &str = "e-zyxwvuts234567aaabcdefgh234567aa";
const OTHER_CREDENTIAL: &str = "c-aaaaaaaaaaaaaaaaaaaaaaaaaa";

/// The door is shut and the write is carried out.
const MAY: &str = "";
const PORTALS_BLOCK: &str = "may write everything of a clinicaccount but spec.acceptance, which is the portal's";
const NOT_ITS_BLOCK: &str = "the portal may write nothing of a clinicaccount but spec.acceptance";
const NEITHER: &str = "holds both verbs, operate and authenticate on clinics, counts as neither";

/// A write, and what controller, portal and everybody else are told.
struct Row(&'static str, Request, [&'static str; 3]);

/// Method, resource, the object's name or nothing, body.
type Request = (&'static str, &'static str, &'static str, Option<Value>);

fn writes() -> Vec<Row> {
    let only_controller_creates_accounts = "only the controller of namespace NS may create clinicaccounts";
    let only_parts = "only the controller and the portal of namespace NS may update clinicaccounts";
    let nobody_deletes = "nobody may delete clinicaccounts";
    let only_controller = "only the controller of namespace NS may";
    let only_portal = "only the portal of namespace NS may";
    let nobody_updates = "nobody may update emailclaims";
    let patch = |spec: Value| Some(json!({ "spec": spec }));
    let note = |note: &str| Some(json!({"metadata": {"annotations": {"maple.example/note": note}}}));
    let mut of_somebody = account(OTHER_ACCOUNT);
    of_somebody["spec"]["acceptance"] = accepted("x@maple.example")["spec"]["acceptance"].take();
    let access = json!({"access": {"granted": true, "reason": "Granted"}});
    let delivery = json!({"delivery": {"round": 1, "address": "ana@maple.example"}});
    let both = json!({"desired": {"suspended": true}, "acceptance": {"firstName": "Eve"}});
    let status = || Some(json!({"status": {"observedGeneration": 7}}));
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x"});
    let account_of = |what, body, told| Row(what, ("PATCH", "clinicaccounts", ACCOUNT, body), told);
    vec![
        Row(
            "an account is created",
            ("POST", "clinicaccounts", "", Some(account(OTHER_ACCOUNT))),
            [MAY, only_controller_creates_accounts, only_controller_creates_accounts],
        ),
        Row(
            "an account is created as accepted",
            ("POST", "clinicaccounts", "", Some(of_somebody)),
            [PORTALS_BLOCK, only_controller_creates_accounts, only_controller_creates_accounts],
        ),
        account_of("desired", patch(json!({"desired": {"suspended": true}})), [MAY, NOT_ITS_BLOCK, only_parts]),
        account_of("access", patch(access), [MAY, NOT_ITS_BLOCK, only_parts]),
        account_of("delivery", patch(delivery), [MAY, NOT_ITS_BLOCK, only_parts]),
        account_of("the login", Some(accepted("eve@maple.example")), [PORTALS_BLOCK, MAY, only_parts]),
        account_of("no acceptance", patch(json!({"acceptance": null})), [PORTALS_BLOCK, MAY, only_parts]),
        account_of("two blocks at once", patch(both), [PORTALS_BLOCK, NOT_ITS_BLOCK, only_parts]),
        // What a policy of the platform stamps looks the same, and garbage collection follows neither.
        account_of("an annotation", note("x"), [MAY, MAY, only_parts]),
        account_of(
            "a label",
            Some(json!({"metadata": {"labels": {"maple.example/note": "x"}}})),
            [MAY, MAY, only_parts],
        ),
        account_of(
            "a finalizer",
            Some(json!({"metadata": {"finalizers": ["maple.example/kept"]}})),
            [MAY, NOT_ITS_BLOCK, only_parts],
        ),
        account_of(
            "an owner",
            Some(json!({"metadata": {"ownerReferences": [owner]}})),
            [MAY, NOT_ITS_BLOCK, only_parts],
        ),
        Row("an account is deleted", ("DELETE", "clinicaccounts", ACCOUNT, None), [nobody_deletes; 3]),
        Row("all accounts are deleted", ("DELETE", "clinicaccounts", "", None), [nobody_deletes; 3]),
        Row(
            "a claim is created",
            ("POST", "emailclaims", "", Some(claim(OTHER_CLAIM))),
            [MAY, only_controller, only_controller],
        ),
        Row("a claim is changed", ("PATCH", "emailclaims", CLAIM, note("x")), [nobody_updates; 3]),
        Row("a claim is deleted", ("DELETE", "emailclaims", CLAIM, None), [MAY, only_controller, only_controller]),
        Row(
            "a credential is created",
            ("POST", "cliniccredentials", "", Some(credential(OTHER_CREDENTIAL))),
            [only_portal, MAY, only_portal],
        ),
        Row(
            "a credential is used",
            ("PATCH", "cliniccredentials", CREDENTIAL, patch(json!({"used": {"totpStep": 7}}))),
            [only_portal, MAY, only_portal],
        ),
        Row(
            "a credential is deleted",
            ("DELETE", "cliniccredentials", CREDENTIAL, None),
            [only_portal, MAY, only_portal],
        ),
        Row(
            "a member's status",
            ("PATCH", "clinicusers/status", "ana", status()),
            [MAY, only_controller, only_controller],
        ),
        Row(
            "a service account's status",
            ("PATCH", "clinicserviceaccounts/status", "lab", status()),
            [MAY, only_controller, only_controller],
        ),
        Row(
            "the Clinic's status",
            ("PATCH", "clinics/status", "clinic", status()),
            [MAY, only_controller, only_controller],
        ),
    ]
}

/// Everybody who asks, and which of the answers of a row is theirs (`None`: they hold both verbs). RBAC allows all of them
/// everything, so that nothing but the policies can refuse.
fn everybody(ground: &Ground) -> Vec<(Option<String>, Option<usize>)> {
    let elsewhere = control_plane().namespace("elsewhere");
    identities(&elsewhere);
    let tool = format!("system:serviceaccount:{}:tool", ground.namespace.name());
    let resources = [
        "clinicaccounts",
        "emailclaims",
        "cliniccredentials",
        "clinicusers/status",
        "clinicserviceaccounts/status",
        "clinics/status",
    ];
    let (controller, portal, foreign) =
        (ground.namespace.controller(), ground.namespace.portal(), elsewhere.controller());
    let verbs = ["get", "list", "create", "update", "patch", "delete", "deletecollection"];
    let editor = "edith".to_owned();
    ground.grant("too-much", &verbs, &resources, &editor);
    for subject in [&controller, &portal, &foreign, &tool] {
        ground.bind("too-much", subject);
    }
    for subject in [&editor, &controller, &portal, &foreign, &tool] {
        ground.wait_until_may("delete", "clinicaccounts", subject);
    }
    // Another namespace's controller, taken in by mistake.
    ground.bind("clinic-operator", &foreign);
    ground.wait_until_may("operate", "clinics", &foreign);
    // Somebody's tool that may do everything.
    ground.grant("everything", &["*"], &["*"], &tool);
    ground.wait_until_may("authenticate", "clinics", &tool);
    vec![
        (Some(controller), Some(0)),
        (Some(portal), Some(1)),
        (Some(foreign), Some(2)),
        (Some(editor), Some(2)),
        (None, Some(2)), // the cluster's administrator
        (Some(tool), None),
    ]
}

/// Tries every write by everybody, without effect, and reports what is not as the table says.
#[track_caller]
fn check(ground: &Ground, told: impl Fn(&Row, Option<usize>) -> String) {
    let mut wrong = Vec::new();
    for (user, place) in everybody(ground) {
        for row in writes() {
            let Row(what, (method, resource, name, body), _) = &row;
            let (resource, status) = resource.split_once('/').unwrap_or((resource, ""));
            let path = [&ground.namespace.path(resource), *name, status];
            let path = path.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/") + "?dryRun=All";
            let answer = control_plane().ask(user.as_deref(), method, &path, body.as_ref());
            let expected = told(&row, place).replace("NS", ground.namespace.name());
            let is_so = match &answer {
                Ok(_) => expected.is_empty(),
                Err(refusal) => !expected.is_empty() && refusal.contains(&expected),
            };
            if !is_so {
                let user = user.as_deref().unwrap_or("the administrator");
                wrong.push(format!("{what} by {user}: expected {expected:?}, got {:?}", answer.map(drop)));
            }
        }
    }
    assert!(wrong.is_empty(), "not as the table says:\n{}", wrong.join("\n"));
}

#[test]
fn each_record_and_block_is_written_by_its_part_alone_whatever_rights_anybody_has() {
    let ground = Ground::with_records("shut");
    check(&ground, |row, place| place.map_or(NEITHER, |place| row.2[place]).to_owned());
}

#[test]
fn while_the_door_is_open_everybody_with_the_rights_restores_and_the_parts_keep_out() {
    let ground = Ground::with_records("open");
    let _open = ground.namespace.open_door();
    check(&ground, |row, place| match place {
        // How far it is.
        Some(0) if row.1.1 == "clinics/status" => MAY.to_owned(),
        Some(0 | 1) => "restore mode is on in namespace NS: until it ends, controller and portal do not".into(),
        _ => MAY.to_owned(),
    });
}
