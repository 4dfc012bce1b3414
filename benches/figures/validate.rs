//! How long `validate` takes over many manifests, beside `cat` of the same files and beside kubeconform, which checks the schema
//! alone. Never here: a cluster, or whether what `validate` says is right.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::machine::peak;
use crate::support::process::program;
use crate::support::tools::tool;
use crate::support::wait::{now, pass};

/// Files of the tree, with one manifest each.
pub(crate) const FILES: usize = 10_000;
/// Files of one folder of the tree.
const A_FOLDER: usize = 100;
/// Manifests of the one file.
pub(crate) const DOCUMENTS: usize = 100_000;
/// The schemas of this repository, as kubeconform is told of them.
const SCHEMAS: &str = "schemas/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json";
/// How often each program runs.
const ROUNDS: usize = 5;
/// How often the memory of a running program is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// What was measured.
pub(crate) struct Figures {
    pub(crate) tree: Times,
    pub(crate) file: Times,
    /// The most memory of `validate` over the one file, in KiB.
    pub(crate) peak: u64,
}

/// How long each program took, round by round, in seconds.
#[derive(Default)]
pub(crate) struct Times {
    pub(crate) cat: Vec<f64>,
    pub(crate) validate: Vec<f64>,
    pub(crate) kubeconform: Vec<f64>,
}

/// Measures all three over both.
pub(crate) fn measure() -> Figures {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = |name: &str| folder.path().join(name);
    let kubeconform = tool("kubeconform");
    let files = write_tree(&path("tree"));
    let documents: Vec<_> = (0..DOCUMENTS).map(member).collect();
    fs::write(path("members.yaml"), documents.join("---\n")).expect("the file can be written");
    let (tree, _) = race(&kubeconform, "the tree", &files, &path("tree"));
    let (file, peak) = race(&kubeconform, "the file", &[path("members.yaml")], &path("members.yaml"));
    Figures { tree, file, peak }
}

/// Each in its turn over the same `files`, which are all that is in `place`. Also the most memory of `validate`.
fn race(kubeconform: &Path, what: &str, files: &[PathBuf], place: &Path) -> (Times, u64) {
    let mut times = Times::default();
    let mut most = 0;
    // The first round brings the files into memory and does not count.
    for round in 0..=ROUNDS {
        let (cat, _) = run(Command::new("cat").args(files));
        let (validate, peak) = run(Command::new(program()).arg("validate").arg(place));
        let (kubeconform, _) = run(Command::new(kubeconform).arg("-schema-location").arg(SCHEMAS).arg(place));
        eprintln!("{what}, round {round}: cat {cat:.2} s, validate {validate:.2} s, kubeconform {kubeconform:.2} s");
        if round > 0 {
            times.cat.push(cat);
            times.validate.push(validate);
            times.kubeconform.push(kubeconform);
            most = most.max(peak);
        }
    }
    (times, most)
}

/// Seconds until the program has ended, which finds nothing wrong, and the most memory that it was seen with, in KiB.
fn run(command: &mut Command) -> (f64, u64) {
    let begin = now();
    let mut child = command.stdout(Stdio::null()).spawn().expect("the program starts");
    let mut most = 0;
    let status = loop {
        match child.try_wait().expect("the program is ours") {
            Some(status) => break status,
            None => most = most.max(peak(child.id()).unwrap_or(0)),
        }
        pass(LOOK_EVERY);
    };
    assert!(status.success(), "{command:?} ends with {status}");
    (begin.elapsed().as_secs_f64(), most)
}

/// The files, in the order of their names.
fn write_tree(folder: &Path) -> Vec<PathBuf> {
    let write = |number| {
        let folder = folder.join(format!("team-{:03}", number / A_FOLDER));
        fs::create_dir_all(&folder).expect("a folder can be made");
        let file = folder.join(format!("{}.yaml", name(number)));
        fs::write(&file, member(number)).expect("a file can be written");
        file
    };
    (0..FILES).map(write).collect()
}

fn name(number: usize) -> String {
    format!("member-{number:06}")
}

/// Of three members one is a Standard practitioner, one a trainee whom they supervise, one a locum who stands in for them.
fn member(number: usize) -> String {
    let (name, standard) = (name(number), self::name(number - number % 3));
    let particulars = match number % 3 {
        0 => "classification: Standard\n  license: CHRPlus\n  position: Family physician\n  billingNumber: \"012345\"\n  roles: [Physician, Lab reviewer]".to_owned(),
        1 => format!("classification: ClinicalTrainee\n  expectedEndOfTraining: 2199-06-30\n  supervisor: {standard}"),
        _ => format!("classification: Locum\n  billingNumber: \"012345\"\n  coverages:\n  - {{covers: {standard}, start: 2026-12-01, end: 2026-12-31}}\n  - {{covers: {standard}, start: 2027-02-01, end: 2027-02-28}}"),
    };
    format!(
        "apiVersion: clinic-operator.dev/v1alpha1
kind: ClinicUser
metadata:
  name: {name}
spec:
  email: {name}@maple.example
  firstName: Ana
  lastName: Silva {number}
  title: Dr.
  type: Practitioner
  {particulars}
"
    )
}
