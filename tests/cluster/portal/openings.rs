//! How a link is opened: by its code, as version 0.1 mailed it, by whoever is signed in already, and what a link to a changed address
//! says. Never here: until when it works.

use jiff::SignedDuration;
use serde_json::json;

use super::{House, PASSWORD, alone, email, filled, is_signed_in, link_of_0_1, page_of, path, sign_in};
use crate::support::visitor::Visitor;
use crate::support::wait::PATIENCE;

#[test]
fn a_link_is_opened_by_its_code_and_no_address_has_its_token() {
    let house = House::at("codes", "2027-06-01T12:00:00Z");
    let (ana, bea) = (house.invited("ana"), house.invited("bea"));
    let code = ana.split_once('#').unwrap().1;
    let mail = &house.world.relay.mails_to(&email("ana"))[0];
    for part in [mail.text(), mail.html()] {
        let words: Vec<&str> = part.split(|c: char| c.is_whitespace() || "<>".contains(c)).collect();
        assert!(words.contains(&code), "whoever copies it finds it: {part}");
    }
    // The page is the same for whoever opens it, and is sent nothing that is behind the `#`.
    let mut visitor = house.portal.visitor();
    visitor.get("/sign-in");
    let page = visitor.get("/invitations");
    assert_eq!((page.status, page.heading().as_str()), (200, "Open your invitation"));
    for typed in [
        code.to_owned(),
        format!(" {}\u{200b} \n", code.replace('-', "\u{2011}")),
        format!("https://portal.maple.example{ana}"),
        format!("https://portal.maple.example{}.", link_of_0_1(&ana)),
    ] {
        let answer = visitor.submit(&page.form().with("link", &typed));
        let to = (answer.status, answer.location());
        assert_eq!(to, (303, Some(page_of(&ana))), "{typed:?}: {}", answer.heading());
    }
    assert_eq!(visitor.get("/invitations").without_random(), page.without_random());
    // A form of another site opens nothing; of a browser that does not say whose it is, the code itself is enough.
    let body = format!("link={code}");
    let form = ("content-type", "application/x-www-form-urlencoded");
    for (header, status) in [(("sec-fetch-site", "cross-site"), 403), (("origin", "null"), 303)] {
        assert_eq!(house.portal.visitor().send("POST", "/invitations", &[form, header], &body).status, status);
    }
    // Another tab with somebody else's link takes nothing away.
    assert_eq!(visitor.get(&bea).status, 200);
    let shown = |visitor: &mut Visitor, link: &str| visitor.get(&page_of(link)).form().value("email").to_owned();
    assert_eq!([&ana, &bea].map(|link| shown(&mut visitor, link)), [email("ana"), email("bea")]);
    assert_eq!(visitor.get(&format!("{}?lang=fr", page_of(&ana))).header("content-language"), Some("fr"));
    // Whoever comes back much later opens theirs again, whoever opened another meanwhile; a form that is open has its own code.
    let open = visitor.get(&page_of(&ana));
    house.world.clock().advance(SignedDuration::from_mins(40));
    assert_eq!(visitor.get(&bea).status, 200);
    house.world.clock().advance(SignedDuration::from_mins(21));
    assert_eq!(visitor.get(&page_of(&ana)).location().as_deref(), Some("/invitations"));
    assert_eq!(visitor.get(&page_of(&bea)).status, 200);
    // What was never mailed is not remembered, and takes nothing away.
    let forged = format!("{}x/second-factor", link_of_0_1(&bea));
    let answer = visitor.get(&forged);
    assert_eq!(answer.location().as_deref(), forged.strip_suffix("/second-factor"));
    assert_eq!(visitor.follow(&answer).status, 404);
    assert_eq!(visitor.get(&page_of(&bea)).status, 200);
    let answer = visitor.submit(&filled(&open, PASSWORD));
    assert_eq!(answer.location(), Some(format!("{}/second-factor", page_of(&ana))), "{:?}", answer.faults());
    assert!(!visitor.follow(&answer).texts(".key").is_empty());
    // The cookie is of this browser alone.
    let mut other = house.portal.visitor();
    other.get("/sign-in");
    other.set_cookie("links", visitor.cookie("links").unwrap());
    assert_eq!(other.get(&page_of(&ana)).location().as_deref(), Some("/invitations"));
}

#[test]
fn a_link_of_version_0_1_works_and_leads_to_an_address_without_its_token() {
    let house = House::new("oldlinks");
    let link = house.invited("ana");
    let old = link_of_0_1(&link);
    let mut visitor = house.portal.visitor();
    let answer = visitor.get(&old);
    assert_eq!((answer.status, answer.location()), (303, Some(page_of(&link))));
    let page = visitor.follow(&answer);
    // A page that was open during the upgrade has the address of before, and no code in its form.
    let mut form = filled(&page, PASSWORD).without("link");
    form.action.clone_from(&old);
    let enrol = visitor.go_on(&form);
    let factor = super::Factor::of(&enrol);
    let mut form = enrol.form().without("link").with("code", &factor.code(house.now()));
    form.action = format!("{old}/second-factor");
    // So has one that is loaded again.
    assert_eq!(visitor.get(&form.action).texts(".key"), enrol.texts(".key"));
    let answer = visitor.submit(&form);
    assert_eq!(answer.location().as_deref(), Some("/recovery-codes"), "{:?}", answer.faults());
    assert!(is_signed_in(&visitor));
}

#[test]
fn a_link_that_is_opened_while_somebody_is_signed_in_asks_first() {
    let house = House::new("othersession");
    let mut browser = house.accepted("ana");
    let link = house.invited("bea");
    let forged = browser.get(&format!("{link}x"));
    assert_eq!(
        (forged.status, forged.body.contains(&email("bea"))),
        (404, false),
        "whose it is, is told by the right link"
    );
    let page = browser.get(&link);
    assert_eq!((page.status, page.heading().as_str()), (200, "Somebody is signed in here"));
    let says = page.texts("main p").concat();
    assert!(says.contains("Ana Silva") && says.contains(&email("bea")), "{says}");
    assert_eq!(page.attribute(".after a", "href").as_deref(), Some("/"), "or they stay");
    assert!(is_signed_in(&browser));
    let old = browser.get(&link_of_0_1(&link));
    assert_eq!(browser.follow(&old).heading(), page.heading());
    // A form that was open before somebody else signed in is no way around.
    let form = alone(filled(&house.portal.visitor().get(&link), PASSWORD));
    assert_eq!(browser.submit(&form).heading(), page.heading());
    assert!(is_signed_in(&browser) && house.world.account_of("bea")["spec"]["acceptance"].is_null());
    // Signing out forgets what was opened here.
    let mut other = house.accepted("cai");
    other.get(&link);
    let home = other.get("/");
    other.submit(&home.form());
    assert_eq!(other.get(&page_of(&link)).location().as_deref(), Some("/invitations"));
    let answer = other.get("/sign-out?lang=fr");
    let answer = other.follow(&answer);
    assert_eq!(other.follow(&answer).header("content-language"), Some("fr"), "a language is kept on the way");
    // Signing out leads back to the invitation.
    let answer = browser.submit(&page.form());
    assert_eq!(answer.location(), Some(page_of(&link)));
    assert!(!is_signed_in(&browser));
    let page = browser.follow(&answer);
    assert_eq!(browser.submit(&alone(filled(&page, PASSWORD))).location().as_deref(), Some("/"));
    house.world.member_in("Active", "bea");
    // Whoever accepted it, and is signed in, is led home; elsewhere they sign in.
    for (mut browser, way) in [(browser, "/"), (house.portal.visitor(), "/sign-in")] {
        let page = browser.get(&link);
        assert_eq!((page.status, page.heading().as_str()), (410, "Your account is set up"));
        assert_eq!(page.attribute("main a", "href").as_deref(), Some(way));
    }
}

#[test]
fn the_link_to_a_changed_address_says_that_nothing_has_changed_and_leads_to_signing_in() {
    let house = House::new("changed");
    house.accepted("ana");
    house.member("ana", &json!({"email": "ana@river.example", "type": "Staff", "position": "Nurse"}));
    let mails = house.world.relay.wait_for(3, PATIENCE);
    let confirmation = mails.iter().find(|mail| mail.recipients[0] == "ana@river.example").expect("it was mailed");
    let before = house.world.account_of("ana");
    // Nobody looks at the link, so that one that was made up is answered alike.
    for link in [path(confirmation), "/confirmations".to_owned(), "/confirmations/a-0.x".to_owned()] {
        let mut visitor = house.portal.visitor().with("accept-language", "en");
        let page = visitor.get(&link);
        assert_eq!(page.status, 200, "{link}");
        assert!(page.body.contains("Your email address has not changed yet"), "{}", page.body);
        assert!(page.body.contains("href=\"&#x2f;sign-in\""), "{}", page.body);
    }
    assert_eq!(house.world.account_of("ana")["spec"], before["spec"]);
    let mut visitor = house.portal.visitor();
    sign_in(&mut visitor, &email("ana"), PASSWORD);
    assert!(is_signed_in(&visitor));
}
