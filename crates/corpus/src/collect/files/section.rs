//! A book divided into sections, so that some of it can be held out.

use std::ops::Range;

use super::paragraph::{Paragraph, is_heading, paragraphs};
use super::partition::Partition;
use super::{Source, words};
use crate::document::{Body, Document, Kind, Title};
use crate::sentence::passages;

/// Blank lines that set a heading apart.
const HEADING_BLANKS: usize = 2;
/// Headings from which a text is divided by them.
const MIN_HEADINGS: usize = 3;
/// A text is cut into about this many sections, so that a tenth of them can be held out.
const SECTIONS: usize = 40;
/// Longest section, in passages.
const MAX_PASSAGES: usize = 8;

/// Words from which a text is worth dividing.
pub(super) fn is_long(source: &Source<'_>, text: &str) -> bool {
    words(text) > MAX_PASSAGES * source.settings.compose.passage_words
}

/// One document per section of a text; `title` is that of the whole and goes to the first.
pub(super) fn divide(
    source: &Source<'_>,
    text: &str,
    partition: &mut Partition<'_>,
    title: Option<Title>,
) -> Vec<Document> {
    let passage = source.settings.compose.passage_words;
    let target = (words(text) / SECTIONS).clamp(passage, MAX_PASSAGES * passage);
    let mut title = title;
    let document = |(position, section): (usize, Section)| {
        let heading = section.heading.map(|range| partition.keep(range).to_owned());
        let body = Body::Text(partition.keep(section.body).to_owned());
        let title = title.take().or(heading.map(|text| Title { text, given: true }));
        Document::new(source.path, position, Kind::Text, title, body)
    };
    sections(text, target).into_iter().enumerate().map(document).collect()
}

#[derive(Debug, PartialEq, Eq)]
struct Section {
    heading: Option<Range<usize>>,
    body: Range<usize>,
}

/// Divides a text at its headings and, where that leaves sections much longer than `target`
/// words, at paragraphs or sentences. Of headings in a row the last one counts.
fn sections(text: &str, target: usize) -> Vec<Section> {
    let all = paragraphs(text);
    let is_heading = |p: &Paragraph| is_heading(text, p, HEADING_BLANKS);
    let by_heading = all.iter().filter(|p| is_heading(p)).count() >= MIN_HEADINGS;
    let mut sections: Vec<Section> = Vec::new();
    let mut heading = None;
    let mut n_words = 0;
    for paragraph in all {
        if by_heading && is_heading(&paragraph) {
            heading = Some(paragraph.range);
            continue;
        }
        for piece in pieces(text, paragraph.range, target) {
            let size = words(&text[piece.clone()]);
            match sections.last_mut() {
                Some(last) if heading.is_none() && n_words + size / 2 <= target => last.body.end = piece.end,
                _ => {
                    sections.push(Section { heading: heading.take(), body: piece });
                    n_words = 0;
                }
            }
            n_words += size;
        }
    }
    sections
}

/// A paragraph, or the parts of one that is longer than a section should be.
fn pieces(text: &str, paragraph: Range<usize>, target: usize) -> Vec<Range<usize>> {
    let inner = &text[paragraph.clone()];
    if words(inner) <= 2 * target {
        return vec![paragraph];
    }
    let parts = passages(inner, target).into_iter();
    parts.map(|part| paragraph.start + part.start..paragraph.start + part.end).collect()
}
