//! Questions and answers told apart by a marker at the beginning of a line, in any case, with a
//! number or Markdown emphasis around it: `QUESTION:`, `Question 12:`, `**A:**`.
//!
//! A question or answer runs to the next marker, blank lines included. What stands before the
//! first question is nobody's.

use std::ops::Range;

use super::partition::Partition;
use super::{Claim, Reading, Source, claim};
use crate::clean::lines;
use crate::document::{Body, Document, Kind, Speaker, Turn};

/// The markers of one format, in lower case and without the colon.
#[derive(Debug)]
pub(super) struct Markers {
    pub(super) question: &'static str,
    pub(super) answer: &'static str,
    pub(super) shown: &'static str,
}

/// A stretch of text behind a marker.
struct Stretch {
    speaker: Speaker,
    /// From the marker's line to the next marker.
    range: Range<usize>,
    /// Where the words begin.
    words: usize,
}

/// A text that opens with a question, or holds two pairs at least.
pub(super) fn claims(source: &Source<'_>, markers: &Markers) -> Option<Claim> {
    let stretches = stretches(source.text, markers);
    let questions = stretches.iter().filter(|s| s.speaker == Speaker::Other).count();
    let answers = stretches.len() - questions;
    let opens = stretches
        .first()
        .is_some_and(|s| s.speaker == Speaker::Other && source.text[..s.range.start].trim().is_empty());
    match () {
        () if opens && answers > 0 => claim(70, format!("the text opens with {}", markers.shown)),
        () if questions.min(answers) >= 2 => {
            claim(60, format!("{questions} lines begin with {}", markers.shown))
        }
        () => None,
    }
}

/// One document per question. A second answer marker goes on with the answer.
pub(super) fn read(source: &Source<'_>, markers: &Markers) -> Reading {
    let stretches = stretches(source.text, markers);
    let mut partition = Partition::new(source.text);
    let mut reading = Reading::default();
    let first = stretches.first().map_or(source.text.len(), |s| s.range.start);
    partition.drop(0..first, "before the first question");
    let mut turns: Vec<Turn> = Vec::new();
    for stretch in &stretches {
        if stretch.speaker == Speaker::Other {
            push(&mut reading, source.path, &mut turns);
        }
        let text = partition.keep(stretch.words..stretch.range.end).to_owned();
        turns.push(Turn { speaker: stretch.speaker, text });
    }
    push(&mut reading, source.path, &mut turns);
    reading.tally = partition.finish();
    reading
}

fn push(reading: &mut Reading, path: &str, turns: &mut Vec<Turn>) {
    if !turns.is_empty() {
        let (position, body) = (reading.documents.len(), Body::Turns(std::mem::take(turns)));
        reading.documents.push(Document::new(path, position, Kind::Dialogue, None, body));
    }
}

fn stretches(text: &str, markers: &Markers) -> Vec<Stretch> {
    let mut found: Vec<Stretch> = Vec::new();
    for (at, line) in lines(text) {
        let question = marked(line, markers.question).map(|words| (Speaker::Other, words));
        let hit = question.or_else(|| marked(line, markers.answer).map(|words| (Speaker::Voice, words)));
        if let Some((speaker, words)) = hit {
            if let Some(last) = found.last_mut() {
                last.range.end = at;
            }
            found.push(Stretch { speaker, range: at..text.len(), words: at + words });
        }
    }
    found
}

/// Bytes of the marker a line begins with, up to where its words begin.
fn marked(line: &str, label: &str) -> Option<usize> {
    let emphasis = |c: char| matches!(c, '*' | '_' | '#' | ' ' | '\t');
    let rest = line.trim_start_matches(emphasis);
    let (head, rest) = rest.split_at_checked(label.len())?;
    if !head.eq_ignore_ascii_case(label) {
        return None;
    }
    let rest = rest.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit());
    let rest = rest.trim_start_matches(['*', '_']).strip_prefix([':', '：'])?;
    Some(line.len() - rest.trim_start_matches(['*', '_']).len())
}

#[cfg(test)]
mod tests {
    use super::super::{qa, question_answer, read_with};
    use super::*;
    use expect_test::{Expect, expect};
    use std::fmt::Write;

    fn check(format: &super::super::Format, text: &str, expected: Expect) {
        let reading = read_with(format, "p", text);
        let mut seen = String::new();
        for document in &reading.documents {
            writeln!(seen, "{:?} -> {:?}", document.others(), document.voice()).unwrap();
        }
        for (reason, chars) in &reading.tally.dropped {
            writeln!(seen, "{reason}: {chars}").unwrap();
        }
        expected.assert_eq(&seen);
    }

    #[test]
    fn answers_run_over_blank_lines_to_the_next_question() {
        let text = "Letters\n\nQUESTION: Is tea\na meal?\n\nanswer:\nNo.\n\nBut toast is.\n\nQuestion 2: And cake?\nANSWER: Yes.\n";
        check(
            &question_answer::FORMAT,
            text,
            expect![[r#"
                "Is tea\na meal?" -> "No.\n\nBut toast is."
                "And cake?" -> "Yes."
                before the first question: 9
                blank space: 1
                format marks: 43
            "#]],
        );
    }

    #[test]
    fn emphasis_and_missing_answers_are_understood() {
        let text = "**Q:** One?\n**A:** Yes.\nA: Twice.\n\nQ: Two?\nQ: Three?\nA:\n";
        check(
            &qa::FORMAT,
            text,
            expect![[r#"
                "One?" -> "Yes.\nTwice."
                "Two?" -> ""
                "Three?" -> ""
                format marks: 32
            "#]],
        );
    }

    #[test]
    fn words_that_only_look_like_markers_are_left() {
        assert_eq!(marked("Questions: many", "question"), None);
        assert_eq!(marked("A thing: this", "a"), None);
        assert_eq!(marked("a", "question"), None);
        assert_eq!(marked("é", "q"), None);
        assert_eq!(marked("Q12: x", "q"), Some(4));
    }
}
