//! One file: bytes, text, format, documents.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;

use super::files::profile::Profile;
use super::files::{self, Format, Reading, Source};
use super::walk::File;
use super::{Collected, Seen};
use crate::Settings;
use crate::clean::{Plan, Scope, Traits, is_framed};
use crate::document::{Body, Document, Encoding};
use crate::edit::{self, Cut};
use crate::encoding::{self, Decoded};
use crate::issue::{Code, Issue, Severity};

/// How files were read, by format and reason.
type Formats = BTreeMap<(&'static str, String), Seen>;

pub(super) struct Reader<'a> {
    pub(super) settings: &'a Settings,
    pub(super) profiles: &'a [Profile],
    pub(super) plan: &'a Plan,
}

impl Reader<'_> {
    /// Reads one file into `collected`; whatever is wrong with it becomes an issue there.
    pub(super) fn read(&self, file: &File, collected: &mut Collected, formats: &mut Formats) {
        let decoded = match self.decode(file) {
            Ok(decoded) => decoded,
            Err(issue) => return collected.issues.push(issue),
        };
        collected.given += decoded.given;
        collected.tally.absorb(&decoded.cuts);
        collected.issues.extend(encoding_issue(&file.name, &decoded));
        let encoding = provenance(&decoded);
        let text = decoded.text;
        if text.trim().is_empty() {
            collected.tally.drop("empty files", chars(&text));
            return collected.issues.push(Issue::new(
                &file.name,
                Code::Empty,
                Severity::Bad,
                "holds no text",
            ));
        }
        let traits = Traits { gutenberg: is_framed(&text), entities_decoded: false };
        let source = Source {
            path: &file.name,
            text: &text,
            traits,
            settings: self.settings,
            profiles: self.profiles,
        };
        let (format, reason) = files::choose(&source);
        let seen = formats.entry((format.name, reason)).or_default();
        seen.n_files += 1;
        if seen.n_files == 1 {
            seen.first = file.name.clone();
        }
        let n_before = collected.documents.len();
        self.documents(&source, format, collected);
        collected.documents[n_before..].iter_mut().for_each(|d| d.encoding.clone_from(&encoding));
    }

    /// Reads the bytes, never more than the settings allow, and decodes them.
    fn decode(&self, file: &File) -> Result<Decoded, Issue> {
        let issue = |code, severity, detail: String| Issue::new(&file.name, code, severity, detail);
        if let Some((severity, code, detail)) = files::passed_over(self.settings, &file.name) {
            return Err(issue(code, severity, detail.to_owned()));
        }
        let unreadable = |error: std::io::Error| issue(Code::Unreadable, Severity::Bad, error.to_string());
        let max = self.settings.max_file_bytes;
        let mut bytes = Vec::new();
        let opened = fs::File::open(&file.path).map_err(unreadable)?;
        opened.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > max {
            return Err(issue(
                Code::Huge,
                Severity::Bad,
                format!("larger than {max} bytes; see `max_file_bytes`"),
            ));
        }
        encoding::decode(&bytes)
            .map_err(|what| issue(Code::Binary, Severity::Bad, format!("not text but {what}")))
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
        collected.documents.extend(documents.into_iter().map(|d| self.clean(d, &traits, &mut cuts)));
        collected.tally.merge(&tally);
        let cuts: Vec<Cut> = cuts.into_values().collect();
        collected.tally.absorb(&cuts);
        edit::merge(&mut collected.cuts, &cuts);
        collected.issues.extend(issues);
    }

    fn clean(&self, mut document: Document, traits: &Traits, cuts: &mut BTreeMap<String, Cut>) -> Document {
        let mut clean = |text: &mut String| *text = self.plan.run(text, Scope::Passage, traits, cuts);
        match &mut document.body {
            Body::Text(text) => clean(text),
            Body::Turns(turns) => turns.iter_mut().for_each(|turn| clean(&mut turn.text)),
        }
        if let Some(title) = &mut document.title {
            // A title that is not in the text is cleaned too, but outside the account.
            let mut aside = BTreeMap::new();
            let cuts = if title.given { cuts } else { &mut aside };
            let title_traits = Traits { entities_decoded: false, ..*traits };
            title.text = self.plan.run(&title.text, Scope::Passage, &title_traits, cuts);
        }
        document
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
