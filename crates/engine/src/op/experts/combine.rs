//! What the experts made of a token, summed.

use crate::derive::Derive;
use crate::op::{
    Access, Host, Operation, Real, expect, expect_cols, expect_f32, expect_ids, expect_reals, expect_rows,
    visit_option,
};
use crate::program::{Extent, Program, ShapeError, TensorId};

/// Sums the sorted rows of each token's choices, weighted.
#[derive(Debug, Clone, PartialEq)]
pub struct CombineRows {
    /// Sorted rows, (M·k, D).
    pub x: TensorId,
    /// The weight of each choice, (M, k), f32; all are one without.
    pub weights: Option<TensorId>,
    /// The sorted row of each choice, (M, k) ids.
    pub places: TensorId,
    /// Added to the sum, (M, D): the residual stream.
    pub add: Option<TensorId>,
    /// Result, (M, D).
    pub y: TensorId,
}

/// The gradient of a weighted [`CombineRows`].
#[derive(Debug, Clone, PartialEq)]
pub struct CombineRowsBackward {
    /// Gradient of the result, (M, D).
    pub dy: TensorId,
    /// Sorted rows, (M·k, D).
    pub x: TensorId,
    /// The weight of each choice, (M, k), f32.
    pub weights: TensorId,
    /// The sorted row of each choice, (M, k) ids.
    pub places: TensorId,
    /// Gradient of the sorted rows, (M·k, D).
    pub dx: Option<TensorId>,
    /// Gradient of the weights, (M, k), f32.
    pub dweights: Option<TensorId>,
}

/// Requires a sorted row for each choice of each token.
fn check_rows(
    op: &'static str,
    program: &Program,
    x: TensorId,
    places: TensorId,
    y: TensorId,
) -> Result<(), ShapeError> {
    for tensor in [x, y] {
        expect_reals(op, program, tensor)?;
    }
    expect_ids(op, program, places)?;
    expect_rows(op, program, places, y)?;
    let choices = program.rows(places) * program.cols(places);
    expect(op, program, x, "rows", program.rows(x), choices)?;
    expect_cols(op, program, x, program.cols(y))
}

impl Operation for CombineRows {
    const NAME: &'static str = "combine_rows";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.x);
        visit_option(visitor, Access::Read, &mut self.weights);
        visitor(Access::Read, &mut self.places);
        visit_option(visitor, Access::Read, &mut self.add);
        visitor(Access::Write, &mut self.y);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        check_rows(Self::NAME, program, self.x, self.places, self.y)?;
        if let Some(weights) = self.weights {
            expect_f32(Self::NAME, program, weights)?;
            expect_rows(Self::NAME, program, weights, self.places)?;
            expect_cols(Self::NAME, program, weights, program.cols(self.places))?;
        }
        self.add.map_or(Ok(()), |add| {
            expect_rows(Self::NAME, program, add, self.y)?;
            expect_cols(Self::NAME, program, add, program.cols(self.y))
        })
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        2 * (extent.rows(program.tensor(self.x).rows) * program.cols(self.x)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let (rows, cols, per_token) = (host.rows(self.y), host.cols(self.y), host.cols(self.places));
        let mut y = self.add.map_or_else(|| vec![R::zero(); rows * cols], |add| host.get(add).to_vec());
        for (token, y) in y.chunks_mut(cols).enumerate() {
            for choice in token * per_token..(token + 1) * per_token {
                let weight = self.weights.map_or(R::one(), |weights| host.get(weights)[choice]);
                let x = host.row(self.x, host.ids(self.places)[choice] as usize);
                y.iter_mut().zip(x).for_each(|(y, &x)| *y += weight * x);
            }
        }
        host.put(self.y, y);
    }

    fn derive(&self, derive: &mut Derive<'_>) {
        let Some(dy) = derive.gradient(self.y) else { return };
        if let Some(add) = self.add {
            derive.contribute(add, dy);
        }
        let Some(weights) = self.weights else { return };
        let (dx, dweights) = (derive.fresh_gradient(self.x), derive.fresh_gradient(weights));
        if dx.is_none() && dweights.is_none() {
            return;
        }
        derive.emit(CombineRowsBackward { dy, x: self.x, weights, places: self.places, dx, dweights });
        dx.into_iter().for_each(|dx| derive.contribute(self.x, dx));
        dweights.into_iter().for_each(|dweights| derive.contribute(weights, dweights));
    }

    fn in_place(&self) -> Option<(TensorId, TensorId)> {
        Some((self.add?, self.y))
    }
}

impl Operation for CombineRowsBackward {
    const NAME: &'static str = "combine_rows_backward";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        for tensor in [&mut self.dy, &mut self.x, &mut self.weights, &mut self.places] {
            visitor(Access::Read, tensor);
        }
        visit_option(visitor, Access::Write, &mut self.dx);
        visit_option(visitor, Access::Write, &mut self.dweights);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        check_rows(Self::NAME, program, self.x, self.places, self.dy)?;
        for weights in [Some(self.weights), self.dweights].into_iter().flatten() {
            expect_f32(Self::NAME, program, weights)?;
            expect_rows(Self::NAME, program, weights, self.places)?;
            expect_cols(Self::NAME, program, weights, program.cols(self.places))?;
        }
        self.dx.map_or(Ok(()), |dx| {
            expect_rows(Self::NAME, program, dx, self.x)?;
            expect_cols(Self::NAME, program, dx, program.cols(self.x))
        })
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        3 * (extent.rows(program.tensor(self.x).rows) * program.cols(self.x)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let (cols, per_token) = (host.cols(self.x), host.cols(self.places));
        let mut dx = vec![R::zero(); host.rows(self.x) * cols];
        let mut dweights = vec![R::zero(); host.get(self.weights).len()];
        for (choice, &place) in host.ids(self.places).iter().enumerate() {
            let (dy, place) = (host.row(self.dy, choice / per_token), place as usize);
            let weight = host.get(self.weights)[choice];
            let rows = dx[place * cols..][..cols].iter_mut().zip(host.row(self.x, place)).zip(dy);
            for ((dx, &x), &dy) in rows {
                *dx = weight * dy;
                dweights[choice] += x * dy;
            }
        }
        self.dx.into_iter().for_each(|id| host.put(id, std::mem::take(&mut dx)));
        self.dweights.into_iter().for_each(|id| host.put(id, std::mem::take(&mut dweights)));
    }
}
