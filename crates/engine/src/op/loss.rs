//! The vocabulary projection and the cross entropy, together.
//!
//! For a row with target t: `z = x Wᵀ`, `loss = ln Σ exp(z) − z_t`, and with
//! `g = c · (softmax(z) − onehot(t))`: `dx = g W`, `dW += gᵀ x`. Rows without
//! a target cost nothing. The logits exist only for a chunk of rows at a time,
//! and the gradient is made in the same visit, so nothing of size (M, V) is
//! ever stored.
//!
//! The factor c is given with each run: one over the number of trained tokens
//! of the whole optimizer step, so that the loss is summed over tokens and
//! divided once, however the step is cut into micro-batches.
//!
//! # Source
//! The chunking follows Wijmans et al., "Cut Your Losses in Large-Vocabulary
//! Language Models", 2024, arXiv 2411.09009, without their gradient filter.

use super::{
    Access, Host, Operation, Real, expect, expect_cols, expect_f32, expect_ids, expect_reals, expect_rows,
    visit_option,
};
use crate::derive::Derive;
use crate::program::{Extent, Program, ShapeError, TensorId};

/// The target of a row without loss.
pub const IGNORE: u32 = u32::MAX;

/// Loss of every row with a target and, in training, its gradient.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossEntropy {
    /// Rows to project, (M, D).
    pub x: TensorId,
    /// Projection W, (V, D).
    pub weight: TensorId,
    /// Target of each row or [`IGNORE`], (M, 1).
    pub targets: TensorId,
    /// c, (1, 1), f32: multiplies the gradient, not the loss.
    pub gradient_scale: TensorId,
    /// Loss of each row in nats, zero without a target, (M, 1), f32.
    pub losses: TensorId,
    /// Room for what becomes of the logits of some rows at a time, (chunk, V).
    pub chunk: TensorId,
    /// Gradient of `x`, (M, D), zero in rows without a target.
    pub dx: Option<TensorId>,
    /// Gradient of the projection, (V, D), added to.
    pub dweight: Option<TensorId>,
}

impl Operation for CrossEntropy {
    const NAME: &'static str = "cross_entropy";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        for tensor in [&mut self.x, &mut self.weight, &mut self.targets, &mut self.gradient_scale] {
            visitor(Access::Read, tensor);
        }
        visitor(Access::Write, &mut self.losses);
        visitor(Access::Write, &mut self.chunk);
        visit_option(visitor, Access::Write, &mut self.dx);
        visit_option(visitor, Access::Update, &mut self.dweight);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_reals(Self::NAME, program, self.x)?;
        expect_ids(Self::NAME, program, self.targets)?;
        for tensor in [self.losses, self.gradient_scale] {
            expect_f32(Self::NAME, program, tensor)?;
        }
        expect_reals(Self::NAME, program, self.chunk)?;
        expect_rows(Self::NAME, program, self.targets, self.x)?;
        expect_rows(Self::NAME, program, self.losses, self.x)?;
        expect_cols(Self::NAME, program, self.weight, program.cols(self.x))?;
        expect(
            Self::NAME,
            program,
            self.chunk,
            "columns",
            program.cols(self.chunk),
            program.rows(self.weight),
        )
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        // Every row with a target: the most it can be.
        let rows = extent.rows(program.tensor(self.x).rows);
        let products = 1 + usize::from(self.dx.is_some()) + usize::from(self.dweight.is_some());
        (2 * products * rows * program.rows(self.weight) * program.cols(self.weight)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let (vocabulary, width) = (host.rows(self.weight), host.cols(self.weight));
        let scale = host.get(self.gradient_scale)[0];
        let mut losses = vec![R::zero(); host.rows(self.x)];
        let mut dx = vec![R::zero(); host.rows(self.x) * width];
        let mut dweight = self.dweight.map(|id| host.take(id));
        for (row, loss) in losses.iter_mut().enumerate() {
            let target = host.ids(self.targets)[row];
            if target == IGNORE {
                continue;
            }
            let x = host.row(self.x, row);
            let logits: Vec<R> = (0..vocabulary).map(|v| dot(x, host.row(self.weight, v))).collect();
            let lse = log_sum_exp(&logits);
            *loss = lse - logits[target as usize];
            for (v, &z) in logits.iter().enumerate() {
                let hit = if v == target as usize { R::one() } else { R::zero() };
                let g = scale * ((z - lse).exp() - hit);
                let w = host.row(self.weight, v);
                (0..width).for_each(|d| dx[row * width + d] += g * w[d]);
                if let Some(dweight) = &mut dweight {
                    (0..width).for_each(|d| dweight[v * width + d] += g * x[d]);
                }
            }
        }
        host.put(self.losses, losses);
        self.dx.into_iter().for_each(|id| host.put(id, std::mem::take(&mut dx)));
        self.dweight.into_iter().zip(dweight).for_each(|(id, values)| host.put(id, values));
    }

    fn derive(&self, derive: &mut Derive<'_>) {
        let dx = derive.fresh_gradient(self.x);
        let dweight = derive.weight_gradient(self.weight);
        if dx.is_none() && dweight.is_none() {
            return;
        }
        derive.rewrite(Self { dx, dweight, ..self.clone() });
        if let Some(dx) = dx {
            derive.contribute(self.x, dx);
        }
    }
}

fn dot<R: Real>(a: &[R], b: &[R]) -> R {
    let mut sum = R::zero();
    a.iter().zip(b).for_each(|(&a, &b)| sum += a * b);
    sum
}

fn log_sum_exp<R: Real>(logits: &[R]) -> R {
    let max = logits.iter().fold(logits[0], |m, &z| if z > m { z } else { m });
    let mut sum = R::zero();
    logits.iter().for_each(|&z| sum += (z - max).exp());
    max + sum.ln()
}
