//! `clinic-operator validate` as a person runs it, and the corpus of manifests: what it says to each is what the API server says
//! (`tests/cluster/manifests.rs` proves what that is). Never here: a cluster.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod corpus;
mod outputs;
mod slips;
mod trees;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What `validate` answered.
struct Answer {
    code: i32,
    out: String,
    err: String,
}

/// Runs it in the repository's folder.
fn validate(arguments: &[&str], input: &str) -> Answer {
    validate_in(Path::new(env!("CARGO_MANIFEST_DIR")), arguments, input)
}

fn validate_in(folder: &Path, arguments: &[&str], input: &str) -> Answer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clinic-operator"));
    command.current_dir(folder).arg("validate").args(arguments).env_remove("NO_COLOR");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Who reads files only may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Answer { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// A manifest, its spec in one line.
fn manifest(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: clinic-operator.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n"
    )
}

/// A person of this name, where the spec gives none.
fn user(name: &str, spec: &str) -> String {
    let names = if spec.contains("Name: ") { "" } else { &format!(", firstName: \"{name}\", lastName: Silva") };
    manifest("ClinicUser", name, &format!("{spec}{names}"))
}
