//! What a person reads when the operator does not start: one line that says what is wrong and what to do.
//! Never here: what a running operator says.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::control_plane::{ControlPlane, Namespace, Output, control_plane, crd_files, crds};
use crate::support::operator::{OperatorOptions, Prepared};
use crate::support::process::run_once;
use crate::support::smtp::SmtpServer;
use crate::support::wait::{PATIENCE, eventually_ok};

/// Everything right, so that each test spoils one thing.
struct Ground {
    namespace: Namespace,
    prepared: Prepared,
    _relay: SmtpServer,
}

impl Ground {
    fn new(prefix: &str, options: OperatorOptions) -> Self {
        let namespace = control_plane().namespace(prefix);
        let relay = SmtpServer::start();
        let prepared = Prepared::new(&namespace, &relay, options);
        Self { namespace, prepared, _relay: relay }
    }

    #[track_caller]
    fn complaint(&self) -> String {
        complaint(self.prepared.run())
    }

    fn kubeconfig(&self) -> &Path {
        &self.prepared.kubeconfig
    }

    /// Changes the kubeconfig, which the harness writes as JSON.
    fn change_kubeconfig(&self, pointer: &str, value: Value) {
        let mut kubeconfig: Value = serde_json::from_slice(&fs::read(self.kubeconfig()).unwrap()).unwrap();
        *kubeconfig.pointer_mut(pointer).unwrap() = value;
        fs::write(self.kubeconfig(), kubeconfig.to_string()).unwrap();
    }
}

/// All that a failed start said: exactly one line, on standard error.
#[track_caller]
fn complaint(output: Output) -> String {
    assert_eq!(output.stdout, "");
    let said = output.refused();
    let line = said.strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'), "more than one line: {said}");
    line.strip_prefix("error: ").unwrap_or_else(|| panic!("no error: {said}")).to_owned()
}

#[test]
fn a_cluster_that_does_not_answer_is_named_with_what_to_check() {
    let ground = Ground::new("closed", OperatorOptions::default());
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("https://{}", closed.local_addr().unwrap());
    drop(closed);
    ground.change_kubeconfig("/clusters/0/cluster/server", json!(server));
    assert_eq!(
        ground.complaint(),
        format!(
            "failed to use the cluster at {server}/: no answer from the API server: client error (Connect): tcp connect \
             error: Connection refused (os error 111); check its address, certificate authority and token"
        )
    );
}

#[test]
fn a_server_with_an_untrusted_certificate_and_a_token_that_is_not_known_are_told_apart() {
    let ground = Ground::new("untrusted", OperatorOptions::default());
    let before = fs::read(ground.kubeconfig()).unwrap();
    ground.change_kubeconfig("/users/0/user/token", json!("canary-token"));
    let server = &control_plane().server;
    assert_eq!(
        ground.complaint(),
        format!(
            "failed to use the cluster at {server}/: the API server does not accept our token: it is wrong or has \
             expired; check its address, certificate authority and token"
        )
    );
    fs::write(ground.kubeconfig(), before).unwrap();
    let mut kubeconfig: Value = serde_json::from_slice(&fs::read(ground.kubeconfig()).unwrap()).unwrap();
    kubeconfig["clusters"][0]["cluster"] = json!({"server": server});
    fs::write(ground.kubeconfig(), kubeconfig.to_string()).unwrap();
    let complaint = ground.complaint();
    let expected =
        format!("failed to use the cluster at {server}/: no answer from the API server: client error (Connect): ");
    assert!(complaint.starts_with(&expected) && complaint.contains("certificate"), "{complaint}");
}

#[test]
fn without_a_kubeconfig_outside_a_pod_the_ways_to_name_a_cluster_are_told() {
    let ground = Ground::new("nowhere", OperatorOptions::default());
    let configuration = ground.prepared.configuration.to_str().unwrap();
    let output = run_once(&["controller", "--config", configuration, "--namespace", ground.namespace.name()]);
    assert_eq!(
        complaint(output),
        "failed to find a cluster: no kubeconfig (set --kubeconfig or KUBECONFIG), and not in a pod (failed to read an \
         incluster environment variable: environment variable not found)"
    );
}

#[test]
fn a_kubeconfig_that_is_missing_or_wrong_is_named_without_quoting_it() {
    let ground = Ground::new("kubeconfig", OperatorOptions::default());
    let path = ground.kubeconfig().display().to_string();
    for (text, expected) in [
        ("users:\n- user: {token: canary", "it is not a kubeconfig: see line 2, column 9"),
        ("users:\n- {name: a, user: {token: [canary]}}", "it is not a kubeconfig: see line 2, column 27"),
        ("users: canary-token", "it is not a kubeconfig: see line 1, column 8"),
        ("current-context: there", "failed to load current context: there"),
        ("apiVersion: v1", "failed to determine current context"),
    ] {
        fs::write(ground.kubeconfig(), text).unwrap();
        assert_eq!(ground.complaint(), format!("failed to read the kubeconfig {path}: {expected}"));
    }
    fs::remove_file(ground.kubeconfig()).unwrap();
    assert_eq!(
        ground.complaint(),
        format!("failed to read the kubeconfig {path}: No such file or directory (os error 2)")
    );
}

#[test]
fn a_cluster_without_our_crds_or_with_older_ones_says_which_to_apply() {
    let bare = ControlPlane::without_kinds();
    let ground = Ground::new("crds", OperatorOptions::default());
    fs::copy(&bare.kubeconfig, ground.kubeconfig()).unwrap();
    assert_eq!(
        ground.complaint(),
        "the custom resources of clinic-operator.dev are not installed in this cluster: kubectl apply -f crds/"
    );

    // New definitions are served a moment later.
    let complains = |expected: &str| {
        eventually_ok(PATIENCE, expected, || {
            let complaint = ground.complaint();
            if complaint == expected { Ok(()) } else { Err(complaint) }
        });
    };
    let code = with_older_attempts(|attempt| drop(attempt.as_object_mut().unwrap().remove("code")));
    let word = with_older_attempts(|attempt| {
        attempt["cause"]["enum"].as_array_mut().unwrap().retain(|word| word != "CertificateExpired");
    });
    for (older, missing) in [(code, "code"), (word, "cause CertificateExpired")] {
        bare.install_kinds(older.path());
        complains(&format!(
            "the CRD of ClinicAccount in this cluster is older than this operator: spec.delivery.attempts[].{missing} is \
             missing; apply the crds/ of this version"
        ));
    }

    bare.install_kinds(&crds());
    // Now nothing but the port is in the way.
    let listen = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listen.local_addr().unwrap().to_string();
    change_configuration(&ground, "/listen", &json!(taken));
    complains(&format!("listen: failed to serve on {taken}: Address already in use (os error 98)"));
}

/// A folder with our definitions, in which the properties of an attempt are changed.
fn with_older_attempts(change: impl Fn(&mut Value)) -> TempDir {
    let older = tempfile::tempdir().unwrap();
    for file in crd_files() {
        let mut crd: Value = serde_yaml::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        if crd["spec"]["names"]["kind"] == "ClinicAccount" {
            let spec = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
            change(&mut spec["properties"]["delivery"]["properties"]["attempts"]["items"]["properties"]);
        }
        fs::write(older.path().join(file.file_name().unwrap()), crd.to_string()).unwrap();
    }
    fs::copy(crds().join("policies.yaml"), older.path().join("policies.yaml")).unwrap();
    older
}

fn change_configuration(ground: &Ground, pointer: &str, value: &Value) {
    let text = fs::read_to_string(&ground.prepared.configuration).unwrap();
    let mut configuration: Value = serde_yaml::from_str(&text).unwrap();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    let parent = configuration.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(field);
    } else {
        parent.insert(field.to_owned(), value.clone());
    }
    fs::write(&ground.prepared.configuration, configuration.to_string()).unwrap();
}

#[test]
fn each_missing_right_is_named_with_verb_and_resource() {
    let ground = Ground::new("rights", OperatorOptions::default());
    let role = control_plane().kubectl(&ground.namespace, &["get", "role", "clinic-operator", "-o", "json"]).ok();
    let mut role: Value = serde_json::from_str(&role).unwrap();
    for (resource, verb) in [("clinicaccounts", "patch"), ("clinicusers", "watch"), ("emailclaims", "delete")] {
        let rules = role["rules"].as_array_mut().unwrap();
        let found = rules.iter_mut().find(|rule| rule["resources"][0] == resource).unwrap();
        found["verbs"].as_array_mut().unwrap().retain(|granted| granted != verb);
    }
    role["rules"].as_array_mut().unwrap().retain(|rule| rule["resources"][0] != "clinics/status");
    control_plane().kubectl_stdin(&ground.namespace, &["replace", "-f", "-"], &role.to_string()).ok();
    // A Role counts a moment after it was written.
    let expected = format!(
        "missing rights in namespace {}: patch clinics/status, watch clinicusers, patch clinicaccounts, delete emailclaims; apply the \
         Role that `clinic-operator role` prints",
        ground.namespace.name()
    );
    eventually_ok(PATIENCE, "the complaint about rights", || {
        let complaint = ground.complaint();
        if complaint == expected { Ok(()) } else { Err(complaint) }
    });
}

#[test]
fn a_fault_in_the_configuration_is_named_with_its_place() {
    let ground = Ground::new("configuration", OperatorOptions::default());
    let path = ground.prepared.configuration.display().to_string();
    let good = fs::read_to_string(&ground.prepared.configuration).unwrap();
    let usual: Value = serde_yaml::from_str(&good).unwrap();
    let portal = "portalUrl: must be https:// and a host such as https://portal.maple.example, without a path or a slash at its end";
    for (pointer, value, expected) in [
        ("/mail/hots", json!("x"), "unknown field `hots`, expected one of host, port, ehloName, tls, caFile"),
        ("/mail/port", json!("many"), "mail.port: must be 1 to 65535 (line 1, column "),
        ("/mail/host", json!(null), "mail.host is missing: it must be the DNS name"),
        (
            "/mail/from",
            json!("nobody"),
            "mail.from: must be one ASCII address (write an accented domain in its xn-- form), alone or",
        ),
        ("/mail/tls", json!("Sometimes"), "mail.tls: must be StartTLS, TLS or None (line 1, column "),
        ("/listen", json!(8080), "listen: must be an IP address and a port such as 0.0.0.0:8080 (line 1, column "),
        ("/portalUrl", json!("portal.maple.example"), portal),
        ("/portalUrl", json!("https://portal.maple.example/"), portal),
        (
            "/mail/host",
            json!("a b"),
            "mail.host: must be the DNS name (an accented one in its xn-- form) or IP address of the relay",
        ),
        ("/mail/port", json!(0), "mail.port: must be 1 to 65535 (line 1, column "),
        ("/mail/replyTo", json!("desk@érable.example"), "mail.replyTo: must be one ASCII address"),
    ] {
        fs::write(&ground.prepared.configuration, usual.to_string()).unwrap();
        change_configuration(&ground, pointer, &value);
        let complaint = ground.complaint();
        let rest = complaint.strip_prefix(&format!("the configuration {path} is not valid: "));
        assert!(rest.is_some_and(|rest| rest.contains(expected)), "{pointer}: {complaint}");
    }
    fs::remove_file(&ground.prepared.configuration).unwrap();
    let unreadable = |why: &str| format!("failed to read the configuration {path}: {why}");
    assert_eq!(ground.complaint(), unreadable("No such file or directory (os error 2)"));
    fs::create_dir(&ground.prepared.configuration).unwrap();
    assert_eq!(ground.complaint(), unreadable("Is a directory (os error 21)"));
}

#[test]
fn a_file_with_a_secret_that_cannot_be_used_is_named() {
    let credentials = Some(("clinic".to_owned(), "canary".to_owned()));
    let ground = Ground::new("secret", OperatorOptions { credentials, ..OperatorOptions::default() });
    let password = ground.prepared.credentials.join("password");
    fs::write(&password, "\n").unwrap();
    assert_eq!(ground.complaint(), format!("mail.credentials: failed to read {}: empty", password.display()));
    fs::remove_file(&password).unwrap();
    assert_eq!(
        ground.complaint(),
        format!("mail.credentials: failed to read {}: entity not found", password.display())
    );
    let ca = ground.prepared.credentials.join("ca.pem");
    change_configuration(&ground, "/mail/credentials", &json!(null));
    change_configuration(&ground, "/mail/caFile", &json!(ca));
    assert_eq!(ground.complaint(), format!("mail.caFile: failed to read {}: entity not found", ca.display()));
    fs::write(&ca, "no certificate").unwrap();
    let useless = format!("mail.caFile: failed to read {}: holds no certificate", ca.display());
    assert_eq!(ground.complaint(), useless);
}

#[test]
fn an_address_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let configuration = vec![("/listen", json!(address))];
    let ground = Ground::new("listen", OperatorOptions { configuration, ..OperatorOptions::default() });
    assert_eq!(
        ground.complaint(),
        format!("listen: failed to serve on {address}: Address already in use (os error 98)")
    );
}
