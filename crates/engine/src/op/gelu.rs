//! The activation of GPT-2's feed-forward layer: GELU in its tanh form.
//!
//! `y = x/2 · (1 + tanh u)` with `u = √(2/π) · (x + 0.044715 x³)`. Because
//! `(1 + tanh u) / 2 = σ(2u)` this is `y = x · σ(2u)`, and backwards, with
//! `s = σ(2u)`: `dx = dy · (s + x · s · (1 − s) · 2u′)` and
//! `2u′ = √(8/π) · (1 + 3 · 0.044715 x²)`.
//!
//! # Source
//! Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016, arXiv 1606.08415, section 2.

use super::{Access, Host, Operation, Real, expect_cols, expect_reals, expect_rows};
use crate::derive::Derive;
use crate::program::{Extent, Program, ShapeError, TensorId};
use std::f64::consts::{FRAC_2_SQRT_PI, SQRT_2};

/// √(8/π): 2u is this times x where x is small.
pub(crate) const SLOPE: f64 = SQRT_2 * FRAC_2_SQRT_PI;
/// How fast 2u bends away from that line.
pub(crate) const BEND: f64 = 0.044_715;

/// Weighs every number by how likely a normal one is to be smaller.
#[derive(Debug, Clone, PartialEq)]
pub struct Gelu {
    /// What goes in, (M, F).
    pub x: TensorId,
    /// Result, (M, F).
    pub y: TensorId,
}

/// The gradient of [`Gelu`].
#[derive(Debug, Clone, PartialEq)]
pub struct GeluBackward {
    /// Gradient of the result, (M, F).
    pub dy: TensorId,
    /// What went in, (M, F).
    pub x: TensorId,
    /// Gradient of it, (M, F).
    pub dx: TensorId,
}

/// σ(2u) and 2u′.
fn weight<R: Real>(x: R) -> (R, R) {
    let [slope, bend, three] = [SLOPE, BEND, 3.0].map(R::from_f64);
    let double_u = slope * (x + bend * x * x * x);
    let s = R::one() / (R::one() + (-double_u).exp());
    (s, slope * (R::one() + three * bend * x * x))
}

impl Operation for Gelu {
    const NAME: &'static str = "gelu";
    const CHEAP: bool = true;

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.x);
        visitor(Access::Write, &mut self.y);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_reals(Self::NAME, program, self.x)?;
        expect_rows(Self::NAME, program, self.y, self.x)?;
        expect_cols(Self::NAME, program, self.y, program.cols(self.x))
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        12 * (extent.rows(program.tensor(self.y).rows) * program.cols(self.y)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let y = host.get(self.x).iter().map(|&x| x * weight(x).0).collect();
        host.put(self.y, y);
    }

    fn derive(&self, derive: &mut Derive<'_>) {
        let Some(dy) = derive.gradient(self.y) else { return };
        let Some(dx) = derive.fresh_gradient(self.x) else { return };
        derive.emit(GeluBackward { dy, x: self.x, dx });
        derive.contribute(self.x, dx);
    }
}

impl Operation for GeluBackward {
    const NAME: &'static str = "gelu_backward";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.dy);
        visitor(Access::Read, &mut self.x);
        visitor(Access::Write, &mut self.dx);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        for tensor in [self.dy, self.dx] {
            expect_rows(Self::NAME, program, tensor, self.x)?;
            expect_cols(Self::NAME, program, tensor, program.cols(self.x))?;
        }
        Ok(())
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        18 * (extent.rows(program.tensor(self.x).rows) * program.cols(self.x)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let slope = |(&x, &dy): (&R, &R)| {
            let (s, inner) = weight(x);
            dy * (s + x * s * (R::one() - s) * inner)
        };
        let dx = host.get(self.x).iter().zip(host.get(self.dy)).map(slope).collect();
        host.put(self.dx, dx);
    }

    fn in_place(&self) -> Option<(TensorId, TensorId)> {
        Some((self.x, self.dx))
    }
}
