//! The few operations without arithmetic of their own: sums and zero.

use super::{Access, Host, Operation, Real, expect_cols, expect_reals, expect_rows};
use crate::derive::Derive;
use crate::program::{Extent, Program, ShapeError, TensorId};

/// `y = a + b`: two gradients of one tensor meet, or token and position.
#[derive(Debug, Clone, PartialEq)]
pub struct Add {
    /// First summand.
    pub a: TensorId,
    /// Second summand, like the first.
    pub b: TensorId,
    /// Sum.
    pub y: TensorId,
}

/// `x = 0`.
#[derive(Debug, Clone, PartialEq)]
pub struct Zero {
    /// What becomes zero.
    pub x: TensorId,
}

impl Operation for Add {
    const NAME: &'static str = "add";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.a);
        visitor(Access::Read, &mut self.b);
        visitor(Access::Write, &mut self.y);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        for tensor in [self.b, self.y] {
            expect_reals(Self::NAME, program, tensor)?;
            expect_rows(Self::NAME, program, tensor, self.a)?;
            expect_cols(Self::NAME, program, tensor, program.cols(self.a))?;
        }
        Ok(())
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        (extent.rows(program.tensor(self.y).rows) * program.cols(self.y)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let y = host.get(self.a).iter().zip(host.get(self.b)).map(|(&a, &b)| a + b).collect();
        host.put(self.y, y);
    }

    fn derive(&self, derive: &mut Derive<'_>) {
        let Some(dy) = derive.gradient(self.y) else { return };
        derive.contribute(self.a, dy);
        derive.contribute(self.b, dy);
    }

    fn in_place(&self) -> Option<(TensorId, TensorId)> {
        Some((self.a, self.y))
    }
}

impl Operation for Zero {
    const NAME: &'static str = "zero";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Write, &mut self.x);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_reals(Self::NAME, program, self.x)
    }

    fn flops(&self, _program: &Program, _extent: Extent) -> u64 {
        0
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let zeros = vec![R::zero(); host.get(self.x).len()];
        host.put(self.x, zeros);
    }
}
