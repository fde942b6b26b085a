//! Shards put together.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use penname_ledger::{Hash, Witness};

use super::row::{Apart, Row};
use super::{Files, Plan, key, wrong};
use crate::Error;
use crate::account::Tally;
use crate::ask::Questions;
use crate::collect::Places;
use crate::collect::piece::{Opened, Piece};
use crate::dedupe::Signature;
use crate::document::Document;
use crate::edit::{self, Cut};
use crate::prepare::{Gathered, Prepared, Wanted, complete};
use crate::review::Review;
use crate::validate::Verdicts;

/// The shards that are not finished yet.
pub fn missing(plan: &Plan, folder: &Path) -> Vec<usize> {
    (0..plan.shards).filter(|shard| Files::of(folder, *shard).found(plan).is_none()).collect()
}

/// What was made of one document beside it.
struct Beside {
    verdicts: Verdicts,
    masked: Tally,
    cuts: Vec<Cut>,
    signature: Option<Signature>,
}

/// Makes of the shards in `folder` what [`crate::prepare()`] makes of the writing itself.
///
/// # Errors
/// When a shard is missing or damaged, the writing is no longer what the plan froze, or as preparing.
pub fn join(
    plan: &Plan,
    places: Places<'_>,
    folder: &Path,
    review: &Review,
    witness: &dyn Witness,
) -> Result<Prepared, Error> {
    if key(places, &plan.settings, plan.seed)? != plan.key {
        return wrong("the writing has changed since the plan was frozen".to_owned());
    }
    let missing = missing(plan, folder);
    if let Some(first) = missing.first() {
        return wrong(format!("{} of {} are not finished, the first is {first}", missing.len(), plan.shards));
    }
    let (mut pieces, mut besides) = (Vec::new(), BTreeMap::new());
    for shard in 0..plan.shards {
        read(plan, folder, shard, &mut pieces, &mut besides)?;
    }
    let collected = Opened::open(places, &plan.settings)?.join(pieces)?;
    let mut gathered = Gathered { collected, signed: Some(Vec::new()), ..Gathered::default() };
    for document in &gathered.collected.documents {
        let beside = besides.remove(&place(document));
        let Some(beside) = beside else {
            return wrong(format!("document {} of `{}` was not judged", document.position, document.path));
        };
        gathered.verdicts.merge(beside.verdicts);
        gathered.masked.merge(&beside.masked);
        edit::merge(&mut gathered.collected.cuts, &beside.cuts);
        gathered.signed.iter_mut().for_each(|signed| signed.push(beside.signature.clone()));
    }
    let questions = places.asked.map(Questions::read).transpose()?.unwrap_or_default();
    let wanted = Wanted { settings: &plan.settings, seed: plan.seed, review, questions: &questions };
    complete(gathered, places.writing, &wanted, witness)
}

/// Where a document stands: no two stand at one place.
fn place(document: &Document) -> (String, String, usize) {
    (document.source.clone(), document.path.clone(), document.position)
}

/// Reads a finished shard.
fn read(
    plan: &Plan,
    folder: &Path,
    shard: usize,
    pieces: &mut Vec<Piece>,
    besides: &mut BTreeMap<(String, String, usize), Beside>,
) -> Result<(), Error> {
    let files = Files::of(folder, shard);
    let damaged = |why: String| Error::Shard { what: format!("`{}`: {why}", files.rows.display()) };
    let done = files.found(plan).ok_or_else(|| damaged("it is not finished".to_owned()))?;
    if Hash::of_file(&files.rows)? != done.out_digest {
        return Err(damaged("it is not what its worker wrote".to_owned()));
    }
    let unreadable = |source| Error::Unreadable { path: files.rows.clone(), source };
    let mut reader = BufReader::new(File::open(&files.rows).map_err(unreadable)?);
    let (mut line, mut line_no) = (Vec::new(), 0);
    while reader.read_until(b'\n', &mut line).map_err(unreadable)? > 0 {
        line_no += 1;
        let row: Row =
            serde_json::from_slice(&line).map_err(|error| damaged(format!("line {line_no}: {error}")))?;
        line.clear();
        match row {
            Row::Piece(beside) => pieces.push(beside.piece()),
            Row::Document(judged) => {
                let Apart { document, verdicts, masked, cuts, signature } = judged.apart()?;
                besides.insert(place(&document), Beside { verdicts, masked, cuts, signature });
                let piece =
                    pieces.last_mut().ok_or_else(|| damaged("it begins with a document".to_owned()))?;
                piece.collected.documents.push(document);
            }
            Row::Issue(issue) => {
                return Err(damaged(format!("line {line_no} is of a stream: {}", issue.detail)));
            }
        }
    }
    Ok(())
}
