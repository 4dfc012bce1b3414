//! A form that one of our pages did not send, or that is none: it changes nothing, and a page says what to do.

use serde_json::Value;

use super::{House, PASSWORD, alone, filled};
use crate::support::visitor::Visitor;

const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn a_form_that_is_not_one_of_our_pages_changes_nothing() {
    let house = House::new("forms");
    let link = house.invited("ana");
    let mut visitor = house.portal.visitor();
    let form = alone(filled(&visitor.get(&link), PASSWORD));
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&form.fields).finish();
    let ours = ("sec-fetch-site", "same-origin");
    let large = format!("{body}&more={}", "x".repeat(64 * 1024));
    let mut statuses = Vec::new();
    let mut send = |visitor: &mut Visitor, headers: &[(&str, &str)], body: &str| {
        let answer = visitor.send("POST", &form.action, headers, body);
        assert!(!answer.heading().is_empty(), "{headers:?}: a page says what to do: {}", answer.body);
        statuses.push(answer.status);
        answer.status
    };
    // From another site, by what browsers say.
    for headers in [
        [("content-type", FORM), ("sec-fetch-site", "cross-site")],
        [("content-type", FORM), ("sec-fetch-site", "same-site")],
        [("content-type", FORM), ("sec-fetch-site", "none")],
        [("content-type", FORM), ("origin", "https://evil.example")],
    ] {
        assert_eq!(send(&mut visitor, &headers, &body), 403, "{headers:?}");
    }
    // Of a browser that does not say whose page sends: without the token, with another's, or in another browser. It is shown again.
    let another = house.portal.visitor().get(&link).form().value("form").to_owned();
    let changed = form.value("form").replace(|c: char| c.is_ascii_lowercase(), "a");
    let mut elsewhere = house.portal.visitor();
    elsewhere.get(&link);
    for (browser, token) in [
        (&mut visitor.clone(), ""),
        (&mut visitor.clone(), another.as_str()),
        (&mut visitor.clone(), changed.as_str()),
        (&mut elsewhere, form.value("form")),
    ] {
        let typed = form.clone().with("form", token).with("first_name", "Anne-Marie");
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&typed.fields).finish();
        let answer = browser.send("POST", &form.action, &[("content-type", FORM), ("origin", "null")], &body);
        assert_eq!((answer.status, answer.form().value("first_name")), (422, "Anne-Marie"), "{token}");
        assert!(answer.texts(".note").concat().contains("open for too long"), "{token}");
    }
    // Other types and sizes.
    for content_type in ["application/json", "text/plain", "multipart/form-data; boundary=x", ""] {
        let status = send(&mut visitor, &[("content-type", content_type), ours], &body);
        assert!([403, 415].contains(&status), "{content_type}: {status}");
    }
    assert_eq!(send(&mut visitor, &[("content-type", FORM), ours], &large), 413);
    assert_eq!(send(&mut visitor, &[("content-type", FORM), ours], "%ff%fe=%00&form=%"), 422);
    assert_eq!(house.world.account_of("ana")["spec"]["acceptance"], Value::Null);
    assert!(house.world.objects("cliniccredentials").is_empty(), "{statuses:?}");
    // The form itself is as good as it was.
    assert_eq!(visitor.submit(&form).status, 303);
}
