//! A piece of writing as a reader found it: the unit that is split and compared.

use penname_ledger::Hash;
use serde::{Deserialize, Serialize};

use crate::provenance::Provenance;
use crate::rights::Rights;

/// The source of what lies in the folder of writing.
pub const FILES: &str = "files";

/// What sort of thing a document is, which decides how examples are made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Turns between speakers; a question with its answer is the shortest one.
    Dialogue,
    /// One finished piece: a blog post, a column, a letter.
    Post,
    /// Running text, or a section of it.
    Text,
}

/// Who speaks a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// The voice to be learned. Only its words are trained.
    Voice,
    /// The voice, in a turn that stands there and is not to be learned.
    Aside,
    /// Anyone else.
    Other,
    /// Instructions that stand before a dialogue.
    System,
}

/// One turn of a dialogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Who speaks.
    pub speaker: Speaker,
    /// What is said.
    pub text: String,
}

/// What a document consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// Running text, all of it the voice's.
    Text(String),
    /// A dialogue.
    Turns(Vec<Turn>),
}

/// A title and where it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Title {
    /// The title.
    pub text: String,
    /// Whether its characters are part of the file's text (front matter, a heading) rather than
    /// derived from the file's name. Only then do they count in the account.
    pub given: bool,
}

/// What became of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "why")]
pub enum Fate {
    /// Examples of it are trained.
    Train,
    /// Examples of it are kept apart for measuring.
    HeldOut,
    /// It is not used, for this reason.
    Dropped(String),
}

/// Begins why a document is dropped that rules reject.
const REJECTED: &str = "rejected: ";

impl Fate {
    /// That of a document which these rules reject.
    pub(crate) fn rejected(rules: &[&str]) -> Self {
        Self::Dropped(format!("{REJECTED}{}", rules.join(", ")))
    }

    /// The rules that reject it, if any do.
    pub fn rules(&self) -> Option<impl Iterator<Item = &str>> {
        match self {
            Self::Dropped(why) => why.strip_prefix(REJECTED).map(|rules| rules.split(", ")),
            Self::Train | Self::HeldOut => None,
        }
    }
}

/// How the bytes of a file became text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Encoding {
    /// The encoding: `windows-1252`.
    pub name: String,
    /// How sure that is, 0 to 1.
    pub confidence: f64,
    /// Places that fit the encoding nowhere, each now U+FFFD.
    pub replaced: usize,
}

/// How a post was received. What a source does not say is nothing, not zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reception {
    /// Likes or votes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<i64>,
    /// How often it was passed on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reposts: Option<u64>,
    /// Answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replies: Option<u64>,
    /// How often it was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub views: Option<u64>,
    /// Followers of its author.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub followers: Option<u64>,
    /// Seconds between what it answers and it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_s: Option<i64>,
}

/// What a piece answers, as far as it is known beside its words.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// Who wrote it, when, and in answer to what.
    #[serde(skip_serializing_if = "Provenance::is_empty")]
    pub provenance: Provenance,
    /// How it was received.
    pub reception: Reception,
}

/// A piece of writing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Hash of the source, the path and the position: stable while the file keeps its name.
    pub uid: String,
    /// Where it comes from: [`FILES`], or the name of a network source.
    #[serde(default = "files")]
    pub source: String,
    /// The file, relative to the folder of writing, with `/` between its parts.
    pub path: String,
    /// Which document of its file this is, from 0.
    pub position: usize,
    /// What sort of thing it is.
    pub kind: Kind,
    /// Its title, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Title>,
    /// Its date as written, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// What it says.
    pub body: Body,
    /// Characters it had when it was read, before cleaning.
    pub given: u64,
    /// How its file was decoded, unless it was faultless UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// Remarks of the reader: `unreadable front matter`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// The conversation it is part of, where its source has several of them: they stay together when
    /// documents are held out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// How it was received, where its source says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reception: Option<Reception>,
    /// Who wrote it, when, and in answer to what.
    #[serde(default, skip_serializing_if = "Provenance::is_empty")]
    pub provenance: Provenance,
    /// The post it answers, where it is a reply to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// What may be done with it.
    #[serde(default)]
    pub rights: Rights,
    /// What became of it.
    pub fate: Fate,
}

impl Document {
    /// A document as a reader makes it; `given` is what it holds now.
    pub fn new(path: &str, position: usize, kind: Kind, title: Option<Title>, body: Body) -> Self {
        let mut document = Self {
            uid: uid(FILES, path, position),
            source: files(),
            path: path.to_owned(),
            position,
            kind,
            title,
            date: None,
            body,
            given: 0,
            encoding: None,
            flags: Vec::new(),
            thread: None,
            reception: None,
            provenance: Provenance::default(),
            asked: None,
            rights: Rights::default(),
            fate: Fate::Train,
        };
        document.given = document.chars();
        document
    }

    /// The same document at another position of its file.
    pub(crate) fn moved(mut self, position: usize) -> Self {
        self.uid = uid(&self.source, &self.path, position);
        self.position = position;
        self
    }

    /// The same document as one of a network source.
    pub(crate) fn come_from(&mut self, source: &str) {
        self.uid = uid(source, &self.path, self.position);
        source.clone_into(&mut self.source);
    }

    /// Characters of the source it holds: texts and, where it came from the source, the title.
    pub fn chars(&self) -> u64 {
        let title = self.title.as_ref().filter(|title| title.given).map_or(0, |title| count(&title.text));
        title + self.texts().map(count).sum::<u64>()
    }

    /// Every text of the body, in order.
    pub fn texts(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match &self.body {
            Body::Text(text) => Box::new(std::iter::once(text.as_str())),
            Body::Turns(turns) => Box::new(turns.iter().map(|turn| turn.text.as_str())),
        }
    }

    /// What the voice says in it, turns parted by a line break: the side that is compared and learned.
    pub fn voice(&self) -> String {
        match &self.body {
            Body::Text(text) => text.clone(),
            Body::Turns(turns) => said_by(turns, Speaker::Voice),
        }
    }

    /// What others say in it, turns parted by a line break.
    pub fn others(&self) -> String {
        match &self.body {
            Body::Text(_) => String::new(),
            Body::Turns(turns) => said_by(turns, Speaker::Other),
        }
    }
}

fn said_by(turns: &[Turn], speaker: Speaker) -> String {
    let said: Vec<&str> = turns.iter().filter(|t| t.speaker == speaker).map(|t| t.text.as_str()).collect();
    said.join("\n")
}

fn count(text: &str) -> u64 {
    text.chars().count() as u64
}

/// What documents kept before sources had names come from.
fn files() -> String {
    FILES.to_owned()
}

/// The stable name of a document: 32 hexadecimal digits.
fn uid(source: &str, path: &str, position: usize) -> String {
    let mut name = Hash::of(format!("{source}\0{path}\0{position}").as_bytes()).to_string();
    name.truncate(32);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_by_path_and_position() {
        let name = uid("files", "a.md", 0);
        assert_eq!(name.len(), 32);
        assert_eq!(name, uid("files", "a.md", 0));
        assert_ne!(name, uid("files", "a.md", 1));
        assert_ne!(uid("files", "a", 11), uid("files", "a1", 1));
    }

    #[test]
    fn documents_of_older_versions_are_read() {
        let old = r#"{"uid":"u","path":"a.txt","position":0,"kind":"text","body":{"text":"x"},"given":1,
                      "fate":{"is":"train"}}"#;
        let document: Document = serde_json::from_str(old).unwrap();
        assert_eq!((document.source.as_str(), document.rights), (FILES, Rights::default()));
        assert!(document.provenance.is_empty());
        let again: Document = serde_json::from_str(&serde_json::to_string(&document).unwrap()).unwrap();
        assert_eq!(again, document);
    }

    #[test]
    fn a_title_from_the_file_name_is_not_counted() {
        let title = |given| Some(Title { text: "Tea".into(), given });
        let document = |given| Document::new("p", 0, Kind::Post, title(given), Body::Text("é!".into()));
        assert_eq!(document(true).chars(), 5);
        assert_eq!(document(false).chars(), 2);
    }
}
