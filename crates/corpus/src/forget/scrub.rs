//! Takes what is forgotten out of what network sources gave, on disk.
//!
//! Fetched files are copies that penname made, so it may change them; the folder of writing is a person's
//! own and is never touched. JSON is gone through object by object: the words of an object that somebody
//! forgotten wrote, or that has a forgotten id or address, are emptied, and what others said below it
//! stays. Any other file in which something is forgotten is removed whole. Afterwards everything is read
//! again as preparing would, and a file in which something is still found is removed, too.
//!
//! The ids of what was taken stay in the log of the source, so that it is not fetched again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use penname_ledger::event::Silent;
use penname_ledger::{journal, write};
use serde_json::Value;

use super::{Forgotten, What};
use crate::collect::{Places, collect};
use crate::{Error, Settings};

mod object;

/// What was taken out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Files in which words were emptied, with how many objects they stood in.
    pub changed: BTreeMap<String, usize>,
    /// Files that were removed whole.
    pub removed: Vec<String>,
}

/// Takes what is forgotten out of the folders of all sources below `fetched`, those of the settings and
/// others.
///
/// # Errors
/// When a file cannot be read or written. What was done until then stays done; the same call goes on.
pub fn scrub(fetched: &Path, settings: &Settings, forgotten: &Forgotten) -> Result<Scrubbed, Error> {
    let mut scrubbed = Scrubbed::default();
    if forgotten.is_empty() || !fetched.is_dir() {
        return Ok(scrubbed);
    }
    for shelf in folders(fetched)? {
        by_log(fetched, &shelf, forgotten, &mut scrubbed)?;
        for part in ["pages", "answers", "kept"] {
            for path in files(&shelf.join(part))? {
                file(fetched, &path, part, forgotten, &mut scrubbed)?;
            }
        }
    }
    again(fetched, settings, forgotten, &mut scrubbed)?;
    Ok(scrubbed)
}

/// Removes pages that the log of a source knows by a forgotten id or address.
fn by_log(fetched: &Path, shelf: &Path, forgotten: &Forgotten, scrubbed: &mut Scrubbed) -> Result<(), Error> {
    let rows = rows(shelf)?;
    for row in &rows {
        let (Some(id), Some(page)) = (row["id"].as_str(), row["file"].as_str()) else { continue };
        let path = shelf.join("pages").join(page);
        // A page of several pieces is gone through like any other.
        let n_beside = rows.iter().filter(|other| other["file"] == row["file"]).count();
        let is_named = forgotten.has(What::Id, id) || forgotten.has(What::Url, id);
        if is_named && n_beside == 1 && !page.is_empty() && path.is_file() && !is_json(&path) {
            write::remove_file(&path)?;
            scrubbed.removed.push(told(fetched, &path));
        }
        if is_named {
            beside(fetched, shelf, id, scrubbed)?;
        }
    }
    Ok(())
}

/// Empties the answer, and removes the copy, from which a page was made.
fn beside(fetched: &Path, shelf: &Path, id: &str, scrubbed: &mut Scrubbed) -> Result<(), Error> {
    let name = crate::collect::fetch::question(id);
    let (answer, kept) = (shelf.join("answers").join(&name), shelf.join("kept").join(&name));
    if answer.is_file() && !is_json(&answer) {
        // An answer that is not there would be asked for again.
        write::bytes(&answer, b"")?;
        *scrubbed.changed.entry(told(fetched, &answer)).or_default() += 1;
    }
    if kept.is_file() {
        write::remove_file(&kept)?;
        scrubbed.removed.push(told(fetched, &kept));
    }
    Ok(())
}

fn file(
    fetched: &Path,
    path: &Path,
    part: &str,
    forgotten: &Forgotten,
    scrubbed: &mut Scrubbed,
) -> Result<(), Error> {
    let bytes = fs::read(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    let Ok(text) = std::str::from_utf8(&bytes) else { return Ok(()) };
    let (new, n) = match object::redacted(text, forgotten) {
        Some((_, 0)) => return Ok(()),
        Some(redacted) => redacted,
        None if forgotten.fits_text(&plain(text)).is_none() => return Ok(()),
        None => (String::new(), 1),
    };
    // What is kept to be compared with the next answer would come back when nothing has changed.
    if part == "kept" || (part == "pages" && new.is_empty()) {
        write::remove_file(path)?;
        scrubbed.removed.push(told(fetched, path));
    } else {
        write::bytes(path, new.as_bytes())?;
        *scrubbed.changed.entry(told(fetched, path)).or_default() += n;
    }
    Ok(())
}

/// Reads everything as preparing would, and removes the files in which something is still found.
fn again(
    fetched: &Path,
    settings: &Settings,
    forgotten: &Forgotten,
    scrubbed: &mut Scrubbed,
) -> Result<(), Error> {
    let nothing = fetched.join(".nothing");
    let places =
        Places { writing: &nothing, fetched: Some(fetched), forgotten: Some(forgotten), asked: None };
    let settings = Settings { max_bad_share: 1.0, limit: None, ..settings.clone() };
    if settings.sources.is_empty() {
        return Ok(());
    }
    let found = collect(places, &settings, &Silent)?;
    for name in found.forgotten.keys() {
        let Some((source, page)) = name.strip_prefix('@').and_then(|name| name.split_once('/')) else {
            continue;
        };
        let shelf = fetched.join(source);
        let Some(path) = page_of(&shelf.join("pages"), page) else { continue };
        let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        for id in rows(&shelf)?.iter().filter(|row| row["file"] == file).filter_map(|row| row["id"].as_str())
        {
            beside(fetched, &shelf, id, scrubbed)?;
        }
        write::remove_file(&path)?;
        scrubbed.removed.push(told(fetched, &path));
    }
    Ok(())
}

/// What the log of a source says was taken.
fn rows(shelf: &Path) -> Result<Vec<Value>, Error> {
    let log = shelf.join("log.jsonl");
    Ok(if log.is_file() { journal::read_all::<Value>(&log)?.0 } else { Vec::new() })
}

/// The file that a name of a document's path means: the archive, where it is inside of one.
fn page_of(pages: &Path, name: &str) -> Option<PathBuf> {
    let mut path = pages.to_owned();
    for part in name.split('/') {
        path.push(part);
        if path.is_file() {
            return Some(path);
        }
    }
    None
}

/// The words of a text that may be a page.
fn plain(text: &str) -> String {
    if text.trim_start().starts_with('<') { crate::collect::files::words_of(text) } else { text.to_owned() }
}

fn is_json(path: &Path) -> bool {
    let beginning = fs::read(path).unwrap_or_default();
    matches!(beginning.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Subfolders, in order of their names.
fn folders(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    Ok(entries(dir)?.into_iter().filter(|path| path.is_dir()).collect())
}

/// Files of a folder that need not be there, those of its subfolders included.
fn files(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let (mut open, mut found) = (vec![dir.to_owned()], Vec::new());
    while let Some(dir) = open.pop() {
        if !dir.is_dir() {
            continue;
        }
        for path in entries(&dir)? {
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let unreadable = |source| Error::Unreadable { path: dir.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        // No link is followed out of the folder.
        if entry.file_type().is_ok_and(|kind| !kind.is_symlink()) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// A path as it is told: from the folder of all sources on.
fn told(fetched: &Path, path: &Path) -> String {
    path.strip_prefix(fetched).unwrap_or(path).to_string_lossy().into_owned()
}
