//! Rotary position embedding in the half-split layout.
//!
//! Within a head of width E, the pair `(i, i + E/2)` is rotated by the angle
//! `position · inverse_frequency[i]`. The derivative of a rotation is the
//! rotation by the opposite angle, so forward and backward are one operation.
//!
//! # Source
//! Su et al., "RoFormer", 2021, arXiv 2104.09864, equation 34, with the pairs
//! arranged as in Hugging Face's Llama.

use super::{
    Access, Host, Operation, Real, expect, expect_cols, expect_f32, expect_ids, expect_reals, expect_rows,
};
use crate::derive::Derive;
use crate::program::{Extent, Program, ShapeError, TensorId};

/// Cosines and sines of every row's position, computed once per run and used by every layer.
#[derive(Debug, Clone, PartialEq)]
pub struct RopeTable {
    /// Position of each row in its document, (M, 1).
    pub positions: TensorId,
    /// One frequency for each pair of a head, E/2 of them, radians per position.
    pub inverse_frequency: Vec<f32>,
    /// Multiplies cosines and sines (YaRN's attention factor; 1 otherwise).
    pub scale: f32,
    /// Cosines, (M, E/2), f32.
    pub cos: TensorId,
    /// Sines, (M, E/2), f32.
    pub sin: TensorId,
}

/// Rotates the first heads of every row; the columns behind them pass unchanged.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Heads side by side, (M, columns).
    pub x: TensorId,
    /// Cosines, (M, E/2).
    pub cos: TensorId,
    /// Sines, (M, E/2).
    pub sin: TensorId,
    /// How many heads are rotated, from the first column on.
    pub heads: usize,
    /// Columns of one head, E.
    pub head_width: usize,
    /// Rotates by the opposite angle: the derivative.
    pub inverse: bool,
    /// Result, like `x`.
    pub y: TensorId,
}

impl Operation for RopeTable {
    const NAME: &'static str = "rope_table";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.positions);
        visitor(Access::Write, &mut self.cos);
        visitor(Access::Write, &mut self.sin);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_ids(Self::NAME, program, self.positions)?;
        for table in [self.cos, self.sin] {
            expect_f32(Self::NAME, program, table)?;
            expect_rows(Self::NAME, program, table, self.positions)?;
            expect_cols(Self::NAME, program, table, self.inverse_frequency.len())?;
        }
        Ok(())
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        20 * (extent.rows(program.tensor(self.cos).rows) * program.cols(self.cos)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let angles = host.ids(self.positions).iter().flat_map(|&position| {
            // Angles in f64: positions beyond ten thousand lose digits in f32.
            self.inverse_frequency.iter().map(move |&f| f64::from(position) * f64::from(f))
        });
        let scale = f64::from(self.scale);
        let (cos, sin) = angles.map(|a| (R::from_f64(a.cos() * scale), R::from_f64(a.sin() * scale))).unzip();
        host.put(self.cos, cos);
        host.put(self.sin, sin);
    }
}

impl Operation for Rope {
    const NAME: &'static str = "rope";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.x);
        visitor(Access::Read, &mut self.cos);
        visitor(Access::Read, &mut self.sin);
        visitor(Access::Write, &mut self.y);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_reals(Self::NAME, program, self.x)?;
        expect_rows(Self::NAME, program, self.y, self.x)?;
        expect_rows(Self::NAME, program, self.cos, self.x)?;
        expect_cols(Self::NAME, program, self.y, program.cols(self.x))?;
        expect(Self::NAME, program, self.cos, "pairs", 2 * program.cols(self.cos), self.head_width)?;
        let rotated = self.heads * self.head_width;
        expect(
            Self::NAME,
            program,
            self.x,
            "columns",
            program.cols(self.x).max(rotated),
            program.cols(self.x),
        )
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        3 * (extent.rows(program.tensor(self.x).rows) * self.heads * self.head_width) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let (cols, half) = (host.cols(self.x), self.head_width / 2);
        let mut y = host.get(self.x).to_vec();
        for (row, y) in y.chunks_mut(cols).enumerate() {
            let (cos, sin) = (host.row(self.cos, row), host.row(self.sin, row));
            for head in y[..self.heads * self.head_width].chunks_mut(self.head_width) {
                for i in 0..half {
                    let sin = if self.inverse { -sin[i] } else { sin[i] };
                    let (a, b) = (head[i], head[i + half]);
                    head[i] = a * cos[i] - b * sin;
                    head[i + half] = b * cos[i] + a * sin;
                }
            }
        }
        host.put(self.y, y);
    }

    fn derive(&self, derive: &mut Derive<'_>) {
        let Some(dy) = derive.gradient(self.y) else { return };
        let Some(dx) = derive.fresh_gradient(self.x) else { return };
        derive.emit(Self { x: dy, y: dx, inverse: !self.inverse, ..self.clone() });
        derive.contribute(self.x, dx);
    }

    fn in_place(&self) -> Option<(TensorId, TensorId)> {
        Some((self.x, self.y))
    }
}
