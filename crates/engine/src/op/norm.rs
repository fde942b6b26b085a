//! Root-mean-square normalisation.
//!
//! `y = x · r · γ` with `r = 1 / √(mean(x²) + ε)`. Backwards, with
//! `x̂ = x · r` and `g = dy · γ`:
//! `dx = r · (g − x̂ · mean(g · x̂))` and `dγ = Σ dy · x̂`.
//!
//! # Source
//! Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019,
//! arXiv 1910.07467, equation 4, with ε inside the root as in Llama.

use super::{
    Access, Host, Operation, Real, expect_cols, expect_f32, expect_reals, expect_rows, visit_option,
};
use crate::derive::Derive;
use crate::program::{Extent, Program, ShapeError, TensorId};

/// Scales every row to unit mean square, then by γ.
#[derive(Debug, Clone, PartialEq)]
pub struct RmsNorm {
    /// Rows to normalise, (M, D).
    pub x: TensorId,
    /// Gain γ, (1, D), f32.
    pub gamma: TensorId,
    /// ε, added to the mean square.
    pub eps: f32,
    /// Result, (M, D).
    pub y: TensorId,
}

/// The gradient of [`RmsNorm`], added to what already flows into `x`.
#[derive(Debug, Clone, PartialEq)]
pub struct RmsNormBackward {
    /// Gradient of the result, (M, D).
    pub dy: TensorId,
    /// The rows that were normalised, (M, D).
    pub x: TensorId,
    /// Gain γ, (1, D), f32.
    pub gamma: TensorId,
    /// ε, added to the mean square.
    pub eps: f32,
    /// Gradient that reached `x` by other ways, (M, D): the residual stream.
    pub add: Option<TensorId>,
    /// Gradient of `x`, (M, D).
    pub dx: Option<TensorId>,
    /// Gradient of γ, (1, D), added to.
    pub dgamma: Option<TensorId>,
}

/// `1 / √(mean(x²) + ε)` of one row.
pub(super) fn inverse_rms<R: Real>(x: &[R], eps: f32) -> R {
    let mut sum = R::zero();
    x.iter().for_each(|&v| sum += v * v);
    R::one() / (sum / R::from_f64(x.len() as f64) + R::from_f64(f64::from(eps))).sqrt()
}

impl Operation for RmsNorm {
    const NAME: &'static str = "rms_norm";
    const CHEAP: bool = true;

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.x);
        visitor(Access::Read, &mut self.gamma);
        visitor(Access::Write, &mut self.y);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_reals(Self::NAME, program, self.x)?;
        expect_f32(Self::NAME, program, self.gamma)?;
        expect_rows(Self::NAME, program, self.y, self.x)?;
        expect_cols(Self::NAME, program, self.gamma, program.cols(self.x))?;
        expect_cols(Self::NAME, program, self.y, program.cols(self.x))
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        4 * (extent.rows(program.tensor(self.x).rows) * program.cols(self.x)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let cols = host.cols(self.x);
        let mut y = host.take(self.y);
        for (row, y) in y.chunks_mut(cols).enumerate() {
            let x = host.row(self.x, row);
            let r = inverse_rms(x, self.eps);
            for ((y, &x), &gamma) in y.iter_mut().zip(x).zip(host.get(self.gamma)) {
                *y = x * r * gamma;
            }
        }
        host.put(self.y, y);
    }

    fn derive(&self, derive: &mut Derive<'_>) {
        let Some(dy) = derive.gradient(self.y) else { return };
        let add = derive.gradient(self.x);
        let dx = derive.replace_gradient(self.x);
        let dgamma = derive.weight_gradient(self.gamma);
        if dx.is_none() && dgamma.is_none() {
            return;
        }
        derive.emit(RmsNormBackward { dy, x: self.x, gamma: self.gamma, eps: self.eps, add, dx, dgamma });
    }
}

impl Operation for RmsNormBackward {
    const NAME: &'static str = "rms_norm_backward";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.dy);
        visitor(Access::Read, &mut self.x);
        visitor(Access::Read, &mut self.gamma);
        visit_option(visitor, Access::Read, &mut self.add);
        visit_option(visitor, Access::Write, &mut self.dx);
        visit_option(visitor, Access::Update, &mut self.dgamma);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_f32(Self::NAME, program, self.gamma)?;
        for tensor in [Some(self.dy), self.add, self.dx].into_iter().flatten() {
            expect_rows(Self::NAME, program, tensor, self.x)?;
            expect_cols(Self::NAME, program, tensor, program.cols(self.x))?;
        }
        self.dgamma.map_or(Ok(()), |dgamma| expect_f32(Self::NAME, program, dgamma))
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        10 * (extent.rows(program.tensor(self.x).rows) * program.cols(self.x)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let cols = host.cols(self.x);
        let n = R::from_f64(cols as f64);
        let mut dx = self.dx.map(|id| host.take(id));
        let mut dgamma = self.dgamma.map(|id| host.take(id));
        for row in 0..host.rows(self.x) {
            let (x, dy, gamma) = (host.row(self.x, row), host.row(self.dy, row), host.get(self.gamma));
            let r = inverse_rms(x, self.eps);
            let mut mean = R::zero();
            (0..cols).for_each(|c| mean += dy[c] * gamma[c] * x[c] * r / n);
            for c in 0..cols {
                if let Some(dx) = &mut dx {
                    let add = self.add.map_or(R::zero(), |id| host.row(id, row)[c]);
                    dx[row * cols + c] = add + r * (dy[c] * gamma[c] - x[c] * r * mean);
                }
                if let Some(dgamma) = &mut dgamma {
                    dgamma[c] += dy[c] * x[c] * r;
                }
            }
        }
        self.dx.into_iter().zip(dx).for_each(|(id, values)| host.put(id, values));
        self.dgamma.into_iter().zip(dgamma).for_each(|(id, values)| host.put(id, values));
    }

    fn in_place(&self) -> Option<(TensorId, TensorId)> {
        Some((self.add?, self.dx?))
    }
}
