//! Invariant I7 at the portal: no token, link, password, code, key or address in its log (at trace), its metrics, events, object
//! names or statuses, whatever goes wrong; and of what it keeps nothing can be read without its key.

use serde_json::json;

use super::{Factor, House, WRONG, filled, is_signed_in, link_of_0_1, sign_in};
use crate::secrecy::{ADDRESS, Output, nothing_is_found, outputs};
use crate::support::portal::PortalOptions;
use crate::support::proxy::{Fault, Proxy, Which};
use crate::world::staff;

/// Of the clinic, which pages show.
const PHONE: &str = "416-555-0147 ext. 12";
const PASSWORD: &str = "Kanarien tall river passphrase";

/// Memory holds keys, passwords and addresses.
#[test]
fn neither_part_leaves_a_core_dump() {
    let house = House::new("core-dumps");
    for id in [house.portal.id(), house.world.operator.id()] {
        let limits = std::fs::read_to_string(format!("/proc/{id}/limits")).unwrap();
        let limit = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).expect("Linux says it");
        // The hard one too, so that nothing raises it again.
        assert_eq!(limit.split_whitespace().take(2).collect::<Vec<_>>(), ["0", "0"], "soft and hard");
    }
}

#[test]
fn nothing_that_people_type_or_are_shown_comes_out() {
    let options = PortalOptions { configuration: vec![("/log/level", json!("trace"))], ..PortalOptions::default() };
    let mut house = House::with("portal-secrecy", options);
    house.clinic(&json!({"contact": {"email": format!("{ADDRESS}.office@maple.example"), "phone": PHONE}}));
    let proxy = Proxy::start();
    house.portal.restart_at(&proxy.url);
    house.portal.wait_until_ready();
    let address = format!("{ADDRESS}.ana@maple.example");
    let link = house.invited_by("ana", &staff("ana", &address));
    let mut secrets = vec![PASSWORD.to_owned(), WRONG.to_owned(), link.rsplit_once('.').unwrap().1.to_owned()];
    let mut visitor = house.portal.visitor();
    for link in [&link, &link_of_0_1(&link)] {
        for path in [link, &format!("{link}x"), &format!("{link}?lang=fr&{ADDRESS}"), &format!("{link}/second-factor")]
        {
            visitor.get(path);
        }
    }
    // The API server fails, refuses and says nothing while they accept.
    let page = visitor.get(&link);
    assert!(page.body.contains(PHONE), "{}", page.body);
    let write = |has| Which { method: "PATCH", has, has_not: None, only: None };
    let create = Which { method: "POST", has: &["/cliniccredentials"], has_not: None, only: None };
    let form = super::alone(filled(&page, PASSWORD));
    for (which, fault) in [
        (create, Fault::Refuse(500)),
        (create, Fault::Refuse(403)),
        (write(&["/clinicaccounts/"]), Fault::Refuse(500)),
        (write(&["/clinicaccounts/"]), Fault::Refuse(422)),
    ] {
        proxy.fault(which, fault);
        let answer = visitor.submit(&form);
        assert!([500, 503].contains(&answer.status), "{fault:?}: {}", answer.status);
        proxy.mend();
    }
    let with_factor = form.with("second_factor", "yes");
    let enrol = visitor.go_on(&with_factor);
    let factor = Factor::of(&enrol);
    secrets.push(enrol.texts(".key").concat().replace(' ', ""));
    secrets.extend(["draft", "form"].map(|name| enrol.form().value(name).to_owned()));
    visitor.submit(&enrol.form().with("code", "000000"));
    let codes = visitor.go_on(&enrol.form().with("code", &factor.code(house.now())));
    assert_eq!(codes.status, 200, "{:?}", codes.faults());
    let codes = codes.texts(".codes code");
    secrets.extend(codes.iter().flat_map(|code| [code.clone(), code.replace('-', "")]));
    assert!(is_signed_in(&visitor));
    secrets
        .extend(["session", "device", "visit", "step", "links"].map(|name| visitor.cookie(name).unwrap().to_owned()));
    let kept = visitor.get("/recovery-codes");
    visitor.submit(&kept.form());
    // Wrong and right, and then the key is gone.
    let mut again = house.portal.visitor();
    sign_in(&mut again, &address, WRONG);
    // In the wrong field, and of whom nobody knows.
    for username in [PASSWORD, &format!("{ADDRESS}.nobody@maple.example"), &codes[1]] {
        assert_eq!(sign_in(&mut house.portal.visitor(), username, WRONG).status, 422);
    }
    let step = sign_in(&mut again, &address, PASSWORD);
    again.submit(&step.form().without("code").with("recovery_code", "0000-0000-0000-0000-0000-0000"));
    again.submit(&step.form().without("code").with("recovery_code", &codes[0]));
    let home = visitor.get("/");
    visitor.submit(&home.form());
    house.portal.kill();
    crate::support::portal::write_key(&house.portal.keys().join("current"));
    house.portal.restart();
    sign_in(&mut house.portal.visitor(), &address, PASSWORD);
    house.portal.terminate();

    secrets.extend(["/invitations/a-", "/invitations#"].map(str::to_owned));
    let (mut open, whole) = outputs(&house.world);
    let log = house.portal.log();
    for expected in [
        "\"route\":\"/invitations\"",
        "\"route\":\"/invitations/{link}\"",
        "accepted the invitation",
        "a sign-in failed",
        "an acceptance failed",
        "a credential cannot be used",
    ] {
        assert!(log.contains(expected), "the log was not even written: {log}");
    }
    open.push(Output::new("the portal's log", log));
    let kept = whole.iter().filter(|output| output.is_of("cliniccredentials")).count();
    assert!(kept > 0, "credentials are searched too");
    nothing_is_found(&[secrets.as_slice(), &[ADDRESS.to_owned(), PHONE.to_owned()]].concat(), &open);
    nothing_is_found(&secrets, &whole);
}
