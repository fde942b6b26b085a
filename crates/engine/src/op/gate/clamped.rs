//! The gated activation of gpt-oss's experts.
//!
//! Gate and up lie interleaved, column 2f the gate and 2f + 1 the up of number f. With
//! `g = min(gate, L)`, `u = clamp(up, −L, L)` and `s = σ(α g)`:
//!
//! ```text
//! y = (u + 1) · g · s
//! dup = dy · g · s                      where up is not clamped, else 0
//! dgate = dy · (u + 1) · s (1 + α g (1 − s))      where gate is not clamped, else 0
//! ```
//!
//! # Source
//! OpenAI, "gpt-oss-120b & gpt-oss-20b Model Card", 2025, arXiv 2508.10925, section 2.2, and the
//! model's published code: α = 1.702, L = 7.

use super::sigmoid;
use crate::derive::Derive;
use crate::op::{Access, Host, Operation, Real, expect_cols, expect_reals, expect_rows};
use crate::program::{Extent, Program, ShapeError, TensorId};

/// α and L.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clamp {
    /// α: how steep the gate's sigmoid is.
    pub alpha: f32,
    /// L: the most that gate and up count for.
    pub limit: f32,
}

/// Multiplies the clamped `up`, plus one, by the sigmoid-weighted, clamped gate.
#[derive(Debug, Clone, PartialEq)]
pub struct ClampedSwiGlu {
    /// Gate and up, interleaved, (M, 2F).
    pub gate_up: TensorId,
    /// α and L.
    pub clamp: Clamp,
    /// Result, (M, F).
    pub y: TensorId,
}

/// The gradient of [`ClampedSwiGlu`].
#[derive(Debug, Clone, PartialEq)]
pub struct ClampedSwiGluBackward {
    /// Gradient of the result, (M, F).
    pub dy: TensorId,
    /// Gate and up, interleaved, (M, 2F).
    pub gate_up: TensorId,
    /// α and L.
    pub clamp: Clamp,
    /// Gradient of both, (M, 2F).
    pub dgate_up: TensorId,
}

fn least<R: Real>(a: R, b: R) -> R {
    if a > b { b } else { a }
}

/// g, u and s.
fn parts<R: Real>(gate_up: &[R], clamp: Clamp) -> (R, R, R) {
    let [alpha, limit] = [clamp.alpha, clamp.limit].map(|x| R::from_f64(f64::from(x)));
    let gate = least(gate_up[0], limit);
    let up = -least(-least(gate_up[1], limit), limit);
    (gate, up, sigmoid(alpha * gate))
}

impl Operation for ClampedSwiGlu {
    const NAME: &'static str = "clamped_swiglu";
    const CHEAP: bool = true;

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.gate_up);
        visitor(Access::Write, &mut self.y);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_reals(Self::NAME, program, self.gate_up)?;
        expect_rows(Self::NAME, program, self.y, self.gate_up)?;
        expect_cols(Self::NAME, program, self.gate_up, 2 * program.cols(self.y))
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        12 * (extent.rows(program.tensor(self.y).rows) * program.cols(self.y)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let y = host.get(self.gate_up).chunks(2).map(|gate_up| {
            let (gate, up, s) = parts(gate_up, self.clamp);
            (up + R::one()) * gate * s
        });
        let y = y.collect();
        host.put(self.y, y);
    }

    fn derive(&self, derive: &mut Derive<'_>) {
        let Some(dy) = derive.gradient(self.y) else { return };
        let Some(dgate_up) = derive.fresh_gradient(self.gate_up) else { return };
        derive.emit(ClampedSwiGluBackward { dy, gate_up: self.gate_up, clamp: self.clamp, dgate_up });
        derive.contribute(self.gate_up, dgate_up);
    }
}

impl Operation for ClampedSwiGluBackward {
    const NAME: &'static str = "clamped_swiglu_backward";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.dy);
        visitor(Access::Read, &mut self.gate_up);
        visitor(Access::Write, &mut self.dgate_up);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_rows(Self::NAME, program, self.dy, self.gate_up)?;
        expect_cols(Self::NAME, program, self.gate_up, 2 * program.cols(self.dy))?;
        expect_cols(Self::NAME, program, self.dgate_up, program.cols(self.gate_up))
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        20 * (extent.rows(program.tensor(self.dy).rows) * program.cols(self.dy)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let [alpha, limit] = [self.clamp.alpha, self.clamp.limit].map(|x| R::from_f64(f64::from(x)));
        let both = host.get(self.gate_up).chunks(2).zip(host.get(self.dy)).flat_map(|(gate_up, &dy)| {
            let (gate, up, s) = parts(gate_up, self.clamp);
            let slope = s * (R::one() + alpha * gate * (R::one() - s));
            let free = |is_free: bool, x: R| if is_free { x } else { R::zero() };
            [
                free(gate_up[0] <= limit, dy * (up + R::one()) * slope),
                free(-limit <= gate_up[1] && gate_up[1] <= limit, dy * gate * s),
            ]
        });
        let dgate_up = both.collect();
        host.put(self.dgate_up, dgate_up);
    }

    fn in_place(&self) -> Option<(TensorId, TensorId)> {
        Some((self.gate_up, self.dgate_up))
    }
}
