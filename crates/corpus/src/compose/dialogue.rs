//! A dialogue is an example as it is: every turn kept, the voice's turns trained.
//!
//! What no one asked and what no one answered is left out, each with its reason; turns of one
//! speaker in a row become one, because chat templates expect speakers to alternate.

use penname_token::{Message, Role};

use super::{Made, Way, chars};
use crate::Settings;
use crate::document::{Body, Document, Speaker, Turn};
use crate::issue::Code;

pub(super) const WAY: Way = Way {
    name: "dialogue",
    about: "the dialogue itself; the voice's turns are trained",
    takes: |document, _| matches!(document.body, Body::Turns(_)),
    expected: |_, _| 1,
    make,
};

const UNASKED: &str = "answers without a question";
const UNANSWERED: &str = "questions without an answer";
const BESIDE: &str = "answers not to be learned, beside another answer";
const AT_THE_END: &str = "answers not to be learned, at the end";
const LATE_SYSTEM: &str = "system turns inside a dialogue";

fn make(document: &Document, settings: &Settings, made: &mut Made) {
    let Body::Turns(turns) = &document.body else { return };
    if let Some(title) = document.title.as_ref().filter(|title| title.given) {
        made.tally.drop("titles of dialogues", chars(&title.text));
    }
    let messages = alternate(document, turns, made);
    if messages.is_empty() {
        return;
    }
    for message in &messages {
        let counter = if message.is_trained() { &mut made.voice } else { &mut made.prompt };
        *counter += chars(&message.content);
    }
    made.push(document, settings, messages);
}

/// The turns that make sense, speakers alternating, a question first and an answer last.
fn alternate(document: &Document, turns: &[Turn], made: &mut Made) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let mut is_asked = false;
    for turn in turns {
        let (size, blank) = (chars(&turn.text), turn.text.trim().is_empty());
        match (turn.speaker, blank) {
            (Speaker::Other, true) => {
                made.reject(document, Code::EmptyQuestion, "empty questions", size);
                is_asked = false;
            }
            (Speaker::Other, false) => {
                append(&mut messages, Role::User, &turn.text, made);
                is_asked = true;
            }
            (Speaker::Voice | Speaker::Aside, true) => {
                made.reject(document, Code::EmptyAnswer, "empty answers", size);
            }
            (Speaker::Voice, false) if is_asked => append(&mut messages, Role::Assistant, &turn.text, made),
            (Speaker::Aside, false) if is_asked => aside(&mut messages, &turn.text, made),
            (Speaker::Voice | Speaker::Aside, false) => {
                made.reject(document, Code::EmptyQuestion, UNASKED, size)
            }
            (Speaker::System, true) => made.tally.drop("empty system turns", size),
            (Speaker::System, false) if messages.iter().all(|m| m.role == Role::System) => {
                append(&mut messages, Role::System, &turn.text, made);
            }
            (Speaker::System, false) => made.tally.drop(LATE_SYSTEM, size),
        }
    }
    cut_unanswered(document, &mut messages, made);
    messages
}

/// Adds a turn, or goes on with the last one when it is the same speaker's.
fn append(messages: &mut Vec<Message>, role: Role, text: &str, made: &mut Made) {
    match messages.last_mut() {
        Some(last) if last.role == role && last.train.is_none() => {
            last.content.push_str("\n\n");
            last.content.push_str(text);
            made.tally.added += 2;
        }
        Some(last) if last.role == role => {
            made.tally.drop(BESIDE, chars(&last.content));
            *last = Message::new(role, text);
        }
        _ => messages.push(Message::new(role, text)),
    }
}

/// Adds an answer that is not learned. A turn is learned whole or not at all, so where two answers stand
/// side by side, the one that is learned counts.
fn aside(messages: &mut Vec<Message>, text: &str, made: &mut Made) {
    match messages.last() {
        Some(last) if last.role == Role::Assistant => made.tally.drop(BESIDE, chars(text)),
        _ => messages.push(Message { train: Some(false), ..Message::new(Role::Assistant, text) }),
    }
}

/// Drops what follows the last answer that is learned, which is everything when there is none.
fn cut_unanswered(document: &Document, messages: &mut Vec<Message>, made: &mut Made) {
    let end =
        messages.iter().rposition(|m| m.role == Role::Assistant && m.is_trained()).map_or(0, |last| last + 1);
    for message in messages.drain(end..) {
        let size = chars(&message.content);
        match message.role {
            Role::User => made.reject(document, Code::EmptyAnswer, UNANSWERED, size),
            Role::Assistant => made.tally.drop(AT_THE_END, size),
            Role::System => made.tally.drop(UNANSWERED, size),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::show;
    use super::*;
    use crate::document::Kind;
    use expect_test::{Expect, expect};

    fn check(turns: &[(Speaker, &str)], expected: Expect) {
        let turns = turns.iter().map(|(speaker, text)| Turn { speaker: *speaker, text: (*text).to_owned() });
        let document = Document::new("p", 0, Kind::Dialogue, None, Body::Turns(turns.collect()));
        let settings = Settings { persona: Some("You are a cook.".into()), ..Settings::default() };
        expected.assert_eq(&show(&document, &settings));
    }

    use Speaker::{Aside as A, Other as O, System as S, Voice as V};

    #[test]
    fn what_is_not_to_be_learned_is_kept_as_context() {
        check(
            &[(O, "a"), (A, "bb"), (O, "c"), (V, "ddd")],
            expect![[r#"
            System "You are a cook." / User "a" / Assistant "bb" / User "c" / Assistant "ddd"
            voice 3 prompt 4 added 0
        "#]],
        );
        check(
            &[(O, "a"), (A, "bb"), (V, "ddd"), (A, "e"), (O, "f"), (A, "g")],
            expect![[r#"
            System "You are a cook." / User "a" / Assistant "ddd"
            voice 3 prompt 1 added 0
            answers not to be learned, at the end: 1
            answers not to be learned, beside another answer: 3
            questions without an answer: 1
        "#]],
        );
    }

    #[test]
    fn all_turns_are_kept_in_turn() {
        check(
            &[(O, "a"), (V, "b"), (V, "c"), (O, "d"), (O, "e"), (V, "f")],
            expect![[r#"
            System "You are a cook." / User "a" / Assistant "b\n\nc" / User "d\n\ne" / Assistant "f"
            voice 5 prompt 5 added 4
        "#]],
        );
        check(
            &[(S, "rule"), (O, "a"), (S, "late"), (V, "b"), (O, "rest")],
            expect![[r#"
            System "rule" / User "a" / Assistant "b"
            voice 1 prompt 5 added 0
            questions without an answer: 4
            system turns inside a dialogue: 4
        "#]],
        );
    }

    #[test]
    fn what_lacks_its_other_half_is_dropped() {
        check(
            &[(V, "hello"), (O, "a"), (V, "b")],
            expect![[r#"
            System "You are a cook." / User "a" / Assistant "b"
            voice 1 prompt 1 added 0
            answers without a question: 5
        "#]],
        );
        check(
            &[(O, "a"), (V, "b"), (O, " "), (V, "c")],
            expect![[r#"
            System "You are a cook." / User "a" / Assistant "b"
            voice 1 prompt 1 added 0
            answers without a question: 1
            empty questions: 1
        "#]],
        );
        check(
            &[(O, "a"), (V, "")],
            expect![[r#"
            voice 0 prompt 0 added 0
            questions without an answer: 1
        "#]],
        );
        check(
            &[(O, ""), (V, "b")],
            expect![[r#"
            voice 0 prompt 0 added 0
            answers without a question: 1
        "#]],
        );
        check(
            &[],
            expect![[r#"
            voice 0 prompt 0 added 0
        "#]],
        );
    }
}
