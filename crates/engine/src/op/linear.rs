//! Linear layers: one input, one or more projections side by side, each with
//! an optional low-rank pair.
//!
//! For a projection with weight W (N, K), bias b, low-rank pair A (R, K) and
//! B (N, R), scale s and dropout mask Δ (already divided by the keep rate):
//!
//! ```text
//! h  = s · (x ∘ Δ) Aᵀ                      (M, R), kept for the backward pass,
//!                                          projections side by side
//! y  = x Wᵀ + h Bᵀ + b  (+ add)            (M, N)
//! dh = s · dy B                            (M, R)
//! dx = dy W + (dh A) ∘ Δ                   (M, K), summed over projections
//! dA += dhᵀ (x ∘ Δ)    dB += dyᵀ h    dW += dyᵀ x    db += Σ dy
//! ```
//!
//! Nothing of the size of W is ever made for a frozen weight. Full training,
//! LoRA and their mixtures are settings of this one operation: which weights
//! are trainable, and whether there is a low-rank pair.
//!
//! # Source
//! Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021,
//! arXiv 2106.09685, section 4.1.

mod backward;

use super::{
    Access, Host, Operation, Real, dropout, expect, expect_cols, expect_f32, expect_reals, expect_rows,
    visit_option,
};
use crate::derive::Derive;
use crate::program::{Extent, Program, ShapeError, TensorId};
use std::ops::Range;

/// Drops inputs of the low-rank path, the same ones forward and backward.
#[derive(Debug, Clone, PartialEq)]
pub struct Dropout {
    /// Probability that a number is dropped, in 0..1.
    pub rate: f32,
    /// Distinguishes the layers: each draws its own mask.
    pub stream: u32,
    /// Seed of this run, (1, 1) ids: a new one for every micro-batch.
    pub seed: TensorId,
}

/// A trainable low-rank pair beside a weight.
#[derive(Debug, Clone, PartialEq)]
pub struct LowRank {
    /// A, (R, K), f32.
    pub a: TensorId,
    /// B, (N, R), f32.
    pub b: TensorId,
    /// s: α/R, or α/√R with rsLoRA.
    pub scale: f32,
    /// Dropout on the input of A.
    pub dropout: Option<Dropout>,
}

/// One weight matrix and what stands beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Projection {
    /// W, (N, K).
    pub weight: TensorId,
    /// b, (1, N), f32.
    pub bias: Option<TensorId>,
    /// A and B.
    pub low_rank: Option<LowRank>,
}

/// Projections of one input, side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// Input, (M, K).
    pub x: TensorId,
    /// Projections, in the order of their columns in `y`.
    pub parts: Vec<Projection>,
    /// h of all low-rank pairs side by side, (M, ΣR): present if there is a pair.
    pub hidden: Option<TensorId>,
    /// Added to the result, (M, ΣN): the residual stream.
    pub add: Option<TensorId>,
    /// Result, (M, ΣN).
    pub y: TensorId,
}

/// The gradients one projection needs.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectionBackward {
    /// The projection as it ran forward.
    pub part: Projection,
    /// dA and dB, added to.
    pub dlow_rank: Option<(TensorId, TensorId)>,
    /// dW, added to.
    pub dweight: Option<TensorId>,
    /// db, added to.
    pub dbias: Option<TensorId>,
}

/// The gradient of [`Linear`].
#[derive(Debug, Clone, PartialEq)]
pub struct LinearBackward {
    /// Gradient of the result, (M, ΣN).
    pub dy: TensorId,
    /// Input, (M, K): read when a weight or a low-rank pair is trained.
    pub x: Option<TensorId>,
    /// One for each projection.
    pub parts: Vec<ProjectionBackward>,
    /// h of the forward pass, (M, ΣR).
    pub hidden: Option<TensorId>,
    /// dh of all low-rank pairs side by side, (M, ΣR).
    pub dhidden: Option<TensorId>,
    /// Gradient that reached `x` by other ways, (M, K).
    pub add: Option<TensorId>,
    /// Gradient of the input, (M, K).
    pub dx: Option<TensorId>,
}

impl Projection {
    /// A weight and nothing else.
    pub fn plain(weight: TensorId) -> Self {
        Self { weight, bias: None, low_rank: None }
    }

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.weight);
        visit_option(visitor, Access::Read, &mut self.bias);
        if let Some(pair) = &mut self.low_rank {
            visitor(Access::Read, &mut pair.a);
            visitor(Access::Read, &mut pair.b);
            if let Some(dropout) = &mut pair.dropout {
                visitor(Access::Read, &mut dropout.seed);
            }
        }
    }

    fn check(&self, op: &'static str, program: &Program, inputs: usize) -> Result<(), ShapeError> {
        expect_reals(op, program, self.weight)?;
        expect_cols(op, program, self.weight, inputs)?;
        let outputs = program.rows(self.weight);
        if let Some(bias) = self.bias {
            expect_f32(op, program, bias)?;
            expect_cols(op, program, bias, outputs)?;
        }
        let Some(pair) = &self.low_rank else { return Ok(()) };
        let rank = program.rows(pair.a);
        for tensor in [pair.a, pair.b] {
            expect_f32(op, program, tensor)?;
        }
        expect_cols(op, program, pair.a, inputs)?;
        expect_cols(op, program, pair.b, rank)?;
        expect(op, program, pair.b, "rows", program.rows(pair.b), outputs)
    }

    fn rank(&self, program: &Program) -> usize {
        self.low_rank.as_ref().map_or(0, |pair| program.rows(pair.a))
    }
}

/// Requires a column for every rank of the projections.
fn expect_hidden<'a>(
    op: &'static str,
    program: &Program,
    hidden: Option<TensorId>,
    parts: impl Iterator<Item = &'a Projection>,
) -> Result<(), ShapeError> {
    let ranks = parts.map(|part| part.rank(program)).sum();
    match hidden {
        Some(hidden) => {
            expect_reals(op, program, hidden)?;
            expect_cols(op, program, hidden, ranks)
        }
        None if ranks == 0 => Ok(()),
        None => Err(ShapeError::Mismatch {
            op,
            tensor: "hidden".to_owned(),
            what: "columns",
            found: 0,
            expected: ranks,
        }),
    }
}

/// The columns `cols` of every row of a matrix `stride` wide.
fn columns<R: Real>(values: &[R], stride: usize, cols: Range<usize>) -> Vec<R> {
    values.chunks(stride).flat_map(|row| &row[cols.clone()]).copied().collect()
}

/// Writes `part` as the columns from `at` on.
fn put_columns<R: Real>(values: &mut [R], stride: usize, at: usize, part: &[R], cols: usize) {
    for (row, part) in values.chunks_mut(stride).zip(part.chunks(cols)) {
        row[at..at + cols].copy_from_slice(part);
    }
}

/// The input as the low-rank path sees it: dropped numbers zero, the others scaled up.
fn dropped<R: Real>(host: &Host<R>, x: TensorId, dropout: Option<&Dropout>) -> Vec<R> {
    let mut values = host.get(x).to_vec();
    if let Some(spec) = dropout {
        mask(&mut values, host.cols(x), spec, host.ids(spec.seed)[0]);
    }
    values
}

/// Multiplies every number with its dropout factor.
fn mask<R: Real>(values: &mut [R], cols: usize, spec: &Dropout, seed: u32) {
    for (row, values) in values.chunks_mut(cols).enumerate() {
        for (col, value) in values.iter_mut().enumerate() {
            *value =
                *value * R::from_f64(f64::from(dropout::factor(seed, spec.stream, (row, col), spec.rate)));
        }
    }
}

/// `out[i][j] += Σ_k a(i, k) · b(j, k)` over plain index functions.
fn accumulate<R: Real>(
    out: &mut [R],
    (rows, cols, inner): (usize, usize, usize),
    a: impl Fn(usize, usize) -> R,
    b: impl Fn(usize, usize) -> R,
) {
    for i in 0..rows {
        for j in 0..cols {
            let mut sum = R::zero();
            (0..inner).for_each(|k| sum += a(i, k) * b(j, k));
            out[i * cols + j] += sum;
        }
    }
}

impl Operation for Linear {
    const NAME: &'static str = "linear";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.x);
        self.parts.iter_mut().for_each(|part| part.visit(visitor));
        visit_option(visitor, Access::Write, &mut self.hidden);
        visit_option(visitor, Access::Read, &mut self.add);
        visitor(Access::Write, &mut self.y);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_reals(Self::NAME, program, self.x)?;
        expect_rows(Self::NAME, program, self.y, self.x)?;
        let inputs = program.cols(self.x);
        self.parts.iter().try_for_each(|part| part.check(Self::NAME, program, inputs))?;
        expect_hidden(Self::NAME, program, self.hidden, self.parts.iter())?;
        let outputs = self.parts.iter().map(|part| program.rows(part.weight)).sum();
        expect_cols(Self::NAME, program, self.y, outputs)?;
        self.add.map_or(Ok(()), |add| expect_cols(Self::NAME, program, add, outputs))
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        let rows = extent.rows(program.tensor(self.x).rows);
        let inputs = program.cols(self.x);
        let part = |part: &Projection| {
            let outputs = program.rows(part.weight);
            2 * rows * (inputs * outputs + part.rank(program) * (inputs + outputs))
        };
        self.parts.iter().map(part).sum::<usize>() as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let (rows, inputs, width) = (host.rows(self.x), host.cols(self.x), host.cols(self.y));
        let mut y = self.add.map_or_else(|| vec![R::zero(); rows * width], |add| host.get(add).to_vec());
        let mut all_hidden = self.hidden.map_or_else(Vec::new, |id| vec![R::zero(); rows * host.cols(id)]);
        let ranks = self.hidden.map_or(0, |id| host.cols(id));
        let (mut at, mut rank_at) = (0, 0);
        for part in &self.parts {
            let outputs = host.rows(part.weight);
            let mut out = vec![R::zero(); rows * outputs];
            let x = host.get(self.x);
            let w = host.get(part.weight);
            accumulate(&mut out, (rows, outputs, inputs), |i, k| x[i * inputs + k], |j, k| w[j * inputs + k]);
            if let Some(pair) = &part.low_rank {
                let rank = host.rows(pair.a);
                let x = dropped(host, self.x, pair.dropout.as_ref());
                let (a, b) = (host.get(pair.a), host.get(pair.b));
                let mut hidden = vec![R::zero(); rows * rank];
                accumulate(
                    &mut hidden,
                    (rows, rank, inputs),
                    |i, k| x[i * inputs + k],
                    |j, k| a[j * inputs + k],
                );
                let scale = R::from_f64(f64::from(pair.scale));
                hidden.iter_mut().for_each(|h| *h = *h * scale);
                accumulate(
                    &mut out,
                    (rows, outputs, rank),
                    |i, k| hidden[i * rank + k],
                    |j, k| b[j * rank + k],
                );
                put_columns(&mut all_hidden, ranks, rank_at, &hidden, rank);
                rank_at += rank;
            }
            for (i, out) in out.chunks(outputs).enumerate() {
                for (j, &value) in out.iter().enumerate() {
                    y[i * width + at + j] += value + part.bias.map_or(R::zero(), |bias| host.get(bias)[j]);
                }
            }
            at += outputs;
        }
        self.hidden.into_iter().for_each(|id| host.put(id, std::mem::take(&mut all_hidden)));
        host.put(self.y, y);
    }

    fn derive(&self, derive: &mut Derive<'_>) {
        let Some(dy) = derive.gradient(self.y) else { return };
        if let Some(add) = self.add {
            derive.contribute(add, dy);
        }
        let add = derive.gradient(self.x);
        let dx = derive.replace_gradient(self.x);
        let parts: Vec<_> = self.parts.iter().map(|part| part.derive(derive)).collect();
        let trains =
            |p: &ProjectionBackward| p.dlow_rank.is_some() || p.dweight.is_some() || p.dbias.is_some();
        if dx.is_none() && !parts.iter().any(trains) {
            return;
        }
        let x = parts.iter().any(|p| p.dlow_rank.is_some() || p.dweight.is_some()).then_some(self.x);
        let dhidden = self.hidden.map(|hidden| {
            let tensor = derive.program().tensor(hidden);
            let (rows, ranks, dtype) = (tensor.rows, tensor.cols, tensor.dtype);
            derive.scratch("dhidden", rows, ranks, dtype)
        });
        derive.emit(LinearBackward { dy, x, parts, hidden: self.hidden, dhidden, add, dx });
    }
}

impl Projection {
    fn derive(&self, derive: &mut Derive<'_>) -> ProjectionBackward {
        let dweight = derive.weight_gradient(self.weight);
        let dbias = self.bias.and_then(|bias| derive.weight_gradient(bias));
        let pair = self.low_rank.as_ref();
        let dlow_rank =
            pair.and_then(|pair| derive.weight_gradient(pair.a).zip(derive.weight_gradient(pair.b)));
        ProjectionBackward { part: self.clone(), dlow_rank, dweight, dbias }
    }
}
