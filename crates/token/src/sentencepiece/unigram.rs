//! Cutting into the pieces whose scores add up to most.

use super::{Cut, Kind, Model};

/// How much worse the unknown piece is than the worst that is known.
const UNKNOWN_PENALTY: f32 = 10.0;

/// The best way to reach a place in the text.
#[derive(Clone, Copy)]
struct Best {
    score: f32,
    /// Where its last piece begins, and which piece that is.
    last: Option<(usize, u32)>,
}

impl Best {
    /// Takes another way if it is better, or the first.
    fn offer(&mut self, score: f32, start: usize, id: u32) {
        if self.last.is_none() || score > self.score {
            *self = Self { score, last: Some((start, id)) };
        }
    }
}

/// Cuts a text.
pub(super) fn cut(model: &Model, text: &str) -> Vec<Cut> {
    let (low, high) = range(model);
    let unknown_score = low - UNKNOWN_PENALTY;
    let mut best = vec![Best { score: 0.0, last: None }; text.len() + 1];
    for (start, character) in text.char_indices() {
        let so_far = best[start].score;
        let n_bytes = character.len_utf8();
        let mut is_known = false;
        for (length, id) in model.prefixes.of(&text.as_bytes()[start..]) {
            let score = match model.kind(id) {
                // So good that it is always taken.
                Kind::UserDefined => (f64::from(length as f32 * high) - 0.1) as f32,
                _ => model.score(id),
            };
            best[start + length].offer(so_far + score, start, id);
            is_known |= length == n_bytes;
        }
        if !is_known {
            best[start + n_bytes].offer(so_far + unknown_score, start, model.unknown);
        }
    }
    let (mut cuts, mut end) = (Vec::new(), text.len());
    while let Some((start, id)) = best[end].last.filter(|_| end > 0) {
        cuts.push((start..end, id));
        end = start;
    }
    cuts.reverse();
    cuts
}

/// The lowest and the highest score of a piece of text.
fn range(model: &Model) -> (f32, f32) {
    let scores = model.vocabulary.pieces.iter().filter(|piece| piece.kind == Kind::Normal).map(|p| p.score);
    scores.fold((f32::MAX, f32::MIN), |(low, high), score| (low.min(score), high.max(score)))
}
