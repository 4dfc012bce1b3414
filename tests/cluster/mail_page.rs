//! docs/mail.md shows what the operator really says: each command of the page is run, and its output compared. Never here: what
//! a fault means.

use std::process::Command;

use crate::support::console::{Shown, in_general, shown_in};
use crate::support::control_plane::control_plane;
use crate::support::operator::OperatorOptions;
use crate::support::smtp::{SmtpServer, Stage};
use crate::world::{World, staff};

/// The clinic of the page: one member for each thing that can happen to a mail.
fn clinic_of_the_page() -> World {
    let credentials = Some(("clinic".to_owned(), "secret".to_owned()));
    let options = OperatorOptions { credentials, ..OperatorOptions::default() };
    let world = World::at_with("maple", "2027-03-01T14:00:00Z", SmtpServer::start(), options);
    let invite = |name: &str| world.apply(&staff(name, &format!("{name}@maple.example")));
    let of = |stage, name: &str| world.relay.at(stage).of(&format!("{name}@maple.example"));
    of(Stage::RcptTo, "ana-silva").reply(550, "5.1.1 no such user");
    of(Stage::RcptTo, "mei-chen").reply(450, "4.2.0 greylisted");
    of(Stage::AfterDot, "lena-roy").take_then_drop();
    for (name, state) in [("omar-haddad", "Invited"), ("ana-silva", "Undeliverable")] {
        invite(name);
        world.member_in(state, name);
    }
    invite("mei-chen");
    world.member_told("mei-chen", "did not get through");
    invite("lena-roy");
    world.member_told("lena-roy", "is on its way to the mail relay");
    world.relay.at(Stage::Auth).reply(535, "5.7.8 wrong");
    invite("joao-pinto");
    world.member_told("joao-pinto", "does not take mail");
    world.mailer_is("False");
    world
}

/// A shell in which `kubectl` is an administrator's of the tests' cluster.
pub(crate) fn shell(script: &str) -> Command {
    let control_plane = control_plane();
    let path = format!("{}:{}", control_plane.folder.join("bin").display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash");
    shell.args(["-c", script]).env("PATH", path).env("KUBECONFIG", &control_plane.kubeconfig);
    shell.env("KUBECACHEDIR", control_plane.folder.join("cache"));
    shell
}

/// Runs all commands of the page in one shell, as somebody who follows it would, and returns what each prints.
fn outputs(world: &World, commands: &[String]) -> Vec<String> {
    let port = world.operator.port().to_string();
    let namespace = format!("-n {}", world.namespace.name());
    let mut script = String::from("set -e\n");
    for command in commands {
        script += &command.replace("-n maple", &namespace).replace("localhost:8080", &format!("127.0.0.1:{port}"));
        script += "\necho; echo '--- next ---'\n";
    }
    let output = shell(&script).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.split("--- next ---").map(str::to_owned).take(commands.len()).collect()
}

#[test]
fn the_page_about_missing_mails_shows_what_is_really_printed() {
    let world = clinic_of_the_page();
    let shown = shown_in("docs/mail.md");
    assert!(shown.len() >= 8, "the page shows its commands in blocks of the kind `console`");
    let commands: Vec<String> = shown.iter().map(|shown| shown.command.clone()).collect();
    let printed = outputs(&world, &commands);
    let differs = |(shown, printed): &(&Shown, String)| in_general(&shown.output) != in_general(printed);
    let wrong = shown.iter().zip(printed).filter(differs);
    let wrong: Vec<_> = wrong.map(|(shown, printed)| format!("$ {}\n{}\n", shown.command, printed.trim())).collect();
    assert!(wrong.is_empty(), "docs/mail.md must show:\n{}", wrong.concat());
}
