//! A real Prometheus on loopback that scrapes parts of the program and evaluates the chart's alerts, and promtool. Never here: what
//! they are expected to say.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use url::form_urlencoded::byte_serialize;

use super::http;
use super::tools::tool;
use super::wait::{PATIENCE, eventually_ok};

/// What `promtool check metrics` has against a page of metrics; empty: nothing.
#[track_caller]
pub(crate) fn complaints(page: &str) -> String {
    let mut promtool = Command::new(tool("promtool"));
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = promtool.spawn().expect("promtool starts");
    child.stdin.take().expect("its input").write_all(page.as_bytes()).expect("it reads all of it");
    let output = child.wait_with_output().expect("its own child");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() || !said.is_empty(), "{}", output.status);
    said
}

/// What is scraped.
pub(crate) struct Target {
    /// As its pod would be called.
    pub(crate) pod: &'static str,
    /// Where its metrics are, on loopback.
    pub(crate) port: u16,
}

/// A running Prometheus; it ends when this is dropped.
pub(crate) struct Prometheus {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts one that scrapes every second, with the chart's alerts, and waits until it is ready. `namespace` is the label of all.
    #[track_caller]
    pub(crate) fn start(namespace: &str, targets: &[Target]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let rules = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("charts/clinic-operator/files/alerts.yaml");
        let scraped: Vec<Value> = targets
            .iter()
            .map(|Target { pod, port }| {
                json!({"targets": [format!("127.0.0.1:{port}")], "labels": {"namespace": namespace, "pod": pod}})
            })
            .collect();
        let configuration = json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [rules],
            "scrape_configs": [{"job_name": "clinic-operator", "static_configs": scraped}],
        });
        let file = folder.path().join("prometheus.yaml");
        std::fs::write(&file, configuration.to_string()).expect("a temporary file");
        let port = http::free_port();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(tool("prometheus")).arg("--config.file").arg(&file);
        command.arg("--storage.tsdb.path").arg(folder.path().join("data"));
        command.args(["--web.listen-address", &format!("127.0.0.1:{port}"), "--log.level", "warn"]);
        let child = command.stdin(Stdio::null()).spawn().expect("setpriv (package util-linux) starts it");
        let prometheus = Self { child, port, _folder: folder };
        eventually_ok(PATIENCE, "Prometheus to be ready", || match http::get(port, "/-/ready") {
            Ok((200, _)) => Ok(()),
            other => Err(format!("{other:?}")),
        });
        prometheus
    }

    /// The series that a query gives now.
    ///
    /// # Errors
    /// What Prometheus has against the query.
    pub(crate) fn query(&self, query: &str) -> Result<Vec<Value>, String> {
        let encoded: String = byte_serialize(query.as_bytes()).collect();
        let data = self.get(&format!("/api/v1/query?query={encoded}"))?;
        data["result"].as_array().cloned().ok_or_else(|| data.to_string())
    }

    /// Its rules, each as it was last evaluated.
    pub(crate) fn rules(&self) -> Result<Vec<Value>, String> {
        let data = self.get("/api/v1/rules")?;
        let groups = data["groups"].as_array().cloned().unwrap_or_default();
        Ok(groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default()).collect())
    }

    fn get(&self, path: &str) -> Result<Value, String> {
        let (_, body) = http::get(self.port, path).map_err(|error| error.to_string())?;
        let answer: Value = serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))?;
        if answer["status"] == "success" { Ok(answer["data"].clone()) } else { Err(answer.to_string()) }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have stopped by itself already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
