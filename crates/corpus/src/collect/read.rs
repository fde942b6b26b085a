//! One file: bytes, text, format, documents. An archive is a folder of files.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use super::archive::Archive;
use super::beside::Beside;
use super::fetch;
use super::files::open::{self, Opened};
use super::files::post;
use super::files::profile::Profile;
use super::files::transcript::profile::Script;
use super::files::{self, Format, Reading, Source};
use super::joined::{Joined, Known};
use super::walk::File;
use super::{Collected, Seen};
use crate::Error;
use crate::clean::{Plan, Scope, Traits, profile};
use crate::document::{Document, Encoding};
use crate::edit::{self, Cut};
use crate::encoding::{self, Decoded};
use crate::forget::{FORGOTTEN, Forgotten};
use crate::issue::{Code, Issue, Severity};
use crate::rights::{Claim, Grant, Rights, UNALLOWED};
use crate::settings::{self, Settings};

/// How files were read, by format and reason.
type Formats = BTreeMap<(&'static str, String), Seen>;

/// What files are read with, made once of the settings.
pub(super) struct Tools<'a> {
    settings: &'a Settings,
    profiles: Vec<Profile>,
    scripts: Vec<Script>,
    plan: Plan,
    /// What is not to be read.
    forgotten: Option<&'a Forgotten>,
}

impl<'a> Tools<'a> {
    /// # Errors
    /// When a profile is broken.
    pub(super) fn new(settings: &'a Settings, forgotten: Option<&'a Forgotten>) -> Result<Self, Error> {
        Ok(Self {
            settings,
            profiles: files::profile::load(&settings.profiles)?,
            scripts: files::transcript::profile::load(&settings.transcripts, &settings.voice)?,
            plan: Plan::new(&settings.clean),
            forgotten,
        })
    }

    /// A reader of one folder, of a network source or of the writing itself.
    pub(super) fn reader<'r>(&'r self, root: &'r Path, source: Option<&'r fetch::Source>) -> Reader<'r> {
        Reader {
            root,
            settings: self.settings,
            profiles: &self.profiles,
            scripts: &self.scripts,
            plan: &self.plan,
            source,
            forgotten: self.forgotten,
            joined: RefCell::default(),
        }
    }
}

pub(super) struct Reader<'a> {
    /// The folder of writing, or the one file.
    pub(super) root: &'a Path,
    pub(super) settings: &'a Settings,
    pub(super) profiles: &'a [Profile],
    pub(super) scripts: &'a [Script],
    pub(super) plan: &'a Plan,
    /// The network source whose answers are read, where they are.
    pub(super) source: Option<&'a fetch::Source>,
    /// What is not to be read.
    pub(super) forgotten: Option<&'a Forgotten>,
    /// Files that are told together once all are read.
    pub(super) joined: RefCell<Joined>,
}

/// The bytes of a file, and what lies around it.
struct Piece<'a> {
    name: &'a str,
    bytes: &'a [u8],
    beside: Beside<'a>,
}

impl Reader<'_> {
    /// Reads one file into `collected`; whatever is wrong with it becomes an issue there.
    pub(super) fn read(&self, file: &File, collected: &mut Collected, formats: &mut Formats) {
        if let Some((severity, code, detail)) = files::passed_over(self.settings, &file.name) {
            return collected.issues.push(Issue::new(&file.name, code, severity, detail));
        }
        if files::is_archive(&file.name) {
            return self.archive(file, collected, formats);
        }
        match self.bytes(file) {
            Ok(bytes) => {
                let beside = match self.root.is_dir() {
                    true => Beside::folder(self.root),
                    false => Beside::NOTHING,
                };
                self.piece(&Piece { name: &file.name, bytes: &bytes, beside }, collected, formats);
            }
            Err(issue) => collected.issues.push(issue),
        }
    }

    /// Reads the bytes, never more than the settings allow.
    fn bytes(&self, file: &File) -> Result<Vec<u8>, Issue> {
        let unreadable = |error: std::io::Error| {
            Issue::new(&file.name, Code::Unreadable, Severity::Bad, error.to_string())
        };
        let max = self.settings.max_file_bytes;
        let mut bytes = Vec::new();
        let opened = fs::File::open(&file.path).map_err(unreadable)?;
        opened.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > max {
            let detail = format!("larger than {max} bytes; see `max_file_bytes`");
            return Err(Issue::new(&file.name, Code::Huge, Severity::Bad, detail));
        }
        Ok(bytes)
    }

    /// Reads the members of an archive as if they lay in a folder of its name.
    fn archive(&self, file: &File, collected: &mut Collected, formats: &mut Formats) {
        let opened = fs::File::open(&file.path)
            .map_err(|error| (Code::Unreadable, error.to_string()))
            .and_then(|opened| {
                Archive::open(opened, self.settings.max_file_bytes).map_err(|why| (Code::Archive, why))
            });
        let mut archive = match opened {
            Ok(archive) => archive,
            Err((code, why)) => {
                return collected.issues.push(Issue::new(&file.name, code, Severity::Bad, why));
            }
        };
        let names = archive.names();
        // The archive itself was counted as a file; its members take its place.
        collected.n_files = (collected.n_files + names.len()).saturating_sub(1);
        let archive = RefCell::new(archive);
        for (member, verdict) in names {
            let name = format!("{}/{member}", file.name);
            if let Some((severity, code, detail)) = files::left_in_archive(self.settings, &name) {
                collected.issues.push(Issue::new(&name, code, severity, detail));
                continue;
            }
            let unpacked = verdict.and_then(|()| archive.borrow_mut().read(&member));
            match unpacked {
                Ok(bytes) => {
                    let beside = Beside::archive(&archive, &file.name);
                    self.piece(&Piece { name: &name, bytes: &bytes, beside }, collected, formats);
                }
                Err(why) => {
                    let detail = format!("not read: {why}");
                    collected.issues.push(Issue::new(&name, Code::Archive, Severity::Bad, detail));
                }
            }
        }
    }

    /// Makes documents of the bytes of one file.
    fn piece(&self, piece: &Piece<'_>, collected: &mut Collected, formats: &mut Formats) {
        let opened = match open::open(piece.name, piece.bytes, self.settings) {
            Ok(opened) => opened,
            Err((code, why)) => {
                return collected.issues.push(Issue::new(piece.name, code, Severity::Bad, why));
            }
        };
        let decoded = &opened.decoded;
        collected.given += decoded.given;
        collected.tally.absorb(&decoded.cuts);
        collected.issues.extend(encoding_issue(piece.name, decoded));
        collected.issues.extend(
            opened
                .notes
                .iter()
                .map(|(code, severity, why)| Issue::new(piece.name, *code, *severity, why.as_str())),
        );
        if decoded.text.trim().is_empty() {
            collected.tally.drop("empty files", chars(&decoded.text));
            let detail = opened.empty.unwrap_or("holds no text");
            return collected.issues.push(Issue::new(piece.name, Code::Empty, Severity::Bad, detail));
        }
        self.text(piece, &opened, collected, formats);
    }

    fn text(&self, piece: &Piece<'_>, opened: &Opened, collected: &mut Collected, formats: &mut Formats) {
        let text = &opened.decoded.text;
        let source = Source {
            path: piece.name,
            text,
            traits: Traits { profile: self.profile(piece.name), ..Traits::of(text) },
            settings: self.settings,
            profiles: self.profiles,
            scripts: self.scripts,
            beside: piece.beside,
        };
        let (format, reason) = match opened.format {
            Some((format, reason)) => (format, reason.to_owned()),
            None => files::choose(&source),
        };
        let seen = formats.entry((format.name, reason)).or_default();
        seen.n_files += 1;
        if seen.n_files == 1 {
            seen.first = piece.name.to_owned();
        }
        let traits = Traits { entities_decoded: format.decodes_entities, ..source.traits };
        let known = Known { encoding: provenance(&opened.decoded), flags: opened.flags.clone(), traits };
        if let Some(gather) = post::gatherer(format).filter(|_| self.root.is_dir()) {
            return self.joined.borrow_mut().add(format, piece.name, gather(&source), known);
        }
        let n_before = collected.documents.len();
        self.documents(&source, format, collected);
        self.limit(format, n_before, collected);
        self.mark(n_before, |_| Some(&known), collected);
    }

    /// Makes documents of the files that are told together, once all of them are read.
    pub(super) fn finish(&self, n_before: usize, collected: &mut Collected) {
        for group in self.joined.take().groups() {
            let n_before = collected.documents.len();
            let reading = post::tell_files(self.settings, group.files);
            let traits =
                |path: &str| group.known.get(path).map_or_else(Traits::default, |known| known.traits);
            self.keep(&group.place, group.format, reading, traits, BTreeMap::new(), collected);
            self.limit(group.format, n_before, collected);
            self.mark(n_before, |path| group.known.get(path), collected);
        }
        let order =
            |one: &Document, other: &Document| (&one.path, one.position).cmp(&(&other.path, other.position));
        collected.documents[n_before..].sort_by(order);
    }

    /// Notes on the documents just read what is known of their files, and leaves out those that may
    /// not be learned from.
    fn mark<'k>(
        &self,
        n_before: usize,
        known: impl Fn(&str) -> Option<&'k Known>,
        collected: &mut Collected,
    ) {
        for document in &mut collected.documents[n_before..] {
            document.rights = self.rights(&document.path);
            if let Some(known) = known(&document.path) {
                document.encoding.clone_from(&known.encoding);
                document.flags.extend(known.flags.iter().cloned());
            }
        }
        let is_forbidden = |document: &mut Document| document.rights.train == Grant::No;
        for document in collected.documents.extract_if(n_before.., is_forbidden) {
            collected.tally.drop(UNALLOWED, document.chars());
        }
    }

    /// The rights of what a file holds: said for its place, or those of its source.
    fn rights(&self, name: &str) -> Rights {
        match self.source {
            None => Claim::of(&self.settings.rights, name),
            Some(source) => {
                let usual = || source.kind().map_or(Rights::PLATFORM, |kind| kind.rights);
                source.rights.unwrap_or_else(usual)
            }
        }
    }

    /// Leaves as many of the documents just read as the settings allow of one format.
    fn limit(&self, format: &Format, n_before: usize, collected: &mut Collected) {
        let n_new = collected.documents.len() - n_before;
        let taken = collected.n_documents.entry(format.name).or_default();
        let left = self.settings.limit.map_or(n_new, |limit| limit.saturating_sub(*taken).min(n_new));
        *taken += left;
        for document in collected.documents.drain(n_before + left..) {
            collected.tally.drop("beyond the limit", document.chars());
        }
    }

    fn documents(&self, source: &Source<'_>, format: &Format, collected: &mut Collected) {
        let mut cuts = BTreeMap::new();
        let text = match format.plain {
            true => self.plan.run(source.text, Scope::File, &source.traits, &mut cuts),
            false => source.text.to_owned(),
        };
        let reading = (format.read)(&Source { text: &text, ..*source });
        let traits = Traits { entities_decoded: format.decodes_entities, ..source.traits };
        self.keep(source.path, format, reading, |_| traits, cuts, collected);
    }

    /// Cleans what a reader made and adds it to what there is.
    fn keep(
        &self,
        place: &str,
        format: &Format,
        reading: Reading,
        traits: impl Fn(&str) -> Traits,
        mut cuts: BTreeMap<String, Cut>,
        collected: &mut Collected,
    ) {
        let is_lost =
            reading.documents.is_empty() && reading.issues.iter().all(|i| i.severity < Severity::Skipped);
        if is_lost {
            let detail = format!("no {} found in it", format.yields);
            collected.issues.push(Issue::new(place, Code::NoRecords, Severity::Bad, detail));
        }
        let Reading { documents, tally, issues } = reading;
        for mut document in documents {
            if let Some(source) = self.source {
                document.come_from(&source.id);
            }
            if self.forgotten.is_some_and(|forgotten| forgotten.fits(&document).is_some()) {
                collected.tally.drop(FORGOTTEN, document.chars());
                collected.forgotten.entry(document.path).or_default().push(document.uid);
                // What rules cut of the whole file may have been theirs.
                cuts.values_mut().for_each(Cut::forget_sample);
                continue;
            }
            let traits = traits(&document.path);
            let document = self.plan.clean(document, &traits, &mut cuts);
            for text in document.texts() {
                self.plan.would(text, Scope::Passage, &traits, &mut collected.would);
            }
            collected.documents.push(document);
        }
        collected.tally.merge(&tally);
        let cuts: Vec<Cut> = cuts.into_values().collect();
        collected.tally.absorb(&cuts);
        edit::merge(&mut collected.cuts, &cuts);
        collected.issues.extend(issues);
    }

    /// The profile of cleaners for the place where a file lies.
    fn profile(&self, path: &str) -> Option<&'static profile::Profile> {
        let (_, name) = settings::for_path(&self.settings.clean.profile, path)?;
        profile::named(name)
    }
}

/// How the text was decoded, where that is worth keeping: faultless UTF-8 goes without saying.
fn provenance(decoded: &Decoded) -> Option<Encoding> {
    let is_plain = decoded.encoding == "UTF-8" && decoded.replaced == 0;
    let Decoded { encoding, confidence, replaced, .. } = decoded;
    (!is_plain).then(|| Encoding {
        name: (*encoding).to_owned(),
        confidence: *confidence,
        replaced: *replaced,
    })
}

fn encoding_issue(name: &str, decoded: &Decoded) -> Option<Issue> {
    let percent = 100.0 * decoded.confidence;
    let detail = match decoded {
        Decoded { replaced: 1.., .. } => {
            format!("{} places do not fit {} and are now U+FFFD", decoded.replaced, decoded.encoding)
        }
        Decoded { confidence, .. } if *confidence < encoding::DOUBTFUL => {
            format!("read as {} with {percent:.0} % confidence", decoded.encoding)
        }
        _ => return None,
    };
    Some(Issue::new(name, Code::Encoding, Severity::Note, detail))
}

fn chars(text: &str) -> u64 {
    text.chars().count() as u64
}
