//! What a link opens: a way in, once, for the person it was mailed to, until something ends it.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{House, PASSWORD, alone, email, filled, is_signed_in, link_of_0_1, page_of, path};
use crate::support::smtp::Stage;
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::staff;

/// A member with everything that a manifest can say.
const ZOE: &str = "
apiVersion: clinic-operator.dev/v1alpha1
kind: ClinicUser
metadata: {name: zoe}
spec: {email: Zoe@Maple.example, type: Practitioner, classification: Standard, license: CHRPlus,
  firstName: Zoë-Anne, lastName: d'Été, title: Dr., position: Physician, locale: fr}
";

#[test]
fn whoever_opens_the_link_confirms_who_they_are_and_is_a_member() {
    let house = House::new("accepts");
    let link = house.invited_by("zoe", ZOE);
    let mut visitor = house.portal.visitor().with("accept-language", "en");
    let page = visitor.get(&link);
    assert_eq!(page.header("content-language"), Some("fr"), "the record's language, not the browser's");
    assert!(page.body.contains("Maple Clinic") && page.texts("main p")[0].contains("Zoë-Anne"), "{}", page.body);
    let form = page.form();
    let shown = ["email", "first_name", "last_name", "title"].map(|name| form.value(name).to_owned());
    assert_eq!(shown, ["Zoe@Maple.example", "Zoë-Anne", "d'Été", "Dr."]);
    let form = alone(filled(&page, PASSWORD)).with("last_name", "d’Été-Roy").with("title", "");
    let answer = visitor.submit(&form);
    assert_eq!((answer.status, answer.location().as_deref()), (303, Some("/")), "{:?}", answer.faults());
    let home = visitor.follow(&answer);
    assert!(home.body.contains("Zoë-Anne d’Été-Roy") && home.body.contains("Physician"), "{}", home.body);
    // What they confirmed is a fact of the record; Git stays as it was, and the member is told what differs.
    let member = house.world.member_in("Active", "zoe");
    let acceptance = house.world.account_of("zoe")["spec"]["acceptance"].clone();
    let said = ["firstName", "lastName", "title", "login"].map(|field| acceptance[field].clone());
    assert_eq!(said, [json!("Zoë-Anne"), json!("d’Été-Roy"), Value::Null, json!("Zoe@Maple.example")]);
    assert!(acceptance["firstSignInAt"].is_string(), "{acceptance}");
    let told = house.world.member_told("zoe", "something else than the manifest says: lastName, title.");
    assert!(!told["status"]["conditions"].to_string().contains("Roy"), "the fields, not what is in them: {told}");
    let listed = json!({"name": "Zoë-Anne d’Été-Roy", "designation": "Physician"});
    assert_eq!(member["status"]["member"], listed);
    // The credential keeps a hash, and that only sealed.
    let credentials = house.world.objects("cliniccredentials");
    assert_eq!(credentials.len(), 1);
    let text = credentials[0].to_string();
    assert!(!text.contains("argon2") && !text.contains(PASSWORD), "{text}");
}

#[test]
fn a_scanner_that_opens_everything_again_and_again_leaves_the_way_in_as_it_was() {
    let house = House::new("scanner");
    let link = house.invited("ana");
    let before = house.world.account_of("ana");
    let mut scanner = house.portal.visitor();
    for _ in 0..10 {
        assert_eq!(scanner.get(&link).status, 200);
        for path in ["/invitations".to_owned(), page_of(&link), link_of_0_1(&link)] {
            for (method, more) in [
                ("GET", ""),
                ("HEAD", ""),
                ("GET", "?utm_source=mail"),
                ("GET", "/second-factor"),
                ("OPTIONS", ""),
                ("POST", ""),
                ("PUT", ""),
                ("DELETE", ""),
            ] {
                let answer = scanner.send(method, &format!("{path}{more}"), &[], "");
                assert!(answer.status < 500, "{method} {path}{more}: {}", answer.status);
            }
        }
    }
    assert_eq!(house.world.account_of("ana"), before, "nothing was written");
    assert!(house.world.objects("cliniccredentials").is_empty());
    let mut person = house.portal.visitor();
    let page = person.get(&link);
    assert_eq!(person.submit(&alone(filled(&page, PASSWORD))).status, 303);
    house.world.member_in("Active", "ana");
}

#[test]
fn an_invitation_that_is_sent_again_kills_the_old_link() {
    let house = House::new("resend");
    let old = house.invited("ana");
    let mut visitor = house.portal.visitor();
    let open = visitor.get(&old);
    house.world.kubectl(&["annotate", "clinicuser", "ana", "clinic-operator.dev/resend=1"]);
    let new = path(&house.world.relay.wait_for(2, PATIENCE)[1]);
    house.world.member_in("Invited", "ana");
    for answer in [visitor.get(&old), visitor.submit(&alone(filled(&open, PASSWORD)))] {
        assert_eq!((answer.status, answer.heading().as_str()), (410, "This link has been replaced"), "{}", answer.body);
    }
    let page = visitor.get(&new);
    assert_eq!(visitor.submit(&alone(filled(&page, PASSWORD))).status, 303);
}

#[test]
fn both_copies_of_one_round_work_until_one_is_used() {
    let house = House::at("copies", "2027-06-01T12:00:00Z");
    for used in 0..2 {
        let name = format!("ana-{used}");
        // The relay takes the mail and is gone before it says so: nobody knows, and a copy follows.
        house.world.relay.at(Stage::AfterDot).of(&email(&name)).times(1).take_then_drop();
        house.world.apply(&staff(&name, &email(&name)));
        eventually_ok(PATIENCE, "the first mail", || match house.world.relay.mails_to(&email(&name)).len() {
            1 => Ok(()),
            other => Err(other),
        });
        eventually_ok(PATIENCE, "a copy", || {
            house.world.clock().advance(SignedDuration::from_mins(1));
            let copies = house.world.relay.mails_to(&email(&name)).len();
            if copies == 2 { Ok(()) } else { Err(copies) }
        });
        house.world.member_in("Invited", &name);
        let links: Vec<String> = house.world.relay.mails_to(&email(&name)).iter().map(path).collect();
        assert_ne!(links[0], links[1]);
        let mut visitor = house.portal.visitor();
        let forms: Vec<_> = links.iter().map(|link| alone(filled(&visitor.get(link), PASSWORD))).collect();
        assert_eq!(visitor.submit(&forms[used]).status, 303);
        let late = visitor.submit(&forms[1 - used]);
        assert_eq!((late.status, late.heading().as_str()), (410, "Your account is set up"));
    }
}

#[test]
fn of_two_tabs_that_are_sent_at_the_same_time_one_wins() {
    let house = House::new("tabs");
    for round in 0..4 {
        let link = house.invited(&format!("ana-{round}"));
        let tabs: Vec<_> = (0..2)
            .map(|_| {
                let mut visitor = house.portal.visitor();
                let form = alone(filled(&visitor.get(&link), PASSWORD));
                std::thread::spawn(move || (visitor.submit(&form), visitor))
            })
            .collect();
        let mut answers: Vec<_> = tabs.into_iter().map(|tab| tab.join().unwrap()).collect();
        answers.sort_by_key(|(answer, _)| answer.status);
        let [(won, first), (lost, second)] = answers.as_slice() else { panic!("two") };
        assert_eq!((won.status, lost.status), (303, 410));
        assert_eq!(lost.heading(), "Your account is set up", "{}", lost.body);
        assert_eq!((is_signed_in(first), is_signed_in(second)), (true, false));
        let account = house.world.account_of(&format!("ana-{round}"));
        let named = account["spec"]["acceptance"]["credential"].as_str().unwrap();
        assert!(house.world.names("cliniccredentials").contains(&named.to_owned()));
    }
}

#[test]
fn a_link_that_ended_says_what_to_do_and_lets_nobody_in() {
    let house = House::at("ended", "2027-06-01T12:00:00Z");
    let trainee = "
apiVersion: clinic-operator.dev/v1alpha1
kind: ClinicUser
metadata: {name: trainee}
spec: {email: trainee@maple.example, type: Practitioner, classification: ClinicalTrainee,
  expectedEndOfTraining: 2027-05-20}
";
    let suspended = house.invited("suspended");
    let removed = house.invited("removed");
    let moved = house.invited("moved");
    let late = house.invited("late");
    let trainee = house.invited_by("trainee", trainee);
    let mut visitor = house.portal.visitor();
    let mut ends = |link: &str, heading: &str, end: &dyn Fn()| {
        let form = alone(filled(&visitor.get(link), PASSWORD));
        end();
        let answer = eventually_ok(PATIENCE, heading, || {
            let answer = visitor.get(link);
            if answer.status == 200 { Err(answer.heading()) } else { Ok(answer) }
        });
        for answer in [answer, visitor.submit(&form)] {
            assert_eq!((answer.status, answer.heading().as_str()), (410, heading));
            assert!(answer.texts("main p").concat().len() > 80, "it says what to do: {}", answer.body);
        }
    };
    ends(&suspended, "Your access is suspended", &|| house.member("suspended", &json!({"suspended": true})));
    ends(&removed, "Your invitation was withdrawn", &|| {
        house.world.kubectl(&["delete", "clinicuser", "removed"]);
    });
    ends(&moved, "This link has been replaced", &|| {
        house.member("moved", &json!({"email": "elsewhere@maple.example"}));
    });
    house.world.clock().set("2027-06-04T03:50:00Z");
    ends(&trainee, "Your access has ended", &|| house.world.clock().set("2027-06-04T04:00:00Z"));
    house.world.clock().set("2027-06-08T11:50:00Z");
    ends(&late, "Your invitation has expired", &|| house.world.clock().set("2027-06-08T12:01:00Z"));
    assert_eq!(house.world.objects("cliniccredentials").len(), 0, "nobody's password was kept");
    // Whoever is let back in comes in by the same link, if it is young enough.
    house.world.clock().set("2027-06-02T12:00:00Z");
    house.member("suspended", &json!({"suspended": false}));
    house.world.member_in("Invited", "suspended");
    let page = visitor.get(&suspended);
    assert_eq!(visitor.submit(&alone(filled(&page, PASSWORD))).status, 303);
}

#[test]
fn a_link_that_nobody_mailed_gets_one_answer_whatever_it_names() {
    let house = House::new("forged");
    let pending = house.invited("ana");
    house.accepted("bea");
    house.member("bea", &json!({"suspended": true}));
    house.world.member_in("Suspended", "bea");
    let account = |name: &str| house.world.account_of(name)["metadata"]["name"].as_str().unwrap().to_owned();
    let token = pending.rsplit_once('.').unwrap().1;
    let codes = [
        format!("{}.{}", account("ana"), "A".repeat(43)),
        format!("{}.{}", account("bea"), "A".repeat(43)),
        format!("{}.{token}", account("bea")),
        format!("a-00000000-0000-4000-8000-000000000000.{token}"),
        format!("{}.", account("ana")),
        "x".to_owned(),
        "%00".to_owned(),
        "..%2f..%2fsecrets".to_owned(),
        format!("{}.{}", account("ana"), "A".repeat(4000)),
    ];
    // In the path as of version 0.1 too.
    let forged: Vec<_> =
        ["/", "#"].iter().flat_map(|at| codes.iter().map(move |code| format!("/invitations{at}{code}"))).collect();
    let hashes = house.portal.metric("clinic_operator_portal_password_hashes_total");
    for language in ["en", "fr"] {
        let answers: Vec<_> = forged
            .iter()
            .map(|link| {
                let mut visitor = house.portal.visitor().with("accept-language", language);
                visitor.get("/sign-in");
                visitor.get(link).without_random()
            })
            .collect();
        assert_eq!(answers[0].0, 404);
        for (answer, link) in answers.iter().zip(&forged) {
            assert_eq!(*answer, answers[0], "{link}");
        }
    }
    assert_eq!(house.portal.metric("clinic_operator_portal_password_hashes_total"), hashes);
    // The same for a form, which somebody made from another page's.
    let form = house.portal.visitor().get(&pending).form();
    for code in &codes[..4] {
        let mut visitor = house.portal.visitor();
        let mut form = form.clone().with("form", visitor.get("/sign-in").form().value("form")).with("link", code);
        for action in [format!("/invitations/{code}"), format!("/invitations/{}", code.split_once('.').unwrap().0)] {
            form.action = action;
            assert_eq!(visitor.submit(&form).status, 404, "{code}");
        }
    }
    // The page of an account is there for whoever opened its link.
    for named in [account("ana"), account("bea"), "a-00000000-0000-4000-8000-000000000000".to_owned()] {
        for more in ["", "/second-factor"] {
            let answer = house.portal.visitor().get(&format!("/invitations/{named}{more}"));
            assert_eq!((answer.status, answer.location().as_deref()), (303, Some("/invitations")), "{named}{more}");
        }
    }
}

#[test]
fn an_address_that_changes_while_the_form_is_open_is_never_mixed_up() {
    let house = House::new("moves");
    let old = house.invited("ana");
    let mut visitor = house.portal.visitor();
    let form = alone(filled(&visitor.get(&old), PASSWORD)).with("email", "evil@other.example");
    house.world.apply(&staff("ana", "new@maple.example"));
    let new = path(&house.world.relay.wait_for(2, PATIENCE)[1]);
    assert_eq!(visitor.submit(&form).status, 410);
    let page = visitor.get(&new);
    // The address in the form is shown for the password manager; nobody believes it.
    let answer = visitor.submit(&alone(filled(&page, PASSWORD)).with("email", &email("somebody-else")));
    assert_eq!(answer.status, 303);
    assert_eq!(house.world.account_of("ana")["spec"]["acceptance"]["login"], "new@maple.example");
}
