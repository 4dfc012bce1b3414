//! `kubectl clinic sign-out`: ends every session of members. It sets an annotation that names the account and its grant, which the
//! portal obeys at once and the controller answers; what was asked for before and not answered yet is not asked for again, so that a
//! run that broke off can be repeated. Whom it may end is the admission policy's to say.

use tokio::sync::OnceCell;

use super::failure::Failure;
use super::seen::{AccountSpec, Member, MemberKind};
use super::session::{Perhaps, Session, TRIES};
use crate::adapters::kubernetes::keeper_of;
use crate::adapters::output::{plain, tell};
use crate::api::SIGN_OUT_ANNOTATION;
use crate::domain::standing::sign_out as value_for;

/// A policy of the cluster sees to it.
const WHO_MAY_SIGN_OUT: &str =
    "a sign-out takes the verb administer on clinics.clinic-operator.dev: ask an administrator of the clinic";
/// Members between two lines of progress.
const TOLD_EVERY: usize = 50;

/// Whom.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Options {
    /// The members, by metadata.name
    #[arg(value_name = "NAME", required_unless_present = "all", conflicts_with_all = ["all", "after"])]
    names: Vec<String>,
    /// Everybody who has accepted and has a manifest
    #[arg(long)]
    all: bool,
    /// Of everybody only those whose names come after this one: to go on where a run broke off
    #[arg(long, value_name = "NAME", requires = "all")]
    after: Option<String>,
}

/// Records of the clinic, read when the first member needs them whose status names no account.
type Records = OnceCell<Vec<AccountSpec>>;

/// What came of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The annotation was set.
    Asked,
    /// It stood there already, and nobody has answered it yet.
    AskedBefore,
    /// They have not accepted, so there is no session.
    NothingToLose,
}

/// What came of all of them so far.
#[derive(Debug, Default)]
struct Tally {
    asked: usize,
    /// Who had no session to lose.
    without: Vec<String>,
    /// For whom it was not asked, and why.
    failed: Vec<(String, Failure)>,
}

/// Asks for each, and says how many had a session to lose. Who cannot be signed out keeps nobody else back, and is named at the end.
pub(super) async fn sign_out(session: &Session, options: &Options) -> Result<String, Failure> {
    let names = if options.all { everybody(session, options.after.as_deref()).await? } else { options.names.clone() };
    let (mut tally, records) = (Tally::default(), Records::new());
    for (done, name) in names.iter().enumerate() {
        match one(session, name, &records).await {
            Ok(Outcome::Asked | Outcome::AskedBefore) => tally.asked += 1,
            Ok(Outcome::NothingToLose) => tally.without.push(name.clone()),
            Err(failure) if tally.is_of_this_one(&failure, options) => tally.failed.push((name.clone(), failure)),
            Err(failure) => {
                if let Some(rest) = rest(&names, done, options, &session.flags) {
                    let asked = tally.asked;
                    tell(&format!("Asked for {asked}; {} are left. To go on: {rest}", names.len() - done));
                    tally.tell_who_failed();
                }
                return Err(failure);
            }
        }
        if (done + 1) % TOLD_EVERY == 0 {
            tell(&format!("{} of {}, up to {}.", done + 1, names.len(), plain(name)));
        }
    }
    tally.end(options)
}

impl Tally {
    /// Whether a failure says something of this one member, so that others can be asked for; else it would be the same for them.
    fn is_of_this_one(&self, failure: &Failure, options: &Options) -> bool {
        match failure {
            Failure::NotDone(_) => true,
            // They were there when everybody was listed.
            Failure::NoMember { .. } => options.all,
            // Who may sign out others was refused for what else a policy says of this one.
            Failure::Refused { .. } => self.asked > 0,
            Failure::Connect(_)
            | Failure::Unusable { .. }
            | Failure::Unauthorized { .. }
            | Failure::NoKinds
            | Failure::Forbidden(_)
            | Failure::NoNamespace(_)
            | Failure::NoClinic(_)
            | Failure::TwoMembers(_)
            | Failure::NotAName(_)
            | Failure::NoHold { .. }
            | Failure::NotHeld { .. }
            | Failure::Write(_)
            | Failure::Json(_)
            | Failure::Runtime(_) => false,
        }
    }

    /// What is said when all were asked for.
    fn end(mut self, options: &Options) -> Result<String, Failure> {
        if self.asked == 0 && self.without.is_empty() && self.failed.len() == 1 {
            return Err(self.failed.remove(0).1);
        }
        if self.asked == 0 && self.failed.is_empty() {
            return Err(Failure::NotDone("nobody was signed out: none of them has accepted an invitation".to_owned()));
        }
        let who = if self.without.is_empty() || options.all {
            String::new()
        } else {
            format!(" ({})", plain(&self.without.join(", ")))
        };
        let without = match self.without.len() {
            0 => String::new(),
            count => format!(" {count} more had not accepted, so had no session to lose{who}."),
        };
        let said = format!("Signed out: {}. Every session of theirs ends with its next request.{without}", self.asked);
        if self.failed.is_empty() {
            return Ok(format!("{said}\n"));
        }
        self.tell_who_failed();
        tell(&said);
        let names: Vec<&str> = self.failed.iter().map(|(name, _)| name.as_str()).collect();
        Err(Failure::NotDone(format!("{} not signed out, for the reasons above: {}", names.len(), names.join(", "))))
    }

    fn tell_who_failed(&self) {
        for (name, failure) in &self.failed {
            tell(&format!("Not signed out: {name}: {failure}"));
        }
    }
}

/// The command that does what this one has not done; `None`: it is this one again.
fn rest(names: &[String], done: usize, options: &Options, flags: &str) -> Option<String> {
    let last = names.get(done.checked_sub(1)?)?;
    let what = if options.all { format!("--all --after {last}") } else { names[done..].join(" ") };
    Some(format!("kubectl clinic sign-out {}{flags}", plain(&what)))
}

/// The names of the people, in their order.
async fn everybody(session: &Session, after: Option<&str>) -> Result<Vec<String>, Failure> {
    let people = session.members().await?.into_iter().filter(|member| member.kind == MemberKind::ClinicUser);
    let mut names: Vec<String> = people.map(|member| member.name().to_owned()).collect();
    names.sort();
    names.retain(|name| after.is_none_or(|after| name.as_str() > after));
    Ok(names)
}

async fn one(session: &Session, words: &str, records: &Records) -> Result<Outcome, Failure> {
    for _ in 0..TRIES {
        let member = session.person(words).await?;
        if member.kind == MemberKind::ServiceAccount {
            let name = member.name();
            return Err(Failure::NotDone(format!("{name} is a service account: nobody signs in with it")));
        }
        let Some((account, record)) = accepted(session, &member, records).await? else {
            return Ok(Outcome::NothingToLose);
        };
        let value = value_for(&account, record.grant());
        let annotations = member.metadata.annotations.as_ref();
        if annotations.and_then(|all| all.get(SIGN_OUT_ANNOTATION)).is_some_and(|there| there.trim() == value) {
            return Ok(Outcome::AskedBefore);
        }
        if let Some(keeper) = keeper_of(&member.metadata, SIGN_OUT_ANNOTATION) {
            return Err(Failure::NotDone(format!(
                "the manifest of {} in Git sets {SIGN_OUT_ANNOTATION} itself (written by {keeper}): what is set here would be \
                 set back; write {value} there instead",
                member.name()
            )));
        }
        let asked = session.annotate(&member.kind.resource(), &member.metadata, SIGN_OUT_ANNOTATION, &value).await;
        if asked.map_err(|failure| failure.for_administrators(WHO_MAY_SIGN_OUT))? {
            return Ok(Outcome::Asked);
        }
    }
    Err(Failure::NotDone(format!("{words} changes all the time, so nothing was asked for; try again")))
}

/// The account of somebody who has accepted, by its name: what the status names, else what the records know under the member's name,
/// as after a restore, which brings no status back.
async fn accepted(
    session: &Session,
    member: &Member,
    records: &Records,
) -> Result<Option<(String, AccountSpec)>, Failure> {
    let get = async |account: String| -> Result<Option<(String, AccountSpec)>, Failure> {
        Ok(read(session.account(&account).await?, "get")?.map(|record| (account, record)))
    };
    let mut found = None;
    if let Some(account) = member.status.account.clone() {
        found = get(account).await?;
    }
    if found.is_none() {
        let records = records.get_or_try_init(|| async { read(session.accounts().await?, "list") }).await?;
        // Its grant may have risen since all were listed.
        if let Some(account) = held_by(member, records) {
            found = get(account.to_owned()).await?;
        }
    }
    Ok(found.filter(|(_, record)| record.acceptance.is_some()))
}

/// The account with sessions that a member holds by the records; of two the one that was made for this very manifest.
fn held_by<'a>(member: &Member, records: &'a [AccountSpec]) -> Option<&'a str> {
    let is_theirs = |record: &&AccountSpec| {
        record.desired.holder.name == member.name() && record.acceptance.is_some() && record.desired.removed.is_none()
    };
    let of_another = |record: &&AccountSpec| member.metadata.uid.as_deref() != Some(&record.desired.holder.uid);
    let account = records.iter().filter(is_theirs).min_by_key(|record| (of_another(record), &record.id));
    account.map(|record| record.id.as_str())
}

/// What was read, for who may.
fn read<T>(answer: Perhaps<T>, verb: &str) -> Result<T, Failure> {
    match answer {
        Perhaps::Read(read) => Ok(read),
        Perhaps::NotAllowed => {
            Err(Failure::Forbidden(format!("{verb} clinicaccounts, which say whom there is to sign out")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_breaks_off_says_the_command_that_goes_on() {
        let names = ["ana", "bea", "cyd"].map(str::to_owned);
        let all = Options { names: Vec::new(), all: true, after: None };
        let some = Options { names: names.to_vec(), all: false, after: None };
        for (done, options, expected) in [
            (0, &all, None),
            (1, &all, Some("kubectl clinic sign-out --all --after ana -n maple")),
            (2, &some, Some("kubectl clinic sign-out cyd -n maple")),
        ] {
            assert_eq!(rest(&names, done, options, " -n maple").as_deref(), expected, "{done}");
        }
    }
}
