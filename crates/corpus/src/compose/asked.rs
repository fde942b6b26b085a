//! Running text in passages, each asked for by questions that a model wrote for it.
//!
//! A passage with two questions makes two examples, which stay together in training or in what is held
//! out, because they are of one document. No word of a question is counted as the author's.

use super::passage::overlapping;
use super::{Made, chars, passage, text, words};
use crate::Settings;
use crate::ask::settings::Without;
use crate::ask::{Found, Questions};
use crate::document::{Document, Kind};
use crate::issue::Code;
use penname_token::{Message, Role};

/// About how many examples it makes.
pub(super) fn expected(document: &Document, settings: &Settings) -> usize {
    let n_passages = match is_whole(document, settings) {
        true => usize::from(!text(document).trim().is_empty()),
        false => passage::expected(document, settings),
    };
    n_passages * settings.ask.questions
}

/// Whether it is a post that stays in one piece.
fn is_whole(document: &Document, settings: &Settings) -> bool {
    document.kind == Kind::Post && words(text(document)) <= settings.compose.post_words
}

/// Visits the passages of a document, and accounts for what lies between them.
pub(crate) fn visit(
    document: &Document,
    settings: &Settings,
    made: &mut Made,
    mut visit: impl FnMut(&str, &mut Made),
) {
    let body = text(document);
    if !is_whole(document, settings) {
        return overlapping(body, settings, made, visit);
    }
    let whole = body.trim();
    made.tally.drop("blank space", chars(body) - chars(whole));
    if !whole.is_empty() {
        visit(whole, made);
    }
}

pub(super) fn make(document: &Document, settings: &Settings, questions: &Questions, made: &mut Made) {
    if text(document).trim().is_empty() {
        return made.reject(document, Code::Empty, "texts without words", document.chars());
    }
    if let Some(title) = document.title.as_ref().filter(|title| title.given) {
        made.tally.drop("headings", chars(&title.text));
    }
    visit(document, settings, made, |passage, made| {
        made.n_passages += 1;
        match questions.find(&settings.ask, document, (made.n_passages, passage)) {
            Ok(found) => ask(document, settings, passage, &found, made),
            Err(missing) => {
                made.missing.push(*missing);
                alone(document, settings, passage, made);
            }
        }
    });
}

/// A passage with its questions.
fn ask(document: &Document, settings: &Settings, passage: &str, found: &Found, made: &mut Made) {
    for (n, question) in found.questions.iter().enumerate() {
        made.voice += chars(passage);
        if n > 0 {
            made.repeated += chars(passage);
        }
        made.ask(document, settings, question.clone(), passage);
        if let Some(example) = made.examples.last_mut() {
            example.asked = Some(found.asked.clone());
        }
    }
}

/// A passage without a question.
fn alone(document: &Document, settings: &Settings, passage: &str, made: &mut Made) {
    match settings.ask.without {
        Without::Drop => made.tally.drop("passages without a question", chars(passage)),
        Without::Complete => {
            made.voice += chars(passage);
            made.push(document, settings, vec![Message::new(Role::Assistant, passage)]);
        }
    }
}
