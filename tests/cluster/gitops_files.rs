//! The files of `examples/gitops`, without a clinic that runs: that they fit one another, how far a clinic's own reach, and what its workflow
//! says before a merge. Never here: what Flux does with them (`gitops`).

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::gitops::{EXAMPLE, built, copied, kustomize, objects_of};
use crate::support::control_plane::{Output, control_plane};
use crate::support::process::program;

/// What stands at a place of each object of a kind.
fn each<'a>(objects: &'a [Value], kind: &str, pointer: &str) -> Vec<&'a str> {
    let of_kind = objects.iter().filter(|object| object["kind"] == *kind);
    of_kind.map(|object| object.pointer(pointer).and_then(Value::as_str).unwrap()).collect()
}

#[test]
fn argo_cd_flux_and_code_owners_know_every_clinic_of_the_example_and_no_other() {
    let example = Path::new(EXAMPLE);
    let entries = fs::read_dir(example.join("clinics")).unwrap();
    let mut clinics: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    clinics.sort();
    let paths = |before: &str| clinics.iter().map(|clinic| format!("{before}clinics/{clinic}")).collect::<Vec<_>>();
    for (clinic, path) in clinics.iter().zip(paths("")) {
        let objects = objects_of(&example.join(path));
        assert_eq!(each(&objects, "Namespace", "/metadata/name"), [clinic]);
        assert_eq!(each(&objects, "Clinic", "/metadata/namespace"), [clinic]);
    }
    let (argo, flux) = (objects_of(&example.join("argocd")), objects_of(&example.join("flux")));
    assert_eq!(each(&argo, "Application", "/spec/source/path"), paths(""));
    assert_eq!(each(&flux, "Kustomization", "/spec/path"), paths("./"));
    let of_each_clinic = [
        (&argo, "Application", "/metadata/name"),
        (&argo, "Application", "/spec/project"),
        (&argo, "Application", "/spec/destination/namespace"),
        (&argo, "AppProject", "/metadata/name"),
        (&argo, "AppProject", "/spec/destinations/0/namespace"),
        (&argo, "AppProject", "/spec/clusterResourceWhitelist/0/name"),
        (&flux, "Kustomization", "/metadata/name"),
        (&flux, "Kustomization", "/spec/serviceAccountName"),
        (&flux, "ServiceAccount", "/metadata/name"),
        (&flux, "Role", "/metadata/namespace"),
        (&flux, "RoleBinding", "/metadata/namespace"),
        (&flux, "RoleBinding", "/subjects/0/name"),
    ];
    for (objects, kind, place) in of_each_clinic {
        assert_eq!(each(objects, kind, place), clinics, "{kind} {place}");
    }
    let repository = each(&flux, "GitRepository", "/spec/url")[0];
    for (kind, place) in [("AppProject", "/spec/sourceRepos/0"), ("Application", "/spec/source/repoURL")] {
        assert_eq!(each(&argo, kind, place), vec![repository; clinics.len()]);
    }
    let text = serde_json::to_string(&(argo, flux)).unwrap();
    assert!(!text.contains("the-clinic"), "a name was not replaced");
    assert!(!text.contains("ClusterRole"), "rights in every namespace");
    let owners = fs::read_to_string(example.join(".github/CODEOWNERS")).unwrap();
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

/// The workflow of the example in a copy of it, beside the same as the branch that it is merged into.
struct Workflow {
    folder: TempDir,
    steps: Vec<Value>,
    path: String,
}

impl Workflow {
    fn new() -> Self {
        let folder = copied();
        let repository = folder.path().join("repository");
        let beside = Command::new("cp").args(["-r", EXAMPLE]).arg(repository.join("before")).status().unwrap();
        assert!(beside.success());
        let workflow = fs::read_to_string(repository.join(".github/workflows/pull-request.yaml")).unwrap();
        let workflow: Value = serde_yaml::from_str(&workflow).unwrap();
        let steps = ["validate", "plan"].map(|job| workflow["jobs"][job]["steps"].as_array().unwrap().clone());
        // Instead of GitHub's own: has the addresses of comments in a file, and keeps what it is told.
        let gh = "#!/bin/sh\nif [ \"$2\" = --paginate ]; then cat comments; else echo \"$@\" >>told; fi\n";
        fs::write(folder.path().join("gh"), gh).unwrap();
        fs::set_permissions(folder.path().join("gh"), Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.path().join("comments"), "").unwrap();
        let program = PathBuf::from(program());
        let folders = [folder.path(), &control_plane().folder.join("bin"), program.parent().unwrap()];
        let others = std::env::var("PATH").unwrap();
        let path = folders.iter().rev().fold(others, |path, folder| format!("{}:{path}", folder.display()));
        Self { folder, steps: steps.concat(), path }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a step as GitHub does.
    fn run(&self, name: &str, kubeconfig: &str) -> Output {
        let script = self.steps.iter().find(|step| step["name"] == *name).unwrap()["run"].as_str().unwrap();
        let mut bash = Command::new("bash");
        bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]).current_dir(self.file("repository"));
        bash.env("PATH", &self.path).env("RUNNER_TEMP", self.folder.path());
        bash.env("GITHUB_STEP_SUMMARY", self.file("summary"));
        bash.env("KUBECONFIG", self.file("kubeconfig")).env("READER_KUBECONFIG", kubeconfig);
        bash.env("COMMIT", "8c1f0d2").env("COMMENTS", "repos/laurentides/clinics/issues/7/comments");
        bash.output().unwrap().into()
    }

    #[track_caller]
    fn plan(&self, kubeconfig: &str) -> String {
        self.run("Plan", kubeconfig).ok();
        fs::read_to_string(self.file("plan.md")).unwrap()
    }

    #[track_caller]
    fn in_anas_file(&self, from: &str, to: &str) {
        let file = self.file("repository/clinics/maple/members/ana-silva.yaml");
        fs::write(&file, fs::read_to_string(&file).unwrap().replace(from, to)).unwrap();
    }
}

const BESIDE_THE_BRANCH: &str = "> Beside the branch that it is merged into";

#[test]
fn the_workflow_of_the_example_plans_beside_the_cluster_or_else_beside_the_branch() {
    let workflow = Workflow::new();
    let reader = fs::read_to_string(&control_plane().kubeconfig).unwrap();
    workflow.in_anas_file("license: CHRPlus", "license: CHRLite");
    workflow.run("Validate", "").ok();
    let plan = workflow.plan(&reader);
    assert!(
        plan.starts_with("<!-- plan -->\nWhat the merge of 8c1f0d2 would do:\n\n### maple: 9 changes of 9 members\n"),
        "{plan}"
    );
    assert!(plan.contains("\n\n### riviere: 9 changes of 9 members\n") && !plan.contains(BESIDE_THE_BRANCH), "{plan}");
    assert_eq!(fs::read_to_string(workflow.file("summary")).unwrap(), plan);
    let no_answer = "{clusters: [{name: a, cluster: {server: 'https://127.0.0.1:9'}}], contexts: [{name: a, context: {cluster: a}}], current-context: a}";
    for kubeconfig in ["", no_answer] {
        let plan = workflow.plan(kubeconfig);
        assert!(
            plan.contains("\n\n### maple: 1 change\n") && plan.contains("\n\n### riviere: nothing changes\n"),
            "{plan}"
        );
        assert_eq!(plan.matches(BESIDE_THE_BRANCH).count(), 2, "{plan}");
    }
    fs::remove_dir_all(workflow.file("repository/before/clinics/maple")).unwrap();
    let plan = workflow.plan("");
    assert!(plan.contains("\n\n### maple: 9 changes of 9 members\n"), "a new clinic: {plan}");
    fs::write(workflow.file("repository/before/clinics/riviere/clinic.yaml"), "spec: {}").unwrap();
    assert!(workflow.plan("").ends_with("\n\n### riviere: no plan\n\nThe log says why.\n"));
}

#[test]
fn the_workflow_of_the_example_refuses_what_breaks_a_rule_and_says_that_there_is_no_plan() {
    let workflow = Workflow::new();
    workflow.in_anas_file("license: CHRPlus", "license: CHRPlux");
    let refused = workflow.run("Validate", "");
    let at = "::error file=clinics/maple/members/ana-silva.yaml,line=";
    assert!(!refused.success && refused.stdout.contains(at), "{}", refused.stdout);
    let plan = workflow.plan("");
    assert!(
        plan.contains("### maple: no plan\n\nThe manifests are wrong") && plan.contains("### riviere: nothing"),
        "{plan}"
    );
}

#[test]
fn the_workflow_of_the_example_has_one_comment_and_cuts_it_where_it_gets_too_long() {
    let workflow = Workflow::new();
    let told = || fs::read_to_string(workflow.file("told")).unwrap();
    fs::write(workflow.file("plan.md"), "<!-- plan -->\n").unwrap();
    workflow.run("Post the plan", "").ok();
    assert_eq!(told(), "api --silent repos/laurentides/clinics/issues/7/comments --field body=@plan.md\n");
    fs::write(workflow.file("comments"), "https://api.github.com/a\n").unwrap();
    fs::write(workflow.file("plan.md"), "- `élise-gagné`: removed\n".repeat(4000)).unwrap();
    workflow.run("Post the plan", "").ok();
    assert!(
        told().ends_with("\napi --silent --method PATCH https://api.github.com/a --field body=@plan.md\n"),
        "{}",
        told()
    );
    let cut = fs::read_to_string(workflow.file("plan.md")).unwrap();
    assert!(cut.len() < 65_536 && cut.ends_with(": removed\n\n> Cut here: the summary of the run has all of it.\n"));
}
