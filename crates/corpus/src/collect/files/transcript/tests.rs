//! Transcripts as people keep them, read by the built-in profiles.

use expect_test::{Expect, expect};

use super::super::tests::{assert_accounted, conversations, with_source};
use super::super::{Reading, chars, choose as choose_format};
use super::FORMAT;
use crate::Settings;

fn read(voice: &str, path: &str, text: &str, settings: Settings) -> (String, Reading) {
    let settings = Settings { voice: vec![voice.to_owned()], ..settings };
    with_source(path, text, &settings, |source| {
        let (format, why) = choose_format(source);
        let reading = (format.read)(source);
        assert_accounted(&reading, chars(text));
        (format!("{} ({why})", format.name), reading)
    })
}

fn check(voice: &str, text: &str, expected: Expect) {
    let (format, reading) = read(voice, "p.md", text, Settings::default());
    expected.assert_eq(&format!("{format}\n{}", conversations(&reading)));
}

const CHAT: &str = "The Kettle Hour, live\nMay 3, 2024 at 12:00 p.m.\n\nQ. The kettle\nIt sings at night.\n2 Likes\nShould I worry?\n\
    12:05 p.m. EDT\nA.\nOttoline Peck\nAdvice columnist\nOnly if it takes requests.\n\nOtherwise sleep.\nPress Enter to expand\n14 Likes\n\
    Guest 7: Two sugars?\nReply\nOttoline Peck: One. You are not a horse.\nShare\n";

#[test]
fn a_saved_chat_becomes_pairs_without_its_page() {
    check(
        "Ottoline Peck",
        CHAT,
        expect![[r#"
            transcript (its lines are those of `wapo-chat`)
            Other "The kettle\nIt sings at night.\nShould I worry?" / Voice "Only if it takes requests.\n\nOtherwise sleep."
            Other "Two sugars?" / Voice "One. You are not a horse."
            before the first turn: 21
            blank space: 11
            buttons and counters: 101
            format marks: 48
        "#]],
    );
}

#[test]
fn labels_put_on_by_hand_change_nothing() {
    let labelled = |documents: &[crate::Document]| -> String {
        documents.iter().map(|d| format!("QUESTION: {}\n\nANSWER: {}\n\n", d.others(), d.voice())).collect()
    };
    let forced = || {
        let mut settings = Settings::default();
        settings.format.insert(".md".into(), "wapo-chat".into());
        settings
    };
    let (_, first) = read("Ottoline Peck", "p.md", CHAT, forced());
    let once = labelled(&first.documents);
    let (_, second) = read("Ottoline Peck", "p.md", &once, forced());
    assert_eq!(first.documents, second.documents);
    let twice = once.replace("QUESTION: ", "QUESTION: Q: ").replace("ANSWER: ", "ANSWER: A: ");
    let (format, third) = read("Ottoline Peck", "p.md", &twice, forced());
    assert_eq!(format, "transcript (the settings say so for `.md`)");
    assert_eq!(first.documents, third.documents);
}

#[test]
fn a_room_becomes_the_turns_of_one_speaker() {
    check(
        "ann",
        "--- Log opened Mon\n[23:58] <bob> ann: is it on?\n=== cy entered the room.\n[23:58] <cy> hello\n[23:59] <@ann> bob: it is\n\
         [23:59] <ann> since noon\n[00:01] * bob cheers\n[00:02] <bob> thanks\n[00:03] <ann> good night\n[00:03] -eval- error\nsome line\n[09:00] <cy> morning\n",
        expect![[r#"
            transcript (its lines are those of `irc`)
            Other "ann: is it on?" / Voice "bob: it is\nsince noon" / Other "thanks" / Voice "good night"
            blank space: 5
            format marks: 104
            lines of no known kind: 9
            notices: 82
            talk the voice did not answer: 12
        "#]],
    );
}

#[test]
fn an_interview_needs_a_named_voice() {
    let text = "On tides\n\nInterviewer: When did you begin?\n\nEdda Vane: Late.\n\nAnd slowly.\n[laughter]\nInterviewer: And now?\n\
        EDDA VANE: Later still.\n";
    check(
        "Edda Vane",
        text,
        expect![[r#"
            transcript (its lines are those of `speakers`)
            Other "When did you begin?" / Voice "Late.\n\nAnd slowly." / Other "And now?" / Voice "Later still."
            before the first turn: 8
            blank space: 3
            format marks: 53
            notices: 10
        "#]],
    );
    let (format, _) = read("Somebody Else", "p.md", text, Settings::default());
    assert_eq!(format, "markdown (the name ends in .md)");
}

#[test]
fn nobody_named_is_a_question_to_the_person() {
    let settings = Settings::default();
    let text = "[1:00] <a> x\n[1:01] <b> y\n[1:02] <a> x\n[1:03] <b> y\n[1:04] <a> x\n";
    let reading = with_source("p", text, &settings, |source| (FORMAT.read)(source));
    expect![[r#"
        blank space: 1
        conversations without the voice: 5
        format marks: 59
        Bad: whose voice is it? name one of them in `corpus.voice`: a (3), b (2)
    "#]]
    .assert_eq(&conversations(&reading));
}
