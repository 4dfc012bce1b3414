//! The supervisor of the control plane ends what it started, however it or its caller ends. Its programs are stand-ins
//! here (a shell that waits), since only the processes matter; every other test boots the real ones through it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::wait::{PATIENCE, eventually, eventually_ok};

const WAITS: &str = "#!/bin/sh\nexec sleep 600\n";
const SAYS_READY: &str = "#!/bin/sh\necho ok\n";

struct Run {
    process: Child,
    folder: PathBuf,
    _parent: tempfile::TempDir,
}

/// Starts the supervisor with these programs: what etcd and the API server do is the test's choice.
fn start(etcd: &str, api_server: &str, kubectl: &str) -> Run {
    let parent = tempfile::tempdir().unwrap();
    let programs = parent.path().join("programs");
    fs::create_dir(&programs).unwrap();
    let all =
        [("etcd", etcd), ("kube-apiserver", api_server), ("kubectl", kubectl), ("kube-controller-manager", WAITS)];
    for (name, script) in all {
        fs::write(programs.join(name), script).unwrap();
        fs::set_permissions(programs.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let folder = parent.path().join("run");
    let process = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/control-plane/run"))
        .arg("--with-controller-manager")
        .arg(&folder)
        .env("KUBEBUILDER_ASSETS", &programs)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    Run { process, folder, _parent: parent }
}

impl Run {
    fn wait_until_ready(&mut self) {
        let mut line = String::new();
        BufReader::new(self.process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, format!("ready {}\n", self.folder.join("kubeconfig").display()));
    }

    /// The ids of the three programs that this supervisor runs, each in a session of its own.
    fn programs(&self) -> Vec<u32> {
        eventually_ok(PATIENCE, "etcd, the API server and the controllers to run", || {
            let mut ids = children_of(self.process.id());
            ids.retain(|id| stat(*id).is_some_and(|stat| stat.session == *id));
            if ids.len() == 3 { Ok(ids) } else { Err(ids) }
        })
    }

    fn message(&mut self) -> String {
        let mut message = String::new();
        self.process.stderr.as_mut().unwrap().read_to_string(&mut message).unwrap();
        message
    }
}

struct Stat {
    parent: u32,
    session: u32,
    gone: bool,
}

/// Of `/proc/<id>/stat` (proc(5)): the fields after the command's name are state, parent, group, session.
fn stat(id: u32) -> Option<Stat> {
    let line = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields: Vec<&str> = line.rsplit_once(") ")?.1.split(' ').collect();
    Some(Stat { gone: fields[0] == "Z", parent: fields[1].parse().ok()?, session: fields[3].parse().ok()? })
}

pub(super) fn children_of(parent: u32) -> Vec<u32> {
    let ids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|id| stat(*id).is_some_and(|stat| stat.parent == parent)).collect()
}

pub(super) fn assert_all_end(programs: &[u32]) {
    eventually_ok(PATIENCE, "the programs to end", || {
        let left: Vec<_> = programs.iter().filter(|id| stat(**id).is_some_and(|stat| !stat.gone)).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
}

fn assert_ends_everything(end: impl FnOnce(&mut Child)) {
    let mut run = start(WAITS, WAITS, SAYS_READY);
    run.wait_until_ready();
    let programs = run.programs();
    end(&mut run.process);
    assert_all_end(&programs);
    let status = eventually(PATIENCE, "the supervisor to end", || run.process.try_wait().unwrap());
    assert!(status.success(), "{status}: {}", run.message());
    assert!(!run.folder.exists(), "its data should be gone");
}

pub(super) fn signal(process: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &process.id().to_string()]).status().unwrap().success());
}

#[test]
fn it_ends_everything_when_its_callers_pipe_closes() {
    assert_ends_everything(|process| drop(process.stdin.take()));
}

#[test]
fn it_ends_everything_on_each_signal_that_asks_it_to() {
    for name in ["-TERM", "-INT", "-HUP"] {
        assert_ends_everything(|process| signal(process, name));
    }
}

#[test]
fn its_programs_end_even_when_it_is_killed() {
    let mut run = start(WAITS, WAITS, SAYS_READY);
    run.wait_until_ready();
    let programs = run.programs();
    run.process.kill().unwrap();
    assert_all_end(&programs);
}

#[test]
fn a_program_that_fails_is_named_with_its_last_words() {
    let mut run = start(WAITS, "#!/bin/sh\necho 'no such flag'\nexit 1\n", "#!/bin/sh\nexit 1\n");
    let message = run.message();
    assert!(!run.process.wait().unwrap().success());
    assert!(message.contains("the control plane stopped while starting"), "{message}");
    assert!(message.contains("the last lines of kube-apiserver:\nno such flag"), "{message}");
    assert!(!run.folder.exists());
}

#[test]
fn a_port_that_was_taken_leads_to_another_attempt() {
    let taken_once = "#!/bin/sh\nmark=$(dirname \"$0\")/mark\n[ -e \"$mark\" ] && exec sleep 600\n: >\"$mark\"\n\
                      echo 'bind: address already in use' >&2\nexit 1\n";
    let ready_then = "#!/bin/sh\n[ -e \"$(dirname \"$0\")/mark\" ] && [ \"$(cat \"$(dirname \"$0\")/../run/etcd.log\")\" = '' ] \
                      && echo ok\n";
    let mut run = start(taken_once, WAITS, ready_then);
    run.wait_until_ready();
    drop(run.process.stdin.take());
    let message = run.message();
    assert!(message.contains("trying others"), "{message}");
    assert!(run.process.wait().unwrap().success());
}
