//! Causal attention over packed documents, grouped query heads, never T × T memory.
//!
//! [`attention`] and [`attention_backward`] are for training and for reading a
//! prompt; one token against a cache is in `cached.rs`.
//!
//! Products run on pairs of bf16 where everything read is bf16 and the processor
//! has the dot product, otherwise on f32. Sums are f32 in either case.
//!
//! # Source
//! Dao, *FlashAttention-2: Faster Attention with Better Parallelism and Work
//! Partitioning*, 2023, arXiv:2307.08691, algorithms 1 and 2. Scores lie
//! transposed here, and a backward task owns keys *and* a partial dq, so that
//! each score is computed once.

mod backward;
mod block;
mod few;
mod forward;
mod pack;
mod passing;
mod sizes;
mod spare;
mod tile;
mod unit;

use super::isa::Isa;
use super::math::dot;
use super::pool::Pool;
use super::row::{read, rows_per_task, write};
use super::simd::kernel;
use super::view::{Elem, Mat, MatMut};
use backward::Backward;
use block::Block;
pub(super) use block::Problem;
use few::Few;
pub(super) use few::{PIECE, are_few};
use forward::Forward;
pub(super) use forward::Total;
use passing::Saved;
pub(super) use sizes::Sizes;
use spare::Spare;
use std::ops::Range;
use unit::{Unit, units};

/// Queries, keys and values of packed documents.
#[derive(Debug, Clone, Copy)]
pub struct Attention<'a> {
    /// Queries, (M, H · E).
    pub q: Mat<'a>,
    /// Keys, (M, K · E).
    pub k: Mat<'a>,
    /// Values, (M, K · E).
    pub v: Mat<'a>,
    /// The first row each row sees: that of its document, or later in a sliding
    /// window. Never decreasing, never above the row itself. (M)
    pub starts: &'a [u32],
    /// Rows at the beginning, documents of their own, that every row behind them sees too.
    pub shared: usize,
    /// The most rows that a row sees of its document, the shared ones counted as its beginning.
    pub window: Option<usize>,
    /// What competes with the keys of each query head, (H).
    pub sinks: Option<&'a [f32]>,
    /// Number of query heads, H.
    pub heads: usize,
    /// Multiplies the scores: 1 / √E as a rule. Positive.
    pub scale: f32,
}

impl Attention<'_> {
    /// What each row sees.
    ///
    /// # Panics
    /// If a start lies after its row or before that of the row above.
    fn sights(&self) -> Sights {
        assert_eq!(self.k.rows, self.q.rows, "as many keys as queries");
        assert!(self.starts.is_sorted(), "starts of rows decrease");
        let window = self.window.map_or(u32::MAX, |window| u32::try_from(window).unwrap_or(u32::MAX));
        let shared = self.shared as u32;
        let sight = |(row, start): (usize, &u32)| {
            assert!(*start as usize <= row, "row {row} starts at {start}, after itself");
            let shared = if *start < shared { 0 } else { shared };
            // Of the document as it would be alone: where the window begins.
            let begin = (shared + row as u32 - start + 1).saturating_sub(window);
            ((start + begin.saturating_sub(shared), row as u32 + 1), begin.min(shared))
        };
        let (spans, shared_from) = self.starts.iter().enumerate().map(sight).unzip();
        Sights { spans, shared_from }
    }

    fn problem<'s>(&'s self, sights: &'s Sights) -> Problem<'s> {
        let problem = Problem::new((self.q, self.k, self.v), &sights.spans, self.heads, self.scale);
        let shared_from = self.window.map(|_| sights.shared_from.as_slice());
        problem.with_shared(self.shared, shared_from).with_sinks(self.sinks)
    }
}

/// What the rows of packed documents see.
struct Sights {
    /// Of their own rows.
    spans: Vec<(u32, u32)>,
    /// Of those that are shared, the first.
    shared_from: Vec<u32>,
}

/// `out = softmax(scale · q kᵀ) v`, and the logarithm of each softmax's sum.
///
/// # Shapes
/// `out` (M, H · E); `lse` (M, H) f32, in nats.
///
/// # Panics
/// If the shapes do not fit.
pub fn attention(pool: &Pool, isa: Isa, input: &Attention<'_>, out: MatMut<'_>, lse: MatMut<'_>) {
    let sights = input.sights();
    let problem = input.problem(&sights);
    assert_eq!((lse.rows, lse.cols), (input.q.rows, input.heads), "a log-sum for every query head");
    run_forward(pool, isa, &problem, out, Some(lse));
}

/// Attention forward of any queries, each over its own span of the keys.
pub(super) fn run_forward(
    pool: &Pool,
    isa: Isa,
    problem: &Problem<'_>,
    out: MatMut<'_>,
    lse: Option<MatMut<'_>>,
) {
    assert_eq!(
        (out.rows, out.cols),
        (problem.q.rows, problem.q.cols),
        "the output has the shape of the queries"
    );
    let pairs = all_bf16(&[problem.q, problem.k, problem.v]);
    let (rows, chunk) = (problem.q.rows, problem.block_queries());
    let n_blocks = rows.div_ceil(chunk);
    let spare = &Spare::new();
    pool.run(n_blocks * problem.kv_heads, |task| {
        // Later queries see more keys: they come first, so that the last task to end is a short one.
        let start = (n_blocks - 1 - task / problem.kv_heads) * chunk;
        let block =
            Block { problem, kv_head: task % problem.kv_heads, queries: start..(start + chunk).min(rows) };
        tile::dispatch(isa, pairs, Forward { block, out, lse, spare });
    });
}

/// Some keys for some queries and the query heads of one key-value head.
pub(super) struct Piece<'a> {
    pub(super) queries: Range<usize>,
    pub(super) kv_head: usize,
    /// At most [`PIECE`] rows.
    pub(super) keys: Range<usize>,
    /// For every (query, head): E numbers of output, then maximum (times log2 e) and sum.
    pub(super) part: MatMut<'a>,
}

/// Multiplications that are worth handing to another thread: some microseconds of them.
const TASK_PRODUCTS: usize = 128 * 1024;

/// Softmax over each piece, relative to its own maximum.
pub(super) fn run_pieces(pool: &Pool, isa: Isa, problem: &Problem<'_>, pieces: &[Piece<'_>]) {
    let pairs = all_bf16(&[problem.q, problem.k, problem.v]);
    let products = |piece: &Piece<'_>| piece.keys.len() * piece.part.rows * problem.width * 2;
    let most = pieces.iter().map(products).max().unwrap_or(0).max(1);
    pool.for_chunks(pieces.len(), TASK_PRODUCTS / most, |chunk| {
        for Piece { queries, kv_head, keys, part } in &pieces[chunk] {
            let block = Block { problem, kv_head: *kv_head, queries: queries.clone() };
            tile::dispatch(isa, pairs, Few { block, keys: keys.clone(), part: *part });
        }
    });
}

/// What the derivative of [`attention`] is computed from, beside its inputs.
#[derive(Debug, Clone, Copy)]
pub struct AttentionSaved<'a> {
    /// Its output, (M, H · E).
    pub out: Mat<'a>,
    /// Its log-sums, (M, H) f32.
    pub lse: Mat<'a>,
    /// Gradient of the output, (M, H · E).
    pub dout: Mat<'a>,
}

/// Where [`attention_backward`] leaves the gradients; each has the shape of its input.
#[derive(Debug, Clone, Copy)]
pub struct AttentionGrad<'a> {
    /// Gradient of the queries.
    pub dq: MatMut<'a>,
    /// Gradient of the keys.
    pub dk: MatMut<'a>,
    /// Gradient of the values.
    pub dv: MatMut<'a>,
}

/// Adds to the gradient of each sink: `−Σ exp(sink − lse) δ`, rows in order, with `δ = Σ dout · out`.
fn add_sink_gradients(sinks: &[f32], lse: Mat<'_>, delta: Mat<'_>, dsinks: &mut [f32]) {
    assert_eq!(dsinks.len(), sinks.len(), "a gradient for every sink");
    for row in 0..lse.rows {
        let heads = sinks.iter().zip(lse.row_f32(row)).zip(delta.row_f32(row));
        for (dsink, ((sink, lse), delta)) in dsinks.iter_mut().zip(heads) {
            *dsink -= (sink - lse).exp() * delta;
        }
    }
}

/// The gradients of queries, keys and values, and what is added to those of the sinks.
///
/// # Panics
/// If the shapes do not fit.
pub fn attention_backward(
    pool: &Pool,
    isa: Isa,
    input: &Attention<'_>,
    saved: &AttentionSaved<'_>,
    grad: &AttentionGrad<'_>,
    dsinks: Option<&mut [f32]>,
) {
    let sights = input.sights();
    let problem = &input.problem(&sights);
    let (rows, wide, narrow) = (input.q.rows, input.q.cols, input.k.cols);
    for (name, shape, expected) in [
        ("out", (saved.out.rows, saved.out.cols), (rows, wide)),
        ("lse", (saved.lse.rows, saved.lse.cols), (rows, input.heads)),
        ("dout", (saved.dout.rows, saved.dout.cols), (rows, wide)),
        ("dq", (grad.dq.rows, grad.dq.cols), (rows, wide)),
        ("dk", (grad.dk.rows, grad.dk.cols), (rows, narrow)),
        ("dv", (grad.dv.rows, grad.dv.cols), (rows, narrow)),
    ] {
        assert_eq!(shape, expected, "the shape of {name}");
    }
    let mut delta = vec![0.0; rows * input.heads];
    let delta_view = MatMut::f32(&mut delta, rows, input.heads);
    pool.for_chunks(rows, rows_per_task(wide), |rows| dot_rows(isa, rows, saved.out, saved.dout, delta_view));
    let delta = Mat::f32(&delta, rows, input.heads);
    if let (Some(sinks), Some(dsinks)) = (input.sinks, dsinks) {
        add_sink_gradients(sinks, saved.lse, delta, dsinks);
    }
    let passed = Saved { dout: saved.dout, lse: saved.lse, delta };

    let units = units(input.starts, input.shared);
    let n_partial =
        units.iter().filter_map(|unit| Some(unit.partial? + unit.queries.len())).max().unwrap_or(0);
    let mut partial = vec![0.0; n_partial * wide];
    let partial = MatMut::f32(&mut partial, n_partial, wide);
    let pairs = all_bf16(&[input.q, input.k, input.v, saved.dout]);
    let spare = &Spare::new();
    pool.run(units.len() * problem.kv_heads, |task| {
        let unit = &units[task / problem.kv_heads];
        let n_queries = unit.queries.len();
        let dq = match unit.partial {
            Some(at) => partial.rows(at, n_queries),
            None => grad.dq.rows(unit.queries.start, n_queries),
        };
        let kv_head = task % problem.kv_heads;
        let (dk, dv) = (grad.dk, grad.dv);
        tile::dispatch(isa, pairs, Backward { problem, kv_head, unit, saved: passed, dq, dk, dv, spare });
    });
    // SAFETY: the tasks that wrote it are done.
    add_partials(pool, isa, &units, unsafe { partial.as_mat() }, grad.dq);
}

/// dq of the queries that several units share: their partial sums, added in order of the keys.
fn add_partials(pool: &Pool, isa: Isa, units: &[Unit], partial: Mat<'_>, dq: MatMut<'_>) {
    let shared: Vec<&Unit> = units.iter().filter(|unit| unit.partial.is_some()).collect();
    // The rows of a unit's own keys, as queries, see it and units before it.
    pool.run(shared.len(), |idx| {
        let last = shared[idx];
        let of_document = shared[..=idx].iter().filter(|unit| unit.queries.contains(&last.keys.start));
        let parts: Vec<(usize, usize)> =
            of_document.filter_map(|unit| Some((unit.partial?, unit.queries.start))).collect();
        sum_rows(isa, last.keys.clone(), &parts, partial, dq);
    });
}

kernel! {
    /// Σ out · dout of every head.
    fn dot_rows<S>(rows: Range<usize>, out: Mat<'_>, dout: Mat<'_>, delta: MatMut<'_>) {
        let width = out.cols / delta.cols;
        let (mut a, mut b) = (vec![0.0; out.cols], vec![0.0; out.cols]);
        for row in rows {
            read(out, row, 0, &mut a);
            read(dout, row, 0, &mut b);
            for (head, (a, b)) in a.chunks_exact(width).zip(b.chunks_exact(width)).enumerate() {
                // SAFETY: this task owns the row.
                unsafe { write(delta, row, head, &[dot::<S>(a, b)]) };
            }
        }
    }
}

kernel! {
    /// `dq[row] = Σ partial[at + row − start]` over the parts `(at, start)`.
    fn sum_rows<S>(rows: Range<usize>, parts: &[(usize, usize)], partial: Mat<'_>, dq: MatMut<'_>) {
        let mut sum = vec![0.0; dq.cols];
        for row in rows {
            sum.fill(0.0);
            for (at, start) in parts {
                let part = partial.row_f32(at + row - start);
                sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
            }
            // SAFETY: this task owns the row.
            unsafe { write(dq, row, 0, &sum) };
        }
    }
}

fn all_bf16(mats: &[Mat<'_>]) -> bool {
    mats.iter().all(|mat| mat.elem == Elem::Bf16)
}

#[cfg(test)]
mod tests;
