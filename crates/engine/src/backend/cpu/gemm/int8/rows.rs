//! A left operand in bytes.

use super::super::Operand;
use super::super::kernel::PANEL;
use super::super::left::{Left, spread};
use super::super::scratch::{Held, Target};
use super::{Factors, MOST, NUMBERS, ROUND, words};
use crate::backend::cpu::isa::Isa;
use crate::backend::cpu::pool::Pool;
use crate::backend::cpu::row;
use crate::backend::cpu::simd::kernel;
use crate::backend::cpu::view::Mat;
use std::ops::Range;

/// Rows that are rounded in one task.
const CHUNK: usize = 64;
/// Numbers that are looked at side by side.
const LINE: usize = 16;
/// A column is kept apart if one of its numbers is so many times the root mean square of all:
/// numbers that are spread normally reach 5 or 6.
const KEPT_ABOVE: f32 = 8.0;
/// The most that are kept are one of so many, the largest.
const KEPT_OF: usize = 32;

/// The rows of a matrix as whole numbers, each with a scale.
pub(in super::super) struct Rows {
    words: Held,
    /// What a step of a byte is worth, (M). Not a number where a row is not finite.
    pub(super) scales: Vec<f32>,
    /// Where sums begin: −128 times the sum of the row's bytes, (M).
    pub(super) starts: Vec<i32>,
    /// Columns that are no part of it, rising.
    pub(super) kept: Vec<usize>,
    /// Their numbers, (M, kept).
    apart: Held,
}

impl Rows {
    /// Rounds the rows of `mat`, each number of which is multiplied with its column's factor before.
    pub(super) fn new(pool: &Pool, isa: Isa, mat: Mat<'_>, factors: Option<&[f32]>) -> Self {
        let kept = kept(pool, isa, mat, factors);
        let stride = spread(words(mat.cols));
        let mut rows = Self {
            words: Held::new(mat.rows * stride),
            scales: vec![0.0; mat.rows],
            starts: vec![0; mat.rows],
            apart: Held::new(mat.rows * kept.len()),
            kept,
        };
        let words = Target(rows.words.as_mut_ptr());
        let (scales, starts) =
            (Target(rows.scales.as_mut_ptr().cast()), Target(rows.starts.as_mut_ptr().cast()));
        let (apart, kept) = (Target(rows.apart.as_mut_ptr()), rows.kept.as_slice());
        pool.for_chunks(mat.rows, CHUNK, |chunk| {
            let n = chunk.len();
            // SAFETY: what belongs to the chunk's rows is its task's own.
            let (words, scales, starts, apart) = unsafe {
                (
                    std::slice::from_raw_parts_mut(words.at(chunk.start * stride), n * stride),
                    std::slice::from_raw_parts_mut(scales.at(chunk.start).cast::<f32>(), n),
                    std::slice::from_raw_parts_mut(starts.at(chunk.start).cast::<i32>(), n),
                    std::slice::from_raw_parts_mut(
                        apart.at(chunk.start * kept.len()).cast::<f32>(),
                        n * kept.len(),
                    ),
                )
            };
            round(isa, mat.rows(chunk.start, n), factors, kept, Part { words, scales, starts, apart });
        });
        rows
    }

    /// The numbers of the kept columns, (M, kept).
    pub(super) fn apart(&self) -> Mat<'_> {
        let (m, kept) = (self.scales.len(), self.kept.len());
        Mat::f32(self.apart.floats(m * kept), m, kept)
    }

    /// What makes numbers of a tile's sums: those of rows `rows` and of panel `panel` of a weight.
    pub(in super::super) fn factors<'a>(
        &'a self,
        rows: Range<usize>,
        weight: &Operand<'a>,
        panel: usize,
    ) -> Factors<'a> {
        let columns = match weight {
            Operand::Int8(weight) => weight.scales()[panel * PANEL..].first_chunk(),
            _ => None,
        };
        Factors { scales: &self.scales[rows.clone()], starts: &self.starts[rows], columns }
    }

    /// Where a kernel finds them; they have `k` numbers.
    pub(in super::super) fn left(&self, k: usize) -> Left {
        Left { first: self.words.as_ptr().cast(), stride: spread(words(k)) * 4 }
    }
}

/// What a task writes.
struct Part<'a> {
    words: &'a mut [u32],
    scales: &'a mut [f32],
    starts: &'a mut [i32],
    apart: &'a mut [f32],
}

/// The columns that are kept apart.
fn kept(pool: &Pool, isa: Isa, mat: Mat<'_>, factors: Option<&[f32]>) -> Vec<usize> {
    let (n_chunks, cols) = (mat.rows.div_ceil(CHUNK), mat.cols);
    let (mut tops, mut squares) = (Held::new(n_chunks * cols), vec![0.0_f32; n_chunks]);
    let (top, square) = (Target(tops.as_mut_ptr()), Target(squares.as_mut_ptr().cast()));
    pool.for_chunks(mat.rows, CHUNK, |chunk| {
        let idx = chunk.start / CHUNK;
        // SAFETY: each chunk has entries of its own.
        unsafe {
            let tops = std::slice::from_raw_parts_mut(top.at(idx * cols).cast::<f32>(), cols);
            let sum = largest(isa, mat, factors, chunk, tops);
            square.at(idx).cast::<f32>().write(sum);
        }
    });
    let (first, others) = tops.floats_mut(n_chunks * cols).split_at_mut(cols.min(n_chunks * cols));
    for other in others.chunks_exact(cols.max(1)) {
        first.iter_mut().zip(other).for_each(|(top, x)| *top = top.max(*x));
    }
    let mean = squares.iter().map(|x| f64::from(*x)).sum::<f64>() / (mat.rows * cols).max(1) as f64;
    let least = KEPT_ABOVE * mean.sqrt() as f32;
    let mut kept: Vec<usize> = (0..first.len()).filter(|col| first[*col] > least).collect();
    kept.sort_by(|a, b| first[*b].total_cmp(&first[*a]).then(a.cmp(b)));
    kept.truncate(cols.div_ceil(KEPT_OF));
    kept.sort_unstable();
    kept
}

/// Reads a row, multiplied with the factors of its columns.
#[inline(always)]
fn read(mat: Mat<'_>, row: usize, factors: Option<&[f32]>, into: &mut [f32]) {
    row::read(mat, row, 0, into);
    if let Some(factors) = factors {
        into.iter_mut().zip(factors).for_each(|(x, factor)| *x *= factor);
    }
}

kernel! {
    /// The largest magnitude of every column over some rows, and the sum of all squares.
    fn largest<S>(mat: Mat<'_>, factors: Option<&[f32]>, rows: Range<usize>, tops: &mut [f32]) -> f32 {
        tops.fill(0.0);
        let mut line = vec![0.0_f32; tops.len()];
        let mut squares = vec![0.0_f32; tops.len()];
        for row in rows {
            read(mat, row, factors, &mut line);
            for ((top, square), x) in tops.iter_mut().zip(squares.iter_mut()).zip(&line) {
                let x = x.abs();
                *top = if x > *top { x } else { *top };
                *square = S::fma(x, x, *square);
            }
        }
        squares.iter().sum()
    }
}

kernel! {
    /// Rounds rows to bytes.
    fn round<S>(mat: Mat<'_>, factors: Option<&[f32]>, kept: &[usize], to: Part<'_>) {
        let cols = mat.cols;
        // Beyond the last number lie zeros.
        let mut line = vec![0.0_f32; cols.next_multiple_of(NUMBERS)];
        let stride = to.words.len() / mat.rows.max(1);
        for row in 0..mat.rows {
            read(mat, row, factors, &mut line[..cols]);
            for (idx, col) in kept.iter().enumerate() {
                to.apart[row * kept.len() + idx] = std::mem::take(&mut line[*col]);
            }
            let (mut tops, mut sums) = ([0.0_f32; LINE], [0.0_f32; LINE]);
            let (lines, rest) = line.as_chunks::<LINE>();
            for numbers in lines {
                for lane in 0..LINE {
                    let x = numbers[lane].abs();
                    tops[lane] = if x > tops[lane] { x } else { tops[lane] };
                    sums[lane] += x;
                }
            }
            let top = tops.into_iter().chain(rest.iter().map(|x| x.abs())).fold(0.0, f32::max);
            let sum = sums.into_iter().chain(rest.iter().map(|x| x.abs())).sum::<f32>();
            let inverse = if top > 0.0 { MOST / top } else { 0.0 };
            let words = &mut to.words[row * stride..][..line.len() / NUMBERS];
            // SAFETY: any byte is an `i8`.
            let bytes = unsafe { words.align_to_mut::<i8>().1 };
            let mut total = 0_i32;
            for (byte, x) in bytes.iter_mut().zip(&line) {
                // What is a whole number of at most 127 lies in the lowest bits of the sum.
                let code = ((x * inverse + ROUND).to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
                *byte = code as i8;
                total = total.wrapping_add(code);
            }
            // A row that is not finite gives nothing finite.
            to.scales[row] = if sum.is_finite() { top / MOST } else { f32::NAN };
            to.starts[row] = total.wrapping_mul(-super::BIAS);
        }
    }
}
