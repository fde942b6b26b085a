//! Attention of new tokens over a cache of keys and values.
//!
//! Tokens of one prompt that arrive together go through the tiles of training.
//! A lone token cannot fill a tile: it reads the cache once, at the speed of
//! memory, cut into pieces that several threads take and that are joined in order.

use super::attention::{Problem, run_forward};
use super::isa::Isa;
use super::math::{dot, exp2, max, sum};
use super::pool::Pool;
use super::row::{read, write};
use super::simd::{Simd, kernel};
use super::view::{Mat, MatMut};
use std::f32::consts::LOG2_E;
use std::ops::Range;

/// Cache rows that one task reads.
const PIECE: usize = 256;

/// Tokens of one sequence from which tiles are faster than one pass each.
const TILED: usize = 4;

/// Queries of new tokens and the cache they look into.
#[derive(Debug, Clone, Copy)]
pub struct CachedAttention<'a> {
    /// Queries, (m, H · E).
    pub q: Mat<'a>,
    /// Keys, (rows of the cache, K · E).
    pub keys: Mat<'a>,
    /// Values, (rows of the cache, K · E).
    pub values: Mat<'a>,
    /// The first cache row of each query's sequence, (m).
    pub first: &'a [u32],
    /// How many cache rows from there each query sees, (m). With none its output is zero.
    pub len: &'a [u32],
    /// Number of query heads, H.
    pub heads: usize,
    /// Multiplies the scores.
    pub scale: f32,
}

/// `out = softmax(scale · q keysᵀ) values`, each query over its own rows of the cache.
///
/// Neighbouring queries with the same first row are taken as one sequence.
///
/// # Shapes
/// `out` (m, H · E).
///
/// # Panics
/// If the shapes do not fit or a query sees rows outside the cache.
pub fn attention_cached(pool: &Pool, isa: Isa, input: &CachedAttention<'_>, out: MatMut<'_>) {
    let n = input.q.rows;
    assert_eq!((input.first.len(), input.len.len()), (n, n), "a first row and a length for every query");
    let span = |(first, len): (&u32, &u32)| (*first, first.saturating_add(*len));
    let spans: Vec<(u32, u32)> = input.first.iter().zip(input.len).map(span).collect();
    let problem = Problem::new((input.q, input.keys, input.values), &spans, input.heads, input.scale);
    assert_eq!((out.rows, out.cols), (n, input.q.cols), "the output has the shape of the queries");
    let mut lone = Vec::new();
    for rows in sequences(input.first) {
        if rows.len() < TILED {
            lone.extend(rows);
            continue;
        }
        let together =
            Problem { q: input.q.rows(rows.start, rows.len()), spans: &spans[rows.clone()], ..problem };
        run_forward(pool, isa, &together, out.rows(rows.start, rows.len()), None);
    }
    run_lone(pool, isa, &problem, &lone, out);
}

/// Stretches of queries with one first row.
fn sequences(first: &[u32]) -> impl Iterator<Item = Range<usize>> {
    first.chunk_by(|a, b| a == b).scan(0, |at, run| {
        let start = *at;
        *at += run.len();
        Some(start..*at)
    })
}

/// Some cache rows for one query and one key-value head.
struct Piece {
    query: usize,
    kv_head: usize,
    keys: Range<usize>,
}

fn run_lone(pool: &Pool, isa: Isa, problem: &Problem<'_>, queries: &[usize], out: MatMut<'_>) {
    let heads_of = |query: usize| (0..problem.kv_heads).map(move |kv_head| (query, kv_head));
    let mut pieces = Vec::new();
    // The pieces of each query and key-value head are neighbours.
    let mut joined = Vec::new();
    for (query, kv_head) in queries.iter().flat_map(|query| heads_of(*query)) {
        let (first, end) = problem.spans[query];
        let (first, end, from) = (first as usize, end as usize, pieces.len());
        let starts = (first..end).step_by(PIECE);
        pieces.extend(starts.map(|at| Piece { query, kv_head, keys: at..(at + PIECE).min(end) }));
        joined.push((query, kv_head, from..pieces.len()));
    }
    // Of every head that shares the key-value head: output, then maximum and sum.
    let cols = problem.group() * (problem.width + 2);
    let mut parts = vec![0.0; pieces.len() * cols];
    let parts_view = MatMut::f32(&mut parts, pieces.len(), cols);
    pool.run(pieces.len(), |idx| {
        // SAFETY: each piece has its own row.
        let part = unsafe { parts_view.row_f32(idx) };
        read_piece(isa, problem, &pieces[idx], part);
    });
    let parts = Mat::f32(&parts, pieces.len(), cols);
    pool.for_chunks(joined.len(), 16, |chunk| {
        for (query, kv_head, range) in &joined[chunk] {
            join(isa, problem, parts.rows(range.start, range.len()), *query, *kv_head, out);
        }
    });
}

kernel! {
    /// Softmax over the rows of one piece, relative to its own maximum.
    fn read_piece<S>(problem: &Problem<'_>, piece: &Piece, part: &mut [f32]) {
        let (width, group) = (problem.width, problem.group());
        let mut q = vec![0.0; group * width];
        read(problem.q, piece.query, piece.kv_head * group * width, &mut q);
        q.iter_mut().for_each(|x| *x *= problem.scale * LOG2_E);
        let mut row = vec![0.0; width];
        let mut weights = vec![[0.0; PIECE]; group];
        let keys = problem.kv_columns(problem.k, piece.kv_head);
        for (idx, key) in piece.keys.clone().enumerate() {
            read(keys, key, 0, &mut row);
            for (weights, q) in weights.iter_mut().zip(q.chunks_exact(width)) {
                weights[idx] = dot::<S>(q, &row);
            }
        }
        let (out, tops_and_sums) = part.split_at_mut(group * width);
        for (weights, top_and_sum) in weights.iter_mut().zip(tops_and_sums.chunks_exact_mut(2)) {
            let weights = &mut weights[..piece.keys.len()];
            let top = max(weights);
            weights.iter_mut().for_each(|x| *x = exp2::<S>(*x - top));
            top_and_sum.copy_from_slice(&[top, sum(weights)]);
        }
        let values = problem.kv_columns(problem.v, piece.kv_head);
        for (idx, key) in piece.keys.clone().enumerate() {
            read(values, key, 0, &mut row);
            for (weights, out) in weights.iter().zip(out.chunks_exact_mut(width)) {
                add_scaled::<S>(weights[idx], &row, out);
            }
        }
    }
}

kernel! {
    /// One softmax out of those of the pieces, written as the output of one query.
    fn join<S>(
        problem: &Problem<'_>,
        parts: Mat<'_>,
        query: usize,
        kv_head: usize,
        out: MatMut<'_>,
    ) {
        let (width, group) = (problem.width, problem.group());
        let mut row = vec![0.0; width];
        for head in 0..group {
            let at = group * width + 2 * head;
            let tops = (0..parts.rows).map(|part| parts.row_f32(part)[at]);
            let top = tops.fold(f32::NEG_INFINITY, f32::max);
            let mut total = 0.0;
            row.fill(0.0);
            for part in (0..parts.rows).map(|part| parts.row_f32(part)) {
                let factor = exp2::<S>(part[at] - top);
                total = S::fma(part[at + 1], factor, total);
                add_scaled::<S>(factor, &part[head * width..][..width], &mut row);
            }
            let factor = if parts.rows == 0 { 0.0 } else { 1.0 / total };
            row.iter_mut().for_each(|x| *x *= factor);
            // SAFETY: one call writes this query and head.
            unsafe { write(out, query, (kv_head * group + head) * width, &row) };
        }
    }
}

/// `y += a · x`.
#[inline(always)]
fn add_scaled<S: Simd>(a: f32, x: &[f32], y: &mut [f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y = S::fma(a, *x, *y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::row::tests::{Buffer, assert_close, assert_same, noise, pools};
    use crate::backend::cpu::view::Elem;

    /// `(first, len)` of every query.
    fn check(elem: Elem, queries: &[(u32, u32)], (heads, kv_heads): (usize, usize), width: usize) {
        let (rows, cache_rows) = (queries.len(), 700);
        let (wide, narrow) = (heads * width, kv_heads * width);
        let q = Buffer::new(elem, &noise(rows * wide, 1).iter().map(|x| 3.0 * x).collect::<Vec<_>>());
        let [keys, values] = [2, 3].map(|seed| Buffer::new(elem, &noise(cache_rows * narrow, seed)));
        let (first, len): (Vec<u32>, Vec<u32>) = queries.iter().copied().unzip();
        let scale = 0.3;
        let mut want = vec![0.0; rows * wide];
        let (wide_q, wide_k, wide_v) = (q.wide(), keys.wide(), values.wide());
        for (row, head) in (0..rows).flat_map(|row| (0..heads).map(move |head| (row, head))) {
            let here = (row * heads + head) * width;
            let seen = first[row] as usize..(first[row] + len[row]) as usize;
            let at = |key: usize| (key * kv_heads + head / (heads / kv_heads)) * width;
            let score = |key| (0..width).map(|e| wide_q[here + e] * wide_k[at(key) + e]).sum::<f64>();
            let weights: Vec<f64> = seen.clone().map(|key| (f64::from(scale) * score(key)).exp()).collect();
            let total: f64 = weights.iter().sum();
            for (key, weight) in seen.zip(weights) {
                (0..width).for_each(|e| want[here + e] += weight / total * wide_v[at(key) + e]);
            }
        }
        let tolerance = if elem == Elem::F32 { 4e-6 } else { 8e-3 };
        for isa in Isa::available() {
            let mut of_isa = None;
            for pool in pools() {
                let input = CachedAttention {
                    q: q.mat(rows, wide),
                    keys: keys.mat(cache_rows, narrow),
                    values: values.mat(cache_rows, narrow),
                    first: &first,
                    len: &len,
                    heads,
                    scale,
                };
                let mut out = Buffer::new(elem, &vec![9.0; rows * wide]);
                attention_cached(&pool, isa, &input, out.mat_mut(rows, wide));
                assert_close(&format!("{isa}"), &out.wide(), &want, tolerance);
                assert_same(isa, &mut of_isa, out);
            }
        }
    }

    #[test]
    fn lone_tokens_and_prompts() {
        for elem in [Elem::F32, Elem::Bf16] {
            check(elem, &[], (2, 1), 16);
            check(elem, &[(0, 1)], (3, 1), 64);
            check(elem, &[(10, 690)], (9, 3), 64);
            check(elem, &[(0, 256), (256, 257), (5, 0), (600, 3)], (8, 1), 80);
            // A sequence of one token, a prompt that begins at row 100, another token.
            let prompt = (0..50).map(|idx| (100, 30 + idx));
            let all: Vec<_> = [(0, 17)].into_iter().chain(prompt).chain([(300, 300)]).collect();
            check(elem, &all, (4, 4), 18);
        }
    }

    #[test]
    #[should_panic(expected = "outside the 4 there are")]
    fn rows_outside_the_cache_are_refused() {
        let data = [0.0; 8];
        let (q, cache) = (Mat::f32(&data, 1, 2), Mat::f32(&data, 4, 2));
        let input =
            CachedAttention { q, keys: cache, values: cache, first: &[2], len: &[3], heads: 1, scale: 1.0 };
        attention_cached(&pools()[0], Isa::best(), &input, MatMut::f32(&mut [0.0; 2], 1, 2));
    }
}
