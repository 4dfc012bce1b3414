//! Completions: the script of a shell for `kubectl-clinic`, and the words with which kubectl's own completion of `kubectl clinic`
//! can go on. What cannot be asked of the cluster is left out without a word: somebody is typing.

use clap::{CommandFactory, ValueEnum};
use clap_complete::{Shell, generate};

use super::seen::{MemberKind, holds_of};
use super::session::Session;
use super::{Cli, Options, PLUGIN};

/// What ends kubectl's list: these words and no files (cobra's `ShellCompDirectiveNoFileComp`).
const NO_FILES: &str = ":4";
/// Files may follow (cobra's `ShellCompDirectiveDefault`).
const FILES: &str = ":0";

/// The script for `kubectl-clinic`.
pub(super) fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), PLUGIN, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The words that can follow `words`, of which the last is still being typed: one a line with its description after a tab, and
/// kubectl's directive.
pub(super) async fn complete(words: &[String]) -> String {
    let Some((typed, before)) = words.split_last() else { return format!("{NO_FILES}\n") };
    let line = Line::read(before);
    if line.wants_a_value_of == Some("--kubeconfig") {
        return format!("{FILES}\n");
    }
    let mut offers = line.offers(typed).await;
    offers.retain(|(word, _)| word.starts_with(typed.as_str()));
    let words =
        offers.into_iter().map(|(word, about)| if about.is_empty() { word } else { format!("{word}\t{about}") });
    words.chain([NO_FILES.to_owned()]).map(|line| line + "\n").collect()
}

/// What is typed already.
#[derive(Debug, Default)]
struct Line {
    options: Options,
    command: Option<String>,
    has_argument: bool,
    wants_a_value_of: Option<&'static str>,
}

/// Flags that take a value, by each of their names.
const WITH_A_VALUE: [(&str, &str); 8] = [
    ("-n", "--namespace"),
    ("--namespace", "--namespace"),
    ("--context", "--context"),
    ("--kubeconfig", "--kubeconfig"),
    ("-o", "--output"),
    ("--output", "--output"),
    ("--timeout", "--timeout"),
    ("--after", "--after"),
];

impl Line {
    fn read(words: &[String]) -> Self {
        let mut line = Self::default();
        for word in words {
            if let Some(flag) = line.wants_a_value_of.take() {
                line.take(flag, word);
                continue;
            }
            let (name, value) = word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
            match (WITH_A_VALUE.iter().find(|(of, _)| *of == name), value) {
                (Some((_, flag)), Some(value)) => line.take(flag, value),
                (Some((_, flag)), None) => line.wants_a_value_of = Some(flag),
                (None, _) if word.starts_with('-') => {}
                (None, _) if line.command.is_none() => line.command = Some(word.clone()),
                (None, _) => line.has_argument = true,
            }
        }
        line
    }

    fn take(&mut self, flag: &str, value: &str) {
        match flag {
            "--namespace" => self.options.namespace = Some(value.to_owned()),
            "--context" => self.options.context = Some(value.to_owned()),
            "--kubeconfig" => self.options.kubeconfig = Some(value.into()),
            _ => {}
        }
    }

    /// Everything that could stand here, with what it is.
    async fn offers(&self, typed: &str) -> Vec<(String, String)> {
        let root = Cli::command();
        let command = self.command.as_deref().and_then(|name| root.find_subcommand(name));
        if let Some(flag) = self.wants_a_value_of {
            return if flag == "--output" { formats(self.command.as_deref()) } else { Vec::new() };
        }
        if typed.starts_with('-') {
            let flags = root.get_arguments().chain(command.into_iter().flat_map(clap::Command::get_arguments));
            return flags.filter_map(|flag| Some((format!("--{}", flag.get_long()?), help(flag.get_help())))).collect();
        }
        match (command.map(clap::Command::get_name), self.has_argument) {
            (None, _) => {
                let about = |of: &clap::Command| (of.get_name().to_owned(), help(of.get_about()));
                root.get_subcommands().map(about).collect()
            }
            (Some("why"), false) => self.members(&MemberKind::ALL).await,
            (Some("resend"), false) | (Some("sign-out"), _) => self.members(&[MemberKind::ClinicUser]).await,
            (Some("release"), false) => self.holds().await,
            (Some("completions"), false) => plain_words(Shell::value_variants().iter().map(ToString::to_string)),
            (Some(_), _) => Vec::new(),
        }
    }

    async fn members(&self, kinds: &[MemberKind]) -> Vec<(String, String)> {
        let Ok(session) = Session::open(&self.options).await else { return Vec::new() };
        let members = session.members().await.unwrap_or_default();
        let mut names: Vec<(String, String)> = members
            .iter()
            .filter(|member| kinds.contains(&member.kind))
            .map(|member| (member.name().to_owned(), member.status.state.clone().unwrap_or_default()))
            .collect();
        names.sort();
        names
    }

    async fn holds(&self) -> Vec<(String, String)> {
        let Ok(session) = Session::open(&self.options).await else { return Vec::new() };
        let Ok(clinic) = session.clinic().await else { return Vec::new() };
        let about = |count: u32| format!("{count} held");
        holds_of(&clinic).iter().map(|hold| (hold.id.clone(), about(hold.count))).collect()
    }
}

fn formats(command: Option<&str>) -> Vec<(String, String)> {
    let names: &[&str] = match command {
        Some("members") => &["table", "json", "csv"],
        Some("holds") => &["table", "json"],
        Some(_) | None => &[],
    };
    plain_words(names.iter().map(|name| (*name).to_owned()))
}

fn plain_words(words: impl Iterator<Item = String>) -> Vec<(String, String)> {
    words.map(|word| (word, String::new())).collect()
}

fn help(text: Option<&clap::builder::StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(words: &[&str]) -> String {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(complete(&words))
    }

    #[test]
    fn commands_flags_and_formats_are_offered_without_a_cluster() {
        assert_eq!(
            offered(&["re"]),
            "resend\tMail a member's invitation again; the links of earlier mails die\nrelease\tRelease what is held under \
             this id\n:4\n"
        );
        assert!(offered(&["members", "--e"]).starts_with("--emails\t"));
        assert!(offered(&["holds", "--nam"]).starts_with("--namespace\t"));
        assert_eq!(offered(&["members", "-o", ""]), "table\njson\ncsv\n:4\n");
        assert_eq!(offered(&["holds", "--output", "j"]), "json\n:4\n");
        assert_eq!(offered(&["completions", "z"]), "zsh\n:4\n");
        assert_eq!(offered(&["members", "-n", ""]), ":4\n", "no names of namespaces");
        assert_eq!(offered(&["--kubeconfig", ""]), ":0\n", "files");
        assert_eq!(offered(&["why", "ana", ""]), ":4\n", "one name only");
        assert_eq!(offered(&[]), ":4\n");
    }

    #[test]
    fn what_cannot_be_asked_is_left_out() {
        for command in ["why", "resend", "sign-out", "release"] {
            assert_eq!(offered(&["--kubeconfig=/nonexistent", command, ""]), ":4\n");
        }
    }

    #[test]
    fn the_clinic_that_the_line_names_is_the_one_that_is_asked() {
        let words = ["-n", "maple", "why", "--context=blue", "--kubeconfig", "/k"].map(str::to_owned);
        let line = Line::read(&words);
        assert_eq!(line.options.namespace.as_deref(), Some("maple"));
        assert_eq!(line.options.context.as_deref(), Some("blue"));
        assert_eq!(line.options.kubeconfig.as_deref(), Some(std::path::Path::new("/k")));
        assert_eq!((line.command.as_deref(), line.has_argument, line.wants_a_value_of), (Some("why"), false, None));
    }
}
