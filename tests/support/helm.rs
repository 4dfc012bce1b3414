//! Helm as a person runs it. Never here: a chart or what it should make.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::support::control_plane::Output;
use crate::support::tools::tool;

/// Runs Helm in the repository, without a cluster unless the arguments name one, and without the settings of whoever runs the
/// tests.
pub(crate) fn helm<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Output {
    static HELM: OnceLock<PathBuf> = OnceLock::new();
    let helm = HELM.get_or_init(|| tool("helm"));
    Command::new(helm)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .env("HOME", env!("CARGO_TARGET_TMPDIR"))
        .env("PATH", "/usr/bin:/bin")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("Helm starts")
        .into()
}
