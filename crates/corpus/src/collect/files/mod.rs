//! The formats writing comes in: one file each and one line in [`ALL`].
//!
//! A format says how strongly it claims a text, with its reason, and turns a text into a
//! [`Reading`]. Readers never fail: what they cannot use is dropped for a named reason, so that
//! `characters + added == given by documents + dropped` (a property test holds all of them to it).

mod json;
mod markdown;
mod numbered;
mod pairs;
mod paragraph;
mod partition;
mod plain;
pub mod profile;
mod qa;
mod question_answer;
mod section;

use self::profile::Profile;
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

/// Every format. Claims, strongest first: 100 a JSON name, 90 JSON content, 80 front matter,
/// 70 a text that opens with a question marker, 60 several marked pairs, 50 a numbered book,
/// 40 a Markdown name, 10 anything.
pub const ALL: &[Format] =
    &[json::FORMAT, question_answer::FORMAT, qa::FORMAT, numbered::FORMAT, markdown::FORMAT, plain::FORMAT];

/// The format of a text and why: forced by the settings, or the strongest claim.
pub(super) fn choose(source: &Source<'_>) -> (&'static Format, String) {
    if let Some((end, name)) = forced(source.settings, source.path)
        && let Some(format) = ALL.iter().find(|format| format.name == name)
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

/// The setting that forces the format of a path: the longest that matches its end.
fn forced<'a>(settings: &'a Settings, path: &str) -> Option<(&'a String, &'a String)> {
    settings.format.iter().filter(|(end, _)| path.ends_with(end.as_str())).max_by_key(|(end, _)| end.len())
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
        "html", "htm", "xhtml", "xml", "csv", "tsv", "pdf", "docx", "doc", "odt", "epub", "mobi", "tex",
        "zip", "gz",
    ];
    let extension = extension(path);
    let is = |list: &[&str]| list.contains(&extension.as_str());
    let stem =
        path.rsplit('/').next().unwrap_or(path).split('.').next().unwrap_or_default().to_ascii_lowercase();
    match () {
        () if forced(settings, path).is_some() => None,
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
    let settings = Settings::default();
    let profiles = profile::load(&[]).unwrap();
    let source = Source { path, text, traits: Traits::default(), settings: &settings, profiles: &profiles };
    (format.read)(&source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(path: &str, text: &str, format: &str, reason: &str) {
        let settings = Settings::default();
        let profiles = profile::load(&[]).unwrap();
        let source =
            Source { path, text, traits: Traits::default(), settings: &settings, profiles: &profiles };
        let (found, why) = choose(&source);
        assert_eq!((found.name, why.as_str()), (format, reason), "{path}");
    }

    #[test]
    fn formats_are_told_apart() {
        check("a.jsonl", "anything", "json", "the name ends in .jsonl");
        check("a.txt", "{\"messages\": []}\n", "json", "the text begins with a JSON value");
        check("a.txt", "---\ntitle: T\n---\nbody", "markdown", "the text begins with front matter");
        check("a.md", "QUESTION: why?\nANSWER: so.", "question-answer", "the text opens with QUESTION:");
        check("a.txt", "Q: why?\nA: so.", "qa", "the text opens with Q:");
        check("a.md", "Some *text*", "markdown", "the name ends in .md");
        check("a", "Some text", "plain", "nothing in it says otherwise");
        let book: String = (1..=12).map(|n| format!("{n}. _Why is it {n}_?\n\nBecause.\n\n")).collect();
        check("a.txt", &book, "numbered-qa", "12 numbered questions");
    }

    #[test]
    fn settings_force_a_format_by_the_longest_end() {
        let mut settings = Settings::default();
        settings.format.insert(".txt".into(), "plain".into());
        settings.format.insert("letters/a.txt".into(), "qa".into());
        let source =
            |path| Source { path, text: "x", traits: Traits::default(), settings: &settings, profiles: &[] };
        assert_eq!(choose(&source("b.txt")).0.name, "plain");
        assert_eq!(choose(&source("letters/a.txt")).0.name, "qa");
    }

    /// Scraps that readers care about, in any order.
    fn scraps() -> impl Strategy<Value = String> {
        let scrap = prop_oneof![
            3 => "\\PC{0,12}",
            2 => "[a-zA-Z .?]{1,40}\n",
            4 => prop::sample::select(vec![
                "\n", "\n\n", "\n\n\n\n", "QUESTION: ", "\nANSWER: ", "\nQ: ", "\n**A:** ", "---\n", "title: x\n", "title: 'é\\n'\n",
                "comments:\n  - content: c\n", "draft: true\n", "{% raw %}", "{{ x }}", "{: .a}", "<p>", "</p>", "<br>",
                "<script>", "</script>", "<!-- ", " -->", "# H\n", "* item\n", "> quote\n", "[a](b)", "![a](b)", "&amp;", "`c`",
                "```\n", "| a | b |\n|---|---|\n| c | d |\n", "1. _Why_?\n\n", "2. What?\n\n", "\n\n\nINDEX\n\n", "\n\n\nCHAPTER I\n\n",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":\"a\"}]}\n",
                "{\"instruction\":\"i\",\"output\":\"o\\u00e9\"}", "[", "]", ",", "{", "}", "\"", "NaN", "\\ud83d", "{\"text\":\"t\"}\n",
                "[{\"role\":\"user\",\"content\":\"q\"}]\n", "{\"from\":\"gpt\",\"value\":\"v\"}", "{\"conversations\":[",
            ]).prop_map(str::to_owned),
        ];
        prop::collection::vec(scrap, 0..24).prop_map(|scraps| scraps.concat())
    }

    proptest! {
        #[test]
        fn every_reader_accounts_for_every_character(text in scraps()) {
            for format in ALL {
                let reading = read_with(format, "_posts/2020-01-02-a.md", &text);
                let held: u64 = reading.documents.iter().map(|d| d.given).sum();
                prop_assert_eq!(
                    chars(&text) + reading.tally.added,
                    held + reading.tally.dropped_chars(),
                    "{}: {:?}", format.name, reading
                );
            }
        }
    }
}
