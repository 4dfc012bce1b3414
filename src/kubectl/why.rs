//! `kubectl clinic why`: one screen about one member. Everything on it was written by the operator; what the person who asks may
//! not read is left out, and said so. No token, digest or address is ever on it.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Event;

use super::advice::advice;
use super::failure::Failure;
use super::held::{Kept, kept};
use super::seen::{AccountSpec, Attempt, Clinic, Member, show, show_without_zone, zone_of};
use super::session::{Perhaps, Session};
use crate::adapters::output::{aligned, plain};
use crate::api::condition::{Condition, ConditionStatus};
use crate::domain::conditions::TRAINING_ENDS_SOON;
use crate::domain::lifecycle::State;

/// Mails and events that are shown, the latest.
const SHOWN: usize = 6;

/// The screen.
pub(super) async fn why(session: &Session, words: &str) -> Result<String, Failure> {
    let member = match session.member(words).await {
        Err(Failure::NoMember { name, near, namespace }) => {
            return match kept_of(session, &name).await? {
                Some(kept) => Ok(about_kept(session, &kept)),
                None => Err(Failure::NoMember { name, near, namespace }),
            };
        }
        other => other?,
    };
    let clinic = session.clinic_for_times().await?;
    let account = match &member.status.account {
        Some(account) => Some(session.account(account).await?),
        None => None,
    };
    let events = session.events(&member).await?;
    let record = match &account {
        Some(Perhaps::Read(record)) => record.as_ref(),
        Some(Perhaps::NotAllowed) | None => None,
    };
    let facts = Facts { member: &member, clinic: clinic.as_ref(), record, now: session.clock.now() };
    let mut text = facts.head(session.namespace());
    text += &aligned(&facts.lines(&session.flags));
    match &account {
        Some(Perhaps::NotAllowed) => text += "\nMails: left out; you may not read the record (get clinicaccounts)\n",
        Some(Perhaps::Read(Some(record))) => text += &facts.mails(record),
        Some(Perhaps::Read(None)) | None => {}
    }
    match events {
        Perhaps::NotAllowed => text += "\nEvents: left out; you may not read them (list events)\n",
        Perhaps::Read(events) => text += &facts.events(events),
    }
    Ok(text)
}

/// Who of this name has no manifest any more and keeps the access.
async fn kept_of(session: &Session, name: &str) -> Result<Option<Kept>, Failure> {
    let Some(clinic) = session.clinic_for_times().await? else { return Ok(None) };
    let (all, _) = kept(session, &clinic).await?;
    Ok(all.into_iter().find(|kept| kept.member.name() == name))
}

fn about_kept(session: &Session, kept: &Kept) -> String {
    let (name, hold, flags) = (kept.member.name(), plain(&kept.hold), &session.flags);
    let line = |what: &str, text: String| [what.to_owned(), text];
    let lines = [
        line("State", "Active, although there is no manifest".to_owned()),
        line(
            "Why",
            format!("The guard of removals keeps the access: more members than usual went within an hour ({hold})."),
        ),
        line("Waits for", "a person, who says whether the removal is meant".to_owned()),
        line(
            "To do",
            format!(
                "if it is meant: kubectl clinic release {hold} --only {name}{flags}; if not: bring the manifest back"
            ),
        ),
    ];
    format!("{} in {}\n\n{}", kept.member.reference(), session.namespace(), aligned(&lines))
}

struct Facts<'a> {
    member: &'a Member,
    clinic: Option<&'a Clinic>,
    /// For who may read it.
    record: Option<&'a AccountSpec>,
    now: Timestamp,
}

/// Since when a member stands so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
    /// Since this instant.
    Exactly(Timestamp),
    /// Since then at the earliest: the state was another one of the same kind at first, or not.
    NotBefore(Timestamp),
    Unknown,
}

impl Facts<'_> {
    fn head(&self, namespace: &str) -> String {
        let reference = self.member.reference();
        let listed = self.member.status.member.as_ref();
        let title = listed.and_then(|listed| listed.title.as_deref());
        let name = [title, self.member.shown_name()].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let who = if name.is_empty() { reference } else { format!("{} ({reference})", plain(&name)) };
        format!("{who} in {namespace}\n\n")
    }

    fn lines(&self, flags: &str) -> Vec<[String; 2]> {
        let member = self.member;
        let line = |what: &str, text: String| [what.to_owned(), text];
        let word = member.status.state.as_deref().map_or_else(|| "none yet".to_owned(), plain);
        let mut lines = vec![line("State", word + &self.since_when())];
        if !member.message().is_empty() {
            lines.push(line("Why", plain(member.message())));
        }
        match (member.state(), &member.status.state) {
            (Some(state), _) => {
                let advice = advice(state, member.name(), flags);
                lines.push(line("Waits for", advice.waits_for.to_owned()));
                lines.push(line("To do", advice.to_do));
                if state == State::Pending {
                    lines.extend(self.relay().map(|relay| line("Relay", relay)));
                }
            }
            (None, None) => {
                lines.push(line("Waits for", "the operator".to_owned()));
                lines.push(line("To do", "see whether the clinic's controller runs".to_owned()));
            }
            (None, Some(_)) => {
                lines.push(line("To do", "read the line above; this version does not know the state".to_owned()));
            }
        }
        if member.status.state.is_some() && member.is_behind() {
            lines.push(line("Note", "the operator has not seen the latest edit of the manifest yet".to_owned()));
        }
        if let Some(ends) = member.status.access_ends_at {
            let verb = if ends <= self.now { "ended" } else { "until" };
            lines.push(line("Access", format!("{verb} {}", show(ends, self.clinic))));
        }
        if let Some(soon) = member.condition(TRAINING_ENDS_SOON) {
            lines.push(line("Soon", plain(&soon.message)));
        }
        lines
    }

    /// What the Clinic says about its relay, if that takes nothing.
    fn relay(&self) -> Option<String> {
        let status = self.clinic?.status.as_ref()?;
        let relay = Condition::of(&status.conditions, "MailerReady")?;
        (relay.status != ConditionStatus::True).then(|| plain(&relay.message))
    }

    fn since_when(&self) -> String {
        match since(self.member, self.record) {
            Since::Exactly(at) => format!(", since {} ({})", show(at, self.clinic), ago(at, self.now)),
            Since::NotBefore(at) => {
                format!(", since {} or later ({} at most)", show(at, self.clinic), ago(at, self.now))
            }
            Since::Unknown => String::new(),
        }
    }

    fn mails(&self, record: &AccountSpec) -> String {
        let attempts = record.delivery.as_ref().map(|delivery| delivery.attempts.as_slice()).unwrap_or_default();
        if attempts.is_empty() {
            return "\nMails: none\n".to_owned();
        }
        let rows: Vec<[String; 3]> = latest(attempts)
            .iter()
            .map(|attempt| {
                [format!("  {}", show_without_zone(attempt.at, self.clinic)), which(attempt), plain(&outcome(attempt))]
            })
            .collect();
        format!("\nMails ({}):\n{}", zone_of(self.clinic), aligned(&rows))
    }

    fn events(&self, mut events: Vec<Event>) -> String {
        let at = |event: &Event| {
            let last = event.last_timestamp.as_ref().or(event.first_timestamp.as_ref()).map(|time| time.0);
            last.or(event.event_time.as_ref().map(|time| time.0))
        };
        events.sort_by_key(|event| (at(event), event.metadata.name.clone()));
        if events.is_empty() {
            return "\nEvents: none of late\n".to_owned();
        }
        let rows: Vec<[String; 3]> = latest(&events)
            .iter()
            .map(|event| {
                let when = at(event).map_or_else(String::new, |at| show_without_zone(at, self.clinic));
                let text = |field: &Option<String>| plain(field.as_deref().unwrap_or_default());
                [format!("  {when}"), text(&event.reason), text(&event.message)]
            })
            .collect();
        format!("\nEvents ({}):\n{}", zone_of(self.clinic), aligned(&rows))
    }
}

fn latest<T>(all: &[T]) -> &[T] {
    &all[all.len().saturating_sub(SHOWN)..]
}

fn which(attempt: &Attempt) -> String {
    let what = match attempt.kind.as_str() {
        "EmailConfirmation" => "confirmation of a changed address",
        "EmailChangeNotice" => "notice to the old address",
        "Invitation" => "invitation",
        other => other,
    };
    let copy = if attempt.copy > 1 { format!(", copy {}", attempt.copy) } else { String::new() };
    plain(&format!("{what}, round {}{copy}", attempt.round))
}

fn outcome(attempt: &Attempt) -> String {
    let what = match attempt.outcome.as_str() {
        "Sending" => "under way, or nobody knows",
        "Sent" => "the relay took it",
        "Refused" => "refused",
        "Deferred" => "not now; tried again later",
        "MailerFailed" => "the relay did not work",
        "Dropped" => "not sent: too late, or no longer right",
        other => other,
    };
    let details: Vec<&str> =
        [&attempt.code, &attempt.stage, &attempt.cause].into_iter().filter_map(|detail| detail.as_deref()).collect();
    if details.is_empty() { what.to_owned() } else { format!("{what} ({})", details.join(", ")) }
}

/// What a state began with has an instant of its own in the status or the record; else there is that of the condition, which changes
/// only when Ready does.
fn since(member: &Member, record: Option<&AccountSpec>) -> Since {
    let status = &member.status;
    let invitation = status.invitation.as_ref();
    let condition = |type_: &str| member.condition(type_).map(|condition| condition.last_transition_time);
    let exactly = match member.state() {
        Some(State::Invited) => invitation.and_then(|invitation| invitation.sent_at),
        Some(State::InvitationExpired) => invitation.and_then(|invitation| invitation.expires_at),
        Some(State::TrainingEnded) => status.access_ends_at,
        Some(
            State::BeingDeleted
            | State::Active
            | State::Invalid
            | State::ClinicMissing
            | State::Paused
            | State::IdentityChanged
            | State::FormerMember
            | State::EmailConflict
            | State::Suspended
            | State::Undeliverable
            | State::DeliveryUnknown
            | State::Held
            | State::Pending,
        )
        | None => None,
    };
    let accepted = record.and_then(|record| record.acceptance.as_ref()).map(|acceptance| acceptance.accepted_at);
    let not_before = match member.state() {
        Some(State::Active) => accepted.max(condition("Ready")),
        _ => condition("Ready"),
    };
    exactly.map_or_else(|| not_before.map_or(Since::Unknown, Since::NotBefore), Since::Exactly)
}

/// Roughly, as people say it.
fn ago(at: Timestamp, now: Timestamp) -> String {
    let passed = now.duration_since(at);
    if passed.is_negative() {
        return "still to come".to_owned();
    }
    let (number, unit) = if passed < SignedDuration::from_mins(2) {
        (passed.as_secs(), "second")
    } else if passed < SignedDuration::from_hours(2) {
        (passed.as_mins(), "minute")
    } else if passed < SignedDuration::from_hours(48) {
        (passed.as_hours(), "hour")
    } else {
        (passed.as_hours() / 24, "day")
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural} ago")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_is_told_roughly() {
        let now: Timestamp = "2027-06-10T12:00:00Z".parse().unwrap();
        for (at, expected) in [
            ("2027-06-10T12:00:00Z", "0 seconds ago"),
            ("2027-06-10T11:59:59Z", "1 second ago"),
            ("2027-06-10T11:58:01Z", "119 seconds ago"),
            ("2027-06-10T11:58:00Z", "2 minutes ago"),
            ("2027-06-10T10:00:00Z", "2 hours ago"),
            ("2027-06-08T12:00:01Z", "47 hours ago"),
            ("2027-06-08T12:00:00Z", "2 days ago"),
            ("2027-06-10T12:00:01Z", "still to come"),
        ] {
            assert_eq!(ago(at.parse().unwrap(), now), expected);
        }
    }
}
