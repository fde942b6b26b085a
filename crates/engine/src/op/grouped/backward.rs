//! The backward pass of the linear layers of experts: shape rule and reference loops.

use super::{Experts, Part, expect_hidden, stretches};
use crate::op::{Access, Host, Operation, Real, expect_cols, expect_reals, expect_rows, visit_option};
use crate::program::{Extent, Program, ShapeError, TensorId};

/// The gradient of [`super::GroupedLinear`].
#[derive(Debug, Clone, PartialEq)]
pub struct GroupedLinearBackward {
    /// Gradient of the result, (M', N).
    pub dy: TensorId,
    /// Input, (M', K): read when a weight or a low-rank pair is trained.
    pub x: Option<TensorId>,
    /// The first row of each expert, and the number of all, (1, X + 1) ids.
    pub bounds: TensorId,
    /// The weights as they were forward.
    pub experts: Experts,
    /// h of the forward pass, (M', R).
    pub hidden: Option<TensorId>,
    /// dh, (M', R).
    pub dhidden: Option<TensorId>,
    /// dW of all, (X·N, K), added to.
    pub dweight: Option<TensorId>,
    /// db of all, (1, X·N), added to.
    pub dbias: Option<TensorId>,
    /// dA and dB of all, added to.
    pub dlow_rank: Option<(TensorId, TensorId)>,
    /// Gradient of the input, (M', K).
    pub dx: Option<TensorId>,
}

impl Operation for GroupedLinearBackward {
    const NAME: &'static str = "grouped_linear_backward";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.dy);
        visit_option(visitor, Access::Read, &mut self.x);
        visitor(Access::Read, &mut self.bounds);
        self.experts.visit(visitor);
        visit_option(visitor, Access::Read, &mut self.hidden);
        visit_option(visitor, Access::Write, &mut self.dhidden);
        visit_option(visitor, Access::Update, &mut self.dweight);
        visit_option(visitor, Access::Update, &mut self.dbias);
        if let Some((da, db)) = &mut self.dlow_rank {
            visitor(Access::Update, da);
            visitor(Access::Update, db);
        }
        visit_option(visitor, Access::Write, &mut self.dx);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_reals(Self::NAME, program, self.dy)?;
        let inputs = program.cols(self.experts.weight);
        self.experts.check(Self::NAME, program, self.bounds, (inputs, program.cols(self.dy)))?;
        for hidden in [self.hidden, self.dhidden] {
            expect_hidden(Self::NAME, program, hidden, self.experts.rank(program))?;
        }
        [self.x, self.dx].into_iter().flatten().try_for_each(|tensor| {
            expect_rows(Self::NAME, program, tensor, self.dy)?;
            expect_cols(Self::NAME, program, tensor, inputs)
        })
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        let rows = extent.rows(program.tensor(self.dy).rows);
        let (inputs, outputs) = (program.cols(self.experts.weight), program.cols(self.dy));
        let dense = usize::from(self.dx.is_some()) + usize::from(self.dweight.is_some());
        let low = 1 + usize::from(self.dx.is_some()) + usize::from(self.dlow_rank.is_some());
        let rank = self.experts.rank(program);
        (2 * rows * (dense * inputs * outputs + low * rank * (inputs + outputs))) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let (inputs, outputs) = (host.cols(self.experts.weight), host.cols(self.dy));
        let rank = self.hidden.map_or(0, |hidden| host.cols(hidden));
        let groups = stretches(host, self.bounds);
        let mut dx = vec![R::zero(); host.rows(self.dy) * inputs];
        let mut dhidden = vec![R::zero(); host.rows(self.dy) * rank];
        for (group, row) in groups.iter().enumerate().flat_map(|(g, rows)| rows.clone().map(move |r| (g, r)))
        {
            let w = Part(host.get(self.experts.weight), inputs, group * outputs);
            let (dy, dx) = (host.row(self.dy, row), &mut dx[row * inputs..][..inputs]);
            let dhidden = &mut dhidden[row * rank..][..rank];
            for (k, dx) in dx.iter_mut().enumerate() {
                dy.iter().enumerate().for_each(|(n, &dy)| *dx += dy * w.at(n, k));
            }
            let Some(pair) = &self.experts.low_rank else { continue };
            let a = Part(host.get(pair.a), inputs, group * rank);
            let b = Part(host.get(pair.b), rank, group * outputs);
            for (r, dh) in dhidden.iter_mut().enumerate() {
                dy.iter().enumerate().for_each(|(n, &dy)| *dh += dy * b.at(n, r));
                *dh = *dh * R::from_f64(f64::from(pair.scale));
            }
            for (k, dx) in dx.iter_mut().enumerate() {
                dhidden.iter().enumerate().for_each(|(r, &dh)| *dx += dh * a.at(r, k));
            }
        }
        self.dhidden.into_iter().for_each(|id| host.put(id, std::mem::take(&mut dhidden)));
        self.dx.into_iter().for_each(|id| host.put(id, std::mem::take(&mut dx)));
        for (group, rows) in groups.into_iter().enumerate() {
            for row in rows {
                self.row_gradients(host, group, row);
            }
        }
    }
}

impl GroupedLinearBackward {
    /// What one row adds to the gradients of its expert.
    fn row_gradients<R: Real>(&self, host: &mut Host<R>, group: usize, row: usize) {
        let dy = host.row(self.dy, row).to_vec();
        let at = group * dy.len();
        if let (Some(dweight), Some(x)) = (self.dweight, self.x) {
            add_outer(host, dweight, at, &dy, (x, row));
        }
        if let Some(dbias) = self.dbias {
            let mut sum = host.take(dbias);
            sum[at..].iter_mut().zip(&dy).for_each(|(sum, &dy)| *sum += dy);
            host.put(dbias, sum);
        }
        let (Some((da, db)), Some(x)) = (self.dlow_rank, self.x) else { return };
        let (Some(hidden), Some(dhidden)) = (self.hidden, self.dhidden) else { return };
        let dh = host.row(dhidden, row).to_vec();
        add_outer(host, da, group * dh.len(), &dh, (x, row));
        add_outer(host, db, at, &dy, (hidden, row));
    }
}

/// `sum[first + i][j] += a[i] · b[j]`, with b a row of a tensor.
fn add_outer<R: Real>(host: &mut Host<R>, sum: TensorId, first: usize, a: &[R], (b, row): (TensorId, usize)) {
    let (mut values, cols) = (host.take(sum), host.cols(sum));
    for (values, &a) in values[first * cols..].chunks_mut(cols).zip(a) {
        values.iter_mut().zip(host.row(b, row)).for_each(|(sum, &b)| *sum += a * b);
    }
    host.put(sum, values);
}
