//! The files of `examples/gitops`, without a clinic that runs: that they fit one another, how far a clinic's own reach, and what its workflow
//! says before a merge. Never here: what Flux does with them (`gitops`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

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
