//! The supervisors of real peers end what they started and leave nothing, however they or their callers end. Never here: what
//! the operator says to a peer.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::SystemTime;

use tempfile::TempDir;

use super::supervisor::{assert_all_end, children_of, signal};
use crate::support::postfix::{supervisor, told};
use crate::support::wait::{PATIENCE, eventually};

/// Nobody listens there, and nothing is sent.
const NO_SINK: &str = "9";

struct Run {
    process: Child,
    folder: PathBuf,
}

impl Run {
    fn spawn(parent: &Path, number: usize) -> Self {
        let folder = parent.join(number.to_string());
        let mut command = Command::new(supervisor());
        let process = command.arg(&folder).arg(NO_SINK).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        Self { process, folder }
    }

    /// Waits until it is ready; its ports and the file of its authority.
    fn ready(&mut self) -> (Vec<u16>, String) {
        let mut line = String::new();
        BufReader::new(self.process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let told = told(&line).unwrap();
        (["starttls", "tls"].map(|name| told[name].parse().unwrap()).to_vec(), told["ca"].to_owned())
    }

    /// It and everything that it started, of whatever generation.
    fn programs(&self) -> Vec<u32> {
        let mut all = vec![self.process.id()];
        let mut next = 0;
        while let Some(parent) = all.get(next) {
            all.extend(children_of(*parent));
            next += 1;
        }
        all
    }
}

fn folder(mode: u32) -> TempDir {
    tempfile::Builder::new().permissions(fs::Permissions::from_mode(mode)).tempdir().unwrap()
}

/// Where a postfix of the system has its users and its mails: when they were changed last, if they are there.
fn of_the_system() -> Vec<Option<SystemTime>> {
    let paths = ["/etc/sasldb2", "/etc/postfix", "/var/spool/postfix", "/var/spool/postfix/pid", "/var/lib/postfix"];
    paths.map(|path| fs::metadata(path).ok().map(|metadata| metadata.modified().unwrap())).to_vec()
}

#[test]
fn several_postfixes_run_at_once_and_each_ends_whole_however_it_is_ended() {
    let before = of_the_system();
    let parent = folder(0o755);
    let ends = ["pipe", "-TERM", "-INT", "-HUP", "-KILL"];
    let mut runs: Vec<Run> = (0..ends.len()).map(|number| Run::spawn(parent.path(), number)).collect();
    let told: Vec<(Vec<u16>, String)> = runs.iter_mut().map(Run::ready).collect();
    let mut ports: Vec<u16> = told.iter().flat_map(|(ports, _)| ports.clone()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 2 * ends.len());
    let mut authorities: Vec<String> = told.iter().map(|(_, file)| fs::read_to_string(file).unwrap()).collect();
    authorities.sort();
    authorities.dedup();
    assert_eq!(authorities.len(), ends.len());

    for (run, end) in runs.iter_mut().zip(ends) {
        let programs = run.programs();
        assert!(programs.len() > 5, "itself, its reader, a guard, the master and some of its programs: {programs:?}");
        if end == "pipe" {
            drop(run.process.stdin.take());
        } else {
            signal(&run.process, end);
        }
        let status = eventually(PATIENCE, "the supervisor to end", || run.process.try_wait().unwrap());
        assert_all_end(&programs);
        // Who is killed cannot tidy up.
        assert_eq!((status.success(), run.folder.exists()), (end != "-KILL", end == "-KILL"), "{end}: {status}");
    }
    assert_eq!(of_the_system(), before);
}

#[test]
fn a_folder_that_is_in_use_or_closed_to_postfix_is_left_as_it_is() {
    let parent = folder(0o700);
    fs::write(parent.path().join("mine"), "").unwrap();
    for (folder, why) in [
        (parent.path().to_owned(), "is not empty; name an absent or an empty folder"),
        (parent.path().join("its"), "the user postfix cannot reach"),
    ] {
        let output = Command::new(supervisor()).arg(&folder).arg(NO_SINK).stdin(Stdio::piped()).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && message.contains(why), "{message}");
        let left: Vec<_> = fs::read_dir(parent.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["mine"]);
    }
}
