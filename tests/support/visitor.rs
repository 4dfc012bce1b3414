//! Somebody with a browser, without the browser: pages are asked for over real HTTP, forms are filled in as they stand in the page
//! and sent as a browser sends them, cookies are kept. Never here: what a page should say.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::time::Duration;

use cookie::Cookie;
use scraper::{ElementRef, Html, Selector};
use serde::{Deserialize, Serialize};
use ureq::http::{HeaderMap, Request};

/// How the paths end of pages that follow within one task.
const NEXT_PAGES: [&str; 3] = ["/second-factor", "/sign-in/code", "/recovery-codes"];

/// A browser. A clone is another tab that then goes its own way.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    agent: ureq::Agent,
    base: String,
    cookies: BTreeMap<String, String>,
    headers: BTreeMap<&'static str, String>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// What may be compared of an answer: status, headers and body.
pub(crate) type Comparable = (u16, Vec<(String, String)>, String);

/// A form as it stands in a page.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Form {
    pub(crate) action: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl Visitor {
    pub(crate) fn of(port: u16) -> Self {
        Self::to(format!("http://127.0.0.1:{port}"))
    }

    /// Somebody who goes to this base URL.
    pub(crate) fn to(base: String) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(0)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Self { agent: config.into(), base, cookies: BTreeMap::new(), headers: BTreeMap::new() }
    }

    /// Sends this header from now on.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.to_owned());
        self
    }

    /// The same browser at another replica.
    pub(crate) fn at(&self, port: u16) -> Self {
        Self { base: format!("http://127.0.0.1:{port}"), ..self.clone() }
    }

    /// A cookie that it keeps, without the prefix of its name.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(&format!("__Host-{name}")).map(String::as_str)
    }

    /// Every cookie that it keeps, by its name without the prefix.
    pub(crate) fn cookies(&self) -> BTreeMap<String, String> {
        let bare = |name: &String| name.trim_start_matches("__Host-").to_owned();
        self.cookies.iter().map(|(name, value)| (bare(name), value.clone())).collect()
    }

    /// Puts a cookie into it.
    pub(crate) fn set_cookie(&mut self, name: &str, value: &str) {
        self.cookies.insert(format!("__Host-{name}"), value.to_owned());
    }

    /// Goes to an address, and to where it leads if it is a link. What is behind a `#` stays in the browser, and the form of the page
    /// sends it, as the page's script makes it do.
    #[track_caller]
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.try_to_get(path).unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// The same; the error is that nobody answers.
    pub(crate) fn try_to_get(&mut self, path: &str) -> Result<Answer, ureq::Error> {
        let Some((page, code)) = path.split_once('#') else { return self.try_to_send("GET", path, &[], "") };
        let page = self.try_to_send("GET", page, &[], "")?;
        if page.attribute("[data-opens]", "name").is_none() {
            return Ok(page);
        }
        let answer = self.try_to_submit(&page.form().with("link", code))?;
        match answer.location() {
            Some(next) => self.try_to_send("GET", &next, &[], ""),
            None => Ok(answer),
        }
    }

    pub(crate) fn head(&mut self, path: &str) -> Answer {
        self.send("HEAD", path, &[], "")
    }

    /// Sends a form as a browser does from one of our own pages.
    pub(crate) fn submit(&mut self, form: &Form) -> Answer {
        self.try_to_submit(form).unwrap_or_else(|error| panic!("POST {}: {error}", form.action))
    }

    /// The same; the error is that nobody answers.
    pub(crate) fn try_to_submit(&mut self, form: &Form) -> Result<Answer, ureq::Error> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&form.fields).finish();
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("sec-fetch-site", "same-origin"),
            ("origin", "null"),
        ];
        self.try_to_send("POST", &form.action, &headers, &body)
    }

    /// Sends a form, and follows to the next page of the same task.
    pub(crate) fn go_on(&mut self, form: &Form) -> Answer {
        let answer = self.submit(form);
        match answer.location() {
            Some(next) if NEXT_PAGES.iter().any(|page| next.ends_with(page)) => self.get(&next),
            _ => answer,
        }
    }

    /// Follows to where an answer leads.
    #[track_caller]
    pub(crate) fn follow(&mut self, answer: &Answer) -> Answer {
        let location = answer.location().unwrap_or_else(|| panic!("it leads nowhere: {}", answer.status));
        self.get(&location)
    }

    /// Any request.
    pub(crate) fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.try_to_send(method, path, headers, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Any request; the error is that nobody answers, or not to the end.
    pub(crate) fn try_to_send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer, ureq::Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        let mine = self.headers.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in mine.chain(headers.iter().copied()) {
            request = request.header(name, value);
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", pairs.join("; "));
        }
        let answer = if body.is_empty() && method != "POST" {
            self.agent.run(request.body(()).expect("a request"))
        } else {
            self.agent.run(request.body(body).expect("a request"))
        };
        let mut answer = answer?;
        for set in answer.headers().get_all("set-cookie") {
            self.take(set.to_str().expect("a cookie is ASCII"));
        }
        Ok(Answer {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: answer.body_mut().read_to_string()?,
        })
    }

    fn take(&mut self, set: &str) {
        let cookie = Cookie::parse(set).expect("a cookie");
        assert!(cookie.name().starts_with("__Host-") && cookie.path() == Some("/"), "{set}");
        assert!(cookie.secure() == Some(true) && cookie.http_only() == Some(true), "{set}");
        if cookie.max_age() == Some(cookie::time::Duration::ZERO) {
            self.cookies.remove(cookie.name());
        } else {
            self.cookies.insert(cookie.name().to_owned(), cookie.value().to_owned());
        }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("headers are ASCII"))
    }

    pub(crate) fn location(&self) -> Option<String> {
        self.header("location").map(str::to_owned)
    }

    /// The page's heading.
    pub(crate) fn heading(&self) -> String {
        self.texts("h1").concat()
    }

    /// The texts of what a selector finds.
    pub(crate) fn texts(&self, selector: &str) -> Vec<String> {
        let (page, selector) = (Html::parse_document(&self.body), parsed(selector));
        let texts = page.select(&selector).map(|found| {
            let text: String = found.text().collect();
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        });
        texts.collect()
    }

    /// An attribute of the first thing that a selector finds.
    pub(crate) fn attribute(&self, selector: &str, name: &str) -> Option<String> {
        let page = Html::parse_document(&self.body);
        page.select(&parsed(selector)).next()?.attr(name).map(str::to_owned)
    }

    /// What the page's reader is told to put right.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.texts(".fault")
    }

    /// The one form of the page, or the one that goes to this path.
    #[track_caller]
    pub(crate) fn form(&self) -> Form {
        let page = Html::parse_document(&self.body);
        let form = page.select(&parsed("form")).next();
        let form = form.unwrap_or_else(|| panic!("{} {:?} has no form", self.status, self.heading()));
        let fields = form.select(&parsed("input[name]")).filter_map(field).collect();
        Form { action: form.attr("action").expect("a form goes somewhere").to_owned(), fields }
    }

    /// The status, the body and the headers that do not say when it was: for comparing two answers.
    pub(crate) fn without_random(&self) -> Comparable {
        let token = self.form_token();
        let without = |text: &str| if token.is_empty() { text.to_owned() } else { text.replace(&token, "…") };
        let headers = self.headers.iter().filter(|(name, _)| *name != "date");
        let headers = headers.map(|(name, value)| {
            let value = value.to_str().expect("headers are ASCII");
            let value = if name == "set-cookie" { value.split('=').next().unwrap_or_default() } else { value };
            (name.to_string(), value.to_owned())
        });
        (self.status, headers.collect(), without(&self.body))
    }

    fn form_token(&self) -> String {
        self.attribute("input[name=form]", "value").unwrap_or_default()
    }
}

impl Form {
    /// The same form with something typed into a field.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        match self.fields.iter_mut().find(|(found, _)| found == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.fields.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// The same form without a field, such as a box that is not ticked.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(found, _)| found != name);
        self
    }

    /// What stands in a field.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.fields.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }
}

fn parsed(selector: &str) -> Selector {
    Selector::parse(selector).expect("a selector")
}

/// What a browser would send of a field.
fn field(input: ElementRef<'_>) -> Option<(String, String)> {
    let is_box = input.attr("type") == Some("checkbox");
    let is_sent = !is_box || input.attr("checked").is_some();
    let value = input.attr("value").unwrap_or_default();
    is_sent.then(|| (input.attr("name").unwrap_or_default().to_owned(), value.to_owned()))
}

/// A connection of its own, for what no browser says.
pub(crate) fn connection(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("the portal listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
    stream
}
