//! An upgrade: what a release left is taken by today's build, and nobody notices. `tests/upgrade/<version>/` has a file for each clinic
//! that a release left, made by `recording`; `loading` puts one into a namespace. To add a release: CONTRIBUTING.md. Never here: how a
//! clinic was made.

mod copies;
mod fixture;
mod loading;
mod recording;

use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

use self::fixture::{Fixture, Person};
use self::loading::Loaded;
use super::{Factor, PASSWORD, alone, filled, is_signed_in, sign_in};
use crate::support::control_plane::AuditRecord;
use crate::support::visitor::{Answer, Visitor};
use crate::support::wait::{PATIENCE, eventually_ok};
use jiff::SignedDuration;

/// What an upgrade changes, and why; everything else stays as it was.
struct Change {
    /// The release, the clinic and the member.
    of: (&'static str, &'static str, &'static str),
    what: What,
    why: &'static str,
}

/// What changes for a member.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    /// What their status says in words. Their state, sessions and links are as before.
    Words,
    /// The invitation is withdrawn, by writes of the account: the link lets nobody in any more.
    Withdrawn,
}

const NEW_WORDS_OF_HOLDS: &str = "a hold speaks of every mail to a new address, not of first invitations only";

const THE_COMMAND: &str =
    "whose decision is needed is told the command that decides, and by which file the other was known";
const WHAT_IS_KNOWN: &str = "that the relay was reached is not said where nobody knows it";

const CHANGES: [Change; 7] = [
    Change { of: ("0.1", "open", "former"), what: What::Words, why: THE_COMMAND },
    Change { of: ("0.1", "open", "identity"), what: What::Words, why: THE_COMMAND },
    Change { of: ("0.1", "open", "unknown"), what: What::Words, why: WHAT_IS_KNOWN },
    Change { of: ("0.1", "open", "held-one"), what: What::Words, why: NEW_WORDS_OF_HOLDS },
    Change { of: ("0.1", "open", "held-two"), what: What::Words, why: NEW_WORDS_OF_HOLDS },
    Change { of: ("0.1", "guarded", "held"), what: What::Words, why: NEW_WORDS_OF_HOLDS },
    Change {
        of: ("0.1", "guarded", "pending"),
        what: What::Withdrawn,
        why: "whoever never accepted and has no manifest is withdrawn, and waits for no guard",
    },
];

impl Change {
    fn is_in(&self, fixture: &Fixture) -> bool {
        (self.of.0, self.of.1) == (fixture.release.as_str(), fixture.clinic.as_str())
    }
}

/// Where a right password leads since an upgrade, by release, clinic and member: without a Clinic nobody knows whether a second factor
/// is required.
const LEADS: [((&str, &str, &str), &str); 1] = [(("0.1", "missing", "active"), "503")];

/// Releases whose cookies and forms are of no portal in particular, so that a copy's would be taken too: whoever is signed in signs in once
/// more, and a second factor that is being set up is begun again.
const OF_NO_PORTAL: [&str; 1] = ["0.1"];

/// The folder with a folder for each release.
fn releases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrade")
}

/// Every release's clinic of this name.
#[track_caller]
fn recorded(clinic: &str) -> Vec<Fixture> {
    let folders = read_dir(releases()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let read = |folder: PathBuf| read_to_string(folder.join(format!("{clinic}.json"))).ok();
    let fixtures: Vec<Fixture> = folders.filter_map(read).map(|text| serde_json::from_str(&text).unwrap()).collect();
    assert!(!fixtures.is_empty(), "no release left a clinic {clinic}");
    fixtures
}

fn change(fixture: &Fixture, member: &str) -> Option<&'static Change> {
    CHANGES.iter().find(|change| change.is_in(fixture) && change.of.2 == member)
}

/// Loads the clinic, starts today's program, and demands that nobody notices.
#[track_caller]
fn goes_on(fixture: &Fixture) {
    let mut loaded = Loaded::start(fixture);
    loaded.comes_to_rest();
    states_are_as_they_were(&loaded);
    only_what_the_table_allows_is_written(&loaded);
    for person in &fixture.people {
        is_let_in_as_before(&loaded, person);
    }
    for person in &fixture.people {
        accepts(&loaded, person);
    }
    loaded.comes_to_rest();
    let written = loaded.writes().len();
    loaded.restart();
    loaded.comes_to_rest();
    assert_eq!(loaded.writes().split_off(written), [], "after a restart");
    let mails = loaded.relay.mails();
    let told: Vec<_> = mails.iter().map(|mail| (&mail.recipients, mail.subject())).collect();
    assert!(told.is_empty(), "{}: the upgrade mails {told:?}", fixture.clinic);
    what_was_deferred_is_tried_again(&loaded);
}

/// Once its time comes, as the same mail.
#[track_caller]
fn what_was_deferred_is_tried_again(loaded: &Loaded<'_>) {
    let mut accounts = loaded.fixture.of_kind("ClinicAccount");
    let Some(account) = accounts.find(|account| account["spec"]["delivery"]["notBefore"].is_string()) else { return };
    loaded.advance(SignedDuration::from_hours(1));
    let mail = loaded.relay.wait_for(1, PATIENCE).remove(0);
    let delivery = &account["spec"]["delivery"];
    assert_eq!(delivery["address"], mail.recipients[0]);
    assert_eq!(delivery["attempts"][0]["messageId"], mail.header("Message-ID").unwrap());
    loaded.comes_to_rest();
    assert_eq!(loaded.relay.mails().len(), 1, "nobody else is mailed");
}

#[track_caller]
fn states_are_as_they_were(loaded: &Loaded<'_>) {
    for object in ["ClinicUser", "ServiceAccount"].iter().flat_map(|kind| loaded.fixture.of_kind(kind)) {
        let name = object["metadata"]["name"].as_str().unwrap();
        let change = change(loaded.fixture, name);
        let expected = object["status"]["state"].as_str();
        let why = change.map_or("nothing changes for whom the table does not name", |change| change.why);
        eventually_ok(PATIENCE, &format!("{name} in {}, {why}", loaded.fixture.clinic), || {
            let now = loaded.object(object);
            if now["status"]["state"].as_str() == expected { Ok(()) } else { Err(now["status"].clone()) }
        });
    }
}

/// The controller's and the portal's writes: none but those that the table names, and of the Clinic that counts and lists them.
#[track_caller]
fn only_what_the_table_allows_is_written(loaded: &Loaded<'_>) {
    let fixture = loaded.fixture;
    let is_allowed = |write: &AuditRecord| {
        let is_clinic = write.resource == "clinics" && CHANGES.iter().any(|change| change.is_in(fixture));
        let is_named = CHANGES.iter().filter(|change| change.is_in(fixture)).any(|change| match change.what {
            What::Words => {
                write.resource == "clinicusers" && write.subresource == "status" && write.name == change.of.2
            }
            What::Withdrawn => write.resource == "clinicaccounts" && fixture.account_of(change.of.2) == write.name,
        });
        is_clinic || is_named
    };
    let mut written = loaded.writes();
    written.retain(|write| !is_allowed(write));
    assert_eq!(written, [], "{}: an upgrade writes nothing", fixture.clinic);
}

/// Sessions, links and sign-ins have the answer that they had.
#[track_caller]
fn is_let_in_as_before(loaded: &Loaded<'_>, person: &Person) {
    let who = format!("{} in {}", person.name, loaded.fixture.clinic);
    let browser = person.browser(loaded.portal.pages);
    if let Some(was) = person.is_signed_in {
        let was = was && !is_of_no_portal(loaded.fixture);
        assert_eq!(is_signed_in(&browser), was, "the session of {who}");
        assert_eq!(is_signed_in(&browser.at(loaded.other.pages)), was, "the session of {who} at the other replica");
    }
    if let (Some(link), Some(was)) = (&person.link, person.link_answers) {
        let answer = opened(&mut loaded.portal.visitor(), link).status;
        if is_withdrawn(loaded, person) {
            assert_eq!(answer, 410, "the link of {who}");
        } else if link.contains("/confirmations") {
            // 0.1 had no page there, and answered 404.
            assert_eq!(answer, 200, "the link of {who}");
        } else {
            assert_eq!(answer, was, "the link of {who}");
        }
    }
    let mut anew = loaded.other.visitor();
    let answer = sign_in(&mut anew, &person.email, PASSWORD);
    let of = (loaded.fixture.release.as_str(), loaded.fixture.clinic.as_str(), person.name.as_str());
    let leads = LEADS.iter().find(|(found, _)| *found == of).map_or(person.sign_in_leads.as_str(), |(_, leads)| leads);
    assert_eq!(fixture::led(&answer), leads, "the password of {who}: {:?}", answer.faults());
    if let (Some(factor), "/sign-in/code") = (&person.factor, person.sign_in_leads.as_str()) {
        let code = Factor::from_key(factor).code(loaded.now());
        assert_eq!(anew.submit(&answer.form().with("code", &code)).status, 303, "the second factor of {who}");
        let mut lost = loaded.portal.visitor();
        let step = sign_in(&mut lost, &person.email, PASSWORD);
        let form = step.form().without("code").with("recovery_code", &person.recovery_codes[0]);
        assert_eq!(lost.submit(&form).status, 303, "a recovery code of {who}");
    }
}

fn is_of_no_portal(fixture: &Fixture) -> bool {
    OF_NO_PORTAL.contains(&fixture.release.as_str())
}

/// What a link shows: those of 0.1, with the token in the path, lead to a page without.
fn opened(browser: &mut Visitor, link: &str) -> Answer {
    let answer = browser.get(link);
    if answer.status == 303 { browser.follow(&answer) } else { answer }
}

fn is_withdrawn(loaded: &Loaded<'_>, person: &Person) -> bool {
    change(loaded.fixture, &person.name).is_some_and(|change| change.what == What::Withdrawn)
}

/// Whoever has a link that counts accepts by it, with the page that was open during the upgrade if there is one.
#[track_caller]
fn accepts(loaded: &Loaded<'_>, person: &Person) {
    let counts = person.link_answers == Some(200) && person.is_invited && !is_withdrawn(loaded, person);
    let Some(link) = person.link.as_ref().filter(|_| counts) else { return };
    let mut browser = person.browser(loaded.portal.pages);
    let form = if let Some(form) = &person.open_form {
        let code = Factor::from_key(person.factor.as_ref().unwrap()).code(loaded.now());
        let form = form.clone().with("code", &code);
        if is_of_no_portal(loaded.fixture) {
            let back = browser.submit(&form);
            assert!(back.texts(".note").concat().contains("nothing was saved"), "{}", back.heading());
            alone(filled(&back, PASSWORD))
        } else {
            form
        }
    } else {
        alone(filled(&opened(&mut browser, link), PASSWORD))
    };
    let answer = browser.submit(&form);
    assert!(answer.status < 400, "{} accepts: {} {:?}", person.name, answer.heading(), answer.faults());
    assert!(is_signed_in(&browser), "{} is signed in", person.name);
    if loaded.fixture.clinic == "open" {
        loaded.member_in("Active", &person.name);
    }
}

#[test]
fn a_clinic_with_members_in_every_state_goes_on_as_if_nothing_had_happened() {
    recorded("open").iter().for_each(goes_on);
}

#[test]
fn a_clinic_whose_guards_hold_members_back_goes_on_as_if_nothing_had_happened() {
    recorded("guarded").iter().for_each(goes_on);
}

#[test]
fn a_clinic_that_is_paused_and_one_without_its_clinic_go_on_as_if_nothing_had_happened() {
    for clinic in ["paused", "missing"] {
        recorded(clinic).iter().for_each(goes_on);
    }
}
