//! Uniform noise on rows, while training: NEFTune.
//!
//! `y[i] = x[i] + sᵢ · u` with `u` uniform in −1..1, drawn anew for every number. The derivative of the
//! noise is nothing, so `dx = dy`. What `sᵢ` is, the caller says row by row: α / √(L · D) for a document
//! of L tokens.
//!
//! # Source
//! Jain et al., "NEFTune: Noisy Embeddings Improve Instruction Finetuning", 2023, arXiv 2310.05914,
//! algorithm 1.

use super::{Access, Host, Operation, Real, dropout, expect_cols, expect_f32, expect_ids, expect_rows};
use crate::derive::Derive;
use crate::program::{Extent, Program, ShapeError, TensorId};

/// Adds noise to every row, as much as is said for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Noise {
    /// Rows, (M, D), f32.
    pub x: TensorId,
    /// The largest noise of each row, (M, 1), f32.
    pub size: TensorId,
    /// Seed of this run, (1, 1) ids: a new one for every micro-batch.
    pub seed: TensorId,
    /// Distinguishes this noise from other chance of the same seed.
    pub stream: u32,
    /// Result, (M, D), f32.
    pub y: TensorId,
}

/// A number in −1..1 from 32 well-mixed bits; the upper 24 are all an f32 can hold evenly.
#[inline(always)]
pub(crate) fn unit(bits: u32) -> f32 {
    (bits >> 8) as f32 * (2.0 / (1_u32 << 24) as f32) - 1.0
}

impl Operation for Noise {
    const NAME: &'static str = "noise";
    const CHEAP: bool = true;

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.x);
        visitor(Access::Read, &mut self.size);
        visitor(Access::Read, &mut self.seed);
        visitor(Access::Write, &mut self.y);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_ids(Self::NAME, program, self.seed)?;
        for tensor in [self.x, self.size, self.y] {
            expect_f32(Self::NAME, program, tensor)?;
            expect_rows(Self::NAME, program, tensor, self.x)?;
        }
        expect_cols(Self::NAME, program, self.size, 1)?;
        expect_cols(Self::NAME, program, self.y, program.cols(self.x))
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        2 * (extent.rows(program.tensor(self.x).rows) * program.cols(self.x)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let mut y = host.get(self.x).to_vec();
        let seed = host.ids(self.seed)[0];
        for (row, y) in y.chunks_mut(host.cols(self.x)).enumerate() {
            let key = dropout::row_key(seed.into(), self.stream.into(), row as u64);
            let size = host.row(self.size, row)[0];
            for (col, y) in y.iter_mut().enumerate() {
                *y += size * R::from_f64(f64::from(unit(dropout::bits(key, col as u32))));
            }
        }
        host.put(self.y, y);
    }

    fn derive(&self, derive: &mut Derive<'_>) {
        if let Some(dy) = derive.gradient(self.y) {
            derive.contribute(self.x, dy);
        }
    }

    fn in_place(&self) -> Option<(TensorId, TensorId)> {
        Some((self.x, self.y))
    }
}
