//! Token embedding: row `ids[i]` of the table becomes row `i`.
//!
//! `y[i] = table[ids[i]]`, and backwards `dtable[ids[i]] += dy[i]`.

use super::{Access, Host, Operation, Real, expect_cols, expect_f32, expect_ids, expect_rows};
use crate::derive::Derive;
use crate::program::{Extent, Program, ShapeError, TensorId};

/// Looks rows up in a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Embed {
    /// Token ids, (M, 1).
    pub ids: TensorId,
    /// The table, (V, D).
    pub table: TensorId,
    /// The rows, (M, D).
    pub y: TensorId,
}

/// Adds the gradient of looked-up rows to the gradient of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbedBackward {
    /// Gradient of the rows, (M, D).
    pub dy: TensorId,
    /// Token ids, (M, 1).
    pub ids: TensorId,
    /// Gradient of the table, (V, D), added to.
    pub dtable: TensorId,
}

impl Operation for Embed {
    const NAME: &'static str = "embed";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.ids);
        visitor(Access::Read, &mut self.table);
        visitor(Access::Write, &mut self.y);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_ids(Self::NAME, program, self.ids)?;
        expect_rows(Self::NAME, program, self.ids, self.y)?;
        expect_cols(Self::NAME, program, self.y, program.cols(self.table))
    }

    fn flops(&self, _program: &Program, _extent: Extent) -> u64 {
        0
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let mut y = host.take(self.y);
        for (row, &id) in y.chunks_mut(host.cols(self.y)).zip(host.ids(self.ids)) {
            row.copy_from_slice(host.row(self.table, id as usize));
        }
        host.put(self.y, y);
    }

    fn derive(&self, derive: &mut Derive<'_>) {
        let (Some(dy), Some(dtable)) = (derive.gradient(self.y), derive.weight_gradient(self.table)) else {
            return;
        };
        derive.emit(EmbedBackward { dy, ids: self.ids, dtable });
    }
}

impl Operation for EmbedBackward {
    const NAME: &'static str = "embed_backward";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.dy);
        visitor(Access::Read, &mut self.ids);
        visitor(Access::Update, &mut self.dtable);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_f32(Self::NAME, program, self.dtable)?;
        expect_rows(Self::NAME, program, self.ids, self.dy)?;
        expect_cols(Self::NAME, program, self.dy, program.cols(self.dtable))
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        (extent.rows(program.tensor(self.dy).rows) * program.cols(self.dy)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let cols = host.cols(self.dtable);
        let mut dtable = host.take(self.dtable);
        for (row, &id) in host.ids(self.ids).iter().enumerate() {
            let at = id as usize * cols;
            dtable[at..at + cols].iter_mut().zip(host.row(self.dy, row)).for_each(|(sum, &dy)| *sum += dy);
        }
        host.put(self.dtable, dtable);
    }
}
