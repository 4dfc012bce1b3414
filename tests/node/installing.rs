//! One clinic from `helm install` to the member list, its change, its removal and its return.

use fantoccini::Locator;
use serde_json::Value;

use crate::browser::Browser;
use crate::clinic::{Clinic, PASSWORD, accept, email, path, sign_in, staff};
use crate::node::{LONG, among_others, node};
use crate::support::portal::HOST;
use crate::support::wait::{PATIENCE, eventually_ok, never, now};

const NOOR: &str = "
apiVersion: clinic-operator.dev/v1alpha1
kind: ClinicUser
metadata: {name: noor}
spec: {email: noor@maple.example, type: Practitioner, classification: Standard, license: CHRLite, position: Physician,
  firstName: Noor, lastName: Lavoie}
";

#[test]
fn one_helm_install_later_a_member_is_mailed_and_accepts_in_a_browser() {
    let _others = among_others();
    let clinic = Clinic::new("maple");
    clinic.install(&["portal.tlsSecret=certificate"]);
    for component in ["controller", "portal"] {
        assert_eq!(clinic.pods(component).len(), 2, "{component}");
    }
    let said = clinic.helm(&["test", "maple", "--timeout", "60s"]).ok();
    assert!(said.contains("Phase:          Succeeded"), "{said}");
    clinic.apply(NOOR);
    clinic.member_in("Invited", "noor");
    let mails = clinic.mails_to("noor");
    assert_eq!(mails.len(), 1);
    in_time(accepts_in_a_browser(&clinic.service(), &path(&mails[0])));
    clinic.member_in("Active", "noor");
    let list = clinic.kubectl(&["get", "members"]);
    let row = list.lines().find(|row| row.contains("noor")).expect("a row");
    for part in ["Noor Lavoie", "Dre", "Physician", "Active"] {
        assert!(row.contains(part), "{list}");
    }
}

async fn accepts_in_a_browser(service: &str, link: &str) {
    let to_the_service =
        format!("--host-resolver-rules=MAP {HOST}:443 {service}:443, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1");
    let noor = Browser::start(&[to_the_service]).await;
    noor.open(&format!("https://{HOST}{link}")).await;
    // The page of every link leads to that of this invitation.
    noor.client.wait().at_most(PATIENCE).for_element(Locator::Id("password")).await.expect("the invitation opens");
    for (field, text) in [("title", "Dre"), ("password", PASSWORD), ("repeated", PASSWORD)] {
        let field = noor.client.find(Locator::Id(field)).await.expect("the field is there");
        field.send_keys(text).await.expect("it takes keys");
    }
    for press in ["input[name=second_factor]", "form button[type=submit]"] {
        let press = noor.client.find(Locator::Css(press)).await.expect("it is there");
        press.click().await.expect("it can be pressed");
    }
    let begin = now();
    while noor.client.current_url().await.expect("an address").path() != "/" {
        assert!(begin.elapsed() < PATIENCE, "{}", noor.client.source().await.expect("a page"));
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(
        noor.ask("return document.querySelector('main').innerText.includes('Noor Lavoie')").await,
        Value::Bool(true)
    );
    noor.close().await;
}

fn in_time<T>(story: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(story)
}

#[test]
fn uninstalled_and_installed_again_nobody_is_mailed_and_nothing_is_lost() {
    let _others = among_others();
    let clinic = Clinic::installed("maple");
    clinic.accepted("ana");
    let link = clinic.invited("bea");
    eventually_ok(PATIENCE, "the Clinic to count both", || {
        let members = node().object(&clinic.namespace, "clinic", "clinic")["status"]["members"].clone();
        if members["active"] == 1 && members["invited"] == 1 { Ok(()) } else { Err(members) }
    });
    let before = clinic.records();
    let mails = clinic.relay.mails().len();
    clinic.helm(&["uninstall", "maple", "--wait", "--timeout", "90s"]).ok();
    eventually_ok(LONG, "no pods", || {
        let pods = [clinic.pods("controller"), clinic.pods("portal")].concat();
        if pods.is_empty() { Ok(()) } else { Err(pods) }
    });
    let after = clinic.records();
    assert_eq!(after.len(), before.len(), "what people have stays");
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(after, before, "what people have stays as it is");
    }
    clinic.install(&[]);
    let mut ana = clinic.visitor();
    eventually_ok(PATIENCE, "the portal to be reached", || sign_in(&mut ana, "ana"));
    // Somebody new shows that the mailer works, and so has seen the others.
    clinic.invited("carl");
    assert_eq!(clinic.relay.mails().len(), mails + 1, "nobody else was mailed");
    accept(&mut clinic.visitor(), &link);
    clinic.member_in("Active", "bea");
    clinic.member_in("Active", "ana");
}

#[test]
fn an_upgrade_starts_new_pods_with_the_new_file_and_mails_nobody() {
    let _others = among_others();
    let clinic = Clinic::installed("maple");
    clinic.invited("ana");
    let before = clinic.pods("controller");
    clinic.install(&["log.level=debug", "mail.replyTo=frontdesk@maple.example", "controller.replicas=1"]);
    let after = clinic.pods("controller");
    assert!(after.iter().any(|pod| !before.contains(pod)), "{before:?} {after:?}");
    clinic.apply(&staff("bea"));
    clinic.member_in("Invited", "bea");
    let reply = clinic.mails_to("bea")[0].header("Reply-To").unwrap_or_default();
    assert!(reply.contains("frontdesk@maple.example"), "{reply}");
    assert_eq!(clinic.relay.mails_to(&email("ana")).len(), 1);
}

#[test]
fn an_api_server_that_is_restarted_ends_no_session_and_repeats_no_mail() {
    let clinic = {
        let _others = among_others();
        Clinic::installed("maple")
    };
    let mut ana = clinic.accepted("ana");
    clinic.invited("bea");
    let _alone = crate::node::alone();
    crate::node::restart_api_server();
    assert_eq!(ana.get("/").status, 200, "still signed in");
    clinic.invited("carl");
    let mut again = clinic.visitor();
    eventually_ok(PATIENCE, "somebody to sign in", || sign_in(&mut again, "ana"));
    for name in ["ana", "bea", "carl"] {
        assert_eq!(clinic.mails_to(name).len(), 1, "{name}");
    }
    never(crate::clinic::A_WHILE, "a pod that was restarted", || {
        let restarts = "jsonpath={.items[*].status.containerStatuses[*].restartCount}";
        let restarts = node().kubectl(&clinic.namespace, &["get", "pods", "-o", restarts]).ok();
        restarts.split_whitespace().any(|count| count != "0").then_some(restarts)
    });
}
