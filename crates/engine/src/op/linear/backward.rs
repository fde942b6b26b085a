//! The backward pass of linear layers: shape rule and reference loops.

use super::{
    LinearBackward, LowRank, ProjectionBackward, accumulate, columns, dropped, expect_hidden, mask,
    put_columns,
};
use crate::op::{Access, Host, Operation, Real, expect_cols, expect_rows, visit_option};
use crate::program::{Extent, Program, ShapeError, TensorId};

impl Operation for LinearBackward {
    const NAME: &'static str = "linear_backward";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.dy);
        visit_option(visitor, Access::Read, &mut self.x);
        for part in &mut self.parts {
            part.part.visit(visitor);
            if let Some((da, db)) = &mut part.dlow_rank {
                visitor(Access::Update, da);
                visitor(Access::Update, db);
            }
            visit_option(visitor, Access::Update, &mut part.dweight);
            visit_option(visitor, Access::Update, &mut part.dbias);
        }
        visit_option(visitor, Access::Read, &mut self.hidden);
        visit_option(visitor, Access::Write, &mut self.dhidden);
        visit_option(visitor, Access::Read, &mut self.add);
        visit_option(visitor, Access::Write, &mut self.dx);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        let Some(first) = self.parts.first() else { return Ok(()) };
        let inputs = program.cols(first.part.weight);
        self.parts.iter().try_for_each(|part| part.part.check(Self::NAME, program, inputs))?;
        for hidden in [self.hidden, self.dhidden] {
            expect_hidden(Self::NAME, program, hidden, self.parts.iter().map(|part| &part.part))?;
        }
        let outputs = self.parts.iter().map(|p| program.rows(p.part.weight)).sum();
        expect_cols(Self::NAME, program, self.dy, outputs)?;
        [self.x, self.add, self.dx].into_iter().flatten().try_for_each(|tensor| {
            expect_rows(Self::NAME, program, tensor, self.dy)?;
            expect_cols(Self::NAME, program, tensor, inputs)
        })
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        let rows = extent.rows(program.tensor(self.dy).rows);
        let part = |p: &ProjectionBackward| {
            let (outputs, inputs) = (program.rows(p.part.weight), program.cols(p.part.weight));
            let dense = usize::from(self.dx.is_some()) + usize::from(p.dweight.is_some());
            let low = 1 + usize::from(self.dx.is_some()) + usize::from(p.dlow_rank.is_some());
            2 * rows * (dense * inputs * outputs + low * p.part.rank(program) * (inputs + outputs))
        };
        self.parts.iter().map(part).sum::<usize>() as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let (rows, width) = (host.rows(self.dy), host.cols(self.dy));
        let mut at = 0;
        let mut dx = match (self.add, self.dx) {
            (Some(add), Some(_)) => host.get(add).to_vec(),
            (_, Some(dx)) => vec![R::zero(); host.get(dx).len()],
            (_, None) => Vec::new(),
        };
        let mut dhidden = self.dhidden.map_or_else(Vec::new, |id| vec![R::zero(); rows * host.cols(id)]);
        let (ranks, mut rank_at) = (self.hidden.map_or(0, |id| host.cols(id)), 0);
        for part in &self.parts {
            let outputs = host.rows(part.part.weight);
            let dy: Vec<R> =
                (0..rows).flat_map(|i| host.row(self.dy, i)[at..at + outputs].to_vec()).collect();
            part.reference(host, self.x, &dy, self.dx.map(|_| dx.as_mut_slice()));
            if let (Some(pair), Some(hidden)) = (&part.part.low_rank, self.hidden) {
                let rank = host.rows(pair.a);
                let hidden = columns(host.get(hidden), ranks, rank_at..rank_at + rank);
                let dx = self.dx.map(|_| dx.as_mut_slice());
                let dh = part.low_rank_reference(host, (pair, &hidden), self.x, &dy, dx);
                put_columns(&mut dhidden, ranks, rank_at, &dh, rank);
                rank_at += rank;
            }
            at += outputs;
        }
        debug_assert_eq!(at, width, "projections cover the gradient");
        self.dhidden.into_iter().for_each(|id| host.put(id, std::mem::take(&mut dhidden)));
        self.dx.into_iter().for_each(|id| host.put(id, std::mem::take(&mut dx)));
    }

    fn in_place(&self) -> Option<(TensorId, TensorId)> {
        Some((self.add?, self.dx?))
    }
}

impl ProjectionBackward {
    /// The gradients of one projection, given its columns of `dy` (M, N).
    fn reference<R: Real>(&self, host: &mut Host<R>, x: Option<TensorId>, dy: &[R], dx: Option<&mut [R]>) {
        let (outputs, inputs) = (host.rows(self.part.weight), host.cols(self.part.weight));
        let rows = dy.len() / outputs;
        if let Some(dx) = dx {
            let w = host.get(self.part.weight);
            accumulate(dx, (rows, inputs, outputs), |i, n| dy[i * outputs + n], |k, n| w[n * inputs + k]);
        }
        if let (Some(dweight), Some(x)) = (self.dweight, x) {
            let mut out = host.take(dweight);
            let x = host.get(x);
            accumulate(
                &mut out,
                (outputs, inputs, rows),
                |n, i| dy[i * outputs + n],
                |k, i| x[i * inputs + k],
            );
            host.put(dweight, out);
        }
        if let Some(dbias) = self.dbias {
            let mut out = host.take(dbias);
            dy.chunks(outputs).for_each(|dy| out.iter_mut().zip(dy).for_each(|(sum, &dy)| *sum += dy));
            host.put(dbias, out);
        }
    }

    /// The gradients of its low-rank pair, given its columns of h (M, R); gives dh back.
    fn low_rank_reference<R: Real>(
        &self,
        host: &mut Host<R>,
        (pair, hidden): (&LowRank, &[R]),
        x: Option<TensorId>,
        dy: &[R],
        dx: Option<&mut [R]>,
    ) -> Vec<R> {
        let (rank, inputs, outputs) = (host.rows(pair.a), host.cols(pair.a), host.rows(pair.b));
        let rows = dy.len() / outputs;
        let b = host.get(pair.b);
        let mut dh = vec![R::zero(); rows * rank];
        accumulate(&mut dh, (rows, rank, outputs), |i, n| dy[i * outputs + n], |r, n| b[n * rank + r]);
        dh.iter_mut().for_each(|v| *v = *v * R::from_f64(f64::from(pair.scale)));
        if let Some(dx) = dx {
            let a = host.get(pair.a);
            let mut through = vec![R::zero(); rows * inputs];
            accumulate(&mut through, (rows, inputs, rank), |i, r| dh[i * rank + r], |k, r| a[r * inputs + k]);
            if let Some(spec) = &pair.dropout {
                mask(&mut through, inputs, spec, host.ids(spec.seed)[0]);
            }
            dx.iter_mut().zip(through).for_each(|(dx, value)| *dx += value);
        }
        if let (Some((da, db)), Some(x)) = (self.dlow_rank, x) {
            let x = dropped(host, x, pair.dropout.as_ref());
            let mut out = host.take(da);
            accumulate(&mut out, (rank, inputs, rows), |r, i| dh[i * rank + r], |k, i| x[i * inputs + k]);
            host.put(da, out);
            let mut out = host.take(db);
            accumulate(
                &mut out,
                (outputs, rank, rows),
                |n, i| dy[i * outputs + n],
                |r, i| hidden[i * rank + r],
            );
            host.put(db, out);
        }
        dh
    }
}
