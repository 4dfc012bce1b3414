//! The programs that scripts of this repository build or get into the cache. Never here: what a program is asked.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The path of a program that `tests/tools/build` makes.
#[track_caller]
pub(crate) fn tool(name: &str) -> PathBuf {
    printed("tests/tools/build", &[name])
}

/// The path that a script of the repository prints.
#[track_caller]
pub(crate) fn printed(script: &str, arguments: &[&str]) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
    let output = Command::new(path).args(arguments).stderr(Stdio::inherit()).output().expect("the script starts");
    assert!(output.status.success(), "{script} {} failed; see above", arguments.join(" "));
    PathBuf::from(String::from_utf8(output.stdout).expect("a path").trim())
}
