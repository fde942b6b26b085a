//! A block of queries as the backward pass meets it: every operand that its products read.

use super::block::{Block, Problem, Sight, across};
use super::pack::by_parts;
use super::tile::{Arith, COLS};
use crate::backend::cpu::view::Mat;
use std::f32::consts::LOG2_E;

/// What the gradients are computed from, beside the inputs.
#[derive(Clone, Copy)]
pub(super) struct Saved<'a> {
    pub(super) dout: Mat<'a>,
    pub(super) lse: Mat<'a>,
    /// Σ dout · out of every query head, (M, H).
    pub(super) delta: Mat<'a>,
}

/// Queries and output gradients of a block, and its dq.
pub(super) struct Passing {
    pub(super) panels: Vec<Panel>,
    pub(super) q: Columns,
    pub(super) dout: Columns,
}

/// 32 columns of a block.
pub(super) struct Panel {
    pub(super) sight: Sight,
    /// Queries and output gradients, (E in words) × 32: operands B whose depth is the head.
    pub(super) q: Vec<u32>,
    pub(super) dout: Vec<u32>,
    /// E × 32.
    pub(super) dq: Vec<f32>,
    /// lse · log2 e; infinite for padding, which makes its weights zero.
    pub(super) lse: [f32; COLS],
    pub(super) delta: [f32; COLS],
}

/// A matrix of all columns of a block.
pub(super) struct Columns {
    /// (columns) × (E in words).
    rows: Vec<u32>,
    /// By panels of E: (columns in words) × 32, operands B whose depth is the columns.
    pub(super) parts: Vec<Vec<u32>>,
}

impl Passing {
    /// Room for any block of `problem`.
    pub(super) fn new<A: Arith>(problem: &Problem<'_>) -> Self {
        let (width, n_panels) = (problem.width, problem.block_panels());
        let n_words = width / A::PER_WORD * COLS;
        let panel = || Panel {
            sight: Sight::default(),
            q: vec![0; n_words],
            dout: vec![0; n_words],
            dq: vec![0.0; width * COLS],
            lse: [0.0; COLS],
            delta: [0.0; COLS],
        };
        let columns = || Columns {
            rows: vec![0; n_panels * n_words],
            parts: vec![vec![0; n_panels * COLS / A::PER_WORD * COLS]; width.div_ceil(COLS)],
        };
        Self { panels: (0..n_panels).map(|_| panel()).collect(), q: columns(), dout: columns() }
    }

    /// Takes a block; its dq begins at zero.
    #[inline(always)]
    pub(super) fn fill<A: Arith>(&mut self, block: &Block<'_>, saved: Saved<'_>) {
        self.q.fill::<A>(block, block.problem.q);
        self.dout.fill::<A>(block, saved.dout);
        for (idx, panel) in self.panels[..block.n_panels()].iter_mut().enumerate() {
            across::<A>(&self.q.rows, idx, &mut panel.q);
            across::<A>(&self.dout.rows, idx, &mut panel.dout);
            panel.sight = block.sight(idx);
            panel.dq.fill(0.0);
            (panel.lse, panel.delta) = ([f32::INFINITY; COLS], [0.0; COLS]);
            for (col, query, head) in block.places(idx) {
                panel.lse[col] = saved.lse.get(query, head) * LOG2_E;
                panel.delta[col] = saved.delta.get(query, head);
            }
        }
    }
}

impl Columns {
    #[inline(always)]
    fn fill<A: Arith>(&mut self, block: &Block<'_>, mat: Mat<'_>) {
        let width = block.problem.width;
        block.rows::<A>(mat, &mut self.rows);
        let used = block.n_panels() * COLS * width / A::PER_WORD;
        by_parts::<A>(&self.rows[..used], width, &mut self.parts);
    }
}
