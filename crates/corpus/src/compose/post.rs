//! A post is answered whole; its title asks for it, or its first line where it has none.

use super::{Made, Way, chars, fill, text, words};
use crate::Settings;
use crate::document::{Body, Document, Kind};
use crate::issue::Code;
use crate::sentence::sentences;

/// Longest first line that can ask for the rest, in words.
const MAX_PROMPT_WORDS: usize = 40;

pub(super) const WAY: Way = Way {
    name: "post",
    about: "the title or first line asks, the post answers",
    takes: |document, settings| {
        let is_post = document.kind == Kind::Post && matches!(document.body, Body::Text(_));
        is_post && words(text(document)) <= settings.compose.post_words
    },
    expected: |document, _| usize::from(!text(document).trim().is_empty()),
    make,
};

fn make(document: &Document, settings: &Settings, made: &mut Made) {
    let body = text(document);
    let title = document.title.as_ref();
    let title_chars = title.filter(|title| title.given).map_or(0, |title| chars(&title.text));
    if body.trim().is_empty() {
        return made.reject(document, Code::Empty, "posts without text", document.chars());
    }
    match title.filter(|title| !title.text.trim().is_empty()) {
        Some(title) => {
            made.prompt += title_chars;
            made.voice += chars(body);
            made.ask(document, settings, fill(&settings.compose.post_prompt, "{title}", &title.text), body);
        }
        None => {
            made.tally.drop("empty titles", title_chars);
            let ask = |line: &str| fill(&settings.compose.post_prompt, "{title}", line);
            open_with_itself(document, settings, body, ask, made);
        }
    }
}

/// Lets the first line or sentence of a text ask for the rest. A text of one sentence is asked
/// for with nothing of its own.
pub(super) fn open_with_itself(
    document: &Document,
    settings: &Settings,
    body: &str,
    ask: impl Fn(&str) -> String,
    made: &mut Made,
) {
    let first_sentence = || sentences(body).first().map_or(0, |sentence| sentence.end);
    let first_line = body.trim_start().find('\n').map(|at| at + body.len() - body.trim_start().len());
    let end =
        first_line.filter(|end| words(&body[..*end]) <= MAX_PROMPT_WORDS).unwrap_or_else(first_sentence);
    let (head, rest) = body.split_at(end);
    let answer = rest.trim();
    if answer.is_empty() || words(head) > MAX_PROMPT_WORDS {
        let answer = body.trim();
        made.voice += chars(answer);
        made.tally.drop("blank space", chars(body) - chars(answer));
        return made.ask(document, settings, settings.compose.bare_prompt.clone(), answer);
    }
    let asked = head.trim();
    made.prompt += chars(asked);
    made.voice += chars(answer);
    made.tally.drop("blank space", chars(body) - chars(asked) - chars(answer));
    made.ask(document, settings, ask(asked), answer);
}

#[cfg(test)]
mod tests {
    use super::super::show;
    use super::*;
    use crate::document::Title;
    use expect_test::{Expect, expect};

    fn check(title: Option<&str>, body: &str, expected: Expect) {
        let title = title.map(|text| Title { text: text.to_owned(), given: true });
        let document = Document::new("p", 0, Kind::Post, title, Body::Text(body.to_owned()));
        expected.assert_eq(&show(&document, &Settings::default()));
    }

    #[test]
    fn the_title_asks_or_the_opening_does() {
        check(
            Some("On Tea"),
            "It is wet.",
            expect![[r#"
            User "On Tea" / Assistant "It is wet."
            voice 10 prompt 6 added 0
        "#]],
        );
        check(
            None,
            "On tea\n\nIt is wet. Mostly.",
            expect![[r#"
            User "On tea" / Assistant "It is wet. Mostly."
            voice 18 prompt 6 added 0
            blank space: 2
        "#]],
        );
        check(
            None,
            "Tea is wet. Mostly so.",
            expect![[r#"
            User "Tea is wet." / Assistant "Mostly so."
            voice 10 prompt 11 added 0
            blank space: 1
        "#]],
        );
        check(
            None,
            "Tea.",
            expect![[r#"
            User "Write something." / Assistant "Tea."
            voice 4 prompt 0 added 0
        "#]],
        );
        check(
            Some("Tea"),
            "",
            expect![[r#"
            voice 0 prompt 0 added 0
            posts without text: 3
        "#]],
        );
    }
}
