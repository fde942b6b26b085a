//! How tests of formats show a text to a reader, and what they hold of what it says.

use super::*;
use crate::document::{Body, Speaker, Turn};
use proptest::prelude::*;

/// Shows a text to `see` as the reader of a folder would.
pub(super) fn with_source<R>(
    path: &str,
    text: &str,
    settings: &Settings,
    see: impl FnOnce(&Source<'_>) -> R,
) -> R {
    let profiles = profile::load(&settings.profiles).unwrap();
    let scripts = transcript::profile::load(&settings.transcripts, &settings.voice).unwrap();
    let traits = Traits::default();
    see(&Source {
        path,
        text,
        traits,
        settings,
        profiles: &profiles,
        scripts: &scripts,
        beside: Beside::NOTHING,
    })
}

/// Fails if characters of `given` are neither held nor dropped.
pub(super) fn assert_accounted(reading: &Reading, given: u64) {
    let held: u64 = reading.documents.iter().map(|d| d.given).sum();
    assert_eq!(given + reading.tally.added, held + reading.tally.dropped_chars(), "{reading:?}");
}

/// What was dropped and what there is to say, a line each; issues begin with what `kind` says of them.
fn rest_by(reading: &Reading, kind: impl Fn(&Issue) -> String) -> String {
    let dropped = reading.tally.dropped.iter().map(|(why, n)| format!("{why}: {n}\n"));
    let issues = reading.issues.iter().map(|i| format!("{}: {}\n", kind(i), i.detail));
    dropped.chain(issues).collect()
}

/// As [`rest_by`], by how bad an issue is.
pub(super) fn rest(reading: &Reading) -> String {
    rest_by(reading, |issue| format!("{:?}", issue.severity))
}

/// Turns in one line, those of the voice under V.
pub(super) fn exchange(turns: &[Turn]) -> String {
    let side = |speaker| if speaker == Speaker::Voice { "V" } else { "O" };
    let turns = turns.iter().map(|t| format!("{} {:?}", side(t.speaker), t.text));
    turns.collect::<Vec<_>>().join(" / ")
}

/// Conversations a line each, then the rest.
pub(super) fn conversations(reading: &Reading) -> String {
    let conversation = |document: &Document| {
        let Body::Turns(turns) = &document.body else { return String::new() };
        let turns: Vec<_> = turns.iter().map(|t| format!("{:?} {:?}", t.speaker, t.text)).collect();
        format!("{}\n", turns.join(" / "))
    };
    let conversations: String = reading.documents.iter().map(conversation).collect();
    conversations + &rest(reading)
}

/// Posts with their dates a line each, then the rest.
pub(super) fn posts(reading: &Reading) -> String {
    let post = |document: &Document| {
        let title = document.title.as_ref().map_or("-", |title| title.text.as_str());
        format!("{title}: {:?} {:?}\n", document.voice(), document.date)
    };
    let posts: String = reading.documents.iter().map(post).collect();
    posts + &rest_by(reading, |issue| format!("{:?}", issue.code))
}

fn check(path: &str, text: &str, format: &str, reason: &str) {
    let (found, why) = with_source(path, text, &Settings::default(), choose);
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
    let chosen = |path| with_source(path, "x", &settings, choose).0.name;
    assert_eq!(chosen("b.txt"), "plain");
    assert_eq!(chosen("letters/a.txt"), "qa");
    settings.format.insert("chats/".into(), "wapo-chat".into());
    let chosen = |path| with_source(path, "x", &settings, choose).0.name;
    assert_eq!(chosen("my/chats/b.txt"), "transcript");
    assert_eq!(chosen("my/otherchats/b.txt"), "plain");
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
            "[{\"role\":\"user\",\"content\":\"q\"}]\n", "[1:02] <ann> x\n", "=== cy left\n", "2 Likes\n", "Ann: y\n", "A.\n", "{\"from\":\"gpt\",\"value\":\"v\"}", "{\"conversations\":[",
        ]).prop_map(str::to_owned),
    ];
    prop::collection::vec(scrap, 0..24).prop_map(|scraps| scraps.concat())
}

proptest! {
    #[test]
    fn every_reader_accounts_for_every_character(text in scraps()) {
        let settings = Settings { voice: vec!["ann".into()], ..Settings::default() };
        with_source("_posts/2020-01-02-a.md", &text, &settings, |source| {
            for format in ALL {
                let reading = (format.read)(source);
                let held: u64 = reading.documents.iter().map(|d| d.given).sum();
                prop_assert_eq!(
                    chars(&text) + reading.tally.added,
                    held + reading.tally.dropped_chars(),
                    "{}: {:?}", format.name, reading
                );
            }
            Ok(())
        })?;
    }
}
