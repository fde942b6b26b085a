//! Ids of a rendered text, stretch by stretch.

use crate::error::Result;
use crate::sequence::Sequence;
use crate::template::Rendered;
use crate::tokenizer::{Before, Tokenizer};

/// Writes a rendered text as tokens that never reach across the places named.
pub(super) struct Pen<'r> {
    tokenizer: &'r Tokenizer,
    rendered: &'r Rendered,
    at: usize,
    before: Before,
    sequence: Sequence,
}

impl<'r> Pen<'r> {
    /// A pen at the beginning of the text.
    pub(super) fn new(tokenizer: &'r Tokenizer, rendered: &'r Rendered) -> Self {
        Self { tokenizer, rendered, at: 0, before: Before::Nothing, sequence: Sequence::default() }
    }

    /// Writes up to a byte position, all of it trained or none.
    pub(super) fn write_to(&mut self, end: usize, trained: bool) -> Result<()> {
        if end <= self.at {
            return Ok(());
        }
        let stretch = self.at..end;
        let guards = self.rendered.guards_within(&stretch);
        let mut ids = Vec::new();
        let text = &self.rendered.text[stretch];
        self.before = self.tokenizer.encode_guarded(text, &guards, self.before, &mut ids)?;
        self.sequence.extend(&ids, trained);
        self.at = end;
        Ok(())
    }

    /// What has been written.
    pub(super) fn finish(self) -> Sequence {
        self.sequence
    }
}
