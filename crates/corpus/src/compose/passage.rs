//! Running text in passages of whole sentences, without overlap unless asked for; each is asked for
//! with the title or with the sentence before it.

use super::post::open_with_itself;
use super::{Made, Way, chars, fill, text, words};
use crate::Settings;
use crate::document::{Body, Document};
use crate::issue::Code;
use crate::sentence::{passages, sentences};

pub(super) const WAY: Way = Way {
    name: "passage",
    about: "the title or the sentence before asks, the passage answers",
    takes: |document, _| matches!(document.body, Body::Text(_)),
    expected,
    make,
};

/// A rest shorter than half a passage joins the one before, more or less.
pub(super) fn expected(document: &Document, settings: &Settings) -> usize {
    let (n_words, target) = (words(text(document)), settings.compose.passage_words.max(1));
    if n_words == 0 { 0 } else { ((n_words + target / 2) / target).max(1) }
}

fn make(document: &Document, settings: &Settings, made: &mut Made) {
    let body = text(document);
    let title = document.title.as_ref();
    let title_chars = title.filter(|title| title.given).map_or(0, |title| chars(&title.text));
    if body.trim().is_empty() {
        return made.reject(document, Code::Empty, "texts without words", document.chars());
    }
    let title = title.filter(|title| says_something(&title.text));
    if title.is_some() {
        made.prompt += title_chars;
    } else {
        made.tally.drop("headings", title_chars);
    }
    let continued = |text: &str| fill(&settings.compose.continue_prompt, "{text}", text);
    let mut n = 0;
    let mut before = String::new();
    overlapping(body, settings, made, |passage, made| {
        match title {
            Some(title) if n == 0 => {
                made.voice += chars(passage);
                let asked = fill(&settings.compose.title_prompt, "{title}", &title.text);
                made.ask(document, settings, asked, passage);
            }
            _ if n == 0 => open_with_itself(document, settings, passage, continued, made),
            _ => {
                made.voice += chars(passage);
                made.ask(document, settings, continued(&before), passage);
            }
        }
        before = asking(passage, settings).to_owned();
        n += 1;
    });
}

/// The sentence of a passage that asks for the next one: the last that is not repeated there.
fn asking<'a>(passage: &'a str, settings: &Settings) -> &'a str {
    let sentences = sentences(passage);
    let repeated = repeated(passage, settings.compose.overlap_words);
    let last = sentences.iter().rev().find(|sentence| sentence.end <= repeated);
    last.or(sentences.first()).map_or(passage, |sentence| &passage[sentence.clone()])
}

/// Where the sentences begin with which the next passage begins again; its end when there are none.
/// A passage is never repeated whole.
fn repeated(passage: &str, overlap_words: usize) -> usize {
    let sentences = sentences(passage);
    let mut start = passage.len();
    for sentence in sentences.iter().skip(1).rev() {
        if words(&passage[sentence.start..]) > overlap_words {
            break;
        }
        start = sentence.start;
    }
    start
}

/// Visits the passages of a text, each beginning with the last sentences of the one before as far as
/// the settings say so, and accounts for what lies between them and for what is there twice.
pub(super) fn overlapping(
    body: &str,
    settings: &Settings,
    made: &mut Made,
    mut visit: impl FnMut(&str, &mut Made),
) {
    let (mut at, mut start) = (0, None);
    for range in passages(body, settings.compose.passage_words) {
        let begin = start.unwrap_or(range.start);
        match begin < at {
            // The blanks between are part of the passage then.
            true => made.repeated += chars(&body[begin..at]),
            false => made.tally.drop("blank space", chars(&body[at..range.start])),
        }
        visit(&body[begin..range.end], made);
        let passage = &body[range.clone()];
        start = Some(range.start + repeated(passage, settings.compose.overlap_words))
            .filter(|start| *start < range.end);
        at = range.end;
    }
    made.tally.drop("blank space", chars(&body[at..]));
}

/// Whether a heading says more than where in the book it stands: `CHAPTER IV.` does not.
fn says_something(title: &str) -> bool {
    let place = |word: &str| {
        matches!(word, "chapter" | "part" | "book" | "section" | "volume" | "canto" | "the" | "letter")
            || word.chars().all(|c| c.is_ascii_digit() || "ivxlcdm".contains(c))
    };
    let lower = title.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).any(|word| !place(word))
}

#[cfg(test)]
mod tests {
    use super::super::show;
    use super::*;
    use crate::document::{Kind, Title};
    use expect_test::{Expect, expect};

    fn check(title: Option<&str>, body: &str, expected: Expect) {
        let title = title.map(|text| Title { text: text.to_owned(), given: true });
        let document = Document::new("p", 0, Kind::Text, title, Body::Text(body.to_owned()));
        let mut settings = Settings::default();
        settings.compose.passage_words = 20;
        expected.assert_eq(&show(&document, &settings));
    }

    #[test]
    fn passages_ask_for_each_other() {
        let long = "The kettle sang on the hob all morning long. Nobody heard it sing, for nobody was in. \
                    The cat slept.\n\nAt noon the door opened and a cold wind came in. The kettle stopped. So it goes with kettles.";
        check(
            Some("THE KETTLE"),
            long,
            expect![[r#"
            User "Write about: THE KETTLE" / Assistant "The kettle sang on the hob all morning long. Nobody heard it sing, for nobody was in. The cat slept."
            User "Continue this text:\n\nThe cat slept." / Assistant "At noon the door opened and a cold wind came in. The kettle stopped. So it goes with kettles."
            voice 193 prompt 10 added 0
            blank space: 2
        "#]],
        );
        check(
            Some("CHAPTER IV."),
            "One sentence opens. Another follows it.",
            expect![[r#"
            User "Continue this text:\n\nOne sentence opens." / Assistant "Another follows it."
            voice 19 prompt 19 added 0
            blank space: 1
            headings: 11
        "#]],
        );
        check(
            None,
            " ",
            expect![[r#"
            voice 0 prompt 0 added 0
            texts without words: 1
        "#]],
        );
    }

    #[test]
    fn chapter_numbers_say_nothing() {
        assert!(!says_something("CHAPTER XIV."));
        assert!(!says_something("PART 2 -- Book III"));
        assert!(says_something("CHAPTER I. The Kettle"));
    }
}
