//! The mails of the reference model: what is asked of whom, what became of it, and when it is tried again.

use super::{Answer, Mail};

/// How often a mail is tried of which nobody knows whether it arrived.
const TRIES_WITHOUT_ANSWER: u8 = 3;
const LINK_HOURS: i64 = 7 * 24;

/// What became of a mail.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Try {
    last: Answer,
    /// When, in hours since the test began.
    at: i64,
    without_answer: u8,
}

/// What there is to say about a mail.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stands {
    Sent,
    Refused,
    /// It is tried again after some time.
    Waits,
    /// It was tried often enough.
    Unknown,
}

impl Try {
    /// The mail is tried, if it is to be: what became of it, and whether it arrived.
    fn go(before: Option<Self>, answer: Answer, now: i64) -> (Self, bool) {
        let may = before.as_ref().is_none_or(|before| before.stands(now) == Stands::Waits && before.at < now);
        match before {
            Some(before) if !may => (before, false),
            before => {
                let without_answer =
                    before.map_or(0, |before| before.without_answer) + u8::from(answer == Answer::IsSilent);
                (Self { last: answer, at: now, without_answer }, answer == Answer::Takes)
            }
        }
    }

    pub(crate) fn stands(&self, now: i64) -> Stands {
        match self.last {
            Answer::Takes => Stands::Sent,
            Answer::Refuses => Stands::Refused,
            Answer::IsSilent if self.without_answer >= TRIES_WITHOUT_ANSWER && self.at < now => Stands::Unknown,
            Answer::IsSilent | Answer::PutsOff => Stands::Waits,
        }
    }
}

/// The last mail with a link, and the notice beside it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked {
    pub(crate) kind: Mail,
    pub(crate) address: u8,
    resend: Option<u8>,
    pub(crate) link: Try,
    notice: Option<Try>,
}

/// What is to be asked.
#[derive(Clone, Copy)]
pub(crate) struct Question {
    pub(crate) kind: Mail,
    pub(crate) address: u8,
    pub(crate) resend: Option<u8>,
    /// Where a notice goes.
    pub(crate) login: Option<u8>,
}

impl Asked {
    /// Whether this asks what is to be asked.
    fn is_about(&self, question: Question) -> bool {
        let answered = question.resend.is_none() || question.resend == self.resend;
        self.kind == question.kind && self.address == question.address && answered
    }

    /// Asks, where that is to be done now; the mails that arrive.
    pub(crate) fn ask(before: Option<Self>, question: Question, answer: Answer, now: i64) -> (Self, Vec<(Mail, u8)>) {
        let mut mails = Vec::new();
        let before = before.filter(|before| before.is_about(question));
        let (notice, resend) =
            before.as_ref().map_or((None, question.resend), |asked| (asked.notice.clone(), asked.resend));
        let (link, arrived) = Try::go(before.map(|before| before.link), answer, now);
        mails.extend(arrived.then_some((question.kind, question.address)));
        let mut asked = Self { kind: question.kind, address: question.address, resend, link, notice };
        if let Some(login) = question.login
            && asked.link.stands(now) != Stands::Waits
        {
            let (notice, arrived) = Try::go(asked.notice.take(), answer, now);
            mails.extend(arrived.then_some((Mail::Notice, login)));
            asked.notice = Some(notice);
        }
        (asked, mails)
    }

    /// Whether the link is young enough, which works until access ends at the latest.
    pub(crate) fn link_works(&self, until: Option<i64>, now: i64) -> bool {
        let expires = self.link.at + LINK_HOURS;
        now < until.map_or(expires, |until| until.min(expires))
    }
}
