//! No page is a dead end: whom to ask is said as soon as the clinic says it, and trying again works once the wait is over.

use jiff::SignedDuration;
use serde_json::json;

use super::{House, PASSWORD, WRONG, email, sign_in};
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::staff;

#[test]
fn whom_to_ask_stands_on_pages_and_in_mails_as_soon_as_the_clinic_says_so() {
    let house = House::new("whom-to-ask");
    let before = house.portal.visitor().get("/sign-in");
    assert_eq!((before.texts(".contact").len(), before.status), (0, 200));
    house.clinic(&json!({"contact": {"email": "office@maple.example", "phone": "416-555-0199 ext. 12"}}));
    let mut visitor = house.portal.visitor();
    eventually_ok(PATIENCE, "the contact is on the pages", || {
        let said = visitor.get("/sign-in").texts(".contact").concat();
        let expected = "Questions? Write to office@maple.example or call 416-555-0199 ext. 12.";
        if said == expected { Ok(()) } else { Err(said) }
    });
    let missing = visitor.get("/nowhere");
    let links = ["mailto:office@maple.example", "tel:4165550199"];
    assert!(links.iter().all(|link| missing.body.contains(&link.replace('/', "&#x2f;"))), "{}", missing.body);
    house.world.kubectl(&["wait", "clinic/clinic", "--for=jsonpath={.status.observedGeneration}=2", "--timeout=30s"]);
    house.world.apply(&staff("ana", &email("ana")));
    let mail = house.world.relay.wait_for(1, PATIENCE).remove(0);
    let expected = "Questions? Write to office@maple.example or call 416-555-0199 ext. 12.";
    for text in [mail.text(), mail.html()] {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn who_has_to_wait_goes_on_by_the_button_after_it() {
    let house = House::at("ways-on", "2027-06-04T03:40:00Z");
    house.accepted("ana");
    let mut browser = house.portal.visitor();
    let (wait, again) = loop {
        let answer = sign_in(&mut browser, &email("ana"), WRONG);
        match (answer.status, answer.header("retry-after")) {
            (422, None) => {}
            (429, Some(wait)) => break (wait.parse().unwrap(), answer.attribute("a.button", "href")),
            other => panic!("{other:?}"),
        }
    };
    house.world.clock().advance(SignedDuration::from_secs(wait));
    let page = browser.get(&again.expect("a button"));
    assert_eq!(page.heading(), "Sign in");
    let form = page.form().with("email", &email("ana")).with("password", PASSWORD);
    assert_eq!(browser.submit(&form).location().as_deref(), Some("/"));
}
