//! `examples/gitops` as Flux applies it, by its own libraries (tests/flux-sync): what the example's page tells of a member's life, what
//! a bad merge cannot do, and that its files fit one another. Never here: what the operator does with a member.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use clinic_operator::portal::acceptance::Confirmed;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::console::blocks_in;
use crate::support::control_plane::{Output, control_plane};
use crate::support::process::program;
use crate::support::tools::tool;
use crate::world::{World, confirmed};

const EXAMPLE: &str = "examples/gitops";
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
        fs::write(repository.path("kustomization.yaml"), flux(clinic).to_string()).unwrap();
        repository
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
fn copied() -> TempDir {
    let folder = tempfile::tempdir_in(&control_plane().folder).unwrap();
    let copied = Command::new("cp").args(["-r", EXAMPLE]).arg(folder.path().join("repository")).status().unwrap();
    assert!(copied.success());
    folder
}

/// The objects in a folder, built.
#[track_caller]
fn kustomize(folder: &Path) -> String {
    built(folder).ok()
}

fn built(folder: &Path) -> Output {
    let control_plane = control_plane();
    control_plane.kubectl_as(&control_plane.kubeconfig, &["kustomize", folder.to_str().unwrap()], None)
}

#[track_caller]
fn objects_of(folder: &str) -> Vec<Value> {
    let built = kustomize(&Path::new(EXAMPLE).join(folder));
    built.split("\n---\n").map(|document| serde_yaml::from_str(document).unwrap()).collect()
}

/// The Flux Kustomization of a clinic; the rights that it names are there then.
fn flux(clinic: &str) -> &'static Value {
    static FLUX: OnceLock<Vec<Value>> = OnceLock::new();
    let objects = FLUX.get_or_init(|| {
        let objects = objects_of("flux");
        let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: flux-system}\n---\n".to_owned();
        let core = |object: &&Value| !object["apiVersion"].as_str().unwrap().contains("fluxcd.io");
        let rights = objects.iter().filter(core).fold(namespace, |all, object| format!("{all}{object}\n---\n"));
        let control_plane = control_plane();
        control_plane.kubectl_as(&control_plane.kubeconfig, &["apply", "--server-side", "-f", "-"], Some(&rights)).ok();
        objects
    });
    objects.iter().find(|object| object["kind"] == "Kustomization" && object["metadata"]["name"] == clinic).unwrap()
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

/// The door for a restore is one: Flux must not shut it.
#[test]
fn flux_leaves_what_an_administrator_sets_on_the_namespace_of_a_clinic() {
    let repository = Repository::new("riviere");
    let namespace = repository.namespace();
    repository.sync();
    let objects = [("namespace", namespace), ("clinic", "clinic")];
    for (kind, name) in objects {
        repository.world.kubectl(&["annotate", kind, name, "riviere.example/note=by-hand"]);
    }
    repository.sync();
    let note = "jsonpath={.metadata.annotations.riviere\\.example/note}";
    let notes = objects.map(|(kind, name)| repository.world.kubectl(&["get", kind, name, "-o", note]));
    assert_eq!(notes, ["by-hand", ""], "elsewhere it undoes what was set by hand");
}

/// What stands at a place of each object of a kind.
fn each<'a>(objects: &'a [Value], kind: &str, pointer: &str) -> Vec<&'a str> {
    let of_kind = objects.iter().filter(|object| object["kind"] == *kind);
    of_kind.map(|object| object.pointer(pointer).and_then(Value::as_str).unwrap()).collect()
}

#[test]
fn argo_cd_flux_and_code_owners_know_every_clinic_of_the_example_and_no_other() {
    let entries = fs::read_dir(Path::new(EXAMPLE).join("clinics")).unwrap();
    let mut clinics: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    clinics.sort();
    let paths = |before: &str| clinics.iter().map(|clinic| format!("{before}clinics/{clinic}")).collect::<Vec<_>>();
    for (clinic, path) in clinics.iter().zip(paths("")) {
        let objects = objects_of(&path);
        assert_eq!(each(&objects, "Namespace", "/metadata/name"), [clinic]);
        assert_eq!(each(&objects, "Clinic", "/metadata/namespace"), [clinic]);
    }
    let (argo, flux) = (objects_of("argocd"), objects_of("flux"));
    assert_eq!(each(&argo, "Application", "/spec/source/path"), paths(""));
    assert_eq!(each(&argo, "Application", "/spec/destination/namespace"), clinics);
    assert_eq!(each(&flux, "Kustomization", "/spec/path"), paths("./"));
    let project = argo.iter().find(|object| object["kind"] == "AppProject").unwrap();
    assert_eq!(each(&argo, "Application", "/spec/project"), vec![&project["metadata"]["name"]; clinics.len()]);
    let destinations = project["spec"]["destinations"].as_array().unwrap();
    assert_eq!(destinations.iter().map(|to| to["namespace"].as_str().unwrap()).collect::<Vec<_>>(), clinics);
    let repository = each(&flux, "GitRepository", "/spec/url")[0];
    assert_eq!(project["spec"]["sourceRepos"], Value::from([repository]));
    assert_eq!(each(&argo, "Application", "/spec/source/repoURL"), vec![repository; clinics.len()]);
    let owners = fs::read_to_string(Path::new(EXAMPLE).join(".github/CODEOWNERS")).unwrap();
    for clinic in &clinics {
        assert!(owners.contains(&format!("\n/clinics/{clinic}/members/ ")), "whose are the people of {clinic}");
    }
    let of_clinics = owners.lines().filter(|line| line.starts_with("/clinics/")).count();
    assert_eq!(of_clinics, clinics.len(), "everything else is the platform's");
}

/// What is in `members/` is approved by the clinic, so it must not reach what only the platform may change.
#[test]
fn what_a_clinic_writes_beside_its_members_reaches_neither_the_clinic_nor_another_namespace() {
    let patch = |kind: &str, what: &str| format!("patches: [{{target: {{kind: {kind}}}, patch: '- {{{what}}}'}}]\n");
    let cases = [
        ("namespace: riviere\n".to_owned(), None),
        (patch("ClinicUser", "op: add, path: /metadata/namespace, value: riviere"), None),
        (patch("Clinic", "op: remove, path: /spec/guard"), None),
        (patch("Namespace", "op: remove, path: /metadata/annotations"), None),
        ("  - ../../../base\n".to_owned(), Some("already registered id: Clinic")),
        ("  - ../../../base\nnamePrefix: other-\n".to_owned(), Some("multiple matches for Id Clinic")),
        ("  - ../../riviere\n".to_owned(), Some("multiple matches for Id Clinic")),
    ];
    let folder = copied();
    let clinic = folder.path().join("repository/clinics/maple");
    let (list, before) = (clinic.join("members/kustomization.yaml"), kustomize(&clinic));
    let people = fs::read_to_string(&list).unwrap();
    for (written, refused) in cases {
        fs::write(&list, format!("{people}{written}")).unwrap();
        match refused {
            None => assert!(kustomize(&clinic) == before, "{written}"),
            Some(why) => {
                let said = built(&clinic).refused();
                assert!(said.contains(why), "{written}{said}");
            }
        }
    }
}

#[test]
fn the_workflow_of_the_example_refuses_what_breaks_a_rule_and_writes_the_plan_of_each_clinic() {
    let (folder, control_plane) = (copied(), control_plane());
    let repository = folder.path().join("repository");
    let workflow = fs::read_to_string(repository.join(".github/workflows/pull-request.yaml")).unwrap();
    let workflow: Value = serde_yaml::from_str(&workflow).unwrap();
    let steps = workflow["jobs"]["manifests"]["steps"].as_array().unwrap();
    let (kubectl, program) = (control_plane.folder.join("bin"), PathBuf::from(program()));
    let others = std::env::var("PATH").unwrap();
    let path = format!("{}:{}:{others}", kubectl.display(), program.parent().unwrap().display());
    let run = |name: &str| -> Output {
        let script = steps.iter().find(|step| step["name"] == *name).unwrap()["run"].as_str().unwrap();
        // As GitHub runs it.
        let mut bash = Command::new("bash");
        bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
            .current_dir(&repository)
            .env("PATH", &path);
        bash.env("RUNNER_TEMP", folder.path()).env("KUBECONFIG", folder.path().join("kubeconfig"));
        bash.env("READER_KUBECONFIG", fs::read_to_string(&control_plane.kubeconfig).unwrap());
        bash.output().unwrap().into()
    };
    run("Validate").ok();
    run("Plan").ok();
    let plan = fs::read_to_string(folder.path().join("plan.md")).unwrap();
    assert!(plan.contains("### maple: 9 changes\n") && plan.contains("### riviere: 9 changes\n"), "{plan}");
    let ana = repository.join("clinics/maple/members/ana-silva.yaml");
    fs::write(&ana, fs::read_to_string(&ana).unwrap().replace("license: CHRPlus", "license: CHRPlux")).unwrap();
    let refused = run("Validate");
    assert!(
        !refused.success && refused.stdout.contains("::error file=clinics/maple/members/ana-silva.yaml,line="),
        "{}",
        refused.stdout
    );
}
