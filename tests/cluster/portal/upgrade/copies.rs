//! A copy of a clinic, as for trying things out: the same records and keys in another namespace, or at another URL. What it gives a browser
//! is nothing where people work.

use serde_json::json;

use super::super::{Factor, PASSWORD, is_signed_in, sign_in};
use super::loading::Loaded;
use super::recorded;

#[test]
fn what_a_copy_with_the_same_records_and_keys_gives_a_browser_lets_nobody_in() {
    let fixture = &recorded("paused")[0];
    let (here, copy) = (Loaded::start(fixture), Loaded::start(fixture));
    let elsewhere = here.another_portal(vec![("/portalUrl", json!("https://staging.maple.example"))]);
    let person = |name: &str| fixture.people.iter().find(|person| person.name == name).unwrap();
    let (alone, with_factor) = (person("active"), person("factor"));
    let factor = Factor::from_key(with_factor.factor.as_ref().unwrap());
    for (copy, what) in [(&copy.portal, "another namespace"), (&elsewhere, "another URL")] {
        let mut browser = copy.visitor();
        assert_eq!(sign_in(&mut browser, &alone.email, PASSWORD).location().as_deref(), Some("/"));
        assert!(is_signed_in(&browser), "credentials are the same in {what}");
        assert!(!is_signed_in(&browser.at(here.portal.pages)), "the session of {what}");
        // Between password and code, by the cookie and by the form.
        let mut browser = copy.visitor();
        let step = sign_in(&mut browser, &with_factor.email, PASSWORD);
        let mut browser = browser.at(here.portal.pages);
        assert_eq!(browser.get("/sign-in/code").location().as_deref(), Some("/sign-in"), "the step of {what}");
        let answer = browser.submit(&step.form().with("code", &factor.code(here.now())));
        assert_eq!((answer.status, is_signed_in(&browser)), (422, false), "the form of {what}");
    }
    // Another replica takes all of it.
    let mut browser = here.portal.visitor();
    let step = sign_in(&mut browser, &with_factor.email, PASSWORD);
    let mut browser = browser.at(here.other.pages);
    assert_eq!(browser.get("/sign-in/code").heading(), step.heading());
    assert_eq!(browser.submit(&step.form().with("code", &factor.code(here.now()))).status, 303);
    assert!(is_signed_in(&browser) && is_signed_in(&browser.at(here.portal.pages)));
}
