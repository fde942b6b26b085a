//! Quotations set apart in a post: where they stand.
//!
//! What a writer sets apart with `>` or `blockquote` is somebody else's: an article that is answered,
//! a letter, a reader's comment. Its words have the form of the voice's text and none of its voice, so
//! they are not learned unless the settings say that they are the writer's own. What introduces a
//! quotation stays, as does what is quoted inside a sentence.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::super::html::quotation::Depth;
use crate::edit::Edit;

/// Lists the edits that cut the quotations out of Markdown.
pub(super) fn find(text: &str, rule: &'static str) -> Vec<Edit> {
    ranges(text).into_iter().map(|range| Edit::replace(range, "\n\n", rule)).collect()
}

/// The outermost quotations, in order.
fn ranges(text: &str) -> Vec<Range<usize>> {
    let (mut found, mut marked) = (Vec::new(), 0usize);
    let mut tagged = Depth::default();
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::BlockQuote(_)) => {
                if marked == 0 {
                    found.push(range);
                }
                marked += 1;
            }
            Event::End(TagEnd::BlockQuote(_)) => marked = marked.saturating_sub(1),
            Event::Html(_) | Event::InlineHtml(_) => tagged.see(text, range, &mut found),
            _ => {}
        }
    }
    found.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::apply;

    fn check(text: &str, expected: &str) {
        assert_eq!(apply(text, find(text, "q")).text.trim(), expected, "{text}");
    }

    #[test]
    fn what_is_set_apart_goes_and_what_stands_around_it_stays() {
        check("He says:\n> That is\nhis. > 3\n\nI say no.", "He says:\n\n\n\nI say no.");
        check("> a\n>> b\n> c", "");
        check("- x\n\n  > y\n- z", "- x\n\n  \n\n- z");
        check("`> code` 1 > 2\n\n    > indented", "`> code` 1 > 2\n\n    > indented");
    }

    #[test]
    fn elements_are_quotations_too_where_they_are_closed() {
        check("a\n\n<blockquote class=\"t\">\n<p>b</p>\n\nc *d*\n\n</blockquote>\n\ne", "a\n\n\n\n\n\ne");
        check("a <BlockQuote>b<blockquote>c</blockquote>d</blockquote> e", "a \n\n e");
        check("a\n\n<blockquote>b\n\nc", "a\n\n<blockquote>b\n\nc");
        check("`<blockquote>` a `</blockquote>`", "`<blockquote>` a `</blockquote>`");
        check("a\n\n</blockquote>\n\nb", "a\n\n</blockquote>\n\nb");
    }
}
