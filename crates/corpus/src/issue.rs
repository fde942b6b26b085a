//! What was wrong with the input, one row per finding.
//!
//! A bad file or record never stops the work; it becomes a row with a code, a place and a reason.
//! Only when too many files are lost does [`crate::Error::TooManyBad`] say so.

use serde::{Deserialize, Serialize};

/// How much an issue costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file is read all the same.
    Note,
    /// A record or a part of a file is not used.
    Part,
    /// A file that was never meant to be writing is passed over.
    Skipped,
    /// A file that should have held writing is lost.
    Bad,
}

/// What was found, as a stable word for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A hidden file or folder.
    Hidden,
    /// A picture, a sound, a program: no writing expected.
    NotWriting,
    /// A format that holds writing, but has no reader.
    Unsupported,
    /// The system refused to open or read it.
    Unreadable,
    /// A link that leads back to a folder already walked, or nowhere.
    Link,
    /// A folder too deep to be meant.
    Depth,
    /// A device, pipe or socket.
    Special,
    /// Bytes that are no text.
    Binary,
    /// No characters, or only blank ones.
    Empty,
    /// Larger than the settings allow.
    Huge,
    /// A name that is not UTF-8.
    Name,
    /// The encoding had to be guessed, or some bytes fit none.
    Encoding,
    /// Front matter that is not YAML or has no end.
    FrontMatter,
    /// Marked as draft or unpublished.
    Draft,
    /// A line or value that is not JSON.
    Json,
    /// A JSON record of no known shape.
    Shape,
    /// A turn whose speaker has an unknown name.
    Role,
    /// A page that is a wall or an error instead of the writing.
    Blocked,
    /// A book or document under a lock or a password.
    Locked,
    /// XML that breaks off.
    Xml,
    /// A table that breaks off, or rows with other columns than its names.
    Table,
    /// Comments that a saved thread names but does not hold.
    More,
    /// A network source that stopped before its end.
    Source,
    /// Records that a preset leaves out.
    Preset,
    /// A PDF whose words could not be found, or only after repair.
    Pdf,
    /// Pages that are pictures.
    Scanned,
    /// A message that is no mail.
    Mail,
    /// An archive, or a member of one, that is damaged, locked or too large.
    Archive,
    /// Nobody in it is known to be the voice.
    Voice,
    /// Part of a message that is no text.
    Part,
    /// Nothing in the file matched its format.
    NoRecords,
    /// A question without text.
    EmptyQuestion,
    /// An answer without text.
    EmptyAnswer,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// The file, relative to the folder of writing.
    pub path: String,
    /// Where in the file, from 1, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What was found.
    pub code: Code,
    /// What it costs.
    pub severity: Severity,
    /// The particulars, in words.
    pub detail: String,
}

impl Issue {
    /// An issue about a whole file.
    pub fn new(path: &str, code: Code, severity: Severity, detail: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: None, code, severity, detail: detail.into() }
    }

    /// The same issue, at a line counted from 1.
    pub fn at(self, line: usize) -> Self {
        Self { line: Some(line), ..self }
    }
}
