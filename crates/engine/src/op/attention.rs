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
//! Backwards, with `δ_i = do_i · o_i` and `ds_ij = p_ij (do_i · v_j − δ_i)`:
//! `dv_j = Σ p_ij do_i`, `dq_i = scale Σ ds_ij k_j`, `dk_j = scale Σ ds_ij q_i`,
//! sums over the query heads that share a kv head. Only `lse` is saved, so
//! memory is linear in the number of rows.
//!
//! # Source
//! Dao et al., "FlashAttention", 2022, arXiv 2205.14135, appendix B; grouped
//! heads after Ainslie et al., "GQA", 2023, arXiv 2305.13245.

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
    /// Result, (M, H·E).
    pub out: TensorId,
    /// ln Σ exp of each row and head, (M, H), f32: all that the backward pass needs.
    pub lse: TensorId,
}

/// The gradient of [`Attention`].
#[derive(Debug, Clone, PartialEq)]
pub struct AttentionBackward {
    /// The operation as it ran forward.
    pub forward: Attention,
    /// Gradient of the result, (M, H·E).
    pub dout: TensorId,
    /// Gradient of queries, keys and values, (M, (H + 2K)·E).
    pub dqkv: TensorId,
}

/// Attention over a cache: stores the new keys and values, then looks back over all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct CachedAttention {
    /// Queries, keys and values of the new rows, (M, (H + 2K)·E).
    pub qkv: TensorId,
    /// For each row the first cache row of its sequence, (M, 1).
    pub first: TensorId,
    /// For each row the cache row it is stored in; it sees `first..=at`, (M, 1).
    pub at: TensorId,
    /// Cached keys, (C, K·E).
    pub keys: TensorId,
    /// Cached values, (C, K·E).
    pub values: TensorId,
    /// How the columns divide.
    pub heads: Heads,
    /// Multiplies the products of queries and keys.
    pub scale: f32,
    /// Result, (M, H·E).
    pub out: TensorId,
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

fn dot<R: Real>(a: &[R], b: &[R]) -> R {
    let mut sum = R::zero();
    a.iter().zip(b).for_each(|(&a, &b)| sum += a * b);
    sum
}

/// Turns scores into probabilities in place and returns ln Σ exp.
fn softmax<R: Real>(scores: &mut [R]) -> R {
    let max = scores.iter().fold(scores[0], |m, &s| if s > m { s } else { m });
    let mut sum = R::zero();
    scores.iter().for_each(|&s| sum += (s - max).exp());
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
        visitor(Access::Write, &mut self.out);
        visitor(Access::Write, &mut self.lse);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        check_heads(Self::NAME, program, self.qkv, self.out, self.heads)?;
        expect_ids(Self::NAME, program, self.starts)?;
        self.shared.map_or(Ok(()), |shared| expect_ids(Self::NAME, program, shared))?;
        expect_f32(Self::NAME, program, self.lse)?;
        expect_cols(Self::NAME, program, self.lse, self.heads.query)
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        // One document over all rows: the most it can be.
        let rows = extent.rows(program.tensor(self.qkv).rows) as u64;
        2 * rows * rows * self.heads.query_cols() as u64
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
        let Some(dqkv) = derive.fresh_gradient(self.qkv) else { return };
        derive.emit(AttentionBackward { forward: self.clone(), dout, dqkv });
        derive.contribute(self.qkv, dqkv);
    }
}

impl Attention {
    /// The rows that a row sees.
    fn seen<R: Real>(&self, host: &Host<R>, row: usize) -> impl Iterator<Item = usize> + use<R> {
        let first = host.ids(self.starts)[row] as usize;
        let shared = self.shared.map_or(0, |shared| host.ids(shared)[0] as usize);
        (0..shared.min(first)).chain(first..=row)
    }

    /// Probabilities of one row and head over the rows of its document so far.
    fn probabilities<R: Real>(&self, host: &Host<R>, row: usize, head: usize, lse: &mut [R]) -> Vec<R> {
        let (q, k, _) = self.heads.columns(head);
        let width = self.heads.width;
        let query = &host.row(self.qkv, row)[q..q + width];
        let scale = R::from_f64(f64::from(self.scale));
        let mut scores: Vec<R> =
            self.seen(host, row).map(|j| scale * dot(query, &host.row(self.qkv, j)[k..k + width])).collect();
        lse[row * self.heads.query + head] = softmax(&mut scores);
        scores
    }
}

impl Operation for AttentionBackward {
    const NAME: &'static str = "attention_backward";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        for tensor in
            [&mut self.forward.qkv, &mut self.forward.starts, &mut self.forward.out, &mut self.forward.lse]
        {
            visitor(Access::Read, tensor);
        }
        visit_option(visitor, Access::Read, &mut self.forward.shared);
        visitor(Access::Read, &mut self.dout);
        visitor(Access::Write, &mut self.dqkv);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        check_heads(Self::NAME, program, self.dqkv, self.dout, self.forward.heads)?;
        self.forward.check(program)
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        self.forward.flops(program, extent) * 5 / 2
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let Attention { qkv, heads, scale, out, lse, .. } = self.forward;
        let (width, cols) = (heads.width, heads.total_cols());
        let scale = R::from_f64(f64::from(scale));
        let mut dqkv = vec![R::zero(); host.rows(qkv) * cols];
        for row in 0..host.rows(qkv) {
            for head in 0..heads.query {
                let (q, k, v) = heads.columns(head);
                let query = &host.row(qkv, row)[q..q + width];
                let dout = &host.row(self.dout, row)[q..q + width];
                let delta = dot(dout, &host.row(out, row)[q..q + width]);
                for j in self.forward.seen(host, row) {
                    let (key, value) = (&host.row(qkv, j)[k..k + width], &host.row(qkv, j)[v..v + width]);
                    let p = (scale * dot(query, key) - host.row(lse, row)[head]).exp();
                    let ds = p * (dot(dout, value) - delta) * scale;
                    for e in 0..width {
                        dqkv[row * cols + q + e] += ds * key[e];
                        dqkv[j * cols + k + e] += ds * query[e];
                        dqkv[j * cols + v + e] += p * dout[e];
                    }
                }
            }
        }
        host.put(self.dqkv, dqkv);
    }
}

impl Operation for CachedAttention {
    const NAME: &'static str = "cached_attention";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        for tensor in [&mut self.qkv, &mut self.first, &mut self.at] {
            visitor(Access::Read, tensor);
        }
        visitor(Access::Update, &mut self.keys);
        visitor(Access::Update, &mut self.values);
        visitor(Access::Write, &mut self.out);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        check_heads(Self::NAME, program, self.qkv, self.out, self.heads)?;
        for ids in [self.first, self.at] {
            expect_ids(Self::NAME, program, ids)?;
            expect_rows(Self::NAME, program, ids, self.qkv)?;
        }
        for cache in [self.keys, self.values] {
            expect_cols(Self::NAME, program, cache, self.heads.kv_cols())?;
            expect_rows(Self::NAME, program, cache, self.keys)?;
        }
        Ok(())
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        let rows = extent.rows(program.tensor(self.qkv).rows) as u64;
        4 * rows * program.rows(self.keys) as u64 * self.heads.query_cols() as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let (width, kv_cols) = (self.heads.width, self.heads.kv_cols());
        let (mut keys, mut values) = (host.take(self.keys), host.take(self.values));
        for row in 0..host.rows(self.qkv) {
            let at = host.ids(self.at)[row] as usize * kv_cols;
            let new = &host.row(self.qkv, row)[self.heads.query_cols()..];
            keys[at..at + kv_cols].copy_from_slice(&new[..kv_cols]);
            values[at..at + kv_cols].copy_from_slice(&new[kv_cols..]);
        }
        let mut out = vec![R::zero(); host.rows(self.out) * host.cols(self.out)];
        for row in 0..host.rows(self.qkv) {
            let seen = host.ids(self.first)[row] as usize..=host.ids(self.at)[row] as usize;
            for head in 0..self.heads.query {
                let (q, k, _) = self.heads.columns(head);
                let k = k - self.heads.query_cols();
                let query = &host.row(self.qkv, row)[q..q + width];
                let scale = R::from_f64(f64::from(self.scale));
                let mut scores: Vec<R> =
                    seen.clone().map(|j| scale * dot(query, &keys[j * kv_cols + k..][..width])).collect();
                softmax(&mut scores);
                let out = &mut out[row * self.heads.query_cols() + q..][..width];
                for (j, p) in seen.clone().zip(scores) {
                    out.iter_mut().zip(&values[j * kv_cols + k..][..width]).for_each(|(o, &v)| *o += p * v);
                }
            }
        }
        host.put(self.keys, keys);
        host.put(self.values, values);
        host.put(self.out, out);
    }
}
