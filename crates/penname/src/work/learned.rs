//! What a run was trained on: what may be done with it, and by what it is found when somebody is to be
//! forgotten later.
//!
//! ```text
//! runs/<name>/rights.json     the narrowest rights of all that was learned, and how many documents have which
//! runs/<name>/learned.jsonl   a line a document: its name, and hashes of everybody and everything in it
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use penname_corpus::document::Fate;
use penname_corpus::forget::{Forgotten, Marks};
use penname_corpus::rights::{Grant, Rights};
use penname_corpus::{Document, Prepared};
use penname_ledger::run::Run;
use penname_ledger::{Choice, Manifest, journal, write};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::project::Project;

/// The names of the files in the folder of a run.
pub(crate) const FILES: [&str; 2] = [RIGHTS, MARKS];
const RIGHTS: &str = "rights.json";
const MARKS: &str = "learned.jsonl";
/// What an export says it was made from.
pub(crate) const OF_RUN: &str = "exported run";

/// What may be done with what was learned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Learned {
    /// The narrowest of all.
    pub(crate) rights: Rights,
    /// Documents that were learned.
    pub(crate) documents: usize,
    /// How many of them have which rights.
    pub(crate) by: BTreeMap<String, usize>,
}

impl Learned {
    /// That of a corpus.
    pub(crate) fn of(prepared: &Prepared) -> Self {
        let learned = || documents(prepared).filter(|document| document.fate == Fate::Train);
        let examples = prepared.train.iter().map(|example| example.rights);
        let all = examples.chain(learned().map(|document| document.rights));
        let mut by: BTreeMap<String, usize> = BTreeMap::new();
        learned().for_each(|document| *by.entry(told(document.rights)).or_default() += 1);
        Self { rights: all.reduce(Rights::meet).unwrap_or_default(), documents: learned().count(), by }
    }

    /// The same as a row of a manifest.
    pub(crate) fn choice(&self) -> Choice {
        let by: Vec<String> = self.by.iter().map(|(rights, n)| format!("{n} with {rights}")).collect();
        let reason = format!("the narrowest of {} documents: {}", self.documents, by.join("; "));
        Choice::new("rights", told(self.rights), reason)
    }
}

/// `train local-only, publish unknown (basis unknown)`.
pub(crate) fn told(rights: Rights) -> String {
    format!("train {}, publish {} (basis {})", rights.train, rights.publish, rights.basis)
}

/// A line for somebody who takes a voice elsewhere, unless everything allows it.
pub(crate) fn warned(rights: Option<Rights>) -> Option<String> {
    let why = match rights.map(|rights| rights.publish) {
        Some(Grant::Yes) => return None,
        Some(Grant::No) => "some of what it learned may not be given away",
        Some(Grant::LocalOnly) => "some of what it learned is for this machine only",
        Some(Grant::Unknown) => "nobody said whether what it learned may be given away",
        None => "what it learned from is not known here",
    };
    Some(format!("rights: {why}; `corpus.rights` says so for parts of the writing"))
}

/// Documents that are learned or held out.
fn documents(prepared: &Prepared) -> impl Iterator<Item = &Document> {
    prepared.documents.iter().filter(|document| !matches!(document.fate, Fate::Dropped(_)))
}

/// Writes both files into the folder of a run.
///
/// # Errors
/// When the file system refuses.
pub(crate) fn write_down(dir: &Path, prepared: &Prepared) -> Result<(), Failure> {
    write::json_lines(&dir.join(MARKS), documents(prepared).map(Marks::of))?;
    Ok(write::json(&dir.join(RIGHTS), &Learned::of(prepared))?)
}

/// What may be done with what a run learned; nothing for one that was made before this was written down.
pub(crate) fn rights(dir: &Path) -> Option<Learned> {
    serde_json::from_slice(&std::fs::read(dir.join(RIGHTS)).ok()?).ok()
}

/// Runs and exports in which something forgotten is, or may be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Held {
    /// Runs that learned it, or were measured on it.
    pub(crate) runs: Vec<String>,
    /// Runs of which nothing is known: they were made before it was written down.
    pub(crate) unknown_runs: Vec<String>,
    /// Exports of such runs.
    pub(crate) exports: Vec<String>,
    /// Exports of which it is not known what they hold.
    pub(crate) unknown_exports: Vec<String>,
}

impl Held {
    /// Those of a project.
    ///
    /// # Errors
    /// When the runs cannot be listed.
    pub(crate) fn of(project: &Project, forgotten: &Forgotten) -> Result<Self, Failure> {
        let mut held = Self::default();
        if forgotten.is_empty() {
            return Ok(held);
        }
        for run in Run::list(&project.runs())? {
            match has_learned(&run, forgotten) {
                Some(true) => held.runs.push(run.name().to_owned()),
                Some(false) => {}
                None => held.unknown_runs.push(run.name().to_owned()),
            }
        }
        held.exports_of(&project.exports());
        Ok(held)
    }

    fn exports_of(&mut self, folder: &Path) {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut dirs: Vec<_> = entries.map(|entry| entry.path()).collect();
        dirs.sort();
        for dir in dirs {
            let Ok(manifest) = Manifest::read(&dir) else { continue };
            let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match manifest.choices.iter().find(|choice| choice.what == OF_RUN).map(|choice| &choice.value) {
                Some(run) if self.runs.contains(run) => self.exports.push(name),
                Some(run) if !self.unknown_runs.contains(run) => {}
                _ => self.unknown_exports.push(name),
            }
        }
    }

    /// Whether there is nothing to say.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What there is to say, a line each.
    pub(crate) fn lines(&self) -> Vec<String> {
        let lists = [
            ("run", &self.runs, "has learned what is forgotten, or was measured on it"),
            ("run", &self.unknown_runs, "may have: it does not say what it learned"),
            ("export", &self.exports, "was made of such a run"),
            ("export", &self.unknown_exports, "may hold it: it does not say which run it was made of"),
        ];
        let line = |(noun, names, what): (&str, &Vec<String>, &str)| -> Vec<String> {
            names.iter().map(|name| format!("{noun} `{name}` {what}")).collect()
        };
        lists.into_iter().flat_map(line).collect()
    }
}

/// Whether something forgotten is among what a run learned; nothing where it does not say.
fn has_learned(run: &Run, forgotten: &Forgotten) -> Option<bool> {
    let (marks, bad) = journal::read_all::<Marks>(&run.dir().join(MARKS)).ok()?;
    let is_learned = marks.iter().any(|marks| forgotten.fits_marks(marks, run.birth().begun_at).is_some());
    if bad.is_empty() || is_learned { Some(is_learned) } else { None }
}
