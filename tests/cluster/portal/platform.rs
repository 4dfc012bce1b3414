//! Policies of the platform that reach the portal's writes: one that stamps every update stops nobody, one that refuses is told by
//! its name and shown as what it is.

use serde_json::{Value, json};

use super::{House, PASSWORD, alone, filled, is_signed_in, sign_in};
use crate::support::control_plane::control_plane;
use crate::support::visitor::{Answer, Visitor};
use crate::support::wait::{PATIENCE, eventually_ok};

const API: &str = "admissionregistration.k8s.io/v1";
const REFUSED: &str = "The clinic’s systems refused this";
/// In the words of a policy, which nobody may repeat.
const CANARY: &str = "canary@maple.example";

/// A policy of the cluster for one clinic, until this is dropped.
pub(super) struct Policy<'a> {
    house: &'a House,
    kind: &'static str,
    name: String,
}

impl<'a> Policy<'a> {
    fn new(house: &'a House, kind: &'static str, name: &str, resources: &[&str], of_policy: &Value) -> Self {
        let name = format!("{name}-{}", house.world.namespace.name());
        let selector = json!({"matchLabels": {"kubernetes.io/metadata.name": house.world.namespace.name()}});
        let rule = json!({"apiGroups": ["clinic-operator.dev"], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": resources});
        let mut spec = json!({"failurePolicy": "Fail", "matchConstraints": {"namespaceSelector": selector, "resourceRules": [rule]}});
        for (field, value) in of_policy.as_object().unwrap() {
            spec[field] = value.clone();
        }
        let mut of_binding = json!({"policyName": name});
        if kind == "ValidatingAdmissionPolicy" {
            of_binding["validationActions"] = json!(["Deny"]);
        }
        for (kind, spec) in [(kind.to_owned(), spec), (format!("{kind}Binding"), of_binding)] {
            let object = json!({"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec});
            house.world.apply(&object.to_string());
        }
        Self { house, kind, name }
    }

    /// One that refuses every update of this kind.
    pub(super) fn refuses(house: &'a House, resource: &str, reason: Option<&str>) -> Self {
        let mut validation =
            json!({"expression": "request.userInfo.username == 'system:admin-of-nobody'", "message": CANARY});
        if let Some(reason) = reason {
            validation["reason"] = json!(reason);
        }
        let policy = Self::new(
            house,
            "ValidatingAdmissionPolicy",
            "no-changes",
            &[resource],
            &json!({"validations": [validation]}),
        );
        policy.wait_until(|house| {
            let path =
                format!("{}/{}?dryRun=All", house.world.namespace.path(resource), house.world.names(resource)[0]);
            let annotation = json!({"metadata": {"annotations": {"maple.example/asked": "x"}}});
            let answer = control_plane().ask(Some(&house.world.namespace.portal()), "PATCH", &path, Some(&annotation));
            answer.is_err_and(|refusal| refusal.contains("no-changes"))
        });
        policy
    }

    fn wait_until(&self, counts: impl Fn(&House) -> bool) {
        eventually_ok(PATIENCE, &format!("{} to count", self.name), || counts(self.house).then_some(()).ok_or(()));
    }
}

impl Drop for Policy<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            for kind in [format!("{}Binding", self.kind), self.kind.to_owned()] {
                self.house.world.kubectl(&["delete", &kind, &self.name]);
            }
        }
    }
}

#[test]
fn a_policy_that_stamps_every_update_keeps_nobody_from_accepting_and_signing_in() {
    let house = House::new("stamped");
    // Another value with each update, as of who wrote last and when.
    let mutation = json!({"patchType": "ApplyConfiguration", "applyConfiguration": {"expression":
        "Object{metadata: Object.metadata{labels: {'platform.example/after': oldObject.metadata.resourceVersion}, annotations: {'platform.example/by': request.userInfo.username}}}"}});
    let of_policy = json!({"reinvocationPolicy": "Never", "mutations": [mutation]});
    let stamps = Policy::new(&house, "MutatingAdmissionPolicy", "stamp", &["*/*"], &of_policy);
    let is_stamped = |object: &Value| object["metadata"]["labels"]["platform.example/after"].is_string();
    stamps.wait_until(|house| {
        house.world.kubectl(&["annotate", "--overwrite", "clinic", "clinic", "maple.example/asked=x"]);
        is_stamped(&house.world.object("clinic", "clinic"))
    });
    let mut visitor = house.accepted("ana");
    assert!(is_signed_in(&visitor));
    assert!(is_stamped(&house.world.account_of("ana")), "the record was stamped");
    let (_, factor, _) = house.accepted_with_factor("bea");
    // Signing out writes the record, a code writes the credential, a suspension is the controller's write.
    let home = visitor.get("/");
    visitor.submit(&home.form());
    assert!(!is_signed_in(&visitor));
    assert_eq!(sign_in(&mut visitor, "ana@maple.example", PASSWORD).status, 303);
    let mut other = house.portal.visitor();
    let page = sign_in(&mut other, "bea@maple.example", PASSWORD);
    let next_step = house.now() + jiff::SignedDuration::from_secs(30);
    assert_eq!(other.submit(&page.form().with("code", &factor.code(next_step))).status, 303);
    house.member("ana", &json!({"suspended": true}));
    house.world.member_in("Suspended", "ana");
    assert!(!is_signed_in(&visitor));
}

fn accept(visitor: &mut Visitor, link: &str) -> Answer {
    let page = visitor.get(link);
    visitor.submit(&alone(filled(&page, PASSWORD)))
}

#[test]
fn a_policy_that_refuses_an_acceptance_is_named_in_the_log_and_shown_as_no_outage() {
    let house = House::new("refusing");
    let link = house.invited("ana");
    for (reason, so_far) in [(None, 1), (Some("Forbidden"), 2)] {
        let policy = Policy::refuses(&house, "clinicaccounts", reason);
        let mut visitor = house.portal.visitor();
        let answer = accept(&mut visitor, &link);
        assert_eq!((answer.status, answer.heading().as_str()), (503, REFUSED), "{reason:?}: {}", answer.body);
        let log = house.portal.log();
        let named = format!("refused by the admission policy {}", policy.name);
        assert!(log.contains(&named) && !log.contains(CANARY) && !answer.body.contains(CANARY), "{log}");
        assert_eq!(house.portal.metric("clinic_operator_portal_acceptances_total{outcome=\"prevented\"}"), so_far);
    }
    let mut visitor = house.portal.visitor();
    let accepted = eventually_ok(PATIENCE, "the policy to be gone", || {
        let answer = accept(&mut visitor, &link);
        if answer.status == 303 { Ok(answer) } else { Err(answer.heading()) }
    });
    assert_eq!(accepted.location().as_deref(), Some("/"), "nothing was lost");
}

#[test]
fn a_policy_that_refuses_a_sign_in_is_named_in_the_log_and_shown_as_no_outage() {
    let house = House::new("unsigned");
    let (_, factor, _) = house.accepted_with_factor("bea");
    let policy = Policy::refuses(&house, "cliniccredentials", None);
    let mut visitor = house.portal.visitor();
    let page = sign_in(&mut visitor, "bea@maple.example", PASSWORD);
    let next_step = house.now() + jiff::SignedDuration::from_secs(30);
    let answer = visitor.submit(&page.form().with("code", &factor.code(next_step)));
    assert_eq!((answer.status, answer.heading().as_str()), (503, REFUSED), "{}", answer.body);
    let log = house.portal.log();
    assert!(
        log.contains(&format!("refused by the admission policy {}", policy.name)) && !log.contains(CANARY),
        "{log}"
    );
    assert_eq!(house.portal.metric("clinic_operator_portal_sign_ins_total{outcome=\"prevented\"}"), 1);
}
