//! `examples/gitops` as Flux applies it, by its own libraries (tests/flux-sync): what the example's page tells of a member's life, and
//! what a bad merge cannot do. Never here: what the operator does with a member.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clinic_operator::adapters::clock::Clock;
use clinic_operator::portal::acceptance::Confirmed;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::console::blocks_in;
use crate::support::control_plane::{Output, control_plane};
use crate::support::door::open_at;
use crate::support::tools::tool;
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::{World, confirmed};

pub(crate) const EXAMPLE: &str = "examples/gitops";
/// Longer than the pause after which the Clinic's status is written.
const QUIET: Duration = Duration::from_secs(4);
/// How a table of the page begins.
const TABLE: &str = "```console\n$ kubectl get members -n maple\n";

/// Whose life the page tells.
const NADIA: &str = "nadia.belkacem@maple.example";

/// A clinic of the example with a running operator, whose files are in a repository of its own, under Flux.
struct Repository {
    world: World,
    folder: TempDir,
    clinic: &'static str,
    /// How many mails their readers have answered.
    accepted: usize,
}

impl Repository {
    fn new(clinic: &'static str) -> Self {
        let world = World::at(clinic, "2027-03-01T14:00:00Z");
        world.kubectl(&["delete", "clinic", "clinic"]);
        let repository = Self { world, folder: copied(), clinic, accepted: 0 };
        // The tests of one cluster share it, so each has a namespace of its own.
        let own = format!("namespace: {}\n", repository.namespace());
        repository.edit("kustomization.yaml", &format!("namespace: {clinic}\n"), &own);
        fs::write(repository.path("applied.yaml"), "").unwrap();
        repository.put_under_flux();
        repository
    }

    /// Gives Flux the rights and the Kustomization that the example has for the clinic, in the name of its namespace here.
    #[track_caller]
    fn put_under_flux(&self) {
        let folder = self.path("repository/flux").join(self.clinic);
        let file = folder.join(format!("{}.yaml", self.clinic));
        let named = fs::read_to_string(&file)
            .unwrap()
            .replace(&format!("name: {}\n", self.clinic), &format!("name: {}\n", self.namespace()));
        fs::write(file, named).unwrap();
        let (flux, rights): (Vec<Value>, Vec<Value>) =
            objects_of(&folder).into_iter().partition(|object| object["kind"] == "Kustomization");
        let [kustomization] = flux.as_slice() else { panic!("{} Kustomizations", flux.len()) };
        fs::write(self.path("kustomization.yaml"), kustomization.to_string()).unwrap();
        let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: flux-system}\n".to_owned();
        let all = rights.iter().fold(namespace, |all, object| format!("{all}---\n{object}\n"));
        let control_plane = control_plane();
        control_plane.kubectl_as(&control_plane.kubeconfig, &["apply", "--server-side", "-f", "-"], Some(&all)).ok();
    }

    fn namespace(&self) -> &str {
        self.world.namespace.name()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file of the clinic.
    fn file(&self, name: &str) -> PathBuf {
        self.path("repository/clinics").join(self.clinic).join(name)
    }

    /// Changes a file of the clinic.
    #[track_caller]
    fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.file(name)).unwrap();
        assert!(text.contains(from), "{name} has no {from:?}");
        fs::write(self.file(name), text.replacen(from, to, 1)).unwrap();
    }

    /// Commits a difference.
    #[track_caller]
    fn patch(&self, diff: &str) {
        let file = self.path("diff");
        fs::write(&file, diff).unwrap();
        let mut git = Command::new("git");
        git.arg("apply").arg(file).current_dir(self.path("repository"));
        // Also where the temporary folder is in a repository: there it would only skip what is not that one's.
        git.env("GIT_CEILING_DIRECTORIES", self.folder.path());
        Output::from(git.output().unwrap()).ok();
    }

    /// Lets Flux apply what is there now and wait until it is healthy; what became of each object.
    #[track_caller]
    fn sync(&self) -> Vec<String> {
        let said = self.try_to_sync().ok();
        fs::rename(self.path("next.yaml"), self.path("applied.yaml")).unwrap();
        said.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// The same as often as it takes, as Flux tries again: who is created together with the Clinic may be seen before it, and is
    /// `ClinicMissing` then.
    #[track_caller]
    fn sync_in_the_end(&self) {
        eventually_ok(PATIENCE, "Flux to find everything healthy", || {
            let said = self.try_to_sync();
            if said.success { Ok(()) } else { Err(said.stderr) }
        });
        fs::rename(self.path("next.yaml"), self.path("applied.yaml")).unwrap();
    }

    #[track_caller]
    fn try_to_sync(&self) -> Output {
        let (before, after) = (self.path("applied.yaml"), self.path("next.yaml"));
        fs::write(&after, kustomize(&self.file(""))).unwrap();
        let mut sync = Command::new(tool("flux-sync"));
        sync.arg(&control_plane().kubeconfig).arg(self.path("kustomization.yaml")).args([before, after]);
        sync.output().unwrap().into()
    }

    /// Lets whoever was mailed and has not answered accept, and confirm what the manifest says of them.
    #[track_caller]
    fn everybody_accepts(&mut self) {
        let mails = self.world.relay.mails();
        let members = self.world.objects("clinicusers");
        for mail in &mails[self.accepted..] {
            let member = members.iter().find(|member| member["spec"]["email"] == mail.recipients[0]).unwrap();
            let said = |field: &str| member["spec"][field].as_str().map(str::to_owned);
            let names = confirmed(&said("firstName").unwrap(), &said("lastName").unwrap());
            self.world.accept_as(mail, &Confirmed { title: said("title"), ..names }).unwrap();
            self.world.member_in("Active", member["metadata"]["name"].as_str().unwrap());
        }
        self.accepted = mails.len();
    }

    /// What the only account that ever had this address records of access.
    #[track_caller]
    fn access_of(&self, email: &str) -> String {
        let accounts = self.world.objects("clinicaccounts");
        let its: Vec<&Value> = accounts.iter().filter(|account| account["spec"]["desired"]["email"] == email).collect();
        assert_eq!(its.len(), 1, "accounts of {email}");
        its[0]["spec"]["access"]["reason"].as_str().unwrap().to_owned()
    }

    /// Everything that could have been written, by name and version, and how many mails there were.
    #[track_caller]
    fn written(&self) -> (Vec<String>, usize) {
        let kinds = ["clinics", "clinicusers", "clinicserviceaccounts", "clinicaccounts", "emailclaims"];
        let objects = kinds.iter().flat_map(|kind| self.world.objects(kind));
        let version = |object: Value| {
            let of = |field: &str| object["metadata"][field].as_str().unwrap().to_owned();
            format!("{} {} {}", object["kind"], of("name"), of("resourceVersion"))
        };
        (objects.map(version).collect(), self.world.relay.mails().len())
    }
}

/// A folder with a copy of the example, `repository`.
pub(crate) fn copied() -> TempDir {
    let folder = tempfile::tempdir_in(&control_plane().folder).unwrap();
    let copied = Command::new("cp").args(["-r", EXAMPLE]).arg(folder.path().join("repository")).status().unwrap();
    assert!(copied.success());
    folder
}

/// The objects in a folder, built.
#[track_caller]
pub(crate) fn kustomize(folder: &Path) -> String {
    built(folder).ok()
}

/// The same, one by one.
#[track_caller]
pub(crate) fn objects_of(folder: &Path) -> Vec<Value> {
    kustomize(folder).split("\n---\n").map(|document| serde_yaml::from_str(document).unwrap()).collect()
}

pub(crate) fn built(folder: &Path) -> Output {
    let control_plane = control_plane();
    control_plane.kubectl_as(&control_plane.kubeconfig, &["kustomize", folder.to_str().unwrap()], None)
}

/// A page without the last column of its tables, which is how old something is.
fn without_ages(page: &str) -> String {
    let is_age = |word: &str| word.starts_with(|c: char| c.is_ascii_digit()) && word.ends_with(['s', 'm', 'h', 'd']);
    let without = |line: &str| match line.rsplit_once("   ") {
        Some((rest, last)) if is_age(last) => rest.trim_end().to_owned(),
        _ => line.trim_end().to_owned(),
    };
    page.lines().map(without).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_life_of_a_member_is_as_the_page_of_the_example_tells_it() {
    let page = format!("{EXAMPLE}/README.md");
    let text = fs::read_to_string(&page).unwrap();
    let mut repository = Repository::new("maple");
    let mut told = text.split(TABLE);
    let mut expected = told.next().unwrap().to_owned();
    let mut tell = |repository: &Repository| {
        let (_, after) = told.next().expect("a table after each step").split_once("```").unwrap();
        expected.extend([TABLE, &repository.world.kubectl(&["get", "members"]), "```", after]);
    };
    repository.sync();
    repository.everybody_accepts();
    tell(&repository);
    let mut access = Vec::new();
    for diff in blocks_in(&page, "diff") {
        repository.patch(&diff);
        repository.sync();
        repository.world.at_rest(QUIET);
        let before = repository.written();
        let said = repository.sync();
        assert!(said.iter().all(|line| line.ends_with(" unchanged")), "applied a second time: {said:#?}");
        assert_eq!(repository.written(), before, "applied a second time");
        tell(&repository);
        access.push(repository.access_of(NADIA));
        repository.everybody_accepts();
    }
    assert!(told.next().is_none(), "a table without a step");
    assert_eq!(access, ["NotAccepted", "Granted", "Granted", "Suspended", "Removed", "Granted"]);
    let mails = repository.world.relay.mails();
    let to_her = mails.iter().filter(|mail| mail.recipients == [NADIA]);
    assert_eq!(to_her.count(), 1, "who comes back is not invited again");
    if std::env::var_os("EXAMPLE_WRITE").is_some() {
        fs::write(&page, expected).unwrap();
    } else {
        let (is, should) = (without_ages(&text), without_ages(&expected));
        assert!(
            is == should,
            "run `make example`, look at the difference, and commit it; the page should be\n{should}"
        );
    }
}

#[test]
fn a_merge_that_takes_everything_away_leaves_the_clinic_and_its_namespace() {
    let repository = Repository::new("riviere");
    let namespace = repository.namespace();
    repository.sync();
    let almost_nothing = format!("namespace: {namespace}\nresources: [members/elise-gagne.yaml]\n");
    fs::write(repository.file("kustomization.yaml"), almost_nothing).unwrap();
    let said = repository.sync();
    for kept in [format!("Namespace/{namespace} skipped"), format!("Clinic/{namespace}/clinic skipped")] {
        assert!(said.contains(&kept), "{said:#?}");
    }
    assert!(said.contains(&format!("ClinicUser/{namespace}/maelle-fortier deleted")), "{said:#?}");
    repository.world.object("clinic", "clinic");
}

#[test]
fn a_merge_under_flux_brings_neither_other_objects_nor_decisions_of_an_administrator() {
    let repository = Repository::new("riviere");
    repository.sync();
    let decision = "  name: clinic\n  annotations: {clinic-operator.dev/release-hold: removals-20270301T140000Z}\n";
    repository.edit("clinic.yaml", "  name: clinic\n", decision);
    let refused = repository.try_to_sync().refused();
    assert!(refused.contains("release-hold") && refused.contains("administer"), "{refused}");
    repository.edit("clinic.yaml", decision, "  name: clinic\n");
    let other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n";
    fs::write(repository.file("other.yaml"), other).unwrap();
    repository.edit("kustomization.yaml", "resources:\n", "resources:\n  - other.yaml\n");
    let refused = repository.try_to_sync().refused();
    assert!(refused.contains("configmaps \"other\" is forbidden"), "{refused}");
}

#[test]
fn a_merge_under_flux_reaches_no_namespace_but_that_of_its_clinic() {
    let repository = Repository::new("riviere");
    repository.sync();
    let refused_in_default = || {
        let refused = repository.try_to_sync().refused();
        assert!(refused.contains("forbidden") && refused.contains("in the namespace \"default\""), "{refused}");
    };
    let own = format!("namespace: {}\n", repository.namespace());
    repository.edit("kustomization.yaml", &own, "namespace: default\n");
    refused_in_default();
    repository.edit("kustomization.yaml", "namespace: default\n", &own);
    // Kustomize sets no namespace where it is told that members have none: the clinic's own list may say that.
    let kind = r#"{"group": "clinic-operator.dev", "version": "v1alpha1", "kind": "ClinicUser"}"#;
    let get = format!(r#"{{"x-kubernetes-action": "get", "x-kubernetes-group-version-kind": {kind}}}"#);
    let request = "/apis/clinic-operator.dev/v1alpha1/clinicusers/{name}";
    let scope = format!(r#"{{"paths": {{"{request}": {{"get": {get}}}}}}}"#);
    fs::write(repository.file("members/scope.json"), scope).unwrap();
    let patch = "[{target: {kind: ClinicUser}, patch: '- {op: add, path: /metadata/namespace, value: default}'}]";
    let escape = format!("openapi: {{path: scope.json}}\npatches: {patch}\nresources:\n");
    repository.edit("members/kustomization.yaml", "resources:\n", &escape);
    assert!(kustomize(&repository.file("")).contains("namespace: default"), "nothing escapes Kustomize");
    refused_in_default();
}

#[test]
fn a_merge_under_flux_turns_restore_mode_neither_on_nor_off() {
    let repository = Repository::new("riviere");
    repository.sync_in_the_end();
    let annotations = "  annotations:\n";
    let mode = open_at(Clock.now());
    let (key, value) = mode.split_once('=').unwrap();
    repository.edit("namespace.yaml", annotations, &format!("{annotations}    {key}: {value}\n"));
    let refused = repository.try_to_sync().refused();
    assert!(refused.contains("only who may restore the clinic") && refused.contains("restore mode on"), "{refused}");
    repository.edit("namespace.yaml", &format!("    {key}: {value}\n"), "");
    repository.world.kubectl(&["annotate", "namespace", repository.namespace(), &mode]);
    repository.sync_in_the_end();
    let path = format!("/api/v1/namespaces/{}", repository.namespace());
    let namespace = control_plane().ask(None, "GET", &path, None).unwrap();
    assert_eq!(namespace["metadata"]["annotations"][key], value, "Flux leaves it on");
}

/// Restore mode is one: Flux must not end it.
#[test]
fn flux_leaves_what_an_administrator_sets_on_the_namespace_of_a_clinic() {
    let repository = Repository::new("riviere");
    let namespace = repository.namespace();
    repository.sync_in_the_end();
    let objects = [("namespace", namespace), ("clinic", "clinic")];
    for (kind, name) in objects {
        repository.world.kubectl(&["annotate", kind, name, "riviere.example/note=by-hand"]);
    }
    repository.sync_in_the_end();
    let note = "jsonpath={.metadata.annotations.riviere\\.example/note}";
    let notes = objects.map(|(kind, name)| repository.world.kubectl(&["get", kind, name, "-o", note]));
    assert_eq!(notes, ["by-hand", ""], "elsewhere it undoes what was set by hand");
}
