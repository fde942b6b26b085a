//! From the world to documents.
//!
//! The world is a folder of writing, and the folders that network sources filled ([`fetch`]). What
//! lies in them is told apart and read by [`files`]; everything fills a [`Collected`].

mod archive;
pub mod beside;
pub mod fetch;
pub mod files;
mod joined;
pub(crate) mod piece;
mod read;
mod walk;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use penname_ledger::event::Unit;
use penname_ledger::{Choice, Event, Hash, Witness};

use self::fetch::Source;
use self::read::Tools;
use crate::account::Tally;
use crate::document::Document;
use crate::edit::Cut;
use crate::forget::Forgotten;
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
    /// What was left out because it is to be forgotten: names of documents, by file.
    pub forgotten: BTreeMap<String, Vec<String>>,
}

/// Where writing lies, and what of it is not to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places<'a> {
    /// The folder of writing, or one file.
    pub writing: &'a Path,
    /// The folder in which network sources have their folders.
    pub fetched: Option<&'a Path>,
    /// What is forgotten, if anything is.
    pub forgotten: Option<&'a Forgotten>,
    /// The folder in which the record of generated questions lies.
    pub asked: Option<&'a Path>,
}

impl<'a> From<&'a Path> for Places<'a> {
    fn from(writing: &'a Path) -> Self {
        Self { writing, fetched: None, forgotten: None, asked: None }
    }
}

impl<'a> From<&'a PathBuf> for Places<'a> {
    fn from(writing: &'a PathBuf) -> Self {
        Self { writing, fetched: None, forgotten: None, asked: None }
    }
}

/// A folder to be read, and the source that filled it.
struct Root<'a> {
    path: PathBuf,
    source: Option<&'a Source>,
    walked: walk::Walked,
}

/// The folder of writing, then those of the sources, which there need not be yet.
fn roots<'a>(places: Places<'_>, sources: &'a [Source]) -> Result<Vec<Root<'a>>, Error> {
    let walked = match walk::walk(places.writing) {
        // Where others write, nobody need have put anything in.
        Err(Error::Missing { .. }) if !sources.is_empty() => walk::Walked::default(),
        walked => walked?,
    };
    let mut roots = vec![Root { path: places.writing.to_owned(), source: None, walked }];
    for source in sources {
        let Some(path) = places.fetched.map(|folder| fetch::pages(folder, source)) else { continue };
        if path.is_dir() {
            let mut walked = walk::walk(&path)?;
            walked.files.iter_mut().for_each(|file| file.name = format!("@{}/{}", source.id, file.name));
            roots.push(Root { path, source: Some(source), walked });
        }
    }
    Ok(roots)
}

/// Digest of everything that a reader would open: names and contents.
///
/// # Errors
/// When the folder is missing or cannot be listed. A file that cannot be read counts by its name.
pub fn digest<'a>(places: impl Into<Places<'a>>, settings: &Settings) -> Result<Hash, Error> {
    let places = places.into();
    let roots = roots(places, &settings.sources)?;
    let files = roots.iter().flat_map(|root| &root.walked.files);
    let mut parts = names_and_contents(files);
    // Nothing is added where nothing is forgotten.
    parts.extend(places.forgotten.and_then(Forgotten::digest).map(|digest| digest.as_bytes().to_vec()));
    Ok(Hash::of_parts(parts.iter().map(Vec::as_slice)))
}

/// What a hash of files is made of. One that cannot be read counts by its name.
fn names_and_contents<'f>(files: impl Iterator<Item = &'f walk::File>) -> Vec<Vec<u8>> {
    files
        .flat_map(|file| {
            let content = Hash::of_file(&file.path).map(|hash| hash.as_bytes().to_vec()).unwrap_or_default();
            [file.name.as_bytes().to_vec(), content]
        })
        .collect()
}

/// Reads and cleans every file of the writing, and what network sources gave. Opens no connection.
///
/// # Errors
/// When the folder is missing or unreadable, a profile is broken, or too many files are bad.
pub fn collect<'a>(
    places: impl Into<Places<'a>>,
    settings: &Settings,
    witness: &dyn Witness,
) -> Result<Collected, Error> {
    let places = places.into();
    let tools = Tools::new(settings, places.forgotten)?;
    let roots = roots(places, &settings.sources)?;
    let n_files = roots.iter().map(|root| root.walked.files.len()).sum();
    let mut collected = Collected { n_files, ..Collected::default() };
    collected.issues = unfinished(places, settings);
    let mut formats = BTreeMap::new();
    let mut n_read = 0;
    for root in &roots {
        collected.issues.extend(root.walked.issues.iter().cloned());
        let reader = tools.reader(&root.path, root.source);
        let n_before = collected.documents.len();
        for file in &root.walked.files {
            if n_read % REPORT_EVERY == 0 {
                witness.see(&Event::progress("reading", n_read as u64, n_files as u64, Unit::Items));
            }
            n_read += 1;
            reader.read(file, &mut collected, &mut formats);
        }
        reader.finish(n_before, &mut collected);
    }
    witness.see(&Event::progress("reading", n_files as u64, n_files as u64, Unit::Items));
    conclude(collected, formats, places, settings)
}

/// Says what was decided, and refuses what is bad beyond measure.
fn conclude(
    mut collected: Collected,
    formats: BTreeMap<(&'static str, String), Seen>,
    places: Places<'_>,
    settings: &Settings,
) -> Result<Collected, Error> {
    collected.choices = formats.into_iter().map(|(format, seen)| seen.choice(format)).collect();
    collected.choices.extend(join_choice(&collected.cuts));
    refuse_if_too_many_bad(&collected, settings.max_bad_share)?;
    if let Some(forgotten) = places.forgotten {
        let hide = |issue: &mut Issue| issue.detail = forgotten.without_names(&issue.detail);
        collected.issues.iter_mut().for_each(hide);
    }
    Ok(collected)
}

/// The documents of the file that one document came from, read again with the settings given. Files that
/// are told together are told alone here, so that what others say in them may be missing.
///
/// # Errors
/// As [`collect`]; a file that is gone has no documents.
pub(crate) fn again(
    places: Places<'_>,
    settings: &Settings,
    document: &Document,
) -> Result<Vec<Document>, Error> {
    let tools = Tools::new(settings, places.forgotten)?;
    let source = settings.sources.iter().find(|source| source.id == document.source);
    let root = match (source, places.fetched) {
        (Some(source), Some(folder)) => fetch::pages(folder, source),
        _ => places.writing.to_owned(),
    };
    let prefix = source.map_or_else(String::new, |source| format!("@{}/", source.id));
    let inside = document.path.strip_prefix(&prefix).unwrap_or(&document.path);
    // The file itself, or the archive whose member it is.
    let name = std::iter::successors(Some(inside), |name| name.rsplit_once('/').map(|(folder, _)| folder));
    let file = name.map(|name| (root.join(name), name)).find(|(path, _)| path.is_file());
    let (path, name) = match file {
        Some(found) => found,
        None if root.is_file() => (root.clone(), inside),
        None => return Ok(Vec::new()),
    };
    let reader = tools.reader(&root, source);
    let mut collected = Collected::default();
    let file = walk::File { path, name: format!("{prefix}{name}") };
    reader.read(&file, &mut collected, &mut BTreeMap::new());
    reader.finish(0, &mut collected);
    collected.documents.retain(|found| found.path == document.path);
    Ok(collected.documents)
}

/// What of the sources was not fetched, one row each.
fn unfinished(places: Places<'_>, settings: &Settings) -> Vec<Issue> {
    let Some(folder) = places.fetched else { return Vec::new() };
    let issue = |source: &Source| {
        let why = fetch::unfinished(folder, source)?;
        let detail = format!("stopped before its end: {why}");
        Some(Issue::new(&format!("@{}", source.id), Code::Source, Severity::Part, detail))
    };
    settings.sources.iter().filter_map(issue).collect()
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
