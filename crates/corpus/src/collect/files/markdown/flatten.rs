//! Markdown marks to plain text: paragraphs, lists and quotes stay, everything else is words.
//!
//! Works on the events of the Markdown reader and their places in the source. What lies between
//! two words becomes one edit: the marks go, and the break a reader would see takes their place.

use std::borrow::Cow;
use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::super::html::tag as html;
use crate::edit::Edit;

const MARKS: &str = "markdown marks";
const TARGETS: &str = "link targets";
const IMAGES: &str = "images";
const NOTES: &str = "footnote marks";
const RULES: &str = "separator lines";
const HIDDEN: &str = "html that shows no words";

/// Lists the edits that make plain text of Markdown.
pub(super) fn find(text: &str) -> Vec<Edit> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_STRIKETHROUGH;
    let mut flat = Flat::new(text);
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        flat.event(event, range);
    }
    flat.skip(text.len()..text.len(), MARKS);
    flat.edits
}

/// The text as it is being flattened.
struct Flat<'a> {
    text: &'a str,
    edits: Vec<Edit>,
    /// The byte up to which everything has been decided.
    at: usize,
    /// Line feeds due before the next words; none before the first.
    feeds: usize,
    begun: bool,
    /// Marks due before the next words: `- `, `2. `.
    bullet: String,
    /// Numbers of the lists that are open; `None` for bullets.
    lists: Vec<Option<u64>>,
    quotes: usize,
    images: usize,
    /// The HTML element whose content shows no words.
    hidden: Option<String>,
    html_start: Option<usize>,
    first_cell: bool,
}

impl<'a> Flat<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            edits: Vec::new(),
            at: 0,
            feeds: 0,
            begun: false,
            bullet: String::new(),
            lists: Vec::new(),
            quotes: 0,
            images: 0,
            hidden: None,
            html_start: None,
            first_cell: false,
        }
    }

    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(&tag, range),
            Event::End(tag) => self.end(tag, range),
            Event::Text(words) | Event::Code(words) => self.words(&words, range),
            Event::SoftBreak => self.line_break(range, " "),
            Event::HardBreak => self.line_break(range, "\n"),
            Event::Rule => {
                self.skip(range, RULES);
                self.want(2);
            }
            Event::InlineHtml(_) => self.inline_html(range),
            Event::FootnoteReference(_) => self.skip(range, NOTES),
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>, range: Range<usize>) {
        match tag {
            Tag::Paragraph | Tag::Heading { .. } | Tag::CodeBlock(_) | Tag::Table(_) => self.want(2),
            Tag::FootnoteDefinition(_) => self.want(2),
            Tag::HtmlBlock => self.html_start = Some(range.start),
            Tag::BlockQuote(_) => {
                self.want(2);
                self.quotes += 1;
            }
            Tag::List(number) => {
                self.want(if self.lists.is_empty() { 2 } else { 1 });
                self.lists.push(*number);
            }
            Tag::Item => self.item(),
            Tag::TableHead | Tag::TableRow => {
                self.want(1);
                self.first_cell = true;
            }
            Tag::TableCell => {
                let is_first = std::mem::take(&mut self.first_cell);
                self.bullet = if is_first { String::new() } else { " | ".to_owned() };
            }
            Tag::Image { .. } => self.images += 1,
            _ => {}
        }
    }

    fn item(&mut self) {
        self.want(1);
        let depth = self.lists.len().saturating_sub(1);
        let mark = match self.lists.last_mut() {
            Some(Some(number)) => {
                *number += 1;
                format!("{}. ", *number - 1)
            }
            _ => "- ".to_owned(),
        };
        self.bullet = "  ".repeat(depth.min(8)) + &mark;
    }

    fn end(&mut self, tag: TagEnd, range: Range<usize>) {
        match tag {
            TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::CodeBlock | TagEnd::Table => self.want(2),
            TagEnd::HtmlBlock => self.html_block(range),
            TagEnd::BlockQuote(_) => {
                self.quotes = self.quotes.saturating_sub(1);
                self.want(2);
            }
            TagEnd::List(_) => {
                self.lists.pop();
                self.want(if self.lists.is_empty() { 2 } else { 1 });
            }
            TagEnd::Item => self.bullet.clear(),
            TagEnd::Link => self.skip(self.at..range.end, TARGETS),
            TagEnd::Image => {
                self.images = self.images.saturating_sub(1);
                self.skip(range, IMAGES);
            }
            _ => {}
        }
    }

    /// Asks for at least so many line feeds before the next words.
    fn want(&mut self, feeds: usize) {
        self.feeds = self.feeds.max(feeds);
    }

    /// What stands before the next words, once.
    fn lead(&mut self) -> String {
        let mut lead = String::new();
        if self.begun {
            lead.push_str(&"\n".repeat(self.feeds));
        }
        if self.feeds > 0 || !self.begun {
            lead.push_str(&"> ".repeat(self.quotes.min(8)));
        }
        lead.push_str(&std::mem::take(&mut self.bullet));
        self.feeds = 0;
        self.begun = true;
        lead
    }

    fn words(&mut self, words: &str, range: Range<usize>) {
        if self.images > 0 {
            return;
        }
        if self.hidden.is_some() {
            return self.skip(range, HIDDEN);
        }
        let lead = self.lead();
        let source = &self.text[range.clone()];
        match source.find(words) {
            // Inline code keeps its words and loses its marks on both sides.
            Some(found) if !words.is_empty() => {
                self.edit(self.at..range.start + found, lead, MARKS);
                self.at = range.start + found + words.len();
                self.edit(self.at..range.end, "", MARKS);
            }
            _ => self.edit(self.at..range.end, lead + words, MARKS),
        }
        self.at = self.at.max(range.end);
    }

    fn line_break(&mut self, range: Range<usize>, with: &'static str) {
        let with =
            if with == "\n" { with.to_owned() + &"> ".repeat(self.quotes.min(8)) } else { with.to_owned() };
        self.edit(self.at.max(range.start)..range.end, with, MARKS);
        self.at = self.at.max(range.end);
    }

    fn inline_html(&mut self, range: Range<usize>) {
        let tag = html::tag(&self.text[range.clone()]);
        self.skip(range, html::TAGS);
        let Some(tag) = tag else { return };
        match &self.hidden {
            Some(name) if tag.ends(name) => self.hidden = None,
            Some(_) => {}
            None if tag.hides() => self.hidden = Some(tag.name()),
            None => self.want(tag.feeds().len()),
        }
    }

    fn html_block(&mut self, range: Range<usize>) {
        let start = self.html_start.take().unwrap_or(range.start).max(self.at);
        let end = range.end.max(start);
        self.want(2);
        let lead = self.lead();
        self.edit(self.at..start, lead, MARKS);
        let feeds = html::find(self.text, start..end, 2, &mut self.edits);
        self.at = end;
        self.feeds = 2usize.saturating_sub(feeds);
    }

    /// Drops what lies before a range as marks, and the range for a reason of its own.
    fn skip(&mut self, range: Range<usize>, rule: &'static str) {
        self.edit(self.at..range.start, "", MARKS);
        self.edit(self.at.max(range.start)..range.end, "", rule);
        self.at = self.at.max(range.end);
    }

    fn edit(&mut self, range: Range<usize>, with: impl Into<Cow<'static, str>>, rule: &'static str) {
        let with = with.into();
        let is_empty = range.is_empty() && with.is_empty();
        if range.start <= range.end && !is_empty {
            self.edits.push(Edit::replace(range, with, rule));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::apply;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&apply(text, find(text)).text);
    }

    #[test]
    fn paragraphs_lists_and_quotes_stay() {
        check(
            "# Tea\n\nI had *strong* [tea](http://x.y \"t\") and\n`toast`.  \nThen:\n\n* one\n* two\n    1. deep\n\n> Said\n> she.\n\nEnd\n---\n\n***\nlast",
            expect![[r#"
                Tea

                I had strong tea and toast.
                Then:

                - one
                - two
                  1. deep

                > Said she.

                End

                last"#]],
        );
    }

    #[test]
    fn html_images_and_footnotes_go() {
        check(
            "A<br>b ![alt *x*](y.png) c <em>d</em> <script>e</script>f[^1] &amp; \\* <http://g.h>\n\n<p>One\ntwo</p>\n\n[^1]: A note.\n\n\
             | a | b |\n|---|---|\n| c | d |\n\n```rust\nlet x;\n\n  y\n```\n",
            expect![[r#"
                A
                b  c d f & * http://g.h

                One two



                A note.

                a | b
                c | d

                let x;

                  y
            "#]],
        );
    }
}
