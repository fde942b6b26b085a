//! Rows picked by number, and their gradient put back.
//!
//! `y[i] = x[rows[i]]`, and backwards `dx = add`, `dx[rows[i]] += dy[i]`. What
//! follows a pick is computed for the rows whose result anyone asks for: those
//! with loss in training, those whose logits are wanted in writing.

use super::{
    Access, Host, Operation, Real, expect_cols, expect_ids, expect_reals, expect_rows, visit_option,
};
use crate::derive::Derive;
use crate::program::{Extent, Program, ShapeError, TensorId};

/// `y[i] = x[rows[i]]`: only the rows that anyone asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct GatherRows {
    /// Where to pick from, (M, D).
    pub x: TensorId,
    /// Row numbers, one for each row of `y`, (picked, 1).
    pub rows: TensorId,
    /// The rows picked, (picked, D).
    pub y: TensorId,
}

/// The gradient of [`GatherRows`]: rows that were not picked get what reached them by other ways.
#[derive(Debug, Clone, PartialEq)]
pub struct ScatterRows {
    /// Gradient of the rows picked, (picked, D).
    pub dy: TensorId,
    /// Row numbers, one for each row of `dy`, (picked, 1).
    pub rows: TensorId,
    /// Gradient that reached `x` by other ways, (M, D).
    pub add: Option<TensorId>,
    /// Gradient of `x`, (M, D).
    pub dx: TensorId,
}

impl Operation for GatherRows {
    const NAME: &'static str = "gather_rows";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.x);
        visitor(Access::Read, &mut self.rows);
        visitor(Access::Write, &mut self.y);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_ids(Self::NAME, program, self.rows)?;
        expect_rows(Self::NAME, program, self.rows, self.y)?;
        expect_cols(Self::NAME, program, self.y, program.cols(self.x))
    }

    fn flops(&self, _program: &Program, _extent: Extent) -> u64 {
        0
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let y = host.ids(self.rows).iter().flat_map(|&row| host.row(self.x, row as usize)).copied().collect();
        host.put(self.y, y);
    }

    fn derive(&self, derive: &mut Derive<'_>) {
        let Some(dy) = derive.gradient(self.y) else { return };
        let add = derive.gradient(self.x);
        let Some(dx) = derive.replace_gradient(self.x) else { return };
        derive.emit(ScatterRows { dy, rows: self.rows, add, dx });
    }

    const CHEAP: bool = true;
}

impl Operation for ScatterRows {
    const NAME: &'static str = "scatter_rows";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.dy);
        visitor(Access::Read, &mut self.rows);
        visit_option(visitor, Access::Read, &mut self.add);
        visitor(Access::Write, &mut self.dx);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_ids(Self::NAME, program, self.rows)?;
        expect_reals(Self::NAME, program, self.dx)?;
        expect_rows(Self::NAME, program, self.rows, self.dy)?;
        expect_cols(Self::NAME, program, self.dy, program.cols(self.dx))?;
        self.add.map_or(Ok(()), |add| {
            expect_rows(Self::NAME, program, add, self.dx)?;
            expect_cols(Self::NAME, program, add, program.cols(self.dx))
        })
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        (extent.rows(program.tensor(self.dy).rows) * program.cols(self.dy)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let cols = host.cols(self.dx);
        let zeros = || vec![R::zero(); host.rows(self.dx) * cols];
        let mut dx = self.add.map_or_else(zeros, |add| host.get(add).to_vec());
        for (at, &row) in host.ids(self.rows).iter().enumerate() {
            let sum = &mut dx[row as usize * cols..][..cols];
            sum.iter_mut().zip(host.row(self.dy, at)).for_each(|(sum, &dy)| *sum += dy);
        }
        host.put(self.dx, dx);
    }

    fn in_place(&self) -> Option<(TensorId, TensorId)> {
        Some((self.add?, self.dx))
    }
}
