//! Attention of new tokens over a cache of keys and values.
//!
//! Tokens of one prompt that arrive together go through the tiles of training.
//! A lone token, or a few, cannot fill a tile: they read the cache once, cut into
//! pieces that several threads take and that are joined in order.

use super::attention::{PIECE, Piece, Problem, Total, are_few, run_forward, run_pieces};
use super::isa::Isa;
use super::math::exp2;
use super::pool::Pool;
use super::row::write;
use super::simd::kernel;
use super::view::{Mat, MatMut};
use std::ops::Range;

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
    /// The most rows that a query sees: the last of them.
    pub window: Option<usize>,
    /// What competes with the keys of each query head, (H).
    pub sinks: Option<&'a [f32]>,
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
    let window = input.window.map_or(u32::MAX, |window| u32::try_from(window).unwrap_or(u32::MAX));
    let span = |(first, len): (&u32, &u32)| {
        (first.saturating_add(len.saturating_sub(window)), first.saturating_add(*len))
    };
    let spans: Vec<(u32, u32)> = input.first.iter().zip(input.len).map(span).collect();
    let problem = Problem::new((input.q, input.keys, input.values), &spans, input.heads, input.scale);
    let problem = problem.with_sinks(input.sinks);
    assert_eq!((out.rows, out.cols), (n, input.q.cols), "the output has the shape of the queries");
    let (few, many): (Vec<_>, Vec<_>) =
        sequences(input.first).partition(|queries| are_few(&problem, queries.len()));
    for rows in many {
        let q = input.q.rows(rows.start, rows.len());
        let grid = input.window.map(|_| input.first[rows.start] as usize);
        let together = Problem { q, spans: &spans[rows.clone()], grid, ..problem };
        run_forward(pool, isa, &together, out.rows(rows.start, rows.len()), None);
    }
    run_few(pool, isa, &problem, (&few, input.first), out);
}

/// Stretches of queries with one first row.
fn sequences(first: &[u32]) -> impl Iterator<Item = Range<usize>> {
    first.chunk_by(|a, b| a == b).scan(0, |at, run| {
        let start = *at;
        *at += run.len();
        Some(start..*at)
    })
}

/// The pieces of one sequence and key-value head, in order of their keys.
struct Joined {
    queries: Range<usize>,
    kv_head: usize,
    pieces: Range<usize>,
}

fn run_few(
    pool: &Pool,
    isa: Isa,
    problem: &Problem<'_>,
    (sequences, firsts): (&[Range<usize>], &[u32]),
    out: MatMut<'_>,
) {
    let keys_of = |queries: &Range<usize>| keys_of(problem, queries, firsts[queries.start] as usize);
    let n_pieces = |queries: &Range<usize>| keys_of(queries).len().div_ceil(PIECE);
    let rows_of = |queries: &Range<usize>| queries.len() * problem.group();
    let n_rows: usize = sequences.iter().map(|queries| n_pieces(queries) * rows_of(queries)).sum();
    let (n_rows, cols) = (n_rows * problem.kv_heads, problem.width + 2);
    let mut parts = vec![0.0; n_rows * cols];
    let parts = MatMut::f32(&mut parts, n_rows, cols);
    let (mut pieces, mut joined, mut at) = (Vec::new(), Vec::new(), 0);
    for queries in sequences {
        for kv_head in 0..problem.kv_heads {
            let keys = keys_of(queries);
            let first = pieces.len();
            for start in keys.clone().step_by(PIECE) {
                let part = parts.rows(at, rows_of(queries));
                at += part.rows;
                let keys = start..(start + PIECE).min(keys.end);
                pieces.push(Piece { queries: queries.clone(), kv_head, keys, part });
            }
            joined.push(Joined { queries: queries.clone(), kv_head, pieces: first..pieces.len() });
        }
    }
    run_pieces(pool, isa, problem, &pieces);
    pool.for_chunks(joined.len(), 16, |chunk| {
        joined[chunk].iter().for_each(|one| join(isa, problem, one, &pieces[one.pieces.clone()], out));
    });
}

/// The cache rows that any of some queries of one sequence sees, whole pieces counted from the
/// sequence's first: a window slides over the same cuts whichever queries come together.
fn keys_of(problem: &Problem<'_>, queries: &Range<usize>, origin: usize) -> Range<usize> {
    let spans = &problem.spans[queries.clone()];
    let end = spans.iter().map(|(_, end)| *end).max().unwrap_or(0) as usize;
    let first = spans.iter().map(|(first, _)| *first as usize).min().unwrap_or(0);
    first - (first - origin) % PIECE..end
}

kernel! {
    /// One softmax out of those of the pieces, written as the output of some queries.
    fn join<S>(problem: &Problem<'_>, of: &Joined, pieces: &[Piece<'_>], out: MatMut<'_>) {
        let (width, group) = (problem.width, problem.group());
        let mut sum = vec![0.0; width];
        for row in 0..of.queries.len() * group {
            let top = pieces.iter().map(|piece| row_of(piece, row)[width]).fold(f32::NEG_INFINITY, f32::max);
            let mut total = 0.0;
            sum.fill(0.0);
            for part in pieces.iter().map(|piece| row_of(piece, row)) {
                let factor = exp2::<S>(part[width] - top);
                total = S::fma(part[width + 1], factor, total);
                for (sum, x) in sum.iter_mut().zip(part) {
                    *sum = S::fma(factor, *x, *sum);
                }
            }
            let (query, head) = (of.queries.start + row / group, of.kv_head * group + row % group);
            // A query that sees nothing attends to nothing.
            let factor = Total::new::<S>((top, total), problem.sinks.map(|sinks| sinks[head])).factor;
            sum.iter_mut().for_each(|x| *x *= factor);
            // SAFETY: one call writes this query and head.
            unsafe { write(out, query, head * width, &sum) };
        }
    }
}

/// What a piece found for one (query, head).
fn row_of<'a>(piece: &Piece<'a>, row: usize) -> &'a [f32] {
    // SAFETY: the task that wrote the part is done.
    unsafe { piece.part.as_mat() }.row_f32(row)
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
                    window: None,
                    sinks: None,
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
            // Three tokens of one sequence, the first of which ends before the last piece.
            check(elem, &[(7, 255), (7, 256), (7, 260)], (3, 1), 64);
            check(elem, &[(0, 300)], (20, 1), 16);
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
        let input = CachedAttention {
            q,
            keys: cache,
            values: cache,
            first: &[2],
            len: &[3],
            window: None,
            sinks: None,
            heads: 1,
            scale: 1.0,
        };
        attention_cached(&pools()[0], Isa::best(), &input, MatMut::f32(&mut [0.0; 2], 1, 2));
    }
}
