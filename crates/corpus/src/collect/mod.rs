//! From the world to documents.
//!
//! So far the world is one folder, [`files`]. Every source fills a [`Collected`].

mod archive;
pub mod beside;
pub mod files;
mod read;
mod walk;

use std::collections::BTreeMap;
use std::path::Path;

use penname_ledger::event::Unit;
use penname_ledger::{Choice, Event, Hash, Witness};

use crate::account::Tally;
use crate::clean::Plan;
use crate::document::Document;
use crate::edit::Cut;
use crate::issue::{Code, Issue, Severity};
use crate::{Error, Settings};

/// Files between two reports of progress.
const REPORT_EVERY: usize = 50;

/// What a source gave.
#[derive(Debug, Default)]
pub struct Collected {
    /// The documents, cleaned, in order of path and position.
    pub documents: Vec<Document>,
    /// Characters decoded.
    pub given: u64,
    /// Characters lost in reading and cleaning.
    pub tally: Tally,
    /// What each rule cut, with a sample.
    pub cuts: BTreeMap<String, Cut>,
    /// What rules that may change the voice would cut, and were not asked to.
    pub would: BTreeMap<String, Cut>,
    /// What was wrong.
    pub issues: Vec<Issue>,
    /// What was decided, and why.
    pub choices: Vec<Choice>,
    /// Files that were opened.
    pub n_files: usize,
    /// Documents of each format.
    pub n_documents: BTreeMap<&'static str, usize>,
}

/// Digest of everything below a folder that a reader would open: names and contents.
///
/// # Errors
/// When the folder is missing or cannot be listed. A file that cannot be read counts by its name.
pub fn digest(writing: &Path) -> Result<Hash, Error> {
    let parts: Vec<Vec<u8>> = walk::walk(writing)?
        .files
        .iter()
        .flat_map(|file| {
            let content = Hash::of_file(&file.path).map(|hash| hash.as_bytes().to_vec()).unwrap_or_default();
            [file.name.as_bytes().to_vec(), content]
        })
        .collect();
    Ok(Hash::of_parts(parts.iter().map(Vec::as_slice)))
}

/// Reads and cleans every file below `writing`.
///
/// # Errors
/// When the folder is missing or unreadable, a profile is broken, or too many files are bad.
pub fn collect(writing: &Path, settings: &Settings, witness: &dyn Witness) -> Result<Collected, Error> {
    let profiles = files::profile::load(&settings.profiles)?;
    let scripts = files::transcript::profile::load(&settings.transcripts, &settings.voice)?;
    let walked = walk::walk(writing)?;
    let plan = Plan::new(&settings.clean);
    let reader =
        read::Reader { root: writing, settings, profiles: &profiles, scripts: &scripts, plan: &plan };
    let mut collected =
        Collected { issues: walked.issues, n_files: walked.files.len(), ..Collected::default() };
    let mut formats = BTreeMap::new();
    let n_files = walked.files.len();
    let told = |n_read: usize| {
        witness.see(&Event::progress("reading", n_read as u64, n_files as u64, Unit::Items));
    };
    for (n_read, file) in walked.files.iter().enumerate() {
        if n_read % REPORT_EVERY == 0 {
            told(n_read);
        }
        reader.read(file, &mut collected, &mut formats);
    }
    told(n_files);
    collected.choices = formats.into_iter().map(|(format, seen)| seen.choice(format)).collect();
    collected.choices.extend(join_choice(&collected.cuts));
    refuse_if_too_many_bad(&collected, settings.max_bad_share)?;
    Ok(collected)
}

/// The files read in one format for one reason.
#[derive(Debug, Default)]
struct Seen {
    n_files: usize,
    first: String,
}

impl Seen {
    fn choice(self, (format, reason): (&str, String)) -> Choice {
        let others = match self.n_files {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        Choice::new(format!("format of {}{others}", self.first), format, reason)
    }
}

/// Joining lines changes the look of a text, so it is told apart from the other cleaners.
fn join_choice(cuts: &BTreeMap<String, Cut>) -> Option<Choice> {
    let wraps = cuts.get("line wraps")?;
    let reason = "most lines inside paragraphs end near one width and few begin with a capital";
    Some(Choice::new("lines inside paragraphs", format!("{} breaks joined", wraps.times), reason))
}

fn refuse_if_too_many_bad(collected: &Collected, allowed: f64) -> Result<(), Error> {
    let n_passed = collected.issues.iter().filter(|issue| issue.code == Code::NotWriting).count();
    let bad: Vec<_> = collected.issues.iter().filter(|issue| issue.severity == Severity::Bad).collect();
    // Folders that could not be listed are bad without having been counted as files.
    let n_files = collected.n_files.saturating_sub(n_passed).max(bad.len());
    match bad.first() {
        Some(first) if bad.len() as f64 > allowed * n_files as f64 => {
            let (first, why) = (first.path.clone(), first.detail.clone());
            Err(Error::TooManyBad { bad: bad.len(), files: n_files, allowed, first, why })
        }
        _ => Ok(()),
    }
}
