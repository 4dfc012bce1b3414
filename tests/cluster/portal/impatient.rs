//! Impatient people: a second click, a page that is loaded again, one that was open overnight, a tab that is gone.

use jiff::SignedDuration;
use serde_json::json;

use super::{Factor, House, PASSWORD, WRONG, alone, email, filled, is_signed_in, page_of, sign_in};
use crate::support::portal::PortalOptions;
use crate::support::visitor::{Answer, Form, Visitor};
use crate::support::wait::{PATIENCE, eventually_ok};

const NOON: &str = "2027-06-01T12:00:00Z";
/// The time for which a code counts.
const STEP: SignedDuration = SignedDuration::from_secs(30);

/// Sends a form twice, as one browser does by two clicks: at the same moment, to two replicas, and then once more.
#[track_caller]
fn clicked(house: &House, visitor: &Visitor, form: &Form) -> Vec<(Answer, Visitor)> {
    let test_clock = Some(house.world.clock().path());
    let other = house.portal.start_another(PortalOptions { test_clock, ..PortalOptions::default() });
    let clicks: Vec<_> = [house.portal.pages, other.pages]
        .into_iter()
        .map(|pages| {
            let (mut visitor, form) = (visitor.at(pages), form.clone());
            std::thread::spawn(move || (visitor.submit(&form), visitor.at(pages)))
        })
        .collect();
    let mut outcomes: Vec<_> = clicks.into_iter().map(|click| click.join().unwrap()).collect();
    let mut late = visitor.at(house.portal.pages);
    outcomes.push((late.submit(form), late));
    outcomes.into_iter().map(|(answer, visitor)| (answer, visitor.at(house.portal.pages))).collect()
}

#[track_caller]
fn all_lead(outcomes: Vec<(Answer, Visitor)>, to: &str) -> Vec<Visitor> {
    let led = |(answer, visitor): (Answer, Visitor)| {
        assert_eq!(answer.location().as_deref(), Some(to), "{} {:?}", answer.heading(), answer.faults());
        visitor
    };
    outcomes.into_iter().map(led).collect()
}

#[track_caller]
fn all_are_signed_in(visitors: &[Visitor]) {
    for visitor in visitors {
        assert!(is_signed_in(visitor));
    }
}

#[test]
fn a_second_click_accepts_once_and_signs_in_each_time() {
    let house = House::at("clickaccept", NOON);
    let link = house.invited("ana");
    let mut visitor = house.portal.visitor();
    let form = alone(filled(&visitor.get(&link), PASSWORD));
    let browsers = all_lead(clicked(&house, &visitor, &form), "/");
    all_are_signed_in(&browsers);
    let credential = house.world.account_of("ana")["spec"]["acceptance"]["credential"].clone();
    let all = house.world.objects("cliniccredentials");
    assert_eq!((all.len(), &all[0]["metadata"]["name"]), (1, &credential));
    // Another password is another wish; another browser is another person.
    let other = form.clone().with("password", "another river tall nine").with("repeated", "another river tall nine");
    assert_eq!(visitor.submit(&other).status, 410);
    assert_eq!(sign_in(&mut house.portal.visitor(), &email("ana"), PASSWORD).location().as_deref(), Some("/"));
    let mut late = house.portal.visitor();
    let stranger = form.with("form", "");
    assert_eq!(late.submit(&stranger).status, 410);
    assert!(!is_signed_in(&late));
}

#[test]
fn a_second_click_sets_up_one_second_factor_and_a_code_that_is_sent_twice_counts_once() {
    let house = House::at("clickcode", NOON);
    let link = house.invited("ana");
    let mut visitor = house.portal.visitor();
    let form = filled(&visitor.get(&link), PASSWORD);
    let enrol = visitor.go_on(&form);
    let factor = Factor::of(&enrol);
    let form = enrol.form().with("code", &factor.code(house.now()));
    let browsers = all_lead(clicked(&house, &visitor, &form), "/recovery-codes");
    all_keep_the_same(&browsers);
    assert_eq!(house.world.objects("cliniccredentials").len(), 1);
    // Signing in, by the app and by a recovery code.
    house.world.clock().advance(STEP * 2);
    let codes = browsers[0].clone().get("/recovery-codes").texts(".codes code");
    for (field, code) in [("code", factor.code(house.now())), ("recovery_code", codes[2].clone())] {
        let mut visitor = house.portal.visitor();
        let step = sign_in(&mut visitor, &email("ana"), PASSWORD);
        let form = step.form().without("code").with(field, &code);
        all_are_signed_in(&all_lead(clicked(&house, &visitor, &form), "/"));
        // It is used up for every other form.
        let mut other = house.portal.visitor();
        let step = sign_in(&mut other, &email("ana"), PASSWORD);
        assert_eq!(other.submit(&step.form().without("code").with(field, &code)).status, 422, "{field}");
    }
    assert_eq!(house.world.objects("cliniccredentials")[0]["spec"]["used"]["recoveryCodes"], json!([2]));
    // What ends a session ends the form that began it.
    let mut visitor = house.portal.visitor();
    let step = sign_in(&mut visitor, &email("ana"), PASSWORD);
    let form = step.form().without("code").with("recovery_code", &codes[3]);
    assert_eq!(visitor.submit(&form).status, 303);
    let home = visitor.get("/");
    visitor.submit(&home.form());
    assert_eq!(visitor.submit(&form).status, 422);
    assert!(!is_signed_in(&visitor));
}

#[track_caller]
fn all_keep_the_same(browsers: &[Visitor]) {
    let shown: Vec<_> =
        browsers.iter().map(|browser| browser.clone().get("/recovery-codes").texts(".codes code")).collect();
    assert!(shown[0].len() == 10 && shown.iter().all(|codes| *codes == shown[0]), "{shown:?}");
}

#[test]
fn a_second_click_sets_up_what_the_clinic_requires_by_now_once() {
    let house = House::at("clickenrol", NOON);
    house.accepted("ana");
    house.clinic(&json!({"twoFactor": "Required"}));
    let mut visitor = house.portal.visitor();
    let enrol = eventually_ok(PATIENCE, "the portal to know", || {
        let page = sign_in(&mut visitor, &email("ana"), PASSWORD);
        if page.status == 200 { Ok(page) } else { Err(page.status) }
    });
    let factor = Factor::of(&enrol);
    let form = enrol.form().with("code", &factor.code(house.now()));
    let browsers = all_lead(clicked(&house, &visitor, &form), "/recovery-codes");
    all_keep_the_same(&browsers);
    assert_eq!(browsers[0].clone().get("/").location().as_deref(), Some("/recovery-codes"), "until they are kept");
}

#[test]
fn a_page_that_is_loaded_again_shows_the_same_until_it_is_done_with() {
    let house = House::at("reload", NOON);
    let link = house.invited("ana");
    let mut visitor = house.portal.visitor();
    let typed = filled(&visitor.get(&link), PASSWORD).with("first_name", "Anaïs").with("title", "Dr.");
    let page = visitor.go_on(&typed);
    let key = |page: &Answer| page.texts(".key").concat();
    let setup = format!("{}/second-factor", page_of(&link));
    assert_eq!(key(&visitor.get(&setup)), key(&page), "loaded again");
    // A wrong code, another language: still the same.
    let wrong = visitor.submit(&page.form().with("code", "000000"));
    assert_eq!((wrong.status, key(&wrong)), (422, key(&page)));
    assert_eq!(key(&visitor.get(&format!("{setup}?lang=fr"))), key(&page));
    visitor.get("/sign-in?lang=en");
    // The tab is gone: who begins again has what they typed, and the key that is in the app already.
    let again = visitor.get(&link);
    let form = again.form();
    assert_eq!(["first_name", "title", "password"].map(|name| form.value(name)), ["Anaïs", "Dr.", ""]);
    let page = visitor.go_on(&filled(&again, PASSWORD));
    assert_eq!(key(&page), key(&wrong));
    let factor = Factor::of(&page);
    let codes = visitor.go_on(&page.form().with("code", &factor.code(house.now())));
    assert_eq!(codes.texts(".codes code").len(), 10, "{}", codes.heading());
    // Back, and loaded again: the codes, until they are kept.
    for path in [setup.as_str(), "/recovery-codes", "/", "/sign-in/code"] {
        let mut back = visitor.clone();
        let mut page = back.get(path);
        while let Some(to) = page.location() {
            page = back.get(&to);
        }
        assert_eq!(page.texts(".codes code"), codes.texts(".codes code"), "{path}");
    }
    let other = house.portal.visitor().get("/recovery-codes");
    assert_eq!(other.location().as_deref(), Some("/"), "nobody else's");
    assert_eq!(visitor.submit(&codes.form()).location().as_deref(), Some("/"));
    for path in ["/recovery-codes", setup.as_str()] {
        assert!(visitor.get(path).texts(".codes code").is_empty(), "{path}");
    }
    assert!(is_signed_in(&visitor));
    // The second step of signing in.
    house.world.clock().advance(STEP * 2);
    let mut visitor = house.portal.visitor();
    let step = sign_in(&mut visitor, &email("ana"), PASSWORD);
    assert_eq!(visitor.get("/sign-in/code").heading(), step.heading());
    assert_eq!(visitor.submit(&step.form().with("code", &factor.code(house.now()))).status, 303);
    assert_eq!(visitor.get("/sign-in/code").location().as_deref(), Some("/sign-in"), "it is over");
}

#[test]
fn a_page_that_was_open_overnight_signs_in_and_other_forms_come_back_filled_in() {
    let house = House::at("overnight", NOON);
    house.accepted_with_factor("ana");
    let link = house.invited("bea");
    let mut visitor = house.portal.visitor();
    let page = visitor.get("/sign-in");
    let accept = visitor.get(&link);
    house.world.clock().advance(SignedDuration::from_hours(13));
    let step = visitor.go_on(&page.form().with("email", &email("ana")).with("password", PASSWORD));
    assert_eq!(step.form().action, "/sign-in/code");
    house.world.clock().advance(SignedDuration::from_mins(6));
    let late = visitor.submit(&step.form().with("code", "123456"));
    assert_eq!(
        (late.status, late.form().value("email"), late.form().value("password")),
        (422, "ana@maple.example", "")
    );
    let mut other = house.portal.visitor();
    assert_eq!(sign_in(&mut other, &email("ana"), WRONG).status, 422);
    // Accepting: half an hour is over.
    let enrol = visitor.go_on(&filled(&accept, PASSWORD).with("last_name", "Gagnon"));
    house.world.clock().advance(SignedDuration::from_mins(31));
    let code = Factor::of(&enrol).code(house.now());
    let back = visitor.submit(&enrol.form().with("code", &code));
    let form = back.form();
    assert_eq!((back.status, form.action.clone()), (422, page_of(&link)));
    assert_eq!(["last_name", "password"].map(|name| form.value(name)), ["Gagnon", ""]);
    assert!(back.texts(".note").concat().contains("open for too long"), "{:?}", back.texts(".note"));
    assert_eq!(visitor.submit(&alone(form.with("password", PASSWORD).with("repeated", PASSWORD))).status, 303);
}

#[test]
fn of_two_tabs_by_one_link_either_accepts() {
    let house = House::at("twotabs", NOON);
    let link = house.invited("ana");
    // Both are opened before either has answered: the second one's cookies replace the first one's.
    let first = house.portal.visitor().get(&link);
    let mut visitor = house.portal.visitor();
    visitor.get(&link);
    assert_eq!(visitor.submit(&alone(filled(&first, PASSWORD))).status, 303);
    assert!(is_signed_in(&visitor));
}
