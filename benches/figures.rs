//! The figures of the README, measured on a real control plane with the release binary, and printed with the machine.
//! Never here: a figure that decides whether a test passes.
#![expect(clippy::expect_used, clippy::panic, reason = "a figure that cannot be measured ends the run with its cause")]

#[path = "figures/audit.rs"]
mod audit;
#[path = "figures/footprint.rs"]
mod footprint;
#[path = "figures/machine.rs"]
mod machine;
#[path = "figures/members.rs"]
mod members;
#[path = "figures/portal.rs"]
mod portal;
#[path = "../tests/support/mod.rs"]
#[expect(dead_code, reason = "the figures use a part of what the tests use")]
mod support;
#[path = "figures/suspension.rs"]
mod suspension;
#[path = "figures/throughput.rs"]
mod throughput;
#[path = "figures/validate.rs"]
mod validate;

use std::collections::BTreeMap;

use self::footprint::Footprint;
use self::machine::Memory;
use self::throughput::Run;

/// The writes that no operator of this design can do without, and why.
const MINIMUM: [(&str, usize, &str); 5] = [
    ("create emailclaims", 1, "its existence is the uniqueness of the address (I1)"),
    ("create clinicaccounts", 1, "the record outlives the manifest (I6)"),
    ("patch clinicaccounts", 2, "the attempt before the mail (I2), its outcome after it"),
    ("create events", 1, "people ask what happened to somebody"),
    ("patch clinicusers/status", 1, "people and GitOps tools see the result"),
];

#[tokio::main(worker_threads = 2)]
async fn main() {
    // One part, for whoever works on it.
    let only = std::env::args().nth(1).filter(|part| !part.starts_with('-'));
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let validated = wanted("validate").then(validate::measure);
    if only.as_deref() == Some("validate") {
        validated.iter().for_each(print_validate);
        return;
    }
    let administrator = members::administrator().await;
    let (counted, record) = throughput::count_writes(&administrator).await;
    let relay = throughput::relay_alone().await;
    let runs = if wanted("race") { throughput::race(&administrator, &record).await } else { Vec::new() };
    let waiting = if wanted("footprint") { Some(footprint::measure_waiting(&administrator).await) } else { None };
    let footprints = if wanted("footprint") { footprint::measure(&administrator, &record).await } else { Vec::new() };
    let people = if wanted("portal") { Some(tokio::task::spawn_blocking(portal::measure)) } else { None };
    let people = match people {
        Some(people) => Some(people.await.expect("the portal is measured")),
        None => None,
    };
    let suspended = if wanted("suspension") { Some(suspension::measure(&administrator, &record).await) } else { None };
    println!("\nFigures of clinic-operator {}", env!("CARGO_PKG_VERSION"));
    println!("on {}; API server, etcd and bench on the same machine\n", machine::describe());
    print_writes(&counted);
    if !runs.is_empty() {
        print_race(&runs, relay);
    }
    if !footprints.is_empty() {
        print_footprints(&footprints);
    }
    waiting.into_iter().for_each(print_waiting);
    people.iter().for_each(print_portal);
    suspended.iter().for_each(print_suspension);
    validated.iter().for_each(print_validate);
    let size = std::fs::metadata(support::process::program()).expect("the binary is there").len();
    println!("Binary: {:.1} MiB", mebibytes(size / 1024));
    println!(
        "\nMeasured elsewhere, on 2 cores, for comparison, with 5 writes a member: a plain Go controller-runtime operator
  1.0 of raw, 6 ms of processor time a member, 32 MB empty and 13 kB a member; a kopf one 0.6 of raw, 19 ms, 86 MB
  and 38 kB."
    );
}

fn print_writes(counted: &BTreeMap<String, usize>) {
    println!(
        "API writes a member from apply to Invited, by the audit log (without the Clinic's status, which is written"
    );
    println!("at most every 2 s for all members together):");
    for (what, count) in counted {
        let minimum = MINIMUM.iter().find(|(known, _, _)| known == what);
        let (minimum, why) = minimum.map_or((0, "not needed"), |(_, minimum, why)| (*minimum, *why));
        println!("  {:>5}  {what:<26} minimum {minimum}: {why}", throughput::per_member(*count));
    }
    println!("  {:>5}  in all; minimum 6\n", throughput::per_member(counted.values().sum()));
}

fn print_race(runs: &[(Run, Run)], relay: f64) {
    let members = throughput::racers();
    println!("{members:.0} members to Invited, beside a raw client that makes the same six writes a member:");
    for (operator, raw) in runs {
        println!(
            "  operator {:>4.0} members/s, raw {:>4.0} members/s: {:.2}   ({:.2} writes a member, {:.1} ms of processor time a member)",
            operator.members_a_second,
            raw.members_a_second,
            operator.members_a_second / raw.members_a_second,
            throughput::as_number(operator.writes) / members,
            operator.processor * 1000.0 / members,
        );
    }
    let ratios = runs.iter().map(|(operator, raw)| operator.members_a_second / raw.members_a_second).collect();
    let processor = median(runs.iter().map(|(operator, _)| operator.processor).collect());
    println!(
        "  median {:.2} of raw (aim 0.95), {processor:.2} s of processor time in all, {:.1} ms a member",
        median(ratios),
        processor * 1000.0 / members
    );
    println!("  (the SMTP server of the bench alone takes {relay:.0} mails/s)\n");
}

fn print_footprints(footprints: &[Footprint]) {
    println!("Memory at rest (RSS, with the program's file in it), and from start to ready:");
    for Footprint { members, controller, portal } in footprints {
        let aim = match members {
            5_000 => " (aim < 24)",
            10_000 => " (aim < 40)",
            _ => "",
        };
        println!(
            "  {members:>6} members  controller {:>5.1} MiB{aim}, peak {:.1}, file {:.1}, ready in {:.2} s; portal {:>5.1} MiB, file {:.1}, ready in {:.2} s",
            mebibytes(controller.memory.now),
            mebibytes(controller.memory.peak),
            mebibytes(controller.memory.file),
            controller.ready.as_secs_f64(),
            mebibytes(portal.memory.now),
            mebibytes(portal.memory.file),
            portal.ready.as_secs_f64(),
        );
    }
    if let (Some(first), Some(last)) = (footprints.first(), footprints.last()) {
        let more = last.controller.memory.now.saturating_sub(first.controller.memory.now);
        println!(
            "  {:.1} KiB a member in the controller; nothing was written: nothing had changed (I5)\n",
            throughput::as_number(usize::try_from(more).unwrap_or(0)) / throughput::as_number(last.members)
        );
    }
}

fn print_waiting((waiting, invited): (Memory, Memory)) {
    println!(
        "Memory (RSS) beside {} members whose mails all wait for a relay that is away: {:.1} MiB; beside the same invited, at rest: {:.1} MiB\n",
        footprint::WAITING,
        mebibytes(waiting.now),
        mebibytes(invited.now)
    );
}

fn print_portal(figures: &portal::Figures) {
    println!("People who sign in at the portal, all at the same time, beside Argon2id alone on the same threads:");
    for (sign_in, hash) in &figures.sign_ins {
        println!(
            "  {:>4.0} sign-ins/s, {:>4.0} hashes/s: {:.2}   ({:.1} and {:.1} ms of processor time each: {:.2})",
            sign_in.a_second,
            hash.a_second,
            sign_in.a_second / hash.a_second,
            sign_in.milliseconds,
            hash.milliseconds,
            hash.milliseconds / sign_in.milliseconds,
        );
    }
    let speed = figures.sign_ins.iter().map(|(sign_in, hash)| sign_in.a_second / hash.a_second).collect();
    let cost = figures.sign_ins.iter().map(|(sign_in, hash)| hash.milliseconds / sign_in.milliseconds).collect();
    println!(
        "  median {:.2} of Argon2's speed (aim 0.9), with API server, etcd and bench on the same processors;",
        median(speed)
    );
    println!("  median {:.2} of the portal's own processor time is Argon2\n", median(cost));
    let (form, home) = figures.pages;
    println!(
        "Pages, each on a connection of its own: {form:.0} answers/s of /sign-in, {home:.0} pages/s of whoever is signed in"
    );
    println!("Memory of the portal after all that (RSS): {:.1} MiB\n", mebibytes(figures.memory.now));
}

fn print_suspension(figures: &suspension::Figures) {
    let suspension::Figures { at_rest, behind_a_bulk, bulk, waited: (first, last) } = figures;
    println!("From `suspended: true` in a manifest to the record, {} members each:", suspension::SUSPENDED);
    for (when, took) in [("at rest", at_rest), ("behind the new members", behind_a_bulk)] {
        let percentile = |percent: usize| took[(took.len() - 1) * percent / 100].as_secs_f64();
        println!(
            "  {when:<23} median {:.3} s, p99 {:.3} s, max {:.3} s",
            percentile(50),
            percentile(99),
            percentile(100)
        );
    }
    let ratio = behind_a_bulk[behind_a_bulk.len() / 2].as_secs_f64() / at_rest[at_rest.len() / 2].as_secs_f64();
    println!(
        "  the median behind {} new files is {ratio:.1} of that at rest (aim: p99 < 1 s); {first} keys waited at the first one, {last} at the last one; the new ones took {:.0} s\n",
        suspension::NEW,
        bulk.as_secs_f64()
    );
}

fn print_validate(figures: &validate::Figures) {
    println!(
        "clinic-operator validate beside cat, and beside kubeconform with the schemas of schemas/. kubeconform checks the"
    );
    println!("schema only: no CEL rules, no member or address that is there twice. Medians of turns, files in memory:");
    for (what, validate::Times { cat, validate, kubeconform }) in [
        (format!("{} files", validate::FILES), &figures.tree),
        (format!("one file of {} documents", validate::DOCUMENTS), &figures.file),
    ] {
        let [cat, validate, kubeconform] = [cat, validate, kubeconform].map(|times| median(times.clone()));
        println!(
            "  {what:<28} cat {cat:.3} s, validate {validate:.2} s, kubeconform {kubeconform:.2} s: {:.1} of cat, {:.2} of kubeconform",
            validate / cat,
            validate / kubeconform,
        );
    }
    println!("  the most memory of validate over the one file: {:.0} MiB\n", mebibytes(figures.peak));
}

fn mebibytes(kibibytes: u64) -> f64 {
    f64::from(u32::try_from(kibibytes).expect("less than 4 TiB")) / 1024.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
