//! Why a corpus could not be made at all.
//!
//! One bad file, line or record is never an error here: it is an [`Issue`](crate::Issue) with a
//! count. These are the cases in which there is nothing sensible to hand on.

use std::path::PathBuf;

/// What stops the preparation of a corpus.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder of writing is not there.
    #[error("writing `{}` does not exist", path.display())]
    Missing {
        /// What was asked for.
        path: PathBuf,
    },
    /// The folder of writing is there but cannot be listed.
    #[error("writing `{}` cannot be read", path.display())]
    Unreadable {
        /// What was asked for.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// Nothing is left to learn from.
    #[error("writing `{}` gives nothing to train on: {files} files, {documents} documents{why}, {issues} issues",
            path.display())]
    Nothing {
        /// What was asked for.
        path: PathBuf,
        /// Files that were looked at.
        files: usize,
        /// Documents found in them, duplicates and empty ones included.
        documents: usize,
        /// Why documents were dropped, in words, or nothing.
        why: String,
        /// Issues that were noted.
        issues: usize,
    },
    /// So many files are bad that a result would mislead.
    #[error("{bad} of {files} files could not be used, more than the allowed {share:.0} %; first: `{first}`: {why}",
            share = allowed * 100.0)]
    TooManyBad {
        /// Files lost.
        bad: usize,
        /// Files that should have held writing.
        files: usize,
        /// The share the settings allow, 0 to 1.
        allowed: f64,
        /// The first lost file.
        first: String,
        /// What was wrong with it.
        why: String,
    },
    /// A setting names something no list knows.
    #[error("setting `{setting}` names `{found}`, expected one of {expected}")]
    UnknownName {
        /// The setting, dotted.
        setting: &'static str,
        /// What it holds.
        found: String,
        /// What it may hold, comma separated.
        expected: String,
    },
    /// A model that was asked for is not there or is something else. None stands in for it.
    #[error("the model `{}` of `validate.toxicity` cannot be used: {why}", path.display())]
    NoScorer {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A setting holds a number that makes no sense.
    #[error("setting `{setting}` is {found}, expected {expected}")]
    OutOfRange {
        /// The setting, dotted.
        setting: &'static str,
        /// What it holds.
        found: f64,
        /// The accepted range, in words.
        expected: &'static str,
    },
    /// A profile of a numbered book cannot be read.
    #[error("profile `{name}` cannot be read: {why}")]
    Profile {
        /// The profile.
        name: String,
        /// What the YAML reader said.
        why: String,
    },
    /// A network source that is set up wrongly.
    #[error("source `{id}` cannot be used: {why}")]
    Source {
        /// The source.
        id: String,
        /// What is wrong with it.
        why: String,
    },
    /// Sources could not be asked at all.
    #[error(transparent)]
    Fetch(#[from] crate::collect::fetch::Fault),
    /// Characters went missing between the reading and the account: a fault of this crate.
    #[error(
        "the account of characters does not balance: {given} given and {added} added, {found} accounted for"
    )]
    Unbalanced {
        /// Characters decoded.
        given: u64,
        /// Characters written in by cleaning.
        added: u64,
        /// Characters found in the rows.
        found: u64,
    },
    /// A stored line is not what this version writes.
    #[error("`{}` line {line} cannot be read back: {why}", path.display())]
    Stored {
        /// The stored file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the reader said.
        why: String,
    },
    /// A plan or the shards made by it that cannot be used.
    #[error("the shards cannot be used: {what}")]
    Shard {
        /// What is wrong with them.
        what: String,
    },
    /// A decision about an example that cannot be applied.
    #[error("the decision was not taken: {what}")]
    Review {
        /// What is wrong with it.
        what: String,
    },
    /// Generated questions that cannot be asked for as the settings say.
    #[error("questions cannot be asked for: {why}")]
    Ask {
        /// What is wrong.
        why: String,
    },
    /// A model of which nobody says what it costs.
    #[error("nobody says what `{model}` costs: it is not in the list of {as_of}")]
    Unpriced {
        /// The model.
        model: String,
        /// The date of the list.
        as_of: String,
    },
    /// Passages without questions, more than may be.
    #[error("{} of {n_passages} passages have no questions, more than the allowed {:.0} %{}",
            missing.len(), allowed * 100.0, first(missing))]
    Unasked {
        /// Passages for which questions were wanted.
        n_passages: usize,
        /// The share that may be without, 0 to 1.
        allowed: f64,
        /// Those without.
        missing: Vec<crate::ask::Missing>,
    },
    /// The books could not be written or read.
    #[error(transparent)]
    Ledger(#[from] penname_ledger::Error),
}

/// The first passage without questions, in words.
fn first(missing: &[crate::ask::Missing]) -> String {
    let Some(first) = missing.first() else { return String::new() };
    format!("; first: `{}`, passage {}: {}", first.path, first.passage, first.reason)
}
