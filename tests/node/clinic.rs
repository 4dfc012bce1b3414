//! A clinic on the node: its namespace, its release, its relay, and the words in which these tests are written. Never here: a test.

use std::time::Duration;

use clinic_operator::adapters::random::secret_bytes;
use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::node::{LONG, MACHINE, helm, node};
use crate::support::certificate;
use crate::support::control_plane::Namespace;
use crate::support::mail::Mail;
use crate::support::portal::HOST;
use crate::support::smtp::SmtpServer;
use crate::support::visitor::{Answer, Form, Visitor};
use crate::support::wait::{PATIENCE, eventually_ok};

/// Long enough without a second factor.
pub(crate) const PASSWORD: &str = "tall river walks twice";
const CHART: &str = "charts/clinic-operator";

/// A clinic's namespace, with what a platform engineer makes before installing it.
pub(crate) struct Clinic {
    pub(crate) namespace: Namespace,
    pub(crate) relay: SmtpServer,
    release: &'static str,
    values: Vec<String>,
    /// The chart, as a path.
    pub(crate) chart: String,
}

impl Clinic {
    /// A namespace that takes only restricted pods, the portal's keys and certificate, and the relay's name.
    pub(crate) fn new(release: &'static str) -> Self {
        let namespace = node().namespace(release);
        let relay = SmtpServer::start_on(MACHINE);
        let enforced = "pod-security.kubernetes.io/enforce=restricted";
        node().kubectl(&namespace, &["label", "namespace", namespace.name(), enforced]).ok();
        let values = [
            format!("portalUrl=https://{HOST}"),
            format!("mail.host=relay.{}.svc", namespace.name()),
            format!("mail.port={}", relay.port),
            "mail.tls=None".to_owned(),
            "mail.mailsPerMinute=600".to_owned(),
            "mail.from=no-reply@maple.example".to_owned(),
            "clinic.spec.displayName=Maple Clinic".to_owned(),
            "clinic.spec.timeZone=America/Toronto".to_owned(),
            "portal.keysSecret=keys".to_owned(),
            format!("image.tag={}", env!("CARGO_PKG_VERSION")),
        ];
        let clinic = Self { namespace, relay, release, values: values.into(), chart: CHART.to_owned() };
        let key = BASE64.encode(&secret_bytes::<32>().expect("random bytes"));
        let (certificate, private) = certificate::pem(HOST);
        for object in [
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"current": key}}),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "certificate"}, "type": "kubernetes.io/tls",
                "stringData": {"tls.crt": certificate, "tls.key": private}}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "relay"}, "spec": {"clusterIP": "None"}}),
            json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                "metadata": {"name": "relay", "labels": {"kubernetes.io/service-name": "relay"}},
                "endpoints": [{"addresses": [MACHINE.to_string()]}]}),
        ] {
            clinic.apply(&object.to_string());
        }
        clinic
    }

    /// The same, installed.
    pub(crate) fn installed(release: &'static str) -> Self {
        let clinic = Self::new(release);
        clinic.install(&[]);
        clinic
    }

    /// `helm install`, or the change of an installed one; waits until all of it is ready.
    #[track_caller]
    pub(crate) fn install(&self, more: &[&str]) {
        let values: Vec<&str> = self.values.iter().flat_map(|value| ["--set", value]).collect();
        let set = more.iter().flat_map(|value| ["--set", value]);
        let install = ["upgrade", "--install", self.release, &self.chart, "--wait", "--timeout", "90s"];
        let arguments: Vec<&str> = install.into_iter().chain(values).chain(set).collect();
        let output = self.helm(&arguments);
        assert!(output.success, "{}{}", output.stderr, self.kubectl(&["get", "pods,events"]));
    }

    /// Helm, in the namespace.
    pub(crate) fn helm(&self, arguments: &[&str]) -> crate::support::control_plane::Output {
        helm(&node().kubeconfig, &[arguments, &["--namespace", self.namespace.name()]].concat())
    }

    /// The name that begins those of the release.
    pub(crate) fn part(&self, component: &str) -> String {
        format!("{}-clinic-operator-{component}", self.release)
    }

    #[track_caller]
    pub(crate) fn apply(&self, manifest: &str) {
        node().kubectl_stdin(&self.namespace, &["apply", "-f", "-"], manifest).ok();
    }

    #[track_caller]
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        node().kubectl(&self.namespace, arguments).ok()
    }

    /// The names of a part's pods.
    pub(crate) fn pods(&self, component: &str) -> Vec<String> {
        let label = format!("app.kubernetes.io/component={component}");
        let names = self.kubectl(&["get", "pods", "-l", &label, "-o", "name"]);
        names.lines().filter_map(|name| name.strip_prefix("pod/")).map(str::to_owned).collect()
    }

    /// Where the portal's Service is.
    pub(crate) fn service(&self) -> String {
        self.kubectl(&["get", "service", &self.part("portal"), "-o", "jsonpath={.spec.clusterIP}"])
    }

    /// Somebody who comes through the portal's Service, unencrypted as behind an ingress.
    pub(crate) fn visitor(&self) -> Visitor {
        Visitor::to(format!("http://{}", self.service()))
    }

    /// Waits until the member is in that state.
    #[track_caller]
    pub(crate) fn member_in(&self, state: &str, name: &str) -> Value {
        eventually_ok(LONG, &format!("{name} in state {state}"), || {
            // Not even the API server is always there.
            let path = format!("{}/{name}", self.namespace.path("clinicusers"));
            let object = node().ask(None, "GET", &path, None)?;
            if object["status"]["state"] == state { Ok(object) } else { Err(object["status"].to_string()) }
        })
    }

    /// The mails to a member, each with its one link.
    pub(crate) fn mails_to(&self, name: &str) -> Vec<Mail> {
        self.relay.mails_to(&email(name))
    }

    /// Invites a member of staff: the path of the link that they were mailed.
    #[track_caller]
    pub(crate) fn invited(&self, name: &str) -> String {
        self.apply(&staff(name));
        self.member_in("Invited", name);
        let mails = self.mails_to(name);
        assert_eq!(mails.len(), 1, "{name}");
        path(&mails[0])
    }

    /// Invites a member of staff who accepts through the Service.
    #[track_caller]
    pub(crate) fn accepted(&self, name: &str) -> Visitor {
        let path = self.invited(name);
        let mut visitor = self.visitor();
        accept(&mut visitor, &path);
        self.member_in("Active", name);
        visitor
    }

    /// The pod that has the lease.
    pub(crate) fn leader(&self) -> String {
        eventually_ok(LONG, "a leader", || {
            let lease = ["get", "lease", "clinic-operator", "-o", "jsonpath={.spec.holderIdentity}"];
            let lease = node().kubectl(&self.namespace, &lease);
            // Behind the pod's name stands which of its processes it is.
            match lease.stdout.split_once('_') {
                Some((pod, _)) => Ok(pod.to_owned()),
                None => Err(lease),
            }
        })
    }

    /// Waits for a leader that is another than this one.
    pub(crate) fn leader_after(&self, former: &str) -> String {
        eventually_ok(LONG, "another leader", || {
            let leader = self.leader();
            if leader == former { Err(leader) } else { Ok(leader) }
        })
    }

    /// What must outlive a release: the records, by kind and name, without what the API server counts.
    pub(crate) fn records(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for kind in ["clinicusers", "clinicaccounts", "emailclaims", "cliniccredentials", "clinics"] {
            all.extend(node().objects(&self.namespace, kind).into_iter().map(|mut object| {
                let metadata = json!({"name": object["metadata"]["name"], "uid": object["metadata"]["uid"]});
                object["metadata"] = metadata;
                object
            }));
        }
        all
    }
}

impl Drop for Clinic {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for component in ["controller", "portal"] {
            for pod in self.pods(component) {
                let log = node().kubectl(&self.namespace, &["logs", &pod, "--tail", "40"]);
                eprintln!("--- {pod}\n{}{}", log.stdout, log.stderr);
            }
        }
        eprintln!("{}---", node().kubectl(&self.namespace, &["get", "pods,members,lease"]).stdout);
    }
}

/// Their address.
pub(crate) fn email(name: &str) -> String {
    format!("{name}@maple.example")
}

/// A staff member's manifest.
pub(crate) fn staff(name: &str) -> String {
    let spec = json!({"email": email(name), "type": "Staff"});
    json!({"apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicUser", "metadata": {"name": name}, "spec": spec})
        .to_string()
}

/// The path of the link in a mail.
#[track_caller]
pub(crate) fn path(mail: &Mail) -> String {
    mail.links()[0].strip_prefix(&format!("https://{HOST}")).expect("the link leads to the portal").to_owned()
}

/// Accepts by this link, without a second factor. A Service takes a moment to lead to new pods.
#[track_caller]
pub(crate) fn accept(visitor: &mut Visitor, path: &str) {
    let page = eventually_ok(PATIENCE, "the portal", || visitor.try_to_get(path));
    assert_eq!(page.status, 200, "{}", page.body);
    let form = page.form().with("first_name", "Ana").with("last_name", "Silva").without("second_factor");
    let answer = visitor.submit(&form.with("password", PASSWORD).with("repeated", PASSWORD));
    assert_eq!((answer.status, answer.location().as_deref()), (303, Some("/")), "{:?}", answer.faults());
}

/// Signs in; the error says who did not answer as they should.
pub(crate) fn sign_in(visitor: &mut Visitor, name: &str) -> Result<(), String> {
    let page = visitor.try_to_send("GET", "/sign-in", &[], "").map_err(|error| format!("the page: {error}"))?;
    if page.status != 200 {
        return Err(format!("the page: {} {}", page.status, page.heading()));
    }
    let form: Form = page.form().with("email", &email(name)).with("password", PASSWORD);
    let answer: Answer = visitor.try_to_submit(&form).map_err(|error| format!("the form: {error}"))?;
    match (answer.status, answer.location().as_deref()) {
        (303, Some("/")) => Ok(()),
        (status, _) => Err(format!("the form: {status} {} {:?}", answer.heading(), answer.faults())),
    }
}

/// For what must not happen within a moment.
pub(crate) const A_WHILE: Duration = Duration::from_secs(3);
