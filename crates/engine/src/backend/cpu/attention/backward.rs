//! Attention backward: softmax recomputed from its log-sums, each score once.
//!
//! With P = exp(scale · q kᵀ − lse) and δ = Σ dout · out:
//! dv = Pᵀ dout, dP = dout vᵀ, dS = P ∘ (dP − δ), dq = scale · dS k, dk = scale · dSᵀ q.
//!
//! A task holds dk and dv of its keys while all queries that see them pass by.
//! Scores are transposed as in the forward pass: keys down, queries across.

use super::super::math::exp2;
use super::super::row::{read, write};
use super::super::simd::Simd;
use super::super::view::{Mat, MatMut};
use super::block::{Block, Problem, Sight, overlap};
use super::forward::{KEYS, to_words, turn_floats, turned};
use super::pack::{Rows, pair, paired_rows};
use super::tile::{Arith, COLS, Into, Operands, Work};
use super::unit::Unit;
use std::f32::consts::LOG2_E;
use std::ops::Range;

/// What the gradients are computed from, beside the inputs.
#[derive(Clone, Copy)]
pub(super) struct Saved<'a> {
    pub(super) dout: Mat<'a>,
    pub(super) lse: Mat<'a>,
    /// Σ dout · out of every query head, (M, H).
    pub(super) delta: Mat<'a>,
}

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
}

/// A tile of keys as the operands they become, and their gradients.
struct Tile {
    range: Range<usize>,
    keys: Rows,
    values: Rows,
    /// Keys turned, E × (keys in words).
    turned: Vec<u32>,
    /// (keys, E rounded up to whole panels).
    dk: Vec<f32>,
    dv: Vec<f32>,
}

/// 32 columns of a block of queries.
struct Panel {
    sight: Sight,
    /// (E words) × 32.
    q: Vec<u32>,
    dout: Vec<u32>,
    /// E × 32.
    dq: Vec<f32>,
    /// lse · log2 e; infinite for padding, which makes its weights zero.
    lse: [f32; COLS],
    delta: [f32; COLS],
}

/// A block of queries.
struct Queries {
    panels: Vec<Panel>,
    /// By panels of E: pairs of columns × 32, operands B whose depth is the queries.
    q: Vec<Vec<u32>>,
    dout: Vec<Vec<u32>>,
}

/// Scores of one tile and panel, and the weights of all panels of a block.
struct Scores {
    p: [[f32; COLS]; KEYS],
    dp: [[f32; COLS]; KEYS],
    /// dS by pairs of keys, an operand B.
    words: [[u32; COLS]; KEYS],
    /// P and dS of every panel, keys × (columns in words), operands A.
    weights: Vec<u32>,
    grads: Vec<u32>,
    /// Words in a row of both.
    stride: usize,
}

impl Work for Backward<'_> {
    #[inline(always)]
    fn run<A: Arith>(self) {
        let problem = self.problem;
        let keys = self.unit.keys.clone();
        let ranges = keys.clone().step_by(KEYS).map(|start| start..(start + KEYS).min(keys.end));
        let mut tiles: Vec<Tile> = ranges.map(|range| self.tile::<A>(range)).collect();
        let chunk = problem.block_queries();
        let stride = (chunk * problem.group()).div_ceil(COLS) * COLS / A::PER_WORD;
        let mut scores = Scores {
            p: [[0.0; COLS]; KEYS],
            dp: [[0.0; COLS]; KEYS],
            words: [[0; COLS]; KEYS],
            weights: vec![0; KEYS * stride],
            grads: vec![0; KEYS * stride],
            stride,
        };
        let end = self.unit.queries.end;
        for start in self.unit.queries.clone().step_by(chunk) {
            let queries = start..(start + chunk).min(end);
            let block = Block { problem, kv_head: self.kv_head, queries };
            let mut queries = self.queries::<A>(&block);
            for tile in &mut tiles {
                self.visit::<A>(tile, &mut queries, &mut scores);
            }
            self.write_dq::<A>(&block, &queries);
        }
        tiles.iter_mut().for_each(|tile| self.write_tile(tile));
    }
}

impl Backward<'_> {
    #[inline(always)]
    fn tile<A: Arith>(&self, range: Range<usize>) -> Tile {
        let k = self.problem.kv_columns(self.problem.k, self.kv_head);
        let v = self.problem.kv_columns(self.problem.v, self.kv_head);
        let n_numbers = range.len() * self.problem.width.next_multiple_of(COLS);
        Tile {
            keys: Rows::new::<A>(k, range.clone()),
            values: Rows::new::<A>(v, range.clone()),
            turned: turned::<A>(k, &range),
            dk: vec![0.0; n_numbers],
            dv: vec![0.0; n_numbers],
            range,
        }
    }

    #[inline(always)]
    fn queries<A: Arith>(&self, block: &Block<'_>) -> Queries {
        Queries {
            panels: (0..block.n_panels()).map(|idx| self.panel::<A>(block, idx)).collect(),
            q: down::<A>(block, self.problem.q),
            dout: down::<A>(block, self.saved.dout),
        }
    }

    #[inline(always)]
    fn panel<A: Arith>(&self, block: &Block<'_>, idx: usize) -> Panel {
        let n_words = self.problem.width / A::PER_WORD * COLS;
        let mut panel = Panel {
            sight: block.sight(idx),
            q: vec![0; n_words],
            dout: vec![0; n_words],
            dq: vec![0.0; self.problem.width * COLS],
            lse: [f32::INFINITY; COLS],
            delta: [0.0; COLS],
        };
        block.across::<A>(self.problem.q, idx, &mut panel.q);
        block.across::<A>(self.saved.dout, idx, &mut panel.dout);
        for (col, query, head) in block.places(idx) {
            panel.lse[col] = self.saved.lse.get(query, head) * LOG2_E;
            panel.delta[col] = self.saved.delta.get(query, head);
        }
        panel
    }

    /// Adds what a block of queries gives to a tile of keys, and takes from it.
    #[inline(always)]
    fn visit<A: Arith>(&self, tile: &mut Tile, queries: &mut Queries, scores: &mut Scores) {
        let sees = |panel: &Panel| !overlap(&tile.range, &panel.sight.any).is_empty();
        let Some(first) = queries.panels.iter().position(sees) else { return };
        let last = queries.panels.iter().rposition(sees).unwrap_or(first);
        for idx in first..=last {
            self.visit_panel::<A>(tile, &mut queries.panels[idx], idx, scores);
        }
        let (from, depth) = (first * COLS / A::PER_WORD, (last + 1 - first) * COLS / A::PER_WORD);
        let padded = self.problem.width.next_multiple_of(COLS);
        for (weights, operands, grad) in
            [(&scores.weights, &queries.dout, &mut tile.dv), (&scores.grads, &queries.q, &mut tile.dk)]
        {
            for (part, words) in operands.iter().enumerate() {
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
        let mut seen = overlap(&tile.range, &panel.sight.any);
        // Keys are packed in pairs from the start of the tile.
        seen.start -= (seen.start - tile.range.start) % A::PER_WORD;
        let (width, stride) = (self.problem.width, KEYS / A::PER_WORD);
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
        let first = (seen.start - tile.range.start) / A::PER_WORD;
        let key_sums = Operands {
            a: tile.turned[first..].as_ptr().cast(),
            a_bytes: stride * 4,
            b: scores.words.as_ptr().cast(),
            depth: seen.len().div_ceil(A::PER_WORD),
            c: panel.dq.as_mut_ptr(),
            c_stride: COLS,
            into: Into::Add,
        };
        // SAFETY: `turned` packed every key of the tile, missing ones as zero.
        unsafe { A::product(width, key_sums) };
    }

    #[inline(always)]
    fn write_dq<A: Arith>(&self, block: &Block<'_>, queries: &Queries) {
        let (width, scale) = (self.problem.width, self.problem.scale);
        let mut rows = vec![0.0; COLS * width];
        for (idx, panel) in queries.panels.iter().enumerate() {
            turn_floats::<A>((width, COLS), &panel.dq, &mut rows);
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

/// The rows of `mat` that belong to a block, by panels of E: (columns in words) × 32.
#[inline(always)]
fn down<A: Arith>(block: &Block<'_>, mat: Mat<'_>) -> Vec<Vec<u32>> {
    let (width, rows) = (block.problem.width, block.n_panels() * COLS);
    let part = |at: usize| {
        let n = COLS.min(width - at);
        let mut words = vec![0; rows / A::PER_WORD * COLS];
        let row = |col: usize, into: &mut [f32]| match block.place(col) {
            Some((query, head)) => read(mat, query, head * width + at, &mut into[..n]),
            None => into.fill(0.0),
        };
        paired_rows::<A>(rows, COLS, row, &mut words);
        words
    };
    (0..width).step_by(COLS).map(part).collect()
}

/// P and dS of the keys seen, in place of the scores and dP; dS by pairs of keys into `words`.
#[inline(always)]
fn differentiate<A: Arith>(factor: f32, seen: &Range<usize>, panel: &Panel, scores: &mut Scores) {
    let whole = panel.sight.is_whole(seen);
    let rows = scores.p.iter_mut().zip(&mut scores.dp);
    for (key, (p, dp)) in seen.clone().zip(rows) {
        if !whole {
            panel.sight.hide(key, p, f32::NEG_INFINITY);
        }
        for col in 0..COLS {
            p[col] = exp2::<A::Loops>(A::Loops::fma(p[col], factor, -panel.lse[col]));
            dp[col] = p[col] * (dp[col] - panel.delta[col]);
        }
    }
    for (rows, words) in scores.dp[..seen.len()].chunks(A::PER_WORD).zip(&mut scores.words) {
        to_words::<A>(rows, words);
    }
}

/// Stores P and dS of panel `idx` among those of its block; keys it does not see weigh nothing.
#[inline(always)]
fn keep<A: Arith>(n_keys: usize, seen: Range<usize>, idx: usize, scores: &mut Scores) {
    let n = COLS / A::PER_WORD;
    let at = idx * n;
    for (from, into) in [(&scores.p, &mut scores.weights), (&scores.dp, &mut scores.grads)] {
        for (key, words) in into.chunks_exact_mut(scores.stride).take(n_keys).enumerate() {
            let words = &mut words[at..at + n];
            if !seen.contains(&key) {
                words.fill(0);
                continue;
            }
            let row = &from[key - seen.start];
            for (word, numbers) in words.iter_mut().zip(row.chunks_exact(A::PER_WORD)) {
                *word = if A::PER_WORD == 2 { pair(numbers[0], numbers[1]) } else { numbers[0].to_bits() };
            }
        }
    }
}
