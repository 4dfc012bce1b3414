//! Two clinics on one cluster, of two versions of the chart: neither knows of the other.

use serde_json::Value;

use crate::clinic::{Clinic, sign_in};
use crate::node::{among_others, node};
use crate::support::wait::{PATIENCE, eventually_ok};

#[test]
fn two_clinics_of_two_versions_of_the_chart_do_not_disturb_each_other() {
    let _others = among_others();
    let maple = Clinic::installed("maple");
    let mut birch = Clinic::new("birch");
    let folder = tempfile::tempdir().unwrap();
    birch.helm(&["package", &birch.chart, "--version", "0.0.1", "--destination", folder.path().to_str().unwrap()]).ok();
    birch.chart = folder.path().join("clinic-operator-0.0.1.tgz").display().to_string();
    birch.install(&[]);
    // The same person in both.
    maple.accepted("ana");
    birch.accepted("ana");
    assert_eq!((maple.mails_to("ana").len(), birch.mails_to("ana").len()), (1, 1), "each by its own relay");
    sign_in(&mut birch.visitor(), "ana").expect("her password of that clinic");
    for (clinic, other) in [(&maple, &birch), (&birch, &maple)] {
        for part in ["controller", "portal"] {
            let who = format!("system:serviceaccount:{}:{}", clinic.namespace.name(), clinic.part(part));
            let ask = |namespace: &Clinic| {
                node().kubectl(&namespace.namespace, &["auth", "can-i", "list", "clinicaccounts", "--as", &who]).success
            };
            assert!(ask(clinic) && !ask(other), "{who}");
        }
    }
    let before: Vec<Value> = birch.records();
    maple.helm(&["uninstall", "maple", "--wait", "--timeout", "90s"]).ok();
    birch.invited("bea");
    let after = birch.records();
    assert!(before.iter().filter(|object| object["kind"] == "ClinicAccount").all(|object| after.contains(object)));
    eventually_ok(PATIENCE, "the other portal", || sign_in(&mut birch.visitor(), "ana"));
}
