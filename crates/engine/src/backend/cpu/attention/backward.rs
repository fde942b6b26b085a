//! Attention backward: softmax recomputed from its log-sums, each score once.
//!
//! With P = exp(scale · q kᵀ − lse) and δ = Σ dout · out:
//! dv = Pᵀ dout, dP = dout vᵀ, dS = P ∘ (dP − δ), dq = scale · dS k, dk = scale · dSᵀ q.
//!
//! A task holds dk and dv of its keys while all queries that see them pass by.
//! Scores are transposed as in the forward pass: keys down, queries across.

use super::super::math::exp2;
use super::super::row::write;
use super::super::simd::Simd;
use super::super::view::MatMut;
use super::block::{Block, Problem};
use super::forward::{KEYS, turn_floats};
use super::pack::{Rows, Turned, interleave};
use super::passing::{Panel, Passing, Saved};
use super::spare::Spare;
use super::tile::{Arith, COLS, Into, Operands, Work};
use super::unit::{Unit, most_keys};
use std::f32::consts::LOG2_E;
use std::ops::Range;

/// Computes dk and dv of a unit's keys, and its share of dq.
pub(super) struct Backward<'a> {
    pub(super) problem: &'a Problem<'a>,
    pub(super) kv_head: usize,
    pub(super) unit: &'a Unit,
    pub(super) saved: Saved<'a>,
    /// dq, or the unit's partial dq; row 0 is that of the unit's first query.
    pub(super) dq: MatMut<'a>,
    pub(super) dk: MatMut<'a>,
    pub(super) dv: MatMut<'a>,
    pub(super) spare: &'a Spare<Workspace>,
}

/// What a unit is computed in.
pub(super) struct Workspace {
    tiles: Vec<Tile>,
    passing: Passing,
    scores: Scores,
    /// dq of a panel, 32 × E.
    dq: Vec<f32>,
}

/// A tile of keys as the operands they become, and their gradients.
struct Tile {
    range: Range<usize>,
    keys: Rows,
    values: Rows,
    turned_keys: Turned,
    /// (keys, E rounded up to whole panels).
    dk: Vec<f32>,
    dv: Vec<f32>,
}

/// Scores of one tile and panel, and the weights of all panels of a block.
struct Scores {
    p: Box<[[f32; COLS]]>,
    dp: Box<[[f32; COLS]]>,
    /// dS by pairs of keys, an operand B.
    words: Box<[[u32; COLS]]>,
    /// P and dS of every panel, keys × (columns in words), operands A.
    weights: Vec<u32>,
    grads: Vec<u32>,
    /// Words in a row of both.
    stride: usize,
}

/// The most tiles of keys that a unit of some of `rows` rows has.
pub(super) fn most_tiles(rows: usize) -> usize {
    most_keys(rows).div_ceil(KEYS)
}

impl Work for Backward<'_> {
    #[inline(always)]
    fn run<A: Arith>(self) {
        let mut space = self.spare.take().unwrap_or_else(|| Workspace::new::<A>(self.problem));
        self.compute::<A>(&mut space);
        self.spare.give(space);
    }
}

impl Workspace {
    fn new<A: Arith>(problem: &Problem<'_>) -> Self {
        let stride = problem.block_panels() * COLS / A::PER_WORD;
        let scores = Scores {
            p: vec![[0.0; COLS]; KEYS].into(),
            dp: vec![[0.0; COLS]; KEYS].into(),
            words: vec![[0; COLS]; KEYS / A::PER_WORD].into(),
            weights: vec![0; KEYS * stride],
            grads: vec![0; KEYS * stride],
            stride,
        };
        let dq = vec![0.0; COLS * problem.width];
        Self { tiles: Vec::new(), passing: Passing::new::<A>(problem), scores, dq }
    }
}

impl Backward<'_> {
    // Plain loops, not iterators, around everything that needs the instructions:
    // a closure would be compiled without them.
    #[inline(always)]
    fn compute<A: Arith>(&self, space: &mut Workspace) {
        let problem = self.problem;
        let (keys, queries) = (self.unit.keys.clone(), self.unit.queries.clone());
        let n_tiles = keys.len().div_ceil(KEYS);
        for (idx, start) in keys.clone().step_by(KEYS).enumerate() {
            if idx == space.tiles.len() {
                space.tiles.push(Tile::new::<A>(problem.width));
            }
            space.tiles[idx].fill::<A>(problem, self.kv_head, start..(start + KEYS).min(keys.end));
        }
        let chunk = problem.block_queries();
        for start in queries.clone().step_by(chunk) {
            let queries = start..(start + chunk).min(queries.end);
            let block = Block { problem, kv_head: self.kv_head, queries };
            space.passing.fill::<A>(&block, self.saved);
            for tile in &mut space.tiles[..n_tiles] {
                self.visit::<A>(tile, block.n_panels(), &mut space.passing, &mut space.scores);
            }
            self.write_dq::<A>(&block, &space.passing, &mut space.dq);
        }
        space.tiles[..n_tiles].iter_mut().for_each(|tile| self.write_tile(tile));
    }

    /// Adds what a block of queries gives to a tile of keys, and takes from it.
    #[inline(always)]
    fn visit<A: Arith>(&self, tile: &mut Tile, n_panels: usize, passing: &mut Passing, scores: &mut Scores) {
        let panels = &mut passing.panels[..n_panels];
        let sees = |panel: &Panel| !panel.sight.part(&tile.range).is_empty();
        let Some(first) = panels.iter().position(sees) else { return };
        let last = panels.iter().rposition(sees).unwrap_or(first);
        for (idx, panel) in panels.iter_mut().enumerate().take(last + 1).skip(first) {
            self.visit_panel::<A>(tile, panel, idx, scores);
        }
        let (from, depth) = (first * COLS / A::PER_WORD, (last + 1 - first) * COLS / A::PER_WORD);
        let padded = self.problem.width.next_multiple_of(COLS);
        for (weights, columns, grad) in
            [(&scores.weights, &passing.dout, &mut tile.dv), (&scores.grads, &passing.q, &mut tile.dk)]
        {
            for (part, words) in columns.parts.iter().enumerate() {
                let sum = Operands {
                    a: weights[from..].as_ptr().cast(),
                    a_bytes: scores.stride * 4,
                    b: words[from * COLS..].as_ptr(),
                    depth,
                    c: grad[part * COLS..].as_mut_ptr(),
                    c_stride: padded,
                    into: Into::Add,
                };
                // SAFETY: every visited panel wrote its weights of all keys of the tile.
                unsafe { A::product(tile.range.len(), sum) };
            }
        }
    }

    /// Weights and their gradients of one panel, and its dq.
    #[inline(always)]
    fn visit_panel<A: Arith>(&self, tile: &Tile, panel: &mut Panel, idx: usize, scores: &mut Scores) {
        let mut seen = panel.sight.part(&tile.range);
        if seen.is_empty() {
            return keep::<A>(tile.range.len(), 0..0, idx, scores);
        }
        // Keys are packed in pairs from the start of the tile.
        seen.start -= (seen.start - tile.range.start) % A::PER_WORD;
        let width = self.problem.width;
        let pairs = [(&tile.keys, &panel.q, &mut scores.p), (&tile.values, &panel.dout, &mut scores.dp)];
        for (rows, columns, c) in pairs {
            let op = Operands {
                a: rows.at(seen.start),
                a_bytes: rows.bytes,
                b: columns.as_ptr(),
                depth: width / A::PER_WORD,
                c: c.as_mut_ptr().cast(),
                c_stride: COLS,
                into: Into::Replace,
            };
            // SAFETY: the keys seen exist, and the tile has room for their scores.
            unsafe { A::product(seen.len(), op) };
        }
        differentiate::<A>(self.problem.scale * LOG2_E, &seen, panel, scores);
        keep::<A>(tile.range.len(), seen.start - tile.range.start..seen.end - tile.range.start, idx, scores);
        let key_sums = Operands {
            a: tile.turned_keys.at::<A>(seen.start - tile.range.start),
            a_bytes: tile.turned_keys.bytes(),
            b: scores.words.as_ptr().cast(),
            depth: seen.len().div_ceil(A::PER_WORD),
            c: panel.dq.as_mut_ptr(),
            c_stride: COLS,
            into: Into::Add,
        };
        // SAFETY: `turned_keys` holds every key of the tile, missing ones as zero.
        unsafe { A::product(width, key_sums) };
    }

    #[inline(always)]
    fn write_dq<A: Arith>(&self, block: &Block<'_>, passing: &Passing, rows: &mut [f32]) {
        let (width, scale) = (self.problem.width, self.problem.scale);
        for (idx, panel) in passing.panels[..block.n_panels()].iter().enumerate() {
            turn_floats::<A>((width, COLS), &panel.dq, rows);
            rows.iter_mut().for_each(|x| *x *= scale);
            for (col, query, head) in block.places(idx) {
                let row = &rows[col * width..][..width];
                // SAFETY: this unit owns these heads of its rows of dq, or of its partial dq.
                unsafe { write(self.dq, query - self.unit.queries.start, head * width, row) };
            }
        }
    }

    #[inline(always)]
    fn write_tile(&self, tile: &mut Tile) {
        let (width, scale, at) = (self.problem.width, self.problem.scale, self.kv_head * self.problem.width);
        let padded = width.next_multiple_of(COLS);
        tile.dk.iter_mut().for_each(|x| *x *= scale);
        for (idx, row) in tile.range.clone().enumerate() {
            // SAFETY: this unit owns its keys.
            unsafe {
                write(self.dk, row, at, &tile.dk[idx * padded..][..width]);
                write(self.dv, row, at, &tile.dv[idx * padded..][..width]);
            }
        }
    }
}

impl Tile {
    fn new<A: Arith>(width: usize) -> Self {
        let n_numbers = KEYS * width.next_multiple_of(COLS);
        Self {
            range: 0..0,
            keys: Rows::default(),
            values: Rows::default(),
            turned_keys: Turned::new::<A>(KEYS, width),
            dk: vec![0.0; n_numbers],
            dv: vec![0.0; n_numbers],
        }
    }

    #[inline(always)]
    fn fill<A: Arith>(&mut self, problem: &Problem<'_>, kv_head: usize, range: Range<usize>) {
        let (k, v) = (problem.kv_columns(problem.k, kv_head), problem.kv_columns(problem.v, kv_head));
        self.keys.fill::<A>(k, range.clone());
        self.values.fill::<A>(v, range.clone());
        self.turned_keys.fill::<A>(k, &range);
        self.dk.fill(0.0);
        self.dv.fill(0.0);
        self.range = range;
    }
}

/// P and dS of the keys seen, in place of the scores and dP; dS by pairs of keys into `words`.
#[inline(always)]
fn differentiate<A: Arith>(factor: f32, seen: &Range<usize>, panel: &Panel, scores: &mut Scores) {
    let (p, dp) = (&mut scores.p[..seen.len()], &mut scores.dp[..seen.len()]);
    if !panel.sight.is_whole(seen) {
        for (key, p) in seen.clone().zip(p.iter_mut()) {
            panel.sight.hide(key, p, f32::NEG_INFINITY);
        }
    }
    for (p, dp) in p.iter_mut().zip(dp.iter_mut()) {
        for col in 0..COLS {
            p[col] = exp2::<A::Loops>(A::Loops::fma(p[col], factor, -panel.lse[col]));
            dp[col] = p[col] * (dp[col] - panel.delta[col]);
        }
    }
    interleave::<A>(dp, &mut scores.words);
}

/// Stores P and dS of panel `idx` among those of its block; keys it does not see weigh nothing.
#[inline(always)]
fn keep<A: Arith>(n_keys: usize, seen: Range<usize>, idx: usize, scores: &mut Scores) {
    let n = COLS / A::PER_WORD;
    for (from, into) in [(&scores.p, &mut scores.weights), (&scores.dp, &mut scores.grads)] {
        for (key, words) in into.chunks_exact_mut(scores.stride).take(n_keys).enumerate() {
            let words = &mut words[idx * n..][..n];
            if seen.contains(&key) {
                // SAFETY: this code runs where the processor has the instructions of `A`.
                unsafe { A::narrow(&from[key - seen.start], words) };
            } else {
                words.fill(0);
            }
        }
    }
}
