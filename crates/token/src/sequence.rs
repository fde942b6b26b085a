//! Ids with a loss mask: the one thing that crosses from words to numbers.

use crate::tokenizer::Tokenizer;

/// One example as the model will see it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sequence {
    /// The example this was rendered from.
    pub example: String,
    /// The document that example was made from.
    pub document: String,
    /// The tokens.
    pub ids: Vec<u32>,
    /// Whether the token at the same index is a target with loss. The first
    /// token never is: nothing comes before it to predict it from.
    pub mask: Vec<bool>,
    /// Number of targets with loss.
    pub n_trained: usize,
    /// Targets lost because the answer was cut to fit the context.
    pub n_cut: usize,
    /// Bytes of the rendered text that no token spells, dropped.
    pub n_lost: usize,
    /// Assistant turns wanted but left out of the loss because the template
    /// writes them differently once the conversation goes on.
    pub n_turns_skipped: usize,
}

/// A run of neighbouring tokens that are all trained or all not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The tokens' text, control tokens included.
    pub text: String,
    /// The tokens.
    pub ids: Vec<u32>,
    /// Whether they carry loss.
    pub trained: bool,
}

impl Sequence {
    /// Appends tokens that are all trained or all not.
    pub(crate) fn extend(&mut self, ids: &[u32], trained: bool) {
        for &id in ids {
            let has_loss = trained && !self.ids.is_empty();
            self.ids.push(id);
            self.mask.push(has_loss);
            self.n_trained += usize::from(has_loss);
        }
    }

    /// Keeps the first `limit` tokens and counts the targets that are lost.
    pub(crate) fn truncate(&mut self, limit: usize) {
        self.ids.truncate(limit);
        self.mask.truncate(limit);
        let n_kept = self.mask.iter().filter(|&&trained| trained).count();
        self.n_cut += self.n_trained - n_kept;
        self.n_trained = n_kept;
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no token at all.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The sequence as a person would want to see it: which text is learned.
    pub fn explain(&self, tokenizer: &Tokenizer) -> Vec<Span> {
        let tokens: Vec<(u32, bool)> = self.ids.iter().copied().zip(self.mask.iter().copied()).collect();
        let span = |run: &[(u32, bool)]| {
            let ids: Vec<u32> = run.iter().map(|&(id, _)| id).collect();
            Span { text: tokenizer.spell(&ids), ids, trained: run[0].1 }
        };
        tokens.chunk_by(|a, b| a.1 == b.1).map(span).collect()
    }
}
