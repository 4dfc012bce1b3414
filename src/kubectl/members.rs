//! `kubectl clinic members`: the list of active members as the clinic's settings page shows it: name, title, and position,
//! classification or type. What a member's designation is was decided by the operator.

use serde::Serialize;

use super::failure::Failure;
use super::held::{Kept, kept};
use super::seen::Member;
use super::session::Session;
use crate::adapters::output::{Format, csv, folded, table, tell};
use crate::domain::lifecycle::State;

/// Which members, and how.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(super) struct Options {
    /// Every member, whatever the state
    #[arg(short, long)]
    all: bool,
    /// Their email addresses too, as the manifests have them
    #[arg(long)]
    emails: bool,
    /// table, json or csv
    #[arg(short, long, value_name = "FORMAT", default_value = "table", hide_possible_values = true)]
    output: Format,
}

/// One row. Every field is always there but `email`, which must be asked for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    name: Option<&'a str>,
    title: Option<&'a str>,
    designation: Option<&'a str>,
    state: Option<&'a str>,
    access_until: Option<&'a str>,
    /// `None`: it is gone, and a guard keeps the access.
    manifest: Option<String>,
    #[serde(skip)]
    hold: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
}

/// The fields of JSON and CSV.
const FIELDS: [&str; 6] = ["name", "title", "designation", "state", "accessUntil", "manifest"];

impl<'a> Row<'a> {
    fn new(member: &'a Member, options: Options) -> Self {
        let listed = member.status.member.as_ref();
        Self {
            name: member.shown_name(),
            title: listed.and_then(|listed| listed.title.as_deref()),
            designation: listed.and_then(|listed| listed.designation.as_deref()),
            state: member.status.state.as_deref(),
            access_until: member.status.access_until.as_deref(),
            manifest: Some(member.reference()),
            hold: None,
            email: member.email.as_deref().filter(|_| options.emails),
        }
    }

    /// Somebody whose manifest is gone.
    fn kept(kept: &'a Kept, options: Options) -> Self {
        Self { manifest: None, hold: Some(&kept.hold), ..Self::new(&kept.member, options) }
    }

    /// The manifest for people: where there is none, what keeps the access.
    fn manifest_or_hold(&self) -> String {
        let held = || format!("- (held: {})", self.hold.unwrap_or_default());
        self.manifest.clone().unwrap_or_else(held)
    }

    /// In the order of [`FIELDS`].
    fn fields(&self) -> [&str; 6] {
        let text = |field: Option<&'a str>| field.unwrap_or_default();
        [
            text(self.name),
            text(self.title),
            text(self.designation),
            text(self.state),
            text(self.access_until),
            self.manifest.as_deref().unwrap_or_default(),
        ]
    }
}

/// The list.
pub(super) async fn members(session: &Session, options: &Options) -> Result<String, Failure> {
    let members = session.members().await?;
    let clinic = session.clinic_for_times().await?;
    if members.is_empty() && clinic.is_none() && session.clinic_if_any().await?.is_none() {
        return Err(session.no_clinic().await);
    }
    let (kept, unnamed) = match &clinic {
        Some(clinic) => kept(session, clinic).await?,
        None => (Vec::new(), 0),
    };
    if unnamed > 0 {
        tell(&format!(
            "{unnamed} more keep their access without a manifest; you may not read who (list clinicaccounts)."
        ));
    }
    let (text, left_out) = list(&members, &kept, *options)?;
    if options.output == Format::Table && text.is_empty() {
        let others = if left_out > 0 { format!("; --all shows {left_out} others") } else { String::new() };
        let which = if options.all { "member" } else { "active member" };
        tell(&format!("There is no {which} in {}{others}.", session.namespace()));
    }
    Ok(text)
}

/// The list, and how many members are not in it.
fn list(members: &[Member], kept: &[Kept], options: Options) -> Result<(String, usize), Failure> {
    let is_listed = |member: &&Member| options.all || member.state() == Some(State::Active);
    let listed: Vec<&Member> = members.iter().filter(is_listed).collect();
    let left_out = members.len() - listed.len();
    let listed = listed.into_iter().map(|member| (order(member), Row::new(member, options)));
    let kept = kept.iter().map(|kept| (order(&kept.member), Row::kept(kept, options)));
    let mut rows: Vec<_> = listed.chain(kept).collect();
    rows.sort_by(|(one, _), (other, _)| one.cmp(other));
    let rows: Vec<Row<'_>> = rows.into_iter().map(|(_, row)| row).collect();
    let text = match options.output {
        Format::Table if rows.is_empty() => String::new(),
        Format::Table => as_table(&rows, options),
        Format::Json => serde_json::to_string_pretty(&rows)? + "\n",
        Format::Csv => as_csv(&rows, options),
    };
    Ok((text, left_out))
}

/// By name; who has none yet comes last, by manifest.
fn order(member: &Member) -> (bool, String, String, String) {
    let name = member.shown_name();
    (name.is_none(), name.map(folded).unwrap_or_default(), name.unwrap_or_default().to_owned(), member.reference())
}

fn as_table(rows: &[Row<'_>], options: Options) -> String {
    let Options { all, emails, .. } = options;
    let shown = [true, true, true, all, all, emails, true];
    let headings = ["NAME", "TITLE", "POSITION OR TYPE", "STATE", "ACCESS UNTIL", "EMAIL", "MANIFEST"];
    let cells = |row: &Row<'_>| {
        let [name, title, designation, state, until, _] = row.fields();
        let manifest = row.manifest_or_hold();
        let all = [name, title, designation, state, until, row.email.unwrap_or_default(), manifest.as_str()];
        those(shown, all.map(str::to_owned))
    };
    table(&those(shown, headings), rows.iter().map(cells))
}

/// The cells of the columns that are shown.
fn those<T>(shown: [bool; 7], cells: [T; 7]) -> Vec<T> {
    shown.into_iter().zip(cells).filter_map(|(shown, cell)| shown.then_some(cell)).collect()
}

fn as_csv(rows: &[Row<'_>], options: Options) -> String {
    let mut records = vec![FIELDS.to_vec()];
    records.extend(rows.iter().map(|row| row.fields().to_vec()));
    if options.emails {
        let emails = std::iter::once("email").chain(rows.iter().map(|row| row.email.unwrap_or_default()));
        for (record, email) in records.iter_mut().zip(emails) {
            record.push(email);
        }
    }
    csv(records)
}
