//! Whether a link lets its reader in: the one place that decides it, for the page that shows and for the write that accepts.
//! How a password is kept, and who writes what was decided, never lives here.

use jiff::Timestamp;

use super::email::is_the_same_address;
use super::invitation::{MailKind, Outcome, Token, Wish, link_expires};
use super::lifecycle::{AccessFacts, AccessReason, access};
use super::standing::Manifest;

/// Longer than any token, in bytes.
const LONGEST_TOKEN: usize = 64;

/// A mail with a link, as the ledger holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link<'a> {
    /// What it asks.
    pub kind: MailKind,
    /// Its round.
    pub round: u32,
    /// When it was written ahead.
    pub at: Timestamp,
    /// Until when it works unless access ends before; `None`: version 0.1 wrote it ahead.
    pub valid_until: Option<Timestamp>,
    /// What became of it.
    pub outcome: Outcome,
    /// SHA-256 of its token in lower case hex.
    pub digest: &'a str,
}

/// What the record of an account says, in one read.
#[derive(Clone)]
pub struct Record<'a> {
    /// The round whose links count.
    pub round: u32,
    /// The address that this round's mails went to.
    pub mailed_to: &'a str,
    /// Every link that the ledger remembers.
    pub links: Vec<Link<'a>>,
    /// What access depends on.
    pub access: AccessFacts,
    /// What the clinic wishes for now.
    pub wish: Wish<'a>,
}

/// How the manifest stands that holds the account of somebody who is invited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// It is there, and takes this away.
    There(Manifest),
    /// It is there and asks for another address: no controller has told the record yet.
    WantsAnotherAddress,
    /// It is gone or being deleted: the invitation was withdrawn.
    Gone,
}

/// The account's name and the token of `<account>.<token>`, the code of a link. `None`: no link of ours has it, and what stands
/// there must not become part of a request.
pub fn parse_code(code: &str) -> Option<(&str, Token)> {
    let (account, token) = code.split_once('.')?;
    let is_token =
        token.len() <= LONGEST_TOKEN && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    (is_account_name(account) && is_token).then(|| (account, Token::presented(token)))
}

/// Whether this can be an account's name: `a-` and a UID.
pub fn is_account_name(name: &str) -> bool {
    let is_plain = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-');
    name.len() == 38 && name.strip_prefix("a-").is_some_and(|uid| uid.bytes().all(is_plain))
}

/// Why a link does not let its reader in. Each but the first has a page of its own that says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody mailed this link. Says nothing about whether there is such an account.
    Unknown,
    /// A newer invitation was mailed, or the address changed.
    Replaced,
    /// The invitation was accepted already.
    AlreadyAccepted,
    /// The member was removed, or the invitation withdrawn: the manifest is gone or being deleted.
    Removed,
    /// The trainee's access has ended.
    TrainingEnded,
    /// Suspended by the clinic.
    Suspended,
    /// The link is too old.
    Expired,
}

/// Whether the person with the link of this digest may accept now: the link is one that may have been mailed to the address
/// that the clinic wishes for, of the current round, and young enough, and the manifest that asked for it is there. Says until when.
///
/// # Errors
/// The first reason that applies.
pub fn may_accept(record: &Record<'_>, holder: Holder, digest: &str, now: Timestamp) -> Result<Timestamp, Refusal> {
    let is_it = |link: &&Link<'_>| {
        link.kind == MailKind::Invitation && link.outcome.may_have_arrived() && link.digest == digest
    };
    let link = record.links.iter().find(is_it).ok_or(Refusal::Unknown)?;
    // First of all: who has a link that was replaced, perhaps since it went to the wrong address, learns nothing else.
    let is_wished_for = record.wish.address.is_some_and(|address| is_the_same_address(address, record.mailed_to));
    if link.round != record.round || !is_wished_for || holder == Holder::WantsAnotherAddress {
        return Err(Refusal::Replaced);
    }
    if record.access.accepted.is_some() {
        return Err(Refusal::AlreadyAccepted);
    }
    let Holder::There(manifest) = holder else { return Err(Refusal::Removed) };
    match access(&record.access.less(&manifest), now) {
        AccessReason::Removed => return Err(Refusal::Removed),
        AccessReason::TrainingEnded => return Err(Refusal::TrainingEnded),
        AccessReason::Suspended => return Err(Refusal::Suspended),
        AccessReason::NotAccepted | AccessReason::Granted => {}
    }
    let expires = link_expires(link.at, link.valid_until, &record.wish);
    if now < expires { Ok(expires) } else { Err(Refusal::Expired) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::invitation::Question;
    use jiff::SignedDuration;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_hours(24 * day)
    }

    fn link(digest: &'static str, round: u32, day: i64) -> Link<'static> {
        Link { kind: MailKind::Invitation, round, at: at(day), valid_until: None, outcome: Outcome::Sent, digest }
    }

    fn record() -> Record<'static> {
        Record {
            round: 2,
            mailed_to: "ana@maple.example",
            links: vec![
                link("old", 1, 0),
                link("first copy", 2, 1),
                link("second copy", 2, 2),
                Link { outcome: Outcome::Sending, ..link("perhaps", 2, 2) },
                Link { outcome: Outcome::Refused, ..link("never left", 2, 2) },
                Link { kind: MailKind::EmailConfirmation, ..link("confirmation", 2, 2) },
                Link { kind: MailKind::EmailChangeNotice, ..link("", 2, 2) },
            ],
            access: AccessFacts { accepted: None, suspended: false, removed: None, until: None },
            wish: Wish {
                question: None,
                address: Some("ana@maple.example"),
                resend: None,
                validity_days: 7,
                access_until: None,
            },
        }
    }

    const THERE: Holder = Holder::There(Manifest { suspended: false, until: None, signs_out: false });

    const ACCOUNT: &str = "a-0f3c2d1e-5b6a-4798-8c9d-0a1b2c3d4e5f";

    #[test]
    fn a_link_that_was_mailed_is_read_and_nothing_that_could_ask_for_something_else() {
        let mailed = Token::new([0xfb; 32]);
        let link = mailed.link("https://portal.maple.example", Question::Invitation, ACCOUNT);
        let (account, token) = parse_code(link.rsplit_once('#').unwrap().1).unwrap();
        assert_eq!((account, token.digest()), (ACCOUNT, mailed.digest()));
        for segment in [
            String::new(),
            ".".to_owned(),
            ACCOUNT.to_owned(),
            format!("{ACCOUNT}/status.token"),
            format!("{ACCOUNT}?a=b.token"),
            format!("../clinics/{ACCOUNT}.token"),
            format!("{}.token", ACCOUNT.to_uppercase()),
            format!("{}.token", &ACCOUNT[..37]),
            format!("e-{}.token", &ACCOUNT[2..]),
            format!("{ACCOUNT}.to/ken"),
            format!("{ACCOUNT}.t\u{f6}ken"),
            format!("{ACCOUNT}.{}", "t".repeat(65)),
        ] {
            assert!(parse_code(&segment).is_none(), "{segment:?}");
        }
    }

    #[test]
    fn every_copy_of_the_current_round_lets_in_and_no_other_link() {
        for (digest, expected) in [
            ("first copy", Ok(at(8))),
            ("second copy", Ok(at(9))),
            ("perhaps", Ok(at(9))),
            ("old", Err(Refusal::Replaced)),
            ("never left", Err(Refusal::Unknown)),
            ("confirmation", Err(Refusal::Unknown)),
            ("", Err(Refusal::Unknown)),
            ("forged", Err(Refusal::Unknown)),
        ] {
            assert_eq!(may_accept(&record(), THERE, digest, at(3)), expected, "{digest}");
        }
    }

    #[test]
    fn a_link_works_for_its_days_and_never_after_the_end_of_access() {
        assert_eq!(may_accept(&record(), THERE, "first copy", at(8)), Err(Refusal::Expired));
        assert_eq!(may_accept(&record(), THERE, "second copy", at(8)), Ok(at(9)));
        let mut trainee = record();
        trainee.access.until = Some(at(4));
        trainee.wish.access_until = Some(at(4));
        assert_eq!(may_accept(&trainee, THERE, "second copy", at(3)), Ok(at(4)));
        assert_eq!(may_accept(&trainee, THERE, "second copy", at(4)), Err(Refusal::TrainingEnded));
    }

    #[test]
    fn a_link_goes_on_working_when_only_capitals_of_the_address_change() {
        let spelled = Record { wish: Wish { address: Some("Ana@Maple.example"), ..record().wish }, ..record() };
        assert_eq!(may_accept(&spelled, THERE, "first copy", at(3)), Ok(at(8)));
    }

    #[test]
    fn a_known_link_says_why_it_does_not_work_and_a_forged_one_never_does() {
        let with = |change: &dyn Fn(&mut Record<'static>)| {
            let mut record = record();
            change(&mut record);
            record
        };
        for (record, expected) in [
            (with(&|record| record.access.accepted = Some(at(2))), Refusal::AlreadyAccepted),
            (with(&|record| record.access.removed = Some(at(2))), Refusal::Removed),
            (with(&|record| record.access.suspended = true), Refusal::Suspended),
            (with(&|record| record.wish.address = Some("ana@river.example")), Refusal::Replaced),
            (with(&|record| record.wish.address = None), Refusal::Replaced),
            (with(&|record| record.round = 3), Refusal::Replaced),
            (
                with(&|record| {
                    record.round = 3;
                    record.access.accepted = Some(at(2));
                    record.access.suspended = true;
                }),
                Refusal::Replaced,
            ),
        ] {
            assert_eq!(may_accept(&record, THERE, "first copy", at(3)), Err(expected));
            assert_eq!(may_accept(&record, THERE, "forged", at(3)), Err(Refusal::Unknown));
        }
    }

    #[test]
    fn the_manifest_alone_takes_an_invitation_back() {
        let manifest = |suspended, until| Holder::There(Manifest { suspended, until, signs_out: false });
        for (holder, expected) in [
            (THERE, Ok(at(8))),
            (Holder::Gone, Err(Refusal::Removed)),
            (Holder::WantsAnotherAddress, Err(Refusal::Replaced)),
            (manifest(true, None), Err(Refusal::Suspended)),
            (manifest(false, Some(at(3))), Err(Refusal::TrainingEnded)),
            (manifest(false, Some(at(4))), Ok(at(8))),
        ] {
            assert_eq!(may_accept(&record(), holder, "first copy", at(3)), expected, "{holder:?}");
            assert_eq!(may_accept(&record(), holder, "forged", at(3)), Err(Refusal::Unknown));
        }
        let mut accepted = record();
        accepted.access.accepted = Some(at(2));
        assert_eq!(may_accept(&accepted, Holder::Gone, "first copy", at(3)), Err(Refusal::AlreadyAccepted));
    }
}
