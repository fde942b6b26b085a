//! Linear layers of experts: each stretch of rows through a weight of its own.
//!
//! The weights W_g of X experts lie below each other, (X·N, K), and so do their biases and low-rank
//! pairs: a fused tensor of experts is one matrix, and expert g its rows g·N..(g + 1)·N. The rows of
//! x are sorted, those of expert g from `bounds[g]` to `bounds[g + 1]`:
//!
//! ```text
//! h_g  = s · x_g A_gᵀ                   kept for the backward pass, (M', R)
//! y_g  = x_g W_gᵀ + h_g B_gᵀ + b_g      (M', N)
//! dh_g = s · dy_g B_g
//! dx_g = dy_g W_g + dh_g A_g            (M', K)
//! dA_g += dh_gᵀ x_g    dB_g += dy_gᵀ h_g    dW_g += dy_gᵀ x_g    db_g += Σ dy_g
//! ```
//!
//! # Source
//! Gale et al., "MegaBlocks", 2022, arXiv 2211.15841, section 3; the pairs as PEFT has them for a
//! tensor of three axes.

mod backward;

pub use backward::GroupedLinearBackward;

use super::{
    Access, Host, LowRank, Operation, Real, expect, expect_cols, expect_f32, expect_ids, expect_reals,
    expect_rows, visit_option,
};
use crate::derive::Derive;
use crate::program::{Extent, Program, ShapeError, TensorId};
use std::ops::Range;

/// The weights of experts and what stands beside them.
#[derive(Debug, Clone, PartialEq)]
pub struct Experts {
    /// W of all, (X·N, K).
    pub weight: TensorId,
    /// b of all, (1, X·N), f32.
    pub bias: Option<TensorId>,
    /// A (X·R, K) and B (X·N, R) of all, without dropout.
    pub low_rank: Option<LowRank>,
}

/// Each stretch of rows through the weight of its expert.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupedLinear {
    /// Rows sorted by expert, (M', K).
    pub x: TensorId,
    /// The first row of each expert, and the number of all, (1, X + 1) ids.
    pub bounds: TensorId,
    /// Their weights.
    pub experts: Experts,
    /// h, (M', R): present if there is a pair.
    pub hidden: Option<TensorId>,
    /// Result, (M', N).
    pub y: TensorId,
}

impl Experts {
    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.weight);
        visit_option(visitor, Access::Read, &mut self.bias);
        if let Some(pair) = &mut self.low_rank {
            visitor(Access::Read, &mut pair.a);
            visitor(Access::Read, &mut pair.b);
        }
    }

    fn check(
        &self,
        op: &'static str,
        program: &Program,
        bounds: TensorId,
        (inputs, outputs): (usize, usize),
    ) -> Result<(), ShapeError> {
        expect_ids(op, program, bounds)?;
        expect_reals(op, program, self.weight)?;
        expect_cols(op, program, self.weight, inputs)?;
        let n = program.cols(bounds).saturating_sub(1);
        expect(op, program, self.weight, "rows", program.rows(self.weight), n * outputs)?;
        if let Some(bias) = self.bias {
            expect_f32(op, program, bias)?;
            expect_cols(op, program, bias, n * outputs)?;
        }
        let Some(pair) = &self.low_rank else { return Ok(()) };
        let rank = program.cols(pair.b);
        expect_cols(op, program, pair.a, inputs)?;
        expect(op, program, pair.a, "rows", program.rows(pair.a), n * rank)?;
        expect(op, program, pair.b, "rows", program.rows(pair.b), n * outputs)
    }

    fn rank(&self, program: &Program) -> usize {
        self.low_rank.as_ref().map_or(0, |pair| program.cols(pair.b))
    }
}

/// Requires a column for every rank of the pairs, or none without pairs.
fn expect_hidden(
    op: &'static str,
    program: &Program,
    hidden: Option<TensorId>,
    rank: usize,
) -> Result<(), ShapeError> {
    match hidden {
        Some(hidden) => expect_cols(op, program, hidden, rank),
        None if rank == 0 => Ok(()),
        None => Err(ShapeError::Mismatch {
            op,
            tensor: "hidden".to_owned(),
            what: "columns",
            found: 0,
            expected: rank,
        }),
    }
}

/// The rows of every expert.
fn stretches<R: Real>(host: &Host<R>, bounds: TensorId) -> Vec<Range<usize>> {
    host.ids(bounds).windows(2).map(|ends| ends[0] as usize..ends[1] as usize).collect()
}

/// Row-major rows of one matrix: `(values, columns, first row)`.
struct Part<'a, R>(&'a [R], usize, usize);

impl<R: Real> Part<'_, R> {
    fn at(&self, row: usize, col: usize) -> R {
        self.0[(self.2 + row) * self.1 + col]
    }
}

impl Operation for GroupedLinear {
    const NAME: &'static str = "grouped_linear";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.x);
        visitor(Access::Read, &mut self.bounds);
        self.experts.visit(visitor);
        visit_option(visitor, Access::Write, &mut self.hidden);
        visitor(Access::Write, &mut self.y);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_reals(Self::NAME, program, self.x)?;
        expect_reals(Self::NAME, program, self.y)?;
        expect_rows(Self::NAME, program, self.y, self.x)?;
        let ends = (program.cols(self.x), program.cols(self.y));
        self.experts.check(Self::NAME, program, self.bounds, ends)?;
        expect_hidden(Self::NAME, program, self.hidden, self.experts.rank(program))
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        let rows = extent.rows(program.tensor(self.x).rows);
        let (inputs, outputs) = (program.cols(self.x), program.cols(self.y));
        (2 * rows * (inputs * outputs + self.experts.rank(program) * (inputs + outputs))) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let (inputs, outputs) = (host.cols(self.x), host.cols(self.y));
        let mut y = vec![R::zero(); host.rows(self.y) * outputs];
        let rank = self.hidden.map_or(0, |hidden| host.cols(hidden));
        let mut hidden = vec![R::zero(); host.rows(self.y) * rank];
        for (group, rows) in stretches(host, self.bounds).into_iter().enumerate() {
            let w = Part(host.get(self.experts.weight), inputs, group * outputs);
            for row in rows {
                let x = host.row(self.x, row);
                let (y, hidden) = (&mut y[row * outputs..][..outputs], &mut hidden[row * rank..][..rank]);
                for (n, y) in y.iter_mut().enumerate() {
                    x.iter().enumerate().for_each(|(k, &x)| *y += x * w.at(n, k));
                    *y += self.experts.bias.map_or(R::zero(), |bias| host.get(bias)[group * outputs + n]);
                }
                let Some(pair) = &self.experts.low_rank else { continue };
                let a = Part(host.get(pair.a), inputs, group * rank);
                let b = Part(host.get(pair.b), rank, group * outputs);
                for (r, h) in hidden.iter_mut().enumerate() {
                    x.iter().enumerate().for_each(|(k, &x)| *h += x * a.at(r, k));
                    *h = *h * R::from_f64(f64::from(pair.scale));
                }
                for (n, y) in y.iter_mut().enumerate() {
                    hidden.iter().enumerate().for_each(|(r, &h)| *y += h * b.at(n, r));
                }
            }
        }
        self.hidden.into_iter().for_each(|id| host.put(id, std::mem::take(&mut hidden)));
        host.put(self.y, y);
    }

    fn derive(&self, derive: &mut Derive<'_>) {
        let Some(dy) = derive.gradient(self.y) else { return };
        let dx = derive.fresh_gradient(self.x);
        let dweight = derive.weight_gradient(self.experts.weight);
        let dbias = self.experts.bias.and_then(|bias| derive.weight_gradient(bias));
        let pair = self.experts.low_rank.as_ref();
        let dlow_rank =
            pair.and_then(|pair| derive.weight_gradient(pair.a).zip(derive.weight_gradient(pair.b)));
        if dx.is_none() && dweight.is_none() && dbias.is_none() && dlow_rank.is_none() {
            return;
        }
        let x = (dweight.is_some() || dlow_rank.is_some()).then_some(self.x);
        let dhidden = self.hidden.map(|hidden| {
            let tensor = derive.program().tensor(hidden);
            let (rows, ranks, dtype) = (tensor.rows, tensor.cols, tensor.dtype);
            derive.scratch("dhidden", rows, ranks, dtype)
        });
        let (bounds, experts, hidden) = (self.bounds, self.experts.clone(), self.hidden);
        derive.emit(GroupedLinearBackward {
            dy,
            x,
            bounds,
            experts,
            hidden,
            dhidden,
            dweight,
            dbias,
            dlow_rank,
            dx,
        });
        dx.into_iter().for_each(|dx| derive.contribute(self.x, dx));
    }
}
