//! Plain text: a short piece is one document, a book is divided into sections.

use super::paragraph::{Paragraph, paragraphs};
use super::partition::Partition;
use super::{Format, Reading, Source, claim, section, words};
use crate::document::{Body, Document, Kind, Title};

/// Longest title, in words.
const MAX_TITLE_WORDS: usize = 12;

pub(super) const FORMAT: Format = Format {
    name: "plain",
    about: "text without marks",
    needs: "",
    yields: "text",
    plain: true,
    decodes_entities: false,
    claims: |_| claim(10, "nothing in it says otherwise"),
    read,
};

fn read(source: &Source<'_>) -> Reading {
    let text = source.text;
    let all = paragraphs(text);
    let mut partition = Partition::new(text);
    let mut reading = Reading::default();
    let settings = &source.settings.compose;
    if words(text) <= settings.post_words {
        reading.documents.extend(piece(source.path, text, &all, &mut partition));
    } else {
        reading.documents = section::divide(source, text, &mut partition, None);
    }
    reading.tally = partition.finish();
    reading
}

/// A short text: a post if it opens with a title line, else running text.
fn piece(path: &str, text: &str, all: &[Paragraph], partition: &mut Partition<'_>) -> Option<Document> {
    let (first, last) = (all.first()?, all.last()?);
    let head = &text[first.range.clone()];
    let titled = all.len() > 1
        && !head.contains('\n')
        && words(head) <= MAX_TITLE_WORDS
        && !head.trim_end().ends_with(['.', ',', ';', ':', '!', '"', '”']);
    let title = titled.then(|| Title { text: partition.keep(first.range.clone()).to_owned(), given: true });
    let start = if titled { first.range.end } else { first.range.start };
    let body = partition.keep(start..last.range.end).to_owned();
    let kind = if titled { Kind::Post } else { Kind::Text };
    Some(Document::new(path, 0, kind, title, Body::Text(body)))
}

#[cfg(test)]
mod tests {
    use super::super::read_with;
    use super::*;

    #[test]
    fn a_short_text_is_one_document() {
        let reading = read_with(&FORMAT, "p", "On Tea\n\nIt is wet.\n\nMostly.\n");
        let document = &reading.documents[0];
        assert_eq!((document.kind, document.voice().as_str()), (Kind::Post, "It is wet.\n\nMostly."));
        assert_eq!(document.title.as_ref().unwrap().text, "On Tea");
        let reading = read_with(&FORMAT, "p", "It is wet.\n\nMostly.");
        assert_eq!((reading.documents[0].kind, reading.documents[0].title.clone()), (Kind::Text, None));
    }

    #[test]
    fn a_book_is_divided_at_headings_and_paragraphs() {
        let paragraph = "word ".repeat(200) + "\n\n";
        let chapter = |name: &str, n| format!("\n\n\n{name}\n\n{}", paragraph.repeat(n));
        let text = [chapter("CHAPTER I", 1), chapter("CHAPTER II", 5), chapter("CHAPTER III", 2)].concat();
        let reading = read_with(&FORMAT, "p", &text);
        let seen: Vec<_> = reading
            .documents
            .iter()
            .map(|d| (d.title.as_ref().map(|t| t.text.as_str()), words(&d.voice())))
            .collect();
        let expected = [
            (Some("CHAPTER I"), 200),
            (Some("CHAPTER II"), 400),
            (None, 400),
            (None, 200),
            (Some("CHAPTER III"), 400),
        ];
        assert_eq!(seen, expected);
    }
}
