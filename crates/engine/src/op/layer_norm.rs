//! Layer normalisation: mean and deviation of every row taken out.
//!
//! `y = x̂ · γ + β` with `x̂ = (x − μ) · r`, `μ = mean(x)` and
//! `r = 1 / √(mean((x − μ)²) + ε)`. Backwards, with `g = dy · γ`:
//! `dx = r · (g − mean(g) − x̂ · mean(g · x̂))`, `dγ = Σ dy · x̂` and `dβ = Σ dy`.
//!
//! # Source
//! Ba, Kiros and Hinton, "Layer Normalization", 2016, arXiv 1607.06450, equation 4.

use super::{
    Access, Host, Operation, Real, expect_cols, expect_f32, expect_reals, expect_rows, visit_option,
};
use crate::derive::Derive;
use crate::program::{Extent, Program, ShapeError, TensorId};

/// Gives every row mean zero and deviation one, then scales by γ and adds β.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNorm {
    /// Rows to normalise, (M, D).
    pub x: TensorId,
    /// Gain γ, (1, D), f32.
    pub gamma: TensorId,
    /// Bias β, (1, D), f32.
    pub beta: TensorId,
    /// ε, added to the variance.
    pub eps: f32,
    /// Result, (M, D).
    pub y: TensorId,
}

/// The gradient of [`LayerNorm`], added to what already flows into `x`.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNormBackward {
    /// Gradient of the result, (M, D).
    pub dy: TensorId,
    /// The rows that were normalised, (M, D).
    pub x: TensorId,
    /// Gain γ, (1, D), f32.
    pub gamma: TensorId,
    /// ε, added to the variance.
    pub eps: f32,
    /// Gradient that reached `x` by other ways, (M, D): the residual stream.
    pub add: Option<TensorId>,
    /// Gradient of `x`, (M, D).
    pub dx: Option<TensorId>,
    /// Gradient of γ, (1, D), added to.
    pub dgamma: Option<TensorId>,
    /// Gradient of β, (1, D), added to.
    pub dbeta: Option<TensorId>,
}

/// x̂ of one row, and r.
fn normalized<R: Real>(x: &[R], eps: f32) -> (Vec<R>, R) {
    let n = R::from_f64(x.len() as f64);
    let mut mean = R::zero();
    x.iter().for_each(|&v| mean += v / n);
    let mut variance = R::zero();
    x.iter().for_each(|&v| variance += (v - mean) * (v - mean) / n);
    let r = R::one() / (variance + R::from_f64(f64::from(eps))).sqrt();
    (x.iter().map(|&v| (v - mean) * r).collect(), r)
}

impl Operation for LayerNorm {
    const NAME: &'static str = "layer_norm";
    const CHEAP: bool = true;

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.x);
        visitor(Access::Read, &mut self.gamma);
        visitor(Access::Read, &mut self.beta);
        visitor(Access::Write, &mut self.y);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_reals(Self::NAME, program, self.x)?;
        expect_rows(Self::NAME, program, self.y, self.x)?;
        for vector in [self.gamma, self.beta] {
            expect_f32(Self::NAME, program, vector)?;
            expect_cols(Self::NAME, program, vector, program.cols(self.x))?;
        }
        expect_cols(Self::NAME, program, self.y, program.cols(self.x))
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        7 * (extent.rows(program.tensor(self.x).rows) * program.cols(self.x)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let cols = host.cols(self.x);
        let mut y = host.take(self.y);
        for (row, y) in y.chunks_mut(cols).enumerate() {
            let (x, _) = normalized(host.row(self.x, row), self.eps);
            let (gamma, beta) = (host.get(self.gamma), host.get(self.beta));
            (0..cols).for_each(|c| y[c] = x[c] * gamma[c] + beta[c]);
        }
        host.put(self.y, y);
    }

    fn derive(&self, derive: &mut Derive<'_>) {
        let Some(dy) = derive.gradient(self.y) else { return };
        let add = derive.gradient(self.x);
        let dx = derive.replace_gradient(self.x);
        let (dgamma, dbeta) = (derive.weight_gradient(self.gamma), derive.weight_gradient(self.beta));
        if dx.is_none() && dgamma.is_none() && dbeta.is_none() {
            return;
        }
        let (x, gamma, eps) = (self.x, self.gamma, self.eps);
        derive.emit(LayerNormBackward { dy, x, gamma, eps, add, dx, dgamma, dbeta });
    }
}

impl Operation for LayerNormBackward {
    const NAME: &'static str = "layer_norm_backward";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.dy);
        visitor(Access::Read, &mut self.x);
        visitor(Access::Read, &mut self.gamma);
        visit_option(visitor, Access::Read, &mut self.add);
        visit_option(visitor, Access::Write, &mut self.dx);
        visit_option(visitor, Access::Update, &mut self.dgamma);
        visit_option(visitor, Access::Update, &mut self.dbeta);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_f32(Self::NAME, program, self.gamma)?;
        for tensor in [Some(self.dy), self.add, self.dx].into_iter().flatten() {
            expect_rows(Self::NAME, program, tensor, self.x)?;
            expect_cols(Self::NAME, program, tensor, program.cols(self.x))?;
        }
        let vectors = [self.dgamma, self.dbeta];
        vectors.into_iter().flatten().try_for_each(|vector| expect_f32(Self::NAME, program, vector))
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        16 * (extent.rows(program.tensor(self.x).rows) * program.cols(self.x)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let cols = host.cols(self.x);
        let n = R::from_f64(cols as f64);
        let [mut dx, mut dgamma, mut dbeta] =
            [self.dx, self.dgamma, self.dbeta].map(|id| id.map(|id| host.take(id)));
        for row in 0..host.rows(self.x) {
            let (x, r) = normalized(host.row(self.x, row), self.eps);
            let (dy, gamma) = (host.row(self.dy, row), host.get(self.gamma));
            let (mut mean, mut along) = (R::zero(), R::zero());
            for c in 0..cols {
                mean += dy[c] * gamma[c] / n;
                along += dy[c] * gamma[c] * x[c] / n;
            }
            for c in 0..cols {
                if let Some(dx) = &mut dx {
                    let add = self.add.map_or(R::zero(), |id| host.row(id, row)[c]);
                    dx[row * cols + c] = add + r * (dy[c] * gamma[c] - mean - x[c] * along);
                }
                if let Some(dgamma) = &mut dgamma {
                    dgamma[c] += dy[c] * x[c];
                }
                if let Some(dbeta) = &mut dbeta {
                    dbeta[c] += dy[c];
                }
            }
        }
        for (id, values) in [(self.dx, dx), (self.dgamma, dgamma), (self.dbeta, dbeta)] {
            id.into_iter().zip(values).for_each(|(id, values)| host.put(id, values));
        }
    }

    fn in_place(&self) -> Option<(TensorId, TensorId)> {
        Some((self.add?, self.dx?))
    }
}
