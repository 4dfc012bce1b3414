//! A clinic whose relay has every stage that there is, TLS and AUTH included, and an operator that waits for it as long as the
//! fault needs. Never here: a fault.

use serde_json::json;

use super::table::Fault;
use crate::secrecy::{ADDRESS, PASSWORD, USERNAME};
use crate::support::certificate::certificate;
use crate::support::mail::Mail;
use crate::support::operator::OperatorOptions;
use crate::support::smtp::{SmtpServer, Stage};
use crate::support::wait::{PATIENCE, eventually_ok};
use crate::world::World;

/// Seconds for each step of the dialogue, where a fault is that nothing comes: as long as a busy machine needs for what does
/// come, and less than a stop waits for a mail under way.
const IMPATIENT: u8 = 3;
/// What the operator has otherwise.
const PATIENT: u8 = 60;

/// See the file's head.
pub(super) struct Troubled {
    pub(super) world: World,
    /// The file of the authority that signed the relay's certificate; it is there as long as this.
    _authority: tempfile::NamedTempFile,
}

impl Troubled {
    pub(super) fn new(fault: Fault) -> Self {
        let (pem, config) = certificate();
        let authority = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(authority.path(), pem).expect("its own file");
        let seconds = match fault {
            Fault::Silence | Fault::Drip => IMPATIENT,
            Fault::Refusal | Fault::TemporaryRefusal | Fault::LostConnection | Fault::Garbage | Fault::LateReply => {
                PATIENT
            }
        };
        let options = OperatorOptions {
            configuration: vec![
                ("/log/level", json!("trace")),
                ("/mail/tls", json!("StartTLS")),
                ("/mail/caFile", json!(authority.path())),
                ("/mail/timeoutSeconds", json!(seconds)),
            ],
            credentials: Some((USERNAME.to_owned(), PASSWORD.to_owned())),
            ..OperatorOptions::default()
        };
        let relay = SmtpServer::start_with_tls(config);
        let world = World::at_with("fault", "2027-03-01T12:00:00Z", relay, options);
        Self { world, _authority: authority }
    }

    /// Stops the operator as Kubernetes does, starts it again, and waits until it has looked at everything.
    #[track_caller]
    pub(super) fn restart(&mut self) {
        let (status, _) = self.world.operator.terminate();
        assert!(status.success(), "{status}");
        self.world.operator.restart();
        let members = self.world.names("clinicusers").len();
        eventually_ok(PATIENCE, "the operator to have looked at everything", || {
            let metrics = self.world.operator.metrics();
            let looked = |controller: &str| {
                let line =
                    format!("clinic_operator_reconciles_total{{controller=\"{controller}\",result=\"success\"}} ");
                let count = metrics.lines().find_map(|found| found.strip_prefix(&line)?.parse::<usize>().ok());
                count.unwrap_or(0)
            };
            let seen = ["clinic", "member", "account"].map(looked);
            if seen[0] >= 1 && seen[1] >= members && seen[2] >= members { Ok(()) } else { Err(seen) }
        });
    }

    /// What may stand in no output.
    pub(super) fn secrets(&self) -> Vec<String> {
        let links = self.world.relay.mails();
        let tokens = links.iter().flat_map(Mail::links).filter_map(|link| Some(link.rsplit_once('.')?.1.to_owned()));
        let known = [ADDRESS, USERNAME, PASSWORD, "/invitations#"].map(str::to_owned);
        known.into_iter().chain(tokens).collect()
    }
}

/// How the operator names a stage to people.
pub(super) fn named(stage: Stage) -> &'static str {
    match stage {
        Stage::Greeting => "the greeting",
        Stage::Ehlo => "EHLO",
        Stage::StartTls => "STARTTLS",
        Stage::Auth => "AUTH",
        Stage::MailFrom => "MAIL FROM",
        Stage::RcptTo => "RCPT TO",
        Stage::Data => "DATA",
        Stage::Content => "the message",
        Stage::AfterDot => "the end of the message",
        Stage::Quit => "QUIT",
    }
}

/// How the metrics name it.
pub(super) fn counted_as(stage: Stage) -> &'static str {
    match stage {
        Stage::Greeting => "greeting",
        Stage::Ehlo => "ehlo",
        Stage::StartTls => "starttls",
        Stage::Auth => "auth",
        Stage::MailFrom => "mail_from",
        Stage::RcptTo => "rcpt_to",
        Stage::Data => "data",
        Stage::Content => "content",
        Stage::AfterDot => "after_dot",
        Stage::Quit => "",
    }
}
