//! A prepared corpus on disk: lines of JSON, and a manifest that is written last.
//!
//! ```text
//! documents.jsonl  train.jsonl  held_out.jsonl  issues.jsonl  account.json  manifest.json
//! ```

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use penname_ledger::manifest::{Found, Manifest, Order};
use penname_ledger::write::Staged;
use penname_ledger::{Event, Seed, Stopwatch, Witness};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::ask::Questions;
use crate::collect::files::pdf;
use crate::collect::{self, Places};
use crate::edit::Cut;
use crate::issue::{Code, Issue};
use crate::prepare::{Prepared, prepare_reviewed};
use crate::review::Review;
use crate::validate::Judge;
use crate::{Error, Settings};

const STAGE: &str = "prepare";
const OUTPUTS: &[&str] =
    &["documents.jsonl", "train.jsonl", "held_out.jsonl", "issues.jsonl", "account.json"];

/// The account with what the cleaners did.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Books {
    account: Account,
    cuts: Vec<Cut>,
    #[serde(default)]
    would: Vec<Cut>,
}

/// Everything that decides what [`prepare_reviewed`] makes of a folder.
///
/// # Errors
/// When the folder cannot be listed, or a model that was asked for cannot be read.
pub fn order<'a>(
    places: impl Into<Places<'a>>,
    settings: &Settings,
    seed: Seed,
    review: &Review,
) -> Result<Order, Error> {
    let mut order = Order::new(STAGE, env!("CARGO_PKG_VERSION"));
    let places = places.into();
    order.inputs.insert("writing".to_owned(), collect::digest(places, settings)?);
    let questions =
        places.asked.filter(|_| settings.ask.provider.is_some()).map(Questions::read).transpose()?;
    if let Some(answers) = questions.and_then(|questions| questions.digest()) {
        order.inputs.insert("questions".to_owned(), answers);
    }
    if let Some(model) = Judge::new(&settings.validate)?.model() {
        order.inputs.insert("toxicity".to_owned(), model);
    }
    if let Some(decisions) = review.digest() {
        order.inputs.insert("review".to_owned(), decisions);
    }
    order.settings = serde_json::json!(settings);
    // What asking may cost, and how fast it goes, decides nothing here.
    if let Some(fields) = order.settings.as_object_mut() {
        fields.remove("ask");
        fields.extend(settings.ask.order().map(|ask| ("ask".to_owned(), ask)));
    }
    order.seed = Some(seed);
    Ok(order)
}

/// Prepares a folder into `dir`, or finds there what an equal order made before.
///
/// # Errors
/// As [`prepare_reviewed`], and when the result cannot be written or read.
pub fn prepare_into<'a>(
    places: impl Into<Places<'a>>,
    dir: &Path,
    settings: &Settings,
    seed: Seed,
    review: &Review,
    witness: &dyn Witness,
) -> Result<Prepared, Error> {
    settings.check()?;
    let places = places.into();
    let order = order(places, settings, seed, review)?;
    if let Found::Done(manifest) = Manifest::find(dir, &order.key())
        && !may_open(dir)
    {
        let reason = format!("made from the same writing and settings on {}", manifest.made_at);
        witness.see(&Event::Skipped { stage: STAGE.to_owned(), reason });
        return load(dir);
    }
    let watch = Stopwatch::start();
    witness.see(&Event::Started { stage: STAGE.to_owned() });
    let prepared = prepare_reviewed(places, settings, seed, review, witness)?;
    save(&prepared, order, watch.seconds(), dir)?;
    witness.see(&Event::Finished { stage: STAGE.to_owned(), seconds: watch.seconds() });
    Ok(prepared)
}

/// Whether a file that was under a lock may open now. Passwords are no part of an order, because they are
/// written down nowhere, not even as a hash.
fn may_open(dir: &Path) -> bool {
    let issues = || read_lines::<Issue>(&dir.join("issues.jsonl")).unwrap_or_default();
    pdf::has_passwords() && issues().iter().any(|issue| issue.code == Code::Locked)
}

/// Writes a corpus to `dir`, replacing what is there, all of it or none.
///
/// # Errors
/// When the file system refuses.
pub fn save(prepared: &Prepared, order: Order, seconds: f64, dir: &Path) -> Result<Manifest, Error> {
    let staged = Staged::create(dir)?;
    write_lines(&staged, "documents.jsonl", &prepared.documents)?;
    write_lines(&staged, "train.jsonl", &prepared.train)?;
    write_lines(&staged, "held_out.jsonl", &prepared.held_out)?;
    write_lines(&staged, "issues.jsonl", &prepared.issues)?;
    let (account, cuts) = (prepared.account.clone(), prepared.cuts.clone());
    let books = Books { account, cuts, would: prepared.would.clone() };
    penname_ledger::write::json(&staged.dir().join("account.json"), &books)?;
    let mut manifest = Manifest::new(order);
    manifest.seconds = seconds;
    manifest.choices = prepared.choices.clone();
    manifest.counts = counts(prepared);
    let manifest = manifest.finish(staged.dir(), OUTPUTS)?;
    staged.commit()?;
    Ok(manifest)
}

/// Reads a corpus back.
///
/// # Errors
/// When a file is missing or holds something else.
pub fn load(dir: &Path) -> Result<Prepared, Error> {
    let books: Books = {
        let path = dir.join("account.json");
        let text = read(&path)?;
        serde_json::from_str(&text).map_err(|e| Error::Stored { path, line: e.line(), why: e.to_string() })?
    };
    Ok(Prepared {
        train: read_lines(&dir.join("train.jsonl"))?,
        held_out: read_lines(&dir.join("held_out.jsonl"))?,
        documents: read_lines(&dir.join("documents.jsonl"))?,
        issues: read_lines(&dir.join("issues.jsonl"))?,
        account: books.account,
        cuts: books.cuts,
        would: books.would,
        choices: Manifest::read(dir)?.choices,
    })
}

fn counts(prepared: &Prepared) -> BTreeMap<String, u64> {
    let counts = [
        ("documents", prepared.documents.len()),
        ("train", prepared.train.len()),
        ("held_out", prepared.held_out.len()),
        ("issues", prepared.issues.len()),
    ];
    counts.into_iter().map(|(name, n)| (name.to_owned(), n as u64)).collect()
}

fn write_lines(staged: &Staged, name: &str, rows: &[impl Serialize]) -> Result<(), Error> {
    let mut file = staged.file(name)?;
    for row in rows {
        // A failed write is remembered by the file and told by `commit`.
        let _kept = serde_json::to_writer(&mut file, row);
        let _kept = file.write_all(b"\n");
    }
    Ok(file.commit()?)
}

fn read(path: &Path) -> Result<String, Error> {
    let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
    std::fs::read_to_string(path).map_err(unreadable)
}

fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, Error> {
    let text = read(path)?;
    // Not `lines`: a text in JSON may hold U+2028 but never a line feed.
    let rows = text.split('\n').enumerate().filter(|(_, line)| !line.is_empty());
    let parse = |(n, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|e| Error::Stored {
            path: path.to_owned(),
            line: n + 1,
            why: e.to_string(),
        })
    };
    rows.map(parse).collect()
}
