//! Low-rank pairs beside the weights of a linear layer.
//!
//! The pairs of projections that read one input lie side by side in h and dh,
//! so that one product of all ranks serves them where each alone would be too
//! thin for a tile:
//!
//! ```text
//!            ΣR                            M                             K
//!        ┌───────┐   [A₁]             ┌─────────┐   ┌───┐ M      ┌─────────────┐
//! h  =   │ M     │ = x ·[A₂]ᵀ    dA = │ dhᵀ  ΣR │ · │ x │   =    │ dA₁         │ ΣR
//!        └───────┘   [A₃]             └─────────┘   └───┘        │ dA₂ ...     │
//!                                                                └─────────────┘
//! ```
//!
//! What B and dy do is particular to a projection: dh = s · dy B and
//! dB = dyᵀ h are products of their own.

use super::super::device::Cpu;
use super::super::gemm::{Epilogue, Operand, Product, Segment};
use super::super::view::{Mat, MatMut};
use super::super::{elementwise, random};
use crate::backend::Bound;
use crate::op;
use crate::program::TensorId;
use std::ops::Range;

/// Columns of a thin product that are turned over in one task.
const TURNED: usize = 128;

/// The low-rank pair of a projection and its columns of h and dh.
pub(super) struct Pair<'a> {
    pub(super) spec: &'a op::LowRank,
    /// Number of the projection.
    part: usize,
    ranks: Range<usize>,
}

impl Pair<'_> {
    /// Its columns of h or dh.
    pub(super) fn columns<'m>(&self, hidden: Mat<'m>) -> Mat<'m> {
        hidden.columns(self.ranks.start, self.ranks.len())
    }
}

/// The pair of every projection, where it has one.
pub(super) fn pairs<'a>(
    bound: &Bound<'_>,
    parts: impl IntoIterator<Item = &'a op::Projection>,
) -> Vec<Option<Pair<'a>>> {
    let mut at = 0;
    let mut pair = |(part, projection): (usize, &'a op::Projection)| {
        let spec = projection.low_rank.as_ref()?;
        let ranks = at..at + bound.program.rows(spec.a);
        at = ranks.end;
        Some(Pair { spec, part, ranks })
    };
    parts.into_iter().enumerate().map(&mut pair).collect()
}

/// Cuts pairs into groups that one product serves: of one scale, and without dropout,
/// which gives every pair an input of its own.
fn groups<'p, 'a>(pairs: &'p [Option<Pair<'a>>]) -> Vec<Vec<&'p Pair<'a>>> {
    let mut groups: Vec<Vec<&Pair<'_>>> = Vec::new();
    let fits = |last: &Pair<'_>, next: &Pair<'_>| {
        last.spec.dropout.is_none() && next.spec.dropout.is_none() && last.spec.scale == next.spec.scale
    };
    for pair in pairs.iter().flatten() {
        match groups.last_mut() {
            Some(group) if fits(group[0], pair) => group.push(pair),
            _ => groups.push(vec![pair]),
        }
    }
    groups
}

/// The columns of h that belong to a group.
fn ranks(group: &[&Pair<'_>]) -> Range<usize> {
    let end = group.last().map_or(group[0].ranks.end, |pair| pair.ranks.end);
    group[0].ranks.start..end
}

impl Cpu {
    /// h = s · drop(x) Aᵀ.
    pub(super) fn hidden(&self, bound: &Bound<'_>, x: Mat<'_>, pairs: &[Option<Pair<'_>>], h: MatMut<'_>) {
        for group in groups(pairs) {
            let (mut room, mut stack) = (Vec::new(), Vec::new());
            let x = self.dropped(bound, x, group[0].spec, &mut room);
            let epilogue = Epilogue { scale: group[0].spec.scale, ..Epilogue::default() };
            // Pairs that are only used are packed, and read where they are.
            let parts: Vec<([Segment<'_>; 1], Range<usize>)> = if self.is_packed(bound, group[0].spec.a) {
                let part = |pair: &&Pair<'_>| {
                    ([Segment { a: x, b: self.forward_operand(bound, pair.spec.a) }], pair.ranks.clone())
                };
                group.iter().map(part).collect()
            } else {
                let b = Operand::Rows(self.stacked(bound, &group, &mut stack));
                vec![([Segment { a: x, b }], ranks(&group))]
            };
            let mut products = Vec::with_capacity(parts.len());
            for (segments, ranks) in &parts {
                products.push(Product { segments, epilogue, c: h.columns(ranks.start, ranks.len()) });
            }
            self.products(bound, &products);
        }
    }

    /// The matrices A of a group below each other; `room` holds them if they are several.
    fn stacked<'a>(&'a self, bound: &Bound<'_>, group: &[&Pair<'_>], room: &'a mut Vec<f32>) -> Mat<'a> {
        if let [pair] = group {
            return self.mat(bound, pair.spec.a);
        }
        for pair in group {
            room.extend_from_slice(self.floats(bound, pair.spec.a));
        }
        Mat::f32(room, ranks(group).len(), bound.program.cols(group[0].spec.a))
    }

    /// dh = s · dy B.
    pub(super) fn hidden_gradient(
        &self,
        bound: &Bound<'_>,
        columns: &[Mat<'_>],
        pairs: &[Option<Pair<'_>>],
        dhidden: MatMut<'_>,
    ) {
        for (pair, dy) in pairs.iter().zip(columns) {
            let Some(Pair { spec, ranks, .. }) = pair else { continue };
            let segment = Segment { a: *dy, b: Operand::Columns(self.mat(bound, spec.b)) };
            let epilogue = Epilogue { scale: spec.scale, ..Epilogue::default() };
            self.product(bound, &[segment], &epilogue, dhidden.columns(ranks.start, ranks.len()));
        }
    }

    /// dA and dB of every pair that is trained, added to what earlier micro-batches left.
    pub(super) fn low_rank_gradients(
        &self,
        bound: &Bound<'_>,
        op: &op::LinearBackward,
        columns: &[Mat<'_>],
        pairs: &[Option<Pair<'_>>],
    ) {
        let (Some(x), Some(hidden), Some(dhidden)) = (op.x, op.hidden, op.dhidden) else { return };
        let gradients = |pair: &Pair<'_>| op.parts[pair.part].dlow_rank;
        let dh = self.transposed(self.mat(bound, dhidden));
        for group in groups(pairs) {
            let (mut room, ranks) = (Vec::new(), ranks(&group));
            let x = self.dropped(bound, self.mat(bound, x), group[0].spec, &mut room);
            let segment = Segment { a: dh.mat().rows(ranks.start, ranks.len()), b: Operand::Columns(x) };
            let targets: Vec<_> = group.iter().map(|pair| Some(gradients(pair)?.0)).collect();
            self.add_stacked(bound, segment, &group, &targets);
        }
        let h = self.transposed(self.mat(bound, hidden));
        for (pair, dy) in pairs.iter().zip(columns) {
            let Some((pair, (_, db))) = pair.as_ref().and_then(|pair| Some((pair, gradients(pair)?))) else {
                continue;
            };
            let a = h.mat().rows(pair.ranks.start, pair.ranks.len());
            self.add_transposed(bound, Segment { a, b: Operand::Columns(*dy) }, db);
        }
    }

    /// Adds the rows of a product to the gradients of a group's matrices A.
    fn add_stacked(
        &self,
        bound: &Bound<'_>,
        segment: Segment<'_>,
        group: &[&Pair<'_>],
        targets: &[Option<TensorId>],
    ) {
        if let [Some(target)] = targets {
            return self.add_product(bound, segment, *target);
        }
        if targets.iter().all(Option::is_none) {
            return;
        }
        let (rows, cols) = (segment.a.rows, segment.b.n());
        let mut sums = vec![0.0; rows * cols];
        self.product(bound, &[segment], &Epilogue::default(), MatMut::f32(&mut sums, rows, cols));
        let sums = Mat::f32(&sums, rows, cols);
        for (pair, target) in group.iter().zip(targets) {
            let Some(target) = *target else { continue };
            let own = sums.rows(pair.ranks.start - group[0].ranks.start, pair.ranks.len());
            elementwise::add(&self.pool, self.isa, self.mat(bound, target), own, self.mat_mut(bound, target));
        }
    }

    /// Adds the transpose of a thin product: dB is tall, and the product of a wide matrix is faster.
    fn add_transposed(&self, bound: &Bound<'_>, segment: Segment<'_>, to: TensorId) {
        let (rows, cols) = (segment.a.rows, segment.b.n());
        let mut thin = vec![0.0; rows * cols];
        self.product(bound, &[segment], &Epilogue::default(), MatMut::f32(&mut thin, rows, cols));
        let (thin, to) = (Mat::f32(&thin, rows, cols), self.mat_mut(bound, to));
        self.pool.for_chunks(cols, TURNED, |chunk| {
            for row in 0..rows {
                for (n, value) in chunk.clone().zip(&thin.row_f32(row)[chunk.clone()]) {
                    // SAFETY: rows `chunk` of the gradient exist and are this task's own.
                    unsafe { *to.row_ptr(n).cast::<f32>().add(row) += value };
                }
            }
        });
    }

    /// `x` as the low-rank path sees it; `room` holds it if dropout changes it.
    fn dropped<'a>(
        &'a self,
        bound: &Bound<'_>,
        x: Mat<'a>,
        pair: &op::LowRank,
        room: &'a mut Vec<f32>,
    ) -> Mat<'a> {
        let Some(spec) = &pair.dropout else { return x };
        room.resize(x.rows * x.cols, 0.0);
        random::dropout(&self.pool, self.isa, self.mask(bound, spec), x, MatMut::f32(room, x.rows, x.cols));
        Mat::f32(room, x.rows, x.cols)
    }

    fn mask(&self, bound: &Bound<'_>, spec: &op::Dropout) -> random::Dropout {
        let seed = self.ids(bound, spec.seed)[0].into();
        random::Dropout { seed, stream: spec.stream.into(), rate: spec.rate }
    }

    /// Adds (dh A) ∘ Δ where dropout keeps it out of the common sum.
    pub(super) fn add_dropped_gradient(
        &self,
        bound: &Bound<'_>,
        pair: &op::LowRank,
        segment: Segment<'_>,
        dx: MatMut<'_>,
    ) {
        let Some(spec) = &pair.dropout else { return };
        let mut through = vec![0.0; dx.rows * dx.cols];
        let room = MatMut::f32(&mut through, dx.rows, dx.cols);
        self.product(bound, &[segment], &Epilogue::default(), room);
        // SAFETY: both kernels read a number before they write it, in the same task.
        let (masked, sum) = unsafe { (room.as_mat(), dx.as_mat()) };
        random::dropout(&self.pool, self.isa, self.mask(bound, spec), masked, room);
        elementwise::add(&self.pool, self.isa, sum, masked, dx);
    }
}
