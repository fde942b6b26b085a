//! Books of numbered questions, read by a [`Profile`].

use std::ops::Range;

use super::paragraph::{Paragraph, is_heading, paragraphs};
use super::partition::{Partition, trimmed};
use super::profile::Profile;
use super::{Claim, Format, Reading, Source, claim};
use crate::document::{Body, Document, Kind, Speaker, Turn};

/// Longest question, in bytes.
const MAX_QUESTION: usize = 2000;

pub(super) const FORMAT: Format = Format {
    name: "numbered-qa",
    about: "a book of numbered questions, each followed by its answer",
    needs: "",
    yields: "numbered questions",
    plain: true,
    decodes_entities: false,
    claims,
    read,
};

/// Where a question stands: its label (`12. `), its words, and any answer in the same paragraph.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Question {
    words: Range<usize>,
    rest: Range<usize>,
}

fn claims(source: &Source<'_>) -> Option<Claim> {
    let (n, profile) = best(source)?;
    let reason = format!("{n} numbered questions");
    let reason =
        if profile.name == FORMAT.name { reason } else { format!("{reason}, as in `{}`", profile.name) };
    (n >= profile.min_questions).then(|| claim(50, reason)).flatten()
}

/// The profile that finds the most questions, the earlier one among equals.
fn best<'a>(source: &Source<'a>) -> Option<(usize, &'a Profile)> {
    let counted = source.profiles.iter().map(|profile| {
        let mut finder = Finder { text: source.text, profile, last: 0 };
        (paragraphs(source.text).iter().filter(|p| finder.question(p).is_some()).count(), profile)
    });
    counted.rev().max_by_key(|(n, _)| *n)
}

fn read(source: &Source<'_>) -> Reading {
    let Some((_, profile)) = best(source) else { return Reading::default().nothing(source) };
    let text = source.text;
    let mut finder = Finder { text, profile, last: 0 };
    let mut book = Book::new(source);
    for paragraph in paragraphs(text) {
        if is_heading(text, &paragraph, profile.heading_blanks) {
            if book.heading(paragraph.range, &profile.stop_at) {
                break;
            }
        } else if let Some(question) = finder.question(&paragraph) {
            book.question(&question);
        } else {
            book.text(paragraph.range);
        }
    }
    book.finish()
}

/// Finds questions, minding the sequence of their numbers.
struct Finder<'a> {
    text: &'a str,
    profile: &'a Profile,
    last: u32,
}

impl Finder<'_> {
    fn question(&mut self, paragraph: &Paragraph) -> Option<Question> {
        let range = trimmed(self.text, paragraph.range.clone());
        let line = &self.text[range.clone()];
        let (number, label) = self.label(line)?;
        let words = &line[label..];
        let italic = self.profile.italics_ask && words.starts_with('_');
        let in_sequence = number > self.last && number - self.last <= self.profile.max_jump;
        let end = if italic { words.len() } else { question_end(words).filter(|_| in_sequence)? };
        if end > MAX_QUESTION {
            return None;
        }
        // A misprinted number must not put the sequence out.
        self.last = if in_sequence { number } else { self.last + 1 };
        let start = range.start + label;
        Some(Question { words: start..start + end, rest: start + end..range.end })
    }

    /// The number a paragraph begins with, and the bytes up to its words.
    fn label(&self, line: &str) -> Option<(u32, usize)> {
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let number = line[..digits].parse().ok()?;
        let rest = line[digits..].strip_prefix(|c| self.profile.number_ends.contains(c))?;
        let words = rest.trim_start();
        (words.len() < rest.len()).then_some((number, line.len() - words.len()))
    }
}

/// Bytes up to the end of the first sentence that asks, with the marks that close it.
fn question_end(words: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        at += words[at..].find('?')?;
        let after = words[at..].trim_start_matches(['?', '_', '"', '\'', '”', '’', ')']);
        at = words.len() - after.len();
        if after.is_empty() || after.starts_with(char::is_whitespace) {
            return Some(at);
        }
    }
}

/// The book as it is read: what was kept, and why the rest was not.
struct Book<'a> {
    path: &'a str,
    partition: Partition<'a>,
    reading: Reading,
    /// The question being answered, with the bytes of its answer so far.
    open: Option<(String, Option<Range<usize>>)>,
    /// Why text outside any question is dropped.
    outside: String,
}

impl<'a> Book<'a> {
    fn new(source: &Source<'a>) -> Self {
        let outside = "before the first question".to_owned();
        let partition = Partition::new(source.text);
        Self { path: source.path, partition, reading: Reading::default(), open: None, outside }
    }

    fn question(&mut self, question: &Question) {
        self.close();
        let words = self.partition.keep(question.words.clone()).to_owned();
        let rest = (!question.rest.is_empty()).then(|| question.rest.clone());
        self.open = Some((words, rest));
    }

    fn text(&mut self, range: Range<usize>) {
        match &mut self.open {
            Some((_, Some(answer))) => answer.end = range.end,
            Some((_, answer)) => *answer = Some(range),
            None => self.partition.drop(range, &self.outside),
        }
    }

    /// Drops a heading; says whether reading ends here.
    fn heading(&mut self, range: Range<usize>, stop_at: &[String]) -> bool {
        self.close();
        let heading =
            self.partition.text(range.clone()).trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
        let begun = !self.reading.documents.is_empty();
        if begun && stop_at.contains(&heading.to_uppercase()) {
            self.partition.drop(range.start..self.partition.len(), &heading.to_lowercase());
            return true;
        }
        let front = ["PREFACE", "CONTENTS", "INTRODUCTION", "DEDICATION"];
        self.outside = match () {
            () if begun => "chapter openings".to_owned(),
            () if front.contains(&heading.as_str()) => heading.to_lowercase(),
            () => self.outside.clone(),
        };
        self.partition.drop(range, "headings");
        false
    }

    fn close(&mut self) {
        let Some((question, answer)) = self.open.take() else { return };
        let answer = answer.map(|range| self.partition.keep(range).to_owned()).unwrap_or_default();
        let turns = [(Speaker::Other, question), (Speaker::Voice, answer)];
        let turns = turns.into_iter().map(|(speaker, text)| Turn { speaker, text }).collect();
        let position = self.reading.documents.len();
        self.reading.documents.push(Document::new(
            self.path,
            position,
            Kind::Dialogue,
            None,
            Body::Turns(turns),
        ));
    }

    fn finish(mut self) -> Reading {
        self.close();
        self.reading.tally = self.partition.finish();
        self.reading
    }
}

#[cfg(test)]
mod tests {
    use super::super::read_with;
    use super::*;
    use expect_test::expect;
    use std::fmt::Write;

    #[test]
    fn a_book_is_read_from_its_first_question_to_its_index() {
        let text = "THE KETTLE BOOK\n\n\nPREFACE.\n\nI wrote it.\n\n\nTHE WATER\n\n  A motto.\n\n\
            1. _How is it filled_?\n\nFrom the tap.\n\n1. Turn. 2. Fill.\n\n\
            2. _Describe the lid_.\n\nRound.\n\n\n\nTHE FIRE\n\nA word on fire.\n\n\
            3. Is it hot? Yes, very.\n\nMind it.\n\n9. Not a question.\n\n\n\nINDEX\n\nFire, 3\n\n\nNotes.\n";
        let reading = read_with(&FORMAT, "p", text);
        let mut seen = String::new();
        for document in &reading.documents {
            writeln!(seen, "{:?} -> {:?}", document.others(), document.voice()).unwrap();
        }
        for (reason, chars) in &reading.tally.dropped {
            writeln!(seen, "{reason}: {chars}").unwrap();
        }
        expect![[r#"
            "_How is it filled_?" -> "From the tap.\n\n1. Turn. 2. Fill."
            "_Describe the lid_." -> "Round."
            "Is it hot?" -> "Yes, very.\n\nMind it.\n\n9. Not a question."
            blank space: 25
            chapter openings: 15
            format marks: 15
            headings: 40
            index: 24
            preface: 21
        "#]]
        .assert_eq(&seen);
    }

    #[test]
    fn questions_end_where_the_asking_ends() {
        assert_eq!(question_end("Is it \"hot?\" Yes? No."), Some(12));
        assert_eq!(question_end("See www.x.y/?q=1 for more"), None);
        assert_eq!(question_end("Why_?"), Some(5));
    }
}
