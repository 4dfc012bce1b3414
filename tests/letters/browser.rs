//! A real Chromium: a page is put into it, looked at as on a phone or a desk, asked what it shows, photographed. Never
//! here: what a page should show.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
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
    client: Client,
    folder: PathBuf,
    /// Ends the browser and removes its folder when this process ends, however it ends: then its input closes.
    supervisor: Child,
}

impl Browser {
    pub(crate) async fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/letters/chromium");
        let mut supervisor = Command::new(&script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", script.display()));
        let mut line = String::new();
        BufReader::new(supervisor.stdout.take().expect("its output is piped")).read_line(&mut line).expect("text");
        let ready = line.trim_end().strip_prefix("ready ").and_then(|rest| rest.split_once(' '));
        let (port, folder) = ready.expect("no browser; the line above of tests/letters/chromium says how to get one");
        let folder = PathBuf::from(folder);
        let capabilities = json!({
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": folder.join("chromium")},
        });
        let capabilities = capabilities.as_object().cloned().expect("an object");
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(&format!("http://127.0.0.1:{port}")).await;
        Self { client: client.expect("ChromeDriver opens a session"), folder, supervisor }
    }

    /// Opens a page and waits until it is loaded.
    pub(crate) async fn open(&self, html: &str) {
        let page = self.folder.join("page.html");
        std::fs::write(&page, html).expect("the browser's folder takes a file");
        self.client.goto(&format!("file://{}", page.display())).await.expect("the page opens");
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

    async fn devtools(&self, command: &'static str, parameters: Value) -> Value {
        let answer = self.client.issue_cmd(DevTools { command, parameters }).await;
        answer.unwrap_or_else(|error| panic!("{command}: {error}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        // It has nothing to say that a test could do something about.
        let _ = self.supervisor.wait();
    }
}

/// A command of the Chrome `DevTools` Protocol, by the way that `ChromeDriver` offers.
#[derive(Debug)]
struct DevTools {
    command: &'static str,
    parameters: Value,
}

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({"cmd": self.command, "params": self.parameters}).to_string()))
    }
}
