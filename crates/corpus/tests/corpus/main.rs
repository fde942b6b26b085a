//! The whole flow over folders written by the tests themselves.
#![expect(clippy::unwrap_used, reason = "a test stops where its ground is missing")]

mod ask;
mod bad;
mod fetch;
mod sources;

use std::fmt::Write;
use std::path::Path;

use expect_test::expect;
use penname_corpus::document::Fate;
use penname_corpus::issue::Code;
use penname_corpus::review::Review;
use penname_corpus::{Error, Prepared, Settings, prepare, store};
use penname_ledger::event::Silent;
use penname_ledger::{Event, Seed, Witness, write};
use penname_token::{Example, Role};
use proptest::prelude::*;
use tempfile::TempDir;

/// A folder of writing.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        write::folder(path.parent().unwrap()).unwrap();
        write::bytes(&path, content).unwrap();
    }
    dir
}

fn run(files: &[(&str, &[u8])], settings: &Settings) -> Result<Prepared, Error> {
    prepare(folder(files).path(), settings, Seed(7), &Silent)
}

/// Different sentences about kettles.
fn prose(seed: usize, sentences: usize) -> String {
    let nouns =
        ["kettle", "spoon", "lamp", "cat", "garden", "letter", "river", "door", "clock", "loaf", "stair"];
    let verbs = ["sang", "waited", "broke", "leaned", "listened", "turned", "slept"];
    let mut text = String::new();
    for n in 0..sentences {
        let at = |k: usize| (seed * 31 + n * 17 + k * k * 7 + seed * n) % 77;
        let (noun, verb, place) = (nouns[at(1) % 11], verbs[at(2) % 7], nouns[at(5) % 11]);
        write!(text, "The {noun} number {} {verb} by the {place} of {}. ", seed * 1000 + n, at(4)).unwrap();
    }
    text.trim_end().to_owned()
}

fn voice(examples: &[Example]) -> String {
    let trained = examples.iter().flat_map(|e| &e.messages).filter(|m| m.is_trained());
    trained.map(|m| m.content.as_str()).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_format_in_one_folder() {
    let post = b"---\ntitle: On Kettles\ndate: 2020-01-02\ncomments:\n  - content: OTHER PEOPLE\n---\nThey *sing*.\n\nSome of them.\n";
    let dialogues = b"{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":\"well met\"}]}\n{\"broken\n";
    let files: &[(&str, &[u8])] = &[
        ("blog/2020-01-02-kettles.md", post),
        ("blog/2020-01-03-draft.md", b"---\ntitle: Not yet\npublished: false\n---\nNot finished.\n"),
        ("chat/talk.jsonl", dialogues),
        (
            "column.txt",
            b"QUESTION: Is it wet?\r\nANSWER: Yes.\r\n\r\nVery.\r\n\r\nQUESTION: Why?\r\nANSWER:\r\n",
        ),
        ("latin.txt", b"Caf\xe9 au lait for L\xe9on and Ren\xe9e.\n\nThe kettle waited, d\xe9j\xe0 vu."),
        ("README.md", b"About this folder."),
        ("photo.jpg", b"\xff\xd8\xff\xe0"),
        (".DS_Store", b"\0\0\0\x01Bud1"),
    ];
    let prepared = run(files, &Settings::default()).unwrap();
    let latin = prepared.documents.iter().find(|d| d.path == "latin.txt").unwrap();
    assert_eq!(latin.encoding.as_ref().unwrap().name, "windows-1252");
    let mut seen = String::new();
    for (what, examples) in [("train", &prepared.train), ("held out", &prepared.held_out)] {
        for example in examples {
            let turns: Vec<_> =
                example.messages.iter().map(|m| format!("{:?} {:?}", m.role, m.content)).collect();
            writeln!(seen, "{what}: {}", turns.join(" / ")).unwrap();
        }
    }
    writeln!(seen, "{}", prepared.account).unwrap();
    for choice in &prepared.choices {
        writeln!(seen, "{}: {} ({})", choice.what, choice.value, choice.reason).unwrap();
    }
    for issue in &prepared.issues {
        writeln!(seen, "{} {:?} {:?}: {}", issue.path, issue.severity, issue.code, issue.detail).unwrap();
    }
    expect![[r#"
        train: User "On Kettles" / Assistant "They sing.\n\nSome of them."
        train: User "Is it wet?" / Assistant "Yes.\n\nVery."
        train: User "Continue this text:\n\nCafé au lait for Léon and Renée." / Assistant "The kettle waited, déjà vu."
        held out: User "hi" / Assistant "well met"
        trained                                                  63   16.11 %
        prompt (kept as context)                                 52   13.30 %
        held out                                                 10    2.56 %
        dropped: json syntax and other fields                    79   20.20 %
        dropped: drafts                                          54   13.81 %
        dropped: format marks                                    40   10.23 %
        dropped: readers' comments                               37    9.46 %
        dropped: front matter                                    32    8.18 %
        dropped: unreadable json                                  8    2.05 %
        dropped: line ends                                        7    1.79 %
        dropped: questions without an answer                      4    1.02 %
        dropped: markdown marks                                   3    0.77 %
        dropped: blank space                                      2    0.51 %
        characters given                                        391  100.00 %
        format of chat/talk.jsonl: json (the name ends in .jsonl)
        format of blog/2020-01-02-kettles.md and 1 more: markdown (the text begins with front matter)
        format of latin.txt: plain (nothing in it says otherwise)
        format of column.txt: question-answer (the text opens with QUESTION:)
        held out: 1 of 4 documents, about 1 examples (only 4 files: divided by their documents; too little writing for more)
        .DS_Store Skipped Hidden: hidden
        README.md Skipped NotWriting: about the folder, not part of the writing
        blog/2020-01-03-draft.md Skipped Draft: marked as a draft or unpublished
        chat/talk.jsonl Part Json: EOF while parsing a string at line 1 column 8
        photo.jpg Skipped NotWriting: a picture, sound or font
        column.txt Part EmptyAnswer: document 2: empty answers
        column.txt Part EmptyAnswer: document 2: questions without an answer
    "#]].assert_eq(&seen);
}

#[test]
fn a_bad_file_is_a_row_and_many_are_an_error() {
    let texts = [1, 2, 3, 4].map(|n| prose(n, 40));
    let names = ["a.txt", "b.txt", "c.txt", "d.txt"];
    let mut files: Vec<(&str, &[u8])> = names.into_iter().zip(texts.iter().map(String::as_bytes)).collect();
    files.push(("empty.txt", b" \n"));
    let prepared = run(&files, &Settings::default()).unwrap();
    assert_eq!(prepared.issues[0].code, Code::Empty);
    files.push(("data.bin", &[0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3]));
    let error = run(&files, &Settings::default()).unwrap_err();
    expect!["2 of 6 files could not be used, more than the allowed 20 %; first: `data.bin`: not text but binary data"]
        .assert_eq(&error.to_string());
    let settings = Settings { max_bad_share: 1.0, max_file_bytes: 100, ..Settings::default() };
    let error = run(&files, &settings).unwrap_err();
    assert!(matches!(error, Error::Nothing { files: 6, .. }), "{error}");
}

#[test]
fn nothing_like_the_held_out_text_is_trained() {
    let mut files = Vec::new();
    for n in 0..40 {
        let text = prose(n, 30);
        // Every post is there twice, once with another ending.
        files.push((format!("{n}-a.txt"), text.clone()));
        files.push((format!("{n}-b.txt"), text + " And so to bed."));
    }
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
    let prepared = run(&files, &Settings::default()).unwrap();
    assert!(prepared.held_out.len() >= 4 && prepared.train.len() >= 30);
    let trained = voice(&prepared.train);
    for example in &prepared.held_out {
        let answer = &example.messages.last().unwrap().content;
        let sentence = answer.split(". ").nth(3).unwrap();
        assert!(!trained.contains(sentence), "{sentence}");
    }
    assert!(prepared.account.dropped.contains_key("duplicates of held-out text"));
    assert!(prepared.account.dropped.contains_key("near duplicates"));
}

#[test]
fn one_book_gives_enough_to_measure() {
    let prepared = run(&[("book.txt", prose(3, 900).as_bytes())], &Settings::default()).unwrap();
    assert!(
        prepared.held_out.len() >= 8 || prepared.account.held_out * 5 > prepared.account.given,
        "{}",
        prepared.account
    );
    for example in prepared.train.iter().chain(&prepared.held_out) {
        let answer = &example.messages.last().unwrap().content;
        assert!(answer.starts_with("The ") && answer.ends_with('.'), "{answer}");
    }
}

#[test]
fn settings_reach_what_they_name() {
    let text = "Q: Is it wet?\nA: Soooooo wet.\n\nQ: Is it warm?\nA: Warm enough.\n";
    let mut settings = Settings { persona: Some("You are a kettle.".into()), ..Settings::default() };
    settings.clean.enable.push("elongation".into());
    settings.split.share = 0.0;
    let prepared = run(&[("a.txt", text.as_bytes())], &settings).unwrap();
    assert_eq!(prepared.train[0].messages[0].role, Role::System);
    assert_eq!(voice(&prepared.train), "So wet.\nWarm enough.");
    settings.format.insert("a.txt".into(), "plain".into());
    let prepared = run(&[("a.txt", text.as_bytes())], &settings).unwrap();
    assert!(voice(&prepared.train).contains("Q: Is it warm?"));
}

/// Counts what it sees.
#[derive(Default)]
struct Counter(std::sync::Mutex<Vec<String>>);

impl Witness for Counter {
    fn see(&self, event: &Event) {
        let name = serde_json::json!(event)["event"].as_str().unwrap_or_default().to_owned();
        self.0.lock().unwrap().push(name);
    }
}

#[test]
fn what_is_saved_is_found_again_and_not_redone() {
    let writing = folder(&[
        ("a.txt", prose(1, 200).as_bytes()),
        ("odd.jsonl", b"{\"text\":\"a \xe2\x80\xa8 b\"}\nnot json\n"),
    ]);
    let out = tempfile::tempdir().unwrap();
    let dir = out.path().join("prepared");
    let into = |settings: &Settings, witness: &dyn Witness| {
        store::prepare_into(writing.path(), &dir, settings, Seed(7), &Review::default(), witness)
    };
    let settings = Settings::default();
    let first = into(&settings, &Silent).unwrap();
    let seen = Counter::default();
    assert_eq!(into(&settings, &seen).unwrap(), first);
    assert_eq!(*seen.0.lock().unwrap(), ["skipped"]);
    let persona = Settings { persona: Some("p".into()), ..settings.clone() };
    assert_ne!(into(&persona, &Silent).unwrap(), first);
    write::bytes(&writing.path().join("b.txt"), prose(2, 50).as_bytes()).unwrap();
    assert!(into(&persona, &Silent).unwrap().documents.iter().any(|d| d.path == "b.txt"));
    write::bytes(&dir.join("train.jsonl"), b"{}\n").unwrap();
    expect!["missing field `id` at line 1 column 2"].assert_eq(&stored_line(&dir));
}

fn stored_line(dir: &Path) -> String {
    match store::load(dir).unwrap_err() {
        Error::Stored { line: 1, why, .. } => why,
        other => other.to_string(),
    }
}

#[test]
fn the_outcome_does_not_depend_on_chance() {
    let texts: Vec<_> = (0..30).map(|n| (format!("{n}.txt"), prose(n, 20))).collect();
    let files: Vec<_> = texts.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
    let mut turned = files.clone();
    turned.reverse();
    assert_eq!(run(&files, &Settings::default()).unwrap(), run(&turned, &Settings::default()).unwrap());
}

/// Bytes that look like files people have.
fn file() -> impl Strategy<Value = (String, Vec<u8>)> {
    let name = prop::sample::select(vec![
        "a.txt",
        "b.md",
        "_posts/2020-01-02-c.md",
        "d.jsonl",
        "e.json",
        "f",
        "é 🫖.txt",
        "g.html",
        "h.csv",
        "i.mbox",
        "j.srt",
        "k.xml",
    ]);
    let scrap = prop_oneof![
        2 => prop::collection::vec(any::<u8>(), 0..6),
        4 => "[A-Za-z ,.?!éü]{0,60}\n".prop_map(String::into_bytes),
        4 => prop::sample::select(vec![
            "\r\n\r\n", "QUESTION: why?\n", "ANSWER: so.\n", "Q: x?\n", "A: y\n", "---\n", "title: T\n", "comments:\n  - c\n", "# H\n",
            "<p>h</p>\n", "{% x %}", "[l](u)", "1. _Why_?\n\n", "2. What?\n\nSo.\n\n", "{\"text\":\"running text\"}\n", "\u{2028}", "\u{200b}",
            "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":\"a\\u0000b\"}]}\n",
            "{\"question\":\"q\",\"answer\":NaN}\n", "*** START OF THE PROJECT GUTENBERG EBOOK X ***\n", "\n\n\nINDEX\n\n",
            "*** END OF THE PROJECT GUTENBERG EBOOK X ***\n", "[Footnote: n]", "_so_ ", "&amp;", "* * *\n", "\u{feff}",
            "<article><h1>T</h1>", "<div class=comments>c</div>", "<rss><item><title>T</title>", "<description>d</description></item>", "a,b\n",
            "question,answer\n", "From a\nFrom: ann <a@b>\nSubject: s\n\nhello\n\n", "> quoted\n", "-- \n", "1\n00:00:01,000 --> 00:00:02,000\n",
            "ANN: x\n", "[10:00] <ann> hi\n[10:01] <bob> ho\n", "1/31/24, 9:05 PM - ann: late\n",
            "{\"kind\":\"t1\",\"data\":{\"id\":\"b\",\"author\":\"ann\",\"body\":\"x\"}}\n",
            "{\"id_str\":\"2\",\"full_text\":\"t\",\"user\":{\"screen_name\":\"ann\"}}\n",
        ]).prop_map(|s| s.as_bytes().to_vec()),
    ];
    (name.prop_map(str::to_owned), prop::collection::vec(scrap, 0..24).prop_map(|scraps| scraps.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn every_character_of_any_file_is_in_one_row(files in prop::collection::vec(file(), 1..5)) {
        let files: Vec<_> = files.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect();
        let voice = vec!["ann".to_owned()];
        let mut settings = Settings { max_bad_share: 1.0, voice, ..Settings::default() };
        settings.compose.passage_words = 20;
        settings.compose.post_words = 20;
        let prepared = match run(&files, &settings) {
            Ok(prepared) => prepared,
            Err(Error::Nothing { .. }) => return Ok(()),
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        let account = &prepared.account;
        prop_assert!(account.is_balanced());
        prop_assert_eq!(account.rows().iter().map(|row| row.chars).sum::<i64>(), account.given as i64);
        let trained: usize = prepared.train.iter().map(Example::trained_chars).sum();
        prop_assert_eq!(trained as u64, account.trained);
        for document in &prepared.documents {
            let made = prepared.train.iter().chain(&prepared.held_out).any(|e| e.document == document.uid);
            prop_assert!(!(made && matches!(document.fate, Fate::Dropped(_))));
        }
    }
}
