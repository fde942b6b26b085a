//! PDF, which holds pictures of pages and not writing: the words are found again by engines, tried in
//! order, each in a child process with limits, so that no file can take this one down.
//!
//! What an engine found is judged (`verdict`); what belongs to the page and not to the text is cut
//! by `page`. A file nobody could read gets a reason a person can act on.

mod child;
mod engine;
mod page;
mod repair;
mod verdict;

pub(crate) use self::child::has_passwords;
pub use self::child::{host, serve};

use self::child::{Answer, Fault};
use super::open::{self, Opened, Opener};
use super::{Format, extension, plain};
use crate::Settings;
use crate::encoding::Decoded;
use crate::issue::{Code, Severity};

/// Bytes in which the mark of a PDF may stand.
const HEAD: usize = 1024;

pub(super) const FORMAT: Format = Format {
    name: "pdf",
    about: "a book or article in PDF that holds text; scanned pages are told",
    needs: "",
    yields: "text",
    plain: true,
    decodes_entities: true,
    claims: |_| None,
    read: |source| (plain::FORMAT.read)(source),
};

pub(super) const OPENER: Opener = Opener { takes, open };

fn has(bytes: &[u8], word: &[u8]) -> bool {
    bytes[..bytes.len().min(HEAD)].windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

fn takes(name: &str, bytes: &[u8]) -> bool {
    extension(name) == "pdf" || bytes.starts_with(b"%PDF-")
}

fn open(bytes: &[u8], _: &Settings) -> open::Result {
    match () {
        () if bytes.is_empty() => return Err((Code::Empty, "not a PDF: the file has no bytes".to_owned())),
        () if has(bytes, b"%PDF-") => {}
        () if has(bytes, b"<html") || has(bytes, b"<!doctype") => {
            return Err((Code::Binary, "not a PDF: looks like an HTML page (404?)".to_owned()));
        }
        () => return Err((Code::Binary, "not a PDF: its mark `%PDF-` is not there".to_owned())),
    }
    let mut last = None;
    for engine in engine::ALL {
        match child::ask(engine.name, bytes) {
            Ok(answer) => match verdict::of(&answer) {
                Ok(notes) => return Ok(opened(&answer, notes, engine)),
                Err(reason) => last = Some(reason),
            },
            // A lock is a lock, whatever engine stands before it.
            Err(Fault::Locked) => return Err((Code::Locked, verdict::LOCKED.to_owned())),
            Err(Fault::NoHost) => return Err((Code::Unsupported, child::NO_HOST.to_owned())),
            Err(fault) => last = last.or(Some(verdict::fault(&fault))),
        }
    }
    Err(last.unwrap_or((Code::Pdf, "no engine reads it".to_owned())))
}

fn opened(answer: &Answer, mut notes: Vec<(Code, Severity, String)>, engine: &engine::Engine) -> Opened {
    let page::Cleaned { given, text, cuts } = page::clean(&answer.pages, &verdict::rubble(answer));
    let mut flags = Vec::new();
    if engine.is_repair {
        notes.push((Code::Pdf, Severity::Note, "the file is broken and was read after repair".to_owned()));
        flags.push("repaired".to_owned());
    }
    let decoded = Decoded { text, encoding: "UTF-8", confidence: 1.0, replaced: 0, given, cuts };
    Opened { format: Some((&FORMAT, engine.reason)), notes, flags, ..Opened::new(decoded) }
}
