//! A plan as a table, as Markdown for a pull request, and for programs. What is in it never lives here.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde::Serialize;

use super::Format;
use super::compare::THE_CLINIC;
use super::fields::Seats;
use super::outcome::{Change, Effect};
use crate::adapters::output::{plain, table};

/// The plan of one clinic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Plan {
    /// The namespace; empty where two trees are compared that name none.
    pub clinic: String,
    pub changes: Vec<Change>,
    pub seats: Vec<Seats>,
    /// What the reader must know before everything else: that the clinic is paused.
    pub first: Vec<String>,
    /// What was not seen.
    pub notes: Vec<String>,
}

impl Effect {
    const ALL: [Self; 7] = [
        Self::AccessEnds,
        Self::NeedsAPerson,
        Self::Held,
        Self::Mailed,
        Self::AccessReturns,
        Self::TakesUpAccount,
        Self::Changes,
    ];

    fn words(self) -> &'static str {
        match self {
            Self::AccessEnds => "access ends",
            Self::NeedsAPerson => "needs a person",
            Self::Held => "held by a guard",
            Self::Mailed => "mailed",
            Self::AccessReturns => "access comes back",
            Self::TakesUpAccount => "keeps the account",
            Self::Changes => "changes",
        }
    }
}

/// All plans in one format.
pub(super) fn written(plans: &[Plan], format: Format) -> Result<String, serde_json::Error> {
    Ok(match format {
        Format::Json => serde_json::to_string_pretty(plans)? + "\n",
        Format::Table => plans.iter().map(as_table).collect::<Vec<_>>().join("\n"),
        Format::Markdown => plans.iter().map(as_markdown).collect::<Vec<_>>().join("\n"),
    })
}

fn as_table(plan: &Plan) -> String {
    let mut text = format!("{}\n", plain(&title(plan)));
    for note in &plan.first {
        let _ = writeln!(text, "{}", plain(note));
    }
    let row = |change: &Change| vec![change.effect.words().to_owned(), change.member.clone(), change.detail.clone()];
    if !plan.changes.is_empty() {
        text += &table(&["EFFECT", "MEMBER", "WHAT"], plan.changes.iter().map(row));
    }
    let row = |seats: &Seats| vec![seats.of.clone(), seats.before.to_string(), seats.after.to_string()];
    let _ = write!(text, "\n{}", table(&["SEATS", "BEFORE", "AFTER"], plan.seats.iter().map(row)));
    for note in &plan.notes {
        let _ = write!(text, "\n{}\n", plain(note));
    }
    text
}

fn as_markdown(plan: &Plan) -> String {
    let mut text = format!("### {}\n", in_markdown(&title(plan)));
    for note in &plan.first {
        let _ = writeln!(text, "\n> {}", in_markdown(note));
    }
    for effect in Effect::ALL {
        let changes: Vec<_> = plan.changes.iter().filter(|change| change.effect == effect).collect();
        if changes.is_empty() {
            continue;
        }
        let mut words = effect.words().to_owned();
        words[..1].make_ascii_uppercase();
        let _ = writeln!(text, "\n**{words}** ({})\n", changes.len());
        for change in changes {
            let _ = writeln!(text, "- `{}`: {}", in_code(&change.member), in_markdown(&change.detail));
        }
    }
    let _ = writeln!(text, "\n| Seats | Before | After |\n|---|--:|--:|");
    for seats in &plan.seats {
        let after = if seats.before == seats.after { seats.after.to_string() } else { format!("**{}**", seats.after) };
        let _ = writeln!(text, "| {} | {} | {after} |", seats.of, seats.before);
    }
    for note in &plan.notes {
        let _ = writeln!(text, "\n> {}", in_markdown(note));
    }
    text
}

fn title(plan: &Plan) -> String {
    let clinic = if plan.clinic.is_empty() { "Plan" } else { &plan.clinic };
    let changed: BTreeSet<_> = plan.changes.iter().map(|change| change.member.as_str()).collect();
    let members = changed.iter().filter(|name| **name != THE_CLINIC).count();
    let who = match (members, changed.contains(THE_CLINIC)) {
        (1, false) => " of one member".to_owned(),
        (1, true) => " of one member and the Clinic".to_owned(),
        (0, _) => String::new(),
        (many, false) => format!(" of {many} members"),
        (many, true) => format!(" of {many} members and the Clinic"),
    };
    match plan.changes.len() {
        0 => format!("{clinic}: nothing changes"),
        1 => format!("{clinic}: 1 change"),
        many => format!("{clinic}: {many} changes{who}"),
    }
}

/// Names of manifests are somebody's text until the cluster has refused them.
fn in_markdown(text: &str) -> String {
    let escaped = |character: char| match character {
        '<' => "&lt;".to_owned(),
        '*' | '_' | '`' | '[' | ']' | '|' | '\\' | '#' | '@' => format!("\\{character}"),
        other => other.to_string(),
    };
    plain(text).chars().map(escaped).collect()
}

fn in_code(text: &str) -> String {
    plain(text).replace('`', "'")
}
