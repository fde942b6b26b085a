//! Attention over a cache: shape rule and reference loops. It has no derivative.

use super::{Heads, check_heads, check_reach, dot, softmax};
use crate::op::{Access, Host, Operation, Real, expect_cols, expect_ids, expect_rows, visit_option};
use crate::program::{Extent, Program, ShapeError, TensorId};

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
    /// W, at least 1: the most rows of its sequence that a row sees, itself among them.
    pub window: Option<usize>,
    /// What competes with the rows for attention, (1, H), f32.
    pub sinks: Option<TensorId>,
    /// Result, (M, H·E).
    pub out: TensorId,
}

impl Operation for CachedAttention {
    const NAME: &'static str = "cached_attention";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        for tensor in [&mut self.qkv, &mut self.first, &mut self.at] {
            visitor(Access::Read, tensor);
        }
        visit_option(visitor, Access::Read, &mut self.sinks);
        visitor(Access::Update, &mut self.keys);
        visitor(Access::Update, &mut self.values);
        visitor(Access::Write, &mut self.out);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        check_heads(Self::NAME, program, self.qkv, self.out, self.heads)?;
        check_reach(Self::NAME, program, self.heads, (self.window, self.sinks))?;
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
        let seen = self.window.unwrap_or(usize::MAX).min(program.rows(self.keys));
        4 * rows * seen as u64 * self.heads.query_cols() as u64
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
            let (first, at) = (host.ids(self.first)[row] as usize, host.ids(self.at)[row] as usize);
            let seen = self.window.map_or(first, |window| first.max((at + 1).saturating_sub(window)))..=at;
            for head in 0..self.heads.query {
                let (q, k, _) = self.heads.columns(head);
                let k = k - self.heads.query_cols();
                let query = &host.row(self.qkv, row)[q..q + width];
                let scale = R::from_f64(f64::from(self.scale));
                let mut scores: Vec<R> =
                    seen.clone().map(|j| scale * dot(query, &keys[j * kv_cols + k..][..width])).collect();
                softmax(&mut scores, self.sinks.map(|sinks| host.get(sinks)[head]));
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
