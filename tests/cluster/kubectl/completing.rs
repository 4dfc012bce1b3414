//! Completions: those of kubectl itself, which asks the plugin, and the scripts of shells.

use std::process::{Command, Stdio};

use super::{Person, links};
use crate::world::{World, staff};

#[test]
fn kubectl_completes_commands_flags_and_the_names_of_members() {
    let world = World::new("completing");
    world.apply(&[staff("ana-silva", "ana@maple.example"), staff("omar-haddad", "omar@maple.example")].concat());
    world.member_in("Invited", "ana-silva");
    world.member_in("Invited", "omar-haddad");
    let viewer = Person::viewer(&world);
    let namespace = world.namespace.name();
    for (words, expected) in [
        (vec!["wh"], "why\tWhy a member stands as they do: since when, what it waits for, what to do\n"),
        (vec!["why", ""], "ana-silva\tInvited\nomar-haddad\tInvited\n"),
        (vec!["resend", "om"], "omar-haddad\tInvited\n"),
        (vec!["why", "-n", namespace, "ana"], "ana-silva\tInvited\n"),
        (vec!["why", "-n", "default", ""], ""),
        (vec!["members", "--ema"], "--emails\tTheir email addresses too, as the manifests have them\n"),
        (vec!["members", "-o", ""], "table\njson\ncsv\n"),
        (vec!["release", ""], ""),
        (vec!["sign-out", "ana-silva", ""], "ana-silva\tInvited\nomar-haddad\tInvited\n"),
        (vec!["sign-out", "--all", "--after", ""], ""),
    ] {
        let said = viewer.kubectl(&[&["__complete", "clinic"], &words[..]].concat());
        assert_eq!((said.code, said.stdout), (0, format!("{expected}:4\n")), "{words:?}: {}", said.stderr);
    }
}

#[test]
fn each_shell_gets_a_script_and_bash_can_read_its_own() {
    let world = World::without_clinic("scripts");
    let viewer = Person::viewer(&world);
    for shell in ["bash", "zsh", "fish"] {
        let script = viewer.ok(&["completions", shell]);
        assert!(script.contains("kubectl-clinic") && script.contains("resend"), "{shell}: {script}");
    }
    let check =
        format!("source <({}/kubectl-clinic completions bash) && complete -p kubectl-clinic", links().display());
    let output = Command::new("bash").args(["--norc", "-c", &check]).stdin(Stdio::null()).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).trim_end().ends_with(" kubectl-clinic"), "{output:?}");
}
