//! Attention forward: online softmax over tiles of keys.
//!
//! Scores are kept transposed, keys down and queries across, so the running
//! maximum and sum of every query are lanes of a vector and no vector is ever
//! summed across. The output is accumulated transposed too and turned once.

use super::super::math::exp2;
use super::super::row::write;
use super::super::simd::Simd;
use super::super::view::MatMut;
use super::block::{Block, Problem, Sight, across};
use super::pack::{Rows, Turned, interleave, transpose};
use super::spare::Spare;
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
    pub(super) spare: &'a Spare<Workspace>,
}

/// What a block is computed in.
pub(super) struct Workspace {
    /// Queries of the block, (columns) × (E in words).
    rows: Vec<u32>,
    panels: Vec<Panel>,
    keys: Rows,
    values: Turned,
    scores: Scores,
    /// Output of a panel, 32 × E.
    out: Vec<f32>,
}

/// Softmax over the keys seen so far, of the columns of one panel.
struct Panel {
    sight: Sight,
    /// Queries, (E in words) × 32.
    q: Vec<u32>,
    /// Output before division by `sum`, E × 32.
    out: Vec<f32>,
    /// Largest score times log2 e.
    top: [f32; COLS],
    sum: [f32; COLS],
}

/// Scores of one tile and panel, and what becomes of them.
struct Scores {
    raw: Box<[[f32; COLS]]>,
    /// Softmax numerators, as pairs of keys.
    words: Box<[[u32; COLS]]>,
}

impl Work for Forward<'_> {
    #[inline(always)]
    fn run<A: Arith>(self) {
        let mut space = self.spare.take().unwrap_or_else(|| Workspace::new::<A>(self.block.problem));
        self.compute::<A>(&mut space);
        self.spare.give(space);
    }
}

impl Workspace {
    fn new<A: Arith>(problem: &Problem<'_>) -> Self {
        let (width, n_panels) = (problem.width, problem.block_panels());
        let panel = || Panel {
            sight: Sight::default(),
            q: vec![0; width / A::PER_WORD * COLS],
            out: vec![0.0; width * COLS],
            top: [0.0; COLS],
            sum: [0.0; COLS],
        };
        Self {
            rows: vec![0; n_panels * COLS * width / A::PER_WORD],
            panels: (0..n_panels).map(|_| panel()).collect(),
            keys: Rows::default(),
            values: Turned::new::<A>(KEYS, width),
            scores: Scores {
                raw: vec![[0.0; COLS]; KEYS].into(),
                words: vec![[0; COLS]; KEYS / A::PER_WORD].into(),
            },
            out: vec![0.0; COLS * width],
        }
    }
}

impl Forward<'_> {
    // Plain loops, not iterators, around everything that needs the instructions:
    // a closure would be compiled without them.
    #[inline(always)]
    fn compute<A: Arith>(&self, space: &mut Workspace) {
        let problem = self.block.problem;
        let n_panels = self.block.n_panels();
        self.block.rows::<A>(problem.q, &mut space.rows);
        for (idx, panel) in space.panels[..n_panels].iter_mut().enumerate() {
            across::<A>(&space.rows, idx, &mut panel.q);
            panel.sight = self.block.sight(idx);
            panel.out.fill(0.0);
            (panel.top, panel.sum) = ([NOTHING_SEEN; COLS], [0.0; COLS]);
        }
        let seen = space.panels[..n_panels].iter().map(|panel| panel.sight.any.clone());
        let both = |a: Range<usize>, b: Range<usize>| a.start.min(b.start)..a.end.max(b.end);
        let all = seen.filter(|seen| !seen.is_empty()).reduce(both).unwrap_or(0..0);
        let k = problem.kv_columns(problem.k, self.block.kv_head);
        let v = problem.kv_columns(problem.v, self.block.kv_head);
        let shared = space.panels[..n_panels].iter().filter_map(|panel| panel.sight.first_shared()).min();
        for tile in problem.tiles(all, shared, KEYS) {
            space.keys.fill::<A>(k, tile.clone());
            space.values.fill::<A>(v, &tile);
            for panel in &mut space.panels[..n_panels] {
                visit::<A>(problem, &tile, &space.keys, &space.values, panel, &mut space.scores);
            }
        }
        for (idx, panel) in space.panels[..n_panels].iter().enumerate() {
            self.finish::<A>(idx, panel, &mut space.out);
        }
    }

    /// Divides by the sums and writes the rows of a panel.
    #[inline(always)]
    fn finish<A: Arith>(&self, idx: usize, panel: &Panel, rows: &mut [f32]) {
        let width = self.block.problem.width;
        turn_floats::<A>((width, COLS), &panel.out, rows);
        for (col, query, head) in self.block.places(idx) {
            let row = &mut rows[col * width..][..width];
            let sink = self.block.problem.sinks.map(|sinks| sinks[head]);
            let Total { factor, top, sum } = Total::new::<A::Loops>((panel.top[col], panel.sum[col]), sink);
            row.iter_mut().for_each(|x| *x *= factor);
            // SAFETY: this block owns these rows of these heads.
            unsafe { write(self.out, query, head * width, row) };
            if let Some(lse) = self.lse {
                let value = (top + sum.log2()) * LN_2;
                // SAFETY: as above.
                unsafe { write(lse, query, head, &[value]) };
            }
        }
    }
}

/// What a softmax is divided by, once its last key is in.
pub(in crate::backend::cpu) struct Total {
    /// Makes the weighted sum of values an output.
    pub(in crate::backend::cpu) factor: f32,
    /// The largest score times log2 e.
    top: f32,
    /// Relative to it.
    sum: f32,
}

impl Total {
    /// Adds a sink to the sum over keys.
    #[inline(always)]
    pub(in crate::backend::cpu) fn new<S: Simd>((top, sum): (f32, f32), sink: Option<f32>) -> Self {
        let Some(sink) = sink.map(|sink| sink * LOG2_E) else {
            // A query that sees no key attends to nothing: its output is zero.
            return Self { factor: if sum > 0.0 { 1.0 / sum } else { 0.0 }, top, sum };
        };
        let new = if sink > top { sink } else { top };
        let shrunk = exp2::<S>(top - new);
        let all = S::fma(sum, shrunk, exp2::<S>(sink - new));
        Self { factor: if all > 0.0 { shrunk / all } else { 0.0 }, top: new, sum: all }
    }
}

/// `to[col][row] = from[row][col]`, dense.
#[inline(always)]
pub(super) fn turn_floats<A: Arith>((rows, cols): (usize, usize), from: &[f32], to: &mut [f32]) {
    // SAFETY: an f32 is a word.
    let (from, to) = unsafe { (from.align_to::<u32>().1, to.align_to_mut::<u32>().1) };
    transpose::<A>((rows, cols), (from, cols), (to, rows));
}

/// Adds one tile of keys to the softmax of one panel.
#[inline(always)]
fn visit<A: Arith>(
    problem: &Problem<'_>,
    tile: &Range<usize>,
    keys: &Rows,
    values: &Turned,
    panel: &mut Panel,
    scores: &mut Scores,
) {
    let mut seen = panel.sight.part(tile);
    if seen.is_empty() {
        return;
    }
    // Values are packed by pairs of keys from the start of the tile.
    seen.start -= (seen.start - tile.start) % A::PER_WORD;
    let width = problem.width;
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
    let factors = soften::<A>(problem.scale * LOG2_E, &seen, panel, scores);
    let value_sums = Operands {
        a: values.at::<A>(seen.start - tile.start),
        a_bytes: values.bytes(),
        b: scores.words.as_ptr().cast(),
        depth: seen.len().div_ceil(A::PER_WORD),
        c: panel.out.as_mut_ptr(),
        c_stride: COLS,
        into: Into::Scaled(&factors),
    };
    // SAFETY: `values` holds every row of the tile, missing ones as zero.
    unsafe { A::product(width, value_sums) };
}

/// Turns scores into softmax numerators relative to the new maximum.
///
/// Returns the factors that make relative to it what was summed before.
#[inline(always)]
fn soften<A: Arith>(factor: f32, seen: &Range<usize>, panel: &mut Panel, scores: &mut Scores) -> [f32; COLS] {
    let raw = &mut scores.raw[..seen.len()];
    if !panel.sight.is_whole(seen) {
        for (key, row) in seen.clone().zip(raw.iter_mut()) {
            panel.sight.hide(key, row, f32::NEG_INFINITY);
        }
    }
    let largest = column_max(raw);
    let mut top = [0.0; COLS];
    for col in 0..COLS {
        let new = largest[col] * factor;
        top[col] = if new > panel.top[col] { new } else { panel.top[col] };
    }
    for row in raw.iter_mut() {
        for col in 0..COLS {
            row[col] = exp2::<A::Loops>(A::Loops::fma(row[col], factor, -top[col]));
        }
    }
    let sum = column_sum(raw);
    interleave::<A>(raw, &mut scores.words);
    rescale::<A>(panel, top, sum)
}

#[inline(always)]
fn column_max(rows: &[[f32; COLS]]) -> [f32; COLS] {
    let mut largest = [f32::NEG_INFINITY; COLS];
    for row in rows {
        for col in 0..COLS {
            largest[col] = if row[col] > largest[col] { row[col] } else { largest[col] };
        }
    }
    largest
}

#[inline(always)]
fn column_sum(rows: &[[f32; COLS]]) -> [f32; COLS] {
    let mut sum = [0.0; COLS];
    for row in rows {
        for col in 0..COLS {
            sum[col] += row[col];
        }
    }
    sum
}

/// Takes the sums into the panel; returns the factors that make what was summed before relative to `top`.
#[inline(always)]
fn rescale<A: Arith>(panel: &mut Panel, top: [f32; COLS], sum: [f32; COLS]) -> [f32; COLS] {
    let mut factor = [0.0; COLS];
    for col in 0..COLS {
        factor[col] = exp2::<A::Loops>(panel.top[col] - top[col]);
        panel.sum[col] = A::Loops::fma(panel.sum[col], factor[col], sum[col]);
    }
    panel.top = top;
    factor
}
