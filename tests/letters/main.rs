//! Every letter as its reader sees it: rendered, encoded, taken apart again and opened in a real browser, on a phone and on
//! a desk, in light and in dark. The pictures are left in the build folder, in `screenshots/letters`, to be looked at.
//! Never here: the exact words (the tests beside the templates have them).
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../support/browser.rs"]
mod browser;
mod cases;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use browser::{Browser, Scheme, View};
use cases::{Case, Mail, cases};

const PHONE: u32 = 360;
const DESK: u32 = 1280;
/// CSS pixels that a finger hits (WCAG 2.2, target size enhanced).
const FINGER: f64 = 44.0;
/// Of a text to what it stands on (WCAG 2.2, contrast minimum).
const CONTRAST: f64 = 4.5;

const MEASURE: &str = concat!(include_str!("../support/looks.js"), include_str!("measure.js"));

/// What `measure.js` tells of a page. Lengths are CSS pixels.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    language: String,
    title: String,
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
    buttons: Vec<Button>,
    links: Vec<Link>,
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
struct Button {
    says: String,
    target: String,
    left: f64,
    right: f64,
    height: f64,
}

#[derive(Debug, Deserialize)]
struct Link {
    says: String,
    target: String,
}

#[tokio::test]
async fn every_letter_is_readable_on_a_phone_and_on_a_desk_in_light_and_in_dark() {
    let pictures = empty_folder();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("letter.html");
    let browser = Browser::start(&[]).await;
    let mut wrong = Vec::new();
    for case in cases() {
        let mail = case.mail();
        std::fs::write(&file, &mail.html).expect("the folder takes a file");
        browser.open(&format!("file://{}", file.display())).await;
        let console = browser.console().await;
        if !console.is_empty() {
            wrong.push(format!("{}: the browser says {console:?}", case.name()));
        }
        for (width, scheme) in
            [(PHONE, Scheme::Light), (PHONE, Scheme::Dark), (DESK, Scheme::Light), (DESK, Scheme::Dark)]
        {
            let view = View { width, scheme };
            browser.look_as(view).await;
            let page = browser.ask(MEASURE).await;
            let page: Page = serde_json::from_value(page).expect("measure.js tells what is read here");
            let name = format!("{}-{width}-{}", case.name(), scheme.name());
            browser.photograph(view, page.scroll_height, &pictures.join(format!("{name}.png"))).await;
            wrong.extend(
                complaints(&case, &mail, view, &page).into_iter().map(|complaint| format!("{name}: {complaint}")),
            );
        }
    }
    browser.close().await;
    assert!(wrong.is_empty(), "a reader would have trouble (pictures: {}):\n{}", pictures.display(), wrong.join("\n"));
}

/// A new folder beside the binaries; pictures of letters that are no more are gone.
fn empty_folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots").join("letters");
    // It may not be there.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("the build folder takes a folder");
    folder
}

fn complaints(case: &Case, mail: &Mail, view: View, page: &Page) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut demand = |holds: bool, complaint: String| {
        if !holds {
            wrong.push(complaint);
        }
    };
    demand(page.language == case.language(), format!("its language is said to be {:?}", page.language));
    demand(page.title == mail.subject, format!("its title is {:?}, its subject {:?}", page.title, mail.subject));
    demand(page.requests.is_empty(), format!("it loads {:?}", page.requests));
    let dark = page.luminance < 0.1;
    demand(dark == (view.scheme == Scheme::Dark), format!("its ground has the luminance {}", page.luminance));

    let width = f64::from(view.width);
    demand(page.width == view.width, format!("it makes the window {} wide", page.width));
    demand(page.scroll_width <= view.width, format!("it is {} wide", page.scroll_width));
    for Text { says, contrast, left, right } in &page.shown {
        demand(*left >= 0.0 && *right <= width, format!("{says:?} goes from {left} to {right}"));
        demand(*contrast >= CONTRAST, format!("{says:?} has a contrast of {contrast:.2}"));
    }

    demand(page.words.contains(case.names.clinic), format!("{:?} is not named", case.names.clinic));
    if let Some(name) = case.names.first_name {
        demand(page.words.contains(&format!(" {name},")), format!("{name:?} is not greeted"));
    }
    let preview = page.hidden.as_slice();
    let is_preview = matches!(preview, [text] if !page.words.contains(text.as_str()));
    demand(is_preview, format!("not only the preview is hidden, or it is not: {preview:?}"));

    let buttons: Vec<_> = page.buttons.iter().map(|button| (button.says.as_str(), button.target.as_str())).collect();
    demand(buttons == Vec::from_iter(case.button()), format!("its buttons are {buttons:?}"));
    for Button { left, right, height, .. } in &page.buttons {
        demand(*height >= FINGER, format!("the button is {height} high"));
        demand(*left >= 0.0 && *right <= width, format!("the button goes from {left} to {right}"));
    }
    // The button, and the address for those who do not press buttons in mails.
    let expected: Vec<_> = case.button().map_or(vec![], |(words, target)| vec![(words, target), (target, target)]);
    let links: Vec<_> = page.links.iter().map(|link| (link.says.as_str(), link.target.as_str())).collect();
    demand(links == expected, format!("its links are {links:?}"));
    let visible = expected.iter().all(|(text, _)| page.words.contains(text));
    demand(visible, "the link is not to be seen as text".to_owned());
    wrong
}
