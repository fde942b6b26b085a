//! Running text and posts with nothing before them: the model learns to write them from the first word.
//!
//! A title that is part of the text is its first line; one that comes from a file's name is not.

use super::passage::overlapping;
use super::{Made, Way, chars, text, words};
use crate::Settings;
use crate::document::{Body, Document, Kind};
use crate::issue::Code;
use crate::settings::Form;
use penname_token::{Message, Role};

pub(super) const WAY: Way = Way {
    name: "completion",
    about: "nothing asks; posts and passages stand alone, if `compose.form` says `complete`",
    takes: |document, settings| {
        settings.compose.form == Form::Complete && matches!(document.body, Body::Text(_))
    },
    expected: |document, settings| match is_whole(document, settings) {
        true => usize::from(!text(document).trim().is_empty()),
        false => super::passage::expected(document, settings),
    },
    make,
};

/// Whether it is short enough to stay in one piece.
fn is_whole(document: &Document, settings: &Settings) -> bool {
    document.kind == Kind::Post && words(text(document)) <= settings.compose.post_words
}

fn make(document: &Document, settings: &Settings, made: &mut Made) {
    let body = text(document);
    if body.trim().is_empty() {
        return made.reject(document, Code::Empty, "texts without words", document.chars());
    }
    let title = document.title.as_ref().filter(|title| title.given && !title.text.trim().is_empty());
    let given = document.title.as_ref().filter(|title| title.given).map_or(0, |title| chars(&title.text));
    match is_whole(document, settings) {
        true => {
            let whole = body.trim();
            made.tally.drop("blank space", chars(body) - chars(whole));
            alone(document, settings, title.map(|title| title.text.as_str()), given, whole, made);
        }
        false => {
            let mut title = title.map(|title| title.text.as_str());
            let mut given = given;
            overlapping(body, settings, made, |passage, made| {
                alone(document, settings, title.take(), std::mem::take(&mut given), passage, made);
            });
        }
    }
}

/// One text by itself, its title above it. `given` counts the characters of a title in the text.
fn alone(
    document: &Document,
    settings: &Settings,
    title: Option<&str>,
    given: u64,
    body: &str,
    made: &mut Made,
) {
    let whole = match title {
        Some(title) => {
            made.tally.added += 2;
            format!("{title}\n\n{body}")
        }
        None => {
            made.tally.drop("empty titles", given);
            body.to_owned()
        }
    };
    made.voice += chars(&whole);
    made.push(document, settings, vec![Message::new(Role::Assistant, whole)]);
}

#[cfg(test)]
mod tests {
    use super::super::show;
    use super::*;
    use crate::document::Title;
    use expect_test::{Expect, expect};

    fn check(kind: Kind, title: Option<&str>, body: &str, expected: Expect) {
        let title = title.map(|text| Title { text: text.to_owned(), given: true });
        let document = Document::new("p", 0, kind, title, Body::Text(body.to_owned()));
        let mut settings = Settings::default();
        settings.compose.form = Form::Complete;
        settings.compose.passage_words = 20;
        settings.compose.overlap_words = 6;
        expected.assert_eq(&show(&document, &settings));
    }

    #[test]
    fn texts_stand_alone() {
        check(
            Kind::Post,
            Some("On Tea"),
            "It is wet. ",
            expect![[r#"
                Assistant "On Tea\n\nIt is wet."
                voice 18 prompt 0 added 2
                blank space: 1
            "#]],
        );
        check(
            Kind::Text,
            None,
            " ",
            expect![[r#"
            voice 0 prompt 0 added 0
            texts without words: 1
        "#]],
        );
    }

    #[test]
    fn passages_overlap_in_whole_sentences() {
        let body = "The kettle sang on the hob all morning long and nobody heard it sing at all, for nobody was in. \
                    The cat slept.\n\nAt noon the door opened and a cold wind came in. The kettle stopped at once. So it goes with kettles.";
        check(
            Kind::Text,
            None,
            body,
            expect![[r#"
            Assistant "The kettle sang on the hob all morning long and nobody heard it sing at all, for nobody was in. The cat slept."
            Assistant "The cat slept.\n\nAt noon the door opened and a cold wind came in. The kettle stopped at once. So it goes with kettles."
            voice 227 prompt 0 added 0
        "#]],
        );
    }
}
