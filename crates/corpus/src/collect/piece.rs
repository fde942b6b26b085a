//! The same files in pieces, for workers that read a part each: what is read together stays together, and
//! pieces put together again are what [`collect()`](super::collect()) makes of all of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;

use penname_ledger::Hash;

use super::files::post;
use super::read::Tools;
use super::{Collected, Places, Root, Seen, conclude, files, names_and_contents, roots, unfinished};
use crate::document::Document;
use crate::edit;
use crate::{Error, Settings};

/// Bytes of a file in which a format shows whose files are told together.
const HEAD_BYTES: u64 = 1 << 16;

/// Files that must be read by one worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    /// Its name, by which it is dealt to a worker: a file, or a folder with its `/`.
    pub(crate) name: String,
    root: usize,
    files: Vec<usize>,
}

/// What is known of a format and reason, as a piece keeps it: the format, the reason, how many files, the first.
pub(crate) type FormatSeen = (String, String, usize, String);

/// What was made of one file, or of files that are told together.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    /// Which folder it is of: empty for the writing, else the source.
    pub(crate) root: String,
    /// Whether it is what was told together rather than a file.
    pub(crate) joined: bool,
    /// The file or the unit.
    pub(crate) name: String,
    pub(crate) collected: Collected,
    pub(crate) formats: Vec<FormatSeen>,
}

/// A corpus open to be read in pieces.
pub(crate) struct Opened<'a> {
    places: Places<'a>,
    settings: &'a Settings,
    tools: Tools<'a>,
    roots: Vec<Root<'a>>,
}

impl<'a> Opened<'a> {
    pub(crate) fn open(places: Places<'a>, settings: &'a Settings) -> Result<Self, Error> {
        Ok(Self {
            places,
            settings,
            tools: Tools::new(settings, places.forgotten)?,
            roots: roots(places, &settings.sources)?,
        })
    }

    /// Everything there is to read, in parts that belong together, in order of their names.
    pub(crate) fn units(&self) -> Vec<Unit> {
        let mut units: BTreeMap<(usize, String), Vec<usize>> = BTreeMap::new();
        for (root, of) in self.roots.iter().enumerate() {
            for (idx, file) in of.walked.files.iter().enumerate() {
                let name = match file.name.rfind('/') {
                    _ if !self.is_told_together(&file.name, &file.path) => file.name.clone(),
                    Some(at) => file.name[..=at].to_owned(),
                    None => "/".to_owned(),
                };
                units.entry((root, name)).or_default().push(idx);
            }
        }
        units.into_iter().map(|((root, name), files)| Unit { name, root, files }).collect()
    }

    /// Whether what a file says may depend on its neighbours: in files of posts and replies, what answers
    /// what may be in another file of the folder. Taking too many for such costs nothing but evenness.
    fn is_told_together(&self, name: &str, path: &std::path::Path) -> bool {
        if files::is_archive(name) {
            return false;
        }
        let forced = crate::settings::for_path(&self.settings.format, name);
        let mut head = Vec::new();
        // A file that cannot be read says nothing.
        let _unread = fs::File::open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head));
        head.retain(|byte| *byte != 0);
        let holds = |word: &str| head.windows(word.len()).any(|window| window == word.as_bytes());
        forced.is_some() || post::marks().any(holds)
    }

    /// The hash of the names and contents of units. A file that cannot be read counts by its name.
    pub(crate) fn digest(&self, units: &[Unit]) -> Hash {
        let files = units.iter().flat_map(|unit| unit.files.iter().map(|file| (unit.root, *file)));
        let files = files.filter_map(|(root, file)| self.roots.get(root)?.walked.files.get(file));
        let parts = names_and_contents(files);
        Hash::of_parts(parts.iter().map(Vec::as_slice))
    }

    /// Reads a unit.
    pub(crate) fn read(&self, unit: &Unit) -> Vec<Piece> {
        let Some(root) = self.roots.get(unit.root) else { return Vec::new() };
        let reader = self.tools.reader(&root.path, root.source);
        let name_of_root = of_root(root);
        let mut pieces: Vec<Piece> = Vec::new();
        for file in unit.files.iter().filter_map(|idx| root.walked.files.get(*idx)) {
            let mut collected = Collected { n_files: 1, ..Collected::default() };
            let mut formats = BTreeMap::new();
            reader.read(file, &mut collected, &mut formats);
            let formats = formats
                .into_iter()
                .map(|((format, reason), seen)| (format.to_owned(), reason, seen.n_files, seen.first));
            let (root, name, formats) = (name_of_root.clone(), file.name.clone(), formats.collect());
            pieces.push(Piece { root, joined: false, name, collected, formats });
        }
        let mut collected = Collected::default();
        reader.finish(0, &mut collected);
        if !collected.is_empty() {
            let (root, name) = (name_of_root, together(unit));
            pieces.push(Piece { root, joined: true, name, collected, formats: Vec::new() });
        }
        pieces
    }

    /// Puts pieces together in the order in which one reader would have made them.
    ///
    /// # Errors
    /// When a file has no piece, or too many files are bad.
    pub(crate) fn join(&self, pieces: Vec<Piece>) -> Result<Collected, Error> {
        let mut by_name: BTreeMap<(String, bool, String), Piece> = BTreeMap::new();
        for piece in pieces {
            by_name.insert((piece.root.clone(), piece.joined, piece.name.clone()), piece);
        }
        let mut all = Collected { issues: unfinished(self.places, self.settings), ..Collected::default() };
        let mut formats: BTreeMap<(&'static str, String), Seen> = BTreeMap::new();
        for root in &self.roots {
            let (name, n_before) = (of_root(root), all.documents.len());
            all.issues.extend(root.walked.issues.iter().cloned());
            for file in &root.walked.files {
                let piece = by_name.remove(&(name.clone(), false, file.name.clone()));
                let piece =
                    piece.ok_or_else(|| Error::Shard { what: format!("`{}` is in no shard", file.name) })?;
                note(&mut formats, piece.formats)?;
                all.absorb(piece.collected);
            }
            let joined: Vec<_> =
                by_name.keys().filter(|(of, joined, _)| *of == name && *joined).cloned().collect();
            for key in joined {
                all.extend_with(by_name.remove(&key));
            }
            let order = |one: &Document, other: &Document| {
                (&one.path, one.position).cmp(&(&other.path, other.position))
            };
            all.documents[n_before..].sort_by(order);
        }
        conclude(all, formats, self.places, self.settings)
    }
}

fn note(formats: &mut BTreeMap<(&'static str, String), Seen>, seen: Vec<FormatSeen>) -> Result<(), Error> {
    for (format, reason, n_files, first) in seen {
        let known = files::ALL.iter().find(|known| known.name == format);
        let known = known.ok_or_else(|| Error::Shard { what: format!("there is no format `{format}`") })?;
        let entry = formats.entry((known.name, reason)).or_default();
        if entry.n_files == 0 {
            entry.first = first;
        }
        entry.n_files += n_files;
    }
    Ok(())
}

/// By which what is told together is put in order: as one reader has it, by folder.
fn together(unit: &Unit) -> String {
    match unit.name.as_str() {
        "/" => String::new(),
        name if name.ends_with('/') => name.to_owned(),
        name => format!("{name}/"),
    }
}

fn of_root(root: &Root<'_>) -> String {
    root.source.map_or_else(String::new, |source| source.id.clone())
}

impl Collected {
    /// Whether nothing was found, lost or noticed.
    fn is_empty(&self) -> bool {
        self.documents.is_empty()
            && self.issues.is_empty()
            && self.tally == Default::default()
            && self.given == 0
    }

    fn extend_with(&mut self, piece: Option<Piece>) {
        if let Some(piece) = piece {
            self.absorb(piece.collected);
        }
    }

    /// Takes over what was read later.
    fn absorb(&mut self, later: Self) {
        self.documents.extend(later.documents);
        self.given += later.given;
        self.tally.merge(&later.tally);
        edit::merge(&mut self.cuts, &later.cuts.into_values().collect::<Vec<_>>());
        edit::merge(&mut self.would, &later.would.into_values().collect::<Vec<_>>());
        self.issues.extend(later.issues);
        self.n_files += later.n_files;
        for (path, uids) in later.forgotten {
            self.forgotten.entry(path).or_default().extend(uids);
        }
    }
}
