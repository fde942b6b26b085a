//! From the bytes of a file to a text: what is no plain text is opened here, by a line in [`ALL`].
//!
//! Most files are decoded as text and their format is found by looking at it. Mail, books and office
//! files are recognised by their bytes or names instead, and come with their format.

use super::{Format, epub, mail, office, pdf};
use crate::Settings;
use crate::encoding::{self, Decoded};
use crate::issue::{Code, Severity};

/// A text, and what is known of it before it is read.
#[derive(Debug)]
pub(in crate::collect) struct Opened {
    pub(in crate::collect) decoded: Decoded,
    /// The format and why, where the bytes decide it.
    pub(in crate::collect) format: Option<(&'static Format, &'static str)>,
    /// What was found on the way.
    pub(in crate::collect) notes: Vec<(Code, Severity, String)>,
    /// Remarks for its documents.
    pub(in crate::collect) flags: Vec<String>,
    /// What to say when it holds no text.
    pub(in crate::collect) empty: Option<&'static str>,
}

/// What opening gives, or what is wrong, in words.
pub(in crate::collect) type Result = std::result::Result<Opened, (Code, String)>;

/// A way to open bytes.
pub(super) struct Opener {
    /// Whether it is for these bytes of this name.
    pub(super) takes: fn(&str, &[u8]) -> bool,
    /// Opens them.
    pub(super) open: fn(&[u8], &Settings) -> Result,
}

/// Every way; the first that takes a file opens it.
const ALL: &[Opener] = &[mail::OPENER, epub::OPENER, office::OPENER, pdf::OPENER];

/// Opens the bytes of a file.
///
/// # Errors
/// What is wrong with them, in words.
pub(in crate::collect) fn open(name: &str, bytes: &[u8], settings: &Settings) -> Result {
    match ALL.iter().find(|opener| (opener.takes)(name, bytes)) {
        Some(opener) => (opener.open)(bytes, settings),
        None => {
            let decoded =
                encoding::decode(bytes).map_err(|what| (Code::Binary, format!("not text but {what}")))?;
            Ok(Opened::new(decoded))
        }
    }
}

impl Opened {
    /// A text whose format is not known yet.
    pub(super) fn new(decoded: Decoded) -> Self {
        Self { decoded, format: None, notes: Vec::new(), flags: Vec::new(), empty: None }
    }

    /// A text that was written out by a reader of other things, without faults.
    pub(super) fn made(
        text: String,
        encoding: &'static str,
        format: (&'static Format, &'static str),
    ) -> Self {
        let given = text.chars().count() as u64;
        let decoded = Decoded { text, encoding, confidence: 1.0, replaced: 0, given, cuts: Vec::new() };
        Self { format: Some(format), ..Self::new(decoded) }
    }
}
