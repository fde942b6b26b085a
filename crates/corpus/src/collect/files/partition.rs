//! A text divided into what is kept and what is dropped, front to back, with nothing in between.

use std::ops::Range;

use super::chars;
use crate::account::Tally;

/// Reason for blanks between the parts.
const BLANK: &str = "blank space";
/// Reason for anything else between the parts: labels, numbers, marks of the format.
const MARKS: &str = "format marks";

/// A walk over a text that accounts for every character it passes.
#[derive(Debug)]
pub(super) struct Partition<'a> {
    text: &'a str,
    at: usize,
    tally: Tally,
}

impl<'a> Partition<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, tally: Tally::default() }
    }

    /// The words of a range, without passing it.
    pub(super) fn text(&self, range: Range<usize>) -> &'a str {
        &self.text[range]
    }

    /// Where the text ends.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// Keeps a range without the blanks around it. Ranges are to come in order.
    pub(super) fn keep(&mut self, range: Range<usize>) -> &'a str {
        let range = trimmed(self.text, range);
        self.pass(range.start);
        self.at = range.end.max(self.at);
        &self.text[range]
    }

    /// Drops a range for a reason.
    pub(super) fn drop(&mut self, range: Range<usize>, reason: &str) {
        self.pass(range.start);
        if range.end > self.at {
            self.tally.drop(reason, chars(&self.text[self.at..range.end]));
            self.at = range.end;
        }
    }

    /// What was dropped, to the end of the text.
    pub(super) fn finish(mut self) -> Tally {
        self.pass(self.text.len());
        self.tally
    }

    fn pass(&mut self, to: usize) {
        if to > self.at {
            let gap = &self.text[self.at..to];
            self.tally.drop(if gap.trim().is_empty() { BLANK } else { MARKS }, chars(gap));
            self.at = to;
        }
    }
}

/// A range without the blanks at its ends.
pub(super) fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + part.len() - part.trim_start().len();
    start..start + part.trim().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_dropped_for_what_they_are() {
        let mut partition = Partition::new("Q: why? \n\nend");
        assert_eq!(partition.keep(2..8), "why?");
        partition.drop(10..13, "closing");
        let tally = partition.finish();
        let dropped: Vec<_> = tally.dropped.iter().map(|(why, n)| (why.as_str(), *n)).collect();
        assert_eq!(dropped, [("blank space", 3), ("closing", 3), ("format marks", 3)]);
    }
}
