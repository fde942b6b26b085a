//! Weights of trained length: DoRA.
//!
//! A weight W (N, K) with a low-rank pair is taken apart into the direction of each of its rows and how
//! long the row is, and both are trained. With `V = W + s B A` and `nⱼ = ‖Vⱼ‖`:
//!
//! ```text
//! y = (x Vᵀ) · m / n + b  (+ add)        m: trained lengths (1, N); n is taken as a constant
//! d(x Vᵀ) = dy · m / n       dm += Σ dy · (x Vᵀ) / n       db += Σ dy
//! ```
//!
//! x Vᵀ is a [`super::Linear`] without bias; [`RowNorm`] finds n, and [`Magnitude`] does the rest.
//! Dropout is on the input of A only, so W sees what it would see without a pair.
//!
//! # Source
//! Liu et al., "DoRA: Weight-Decomposed Low-Rank Adaptation", 2024, arXiv 2402.09353, equation 5, with
//! the norm held constant as in section 4.3.

use super::{
    Access, Host, Operation, Real, expect, expect_cols, expect_f32, expect_reals, expect_rows, visit_option,
};
use crate::derive::Derive;
use crate::program::{Extent, Program, ShapeError, TensorId};

/// The length of every row of a weight with its low-rank pair. It has no derivative.
#[derive(Debug, Clone, PartialEq)]
pub struct RowNorm {
    /// W, (N, K).
    pub weight: TensorId,
    /// ‖Wⱼ‖² of every row, (1, N), f32: frozen weights need not be read for it again.
    pub squares: TensorId,
    /// A, (R, K), f32.
    pub a: TensorId,
    /// B, (N, R), f32.
    pub b: TensorId,
    /// s.
    pub scale: f32,
    /// n, (1, N), f32.
    pub norm: TensorId,
}

/// What is done to the columns of one projection.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// How many columns, N.
    pub outputs: usize,
    /// m, (1, N), f32; without it the columns keep their length.
    pub magnitude: Option<TensorId>,
    /// n, (1, N), f32; without it, m is the factor itself.
    pub norm: Option<TensorId>,
    /// b, (1, N), f32.
    pub bias: Option<TensorId>,
}

/// Stretches columns to their trained length, and adds what a linear adds last.
#[derive(Debug, Clone, PartialEq)]
pub struct Magnitude {
    /// x Vᵀ of every projection side by side, (M, ΣN).
    pub x: TensorId,
    /// Projections in the order of their columns.
    pub parts: Vec<Stretch>,
    /// Added to the result, (M, ΣN): the residual stream.
    pub add: Option<TensorId>,
    /// Result, (M, ΣN).
    pub y: TensorId,
}

/// The gradient of [`Magnitude`].
#[derive(Debug, Clone, PartialEq)]
pub struct MagnitudeBackward {
    /// Gradient of the result, (M, ΣN).
    pub dy: TensorId,
    /// x Vᵀ, (M, ΣN).
    pub x: TensorId,
    /// Projections in the order of their columns.
    pub parts: Vec<Stretch>,
    /// dm and db of each, added to.
    pub gradients: Vec<[Option<TensorId>; 2]>,
    /// Gradient of x Vᵀ, (M, ΣN).
    pub dx: Option<TensorId>,
}

impl Stretch {
    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        [&mut self.magnitude, &mut self.norm, &mut self.bias]
            .into_iter()
            .for_each(|id| visit_option(visitor, Access::Read, id));
    }

    fn check(&self, op: &'static str, program: &Program) -> Result<(), ShapeError> {
        for vector in [self.magnitude, self.norm, self.bias].into_iter().flatten() {
            expect_f32(op, program, vector)?;
            expect_cols(op, program, vector, self.outputs)?;
        }
        Ok(())
    }

    /// m / n of a column.
    fn factor<R: Real>(&self, host: &Host<R>, col: usize) -> R {
        let of = |id: Option<TensorId>| id.map_or(R::one(), |id| host.get(id)[col]);
        of(self.magnitude) / of(self.norm)
    }
}

/// The projection of every column, and its column there.
fn places(parts: &[Stretch]) -> Vec<(usize, usize)> {
    parts.iter().enumerate().flat_map(|(part, p)| (0..p.outputs).map(move |col| (part, col))).collect()
}

impl Operation for RowNorm {
    const NAME: &'static str = "row_norm";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        for id in [&mut self.weight, &mut self.squares, &mut self.a, &mut self.b] {
            visitor(Access::Read, id);
        }
        visitor(Access::Write, &mut self.norm);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_reals(Self::NAME, program, self.weight)?;
        for tensor in [self.squares, self.a, self.b, self.norm] {
            expect_f32(Self::NAME, program, tensor)?;
        }
        let (n, rank) = (program.rows(self.weight), program.rows(self.a));
        expect_cols(Self::NAME, program, self.a, program.cols(self.weight))?;
        expect_cols(Self::NAME, program, self.b, rank)?;
        expect(Self::NAME, program, self.b, "rows", program.rows(self.b), n)?;
        [self.squares, self.norm].into_iter().try_for_each(|id| expect_cols(Self::NAME, program, id, n))
    }

    fn flops(&self, program: &Program, _extent: Extent) -> u64 {
        let (n, k, rank) = (program.rows(self.weight), program.cols(self.weight), program.rows(self.a));
        (2 * rank * n * k + 2 * rank * rank * (n + k)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let (k, rank) = (host.cols(self.weight), host.rows(self.a));
        let scale = R::from_f64(f64::from(self.scale));
        let (a, b) = (host.get(self.a), host.get(self.b));
        let length = |row: usize| {
            let mut sum = R::zero();
            for (col, &w) in host.row(self.weight, row).iter().enumerate() {
                let mut v = w;
                (0..rank).for_each(|r| v += scale * b[row * rank + r] * a[r * k + col]);
                sum += v * v;
            }
            sum.sqrt()
        };
        let norm = (0..host.rows(self.weight)).map(length).collect();
        host.put(self.norm, norm);
    }
}

impl Operation for Magnitude {
    const NAME: &'static str = "magnitude";
    const CHEAP: bool = true;

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.x);
        self.parts.iter_mut().for_each(|part| part.visit(visitor));
        visit_option(visitor, Access::Read, &mut self.add);
        visitor(Access::Write, &mut self.y);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_reals(Self::NAME, program, self.x)?;
        let outputs = self.parts.iter().map(|part| part.outputs).sum();
        for tensor in [Some(self.x), self.add, Some(self.y)].into_iter().flatten() {
            expect_rows(Self::NAME, program, tensor, self.x)?;
            expect_cols(Self::NAME, program, tensor, outputs)?;
        }
        self.parts.iter().try_for_each(|part| part.check(Self::NAME, program))
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        3 * (extent.rows(program.tensor(self.x).rows) * program.cols(self.x)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let mut y = host.get(self.x).to_vec();
        let places = places(&self.parts);
        for (row, y) in y.chunks_mut(places.len().max(1)).enumerate() {
            for (at, (y, &(part, col))) in y.iter_mut().zip(&places).enumerate() {
                let part = &self.parts[part];
                let bias = part.bias.map_or(R::zero(), |id| host.get(id)[col]);
                let add = self.add.map_or(R::zero(), |id| host.row(id, row)[at]);
                *y = *y * part.factor(host, col) + bias + add;
            }
        }
        host.put(self.y, y);
    }

    fn derive(&self, derive: &mut Derive<'_>) {
        let Some(dy) = derive.gradient(self.y) else { return };
        if let Some(add) = self.add {
            derive.contribute(add, dy);
        }
        let dx = derive.fresh_gradient(self.x);
        let wanted = |id: Option<TensorId>| id.and_then(|id| derive.weight_gradient(id));
        let gradients: Vec<_> =
            self.parts.iter().map(|part| [wanted(part.magnitude), wanted(part.bias)]).collect();
        if dx.is_none() && gradients.iter().flatten().all(Option::is_none) {
            return;
        }
        derive.emit(MagnitudeBackward { dy, x: self.x, parts: self.parts.clone(), gradients, dx });
        if let Some(dx) = dx {
            derive.contribute(self.x, dx);
        }
    }
}

impl Operation for MagnitudeBackward {
    const NAME: &'static str = "magnitude_backward";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.dy);
        visitor(Access::Read, &mut self.x);
        self.parts.iter_mut().for_each(|part| part.visit(visitor));
        self.gradients.iter_mut().flatten().for_each(|id| visit_option(visitor, Access::Update, id));
        visit_option(visitor, Access::Write, &mut self.dx);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        let outputs = self.parts.iter().map(|part| part.outputs).sum();
        for tensor in [Some(self.dy), Some(self.x), self.dx].into_iter().flatten() {
            expect_rows(Self::NAME, program, tensor, self.x)?;
            expect_cols(Self::NAME, program, tensor, outputs)?;
        }
        let gradients = self.gradients.iter().flatten().flatten();
        gradients.copied().try_for_each(|id| expect_f32(Self::NAME, program, id))?;
        self.parts.iter().try_for_each(|part| part.check(Self::NAME, program))
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        5 * (extent.rows(program.tensor(self.x).rows) * program.cols(self.x)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let places = places(&self.parts);
        let mut dx = host.get(self.dy).to_vec();
        for dx in dx.chunks_mut(places.len().max(1)) {
            dx.iter_mut().zip(&places).for_each(|(dx, &(part, col))| {
                *dx = *dx * self.parts[part].factor(host, col);
            });
        }
        let mut first = 0;
        for (part, [dmagnitude, dbias]) in self.parts.iter().zip(&self.gradients) {
            for (id, of_magnitude) in [(*dmagnitude, true), (*dbias, false)] {
                let Some(id) = id else { continue };
                let mut sums = host.take(id);
                for row in 0..host.rows(self.x) {
                    for (col, sum) in sums.iter_mut().enumerate() {
                        let dy = host.row(self.dy, row)[first + col];
                        let norm = part.norm.map_or(R::one(), |id| host.get(id)[col]);
                        let x = host.row(self.x, row)[first + col];
                        *sum += if of_magnitude { dy * x / norm } else { dy };
                    }
                }
                host.put(id, sums);
            }
            first += part.outputs;
        }
        self.dx.into_iter().for_each(|id| host.put(id, std::mem::take(&mut dx)));
    }

    fn in_place(&self) -> Option<(TensorId, TensorId)> {
        Some((self.dy, self.dx?))
    }
}
