//! `penname prepare`: writing becomes examples, and every character is accounted for.

use std::collections::BTreeSet;

use penname_corpus::Prepared;
use penname_eval::stat::effect;
use penname_ledger::{Choice, write};
use serde_json::{Value, json};

use super::show::{account, document, issues};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::project::Project;
use crate::screen::number;
use crate::settings::Settings;
use crate::work::asking::{self, accepting};
use crate::work::corpus::{self, Again, Folders, Wanted};

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The writing itself is only read. Running it again with nothing changed does nothing.

Examples:
  penname prepare
  penname prepare --limit 1
  penname prepare --fetch
  penname prepare --set corpus.split.share=0.2
  penname prepare --set 'corpus.clean.disable=[quotes]'")]
pub(crate) struct Args {
    /// Try it: take N documents of each kind of source, show them, keep nothing
    #[arg(long, value_name = "N")]
    limit: Option<std::num::NonZeroUsize>,
    /// Ask the network sources again for what is new since they were asked last
    #[arg(long)]
    fetch: bool,
    /// Go on without questions for so many of the passages: 10%
    #[arg(long, value_name = "SHARE")]
    accept_missing: Option<String>,
}

/// Prepares the writing of a project.
///
/// # Errors
/// When there is no project, or nothing to learn from.
pub(crate) fn run(args: &Args, desk: &Desk) -> Result<(), Failure> {
    let (project, settings) = desk.open()?;
    let settings = accepting(settings, args.accept_missing.as_deref())?;
    if let Some(limit) = args.limit {
        let prepared = few(desk, &project, &settings, limit.get())?;
        desk.screen.result("tried", &prepared.documents, || tried(&prepared, desk));
        return Ok(());
    }
    let again = if args.fetch { Again::Yes } else { Again::No };
    let prepared = corpus::prepared_anew(desk, &project, &settings, again)?;
    desk.screen.result("prepare", &summary(&prepared), || told(&prepared));
    Ok(())
}

/// A few documents of each kind of source. What is fetched for it is not kept: a trial is no pass.
fn few(desk: &Desk, project: &Project, settings: &Settings, limit: usize) -> Result<Prepared, Failure> {
    let mut few = penname_corpus::Settings { limit: Some(limit), ..settings.corpus.clone() };
    // A trial is looked at before questions are asked.
    few.ask = asking::lenient(&few.ask);
    let (folders, trial) = (Folders::of(project)?, project.data().join("trial"));
    let places = folders.with(&trial);
    if few.sources.is_empty() {
        return Ok(penname_corpus::prepare(places, &few, settings.seed, desk.witness())?);
    }
    write::folder(&project.data())?;
    let wanted = Wanted { folder: &trial, corpus: &few, seed: settings.seed, again: Again::No };
    corpus::fetched(desk, project, &wanted)?;
    let prepared = penname_corpus::prepare(places, &few, settings.seed, desk.witness());
    if trial.is_dir() {
        write::remove_folder(&trial)?;
    }
    Ok(prepared?)
}

/// Every document that was taken, in full.
fn tried(prepared: &Prepared, desk: &Desk) -> String {
    let paint = desk.screen.paint();
    let each = prepared.documents.iter().enumerate().map(|(idx, one)| document::whole(idx, one, paint));
    each.collect::<Vec<_>>().join("\n") + "\n" + &told(prepared)
}

/// The account and the counts, in words.
pub(crate) fn told(prepared: &Prepared) -> String {
    let table = account::table(&prepared.account);
    let documents = number::of(prepared.documents.len() as u64, "document", "documents");
    let train = number::of(prepared.train.len() as u64, "example", "examples");
    let held_out = number::count(prepared.held_out.len() as u64);
    let mut lines = vec![format!("{documents}: {train} to learn from, {held_out} held out for measuring")];
    let is_told = |choice: &&Choice| {
        ["rejected", "personal data", "generated questions"].contains(&choice.what.as_str())
    };
    lines.extend(prepared.choices.iter().filter(is_told).map(|c| format!("{}: {}", c.what, c.value)));
    lines.push(detectable(prepared));
    lines.extend(account::left(&prepared.would));
    let made = lines.join("\n");
    if prepared.issues.is_empty() {
        return format!("{table}\n{made}");
    }
    let issues = issues::counts(&prepared.issues);
    format!("{table}\n{made}\n\n{issues}`penname show issues` lists each with its place")
}

/// What size of effect the held-out set can show. Documents are what is compared: answers from one
/// document resemble each other.
fn detectable(prepared: &Prepared) -> String {
    let documents: BTreeSet<&str> =
        prepared.held_out.iter().map(|example| example.document.as_str()).collect();
    let n = documents.len();
    let held_out = number::of(n as u64, "held-out document", "held-out documents");
    match effect::detectable(1.0, n) {
        Some(effect) => format!(
            "{held_out} can show a change of {effect:.2} times what documents differ by among themselves \
             (four times in five); a smaller one is left undecided"
        ),
        None => format!("{held_out}: too few to show a change of any size with an interval"),
    }
}

pub(crate) fn summary(prepared: &Prepared) -> Value {
    json!({
        "documents": prepared.documents.len(),
        "train": prepared.train.len(),
        "held_out": prepared.held_out.len(),
        "issues": prepared.issues.len(),
        "account": prepared.account,
        "rows": prepared.account.rows(),
        "choices": prepared.choices,
        "would": prepared.would,
    })
}
