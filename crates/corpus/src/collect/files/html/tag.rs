//! HTML inside a post: tags go, words stay, and what a browser would break is broken.

use std::borrow::Cow;
use std::ops::Range;

use crate::clean::decode_entity;
use crate::edit::Edit;

pub(in crate::collect) const TAGS: &str = "html tags";
const HIDDEN: &str = "html that shows no words";
const ENTITIES: &str = "html entities";

/// Longest tag, in bytes: a bracket that is not closed by then opens none.
const MAX_TAG: usize = 8192;

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
pub(in crate::collect) struct Tag<'a> {
    name: &'a str,
    is_end: bool,
    /// Bytes it takes.
    pub(in crate::collect) length: usize,
}

/// The tag or comment a text begins with; a comment has an empty name.
pub(in crate::collect) fn tag(text: &str) -> Option<Tag<'_>> {
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

/// Bytes up to the end tag of an element whose content is hidden, or to the end of the text.
fn end_of_hidden(text: &str, tag: &Tag<'_>) -> usize {
    let mut closers = text.match_indices("</");
    let closes = |at: usize| {
        let name = text[at + 2..].get(..tag.name.len());
        name.is_some_and(|name| name.eq_ignore_ascii_case(tag.name))
    };
    closers.find(|(at, _)| closes(*at)).map_or(text.len(), |(at, _)| at)
}

/// Bytes up to and with the `>` that is not in quotes.
fn end_of_tag(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, b) in text.bytes().enumerate().take(MAX_TAG) {
        match (quote, b) {
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') => quote = Some(b),
            (Some(open), b) if open == b => quote = None,
            _ => {}
        }
    }
    // An apostrophe in a careless tag opens a quote that never ends.
    text.bytes().take(MAX_TAG).position(|b| b == b'>').map(|at| at + 1)
}

impl<'a> Tag<'a> {
    /// Whether it closes.
    pub(in crate::collect) fn is_end(&self) -> bool {
        self.is_end
    }

    /// Its name as it stands.
    pub(in crate::collect) fn raw_name(&self) -> &'a str {
        self.name
    }

    /// The line feeds a browser would make of it.
    pub(in crate::collect) fn feeds(&self) -> &'static str {
        let is = |list: &[&str]| list.iter().any(|name| name.eq_ignore_ascii_case(self.name));
        match () {
            () if is(BLOCKS) => "\n\n",
            () if is(LINES) && (!self.is_end || self.name.eq_ignore_ascii_case("tr")) => "\n",
            () => "",
        }
    }

    /// Whether what follows it, up to its end tag, is no text.
    pub(in crate::collect) fn hides(&self) -> bool {
        !self.is_end && HIDDEN_ELEMENTS.iter().any(|name| name.eq_ignore_ascii_case(self.name))
    }

    /// Whether this ends what `name` began to hide.
    pub(in crate::collect) fn ends(&self, name: &str) -> bool {
        self.is_end && self.name.eq_ignore_ascii_case(name)
    }

    /// Its name in lower case.
    pub(in crate::collect) fn name(&self) -> String {
        self.name.to_ascii_lowercase()
    }
}

/// Lists the edits for a block of HTML at `range` of a text; `feeds` line feeds stand before it.
/// Returns how many stand at its end.
pub(in crate::collect) fn find(
    text: &str,
    range: Range<usize>,
    feeds: usize,
    edits: &mut Vec<Edit>,
) -> usize {
    let mut block = Block { text, end: range.end, at: range.start, feeds, edits };
    while block.at < block.end {
        let rest = &text[block.at..block.end];
        let plain = rest.find(['<', '&', '\n']).unwrap_or(rest.len());
        if !rest[..plain].trim().is_empty() {
            block.feeds = 0;
        }
        block.at += plain;
        match rest.as_bytes().get(plain) {
            Some(b'<') => block.markup(),
            Some(b'&') => block.entity(),
            Some(_) => block.feed(),
            None => break,
        }
    }
    block.feeds
}

struct Block<'a> {
    text: &'a str,
    end: usize,
    at: usize,
    /// Line feeds since the last words.
    feeds: usize,
    edits: &'a mut Vec<Edit>,
}

impl Block<'_> {
    /// Replaces the next bytes.
    fn edit(&mut self, length: usize, with: impl Into<Cow<'static, str>>, rule: &'static str) {
        self.edits.push(Edit::replace(self.at..self.at + length, with, rule));
        self.at += length;
    }

    fn markup(&mut self) {
        let rest = &self.text[self.at..self.end];
        let Some(tag) = tag(rest) else {
            self.at += 1;
            self.feeds = 0;
            return;
        };
        if tag.hides() {
            let end = end_of_hidden(rest, &tag);
            return self.edit(end, "", HIDDEN);
        }
        let feeds = tag.feeds();
        let missing = &feeds[feeds.len().min(self.feeds)..];
        self.feeds = self.feeds.max(feeds.len());
        self.edit(tag.length, missing, TAGS);
    }

    fn entity(&mut self) {
        self.feeds = 0;
        match decode_entity(&self.text[self.at..self.end]) {
            Some((length, with)) => self.edit(length, with, ENTITIES),
            None => self.at += 1,
        }
    }

    /// A line feed in HTML, with the blanks after it, is a space, and nothing at all beside a tag.
    fn feed(&mut self) {
        let rest = &self.text[self.at..self.end];
        let after = rest.trim_start();
        let before = self.text[..self.at].trim_end();
        let beside = before.ends_with('>') || after.is_empty() || after.starts_with('<');
        self.edit(rest.len() - after.len(), if beside { "" } else { " " }, TAGS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::apply;

    fn check(text: &str, expected: &str) {
        let mut edits = Vec::new();
        find(text, 0..text.len(), 2, &mut edits);
        assert_eq!(apply(text, edits).text, expected);
    }

    #[test]
    fn words_stay_and_lines_break_where_a_browser_would() {
        check(
            "<p>One<br />\ntwo\nthree</p>\n<p>Fish &amp; <i class='a>b'>chips</i></p>",
            "One\ntwo three\n\nFish & chips\n\n",
        );
        check("a<script>if (a < b) { x }</script>b<!-- note -->c", "abc");
        check("1 < 2 and <3 <", "1 < 2 and <3 <");
        check("<ul><li>a</li><li>b</li></ul>", "a\nb\n\n");
        check("<style>never closed", "");
    }
}
