//! People and pieces that are to be forgotten: a tombstone for each, and who and what it fits.
//!
//! ```text
//! forgotten.jsonl      one line a tombstone, only ever added, kept with the project
//!
//! {"what":"author","key":"3f9c…","at":"2026-11-28T03:20:00.000Z"}
//! ```
//!
//! A tombstone holds no name and no words: a hash of the name, the id or the address, or of the words and
//! of runs of them. A name can still be guessed from its hash by whoever tries all names; the hash keeps
//! it out of sight and does not make it a secret.
//!
//! Every document in which what is forgotten stands is left out whole, before it is cleaned, and counted
//! in a row of its own: an answer without what it answers is not what was said. What was written down
//! before is found by [`scrub`].

pub mod scrub;
mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use penname_ledger::{Hash, Journal, Timestamp, clock, journal};
use serde::{Deserialize, Serialize};

pub use self::trace::Trace;
use crate::Error;
use crate::document::Document;
use crate::provenance::{Author, plain_name};

/// The name of the record in the folder of a project.
pub const FILE: &str = "forgotten.jsonl";
/// Under what the account has the characters of what was forgotten.
pub const FORGOTTEN: &str = "forgotten";
/// What stands where a name stood.
const SOMEBODY: &str = "(somebody)";
/// Words of the longest name that is looked for in a sentence.
const NAME_WORDS: usize = 4;

/// What is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// Somebody, by a name or an account.
    Author,
    /// A piece, by its name at its source or in penname; or an account, by its number.
    Id,
    /// A piece, by its address.
    Url,
    /// Words, wherever they stand.
    Text,
}

/// One line of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// What is forgotten.
    pub what: What,
    /// By which it is known again.
    pub key: Hash,
    /// Runs of the words, where it is words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
    /// Documents it fitted when it was written, by their names in penname.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<String>,
    /// Whether it takes an earlier one back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undo: bool,
    /// When, in universal time.
    pub at: Timestamp,
}

impl Tombstone {
    /// One for a name, an id or an address.
    pub fn new(what: What, of: &str) -> Self {
        let (key, trace) = match what {
            What::Text => {
                let trace = Trace::of(of);
                (trace.key(), Some(trace))
            }
            what => (key(what, of), None),
        };
        Self { what, key, trace, documents: Vec::new(), undo: false, at: clock::now() }
    }

    /// The line that takes it back.
    pub fn taken_back(&self) -> Self {
        Self { undo: true, trace: None, documents: Vec::new(), at: clock::now(), ..self.clone() }
    }

    /// Whether it says anything to look for: a text of no words fits everything or nothing.
    pub fn is_empty(&self) -> bool {
        self.trace.as_ref().is_some_and(Trace::is_empty)
    }
}

/// By what a name, an id or an address is known again.
pub fn key(what: What, of: &str) -> Hash {
    let (name, plain) = match what {
        What::Author => ("author", plain_account(of)),
        What::Id => ("id", plain_id(of).to_owned()),
        What::Url => ("url", plain_url(of)),
        What::Text => return Trace::of(of).key(),
    };
    Hash::of_parts([b"forgotten".as_slice(), name.as_bytes(), plain.as_bytes()])
}

/// A name without what services put before it.
fn plain_account(name: &str) -> String {
    let plain = plain_name(name);
    let account = plain.strip_prefix("/u/").or_else(|| plain.strip_prefix("u/"));
    account.unwrap_or(&plain).to_owned()
}

/// An id without the kind that Reddit puts before it.
fn plain_id(id: &str) -> &str {
    let id = id.trim();
    match id.split_once('_') {
        Some((kind, rest)) if kind.len() == 2 && kind.starts_with('t') && !rest.is_empty() => rest,
        _ => id,
    }
}

/// An address without what leads to the same place: the scheme, `www.`, the fragment, the last slash.
fn plain_url(url: &str) -> String {
    let url = url.trim();
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split('#').next().unwrap_or(rest).trim_end_matches('/');
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = host.to_lowercase();
    let bare = ["www.", "old.", "new.", "m.", "mobile."].iter().find_map(|start| host.strip_prefix(start));
    let host = match bare.unwrap_or(&host) {
        "twitter.com" => "x.com",
        host => host,
    };
    format!("{host}{path}")
}

/// What is forgotten, ready to be looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forgotten {
    stones: BTreeMap<(What, Hash), Tombstone>,
    /// Lines that could not be read.
    pub n_unreadable: usize,
}

impl Forgotten {
    /// Reads the record at `path`; where there is none, nothing is forgotten.
    ///
    /// # Errors
    /// When it is there and cannot be read. A bad line is counted and passed over.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let mut forgotten = Self::default();
        if !path.exists() {
            return Ok(forgotten);
        }
        let (rows, bad) = journal::read_all::<Tombstone>(path)?;
        rows.into_iter().for_each(|stone| forgotten.take(stone));
        forgotten.n_unreadable = bad.len();
        Ok(forgotten)
    }

    /// Adds a line to the record at `path`, and to what is known here. It is on disk when this returns.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn add(&mut self, path: &Path, stone: Tombstone) -> Result<(), Error> {
        let mut journal = Journal::open(path)?;
        journal.append(&stone)?;
        journal.sync()?;
        self.take(stone);
        Ok(())
    }

    /// Those of some tombstones, without a record.
    pub fn of(stones: impl IntoIterator<Item = Tombstone>) -> Self {
        let mut forgotten = Self::default();
        stones.into_iter().for_each(|stone| forgotten.take(stone));
        forgotten
    }

    fn take(&mut self, stone: Tombstone) {
        let name = (stone.what, stone.key);
        if stone.undo {
            self.stones.remove(&name);
        } else {
            let before = self.stones.remove(&name).map(|before| before.documents).unwrap_or_default();
            let new = before.into_iter().filter(|uid| !stone.documents.contains(uid)).collect::<Vec<_>>();
            let documents = [new, stone.documents.clone()].concat();
            self.stones.insert(name, Tombstone { documents, ..stone });
        }
    }

    /// Whether nothing is forgotten.
    pub fn is_empty(&self) -> bool {
        self.stones.is_empty()
    }

    /// Every tombstone that stands.
    pub fn stones(&self) -> impl Iterator<Item = &Tombstone> {
        self.stones.values()
    }

    /// What decides what preparing makes of it: the hash of all that stands, if anything does.
    pub fn digest(&self) -> Option<Hash> {
        let parts: Vec<&[u8]> = self.stones.keys().map(|(_, key)| key.as_bytes().as_slice()).collect();
        (!parts.is_empty()).then(|| Hash::of_parts(parts))
    }

    /// The tombstone that fits a document, if one does.
    pub fn fits(&self, document: &Document) -> Option<&Tombstone> {
        if self.is_empty() {
            return None;
        }
        let known = names(document).find_map(|name| self.stones.get(&name));
        known.or_else(|| document.texts().find_map(|text| self.fits_text(text)))
    }

    /// The tombstone whose words stand in a text, or hold it.
    pub fn fits_text(&self, text: &str) -> Option<&Tombstone> {
        let traces: Vec<(&Tombstone, &Trace)> =
            self.stones().filter_map(|stone| Some((stone, stone.trace.as_ref()?))).collect();
        if traces.is_empty() {
            return None;
        }
        let of = Trace::whole(text);
        traces
            .into_iter()
            .find(|(stone, trace)| stone.key == of.key() || trace.fits(&of))
            .map(|(stone, _)| stone)
    }

    /// Whether somebody of this name is forgotten.
    pub fn has_author(&self, name: &str) -> bool {
        self.has(What::Author, name)
    }

    /// Whether a name, an id or an address is forgotten.
    pub fn has(&self, what: What, of: &str) -> bool {
        self.stones.keys().any(|(kind, _)| *kind == what) && self.stones.contains_key(&(what, key(what, of)))
    }

    /// The tombstone that fits a document of which only its marks are known, as they were written down
    /// at `since`.
    pub fn fits_marks(&self, marks: &Marks, since: Timestamp) -> Option<&Tombstone> {
        let is_marked = |stone: &&Tombstone| {
            // The name of a document is that of a place: what stands there later may be another.
            let is_named = since <= stone.at && stone.documents.contains(&marks.document);
            is_named || marks.keys.contains(&short(stone.key))
        };
        self.stones().find(is_marked)
    }

    /// A sentence without the names of people who are forgotten.
    pub fn without_names(&self, sentence: &str) -> String {
        if !self.stones.keys().any(|(what, _)| *what == What::Author) {
            return sentence.to_owned();
        }
        let words: Vec<&str> = sentence.split_inclusive(' ').collect();
        let (mut out, mut at) = (String::with_capacity(sentence.len()), 0);
        let marks = |c: char| !c.is_alphanumeric() && !"@_-.~".contains(c);
        while at < words.len() {
            let longest = (at + NAME_WORDS).min(words.len());
            let name = |end: &usize| {
                let run = words[at..*end].concat();
                self.has_author(run.trim_matches(marks)).then_some((*end, run))
            };
            match (at + 1..=longest).rev().find_map(|end| name(&end)) {
                Some((end, run)) => {
                    let bare = run.trim_matches(marks);
                    out.push_str(&run.replacen(bare, SOMEBODY, 1));
                    at = end;
                }
                None => {
                    out.push_str(words[at]);
                    at += 1;
                }
            }
        }
        out
    }
}

/// By what a document that was learned can be found again when somebody is forgotten later.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// Its name in penname.
    pub document: String,
    /// The beginnings of the hashes of everybody and everything in it.
    pub keys: BTreeSet<String>,
}

impl Marks {
    /// Those of a document.
    pub fn of(document: &Document) -> Self {
        let texts = document.texts().map(|text| Trace::whole(text).key());
        let keys = names(document).map(|(_, key)| key).chain(texts).map(short).collect();
        Self { document: document.uid.clone(), keys }
    }
}

fn short(key: Hash) -> String {
    let mut text = key.to_string();
    text.truncate(16);
    text
}

/// The names, ids and addresses of a document and of what stands in it, as tombstones have them.
fn names(document: &Document) -> impl Iterator<Item = (What, Hash)> + '_ {
    let provenance = &document.provenance;
    let whole = (provenance.native_id.as_ref(), provenance.author.as_ref(), provenance.url.as_ref());
    let pieces = provenance.within.iter();
    let pieces = pieces.map(|piece| (piece.native_id.as_ref(), piece.author.as_ref(), piece.url.as_ref()));
    let uid = std::iter::once((What::Id, key(What::Id, &document.uid)));
    let asked = document.asked.iter().map(|asked| &asked.provenance);
    let asked = asked.map(|asked| (asked.native_id.as_ref(), asked.author.as_ref(), asked.url.as_ref()));
    let all = std::iter::once(whole).chain(pieces).chain(asked);
    uid.chain(all.flat_map(|(id, author, url)| of_piece(id, author, url)))
}

fn of_piece(
    id: Option<&String>,
    author: Option<&Author>,
    url: Option<&String>,
) -> impl Iterator<Item = (What, Hash)> {
    let named = |what: What, of: Option<&String>| of.map(|of| (what, key(what, of)));
    let (name, account) = (author.map(|a| &a.name), author.and_then(|a| a.id.as_ref()));
    let names = [
        named(What::Id, id),
        named(What::Author, name),
        named(What::Author, account),
        named(What::Id, account),
        named(What::Url, url),
    ];
    names.into_iter().flatten()
}

#[cfg(test)]
mod tests;
