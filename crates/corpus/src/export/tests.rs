//! Every shape to the byte, and what is written is read again.

use std::fs;

use expect_test::{Expect, expect};
use penname_ledger::Seed;
use penname_ledger::write::bytes;

use super::*;
use crate::prepare;

const LETTERS: &str = "QUESTION: My tomatoes sulk.\n\nANSWER: Water them,\nin the morning.\n\n\
                       QUESTION: Two \"sugars\"?\n\nANSWER: One, dear.\n\n\
                       QUESTION: Why late?\n\nANSWER: The moon was talking.\n\n";

fn with(files: &[(&str, &str)], settings: &Settings) -> (tempfile::TempDir, Prepared) {
    let folder = tempfile::tempdir().unwrap();
    let put = |(name, text): &(&str, &str)| bytes(&folder.path().join(name), text.as_bytes()).unwrap();
    files.iter().for_each(put);
    let prepared = prepare(folder.path(), settings, Seed(1), &Silent).unwrap();
    (folder, prepared)
}

fn whole() -> Settings {
    let mut settings = Settings { persona: None, ..Settings::default() };
    settings.split.share = 0.0;
    settings
}

/// What a shape makes of a corpus: its files, and what it left out.
fn made(shape: &str, material: &Material<'_>) -> (BTreeMap<String, String>, Written) {
    let folder = tempfile::tempdir().unwrap();
    let staged = Staged::create(&folder.path().join("out")).unwrap();
    let written = write(find(shape).unwrap(), material, &staged).unwrap();
    staged.commit().unwrap();
    let text = |name: &String| fs::read_to_string(folder.path().join("out").join(name)).unwrap();
    (written.records.keys().map(|name| (name.clone(), text(name))).collect(), written)
}

fn material(prepared: &Prepared) -> Material<'_> {
    Material { prepared, raw: &[], prepared_at: "2026-11-28T12:00:00Z", render: None }
}

fn check(shape: &str, files: &[(&str, &str)], settings: &Settings, expected: Expect) {
    let (_folder, prepared) = with(files, settings);
    let (files, written) = made(shape, &material(&prepared));
    let mut shown: String = files
        .iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(name, text)| format!("--- {name}\n{text}\n"))
        .collect();
    written.left_out.iter().for_each(|(reason, n)| shown += &[&n.to_string(), " ", reason, "\n"].concat());
    expected.assert_eq(&shown);
}

#[test]
fn labels_stand_where_the_projects_of_old_put_them() {
    check(
        "question-answer",
        &[("a.txt", LETTERS)],
        &whole(),
        expect![[r#"
            --- train.txt
            QUESTION: My tomatoes sulk.

            ANSWER: Water them,
            in the morning.

            QUESTION: Two "sugars"?

            ANSWER: One, dear.

            QUESTION: Why late?

            ANSWER: The moon was talking.


        "#]],
    );
    check(
        "q-a",
        &[("a.txt", LETTERS)],
        &whole(),
        expect![[r#"
            --- train.txt
            Q: My tomatoes sulk.
            A: Water them,
            in the morning.

            Q: Two "sugars"?
            A: One, dear.

            Q: Why late?
            A: The moon was talking.
        "#]],
    );
    check(
        "table",
        &[("a.txt", LETTERS)],
        &whole(),
        expect![[r#"
            --- train.csv
            question,answer
            "My tomatoes sulk.","Water them,
            in the morning."
            "Two ""sugars""?","One, dear."
            "Why late?","The moon was talking."

            --- val.csv
            question,answer

        "#]],
    );
}

const DIALOGUES: &str = r#"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Tea?"},{"role":"assistant","content":"No.","weight":0},{"role":"user","content":"Milk?"},{"role":"assistant","content":"Yes, a lake of it."}]}
{"messages":[{"role":"user","content":"Boots?"},{"role":"assistant","content":"On.\nA: forged"}]}
"#;

#[test]
fn conversations_keep_their_turns_and_what_is_not_learned() {
    check(
        "messages",
        &[("d.jsonl", DIALOGUES)],
        &whole(),
        expect![[r#"
            --- train.jsonl
            {"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Tea?"},{"role":"assistant","content":"No.","weight":0},{"role":"user","content":"Milk?"},{"role":"assistant","content":"Yes, a lake of it."}]}
            {"messages":[{"role":"user","content":"Boots?"},{"role":"assistant","content":"On.\nA: forged"}]}

        "#]],
    );
    check(
        "dialogues",
        &[("d.jsonl", DIALOGUES)],
        &whole(),
        expect![[r#"
            --- train.jsonl
            [{"role":"system","content":"Be brief."},{"role":"user","content":"Tea?"},{"role":"assistant","content":"No."},{"role":"user","content":"Milk?"},{"role":"assistant","content":"Yes, a lake of it."}]
            [{"role":"user","content":"Boots?"},{"role":"assistant","content":"On.\nA: forged"}]

        "#]],
    );
    check(
        "sharegpt",
        &[("d.jsonl", DIALOGUES)],
        &whole(),
        expect![[r#"
            --- train.jsonl
            {"conversations":[{"from":"system","value":"Be brief."},{"from":"human","value":"Tea?"},{"from":"gpt","value":"No."},{"from":"human","value":"Milk?"},{"from":"gpt","value":"Yes, a lake of it."}]}
            {"conversations":[{"from":"human","value":"Boots?"},{"from":"gpt","value":"On.\nA: forged"}]}

        "#]],
    );
}

#[test]
fn what_a_shape_cannot_hold_is_left_out_and_counted() {
    check(
        "alpaca",
        &[("d.jsonl", DIALOGUES)],
        &whole(),
        expect![[r#"
            --- train.jsonl
            {"instruction":"Boots?","input":"","output":"On.\nA: forged"}

            1 dialogues of several turns
        "#]],
    );
    check(
        "completion",
        &[("d.jsonl", DIALOGUES)],
        &Settings { persona: Some("You are a cook.".into()), ..whole() },
        expect![[r#"
            1 dialogues of several turns
            1 examples with a persona, for which the shape has no place
        "#]],
    );
    check(
        "q-a",
        &[("d.jsonl", DIALOGUES)],
        &whole(),
        expect![[r#"
            --- train.txt
            Q: Tea?
            A: No.

            Q: Milk?
            A: Yes, a lake of it.
            1 texts that begin a line with a label
        "#]],
    );
}

#[test]
fn a_template_writes_the_text() {
    let (_folder, prepared) = with(&[("a.txt", LETTERS)], &whole());
    let render = |messages: &[Message]| match messages.iter().any(|m| m.content.contains("sugars")) {
        true => Err("the template refuses sugar".to_owned()),
        false => Ok(messages.iter().map(|m| format!("<{}>{}", m.role.name(), m.content)).collect()),
    };
    let (files, written) = made("text", &Material { render: Some(&render), ..material(&prepared) });
    expect![[r#"
        {"text":"<user>My tomatoes sulk.<assistant>Water them,\nin the morning."}
        {"text":"<user>Why late?<assistant>The moon was talking."}
    "#]]
    .assert_eq(&files["train.jsonl"]);
    assert_eq!(written.left_out, BTreeMap::from([("the template refuses sugar".to_owned(), 1)]));
}

/// Examples without their names, which depend on the file they came from.
fn words(prepared: &Prepared) -> Vec<Vec<Message>> {
    let mut words: Vec<_> = prepared.train.iter().map(|example| example.messages.clone()).collect();
    words.sort_by_key(|messages| format!("{messages:?}"));
    words
}

#[test]
fn what_is_written_is_read_again() {
    let letters =
        (&[("a.txt", LETTERS)][..], vec!["alpaca", "completion", "question-answer", "q-a", "table"]);
    let dialogues = (&[("d.jsonl", DIALOGUES)][..], vec!["messages"]);
    for (files, shapes) in [letters, dialogues] {
        let (_folder, prepared) = with(files, &whole());
        for shape in shapes {
            let (files, _) = made(shape, &material(&prepared));
            let (name, text) = files.iter().find(|(name, _)| name.starts_with("train")).unwrap();
            let (_folder, again) = with(&[(name, text)], &whole());
            assert_eq!(words(&again), words(&prepared), "{shape}");
        }
    }
}

const PAIRS: &str = concat!(
    r#"{"tweet_id":"1","tweet":"What makes a good kettle?","tweet_author":"bob","tweet_likes":300,"tweet_retweets":20,"tweet_created_at":"2024-01-01T12:00:00Z","reply_id":"2","reply":"One that knows when to be quiet, mostly.","reply_author":"cy","reply_author_followers":5000,"reply_likes":50,"reply_created_at":"2024-01-01T12:30:00Z","reply_time_diff_seconds":1800,"collected_at":"2024-01-01T13:00:00Z"}"#,
    "\n",
    r#"{"tweet_id":"3","tweet":"Is the lid on?","tweet_author":"dee","tweet_likes":210,"tweet_retweets":12,"tweet_created_at":"2024-01-02T12:00:00Z","reply_id":"4","reply":"No.","reply_author":"eve","reply_author_followers":900,"reply_likes":6,"reply_created_at":"2024-01-02T12:10:00Z","reply_time_diff_seconds":600,"collected_at":"2024-01-02T13:00:00Z"}"#,
    "\n",
);

#[test]
fn pairs_of_tweets_go_through_field_by_field() {
    let mut settings = Settings { voice: vec!["*".into()], ..whole() };
    settings.validate.min_chars = 10;
    let dirty = PAIRS.replace("quiet,", "quiet,\u{200b}");
    let (folder, prepared) = with(&[("pairs.jsonl", &dirty)], &settings);
    let raw = raw(folder.path(), &settings).unwrap();
    let (files, written) = made("tweet-pairs", &Material { raw: &raw, ..material(&prepared) });
    assert_eq!(files["raw.jsonl"], dirty);
    let verdicts = [
        r#","validation":{"valid":true,"reasons":[],"validated_at":"2026-11-28T12:00:00Z"}}"#,
        r#","validation":{"valid":false,"reasons":["length"],"validated_at":"2026-11-28T12:00:00Z"}}"#,
    ];
    let expected: String = PAIRS
        .lines()
        .zip(verdicts)
        .map(|(line, verdict)| [line.strip_suffix('}').unwrap(), verdict, "\n"].concat())
        .collect();
    assert_eq!(files["validated.jsonl"], expected);
    assert_eq!(written.records["raw.jsonl"], 2);
    let (_folder, again) = with(&[("raw.jsonl", &files["raw.jsonl"])], &settings);
    assert_eq!(words(&again), words(&prepared));
}

#[test]
fn a_name_that_is_none_lists_those_there_are() {
    let error = find("chatml").unwrap_err().to_string();
    assert!(error.contains("`chatml`") && error.contains("messages, dialogues, sharegpt"), "{error}");
}
