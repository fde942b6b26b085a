//! Cleaning, judging and deduplicating as a stream: documents go in batch by batch, are written to a
//! file at once, and what stays in memory is some hundred bytes of each.
//!
//! It is for corpora larger than memory, whose documents come from elsewhere ready to be cleaned.
//! [`crate::prepare()`] does the same with the same parts for a folder of writing, held in memory,
//! and also holds out and composes; the sieve does not.
//!
//! # Determinism
//! The result depends neither on the number of threads nor on the size of batches, and which of
//! several alike is kept not on the order of the documents.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use penname_ledger::write::Atomic;

use crate::account::Tally;
use crate::clean::{Plan, Traits};
use crate::dedupe::{Found, Index, Signed};
use crate::document::{Document, Fate};
use crate::edit::{self, Cut};
use crate::validate::{Judge, Verdicts};
use crate::{Error, Settings};

/// A stream of documents, being sifted.
#[derive(Debug)]
pub struct Sieve<'a> {
    plan: Plan,
    judge: Judge<'a>,
    index: Index,
    path: PathBuf,
    file: Atomic,
    /// Where each document begins in the file.
    starts: Vec<u64>,
    end: u64,
    done: Done,
}

/// What was done to the documents so far.
#[derive(Debug, Default)]
struct Done {
    given: u64,
    verdicts: Verdicts,
    tally: Tally,
    cuts: BTreeMap<String, Cut>,
}

/// One document cleaned and judged, with its line for the file.
struct Sifted {
    line: Vec<u8>,
    /// Nothing for one that is dropped already.
    signed: Option<Signed>,
}

/// What came through, and what was done.
#[derive(Debug)]
pub struct Result {
    /// The file of all documents that were read, a line of JSON each, those dropped by rules with
    /// their fate.
    pub path: PathBuf,
    /// Documents that went in.
    pub documents: usize,
    /// Numbers of the documents dropped as duplicates, in order, with the reason.
    pub dropped: Vec<(usize, &'static str)>,
    /// Duplicates.
    pub found: Found,
    /// What the rules said.
    pub verdicts: Verdicts,
    /// Characters that went in.
    pub given: u64,
    /// Characters lost to cleaning.
    pub tally: Tally,
    /// What each cleaning rule cut.
    pub cuts: BTreeMap<String, Cut>,
}

impl<'a> Sieve<'a> {
    /// A sieve that keeps its documents in the file `path`, which is there once it is finished.
    ///
    /// # Errors
    /// When the settings make no sense or the file cannot be made.
    pub fn new(settings: &'a Settings, path: &Path) -> std::result::Result<Self, Error> {
        settings.check()?;
        Ok(Self {
            plan: Plan::new(&settings.clean),
            judge: Judge::new(&settings.validate)?,
            index: Index::new(&settings.dedupe),
            path: path.to_owned(),
            file: Atomic::create(path)?,
            starts: Vec::new(),
            end: 0,
            done: Done::default(),
        })
    }

    /// Sifts documents with so many threads. `traits` is what is known of them all.
    pub fn push(&mut self, documents: Vec<Document>, traits: &Traits, jobs: usize) {
        let each = documents.len().div_ceil(jobs.max(1)).max(1);
        let mut parts: Vec<Vec<Document>> = Vec::new();
        let mut rest = documents.into_iter();
        loop {
            let part: Vec<Document> = rest.by_ref().take(each).collect();
            if part.is_empty() {
                break;
            }
            parts.push(part);
        }
        let this = &*self;
        let sifted: Vec<(Vec<Sifted>, Done)> = match parts.len() {
            1 => parts.into_iter().map(|part| this.sift(part, traits)).collect(),
            _ => std::thread::scope(|scope| {
                let threads: Vec<_> =
                    parts.into_iter().map(|part| scope.spawn(|| this.sift(part, traits))).collect();
                let joined = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                };
                threads.into_iter().map(joined).collect()
            }),
        };
        for (documents, done) in sifted {
            self.done.merge(done);
            documents.into_iter().for_each(|document| self.keep(document));
        }
    }

    /// Cleans, judges and signs.
    fn sift(&self, documents: Vec<Document>, traits: &Traits) -> (Vec<Sifted>, Done) {
        let mut done = Done::default();
        let one = |document: Document| {
            done.given += document.chars();
            let mut cuts = BTreeMap::new();
            let mut document = self.plan.clean(document, traits, &mut cuts);
            let cut: Vec<Cut> = cuts.into_values().collect();
            done.tally.absorb(&cut);
            edit::merge(&mut done.cuts, &cut);
            self.judge.judge(&mut document, &mut done.verdicts, &mut done.tally, &mut done.cuts);
            let is_live = document.fate == Fate::Train && !document.voice().trim().is_empty();
            let signed = is_live.then(|| self.index.sign(&document));
            // A document is made of texts and numbers: there is nothing in it that JSON refuses.
            let mut line = serde_json::to_vec(&document).unwrap_or_default();
            line.push(b'\n');
            Sifted { line, signed }
        };
        let sifted = documents.into_iter().map(one).collect();
        (sifted, done)
    }

    fn keep(&mut self, sifted: Sifted) {
        if let Some(signed) = sifted.signed {
            self.index.take(self.starts.len(), signed);
        }
        self.starts.push(self.end);
        self.end += sifted.line.len() as u64;
        // A failed write is remembered by the file and told by `commit`.
        let _kept = self.file.write_all(&sifted.line);
    }

    /// Decides which documents are duplicates, once all have been seen.
    ///
    /// # Errors
    /// When the file cannot be written or read.
    pub fn finish(self) -> std::result::Result<Result, Error> {
        self.file.commit()?;
        let unreadable = |source| Error::Unreadable { path: self.path.clone(), source };
        let file = Mutex::new(BufReader::new(File::open(&self.path).map_err(unreadable)?));
        let starts = &self.starts;
        let again = |number: usize| {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            let mut line = String::new();
            file.seek(SeekFrom::Start(*starts.get(number)?)).ok()?;
            file.read_line(&mut line).ok()?;
            serde_json::from_str(&line).ok()
        };
        let (found, mut dropped) = self.index.decide(again);
        dropped.sort_unstable();
        let Done { given, verdicts, tally, cuts } = self.done;
        Ok(Result {
            path: self.path,
            documents: self.starts.len(),
            dropped,
            found,
            verdicts,
            given,
            tally,
            cuts,
        })
    }
}

impl Done {
    fn merge(&mut self, other: Self) {
        self.given += other.given;
        self.verdicts.merge(other.verdicts);
        self.tally.merge(&other.tally);
        edit::merge(&mut self.cuts, &other.cuts.into_values().collect::<Vec<_>>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Body, Kind};
    use std::collections::BTreeSet;

    fn documents() -> Vec<Document> {
        let words =
            |n: usize| (0..40).map(|k| format!("word{} ", (n * 41 + k) * 7919 % 997)).collect::<String>();
        let text = |n: usize| match n % 5 {
            0 => words(n) + "&amp; so",
            1 => words(n - 1) + "&amp; so!",
            2 => words(n - 2) + "and so  ",
            3 => "lol ".repeat(200),
            _ => words(n) + "a@b.org",
        };
        (0..60).map(|n| Document::new(&format!("{n:02}"), 0, Kind::Text, None, Body::Text(text(n)))).collect()
    }

    fn sifted(documents: Vec<Document>, batch: usize, jobs: usize) -> (Vec<u8>, Result, BTreeSet<String>) {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings::default();
        let mut sieve = Sieve::new(&settings, &dir.path().join("documents.jsonl")).unwrap();
        for part in documents.chunks(batch) {
            sieve.push(part.to_vec(), &Traits::default(), jobs);
        }
        let result = sieve.finish().unwrap();
        let bytes = std::fs::read(&result.path).unwrap();
        let gone: BTreeSet<usize> = result.dropped.iter().map(|(number, _)| *number).collect();
        let lines = bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty());
        let read: Vec<Document> = lines.map(|line| serde_json::from_slice(line).unwrap()).collect();
        let kept = read.iter().enumerate().filter(|(n, d)| !gone.contains(n) && d.fate == Fate::Train);
        let kept = kept.map(|(_, document)| document.path.clone()).collect();
        (bytes, result, kept)
    }

    #[test]
    fn what_is_alike_is_kept_once_and_counted() {
        let (bytes, result, kept) = sifted(documents(), 7, 1);
        assert_eq!((result.documents, result.verdicts.rejected), (60, 12));
        assert_eq!((result.found.exact, result.found.near, kept.len()), (12, 12, 24));
        let cut = result.tally.dropped_chars();
        let lines = bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty());
        let left: u64 = lines.map(|line| serde_json::from_slice::<Document>(line).unwrap().chars()).sum();
        assert_eq!(result.given + result.tally.added, left + cut);
    }

    #[test]
    fn threads_batches_and_order_do_not_matter() {
        let (bytes, result, kept) = sifted(documents(), 60, 1);
        for (batch, jobs) in [(7, 1), (60, 3), (13, 4)] {
            let other = sifted(documents(), batch, jobs);
            assert_eq!((&other.0, &other.1.dropped, &other.2), (&bytes, &result.dropped, &kept));
            assert_eq!((&other.1.cuts, &other.1.verdicts), (&result.cuts, &result.verdicts));
        }
        let mut turned = documents();
        turned.reverse();
        assert_eq!(sifted(turned, 9, 2).2, kept);
    }
}
