//! Elements that set a quotation apart. Why they are cut is told in `markdown/quotation.rs`.

use std::ops::Range;

use super::tag::tag;

/// Reason for quotations.
pub(in super::super) const QUOTED: &str = "quotations of others";

/// How many `blockquote`s are open, and where the outermost began.
#[derive(Debug, Default)]
pub(in super::super) struct Depth {
    open: usize,
    start: usize,
}

impl Depth {
    /// Looks through a range of HTML; a quotation that ends in it is added to `found`. One that is
    /// never closed is none: a slip of the writer must not cost the rest of the post.
    pub(in super::super) fn see(&mut self, text: &str, range: Range<usize>, found: &mut Vec<Range<usize>>) {
        let mut at = range.start;
        while let Some(next) = text[at..range.end].find('<') {
            let start = at + next;
            let Some(tag) = tag(&text[start..range.end]) else {
                at = start + 1;
                continue;
            };
            at = start + tag.length;
            if !tag.raw_name().eq_ignore_ascii_case("blockquote") {
                continue;
            }
            match (tag.is_end(), self.open) {
                (true, 0) => {}
                (true, 1) => {
                    self.open = 0;
                    found.push(self.start..at);
                }
                (true, _) => self.open -= 1,
                (false, open) => {
                    self.start = if open == 0 { start } else { self.start };
                    self.open += 1;
                }
            }
        }
    }
}

/// The outermost quotations of a piece of HTML, in order.
pub(in super::super) fn ranges(html: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    Depth::default().see(html, 0..html.len(), &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_are_found() {
        let html = "a<blockquote>b<blockquote>c</blockquote></blockquote>d</blockquote><blockquote>e";
        assert_eq!(ranges(html).len(), 1);
        assert_eq!(&html[ranges(html)[0].clone()], "<blockquote>b<blockquote>c</blockquote></blockquote>");
    }
}
