//! Causal attention over documents packed side by side.
//!
//! For query row i of head h, with `a = starts[i]` the first row of its
//! document, P the rows of a prefix that all documents share, and κ the kv head
//! that serves h:
//!
//! ```text
//! s_ij = scale · q_i · k_j            j in 0..P and in a..=i
//! p_ij = exp(s_ij − lse_i)            lse_i = ln Σ_j exp(s_ij)
//! o_i  = Σ_j p_ij v_j
//! ```
//!
//! In a sliding window of W rows, row i of its document sees of those only the
//! last W, itself among them; the shared prefix counts as the document's
//! beginning. A head with a sink s has exp(s) in its sum: what goes there
//! goes nowhere.
//!
//! Backwards, with `δ_i = do_i · o_i` and `ds_ij = p_ij (do_i · v_j − δ_i)`:
//! `dv_j = Σ p_ij do_i`, `dq_i = scale Σ ds_ij k_j`, `dk_j = scale Σ ds_ij q_i`,
//! sums over the query heads that share a kv head, and of a sink
//! `ds = −Σ_i exp(s − lse_i) δ_i`. Only `lse` is saved, so
//! memory is linear in the number of rows.
//!
//! # Source
//! Dao et al., "FlashAttention", 2022, arXiv 2205.14135, appendix B; grouped
//! heads after Ainslie et al., "GQA", 2023, arXiv 2305.13245; windows after
//! Beltagy et al., "Longformer", 2020, arXiv 2004.05150; sinks as gpt-oss has
//! them, after Xiao et al., "Efficient Streaming Language Models with Attention
//! Sinks", 2023, arXiv 2309.17453.

mod backward;
mod cached;

pub use backward::AttentionBackward;
pub use cached::CachedAttention;

use super::{
    Access, Host, Operation, Real, expect, expect_cols, expect_f32, expect_ids, expect_reals, expect_rows,
    visit_option,
};
use crate::derive::Derive;
use crate::program::{Extent, Program, ShapeError, TensorId};

/// How the columns of `qkv` divide into heads: queries, then keys, then values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Query heads, H.
    pub query: usize,
    /// Key and value heads, K; divides H.
    pub kv: usize,
    /// Columns of one head, E.
    pub width: usize,
}

impl Heads {
    /// Columns of queries, H·E.
    pub fn query_cols(self) -> usize {
        self.query * self.width
    }

    /// Columns of keys, and of values, K·E.
    pub fn kv_cols(self) -> usize {
        self.kv * self.width
    }

    /// Columns of all three.
    pub fn total_cols(self) -> usize {
        self.query_cols() + 2 * self.kv_cols()
    }

    /// Where query, key and value of query head `head` begin in a row.
    fn columns(self, head: usize) -> (usize, usize, usize) {
        let kv = head / (self.query / self.kv) * self.width;
        (head * self.width, self.query_cols() + kv, self.query_cols() + self.kv_cols() + kv)
    }
}

/// Attention inside each document of a packed batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Attention {
    /// Queries, keys and values side by side, (M, (H + 2K)·E).
    pub qkv: TensorId,
    /// For each row the first row of its document, (M, 1).
    pub starts: TensorId,
    /// P, (1, 1): that many rows, a document of their own, are the beginning of every other one.
    pub shared: Option<TensorId>,
    /// How the columns divide.
    pub heads: Heads,
    /// Multiplies the products of queries and keys.
    pub scale: f32,
    /// W, at least 1: the most rows that a row sees, itself among them.
    pub window: Option<usize>,
    /// What competes with the rows for attention, (1, H), f32.
    pub sinks: Option<TensorId>,
    /// Result, (M, H·E).
    pub out: TensorId,
    /// ln Σ exp of each row and head, (M, H), f32: all that the backward pass needs.
    pub lse: TensorId,
}

fn check_heads(
    op: &'static str,
    program: &Program,
    qkv: TensorId,
    out: TensorId,
    heads: Heads,
) -> Result<(), ShapeError> {
    expect_reals(op, program, qkv)?;
    expect_rows(op, program, out, qkv)?;
    expect_cols(op, program, qkv, heads.total_cols())?;
    expect_cols(op, program, out, heads.query_cols())?;
    expect(op, program, qkv, "query heads beyond a multiple of kv heads", heads.query % heads.kv.max(1), 0)
}

/// Requires a window that has room for a row, and a sink for every query head.
fn check_reach(
    op: &'static str,
    program: &Program,
    heads: Heads,
    (window, sinks): (Option<usize>, Option<TensorId>),
) -> Result<(), ShapeError> {
    if let Some(sinks) = sinks {
        expect_f32(op, program, sinks)?;
        expect(op, program, sinks, "rows", program.rows(sinks), 1)?;
        expect_cols(op, program, sinks, heads.query)?;
    }
    match window {
        Some(0) => {
            Err(ShapeError::Mismatch { op, tensor: "window".to_owned(), what: "rows", found: 0, expected: 1 })
        }
        _ => Ok(()),
    }
}

fn dot<R: Real>(a: &[R], b: &[R]) -> R {
    let mut sum = R::zero();
    a.iter().zip(b).for_each(|(&a, &b)| sum += a * b);
    sum
}

/// Turns scores into probabilities in place, beside a sink if there is one, and returns ln Σ exp.
fn softmax<R: Real>(scores: &mut [R], sink: Option<R>) -> R {
    let max = scores.iter().chain(&sink).fold(scores[0], |m, &s| if s > m { s } else { m });
    let mut sum = R::zero();
    scores.iter().chain(&sink).for_each(|&s| sum += (s - max).exp());
    let lse = max + sum.ln();
    scores.iter_mut().for_each(|s| *s = (*s - lse).exp());
    lse
}

impl Operation for Attention {
    const NAME: &'static str = "attention";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.qkv);
        visitor(Access::Read, &mut self.starts);
        visit_option(visitor, Access::Read, &mut self.shared);
        visit_option(visitor, Access::Read, &mut self.sinks);
        visitor(Access::Write, &mut self.out);
        visitor(Access::Write, &mut self.lse);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        check_heads(Self::NAME, program, self.qkv, self.out, self.heads)?;
        expect_ids(Self::NAME, program, self.starts)?;
        self.shared.map_or(Ok(()), |shared| expect_ids(Self::NAME, program, shared))?;
        check_reach(Self::NAME, program, self.heads, (self.window, self.sinks))?;
        expect_f32(Self::NAME, program, self.lse)?;
        expect_cols(Self::NAME, program, self.lse, self.heads.query)
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        // One document over all rows: the most it can be.
        let rows = extent.rows(program.tensor(self.qkv).rows) as u64;
        2 * rows
            * self.window.map_or(rows, |window| rows.min(2 * window as u64))
            * self.heads.query_cols() as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let width = self.heads.width;
        let mut out = vec![R::zero(); host.rows(self.out) * host.cols(self.out)];
        let mut lse = vec![R::zero(); host.rows(self.lse) * self.heads.query];
        for row in 0..host.rows(self.qkv) {
            for head in 0..self.heads.query {
                let (q, k, v) = self.heads.columns(head);
                let probabilities = self.probabilities(host, row, head, &mut lse);
                let out = &mut out[row * self.heads.query_cols() + q..][..width];
                for (j, p) in self.seen(host, row).zip(probabilities) {
                    out.iter_mut().zip(&host.row(self.qkv, j)[v..v + width]).for_each(|(o, &v)| *o += p * v);
                }
                debug_assert!(k >= self.heads.query_cols(), "keys stand behind queries");
            }
        }
        host.put(self.out, out);
        host.put(self.lse, lse);
    }

    fn derive(&self, derive: &mut Derive<'_>) {
        let Some(dout) = derive.gradient(self.out) else { return };
        let dsinks = self.sinks.and_then(|sinks| derive.weight_gradient(sinks));
        let dqkv = match derive.fresh_gradient(self.qkv) {
            Some(dqkv) => dqkv,
            None if dsinks.is_some() => {
                let (rows, dtype) =
                    (derive.program().tensor(self.qkv).rows, derive.program().tensor(self.qkv).dtype);
                derive.scratch("dqkv", rows, self.heads.total_cols(), dtype)
            }
            None => return,
        };
        derive.emit(AttentionBackward { forward: self.clone(), dout, dqkv, dsinks });
        derive.contribute(self.qkv, dqkv);
    }
}

impl Attention {
    /// The rows that a row sees.
    fn seen<R: Real>(&self, host: &Host<R>, row: usize) -> impl Iterator<Item = usize> + use<R> {
        let first = host.ids(self.starts)[row] as usize;
        let shared = self.shared.map_or(0, |shared| host.ids(shared)[0] as usize).min(first);
        // Of the document as it would be alone, the shared rows first: where the window begins.
        let begin = self.window.map_or(0, |window| (shared + row - first + 1).saturating_sub(window));
        (begin.min(shared)..shared).chain(first + begin.saturating_sub(shared)..=row)
    }

    /// Probabilities of one row and head over the rows of its document so far.
    fn probabilities<R: Real>(&self, host: &Host<R>, row: usize, head: usize, lse: &mut [R]) -> Vec<R> {
        let (q, k, _) = self.heads.columns(head);
        let width = self.heads.width;
        let query = &host.row(self.qkv, row)[q..q + width];
        let scale = R::from_f64(f64::from(self.scale));
        let mut scores: Vec<R> =
            self.seen(host, row).map(|j| scale * dot(query, &host.row(self.qkv, j)[k..k + width])).collect();
        let sink = self.sinks.map(|sinks| host.get(sinks)[head]);
        lse[row * self.heads.query + head] = softmax(&mut scores, sink);
        scores
    }
}
