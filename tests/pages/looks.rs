//! How every page looks: nothing beside the edge, nothing too faint or too small to hit, nothing that axe-core finds against WCAG.
//! Never here: what happens when something is pressed (`uses`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use clinic_operator::portal::pages::{Accent, SCRIPT as PORTAL_JS, icon, style};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::browser::{Browser, Scheme, View};
use crate::cases::{CODES, Case, ICON, LOGO, SCRIPT, SECRET, WIDE_LOGO, cases};
use crate::readers::{OWN_STYLE, STYLE};
use crate::server::{Server, Site};

/// The narrowest that a page must fit into without being moved sideways (WCAG 2.2, reflow), in CSS pixels.
pub(crate) const PHONE: u32 = 320;
pub(crate) const DESK: u32 = 1280;
/// CSS pixels that a finger hits (WCAG 2.2, target size enhanced).
const FINGER: f64 = 44.0;
/// Of a text to what it stands on (WCAG 2.2, contrast minimum).
const CONTRAST: f64 = 4.5;
/// Of the edge of a field, or of what shows where the keyboard is (WCAG 2.2, non-text contrast).
const EDGE: f64 = 3.0;

/// What axe-core finds: all its rules, those that it could not decide with certainty included.
const RUN_AXE: &str =
    "return axe.run().then(({ violations, incomplete }) => [...violations, ...incomplete].flatMap((rule) =>
  rule.nodes.map((node) => `${rule.id} (${rule.help}): ${node.html} ${JSON.stringify(node.any)}`)));";
const MEASURE: &str = concat!(include_str!("../support/looks.js"), include_str!("measure.js"));

/// What `measure.js` tells of a page. Lengths are CSS pixels.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Seen {
    language: String,
    title: String,
    heading: String,
    width: u32,
    scroll_width: u32,
    scroll_height: u32,
    /// Of the page's own ground, from 0 (black) to 1 (white).
    luminance: f64,
    /// The texts that are to be seen, and those that are not.
    shown: Vec<Text>,
    hidden: Vec<String>,
    /// All that a reader could select and copy.
    words: String,
    fields: Vec<Field>,
    pictures: Vec<Picture>,
    targets: Vec<Target>,
    focused: Vec<Focused>,
    /// What was loaded besides the page.
    requests: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Text {
    says: String,
    contrast: f64,
    left: f64,
    right: f64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Field {
    name: String,
    contrast: f64,
    edge: f64,
    read_only: bool,
}

#[derive(Debug, Deserialize)]
struct Picture {
    says: Option<String>,
    left: f64,
    right: f64,
    width: f64,
    height: f64,
}

#[derive(Debug, Deserialize)]
struct Target {
    says: String,
    /// A sentence.
    within: bool,
    left: f64,
    right: f64,
    width: f64,
    height: f64,
}

#[derive(Debug, Deserialize)]
struct Focused {
    says: String,
    reached: bool,
    frame: f64,
    contrast: f64,
}

/// What is wrong on a page, each named by the page and how it was looked at.
#[derive(Default)]
struct Complaints(Vec<String>);

impl Complaints {
    fn demand(&mut self, holds: bool, complaint: impl FnOnce() -> String) {
        if !holds {
            self.0.push(complaint());
        }
    }
}

pub(crate) fn serve(cases: &[Case]) -> Server {
    let own = Accent::parse("#a3195b").expect("a colour that can be read");
    let mut site = Site::from([
        (STYLE.to_owned(), ("text/css", style(None))),
        (OWN_STYLE.to_owned(), ("text/css", style(Some(own)))),
        (SCRIPT.to_owned(), ("text/javascript", PORTAL_JS.to_owned())),
        (ICON.to_owned(), ("image/svg+xml", icon(None))),
        (LOGO.to_owned(), ("image/svg+xml", include_str!("logo.svg").to_owned())),
        (WIDE_LOGO.to_owned(), ("image/svg+xml", include_str!("logo.svg").replace("0 0 64 64", "0 0 900 64"))),
    ]);
    site.extend(cases.iter().map(|case| (path(case), ("text/html", case.html.clone()))));
    Server::start(site)
}

pub(crate) fn named<'a>(cases: &'a [Case], name: &str) -> &'a Case {
    cases.iter().find(|case| case.name == name).unwrap_or_else(|| panic!("there is no page {name}"))
}

pub(crate) fn path(case: &Case) -> String {
    format!("/{}", case.name)
}

/// Where pictures go; `part` is a folder whose earlier pictures are gone.
pub(crate) fn pictures(part: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots").join("portal").join(part);
    // It may not be there.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("the build folder takes a folder");
    folder
}

fn axe() -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages/axe/get");
    let output = Command::new(&script).output().unwrap_or_else(|error| panic!("{}: {error}", script.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let file = String::from_utf8(output.stdout).expect("a path is text");
    std::fs::read_to_string(file.trim_end()).expect("it was just installed")
}

#[tokio::test]
async fn every_page_is_readable_on_a_phone_and_on_a_desk_in_light_and_in_dark() {
    let cases = cases();
    let server = serve(&cases);
    let axe = axe();
    let folder = pictures("pages");
    let (one, other) = cases.split_at(cases.len() / 2);
    let look_at_all = async |cases: &[Case]| {
        let browser = Browser::start(&[]).await;
        // In every document, before the page's own script, and subject to no policy of the page.
        browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": axe})).await;
        let mut wrong = Vec::new();
        for case in cases {
            wrong.extend(look_at(&browser, &server.base, case, &folder).await);
        }
        browser.close().await;
        wrong
    };
    let (mut wrong, more) = tokio::join!(look_at_all(one), look_at_all(other));
    wrong.extend(more);
    let mut known: Vec<_> = cases.iter().map(path).collect();
    known.extend([STYLE, OWN_STYLE, SCRIPT, ICON, LOGO, WIDE_LOGO].map(str::to_owned));
    wrong.extend(
        server.asked().into_iter().filter(|path| !known.contains(path)).map(|path| format!("asked for {path}")),
    );
    assert!(wrong.is_empty(), "a reader would have trouble (pictures: {}):\n{}", folder.display(), wrong.join("\n"));
}

async fn look_at(browser: &Browser, base: &str, case: &Case, folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    browser.open(&format!("{base}{}", path(case))).await;
    // What has the keyboard first is settled when the page has been drawn.
    let drawn = "return new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))";
    browser.ask(drawn).await;
    let focused = browser.ask("return document.activeElement.className").await;
    let expected = match () {
        () if case.errors > 0 || case.name.starts_with("sign-in-refused") => "summary",
        () if case.name.starts_with("code") => "code",
        () => "",
    };
    if focused != expected {
        all.push(format!("{}: the keyboard is at {focused} first", case.name));
    }
    for (width, scheme) in [(PHONE, Scheme::Light), (PHONE, Scheme::Dark), (DESK, Scheme::Light), (DESK, Scheme::Dark)]
    {
        let view = View { width, scheme };
        browser.look_as(view).await;
        let seen = browser.ask(MEASURE).await;
        let seen: Seen = serde_json::from_value(seen).expect("measure.js tells what is read here");
        let name = format!("{}-{width}-{}", case.name, scheme.name());
        browser.photograph(view, seen.scroll_height, &folder.join(format!("{name}.png"))).await;
        let mut complaints = Complaints::default();
        content(case, &seen, &mut complaints);
        layout(view, &seen, &mut complaints);
        hands(view, &seen, &mut complaints);
        let found: Vec<String> = serde_json::from_value(browser.ask(RUN_AXE).await).expect("a list of what it found");
        complaints.0.extend(found);
        complaints.0.extend(browser.console().await.into_iter().map(|line| format!("the browser says {line}")));
        all.extend(complaints.0.into_iter().map(|complaint| format!("{name}: {complaint}")));
    }
    if case.name.starts_with("recovery-codes") {
        all.extend(codes_that_are_broken(browser).await.into_iter().map(|said| format!("{}: {said}", case.name)));
    }
    // A desk at 200 %, and all text twice as large on top of it.
    browser.look_as(View { width: DESK / 2, scheme: Scheme::Light }).await;
    let large = "document.documentElement.style.fontSize = '200%'; return document.documentElement.scrollWidth;";
    let width = browser.ask(large).await;
    if width != DESK / 2 {
        all.push(format!("{} with large text: {width} wide", case.name));
    }
    all
}

/// Each recovery code stands on one line of a telephone, and within its frame.
async fn codes_that_are_broken(browser: &Browser) -> Vec<String> {
    let mut broken = Vec::new();
    for width in [PHONE, 360, 412, DESK] {
        browser.look_as(View { width, scheme: Scheme::Light }).await;
        let seen = browser
            .ask(
                "const frame = document.querySelector('.codes').getBoundingClientRect();
                 return [...document.querySelectorAll('.codes code')].filter((code) => code.getClientRects().length === 1
                   && code.getBoundingClientRect().right < frame.right && code.getBoundingClientRect().left > frame.left).length;",
            )
            .await;
        if seen != CODES.len() {
            broken.push(format!("{seen} codes are on one line at {width}"));
        }
    }
    broken
}

/// What it says, and what it loaded to say it.
fn content(case: &Case, seen: &Seen, complaints: &mut Complaints) {
    let reader = &case.reader;
    complaints.demand(seen.language == reader.language(), || format!("its language is said to be {:?}", seen.language));
    let error = if reader.language() == "en" { "Error: " } else { "Erreur\u{a0}: " };
    let prefix = if case.errors > 0 { error } else { "" };
    // Blanks in a row are one.
    let title = format!("{prefix}{} – {}", seen.heading, reader.clinic);
    complaints.demand(seen.title == title, || format!("its title is {:?}, not {title:?}", seen.title));
    complaints.demand(seen.words.contains(reader.clinic), || "the clinic is not named".to_owned());
    // The recovery code that most readers do not need.
    let may_hide = case.name.starts_with("code") || case.name.starts_with("enrol");
    complaints.demand(seen.hidden.is_empty() || may_hide, || format!("not to be seen: {:?}", seen.hidden));
    if case.name.starts_with("enrol") {
        complaints.demand(seen.words.contains(SECRET), || "the key is not to be seen in groups".to_owned());
    }
    let mut requests: BTreeSet<_> = [reader.stylesheet, SCRIPT].into_iter().chain(reader.logo).collect();
    let mut loaded: BTreeSet<_> = seen.requests.iter().map(String::as_str).collect();
    // The tab's, which a browser asks for once.
    loaded.insert(ICON);
    requests.insert(ICON);
    complaints.demand(loaded == requests, || format!("it loads {loaded:?}"));
}

/// Where it stands and whether it can be made out.
fn layout(view: View, seen: &Seen, complaints: &mut Complaints) {
    let width = f64::from(view.width);
    let dark = seen.luminance < 0.1;
    complaints.demand(dark == (view.scheme == Scheme::Dark), || format!("its ground has luminance {}", seen.luminance));
    complaints.demand(seen.width == view.width, || format!("it makes the window {} wide", seen.width));
    complaints.demand(seen.scroll_width <= view.width, || format!("it is {} wide", seen.scroll_width));
    for Text { says, contrast, left, right } in &seen.shown {
        complaints.demand(*left >= 0.0 && *right <= width, || format!("{says:?} goes from {left} to {right}"));
        complaints.demand(*contrast >= CONTRAST, || format!("{says:?} has a contrast of {contrast:.2}"));
    }
    for Field { name, contrast, edge, read_only } in &seen.fields {
        complaints.demand(*contrast >= CONTRAST, || format!("what is in {name} has a contrast of {contrast:.2}"));
        complaints.demand(*read_only || *edge >= EDGE, || format!("the edge of {name} has a contrast of {edge:.2}"));
    }
    for Picture { says, left, right, width: wide, height } in &seen.pictures {
        complaints.demand(says.is_some(), || "a picture without words".to_owned());
        complaints.demand(*left >= 0.0 && *right <= width, || format!("a picture goes from {left} to {right}"));
        complaints.demand(*wide >= 20.0 && *height >= 1.0, || format!("a picture is {wide} by {height}"));
    }
}

/// What is pressed, and where the keyboard goes.
fn hands(view: View, seen: &Seen, complaints: &mut Complaints) {
    for Target { says, within, left, right, width, height } in &seen.targets {
        let reached = *left >= 0.0 && *right <= f64::from(view.width);
        complaints.demand(reached, || format!("{says:?} goes from {left} to {right}"));
        let large = *within || (*height >= FINGER && *width >= FINGER);
        complaints.demand(large, || format!("{says:?} is {width} by {height}"));
    }
    for Focused { says, reached, frame, contrast } in &seen.focused {
        complaints.demand(*reached, || format!("the keyboard does not reach {says:?}"));
        complaints.demand(*frame >= 2.0 && *contrast >= EDGE, || {
            format!("the keyboard at {says:?} is framed by {frame} at a contrast of {contrast:.2}")
        });
    }
}

/// Pictures of what only some readers see; that they can be read is looked at, not measured.
#[tokio::test]
async fn pages_keep_their_edges_where_the_system_chooses_the_colours() {
    let cases = cases();
    let server = serve(&cases);
    let folder = pictures("forced-colors");
    let browser = Browser::start(&[]).await;
    let view = View { width: DESK, scheme: Scheme::Dark };
    browser.look_as(view).await;
    let features =
        json!([{"name": "forced-colors", "value": "active"}, {"name": "prefers-color-scheme", "value": "dark"}]);
    browser.devtools("Emulation.setEmulatedMedia", json!({"features": features})).await;
    let fullest =
        ["accept-refused", "enrol-used", "recovery-codes", "sign-in-refused", "code-recovery-refused", "home-position"];
    for case in fullest.map(|name| named(&cases, &format!("{name}-en-usual"))) {
        browser.open(&format!("{}{}", server.base, path(case))).await;
        let seen = browser
            .ask(
                "const edges = [...document.querySelectorAll('.button, .card, .field input:not(.unseen), .summary, .note')];
                 return [document.documentElement.scrollHeight, matchMedia('(forced-colors: active)').matches,
                   edges.every((edge) => getComputedStyle(edge).borderTopStyle === 'solid')];",
            )
            .await;
        assert_eq!((&seen[1], &seen[2]), (&Value::Bool(true), &Value::Bool(true)), "{}", case.name);
        let height = u32::try_from(seen[0].as_u64().expect("a height")).expect("a short page");
        browser.photograph(view, height, &folder.join(format!("{}.png", case.name))).await;
    }
    browser.close().await;
}
