//! A few queries over one piece of their keys: too few to fill the columns of a panel.
//!
//! Here scores lie the plain way, queries down and keys across, and it is the
//! keys and values that are packed, once for all queries and heads of the piece.

use super::super::math::{exp2, max, sum};
use super::super::simd::Simd;
use super::super::view::{Mat, MatMut};
use super::block::{Block, Problem};
use super::pack::{by_parts, rows_words, transpose};
use super::spare::Spare;
use super::tile::{Arith, COLS, Into, Operands, Work};
use std::f32::consts::LOG2_E;
use std::ops::Range;

/// Keys of a piece.
pub(in crate::backend::cpu) const PIECE: usize = 256;

/// Most rows of queries and heads that are taken so.
pub(super) const FEW: usize = 16;

/// Computes one piece: for every row of `block` its softmax relative to its own maximum.
pub(super) struct Few<'a> {
    pub(super) block: Block<'a>,
    pub(super) keys: Range<usize>,
    /// For every (query, head): E numbers of output, then maximum (times log2 e) and sum.
    pub(super) part: MatMut<'a>,
}

/// A token asks for attention once a layer, and what it computes is hardly more than clearing new
/// memory would be: what this takes is kept, some hundred KiB a thread.
static SPARE: Spare<Workspace> = Spare::new();

/// What a piece is computed in.
#[derive(Default)]
pub(super) struct Workspace {
    /// Queries, (rows) × (E in words): an operand A.
    q: Vec<u32>,
    /// Keys or values as they lie, (PIECE) × (E in words).
    rows: Vec<u32>,
    /// Keys turned, (E in words) × 32.
    turned: Vec<u32>,
    /// Pairs of values by panels of E: operands B.
    parts: Vec<Vec<u32>>,
    /// Scores, then softmax numerators, (rows) × (PIECE).
    scores: Vec<f32>,
    /// The numerators as words, an operand A.
    weights: Vec<u32>,
    /// Output, (rows) × (E rounded up to whole panels).
    out: Vec<f32>,
}

/// Whether a block of `queries` queries is better off here than in panels of columns.
pub(in crate::backend::cpu) fn are_few(problem: &Problem<'_>, queries: usize) -> bool {
    queries == 1 || queries * problem.group() <= FEW
}

impl Work for Few<'_> {
    #[inline(always)]
    fn run<A: Arith>(self) {
        let rows = self.rows();
        let mut space = SPARE.take().unwrap_or_default();
        space.make_room::<A>(self.block.problem, rows);
        self.compute::<A>(&mut space);
        SPARE.give(space);
    }
}

impl Workspace {
    fn make_room<A: Arith>(&mut self, problem: &Problem<'_>, rows: usize) {
        let width = problem.width;
        self.rows.resize(PIECE * width / A::PER_WORD, 0);
        self.turned.resize(COLS * width / A::PER_WORD, 0);
        self.parts.resize_with(width.div_ceil(COLS), Vec::new);
        self.parts.iter_mut().for_each(|part| part.resize(PIECE / A::PER_WORD * COLS, 0));
        self.q.resize(rows * width / A::PER_WORD, 0);
        self.scores.resize(rows * PIECE, 0.0);
        self.weights.resize(rows * PIECE / A::PER_WORD, 0);
        self.out.resize(rows * width.next_multiple_of(COLS), 0.0);
    }
}

impl Few<'_> {
    /// Rows of queries and heads, rounded up to what one pass of a product takes.
    fn rows(&self) -> usize {
        (self.block.queries.len() * self.block.problem.group()).next_multiple_of(4)
    }

    #[inline(always)]
    fn compute<A: Arith>(&self, space: &mut Workspace) {
        let problem = self.block.problem;
        self.block.rows::<A>(problem.q, &mut space.q);
        self.score::<A>(problem.kv_columns(problem.k, self.block.kv_head), space);
        for row in 0..self.rows() {
            self.soften::<A>(row, space);
        }
        self.sum_values::<A>(problem.kv_columns(problem.v, self.block.kv_head), space);
        self.write_part(space);
    }

    #[inline(always)]
    fn score<A: Arith>(&self, keys: Mat<'_>, space: &mut Workspace) {
        let words = keys.cols / A::PER_WORD;
        for start in self.keys.clone().step_by(COLS) {
            let tile = start..(start + COLS).min(self.keys.end);
            // Rows that are missing keep an older key: `soften` looks at none of their scores.
            rows_words::<A>(keys, tile, &mut space.rows);
            transpose::<A>((COLS, words), (&space.rows, words), (&mut space.turned, COLS));
            let op = Operands {
                a: space.q.as_ptr().cast(),
                a_bytes: words * 4,
                b: space.turned.as_ptr(),
                depth: words,
                c: space.scores[start - self.keys.start..].as_mut_ptr(),
                c_stride: PIECE,
                into: Into::Replace,
            };
            // SAFETY: a piece has room for whole panels of keys.
            unsafe { A::product(self.rows(), op) };
        }
    }

    /// Turns a row of scores into softmax numerators, and those it may not see into zeros.
    #[inline(always)]
    fn soften<A: Arith>(&self, row: usize, space: &mut Workspace) {
        let problem = self.block.problem;
        let place = self.block.place(row);
        let (first, end) = place.map_or((0, 0), |(query, _)| problem.spans[query]);
        let within = |key: u32| (key as usize).clamp(self.keys.start, self.keys.end) - self.keys.start;
        let scores = &mut space.scores[row * PIECE..][..PIECE];
        let (hidden, behind) = scores.split_at_mut(within(first));
        let (seen, unseen) = behind.split_at_mut(within(end) - hidden.len());
        hidden.fill(0.0);
        unseen.fill(0.0);
        let factor = problem.scale * LOG2_E;
        // Finite also where nothing is seen, so that the weight of the piece is zero and not NaN.
        let top = (max(seen) * factor).max(f32::MIN);
        seen.iter_mut().for_each(|x| *x = exp2::<A::Loops>(A::Loops::fma(*x, factor, -top)));
        let total = sum(seen);
        let words = &mut space.weights[row * PIECE / A::PER_WORD..][..PIECE / A::PER_WORD];
        let rows = space.scores[row * PIECE..][..PIECE].as_chunks::<COLS>().0;
        for (numbers, words) in rows.iter().zip(words.chunks_exact_mut(COLS / A::PER_WORD)) {
            // SAFETY: this code runs where the processor has the instructions of `A`.
            unsafe { A::narrow(numbers, words) };
        }
        if place.is_some() {
            // SAFETY: this piece owns its part.
            let part = unsafe { self.part.row_f32(row) };
            part[problem.width..].copy_from_slice(&[top, total]);
        }
    }

    #[inline(always)]
    fn sum_values<A: Arith>(&self, values: Mat<'_>, space: &mut Workspace) {
        let (n, width) = (self.keys.len(), values.cols);
        let n_paired = n.div_ceil(A::PER_WORD);
        rows_words::<A>(values, self.keys.clone(), &mut space.rows);
        space.rows[n * width / A::PER_WORD..n_paired * width].fill(0);
        by_parts::<A>(&space.rows[..n_paired * width], width, &mut space.parts);
        for (part, words) in space.parts.iter().enumerate() {
            let op = Operands {
                a: space.weights.as_ptr().cast(),
                a_bytes: PIECE / A::PER_WORD * 4,
                b: words.as_ptr(),
                depth: n_paired,
                c: space.out[part * COLS..].as_mut_ptr(),
                c_stride: width.next_multiple_of(COLS),
                into: Into::Replace,
            };
            // SAFETY: every value of the piece was packed.
            unsafe { A::product(self.rows(), op) };
        }
    }

    #[inline(always)]
    fn write_part(&self, space: &Workspace) {
        let width = self.block.problem.width;
        let rows = space.out.chunks_exact(width.next_multiple_of(COLS));
        for (row, out) in rows.enumerate().take(self.part.rows) {
            // SAFETY: this piece owns its part.
            let part = unsafe { self.part.row_f32(row) };
            part[..width].copy_from_slice(&out[..width]);
        }
    }
}
