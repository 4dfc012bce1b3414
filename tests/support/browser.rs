//! A real Chromium: a page is opened in it, looked at as on a phone or a desk, asked what it shows, photographed. Never
//! here: what a page should show.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use url::{ParseError, Url};

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    /// CSS pixels.
    pub(crate) width: u32,
    pub(crate) scheme: Scheme,
}

/// What the reader's system asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Light,
    Dark,
}

impl Scheme {
    /// As `prefers-color-scheme` spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

pub(crate) struct Browser {
    pub(crate) client: Client,
    /// Ends the browser and removes its folder when this process ends, however it ends: then its input closes.
    supervisor: Child,
}

impl Browser {
    /// With these arguments beside the usual ones; certificates are taken as they are.
    pub(crate) async fn start(arguments: &[String]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/chromium");
        let mut supervisor = Command::new(&script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", script.display()));
        let mut line = String::new();
        BufReader::new(supervisor.stdout.take().expect("its output is piped")).read_line(&mut line).expect("text");
        let ready = line.trim_end().strip_prefix("ready ").and_then(|rest| rest.split_once(' '));
        let (port, folder) = ready.expect("no browser; the line above of tests/support/chromium says how to get one");
        let capabilities = json!({
            "browserName": "chrome",
            "acceptInsecureCerts": true,
            "goog:chromeOptions": {"binary": format!("{folder}/chromium"), "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let capabilities = capabilities.as_object().cloned().expect("an object");
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(&format!("http://127.0.0.1:{port}")).await;
        Self { client: client.expect("ChromeDriver opens a session"), supervisor }
    }

    /// Opens a page and waits until it is loaded.
    pub(crate) async fn open(&self, url: &str) {
        self.client.goto(url).await.expect("the page opens");
    }

    /// What the browser wrote into its console since it was last asked: of scripts, and about what it did not load.
    pub(crate) async fn console(&self) -> Vec<String> {
        let entries = self.command("se/log", json!({"type": "browser"})).await;
        let entries = entries.as_array().expect("a list").iter();
        entries.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub(crate) async fn look_as(&self, view: View) {
        let phone = view.width < 600;
        let metrics = json!({"width": view.width, "height": 800, "deviceScaleFactor": 1, "mobile": phone});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": view.scheme.name()}]});
        self.devtools("Emulation.setEmulatedMedia", media).await;
    }

    /// What the body of a function returns that runs in the page.
    pub(crate) async fn ask(&self, script: &str) -> Value {
        self.client.execute(script, vec![]).await.expect("the script ends without an error")
    }

    /// The whole page as a PNG file.
    pub(crate) async fn photograph(&self, view: View, height: u32, file: &Path) {
        let clip = json!({"x": 0, "y": 0, "width": view.width, "height": height, "scale": 1});
        let options = json!({"format": "png", "captureBeyondViewport": true, "optimizeForSpeed": true, "clip": clip});
        let answer = self.devtools("Page.captureScreenshot", options).await;
        let picture = answer["data"].as_str().expect("the picture is text");
        let picture = data_encoding::BASE64.decode(picture.as_bytes()).expect("it is base64");
        std::fs::write(file, picture).expect("the folder of the pictures takes a file");
    }

    /// Ends the session; without it, as in a panic, the browser is killed.
    pub(crate) async fn close(self) {
        self.client.clone().close().await.expect("the session ends");
    }

    /// A command of the Chrome `DevTools` Protocol.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.command("goog/cdp/execute", json!({"cmd": command, "params": parameters})).await
    }

    async fn command(&self, path: &'static str, body: Value) -> Value {
        let answer = self.client.issue_cmd(OfChromeDriver { path, body: body.to_string() }).await;
        answer.unwrap_or_else(|error| panic!("{body}: {error}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        // It has nothing to say that a test could do something about.
        let _ = self.supervisor.wait();
    }
}

/// A command that only `ChromeDriver` has, by its path below the session's.
#[derive(Debug)]
struct OfChromeDriver {
    path: &'static str,
    body: String,
}

impl WebDriverCompatibleCommand for OfChromeDriver {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.clone()))
    }
}
