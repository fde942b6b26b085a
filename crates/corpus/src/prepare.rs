//! A folder of writing in, examples and their account out: the whole flow on one page.

use std::collections::BTreeMap;
use std::path::Path;

use penname_ledger::{Choice, Event, Seed, Witness};
use penname_token::Example;

use crate::account::{Account, Tally};
use crate::ask::{Missing, Questions};
use crate::collect::{Collected, Places, collect};
use crate::compose::compose;
use crate::dedupe::{Bands, Found, Signature, dedupe_signed};
use crate::document::{Document, Fate};
use crate::edit::Cut;
use crate::issue::{Code, Issue, Severity};
use crate::review::Review;
use crate::split::split;
use crate::validate::{Judge, Verdicts};
use crate::{Error, Settings};

/// A corpus, ready to be rendered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prepared {
    /// What is learned.
    pub train: Vec<Example>,
    /// What is kept apart for measuring; nothing like it is in `train`.
    pub held_out: Vec<Example>,
    /// Every document with what became of it, in order of path and position.
    pub documents: Vec<Document>,
    /// Where every character went.
    pub account: Account,
    /// What each cleaning rule cut, with a sample, by name.
    pub cuts: Vec<Cut>,
    /// What rules that may change the voice would cut, by name. They were not asked to.
    pub would: Vec<Cut>,
    /// What was wrong with the input.
    pub issues: Vec<Issue>,
    /// What was decided, and why.
    pub choices: Vec<Choice>,
}

/// As [`prepare_reviewed`], where nobody has decided anything.
///
/// # Errors
/// As there.
pub fn prepare<'a>(
    places: impl Into<Places<'a>>,
    settings: &Settings,
    seed: Seed,
    witness: &dyn Witness,
) -> Result<Prepared, Error> {
    prepare_reviewed(places, settings, seed, &Review::default(), witness)
}

/// Turns a folder of writing, or a single file, and what network sources gave into examples, and does to
/// them what was decided. Files are only read, and no connection is opened.
///
/// # Errors
/// When the settings make no sense, the folder is missing, too many files are bad, or nothing in
/// it is text. A bad file or record by itself is an [`Issue`].
///
/// # Determinism
/// The same files, settings, seed and decisions give the same result on every machine.
pub fn prepare_reviewed<'a>(
    places: impl Into<Places<'a>>,
    settings: &Settings,
    seed: Seed,
    review: &Review,
    witness: &dyn Witness,
) -> Result<Prepared, Error> {
    settings.check()?;
    let places = places.into();
    let mut gathered = Gathered { collected: collect(places, settings, witness)?, ..Gathered::default() };
    gathered.validate(settings)?;
    let questions = places.asked.map(Questions::read).transpose()?.unwrap_or_default();
    complete(gathered, places.writing, &Wanted { settings, seed, review, questions: &questions }, witness)
}

/// Documents that are read, cleaned and judged.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) collected: Collected,
    pub(crate) verdicts: Verdicts,
    /// What rules masked.
    pub(crate) masked: Tally,
    /// What is compared of each, where it was made already.
    pub(crate) signed: Option<Vec<Option<Signature>>>,
}

impl Gathered {
    /// Asks every rule about every document.
    fn validate(&mut self, settings: &Settings) -> Result<(), Error> {
        let judge = Judge::new(&settings.validate)?;
        for document in &mut self.collected.documents {
            judge.judge(document, &mut self.verdicts, &mut self.masked, &mut self.collected.cuts);
        }
        Ok(())
    }
}

/// What is made of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) seed: Seed,
    pub(crate) review: &'a Review,
    pub(crate) questions: &'a Questions,
}

/// Holds out, leaves out what is there twice, makes examples and the account.
///
/// # Errors
/// When nothing is left to learn from.
pub(crate) fn complete(
    gathered: Gathered,
    writing: &Path,
    wanted: &Wanted<'_>,
    witness: &dyn Witness,
) -> Result<Prepared, Error> {
    let Gathered { collected, verdicts, masked, signed } = gathered;
    let Wanted { settings, seed, review, questions } = *wanted;
    let (n_files, mut issues, mut choices) = (collected.n_files, collected.issues, collected.choices);
    let mut documents = collected.documents;
    let mut account = Account { given: collected.given, ..Account::default() };
    account.absorb(&collected.tally);
    account.absorb(&masked);
    choices.extend(verdicts.choices(&settings.validate));
    choices.push(split(&mut documents, settings, seed));
    let duplicates = dedupe_signed(&mut documents, &settings.dedupe, signed);
    choices.extend(told(&duplicates, settings));

    let (mut train, mut held_out) = (Vec::new(), Vec::new());
    let (mut n_passages, mut missing) = (0, Vec::new());
    for document in &mut documents {
        let known = (settings, review, questions);
        let made = settle(document, known, &mut account, &mut issues, &mut train, &mut held_out);
        n_passages += made.0;
        missing.extend(made.1);
    }
    choices.extend(asked(settings, n_passages, missing)?);
    if !account.is_balanced() {
        return Err(Error::Unbalanced {
            given: account.given,
            added: account.added + account.repeated,
            found: account.accounted(),
        });
    }
    if train.is_empty() {
        let (path, files) = (writing.to_owned(), n_files);
        let (why, issues) = (reasons(&documents), issues.len());
        return Err(Error::Nothing { path, files, documents: documents.len(), why, issues });
    }
    choices.iter().for_each(|choice| witness.see(&Event::Choice(choice.clone())));
    warn(&issues, witness);
    let cuts = collected.cuts.into_values().collect();
    let would = collected.would.into_values().collect();
    Ok(Prepared { train, held_out, documents, account, cuts, would, issues, choices })
}

/// What was there twice, where anything was.
fn told(duplicates: &Found, settings: &Settings) -> Option<Choice> {
    if *duplicates == Found::default() {
        return None;
    }
    let value = format!("{} exact, {} near", duplicates.exact, duplicates.near);
    let bands = Bands::at(settings.dedupe.jaccard);
    let reason = format!(
        "{} more left training because held-out text is like them; {} bands of {} rows find {:.0} % of the pairs at {}",
        duplicates.leaks,
        bands.bands,
        bands.rows,
        100.0 * bands.recall(settings.dedupe.jaccard),
        settings.dedupe.jaccard,
    );
    Some(Choice::new("duplicates dropped", value, reason))
}

/// Makes the examples of one document and enters its characters into the account.
fn settle(
    document: &mut Document,
    (settings, review, questions): (&Settings, &Review, &Questions),
    account: &mut Account,
    issues: &mut Vec<Issue>,
    train: &mut Vec<Example>,
    held_out: &mut Vec<Example>,
) -> (usize, Vec<Missing>) {
    if let Fate::Dropped(reason) = &document.fate {
        *account.dropped.entry(reason.clone()).or_default() += document.chars();
        return (0, Vec::new());
    }
    let mut made = compose(document, settings, questions);
    review.apply(&mut made);
    made.leave_unallowed();
    account.absorb(&made.tally);
    account.repeated += made.repeated;
    issues.extend(made.issues);
    if document.fate == Fate::HeldOut {
        account.held_out += made.voice + made.prompt;
        held_out.extend(made.examples);
    } else {
        account.trained += made.voice;
        account.prompt += made.prompt;
        train.extend(made.examples);
    }
    (made.n_passages, made.missing)
}

/// Says how many passages have questions, and refuses to go on where more are without than may be.
fn asked(settings: &Settings, n_passages: usize, missing: Vec<Missing>) -> Result<Option<Choice>, Error> {
    let ask = &settings.ask;
    if ask.provider.is_none() || n_passages == 0 {
        return Ok(None);
    }
    let (n_missing, allowed) = (missing.len(), ask.accept_missing);
    if n_missing as f64 > allowed * n_passages as f64 {
        return Err(Error::Unasked { n_passages, allowed, missing });
    }
    let value = format!("{} of {n_passages} passages", n_passages - n_missing);
    let reason = format!(
        "written by {}; each passage is learned {} times in a pass, once for each question",
        ask.model(),
        ask.questions
    );
    Ok(Some(Choice::new("generated questions", value, reason)))
}

/// Why documents were dropped, the most frequent reason first: ` (20 rejected: repetition, 4 exact duplicates)`.
fn reasons(documents: &[Document]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for document in documents {
        if let Fate::Dropped(reason) = &document.fate {
            *counts.entry(reason).or_default() += 1;
        }
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let told: Vec<String> = counts.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
    if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) }
}

/// Tells what was wrong, one line per kind; the rows themselves are kept.
fn warn(issues: &[Issue], witness: &dyn Witness) {
    let mut kinds: BTreeMap<(Severity, Code), (usize, &Issue)> = BTreeMap::new();
    for issue in issues.iter().filter(|issue| issue.severity != Severity::Skipped) {
        kinds.entry((issue.severity, issue.code)).or_insert((0, issue)).0 += 1;
    }
    for (count, first) in kinds.values().rev() {
        let others = if *count > 1 { format!(" ({} like it)", count - 1) } else { String::new() };
        let what = format!("{}: {}{others}", first.path, first.detail);
        witness.see(&Event::warning(what, "every finding is listed in issues.jsonl"));
    }
}
