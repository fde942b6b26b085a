//! Files that are understood together: posts in one, their replies in another.

use std::collections::BTreeMap;

use super::files::Format;
use super::files::post::Gathered;
use crate::clean::Traits;
use crate::document::Encoding;

/// What is known of a file beside its words.
#[derive(Debug)]
pub(super) struct Known {
    /// How it was decoded, unless that goes without saying.
    pub(super) encoding: Option<Encoding>,
    /// Remarks on how it was opened.
    pub(super) flags: Vec<String>,
    /// What cleaners should know of its text.
    pub(super) traits: Traits,
}

/// Files of one format in one folder.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) format: &'static Format,
    /// What they are called together.
    pub(super) place: String,
    pub(super) files: Vec<(String, Gathered)>,
    pub(super) known: BTreeMap<String, Known>,
}

/// Files by folder and format, in an order that does not depend on when they were read.
#[derive(Debug, Default)]
pub(super) struct Joined(BTreeMap<(String, &'static str), Group>);

impl Joined {
    /// Adds a file.
    pub(super) fn add(&mut self, format: &'static Format, path: &str, gathered: Gathered, known: Known) {
        let folder = path[..path.rfind('/').map_or(0, |at| at + 1)].to_owned();
        let place = path.to_owned();
        let group = self.0.entry((folder.clone(), format.name)).or_insert_with(|| Group {
            format,
            place,
            files: Vec::new(),
            known: BTreeMap::new(),
        });
        if !group.files.is_empty() {
            group.place = folder;
        }
        group.files.push((path.to_owned(), gathered));
        group.known.insert(path.to_owned(), known);
    }

    /// All of them.
    pub(super) fn groups(self) -> impl Iterator<Item = Group> {
        self.0.into_values()
    }
}
