//! One file: bytes, text, format, documents. An archive is a folder of files.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use super::archive::Archive;
use super::beside::Beside;
use super::files::open::{self, Opened};
use super::files::profile::Profile;
use super::files::transcript::profile::Script;
use super::files::{self, Format, Reading, Source};
use super::walk::File;
use super::{Collected, Seen};
use crate::clean::{Plan, Scope, Traits, profile};
use crate::document::Encoding;
use crate::edit::{self, Cut};
use crate::encoding::{self, Decoded};
use crate::issue::{Code, Issue, Severity};
use crate::settings::{self, Settings};

/// How files were read, by format and reason.
type Formats = BTreeMap<(&'static str, String), Seen>;

pub(super) struct Reader<'a> {
    /// The folder of writing, or the one file.
    pub(super) root: &'a Path,
    pub(super) settings: &'a Settings,
    pub(super) profiles: &'a [Profile],
    pub(super) scripts: &'a [Script],
    pub(super) plan: &'a Plan,
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
        let n_before = collected.documents.len();
        self.documents(&source, format, collected);
        self.limit(format, n_before, collected);
        let encoding = provenance(&opened.decoded);
        for document in &mut collected.documents[n_before..] {
            document.encoding.clone_from(&encoding);
            document.flags.extend(opened.flags.iter().cloned());
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
        let is_lost =
            reading.documents.is_empty() && reading.issues.iter().all(|i| i.severity < Severity::Skipped);
        if is_lost {
            let detail = format!("no {} found in it", format.yields);
            collected.issues.push(Issue::new(source.path, Code::NoRecords, Severity::Bad, detail));
        }
        let Reading { documents, tally, issues } = reading;
        for document in documents {
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
