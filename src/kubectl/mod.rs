//! The plugin `kubectl clinic`: what people ask of a clinic on the command line, with their own kubeconfig and rights. It reads
//! what the operator wrote and sets the annotations that people set. Never here: a rule of the clinic, or a write to what is
//! the operator's.

mod advice;
mod completions;
mod failure;
mod held;
mod holds;
mod members;
mod names;

mod resend;
mod seen;
mod session;
mod sign_out;
mod wait;
mod why;

use std::ffi::OsStr;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use self::failure::Failure;
use self::session::Session;
use crate::adapters::kubernetes::Login;
use crate::adapters::output::tell;

/// The name under which kubectl looks for the plugin.
const PLUGIN: &str = "kubectl-clinic";
/// The name under which kubectl asks it for completions.
const COMPLETER: &str = "kubectl_complete-clinic";

/// Ask and tell a clinic's operator: who its members are, why somebody stands as they do, send an invitation again, sign
/// somebody out, release what is held.
#[derive(Parser)]
#[command(
    name = "kubectl-clinic",
    bin_name = "kubectl clinic",
    version,
    after_help = "Exit codes: 0 done; 1 the cluster cannot be used; 2 wrong command line; 3 no such member, hold, Clinic or \
                  namespace; 4 not allowed; 5 not done, or not seen to be done in time."
)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

/// What kubectl has too.
#[derive(Args, Clone, Debug, Default)]
struct Options {
    /// The clinic's namespace; default: the one of the context
    #[arg(short, long, global = true, value_name = "NAME")]
    namespace: Option<String>,
    /// The context of the kubeconfig; default: the current one
    #[arg(long, global = true, value_name = "NAME")]
    context: Option<String>,
    /// The kubeconfig; default: KUBECONFIG, else ~/.kube/config
    #[arg(long, global = true, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// The list of active members: name, title, and position, classification or type
    Members(members::Options),
    /// Mail a member's invitation again; the links of earlier mails die
    Resend {
        /// The member, by metadata.name
        name: String,
        #[command(flatten)]
        patience: wait::Patience,
    },
    /// Why a member stands as they do: since when, what it waits for, what to do
    Why {
        /// The member, by metadata.name; clinicuser/NAME or clinicserviceaccount/NAME if both kinds have it
        name: String,
    },
    /// What the guards hold back until a person releases it
    Holds {
        /// table or json
        #[arg(short, long, value_name = "FORMAT", default_value = "table")]
        output: holds::Format,
    },
    /// Release what is held under this id
    Release {
        /// The id, as `kubectl clinic holds` shows it
        id: String,
        #[command(flatten)]
        whom: holds::Whom,
        #[command(flatten)]
        patience: wait::Patience,
    },
    /// End every session of members, who then sign in anew
    SignOut(sign_out::Options),
    /// Print the completions of kubectl-clinic for a shell
    #[command(after_help = "For completions of `kubectl clinic`, names of members included, link the program as \
                            kubectl_complete-clinic too, on the PATH: kubectl's own completions then ask it.")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// What the program is asked for by the name under which it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartedAs {
    /// `kubectl clinic …`
    Plugin,
    /// kubectl, for the words with which a line could go on.
    Completer,
}

impl StartedAs {
    /// `None`: by another name than these.
    pub fn of(first_argument: Option<&OsStr>) -> Option<Self> {
        match Path::new(first_argument?).file_name()?.to_str()? {
            PLUGIN => Some(Self::Plugin),
            COMPLETER => Some(Self::Completer),
            _ => None,
        }
    }
}

/// Does what the command line says.
pub fn main(started_as: StartedAs) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return end(Err(Failure::Runtime(error))),
    };
    let code = match started_as {
        StartedAs::Plugin => end(runtime.block_on(run(Cli::parse()))),
        StartedAs::Completer => {
            let words = std::env::args().skip(1).collect::<Vec<_>>();
            end(Ok(runtime.block_on(completions::complete(&words))))
        }
    };
    // A name look-up that gets no answer is not waited for.
    runtime.shutdown_background();
    code
}

/// What goes to standard output.
async fn run(cli: Cli) -> Result<String, Failure> {
    let options = cli.options;
    match cli.command {
        Command::Members(wanted) => members::members(&Session::open(&options).await?, &wanted).await,
        Command::Resend { name, patience } => resend::resend(&Session::open(&options).await?, &name, patience).await,
        Command::Why { name } => why::why(&Session::open(&options).await?, &name).await,
        Command::Holds { output } => holds::holds(&Session::open(&options).await?, output).await,
        Command::Release { id, whom, patience } => {
            holds::release(&Session::open(&options).await?, &id, &whom, patience).await
        }
        Command::SignOut(wanted) => sign_out::sign_out(&Session::open(&options).await?, &wanted).await,
        Command::Completions { shell } => Ok(completions::script(shell)),
    }
}

/// A reader that has seen enough (`| head`) is no error.
fn end(result: Result<String, Failure>) -> ExitCode {
    let failure = match result {
        Ok(text) => match std::io::stdout().write_all(text.as_bytes()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Failure::Write(error),
            Ok(()) | Err(_) => return ExitCode::SUCCESS,
        },
        Err(failure) => failure,
    };
    tell(&format!("error: {failure}"));
    ExitCode::from(failure.exit_code())
}

impl Options {
    fn login(&self) -> Login {
        Login { kubeconfig: self.kubeconfig.clone(), context: self.context.clone(), namespace: self.namespace.clone() }
    }

    /// The flags that a command must have that means the same clinic.
    fn again(&self) -> String {
        let flag = |name: &str, value: Option<&str>| value.map(|value| format!(" {name} {value}")).unwrap_or_default();
        let kubeconfig = self.kubeconfig.as_ref().map(|path| path.display().to_string());
        let flags = [
            flag("-n", self.namespace.as_deref()),
            flag("--context", self.context.as_deref()),
            flag("--kubeconfig", kubeconfig.as_deref()),
        ];
        flags.concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_name_of_the_program_decides() {
        for (name, expected) in [
            ("kubectl-clinic", Some(StartedAs::Plugin)),
            ("/usr/local/bin/kubectl-clinic", Some(StartedAs::Plugin)),
            ("./kubectl_complete-clinic", Some(StartedAs::Completer)),
            ("clinic-operator", None),
            ("/opt/kubectl-clinic/clinic-operator", None),
            ("", None),
        ] {
            assert_eq!(StartedAs::of(Some(OsStr::new(name))), expected, "{name}");
        }
        assert_eq!(StartedAs::of(None), None);
    }
}
