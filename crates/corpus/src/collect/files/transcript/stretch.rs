//! A text cut at the lines at which somebody begins to speak.

use super::super::Reading;
use super::super::partition::Partition;
use super::profile::{Line, Script};
use crate::clean::lines;
use crate::document::Speaker;

/// What one speaker says until the next begins.
#[derive(Debug, Default)]
pub(super) struct Stretch {
    /// The voice or others, where an opener says so.
    pub(super) speaker: Option<Speaker>,
    /// Who, where the line says so.
    pub(super) who: String,
    pub(super) date: String,
    pub(super) at: String,
    pub(super) text: String,
}

/// The stretches of a text. What is in none of them is dropped for what it is.
pub(super) fn stretches(script: &Script, text: &str, reading: &mut Reading) -> Vec<Stretch> {
    let mut cutter = Cutter { partition: Partition::new(text), found: Vec::new(), from: None, added: 0 };
    for (at, line) in lines(text) {
        let end = at + line.len();
        match script.line(line) {
            Line::Speaker { who, date, at: clock, words } => {
                let [who, date, clock] = [who, date, clock].map(str::to_owned);
                let stretch = Stretch { who, date, at: clock, ..Stretch::default() };
                cutter.begin(stretch, at, at + words);
            }
            Line::Question(words) => cutter.opened(Speaker::Other, at, at + words),
            Line::Answer(words) => cutter.opened(Speaker::Voice, at, at + words),
            Line::Notice => cutter.leave_out(at, end, "notices"),
            Line::Junk => cutter.leave_out(at, end, "buttons and counters"),
            Line::Words if script.profile.one_line => cutter.leave_out(at, end, "lines of no known kind"),
            Line::Words if cutter.found.is_empty() => cutter.leave_out(at, end, "before the first turn"),
            Line::Words => cutter.from = cutter.from.or(Some(at)),
        }
    }
    cutter.flush(text.len());
    reading.tally.merge(&cutter.partition.finish());
    reading.tally.added += cutter.added;
    cutter.found
}

struct Cutter<'a> {
    partition: Partition<'a>,
    found: Vec<Stretch>,
    /// Where the words begin that are not yet in the last stretch.
    from: Option<usize>,
    /// Line breaks written in where lines between were left out.
    added: u64,
}

impl Cutter<'_> {
    fn begin(&mut self, stretch: Stretch, line: usize, words: usize) {
        self.flush(line);
        self.found.push(stretch);
        self.from = Some(words);
    }

    /// An opener of the side that speaks already goes on with it, unless it is a question.
    fn opened(&mut self, speaker: Speaker, line: usize, words: usize) {
        let is_same = self.found.last().is_some_and(|last| last.speaker == Some(Speaker::Voice));
        if speaker == Speaker::Voice && is_same {
            self.flush(line);
            self.from = Some(words);
            return;
        }
        self.begin(Stretch { speaker: Some(speaker), ..Stretch::default() }, line, words);
    }

    fn leave_out(&mut self, line: usize, end: usize, reason: &str) {
        self.flush(line);
        self.partition.drop(line..end, reason);
    }

    /// Puts the words up to a byte into the last stretch.
    fn flush(&mut self, end: usize) {
        let (Some(from), Some(last)) = (self.from.take(), self.found.last_mut()) else { return };
        let words = self.partition.keep(from..end.max(from));
        if !last.text.is_empty() && !words.is_empty() {
            last.text.push('\n');
            self.added += 1;
        }
        last.text.push_str(words);
    }
}
