//! `kubectl clinic` as people run it: through the real kubectl, by its name on the PATH, under the rights that people have. The words
//! in which its tests are written. Never here: a test.

mod completing;
mod holding;
mod listing;
mod reasons;
mod resending;
mod signing_out;
mod trouble;

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use clinic_operator::domain::acceptance::parse_code;
use clinic_operator::portal::acceptance::{Confirmed, accept};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::control_plane::{Namespace, control_plane};
use crate::support::process::{program, write_private};
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{TERMS, World, confirmed};

/// The Roles that the chart brings for people, as it renders them.
const VIEWER: &str = "member-viewer";
const EDITOR: &str = "member-editor";
const ADMINISTRATOR: &str = "clinic-administrator";

/// The rules of one of them.
fn rules(role: &str) -> Vec<Value> {
    let rendered = include_str!("../charts/rendered/birch.yaml");
    let objects = rendered.split("\n---\n").map(|text| serde_yaml::from_str::<Value>(text).expect("YAML"));
    let name = format!("birch-clinic-operator-{role}");
    let mut roles = objects.filter(|object| object["kind"] == "Role" && object["metadata"]["name"] == *name);
    let role = roles.next().unwrap_or_else(|| panic!("the chart has a Role {name}"));
    role["rules"].as_array().expect("rules").clone()
}

/// Somebody with a kubeconfig of their own.
pub(crate) struct Person {
    pub(crate) kubeconfig: PathBuf,
    _folder: TempDir,
}

/// What a command said and how it ended.
#[derive(Debug)]
struct Said {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Person {
    /// With these rules as their Role in the namespace, which their context names.
    #[track_caller]
    pub(crate) fn new(namespace: &Namespace, name: &str, rules: &[Value]) -> Self {
        let control_plane = control_plane();
        let rbac = "rbac.authorization.k8s.io";
        let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}},
            {"apiVersion": format!("{rbac}/v1"), "kind": "Role", "metadata": {"name": name}, "rules": rules},
            {"apiVersion": format!("{rbac}/v1"), "kind": "RoleBinding", "metadata": {"name": name},
                "roleRef": {"apiGroup": rbac, "kind": "Role", "name": name},
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace.name()}]},
        ]});
        control_plane.kubectl_stdin(namespace, &["apply", "-f", "-"], &objects.to_string()).ok();
        let token = control_plane.kubectl(namespace, &["create", "token", name]).ok();
        let folder = tempfile::tempdir_in(&control_plane.folder).unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        let text = std::fs::read_to_string(&control_plane.kubeconfig).unwrap();
        let mut config: Value = serde_yaml::from_str(&text).unwrap();
        config["users"] = json!([{"name": name, "user": {"token": token.trim()}}]);
        config["contexts"][0]["context"]["user"] = json!(name);
        config["contexts"][0]["context"]["namespace"] = json!(namespace.name());
        write_private(&kubeconfig, &config.to_string());
        Self { kubeconfig, _folder: folder }
    }

    pub(crate) fn viewer(world: &World) -> Self {
        Self::new(&world.namespace, "viewer", &rules(VIEWER))
    }

    fn editor(world: &World) -> Self {
        Self::new(&world.namespace, "editor", &rules(EDITOR))
    }

    pub(crate) fn administrator(world: &World) -> Self {
        Self::new(&world.namespace, "administrator", &rules(ADMINISTRATOR))
    }

    /// `kubectl clinic …`
    fn says(&self, arguments: &[&str]) -> Said {
        self.kubectl(&[&["clinic"], arguments].concat())
    }

    /// Standard output of `kubectl clinic …`, which must work.
    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> String {
        let said = self.says(arguments);
        assert_eq!(said.code, 0, "{said:?}");
        said.stdout
    }

    /// The one line of `kubectl clinic …`, which must fail with this code.
    #[track_caller]
    fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let said = self.says(arguments);
        assert_eq!((said.code, said.stdout.as_str()), (code, ""), "{said:?}");
        let line = said.stderr.lines().last().unwrap_or_default().to_owned();
        let line = line.strip_prefix("error: ").map(str::to_owned);
        line.unwrap_or_else(|| panic!("no line that begins with `error: `: {}", said.stderr))
    }

    fn kubectl(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().unwrap();
        Said {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The real kubectl, which finds the plugin on the PATH.
    fn command(&self, arguments: &[&str]) -> Command {
        let folder = &control_plane().folder;
        let path = format!("{}:{}", links().display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("timeout");
        command.args(["--signal", "KILL", &(4 * PATIENCE.as_secs()).to_string()]);
        command.arg(folder.join("bin/kubectl")).args(arguments).env_clear().env("PATH", path);
        command.env("HOME", "/nonexistent").env("KUBECONFIG", &self.kubeconfig);
        command.env("KUBECACHEDIR", folder.join("cache")).stdin(Stdio::null());
        command
    }
}

/// A folder with the compiled binary under the names of the plugin.
fn links() -> PathBuf {
    static LINKS: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        let folder = control_plane().folder.join("plugin");
        std::fs::create_dir(&folder).unwrap();
        for name in ["kubectl-clinic", "kubectl_complete-clinic"] {
            symlink(program(), folder.join(name)).unwrap();
        }
        folder
    };
    LINKS.get_or_init(make).clone()
}

/// Invites by this manifest; the person accepts with these names and signs in.
#[track_caller]
fn signed_in(world: &World, name: &str, manifest: &str, first_name: &str, last_name: &str, title: Option<&str>) {
    let before = world.relay.mails().len();
    world.apply(manifest);
    world.member_in("Invited", name);
    let links = world.relay.wait_for(before + 1, PATIENCE)[before].links();
    let (account, token) = parse_code(links[0].rsplit('#').next().unwrap()).unwrap();
    let person = Confirmed { title: title.map(str::to_owned), ..confirmed(first_name, last_name) };
    world
        .with_accounts(async |stores| accept(&stores, account, &token, &person, &TERMS, || world.now()).await)
        .unwrap();
    eventually_ok(PATIENCE, &format!("{name} to be listed by name"), || {
        let status = world.object("clinicuser", name)["status"].clone();
        if status["member"]["name"].is_string() { Ok(()) } else { Err(status) }
    });
}

/// What follows a label on the screen of `why`.
fn line<'a>(screen: &'a str, label: &str) -> &'a str {
    let line = screen.lines().find_map(|line| line.strip_prefix(label)?.strip_prefix(' '));
    line.unwrap_or_default().trim()
}
