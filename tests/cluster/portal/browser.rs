//! The whole way in, in a real browser over TLS, from the manifest to the list of members. Pictures of each page are left in the
//! build folder, in `screenshots/portal/way`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fantoccini::Locator;
use serde_json::{Value, json};

use super::{Factor, House, PASSWORD, email, page_of, path};
use crate::browser::{Browser, Scheme, View};
use crate::support::portal::{HOST, PortalOptions};
use crate::support::visitor::Answer;
use crate::support::wait::{PATIENCE, eventually_ok, now};
use crate::world::staff;

const NOOR: &str = "
apiVersion: clinic-operator.dev/v1alpha1
kind: ClinicUser
metadata: {name: noor}
spec: {email: noor@maple.example, type: Practitioner, classification: Standard, license: CHRLite, position: Physician,
  firstName: Noor, lastName: Lavoie}
";

/// A person at a browser.
struct Person {
    browser: Browser,
    pictures: PathBuf,
}

impl Person {
    async fn at(house: &House, language: &str) -> Self {
        let pages = house.portal.pages;
        let arguments = [
            format!("--host-resolver-rules=MAP {HOST}:443 127.0.0.1:{pages}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
            format!("--accept-lang={language}"),
        ];
        let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots").join("portal/way");
        std::fs::create_dir_all(&pictures).expect("the build folder takes a folder");
        Self { browser: Browser::start(&arguments).await, pictures }
    }

    async fn open(&self, path: &str) {
        self.browser.open(&format!("https://{HOST}{path}")).await;
    }

    /// Opens a link: its code is in no address, and the page's script opens it; where there is none, the person does.
    async fn opens(&self, link: &str, has_script: bool) {
        self.open(link).await;
        if !has_script {
            self.types("link", link.split_once('#').expect("a code").1).await;
            self.goes_on("form button[type=submit]").await;
        }
        self.is_at(&page_of(link)).await;
    }

    /// Waits until this page is there, and nothing behind its path.
    async fn is_at(&self, path: &str) {
        let begin = now();
        let is_there =
            "return document.readyState === 'complete' && location.pathname + location.search + location.hash";
        loop {
            let found = self.browser.ask(is_there).await;
            if found == json!(path) {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "{found} instead of {path}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Types into a field, after what stands in it.
    async fn types(&self, field: &str, text: &str) {
        let field = self.browser.client.find(Locator::Id(field)).await.expect("the field is there");
        field.send_keys(text).await.expect("it takes keys");
    }

    /// Presses what a selector finds.
    async fn presses(&self, selector: &str) {
        let button = self.browser.client.find(Locator::Css(selector)).await.expect("the button is there");
        button.click().await.expect("it can be pressed");
    }

    /// The same, and waits for the page that follows.
    async fn goes_on(&self, selector: &str) {
        self.browser.ask("window.before = true; return true").await;
        self.presses(selector).await;
        self.arrives(selector).await;
    }

    async fn arrives(&self, selector: &str) {
        let begin = now();
        let arrived = "return window.before !== true && document.readyState === 'complete'";
        while self.browser.ask(arrived).await != Value::Bool(true) {
            assert!(begin.elapsed() < PATIENCE, "no page follows {selector}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The same by two clicks, the second before an answer can be there. Returns where that leads.
    async fn goes_on_twice(&self, selector: &str) -> String {
        let click = format!("document.querySelector('{selector}').click()");
        self.browser.ask(&format!("window.before = true; setTimeout(() => {click}, 300); {click}; return true")).await;
        self.arrives(selector).await;
        self.path().await
    }

    async fn page(&self) -> Answer {
        let body = self.browser.client.source().await.expect("a page");
        Answer { status: 200, headers: ureq::http::HeaderMap::new(), body }
    }

    /// Where the browser is.
    async fn path(&self) -> String {
        self.browser.client.current_url().await.expect("an address").path().to_owned()
    }

    /// Leaves a picture, and says that the browser had nothing to complain about.
    async fn photographs(&self, name: &str) {
        for scheme in [Scheme::Light, Scheme::Dark] {
            let view = View { width: 1024, scheme };
            self.browser.look_as(view).await;
            let height = self.browser.ask("return document.documentElement.scrollHeight").await;
            let height = height.as_u64().and_then(|height| u32::try_from(height).ok()).expect("a height");
            let file = self.pictures.join(format!("{name}-{}.png", scheme.name()));
            self.browser.photograph(view, height, &file).await;
        }
        let mut said = self.browser.console().await;
        // A form that is shown again, which is what the answer says.
        said.retain(|line| !line.contains("status of 422"));
        assert!(said.is_empty(), "{name}: {said:?}");
    }
}

fn in_time<T>(story: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(story)
}

#[test]
fn from_the_manifest_to_the_list_of_members() {
    let house = House::with("browser", PortalOptions { tls: true, ..PortalOptions::default() });
    let link = house.invited_by("noor", NOOR);
    let waiting = house.world.kubectl(&["get", "members"]);
    assert!(waiting.contains("Invited") && !waiting.contains("Lavoie"), "not in the list yet: {waiting}");
    in_time(async {
        let noor = Person::at(&house, "fr-CA").await;
        noor.opens(&link, true).await;
        let page = noor.page().await;
        assert_eq!(page.attribute("html", "lang").as_deref(), Some("fr"), "as the browser asks for");
        assert_eq!(page.form().value("email"), "noor@maple.example");
        assert_eq!(page.form().value("last_name"), "Lavoie");
        noor.photographs("1-invitation").await;
        // A password that does not do first, as people do.
        noor.types("password", "short").await;
        noor.types("repeated", "short").await;
        noor.goes_on("form button[type=submit]").await;
        assert_eq!(noor.page().await.faults().len(), 1);
        noor.photographs("2-refused").await;
        noor.types("title", "Dre").await;
        noor.types("password", PASSWORD).await;
        noor.types("repeated", PASSWORD).await;
        noor.goes_on("form button[type=submit]").await;
        let enrol = noor.page().await;
        let factor = Factor::of(&enrol);
        noor.photographs("3-second-factor").await;
        noor.types("code", &factor.code(house.now())).await;
        noor.goes_on("form button[type=submit]").await;
        assert_eq!(noor.page().await.texts(".codes code").len(), 10);
        noor.photographs("4-recovery-codes").await;
        noor.goes_on("form button[type=submit]").await;
        assert_eq!(noor.path().await, "/");
        let home = noor.page().await;
        let text = home.texts("main").concat();
        for part in ["Noor Lavoie", "Dre", "Physician", "CHR Lite"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        noor.photographs("5-signed-in").await;
        noor.goes_on("form button[type=submit]").await;
        assert_eq!(noor.path().await, "/sign-in");
        noor.photographs("6-signed-out").await;
        // In again: the password, and the next code or one of the kept ones.
        noor.types("email", "noor@maple.example").await;
        noor.types("password", PASSWORD).await;
        noor.goes_on("form button[type=submit]").await;
        assert!(noor.page().await.attribute("#code", "inputmode").is_some());
        noor.photographs("7-code").await;
        let first = factor.code(house.now());
        let next = eventually_ok(PATIENCE * 2, "the app's next code", || {
            let now = factor.code(house.now());
            if now == first { Err(now) } else { Ok(now) }
        });
        noor.types("code", &next).await;
        noor.goes_on("form button[type=submit]").await;
        assert_eq!(noor.path().await, "/", "{:?}", noor.page().await.faults());
        noor.browser.close().await;
    });
    let member = house.world.member_in("Active", "noor");
    let listed = json!({"name": "Noor Lavoie", "title": "Dre", "designation": "Physician"});
    assert_eq!(member["status"]["member"], listed);
    let list = house.world.kubectl(&["get", "members"]);
    let row = list.lines().find(|row| row.contains("noor")).expect("a row");
    for part in ["Noor Lavoie", "Dre", "Physician", "Active"] {
        assert!(row.contains(part), "{list}");
    }
}

/// A mail filter that follows every link and lets the page's script run, and then presses nothing.
#[test]
fn a_scanner_with_a_browser_leaves_the_way_in_as_it_was() {
    let house = House::with("scanning-browser", PortalOptions { tls: true, ..PortalOptions::default() });
    house.world.apply(&staff("ana", &email("ana")));
    house.world.member_in("Invited", "ana");
    let link = path(&house.world.relay.wait_for(1, PATIENCE)[0]);
    let before = house.world.account_of("ana");
    in_time(async {
        let scanner = Person::at(&house, "en").await;
        for _ in 0..10 {
            scanner.opens(&link, true).await;
            // Every button that is no submit button, and every link but those that lead away.
            let presses =
                "document.querySelectorAll('button[type=button], label, summary').forEach((one) => one.click());
                           return document.forms.length";
            assert_eq!(scanner.browser.ask(presses).await, json!(1));
            scanner.open(&format!("{}?lang=fr", page_of(&link))).await;
        }
        assert_eq!(house.world.account_of("ana"), before);
        assert!(house.world.objects("cliniccredentials").is_empty());
        let ana = Person::at(&house, "en").await;
        ana.opens(&link, true).await;
        ana.types("first_name", "Ana").await;
        ana.types("last_name", "Silva").await;
        ana.types("password", PASSWORD).await;
        ana.types("repeated", PASSWORD).await;
        ana.presses("input[name=second_factor]").await;
        ana.goes_on("form button[type=submit]").await;
        assert_eq!(ana.path().await, "/", "{:?}", ana.page().await.faults());
        scanner.browser.close().await;
        ana.browser.close().await;
    });
    house.world.member_in("Active", "ana");
}

/// On a slow network, with each button pressed twice, with the page's script and where it did not arrive.
#[test]
fn on_a_slow_network_a_second_click_changes_nothing_anywhere() {
    let options = PortalOptions { tls: true, ..PortalOptions::default() };
    let house = House::at_with("slowclicks", "2027-06-01T12:00:00Z", options);
    for (name, blocked) in [("ana", json!([])), ("bea", json!(["*/portal.js"]))] {
        let link = house.invited(name);
        in_time(async {
            let person = Person::at(&house, "en").await;
            person.browser.devtools("Network.enable", json!({})).await;
            person.browser.devtools("Network.setBlockedURLs", json!({"urls": blocked})).await;
            let slow = json!({"offline": false, "latency": 1500, "downloadThroughput": -1, "uploadThroughput": -1});
            person.browser.devtools("Network.emulateNetworkConditions", slow).await;
            let submit = "form button[type=submit]";
            person.opens(&link, blocked == json!([])).await;
            person.types("first_name", "Ana").await;
            person.types("last_name", "Silva").await;
            person.types("password", PASSWORD).await;
            person.types("repeated", PASSWORD).await;
            assert_eq!(person.goes_on_twice(submit).await, format!("{}/second-factor", page_of(&link)));
            let factor = Factor::of(&person.page().await);
            person.types("code", &factor.code(house.now())).await;
            assert_eq!(person.goes_on_twice(submit).await, "/recovery-codes", "{:?}", person.page().await.faults());
            assert_eq!(person.goes_on_twice(submit).await, "/");
            assert_eq!(person.goes_on_twice(submit).await, "/sign-in", "signed out");
            house.world.clock().advance(jiff::SignedDuration::from_mins(1));
            person.types("email", &email(name)).await;
            person.types("password", PASSWORD).await;
            assert_eq!(person.goes_on_twice(submit).await, "/sign-in/code");
            person.types("code", &factor.code(house.now())).await;
            assert_eq!(person.goes_on_twice(submit).await, "/", "{:?}", person.page().await.faults());
            person.browser.close().await;
        });
        house.world.member_in("Active", name);
    }
    assert_eq!(house.world.objects("cliniccredentials").len(), 2, "one each");
}

/// Opened, gone back to, loaded again, and opened by putting another link into the address bar of the page that asks for a code.
#[test]
fn no_link_stays_in_the_address_whichever_way_it_is_opened() {
    let house = House::with("addresses", PortalOptions { tls: true, ..PortalOptions::default() });
    let (ana, bea) = (house.invited("ana"), house.invited("bea"));
    in_time(async {
        let person = Person::at(&house, "en").await;
        person.open("/sign-in").await;
        person.opens(&ana, true).await;
        person.browser.client.refresh().await.expect("it can be loaded again");
        person.is_at(&page_of(&ana)).await;
        person.browser.client.back().await.expect("there is a page before");
        person.is_at("/sign-in").await;
        person.open("/invitations").await;
        person.photographs("0-code").await;
        let pasted = format!("location.hash = '{}'; return true", bea.split_once('#').expect("a code").1);
        person.browser.ask(&pasted).await;
        person.is_at(&page_of(&bea)).await;
        assert_eq!(person.page().await.form().value("email"), email("bea"));
        person.browser.close().await;
    });
}
