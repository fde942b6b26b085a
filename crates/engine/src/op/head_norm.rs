//! Root-mean-square normalisation of every head by itself: the QK-norm.
//!
//! `y = x · r · γ` with `r = 1 / √(mean(x²) + ε)`, the mean over the E numbers of one head. The first
//! heads of a row share one γ, the next another; the columns behind them pass unchanged. Backwards,
//! with `x̂ = x · r` and `g = dy · γ`, in every head: `dx = r · (g − x̂ · mean(g · x̂))`, and
//! `dγ = Σ dy · x̂` over rows and heads.
//!
//! # Source
//! Henry et al., "Query-Key Normalization for Transformers", 2020, arXiv 2010.04245, section 3, with
//! the norm of Zhang and Sennrich, 2019, arXiv 1910.07467, and a gain in place of one temperature, as
//! in Qwen3.

use super::norm::inverse_rms;
use super::{Access, Host, Operation, Real, expect, expect_cols, expect_f32, expect_reals, expect_rows};
use crate::derive::Derive;
use crate::program::{Extent, Program, ShapeError, TensorId};

/// Heads that are scaled by the same gain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadGain {
    /// γ, (1, E), f32.
    pub gamma: TensorId,
    /// How many heads.
    pub heads: usize,
}

/// Scales every head to unit mean square, then by its γ.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadNorm {
    /// Heads side by side, (M, columns).
    pub x: TensorId,
    /// Whose γ it is, from the first column on.
    pub gains: Vec<HeadGain>,
    /// ε, added to the mean square.
    pub eps: f32,
    /// Result, like `x`.
    pub y: TensorId,
}

/// The gradient of [`HeadNorm`].
#[derive(Debug, Clone, PartialEq)]
pub struct HeadNormBackward {
    /// Gradient of the result, (M, columns).
    pub dy: TensorId,
    /// The heads that were normalised, (M, columns).
    pub x: TensorId,
    /// Whose γ it is, from the first column on.
    pub gains: Vec<HeadGain>,
    /// ε, added to the mean square.
    pub eps: f32,
    /// Gradient of `x`, (M, columns).
    pub dx: Option<TensorId>,
    /// Gradient of each γ, (1, E), added to.
    pub dgammas: Vec<Option<TensorId>>,
}

/// First and last column of every normalised head, with the place of its gain.
fn columns<'a, R>(gains: &'a [HeadGain], host: &'a Host<R>) -> Vec<(usize, std::ops::Range<usize>)>
where
    R: Real,
{
    let widths =
        gains.iter().enumerate().flat_map(|(at, gain)| vec![(at, host.cols(gain.gamma)); gain.heads]);
    let mut first = 0;
    let place = |(at, width)| {
        first += width;
        (at, first - width..first)
    };
    widths.map(place).collect()
}

/// Refuses heads that `tensor` has no columns for.
fn check_heads(
    op: &'static str,
    program: &Program,
    gains: &[HeadGain],
    tensor: TensorId,
) -> Result<(), ShapeError> {
    gains.iter().try_for_each(|gain| expect_f32(op, program, gain.gamma))?;
    let normed: usize = gains.iter().map(|gain| gain.heads * program.cols(gain.gamma)).sum();
    expect(op, program, tensor, "columns", program.cols(tensor), program.cols(tensor).max(normed))
}

impl Operation for HeadNorm {
    const NAME: &'static str = "head_norm";
    const CHEAP: bool = true;

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.x);
        self.gains.iter_mut().for_each(|gain| visitor(Access::Read, &mut gain.gamma));
        visitor(Access::Write, &mut self.y);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_reals(Self::NAME, program, self.x)?;
        expect_rows(Self::NAME, program, self.y, self.x)?;
        expect_cols(Self::NAME, program, self.y, program.cols(self.x))?;
        check_heads(Self::NAME, program, &self.gains, self.x)
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        4 * (extent.rows(program.tensor(self.x).rows) * program.cols(self.x)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let mut y = host.get(self.x).to_vec();
        for y in y.chunks_mut(host.cols(self.x)) {
            for (at, head) in columns(&self.gains, host) {
                let r = inverse_rms(&y[head.clone()], self.eps);
                for (y, &gamma) in y[head].iter_mut().zip(host.get(self.gains[at].gamma)) {
                    *y = *y * r * gamma;
                }
            }
        }
        host.put(self.y, y);
    }

    fn derive(&self, derive: &mut Derive<'_>) {
        let Some(dy) = derive.gradient(self.y) else { return };
        let dx = derive.fresh_gradient(self.x);
        let dgammas: Vec<_> = self.gains.iter().map(|gain| derive.weight_gradient(gain.gamma)).collect();
        if dx.is_none() && dgammas.iter().all(Option::is_none) {
            return;
        }
        let (x, gains, eps) = (self.x, self.gains.clone(), self.eps);
        derive.emit(HeadNormBackward { dy, x, gains, eps, dx, dgammas });
        if let Some(dx) = dx {
            derive.contribute(self.x, dx);
        }
    }

    fn in_place(&self) -> Option<(TensorId, TensorId)> {
        Some((self.x, self.y))
    }
}

impl Operation for HeadNormBackward {
    const NAME: &'static str = "head_norm_backward";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.dy);
        visitor(Access::Read, &mut self.x);
        self.gains.iter_mut().for_each(|gain| visitor(Access::Read, &mut gain.gamma));
        super::visit_option(visitor, Access::Write, &mut self.dx);
        self.dgammas.iter_mut().for_each(|id| super::visit_option(visitor, Access::Update, id));
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        for tensor in [Some(self.dy), self.dx].into_iter().flatten() {
            expect_rows(Self::NAME, program, tensor, self.x)?;
            expect_cols(Self::NAME, program, tensor, program.cols(self.x))?;
        }
        for (gain, dgamma) in self.gains.iter().zip(&self.dgammas) {
            let Some(dgamma) = *dgamma else { continue };
            expect_f32(Self::NAME, program, dgamma)?;
            expect_cols(Self::NAME, program, dgamma, program.cols(gain.gamma))?;
        }
        check_heads(Self::NAME, program, &self.gains, self.x)
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        10 * (extent.rows(program.tensor(self.x).rows) * program.cols(self.x)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let mut dx = host.get(self.dy).to_vec();
        let heads = columns(&self.gains, host);
        for (row, dx) in dx.chunks_mut(host.cols(self.x)).enumerate() {
            for (at, head) in &heads {
                let (x, dy) = (&host.row(self.x, row)[head.clone()], &host.row(self.dy, row)[head.clone()]);
                let gamma = host.get(self.gains[*at].gamma);
                let (r, n) = (inverse_rms(x, self.eps), R::from_f64(x.len() as f64));
                let mut mean = R::zero();
                (0..x.len()).for_each(|c| mean += dy[c] * gamma[c] * x[c] * r / n);
                for (c, dx) in dx[head.clone()].iter_mut().enumerate() {
                    *dx = r * (dy[c] * gamma[c] - x[c] * r * mean);
                }
            }
        }
        self.dx.into_iter().for_each(|id| host.put(id, dx.clone()));
        for (at, dgamma) in self.dgammas.iter().enumerate() {
            let Some(id) = *dgamma else { continue };
            let mut dgamma = host.take(id);
            for row in 0..host.rows(self.x) {
                for (_, head) in heads.iter().filter(|(of, _)| *of == at) {
                    let (x, dy) =
                        (&host.row(self.x, row)[head.clone()], &host.row(self.dy, row)[head.clone()]);
                    let r = inverse_rms(x, self.eps);
                    (0..x.len()).for_each(|c| dgamma[c] += dy[c] * x[c] * r);
                }
            }
            host.put(id, dgamma);
        }
    }

    fn in_place(&self) -> Option<(TensorId, TensorId)> {
        Some((self.dy, self.dx?))
    }
}
