//! A clock that a test sets, for an operator built with the feature `test-clock`, which is built here once. Never here: the
//! binary that people install, which has no such clock.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use clinic_operator::adapters::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use tempfile::NamedTempFile;

use super::control_plane::control_plane;

/// What the build of the feature reads.
pub(crate) const VARIABLE: &str = "CLINIC_OPERATOR_TEST_CLOCK";

/// A clock that runs beside the real one, as far ahead of it (or behind) as the test says.
pub(crate) struct TestClock {
    file: NamedTempFile,
}

impl TestClock {
    /// One that shows the real time.
    pub(crate) fn new() -> Self {
        let within = &control_plane().folder;
        let file = tempfile::Builder::new().prefix("clock-").tempfile_in(within).expect("a temporary file");
        Self { file }
    }

    /// Sets it so that it shows about `instant` now.
    pub(crate) fn set(&self, instant: &str) {
        let instant: Timestamp = instant.parse().expect("an instant, RFC 3339");
        self.write(instant.duration_since(Clock.now()).as_secs(), self.passed());
    }

    /// Lets time pass; if negative, somebody sets the clock back.
    pub(crate) fn advance(&self, by: SignedDuration) {
        self.write(self.shift() + by.as_secs(), self.passed() + by.as_secs().max(0));
    }

    /// The time that it shows.
    pub(crate) fn now(&self) -> Timestamp {
        Clock.now() + SignedDuration::from_secs(self.shift())
    }

    /// The file with its shift in seconds.
    pub(crate) fn path(&self) -> String {
        self.file.path().to_str().expect("a temporary path is UTF-8").to_owned()
    }

    fn shift(&self) -> i64 {
        self.number(0)
    }

    fn passed(&self) -> i64 {
        self.number(1)
    }

    fn number(&self, index: usize) -> i64 {
        let text = std::fs::read_to_string(self.file.path()).expect("its own file");
        text.split_whitespace().nth(index).and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    fn write(&self, seconds: i64, passed: i64) {
        // In one step: the operator never reads half a number.
        let next = format!("{}.next", self.path());
        std::fs::write(&next, format!("{seconds} {passed}")).expect("its own folder");
        std::fs::rename(&next, self.file.path()).expect("its own folder");
    }
}

/// What the build of the feature is called.
const NAME: &str = "clinic-operator-test-clock";

/// The operator with that clock; built if it is not up to date, unless one of another release is named.
pub(crate) fn program() -> String {
    let named = super::process::program();
    if Path::new(&named).file_name() == Some(OsStr::new(NAME)) { named } else { built() }
}

/// Only our own crate is compiled again for it.
fn built() -> String {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let binary = BUILT.get_or_init(|| {
        // Beside the usual binary, which stays as it is: only this one is named. So most of what is compiled serves both.
        let usual = Path::new(env!("CARGO_BIN_EXE_clinic-operator"));
        let folder = usual.parent().expect("target/<profile>");
        let profile = match folder.file_name().and_then(OsStr::to_str).expect("a profile's name") {
            "debug" => "dev",
            other => other,
        };
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--features", "test-clock", "--bin", NAME, "--profile", profile]);
        build.arg("--target-dir").arg(folder.parent().expect("target"));
        let done = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo starts");
        assert!(done.success(), "the operator with the test clock does not compile");
        usual.with_file_name(NAME)
    });
    binary.to_str().expect("a path that is UTF-8").to_owned()
}
