//! The gated activation of Llama's feed-forward layer.
//!
//! `y = silu(gate) · up` with `silu(z) = z · σ(z)`, gate and up side by side.
//! Backwards, with `s = σ(gate)`: `dup = dy · gate · s` and
//! `dgate = dy · up · s · (1 + gate · (1 − s))`.
//!
//! # Source
//! Shazeer, "GLU Variants Improve Transformer", 2020, arXiv 2002.05202, equation 6.

mod clamped;

pub use clamped::{Clamp, ClampedSwiGlu, ClampedSwiGluBackward};

use super::{Access, Host, Operation, Real, expect_cols, expect_reals, expect_rows};
use crate::derive::Derive;
use crate::program::{Extent, Program, ShapeError, TensorId};

/// Multiplies `up` by the sigmoid-weighted gate.
#[derive(Debug, Clone, PartialEq)]
pub struct SwiGlu {
    /// Gate, then up, (M, 2F).
    pub gate_up: TensorId,
    /// Result, (M, F).
    pub y: TensorId,
}

/// The gradient of [`SwiGlu`].
#[derive(Debug, Clone, PartialEq)]
pub struct SwiGluBackward {
    /// Gradient of the result, (M, F).
    pub dy: TensorId,
    /// Gate, then up, (M, 2F).
    pub gate_up: TensorId,
    /// Gradient of both, (M, 2F).
    pub dgate_up: TensorId,
}

fn sigmoid<R: Real>(z: R) -> R {
    R::one() / (R::one() + (-z).exp())
}

impl Operation for SwiGlu {
    const NAME: &'static str = "swiglu";
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
        8 * (extent.rows(program.tensor(self.y).rows) * program.cols(self.y)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let width = host.cols(self.y);
        let mut y = host.take(self.y);
        for (row, y) in y.chunks_mut(width).enumerate() {
            let (gate, up) = host.row(self.gate_up, row).split_at(width);
            for ((y, &gate), &up) in y.iter_mut().zip(gate).zip(up) {
                *y = gate * sigmoid(gate) * up;
            }
        }
        host.put(self.y, y);
    }

    fn derive(&self, derive: &mut Derive<'_>) {
        let Some(dy) = derive.gradient(self.y) else { return };
        let Some(dgate_up) = derive.fresh_gradient(self.gate_up) else { return };
        derive.emit(SwiGluBackward { dy, gate_up: self.gate_up, dgate_up });
        derive.contribute(self.gate_up, dgate_up);
    }
}

impl Operation for SwiGluBackward {
    const NAME: &'static str = "swiglu_backward";

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
        15 * (extent.rows(program.tensor(self.dy).rows) * program.cols(self.dy)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let width = host.cols(self.dy);
        let mut out = host.take(self.dgate_up);
        for (row, out) in out.chunks_mut(2 * width).enumerate() {
            let (gate, up) = host.row(self.gate_up, row).split_at(width);
            let (dgate, dup) = out.split_at_mut(width);
            for (c, &dy) in host.row(self.dy, row).iter().enumerate() {
                let s = sigmoid(gate[c]);
                dgate[c] = dy * up[c] * s * (R::one() + gate[c] * (R::one() - s));
                dup[c] = dy * gate[c] * s;
            }
        }
        host.put(self.dgate_up, out);
    }

    fn in_place(&self) -> Option<(TensorId, TensorId)> {
        Some((self.gate_up, self.dgate_up))
    }
}
