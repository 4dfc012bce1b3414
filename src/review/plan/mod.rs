//! `clinic-operator plan`: what a tree would change in a clinic: who is mailed, whose access ends or comes back, what needs a person.
//! Nothing is ever written; the rules are those of `domain/`.

mod cluster;
mod compare;
mod fields;
mod outcome;
mod output;
mod side;

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use self::cluster::{SeeError, see};
use self::compare::compare;
use self::fields::seats;
use self::output::{Plan, written};
use self::side::{Clinic, Side};
use super::remark::Severity;
use super::together::named_twice;
use super::tree::{Piece, TreeError, clinics, pieces, texts};
use crate::adapters::clock::Clock;
use crate::adapters::kubernetes::{ConnectError, Login, Person as Reader};
use crate::adapters::manifests::Input;
use crate::adapters::output::tell;
use crate::domain::restore::RESTORE_MODE;

/// What `plan` is asked to do.
#[derive(Args)]
pub struct Options {
    /// The tree as it is to be: files, folders, or - for standard input. Whoever is not in it is removed, as by a tool that prunes.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
    /// Compare with this tree instead of a cluster.
    #[arg(long, value_name = "PATH", num_args = 1)]
    against: Vec<String>,
    /// The namespace of manifests that name none; default: the context's.
    #[arg(long, short, value_name = "NAME")]
    namespace: Option<String>,
    /// The context of the kubeconfig; default: the current one.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The kubeconfig; default: KUBECONFIG, else ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// How the plan is written.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
}

/// How a plan is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Table,
    /// An array with an object a clinic.
    Json,
    /// For a comment on a pull request.
    Markdown,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
enum PlanError {
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    See(#[from] SeeError),
    /// A member whose manifest is wrong would be taken for one who is gone.
    #[error("no plan, since manifests are wrong; the first of {0}: {1}. See clinic-operator validate")]
    Wrong(usize, String),
    #[error("{0}")]
    Missed(String),
    #[error("failed to start: {0}")]
    Runtime(std::io::Error),
    #[error("failed to write: {0}")]
    Write(String),
}

/// Compares and prints the plan.
pub fn main(options: &Options) -> ExitCode {
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("error: {error}"));
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<(), PlanError> {
    let plans = if options.against.is_empty() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(PlanError::Runtime)?;
        let plans = runtime.block_on(beside_a_cluster(options));
        // A name look-up that gets no answer is not waited for.
        runtime.shutdown_background();
        plans?
    } else {
        let namespace = options.namespace.as_deref();
        beside_a_tree(before(&options.against, namespace)?, tree(&options.paths, namespace)?)
    };
    let text = written(&plans, options.output).map_err(|error| PlanError::Write(error.to_string()))?;
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(PlanError::Write(error.to_string())),
        Ok(()) | Err(_) => Ok(()),
    }
}

type Sides = BTreeMap<Option<String>, Side>;

/// What is planned from.
struct Tree {
    clinics: Sides,
    /// Manifests of Namespaces that turn restore mode on.
    restoring: Vec<String>,
}

/// The clinics of a tree, by namespace.
fn tree(paths: &[String], namespace: Option<&str>) -> Result<Tree, PlanError> {
    let inputs: Vec<_> = paths.iter().map(|path| Input::from(path.as_str())).collect();
    let texts = texts(&inputs)?;
    if let Some(missed) = texts.missed.first() {
        return Err(PlanError::Missed(missed.clone()));
    }
    let pieces = pieces(&texts, &inputs)?;
    all_are_right(&pieces)?;
    let clinics = clinics(&pieces, namespace);
    for manifests in clinics.values() {
        if let [(second, first), ..] = named_twice(manifests).as_slice() {
            let (second, first) = (&manifests[*second], &manifests[*first]);
            let twice = format!(
                "{}:{}: {} stands in {} too",
                second.piece.file,
                second.manifest.at.line,
                first.manifest.called(),
                first.piece.file
            );
            return Err(PlanError::Wrong(1, twice));
        }
    }
    let clinics =
        clinics.iter().map(|(namespace, all)| (namespace.map(str::to_owned), Side::of_manifests(all))).collect();
    Ok(Tree { clinics, restoring: restoring(&pieces) })
}

/// What `validate` warns of too; the other warnings are about members, whom the plan names itself.
fn restoring(pieces: &[Piece<'_>]) -> Vec<String> {
    let remarks = pieces.iter().flat_map(|piece| piece.remarks.iter().map(move |remark| (piece.file, remark)));
    let said = remarks.filter(|(_, remark)| remark.field.contains(RESTORE_MODE));
    said.map(|(file, remark)| format!("{file}:{}: {} {}.", remark.at.line, remark.field, remark.message)).collect()
}

/// The tree to compare with. One without a manifest is that of a group which has no clinic yet.
fn before(paths: &[String], namespace: Option<&str>) -> Result<Sides, PlanError> {
    match tree(paths, namespace) {
        Err(PlanError::Tree(TreeError::Nothing(_))) => Ok(Sides::new()),
        other => Ok(other?.clinics),
    }
}

fn all_are_right(pieces: &[Piece<'_>]) -> Result<(), PlanError> {
    let of_text = pieces.iter().flat_map(|piece| piece.remarks.iter().map(move |remark| (piece.file, remark)));
    let manifests = pieces.iter().flat_map(|piece| piece.manifests.iter().map(move |manifest| (piece.file, manifest)));
    let of_manifests = manifests.flat_map(|(file, manifest)| manifest.remarks.iter().map(move |remark| (file, remark)));
    let mut wrong = of_text.chain(of_manifests).filter(|(_, remark)| remark.severity == Severity::Error);
    match wrong.next() {
        None => Ok(()),
        Some((file, remark)) => {
            let field = if remark.field.is_empty() { String::new() } else { format!("{}: ", remark.field) };
            let first = format!("{file}:{}: {field}{}", remark.at.line, remark.message);
            Err(PlanError::Wrong(1 + wrong.count(), first))
        }
    }
}

async fn beside_a_cluster(options: &Options) -> Result<Vec<Plan>, PlanError> {
    let Options { kubeconfig, context, namespace, .. } = options;
    let login = Login { kubeconfig: kubeconfig.clone(), context: context.clone(), namespace: namespace.clone() };
    let mut reader = Reader::connect(&login).await?;
    // A manifest that names no namespace is of the same clinic as one that names the context's.
    let Tree { clinics, restoring } = tree(&options.paths, Some(&reader.namespace))?;
    let mut plans = Vec::new();
    for (namespace, after) in clinics {
        reader.namespace = namespace.unwrap_or(reader.namespace);
        let seen = see(&reader).await?;
        let plan = plan(reader.namespace.clone(), &seen.side, &after);
        let first = seen.restoring.into_iter().chain(restoring.clone()).chain(plan.first).collect();
        plans.push(Plan { first, notes: seen.unseen, ..plan });
    }
    Ok(plans)
}

fn beside_a_tree(mut before: Sides, after: Tree) -> Vec<Plan> {
    let Tree { clinics: mut after, restoring } = after;
    let note = "Two trees were compared, and no cluster: everybody is taken for somebody who has accepted, and what the guards counted is not known.";
    let gone = before.keys().filter(|namespace| !after.contains_key(*namespace));
    let namespaces: Vec<_> = after.keys().chain(gone).cloned().collect();
    let plan_of = |namespace: Option<String>| {
        let before = before.remove(&namespace).unwrap_or_default();
        let gone = || Side { clinic_is_elsewhere: true, ..Side::default() };
        let after = after.remove(&namespace).unwrap_or_else(gone);
        let plan = plan(namespace.unwrap_or_default(), &before, &after);
        let first = restoring.iter().cloned().chain(plan.first).collect();
        Plan { first, notes: vec![note.to_owned()], ..plan }
    };
    namespaces.into_iter().map(plan_of).collect()
}

fn plan(clinic: String, before: &Side, after: &Side) -> Plan {
    Plan {
        clinic,
        changes: compare(before, after, Clock.now()),
        seats: seats(before, after),
        first: Clinic::of(before, after)
            .1
            .why_shut()
            .map(str::to_owned)
            .into_iter()
            .chain(suspensions(before, after))
            .collect(),
        notes: Vec::new(),
    }
}

/// How many are suspended, if that is more than one: no guard asks whether it is meant.
fn suspensions(before: &Side, after: &Side) -> Option<String> {
    let is_new = |(name, person): &(&String, &side::Person)| {
        person.spec.suspended && before.people.get(*name).is_some_and(|before| !before.spec.suspended)
    };
    let count = after.people.iter().filter(is_new).count();
    (count > 1).then(|| format!("Suspends {count} members, all of them at once: no guard holds a suspension."))
}
