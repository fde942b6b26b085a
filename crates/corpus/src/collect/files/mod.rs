//! The formats writing comes in: one file each and one line in [`ALL`].
//!
//! A format says how strongly it claims a text, with its reason, and turns a text into a
//! [`Reading`]. Readers never fail: what they cannot use is dropped for a named reason, so that
//! `characters + added == given by documents + dropped` (a property test holds all of them to it).

mod chat;
mod epub;
mod feed;
pub(super) mod html;
mod json;
mod mail;
mod markdown;
mod numbered;
mod office;
pub(super) mod open;
mod pairs;
mod paragraph;
mod partition;
pub mod pdf;
mod plain;
pub mod post;
pub mod profile;
mod qa;
mod question_answer;
mod section;
mod subtitle;
mod table;
mod talk;
pub mod transcript;
mod xml;

pub(crate) use self::html::words_of;
use self::profile::Profile;
use self::transcript::profile::Script;
use super::beside::Beside;
use crate::Settings;
use crate::account::Tally;
use crate::clean::Traits;
use crate::document::Document;
use crate::issue::{Code, Issue, Severity};

/// A text to be read, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The file, relative to the folder of writing.
    pub path: &'a str,
    /// Its text, decoded; for plain formats also cleaned.
    pub text: &'a str,
    /// What the cleaners should know.
    pub traits: Traits,
    /// The settings.
    pub settings: &'a Settings,
    /// Profiles of numbered books, the user's own first.
    pub profiles: &'a [Profile],
    /// Profiles of transcripts, the user's own first.
    pub scripts: &'a [Script],
    /// The files around it.
    pub beside: Beside<'a>,
}

impl<'a> Source<'a> {
    /// The beginning of the text, of at most so many bytes.
    fn head(&self, n_bytes: usize) -> &'a str {
        &self.text[..self.text.floor_char_boundary(n_bytes)]
    }

    /// The format or profile that the settings force on it.
    fn forced(&self) -> Option<&'a str> {
        forced(self.settings, self.path).map(|(_, name)| name.as_str())
    }
}

/// What a reader made of a text.
#[derive(Debug, Default)]
pub struct Reading {
    /// The documents, in order of position.
    pub documents: Vec<Document>,
    /// Characters that are in none of them.
    pub tally: Tally,
    /// What was wrong.
    pub issues: Vec<Issue>,
}

impl Reading {
    /// Enters all that the documents and the losses so far do not hold as lost for `reason`.
    fn close(&mut self, text: &str, reason: &str) {
        let held: u64 = self.documents.iter().map(|d| d.given).sum();
        let after = held + self.tally.dropped_chars();
        self.tally.settle(reason, chars(text) + self.tally.added, after);
    }

    /// A reading that found nothing to read by.
    fn nothing(mut self, source: &Source<'_>) -> Self {
        self.tally.drop("no profile", chars(source.text));
        self
    }
}

/// A format's claim on a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The strongest claim wins; see the table in [`ALL`].
    pub strength: u8,
    /// Why.
    pub reason: String,
}

/// One format.
#[derive(Debug)]
pub struct Format {
    /// Its name, in settings and announcements.
    pub name: &'static str,
    /// What it looks like, in one line.
    pub about: &'static str,
    /// What must be said before it can be read; empty where nothing must.
    pub needs: &'static str,
    /// What a file of it holds, for "no … found in it".
    pub yields: &'static str,
    /// Whether its texts are plain, so that cleaners may work on the whole file first.
    pub plain: bool,
    /// Whether its reader decodes HTML entities.
    pub decodes_entities: bool,
    /// How strongly it claims a text, if at all.
    pub claims: fn(&Source<'_>) -> Option<Claim>,
    /// Turns a text into documents.
    pub read: fn(&Source<'_>) -> Reading,
}

/// Every format. Claims, strongest first: 110 an export of a known service, 100 a JSON name, 95 a feed,
/// 90 other names, 90 JSON content, 80 front matter,
/// 72 a chat saved with its page, 70 a text that opens with a question marker, 68 turns of
/// speakers, 60 several marked pairs, 50 a numbered book,
/// 40 a Markdown name, 10 anything.
pub const ALL: &[Format] = &[
    chat::telegram::FORMAT,
    chat::discord::FORMAT,
    chat::slack::FORMAT,
    chat::signal::FORMAT,
    chat::messenger::FORMAT,
    chat::chatgpt::FORMAT,
    post::tweet::FORMAT,
    post::reddit::FORMAT,
    json::FORMAT,
    chat::whatsapp::FORMAT,
    mail::FORMAT,
    feed::FORMAT,
    html::FORMAT,
    epub::FORMAT,
    office::FORMAT,
    pdf::FORMAT,
    table::FORMAT,
    subtitle::FORMAT,
    transcript::FORMAT,
    question_answer::FORMAT,
    qa::FORMAT,
    numbered::FORMAT,
    markdown::FORMAT,
    plain::FORMAT,
];

/// The format of a text and why: forced by the settings, or the strongest claim.
pub(super) fn choose(source: &Source<'_>) -> (&'static Format, String) {
    if let Some((end, name)) = forced(source.settings, source.path)
        && let Some(format) = named(source.scripts, name)
    {
        return (format, format!("the settings say so for `{end}`"));
    }
    let mut best = (&plain::FORMAT, Claim { strength: 0, reason: String::new() });
    for format in ALL {
        if let Some(claim) = (format.claims)(source)
            && claim.strength > best.1.strength
        {
            best = (format, claim);
        }
    }
    (best.0, best.1.reason)
}

/// The format of a name, which may also be that of a profile of transcripts.
fn named(scripts: &[Script], name: &str) -> Option<&'static Format> {
    let is_script = scripts.iter().any(|script| script.is_named(name));
    ALL.iter().find(|format| format.name == name).or(is_script.then_some(&transcript::FORMAT))
}

/// The setting that forces the format of a path: the longest that matches its end, or a folder it
/// lies in.
fn forced<'a>(settings: &'a Settings, path: &str) -> Option<(&'a String, &'a String)> {
    crate::settings::for_path(&settings.format, path)
}

/// Files that are not opened, judged by their names, unless the settings force a format on them.
pub(super) fn passed_over(settings: &Settings, path: &str) -> Option<(Severity, Code, &'static str)> {
    const ABOUT: &[&str] =
        &["readme", "license", "licence", "copying", "notice", "changelog", "contributing"];
    const PICTURES: &[&str] = &[
        "png", "jpg", "jpeg", "gif", "webp", "avif", "svg", "ico", "bmp", "tif", "tiff", "heic", "mp3",
        "m4a", "wav", "ogg", "flac", "mp4", "mov", "webm", "avi", "mkv", "woff", "woff2", "ttf", "otf",
    ];
    const PROGRAMS: &[&str] = &[
        "css", "scss", "js", "ts", "py", "rs", "rb", "c", "h", "cpp", "java", "go", "php", "sh", "toml",
        "yaml", "yml", "lock", "ini", "cfg", "map", "exe", "dll", "so",
    ];
    const UNREAD: &[&str] = &[
        "doc", "rtf", "mobi", "azw3", "tex", "gz", "7z", "rar", "tar", "xlsx", "pptx", "pst", "olm", "db",
        "sqlite",
    ];
    let extension = extension(path);
    let is = |list: &[&str]| list.contains(&extension.as_str());
    let stem =
        path.rsplit('/').next().unwrap_or(path).split('.').next().unwrap_or_default().to_ascii_lowercase();
    match () {
        () if forced(settings, path).is_some() || is_export(path) => None,
        () if ABOUT.contains(&stem.as_str()) => {
            Some((Severity::Skipped, Code::NotWriting, "about the folder, not part of the writing"))
        }
        () if is(PICTURES) => Some((Severity::Skipped, Code::NotWriting, "a picture, sound or font")),
        () if is(PROGRAMS) => Some((Severity::Skipped, Code::NotWriting, "a program or its settings")),
        () if is(UNREAD) => {
            Some((Severity::Bad, Code::Unsupported, "no reader for this format; save it as .txt or .md"))
        }
        () => None,
    }
}

/// Whether a file is a folder of files in disguise.
pub(super) fn is_archive(path: &str) -> bool {
    extension(path) == "zip"
}

/// As [`passed_over`], for a member of an archive.
pub(super) fn left_in_archive(settings: &Settings, path: &str) -> Option<(Severity, Code, &'static str)> {
    let is_hidden = |part: &str| (part.starts_with('.') && part != "..") || part == "__MACOSX";
    match () {
        () if path.split('/').any(is_hidden) => Some((Severity::Skipped, Code::Hidden, "hidden")),
        () if is_archive(path) => {
            Some((Severity::Bad, Code::Archive, "an archive inside an archive is not opened"))
        }
        () => passed_over(settings, path),
    }
}

/// Programs by their names that are data of an export: `tweets.js`, `tweets-part1.js`.
fn is_export(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.strip_suffix(".js").unwrap_or_default();
    ["tweet", "tweets", "note-tweet", "community-tweet"].contains(&stem)
        || ["tweets-part", "tweet-part"].iter().any(|start| stem.starts_with(start))
}

/// The extension of a path in lower case, without the dot; empty when there is none.
fn extension(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or(String::new(), |(_, extension)| extension.to_ascii_lowercase())
}

fn claim(strength: u8, reason: impl Into<String>) -> Option<Claim> {
    Some(Claim { strength, reason: reason.into() })
}

fn chars(text: &str) -> u64 {
    text.chars().count() as u64
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// Reads a text with one format, for the readers' tests.
#[cfg(test)]
fn read_with(format: &Format, path: &str, text: &str) -> Reading {
    tests::with_source(path, text, &Settings::default(), |source| (format.read)(source))
}

#[cfg(test)]
mod tests;
