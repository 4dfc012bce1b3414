//! What happens when a page is used: the keyboard, the script's buttons, paper, and the same without a script. Never here: how a
//! page looks.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::browser::{Browser, Scheme, View};
use crate::cases::{CODES, PORTAL, SECRET, cases};
use crate::looks::{DESK, PHONE, named, path, pictures, serve};

/// Longest wait for a file, and how often it is looked for.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const DESKTOP: View = View { width: DESK, scheme: Scheme::Light };

#[tokio::test]
async fn passwords_can_be_looked_at_and_pasted_and_are_hidden_again_when_sent() {
    let cases = cases();
    let server = serve(&cases);
    let browser = Browser::start(&[]).await;
    browser.look_as(DESKTOP).await;
    for (page, fields) in [("accept-en-usual", 2), ("sign-in-en-usual", 1)] {
        browser.open(&format!("{}{}", server.base, path(named(&cases, page)))).await;
        let types = "return [...document.querySelectorAll('#password, #repeated')].map((field) => field.type).join()";
        let all = |kind: &str| Value::from(vec![kind; fields].join(","));
        assert_eq!(browser.ask(types).await, all("password"), "{page}");
        let press = "document.querySelector('.show').click()";
        for kind in ["text", "password", "text"] {
            browser.ask(press).await;
            assert_eq!(browser.ask(types).await, all(kind), "{page}");
        }
        browser
            .ask(
                "const { form } = document.querySelector('.show input');
                  form.addEventListener('submit', (event) => event.preventDefault()); form.requestSubmit();",
            )
            .await;
        assert_eq!(browser.ask(types).await, all("password"), "{page}: what is sent is hidden");
        browser.ask("document.querySelector('#password').focus();").await;
        browser.devtools("Input.insertText", json!({"text": "as pasted or from a keeper of passwords"})).await;
        let pasted = browser.ask("return document.querySelector('#password').value").await;
        assert_eq!(pasted, "as pasted or from a keeper of passwords", "{page}");
    }
    browser.close().await;
}

#[tokio::test]
async fn recovery_codes_are_copied_and_printed_without_what_is_not_theirs() {
    let cases = cases();
    let server = serve(&cases);
    let folder = pictures("paper");
    let browser = Browser::start(&[]).await;
    let view = View { width: 720, scheme: Scheme::Dark };
    browser.look_as(view).await;
    let permissions = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"], "origin": server.base});
    browser.devtools("Browser.grantPermissions", permissions).await;
    browser.open(&format!("{}{}", server.base, path(named(&cases, "recovery-codes-en-usual")))).await;
    let copied = browser
        .ask(
            "document.querySelector('[data-copies]').click();
             return new Promise((told) => new MutationObserver(() => told(document.querySelector('.told').textContent))
               .observe(document.querySelector('.told'), { childList: true }))
               .then(async (said) => [said, await navigator.clipboard.readText()]);",
        )
        .await;
    assert_eq!(copied[0], "Copied");
    let copied = copied[1].as_str().expect("text");
    assert_eq!((copied.lines().count(), copied.lines().next()), (10, Some("7KQF-3MWD-Y6JV-FHCZ-AFJ3-DB79")));
    let printed =
        "let asked = 0; window.print = () => asked++; document.querySelector('[data-prints]').click(); return asked;";
    assert_eq!(browser.ask(printed).await, 1);

    browser.devtools("Emulation.setEmulatedMedia", json!({"media": "print"})).await;
    let paper = browser
        .ask(
            "const seen = (of) => [...document.querySelectorAll(of)].filter((one) => one.checkVisibility()).length;
             return [seen('.codes code'), seen('.clinic'), seen('button, a'), getComputedStyle(document.body).backgroundColor,
               document.documentElement.scrollHeight, document.querySelector('main').innerText];",
        )
        .await;
    assert_eq!(paper.as_array().expect("a list")[..4], [json!(10), json!(1), json!(0), json!("rgb(255, 255, 255)")]);
    let (reader, words) = (named(&cases, "recovery-codes-en-usual").reader, paper[5].as_str().expect("text"));
    for whose in [reader.name, reader.email, PORTAL, reader.last_day] {
        assert!(words.contains(whose), "the paper does not say {whose}: {words}");
    }
    let height = u32::try_from(paper[4].as_u64().expect("a height")).expect("a short page");
    browser.photograph(view, height, &folder.join("recovery-codes.png")).await;
    browser.close().await;
}

#[tokio::test]
async fn recovery_codes_are_downloaded_as_a_file_that_says_whose_they_are_with_or_without_a_script() {
    let cases = cases();
    let server = serve(&cases);
    let folder = tempfile::tempdir().expect("a folder");
    let browser = Browser::start(&[]).await;
    browser.look_as(View { width: PHONE, scheme: Scheme::Light }).await;
    let behaviour = json!({"behavior": "allow", "downloadPath": folder.path()});
    browser.devtools("Browser.setDownloadBehavior", behaviour).await;
    for (page, name, has_script) in [
        ("recovery-codes-en-usual", "recovery-codes.txt", true),
        ("recovery-codes-fr-usual", "codes-de-recuperation.txt", false),
    ] {
        let case = named(&cases, page);
        browser.devtools("Emulation.setScriptExecutionDisabled", json!({"value": !has_script})).await;
        browser.open(&format!("{}{}", server.base, path(case))).await;
        browser.devtools("Emulation.setScriptExecutionDisabled", json!({"value": false})).await;
        // As a finger does it: a script's own click says nothing about what a page may do without one.
        let at = browser
            .ask(
                "const link = document.querySelector('[download]'); link.scrollIntoView();
                 const { left, top, width, height } = link.getBoundingClientRect(); return [left + width / 2, top + height / 2];",
            )
            .await;
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1});
            browser.devtools("Input.dispatchMouseEvent", event).await;
        }
        let file = folder.path().join(name);
        // It has this name once it is whole.
        let whole = async {
            loop {
                match std::fs::read_to_string(&file) {
                    Ok(said) => break said,
                    Err(_) => sleep(LOOK_EVERY).await,
                }
            }
        };
        let said = timeout(PATIENCE, whole).await.expect("the file comes");
        let reader = &case.reader;
        for whose in [reader.clinic, reader.name, reader.email, PORTAL, reader.last_day] {
            assert!(said.contains(whose), "{page}: {whose} is not in {said}");
        }
        let codes: Vec<_> = said.lines().filter(|line| CODES.iter().any(|code| code == line)).collect();
        assert_eq!(codes, CODES.iter().collect::<Vec<_>>(), "{page}");
        assert_eq!(browser.console().await, Vec::<String>::new(), "{page}");
    }
    browser.close().await;
}

/// What of setting up an app is to be seen, from above to below.
const SEEN: &str = "const parts = { open: '.on-this-device a', key: '.key', copy: '.add button', unfold: '.fold summary', qr: '.qr', code: '#code' };
  const top = ([, one]) => document.querySelector(one).getBoundingClientRect().top;
  return Object.entries(parts).filter(([, one]) => document.querySelector(one).checkVisibility())
    .sort((one, other) => top(one) - top(other)).map(([name]) => name).join(' ');";

#[tokio::test]
async fn on_a_phone_an_app_is_opened_or_given_the_key_and_nobody_has_to_scan_their_own_screen() {
    let cases = cases();
    let server = serve(&cases);
    let browser = Browser::start(&[]).await;
    let permissions = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"], "origin": server.base});
    browser.devtools("Browser.grantPermissions", permissions).await;
    for page in ["enrol-en-usual", "enrol-fr-usual"] {
        let url = format!("{}{}", server.base, path(named(&cases, page)));
        for (width, has_script, seen) in [
            (360, true, "open key copy unfold code"),
            (360, false, "open key unfold code"),
            (DESK, true, "qr key copy code"),
            (DESK, false, "qr key code"),
        ] {
            browser.look_as(View { width, scheme: Scheme::Light }).await;
            browser.devtools("Emulation.setScriptExecutionDisabled", json!({"value": !has_script})).await;
            browser.open(&url).await;
            browser.devtools("Emulation.setScriptExecutionDisabled", json!({"value": false})).await;
            assert_eq!(browser.ask(SEEN).await, seen, "{page} {width} {has_script}");
            if width == 360 {
                browser.ask("document.querySelector('.fold summary').click()").await;
                assert_eq!(browser.ask(SEEN).await, seen.replace("unfold", "unfold qr"), "{page} unfolded");
            }
        }
        browser.open(&url).await;
        let copied = browser
            .ask(
                "document.querySelector('.add button').click();
                 return new Promise((told) => new MutationObserver(told).observe(document.querySelector('.told'), { childList: true }))
                   .then(() => navigator.clipboard.readText());",
            )
            .await;
        assert_eq!(copied, SECRET.replace(' ', ""), "{page}");
    }
    browser.close().await;
}

#[tokio::test]
async fn without_a_script_no_button_is_to_be_seen_that_needs_one() {
    let cases = cases();
    let server = serve(&cases);
    let browser = Browser::start(&[]).await;
    browser.look_as(DESKTOP).await;
    for page in ["accept-en-usual", "sign-in-en-usual", "enrol-en-usual", "recovery-codes-en-usual"] {
        let url = format!("{}{}", server.base, path(named(&cases, page)));
        let seen =
            "const found = [...document.querySelectorAll('button, .show')].filter((one) => one.type !== 'submit');
                    return [found.length, found.filter((one) => one.checkVisibility()).length];";
        browser.open(&url).await;
        let all = browser.ask(seen).await;
        assert!(all[0].as_u64() > Some(0) && all[0] == all[1], "{page}: {all}");
        browser.devtools("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
        browser.open(&url).await;
        browser.devtools("Emulation.setScriptExecutionDisabled", json!({"value": false})).await;
        assert_eq!(browser.ask(seen).await, json!([all[0], 0]), "{page}");
    }
    browser.close().await;
}

#[tokio::test]
async fn another_language_keeps_what_was_typed_and_nothing_that_is_secret() {
    for (page, typed, secret) in [
        ("accept", json!({"first_name": "Zoë", "title": "RN"}), &["password", "repeated"][..]),
        ("sign-in", json!({"email": "zoe@maple.example"}), &["password"]),
        ("code", json!({}), &["code", "recovery_code"]),
    ] {
        let here = |language: &str| {
            let name = format!("{page}-{language}-usual");
            cases().into_iter().find(|case| case.name == name).unwrap_or_else(|| panic!("there is no page {name}"))
        };
        let (mut english, mut french) = (here("en"), here("fr"));
        (english.name, french.name) = ("here".to_owned(), "here?lang=fr".to_owned());
        let server = serve(&[english, french]);
        let browser = Browser::start(&[]).await;
        browser.open(&format!("{}/here", server.base)).await;
        let fill = |id: &str, value: &Value| format!("document.getElementById('{id}').value = {value};");
        for (id, value) in typed.as_object().expect("an object") {
            browser.ask(&fill(id, value)).await;
        }
        for id in secret {
            browser.ask(&fill(id, &json!("of nobody else"))).await;
        }
        // A password that is shown is none the less one.
        browser.ask("for (const box of document.querySelectorAll('.show input')) box.click();").await;
        // The browser is led there by the test, which knows when the page is there.
        browser
            .ask(
                "const link = document.querySelector('.languages a');
                  link.addEventListener('click', (event) => event.preventDefault()); link.click();",
            )
            .await;
        let kept = browser.ask("return sessionStorage.getItem('typed')").await;
        assert!(!kept.as_str().expect("text").contains("of nobody else"), "{page}: {kept}");
        browser.open(&format!("{}/here?lang=fr", server.base)).await;
        assert_eq!(browser.ask("return document.documentElement.lang").await, "fr");
        for (id, value) in typed.as_object().expect("an object") {
            assert_eq!(&browser.ask(&format!("return document.getElementById('{id}').value")).await, value, "{page}");
        }
        for id in secret {
            assert_eq!(browser.ask(&format!("return document.getElementById('{id}').value")).await, "", "{page}");
        }
        assert_eq!(browser.ask("return sessionStorage.length").await, 0, "{page}: nothing stays");
        browser.close().await;
    }
}

#[tokio::test]
async fn the_keyboard_begins_where_one_types_first() {
    let cases = cases();
    let server = serve(&cases);
    let browser = Browser::start(&[]).await;
    for (page, begins) in
        [("sign-in", "email"), ("sign-in-signed-out", "email"), ("sign-in-took-too-long", "password"), ("code", "code")]
    {
        let page = named(&cases, &format!("{page}-en-usual"));
        browser.open(&format!("{}{}", server.base, path(page))).await;
        // The browser moves the keyboard when it draws the page.
        let focused = "return new Promise((told) => requestAnimationFrame(() => told(document.activeElement.id)))";
        assert_eq!(browser.ask(focused).await, begins, "{}", page.name);
    }
    browser.close().await;
}

#[tokio::test]
async fn names_in_chinese_and_in_syllabics_are_drawn_and_not_boxes() {
    let cases = cases();
    let server = serve(&cases);
    let browser = Browser::start(&[]).await;
    for (page, name) in [("home-position-en-short", "李"), ("home-position-en-syllabics", "ᐊᓇ")] {
        browser.open(&format!("{}{}", server.base, path(named(&cases, page)))).await;
        // As what no font has: a code point that Unicode has not given to anything.
        let drawn = browser
            .ask(&format!(
                "const drawn = (text) => {{
                   const canvas = document.createElement('canvas');
                   const on = canvas.getContext('2d');
                   on.font = getComputedStyle(document.body).font;
                   on.fillText(text, 10, 50);
                   return canvas.toDataURL();
                 }};
                 return [document.body.innerText.includes('{name}'),
                   [...'{name}'].map((letter) => drawn(letter) !== drawn('\\u{{378}}') && drawn(letter) !== drawn(' '))];"
            ))
            .await;
        assert_eq!(drawn, json!([true, vec![true; name.chars().count()]]), "{page}");
    }
    browser.close().await;
}

#[tokio::test]
async fn an_entry_that_was_refused_is_one_key_away_from_its_reason() {
    let cases = cases();
    let server = serve(&cases);
    let browser = Browser::start(&[]).await;
    browser.look_as(View { width: PHONE, scheme: Scheme::Light }).await;
    browser.open(&format!("{}{}", server.base, path(named(&cases, "accept-refused-fr-usual")))).await;
    let focused = "return new Promise((told) => requestAnimationFrame(() => told(document.activeElement.className)))";
    assert_eq!(browser.ask(focused).await, "summary");
    for key in ["Tab", "Enter"] {
        press(&browser, key).await;
    }
    assert_eq!(browser.ask("return document.activeElement.id").await, "first_name");
    let reason = browser
        .ask(
            "return document.activeElement.getAttribute('aria-describedby').split(' ')
               .map((id) => document.getElementById(id).textContent).join()",
        )
        .await;
    assert_eq!(reason, "Saisissez au moins un nom, prénom ou nom de famille.");
    browser.close().await;
}

async fn press(browser: &Browser, key: &str) {
    let (code, text) = if key == "Enter" { (13, "\r") } else { (9, "") };
    for kind in ["keyDown", "keyUp"] {
        let event = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text});
        browser.devtools("Input.dispatchKeyEvent", event).await;
    }
}
