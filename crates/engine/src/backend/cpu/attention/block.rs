//! A block of queries of one key-value head: the columns of every product.
//!
//! All query heads that share a key-value head are taken together, query by
//! query, so a tile of keys is packed once for all of them and the columns of a
//! panel see almost the same keys.

use super::super::view::Mat;
use super::pack::{row_words, transpose};
use super::tile::{Arith, COLS};
use std::ops::Range;

/// Columns that a block has room for.
pub(super) const BLOCK_COLS: usize = 192;

/// What attends to what: which rows of keys each query sees, and how heads lie in a row.
#[derive(Debug, Clone, Copy)]
pub(in crate::backend::cpu) struct Problem<'a> {
    pub(in crate::backend::cpu) q: Mat<'a>,
    pub(in crate::backend::cpu) k: Mat<'a>,
    pub(in crate::backend::cpu) v: Mat<'a>,
    /// Rows of keys that each query sees.
    pub(in crate::backend::cpu) spans: &'a [(u32, u32)],
    /// Rows of keys at the beginning that queries behind them see beside their span.
    pub(in crate::backend::cpu) shared: usize,
    /// Of those the first that each query sees, if not all are seen: a window slides.
    pub(in crate::backend::cpu) shared_from: Option<&'a [u32]>,
    /// Where keys are cut into tiles, if not where the first query's begin: the cuts of a sliding
    /// window must not depend on which queries come together.
    pub(in crate::backend::cpu) grid: Option<usize>,
    /// What competes with the keys of each query head.
    pub(in crate::backend::cpu) sinks: Option<&'a [f32]>,
    pub(in crate::backend::cpu) heads: usize,
    pub(in crate::backend::cpu) kv_heads: usize,
    pub(in crate::backend::cpu) width: usize,
    pub(in crate::backend::cpu) scale: f32,
}

impl<'a> Problem<'a> {
    /// # Panics
    /// If the shapes do not fit each other.
    pub(in crate::backend::cpu) fn new(
        (q, k, v): (Mat<'a>, Mat<'a>, Mat<'a>),
        spans: &'a [(u32, u32)],
        heads: usize,
        scale: f32,
    ) -> Self {
        assert!(heads > 0 && q.cols.is_multiple_of(heads), "{} columns in {heads} query heads", q.cols);
        let width = q.cols / heads;
        assert!(width > 0 && width.is_multiple_of(2), "a head width of {width}, expected an even one");
        assert_eq!((k.rows, k.cols), (v.rows, v.cols), "as many values as keys");
        let kv_heads = k.cols / width;
        let fits = kv_heads > 0 && k.cols == kv_heads * width && heads.is_multiple_of(kv_heads);
        assert!(fits, "{heads} query heads of {width} cannot share {} columns of keys", k.cols);
        assert_eq!(spans.len(), q.rows, "a span of keys for every query");
        let inside = |(first, end): &(u32, u32)| first <= end && *end as usize <= k.rows;
        assert!(spans.iter().all(inside), "a span of keys outside the {} there are", k.rows);
        let (shared, shared_from, grid, sinks) = (0, None, None, None);
        Self { q, k, v, spans, shared, shared_from, grid, sinks, heads, kv_heads, width, scale }
    }

    /// The same with `shared` rows that all spans behind them share, or what they see of them.
    pub(super) fn with_shared(self, shared: usize, shared_from: Option<&'a [u32]>) -> Self {
        assert!(shared <= self.k.rows, "{shared} shared keys of {}", self.k.rows);
        assert!(shared_from.is_none_or(|from| from.len() == self.q.rows), "a first row for every query");
        Self { shared, shared_from, ..self }
    }

    /// The same with a sink for every head, if there are any.
    pub(in crate::backend::cpu) fn with_sinks(self, sinks: Option<&'a [f32]>) -> Self {
        assert!(sinks.is_none_or(|sinks| sinks.len() == self.heads), "a sink for every query head");
        Self { sinks, ..self }
    }

    /// Tiles of up to `len` keys: of those in `own` and of those shared, from `shared` on, if that is
    /// wanted; none has keys of both.
    pub(super) fn tiles(
        &self,
        mut own: Range<usize>,
        shared: Option<usize>,
        len: usize,
    ) -> impl Iterator<Item = Range<usize>> + use<> {
        if let Some(origin) = self.grid.filter(|origin| *origin <= own.start) {
            own.start -= (own.start - origin) % len;
        }
        let cut = self.shared.clamp(own.start, own.end);
        let first = shared.map_or(own.start..cut, |from| from.min(own.start) / len * len..self.shared);
        let tiles = move |keys: Range<usize>| {
            let end = keys.end;
            keys.step_by(len).map(move |start| start..(start + len).min(end))
        };
        tiles(first).chain(tiles(cut..own.end))
    }

    /// Query heads that share a key-value head.
    pub(in crate::backend::cpu) fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Queries that make a block.
    pub(super) fn block_queries(&self) -> usize {
        (BLOCK_COLS / self.group()).max(1)
    }

    /// Panels of a whole block.
    pub(super) fn block_panels(&self) -> usize {
        (self.block_queries() * self.group()).div_ceil(COLS)
    }

    /// The columns of a key-value head in a matrix of keys or values.
    pub(in crate::backend::cpu) fn kv_columns<'m>(&self, mat: Mat<'m>, kv_head: usize) -> Mat<'m> {
        mat.columns(kv_head * self.width, self.width)
    }
}

/// The queries `queries` with every head that shares `kv_head`.
#[derive(Debug, Clone)]
pub(super) struct Block<'a> {
    pub(super) problem: &'a Problem<'a>,
    pub(super) kv_head: usize,
    pub(super) queries: Range<usize>,
}

impl Block<'_> {
    pub(super) fn n_panels(&self) -> usize {
        (self.queries.len() * self.problem.group()).div_ceil(COLS)
    }

    /// The query row and the head of a column, if the column is not padding.
    pub(super) fn place(&self, col: usize) -> Option<(usize, usize)> {
        let group = self.problem.group();
        let query = self.queries.start + col / group;
        (query < self.queries.end).then(|| (query, self.kv_head * group + col % group))
    }

    /// The places of a panel's columns, in order, padding left out.
    pub(super) fn places(&self, panel: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let columns = 0..COLS;
        columns.filter_map(move |col| self.place(panel * COLS + col).map(|(query, head)| (col, query, head)))
    }

    /// The keys that each column of a panel sees.
    pub(super) fn sight(&self, panel: usize) -> Sight {
        let shared = self.problem.shared as u32;
        let mut sight = Sight { all: 0..usize::MAX, shared_by_all: shared, ..Sight::default() };
        sight.shared_first_of_any = shared;
        let mut any: Option<Range<usize>> = None;
        for col in 0..COLS {
            let query = self.place(panel * COLS + col).map(|(query, _)| query);
            let (first, end) = query.map_or((0, 0), |query| self.problem.spans[query]);
            let from = query.and_then(|query| Some(self.problem.shared_from?[query])).unwrap_or(0);
            (sight.first[col], sight.end[col]) = (first, end);
            // Padding sees nothing, and what the shared rows see is their span.
            let seen = if first < shared { 0 } else { shared };
            sight.shared[col] = seen;
            sight.shared_by_any = sight.shared_by_any.max(seen);
            sight.shared_by_all = sight.shared_by_all.min(seen);
            sight.shared_first[col] = from;
            if seen > from {
                sight.shared_first_of_any = sight.shared_first_of_any.min(from);
            }
            sight.shared_first_of_all = sight.shared_first_of_all.max(from);
            let (first, end) = (first as usize, end as usize);
            sight.all = sight.all.start.max(first)..sight.all.end.min(end);
            if first < end {
                let seen = any.get_or_insert(first..end);
                *seen = seen.start.min(first)..seen.end.max(end);
            }
        }
        sight.any = any.unwrap_or(0..0);
        sight
    }

    /// The rows of `mat` that belong to the block, (columns) × (E in words); padding is zero.
    #[inline(always)]
    pub(super) fn rows<A: Arith>(&self, mat: Mat<'_>, into: &mut [u32]) {
        let width = self.problem.width;
        let words = width / A::PER_WORD;
        for (col, into) in into.chunks_exact_mut(words).enumerate() {
            match self.place(col) {
                Some((query, head)) => row_words::<A>(mat.columns(head * width, width), query, into),
                None => into.fill(0),
            }
        }
    }
}

/// A panel of the rows of a block turned, (E in words) × 32: an operand B whose depth is the head.
#[inline(always)]
pub(super) fn across<A: Arith>(rows: &[u32], panel: usize, into: &mut [u32]) {
    let words = into.len() / COLS;
    transpose::<A>((COLS, words), (&rows[panel * COLS * words..], words), (into, COLS));
}

/// The keys that the columns of one panel see.
#[derive(Debug, Clone, Default)]
pub(super) struct Sight {
    first: [u32; COLS],
    end: [u32; COLS],
    /// Keys before this one are seen too, from `shared_first` on.
    shared: [u32; COLS],
    shared_by_any: u32,
    shared_by_all: u32,
    shared_first: [u32; COLS],
    shared_first_of_any: u32,
    shared_first_of_all: u32,
    /// Of their spans: from the first that any column sees to the last.
    pub(super) any: Range<usize>,
    /// Of their spans: what all columns see.
    all: Range<usize>,
}

impl Sight {
    /// The part of a tile of keys outside of which no column sees any.
    pub(super) fn part(&self, tile: &Range<usize>) -> Range<usize> {
        // Rows that are shared see what is shared as their own.
        let shared = (self.shared_first_of_any as usize).min(self.any.start)..self.shared_by_any as usize;
        let part = overlap(tile, if tile.end <= shared.end { &shared } else { &self.any });
        if part.is_empty() { tile.start..tile.start } else { part }
    }

    /// Whether every column sees all of `keys`.
    pub(super) fn is_whole(&self, keys: &Range<usize>) -> bool {
        let own = self.all.start <= keys.start && keys.end <= self.all.end;
        let shared = self.shared_first_of_all as usize..self.shared_by_all as usize;
        own || (shared.start <= keys.start && keys.end <= shared.end)
    }

    /// Of the keys that all spans share, the first that any column sees.
    pub(super) fn first_shared(&self) -> Option<usize> {
        (self.shared_first_of_any < self.shared_by_any).then_some(self.shared_first_of_any as usize)
    }

    /// Replaces the scores of `key` in the columns that do not see it.
    #[inline(always)]
    pub(super) fn hide(&self, key: usize, scores: &mut [f32; COLS], hidden: f32) {
        let key = key as u32;
        for (col, score) in scores.iter_mut().enumerate() {
            let own = (self.first[col] <= key) & (key < self.end[col]);
            let seen = own | ((self.shared_first[col] <= key) & (key < self.shared[col]));
            *score = if seen { *score } else { hidden };
        }
    }
}

/// What the ranges share.
pub(super) fn overlap(a: &Range<usize>, b: &Range<usize>) -> Range<usize> {
    let start = a.start.max(b.start);
    start..a.end.min(b.end).max(start)
}
