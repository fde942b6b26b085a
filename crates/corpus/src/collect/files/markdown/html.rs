//! HTML inside a post: tags go, words stay, and what a browser would break is broken.

use std::ops::Range;

use crate::clean::decode_entity;
use crate::edit::Edit;

pub(super) const TAGS: &str = "html tags";
const HIDDEN: &str = "html that shows no words";
const ENTITIES: &str = "html entities";

/// Elements whose content is not the author's text.
const HIDDEN_ELEMENTS: &[&str] =
    &["script", "style", "iframe", "object", "svg", "noscript", "template", "form", "video", "audio", "head"];
/// Elements that end a paragraph.
const BLOCKS: &[&str] = &[
    "p",
    "div",
    "blockquote",
    "ul",
    "ol",
    "table",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "pre",
    "section",
    "article",
    "header",
    "footer",
    "figure",
    "hr",
    "dl",
];
/// Elements that end a line.
const LINES: &[&str] = &["br", "li", "tr", "dt", "dd", "figcaption", "option"];

/// A tag as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    name: &'a str,
    is_end: bool,
    /// Bytes it takes.
    pub(super) length: usize,
}

/// The tag or comment a text begins with; a comment has an empty name.
pub(super) fn tag(text: &str) -> Option<Tag<'_>> {
    if text.starts_with("<!--") {
        let length = text.find("-->").map_or(text.len(), |end| end + 3);
        return Some(Tag { name: "", is_end: false, length });
    }
    let inner = text.strip_prefix('<')?;
    let is_end = inner.starts_with('/');
    let name = inner.trim_start_matches(['/', '!', '?']);
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(name.len());
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let length = starts_well.then(|| end_of_tag(text)).flatten()?;
    Some(Tag { name: &name[..end], is_end, length })
}

/// Bytes up to and with the `>` that is not in quotes.
fn end_of_tag(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, b) in text.bytes().enumerate() {
        match (quote, b) {
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') => quote = Some(b),
            (Some(open), b) if open == b => quote = None,
            _ => {}
        }
    }
    // An apostrophe in a careless tag opens a quote that never ends.
    text.find('>').map(|at| at + 1)
}

impl Tag<'_> {
    /// The line feeds a browser would make of it.
    pub(super) fn feeds(&self) -> &'static str {
        let is = |list: &[&str]| list.iter().any(|name| name.eq_ignore_ascii_case(self.name));
        match () {
            () if is(BLOCKS) => "\n\n",
            () if is(LINES) && (!self.is_end || self.name.eq_ignore_ascii_case("tr")) => "\n",
            () => "",
        }
    }

    /// Whether what follows it, up to its end tag, is no text.
    pub(super) fn hides(&self) -> bool {
        !self.is_end && HIDDEN_ELEMENTS.iter().any(|name| name.eq_ignore_ascii_case(self.name))
    }

    /// Whether this ends what `name` began to hide.
    pub(super) fn ends(&self, name: &str) -> bool {
        self.is_end && self.name.eq_ignore_ascii_case(name)
    }

    /// Its name in lower case.
    pub(super) fn name(&self) -> String {
        self.name.to_ascii_lowercase()
    }
}

/// Lists the edits for a block of HTML at `range` of a text.
pub(super) fn find(text: &str, range: Range<usize>) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let rest = &text[at..range.end];
        let Some(found) = rest.find(['<', '&', '\n']) else { break };
        at += found;
        let rest = &text[at..range.end];
        at += match rest.as_bytes()[0] {
            b'<' => markup(rest, at, &mut edits),
            b'&' => entity(rest, at, &mut edits),
            _ => feed(text, at, &mut edits),
        };
    }
    edits
}

fn markup(rest: &str, at: usize, edits: &mut Vec<Edit>) -> usize {
    let Some(tag) = tag(rest) else { return 1 };
    if tag.hides() {
        let close = format!("</{}", tag.name());
        let body = rest[tag.length..].to_ascii_lowercase().find(&close);
        let end = body.map_or(rest.len(), |found| tag.length + found);
        edits.push(Edit::cut(at..at + end, HIDDEN));
        return end;
    }
    edits.push(Edit::replace(at..at + tag.length, tag.feeds(), TAGS));
    tag.length
}

fn entity(rest: &str, at: usize, edits: &mut Vec<Edit>) -> usize {
    let Some((length, with)) = decode_entity(rest) else { return 1 };
    edits.push(Edit::replace(at..at + length, with, ENTITIES));
    length
}

/// A line feed in HTML is a space, and none at all beside a tag that breaks the line itself.
fn feed(text: &str, at: usize, edits: &mut Vec<Edit>) -> usize {
    let after = text[at + 1..].trim_start();
    let beside = text[..at].trim_end().ends_with('>') || after.is_empty() || after.starts_with('<');
    edits.push(Edit::replace(at..at + 1, if beside { "" } else { " " }, TAGS));
    1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::apply;

    fn check(text: &str, expected: &str) {
        assert_eq!(apply(text, find(text, 0..text.len())).text, expected);
    }

    #[test]
    fn words_stay_and_lines_break_where_a_browser_would() {
        check(
            "<p>One<br />\ntwo\nthree</p>\n<p>Fish &amp; <i class='a>b'>chips</i></p>",
            "\n\nOne\ntwo three\n\n\n\nFish & chips\n\n",
        );
        check("a<script>if (a < b) { x }</script>b<!-- note -->c", "abc");
        check("1 < 2 and <3 <", "1 < 2 and <3 <");
        check("<ul><li>a</li><li>b</li></ul>", "\n\n\na\nb\n\n");
        check("<style>never closed", "");
    }
}
