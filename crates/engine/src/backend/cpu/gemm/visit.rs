//! How long contractions are cut, so that what a tile reads stays in cache.

use super::Segment;
use super::word::Form;
use std::ops::Range;

/// The most words of one segment in a visit: A's tile stays in the first
/// cache and the panels in the second.
pub(super) const LIMIT: usize = 512;
/// For products that read nothing twice there is nothing to keep in cache.
pub(super) const UNLIMITED: usize = usize::MAX / 2;
/// What short segments, mostly low-rank ones, may add to it.
const SLACK: usize = 128;
/// Segments that share a visit.
pub(super) const FUSED: usize = 4;
/// Cuts fall between stored panels seen from either side.
const GRAIN: usize = 32;

/// Words of one segment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stretch {
    /// The segment's place in the product.
    pub(super) segment: usize,
    /// Words of its contraction.
    pub(super) words: Range<usize>,
}

/// The stretches a tile accumulates in registers before it goes back to memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Visit {
    stretches: [Stretch; FUSED],
    len: usize,
}

impl Visit {
    /// The stretches, in order.
    pub(super) fn stretches(&self) -> &[Stretch] {
        &self.stretches[..self.len]
    }

    /// Words of all stretches.
    pub(super) fn words(&self) -> usize {
        self.stretches().iter().map(|stretch| stretch.words.len()).sum()
    }
}

/// The visits of a product, with at most `limit` words of a segment in each. They depend on the
/// lengths of its segments alone, and sums do not depend on them.
pub(super) fn visits(
    segments: &[Segment<'_>],
    form: Form,
    limit: usize,
) -> impl Iterator<Item = Visit> + Clone {
    // Sums of integers are not left half done.
    let lengths = segments
        .iter()
        .map(move |segment| (segment.words(form), if segment.is_int8() { UNLIMITED } else { limit }));
    let mut stretches =
        lengths.enumerate().flat_map(|(segment, (words, limit))| cut(segment, words, limit)).peekable();
    std::iter::from_fn(move || {
        let mut visit = Visit::default();
        let has_room = |visit: &Visit, next: &Stretch| {
            visit.len == 0 || visit.len < FUSED && visit.words() + next.words.len() <= limit + SLACK
        };
        while let Some(next) = stretches.next_if(|next| has_room(&visit, next)) {
            visit.stretches[visit.len] = next;
            visit.len += 1;
        }
        (visit.len > 0).then_some(visit)
    })
}

/// Cuts a segment into stretches of nearly equal length.
fn cut(segment: usize, words: usize, limit: usize) -> impl Iterator<Item = Stretch> + Clone {
    let parts = words.div_ceil(limit).max(1);
    let length = words.div_ceil(parts).next_multiple_of(GRAIN);
    let starts = (0..words).step_by(length.max(1));
    starts.map(move |start| Stretch { segment, words: start..words.min(start + length) })
}

#[cfg(test)]
mod tests {
    use super::super::{Operand, Segment};
    use super::*;
    use crate::backend::cpu::view::Mat;

    #[test]
    fn visits_cover_every_word_once_and_in_order() {
        let check = |lengths: &[usize], expected: &[&[(usize, Range<usize>)]]| {
            let mats: Vec<_> = lengths.iter().map(|&k| Mat::f32(&[], 0, k)).collect();
            let segments: Vec<_> = mats.iter().map(|&a| Segment { a, b: Operand::Rows(a) }).collect();
            let found: Vec<Vec<_>> = visits(&segments, Form::Floats, LIMIT)
                .map(|visit| visit.stretches().iter().map(|s| (s.segment, s.words.clone())).collect())
                .collect();
            assert_eq!(found, expected, "{lengths:?}");
        };
        check(&[], &[]);
        check(&[0], &[]);
        check(&[300, 0, 16], &[&[(0, 0..300), (2, 0..16)]]);
        check(&[600, 300], &[&[(0, 0..320), (0, 320..600)], &[(1, 0..300)]]);
        check(&[1, 1, 1, 1, 1], &[&[(0, 0..1), (1, 0..1), (2, 0..1), (3, 0..1)], &[(4, 0..1)]]);
        check(&[1100], &[&[(0, 0..384)], &[(0, 384..768)], &[(0, 768..1100)]]);
    }
}
