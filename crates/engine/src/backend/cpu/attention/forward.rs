//! Attention forward: online softmax over tiles of keys.
//!
//! Scores are kept transposed, keys down and queries across, so the running
//! maximum and sum of every query are lanes of a vector and no vector is ever
//! summed across. The output is accumulated transposed too and turned once.

use super::super::math::exp2;
use super::super::row::write;
use super::super::simd::Simd;
use super::super::view::{Mat, MatMut};
use super::block::{Block, Problem, Sight, overlap};
use super::pack::{Rows, pair, paired_rows, transpose};
use super::tile::{Arith, COLS, Into, Operands, Work};
use std::f32::consts::{LN_2, LOG2_E};
use std::ops::Range;

/// Keys in a tile.
pub(super) const KEYS: usize = 64;

/// Below every score that occurs, and still finite: the difference of two of them is not NaN.
const NOTHING_SEEN: f32 = -1e30;

/// Computes one block.
pub(super) struct Forward<'a> {
    pub(super) block: Block<'a>,
    pub(super) out: MatMut<'a>,
    pub(super) lse: Option<MatMut<'a>>,
}

/// Softmax over the keys seen so far, of the columns of one panel.
struct Panel {
    sight: Sight,
    /// Queries, (E words) × 32.
    q: Vec<u32>,
    /// Output before division by `sum`, E × 32.
    out: Vec<f32>,
    /// Largest score times log2 e.
    top: [f32; COLS],
    sum: [f32; COLS],
}

/// Scores of one tile and panel, and what becomes of them.
struct Scores {
    raw: [[f32; COLS]; KEYS],
    /// Softmax numerators, as pairs of keys.
    words: [[u32; COLS]; KEYS],
}

impl Work for Forward<'_> {
    #[inline(always)]
    fn run<A: Arith>(self) {
        let problem = self.block.problem;
        let mut panels: Vec<Panel> = (0..self.block.n_panels()).map(|idx| self.panel::<A>(idx)).collect();
        let mut scores = Scores { raw: [[0.0; COLS]; KEYS], words: [[0; COLS]; KEYS] };
        let seen = panels.iter().map(|panel| panel.sight.any.clone()).filter(|seen| !seen.is_empty());
        let all = seen.reduce(|all, seen| all.start.min(seen.start)..all.end.max(seen.end)).unwrap_or(0..0);
        let keys = problem.kv_columns(problem.k, self.block.kv_head);
        let values = problem.kv_columns(problem.v, self.block.kv_head);
        for start in all.clone().step_by(KEYS) {
            let tile = start..(start + KEYS).min(all.end);
            let keys = Rows::new::<A>(keys, tile.clone());
            let values = turned::<A>(values, &tile);
            for panel in &mut panels {
                visit::<A>(problem, &tile, &keys, &values, panel, &mut scores);
            }
        }
        for (idx, panel) in panels.iter().enumerate() {
            self.finish::<A>(idx, panel);
        }
    }
}

impl Forward<'_> {
    #[inline(always)]
    fn panel<A: Arith>(&self, idx: usize) -> Panel {
        let problem = self.block.problem;
        let mut q = vec![0; problem.width / A::PER_WORD * COLS];
        self.block.across::<A>(problem.q, idx, &mut q);
        Panel {
            sight: self.block.sight(idx),
            q,
            out: vec![0.0; problem.width * COLS],
            top: [NOTHING_SEEN; COLS],
            sum: [0.0; COLS],
        }
    }

    /// Divides by the sums and writes the rows of a panel.
    #[inline(always)]
    fn finish<A: Arith>(&self, idx: usize, panel: &Panel) {
        let width = self.block.problem.width;
        let mut rows = vec![0.0; COLS * width];
        turn_floats::<A>((width, COLS), &panel.out, &mut rows);
        for (col, query, head) in self.block.places(idx) {
            let row = &mut rows[col * width..][..width];
            let sum = panel.sum[col];
            // A query that sees no key attends to nothing: its output is zero.
            let factor = if sum > 0.0 { 1.0 / sum } else { 0.0 };
            row.iter_mut().for_each(|x| *x *= factor);
            // SAFETY: this block owns these rows of these heads.
            unsafe { write(self.out, query, head * width, row) };
            if let Some(lse) = self.lse {
                let value = (panel.top[col] + sum.log2()) * LN_2;
                // SAFETY: as above.
                unsafe { write(lse, query, head, &[value]) };
            }
        }
    }
}

/// `to[col][row] = from[row][col]`, dense.
#[inline(always)]
pub(super) fn turn_floats<A: Arith>((rows, cols): (usize, usize), from: &[f32], to: &mut [f32]) {
    // SAFETY: an f32 is a word.
    let (from, to) = unsafe { (from.align_to::<u32>().1, to.align_to_mut::<u32>().1) };
    transpose::<A>((rows, cols), (from, cols), (to, rows));
}

/// Rows of a tile turned into E × (keys in words): an operand A whose depth is the keys.
#[inline(always)]
pub(super) fn turned<A: Arith>(mat: Mat<'_>, tile: &Range<usize>) -> Vec<u32> {
    let (width, stride) = (mat.cols, KEYS / A::PER_WORD);
    let mut paired = vec![0; stride * width];
    paired_rows::<A>(
        tile.len(),
        width,
        |row, into| super::super::row::read(mat, tile.start + row, 0, into),
        &mut paired,
    );
    let mut turned = vec![0; width * stride];
    transpose::<A>((stride, width), (&paired, width), (&mut turned, stride));
    turned
}

/// Adds one tile of keys to the softmax of one panel.
#[inline(always)]
fn visit<A: Arith>(
    problem: &Problem<'_>,
    tile: &Range<usize>,
    keys: &Rows,
    values: &[u32],
    panel: &mut Panel,
    scores: &mut Scores,
) {
    let mut seen = overlap(tile, &panel.sight.any);
    if seen.is_empty() {
        return;
    }
    // Values are packed by pairs of keys from the start of the tile.
    seen.start -= (seen.start - tile.start) % A::PER_WORD;
    let (width, stride) = (problem.width, KEYS / A::PER_WORD);
    let query_keys = Operands {
        a: keys.at(seen.start),
        a_bytes: keys.bytes,
        b: panel.q.as_ptr(),
        depth: width / A::PER_WORD,
        c: scores.raw.as_mut_ptr().cast(),
        c_stride: COLS,
        into: Into::Replace,
    };
    // SAFETY: the keys seen exist, and the tile has room for their scores.
    unsafe { A::product(seen.len(), query_keys) };
    soften::<A>(problem.scale * LOG2_E, &seen, panel, scores);
    let first = (seen.start - tile.start) / A::PER_WORD;
    let value_sums = Operands {
        a: values[first..].as_ptr().cast(),
        a_bytes: stride * 4,
        b: scores.words.as_ptr().cast(),
        depth: seen.len().div_ceil(A::PER_WORD),
        c: panel.out.as_mut_ptr(),
        c_stride: COLS,
        into: Into::Add,
    };
    // SAFETY: `turned` packed every value of the tile, missing ones as zero.
    unsafe { A::product(width, value_sums) };
}

/// Turns scores into softmax numerators relative to the new maximum, and rescales what was summed before.
#[inline(always)]
fn soften<A: Arith>(factor: f32, seen: &Range<usize>, panel: &mut Panel, scores: &mut Scores) {
    let whole = panel.sight.is_whole(seen);
    let mut top = panel.top;
    let raw = &mut scores.raw[..seen.len()];
    for (key, row) in seen.clone().zip(raw.iter_mut()) {
        row.iter_mut().for_each(|score| *score *= factor);
        if !whole {
            panel.sight.hide(key, row, f32::NEG_INFINITY);
        }
        for col in 0..COLS {
            top[col] = if row[col] > top[col] { row[col] } else { top[col] };
        }
    }
    let mut sum = [0.0; COLS];
    for (pair_of_rows, words) in raw.chunks_mut(A::PER_WORD).zip(&mut scores.words) {
        for row in pair_of_rows.iter_mut() {
            for col in 0..COLS {
                row[col] = exp2::<A::Loops>(row[col] - top[col]);
                sum[col] += row[col];
            }
        }
        to_words::<A>(pair_of_rows, words);
    }
    rescale::<A>(panel, &top, &sum);
}

/// One row of f32 words, or two rows as one of pairs; a missing second row counts as zero.
#[inline(always)]
pub(super) fn to_words<A: Arith>(rows: &[[f32; COLS]], words: &mut [u32; COLS]) {
    match rows {
        [first, second] => (0..COLS).for_each(|col| words[col] = pair(first[col], second[col])),
        [first] if A::PER_WORD == 2 => (0..COLS).for_each(|col| words[col] = pair(first[col], 0.0)),
        [first] => (0..COLS).for_each(|col| words[col] = first[col].to_bits()),
        _ => {}
    }
}

#[inline(always)]
fn rescale<A: Arith>(panel: &mut Panel, top: &[f32; COLS], sum: &[f32; COLS]) {
    let mut factor = [1.0; COLS];
    for col in 0..COLS {
        factor[col] = exp2::<A::Loops>(panel.top[col] - top[col]);
        panel.sum[col] = A::Loops::fma(panel.sum[col], factor[col], sum[col]);
    }
    if panel.top != *top {
        for row in panel.out.as_chunks_mut::<COLS>().0 {
            (0..COLS).for_each(|col| row[col] *= factor[col]);
        }
    }
    panel.top = *top;
}
