//! How the backward pass is shared out: stretches of keys, each with the queries that see them.
//!
//! Short documents are taken several together. A long one is cut into a few
//! segments of keys, so that many threads find work in it; the segments then
//! each hold a partial dq, and those are added in order. Cuts depend on the
//! documents alone. A prefix that all documents share is cut likewise, and every
//! row behind it passes by: all units then hold a partial dq.

use super::forward::KEYS;
use std::ops::Range;

/// Documents up to this many rows together make one unit.
const TOGETHER: usize = 256;

/// Rows of a segment, unless that would make more than [`MOST_SEGMENTS`].
const SEGMENT: usize = 512;

/// Bounds the memory of partial gradients: 2.5 times dq in f32.
const MOST_SEGMENTS: usize = 4;

/// Keys of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) keys: Range<usize>,
    /// The queries that may see them; they begin with the keys.
    pub(super) queries: Range<usize>,
    /// Where the partial dq of the first query is kept, in rows; none if no other unit adds to it.
    pub(super) partial: Option<usize>,
}

/// Every unit, those of one document in order of their keys. All rows see the first `shared`.
pub(super) fn units(starts: &[u32], shared: usize) -> Vec<Unit> {
    // Keys, the queries that may see them, and whether they are whole documents.
    let mut stretches: Vec<(Range<usize>, Range<usize>, bool)> = Vec::new();
    for document in documents(starts) {
        let last = stretches.last_mut().filter(|(keys, _, whole)| *whole && keys.start >= shared);
        if let Some((keys, queries, _)) = last.filter(|(keys, ..)| document.end - keys.start <= TOGETHER) {
            (keys.end, queries.end) = (document.end, document.end);
            continue;
        }
        let len = document.len().div_ceil(MOST_SEGMENTS).max(SEGMENT).next_multiple_of(KEYS);
        let end = if document.end <= shared { starts.len() } else { document.end };
        for start in document.clone().step_by(len) {
            let keys = start..(start + len).min(document.end);
            stretches.push((keys, start..end, document.len() <= len));
        }
    }
    let mut n_partial = 0;
    let unit = |(keys, queries, whole): (Range<usize>, Range<usize>, bool)| {
        let partial = (shared > 0 || !whole).then_some(n_partial);
        n_partial += if partial.is_some() { queries.len() } else { 0 };
        Unit { keys, queries, partial }
    };
    stretches.into_iter().map(unit).collect()
}

/// The most keys of one unit, whatever the documents in `rows` rows are.
pub(super) fn most_keys(rows: usize) -> usize {
    rows.div_ceil(MOST_SEGMENTS).max(SEGMENT).next_multiple_of(KEYS).min(rows)
}

/// The most rows of partial gradients, with documents that may share a prefix or not.
///
/// One document that fills the rows is the worst without; with one, its rows pass by every unit, and
/// what is shared is short beside the rest as a rule: it is counted as one segment.
pub(super) fn most_partial_rows(rows: usize, shares: bool) -> usize {
    let partial = |units: Vec<Unit>| {
        units.iter().filter_map(|unit| Some(unit.partial? + unit.queries.len())).max().unwrap_or(0)
    };
    let alone = partial(units(&vec![0; rows], 0));
    if shares { alone.max(2 * rows) } else { alone }
}

/// Stretches of rows that see nothing outside themselves.
fn documents(starts: &[u32]) -> impl Iterator<Item = Range<usize>> {
    let begins = |row: &usize| *row == 0 || starts[*row] as usize == *row;
    let mut firsts = (0..starts.len()).filter(begins).chain([starts.len()]).peekable();
    std::iter::from_fn(move || {
        let first = firsts.next()?;
        firsts.peek().map(|end| first..*end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lengths: &[usize], expected: &[(Range<usize>, Range<usize>, Option<usize>)]) {
        check_shared(0, lengths, expected);
    }

    fn check_shared(
        shared: usize,
        lengths: &[usize],
        expected: &[(Range<usize>, Range<usize>, Option<usize>)],
    ) {
        let mut starts = Vec::new();
        for len in lengths {
            starts.extend(vec![starts.len() as u32; *len]);
        }
        let got: Vec<_> =
            units(&starts, shared).into_iter().map(|u| (u.keys, u.queries, u.partial)).collect();
        assert_eq!(got, expected, "{lengths:?}");
    }

    #[test]
    fn cuts() {
        check(&[], &[]);
        check(&[1], &[(0..1, 0..1, None)]);
        check(&[100, 100, 100], &[(0..200, 0..200, None), (200..300, 200..300, None)]);
        check(&[512, 3], &[(0..512, 0..512, None), (512..515, 512..515, None)]);
        check(
            &[600, 5],
            &[(0..512, 0..600, Some(0)), (512..600, 512..600, Some(600)), (600..605, 600..605, None)],
        );
        let segments = [(0, 1088), (1088, 2176), (2176, 3264), (3264, 4100)];
        let partial = [0, 4100, 7112, 9036];
        let want: Vec<_> =
            segments.iter().zip(partial).map(|((a, b), p)| (*a..*b, *a..4100, Some(p))).collect();
        check(&[4100], &want);
    }

    #[test]
    fn all_rows_pass_by_what_they_share() {
        check_shared(
            100,
            &[100, 90, 50, 300],
            &[(0..100, 0..540, Some(0)), (100..240, 100..240, Some(540)), (240..540, 240..540, Some(680))],
        );
        check_shared(
            600,
            &[600, 5],
            &[(0..512, 0..605, Some(0)), (512..600, 512..605, Some(605)), (600..605, 600..605, Some(698))],
        );
        check_shared(7, &[7], &[(0..7, 0..7, Some(0))]);
    }
}
