//! The words of labels: each is of a fixed set. What is counted never stands here.

use crate::domain::delivery::Stage;
use crate::domain::invitation::{MailKind, Outcome};

/// A kind of mail.
pub(super) fn kind_in_a_word(kind: MailKind) -> &'static str {
    match kind {
        MailKind::Invitation => "invitation",
        MailKind::EmailConfirmation => "email_confirmation",
        MailKind::EmailChangeNotice => "email_change_notice",
    }
}

/// What came of a mail.
pub(super) fn outcome_in_a_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Sending => "unknown",
        Outcome::Sent => "sent",
        Outcome::Refused => "refused",
        Outcome::Deferred => "deferred",
        Outcome::MailerFailed => "mailer_failed",
        Outcome::Dropped => "dropped",
    }
}

/// Where a mail failed.
pub(super) fn stage_in_a_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Connect => "connect",
        Stage::Greeting => "greeting",
        Stage::Ehlo => "ehlo",
        Stage::StartTls => "starttls",
        Stage::Auth => "auth",
        Stage::MailFrom => "mail_from",
        Stage::RcptTo => "rcpt_to",
        Stage::Data => "data",
        Stage::Content => "content",
        Stage::AfterDot => "after_dot",
    }
}
