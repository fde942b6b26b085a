//! Dropout and noise that are a function of where a number stands.
//!
//! Nothing is stored between the forward and the backward pass: the same seed,
//! stream, row and column always give the same bit, on any number of threads.
//! `op/dropout.rs` says which numbers are dropped; this computes the same bits many at a time.

use super::elementwise::same_shape;
use super::isa::Isa;
use super::pool::Pool;
use super::row::{BLOCK, blocks, read, rows_per_task, write};
use super::simd::kernel;
use super::view::{Mat, MatMut};
use crate::op::dropout::{bits, kept_factor, row_key, threshold};
use crate::op::noise::unit;
use std::ops::Range;

/// Names one mask: the same three values give the same mask wherever it is used again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// Seed of the run.
    pub seed: u64,
    /// Which mask of the run: differs between steps and between layers.
    pub stream: u64,
    /// Chance of a number to become zero, at least 0 and below 1.
    pub rate: f32,
}

/// `y = x / (1 − rate)` where the mask keeps a number, and zero elsewhere; `y` may be `x`.
///
/// # Panics
/// If the shapes differ or the rate is not in 0..1.
pub fn dropout(pool: &Pool, isa: Isa, mask: Dropout, x: Mat<'_>, y: MatMut<'_>) {
    same_shape(x, y);
    assert!((0.0..1.0).contains(&mask.rate), "a dropout rate of {}", mask.rate);
    pool.for_chunks(x.rows, rows_per_task(x.cols), |rows| drop_rows(isa, rows, mask, x, y));
}

/// Names the noise of one run, and says how large it is in every row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise<'a> {
    /// Seed of the run.
    pub seed: u64,
    /// Which chance of the run.
    pub stream: u64,
    /// The largest noise of each row.
    pub sizes: &'a [f32],
}

/// `y = x + size · u` with u uniform in −1..1; `y` may be `x`.
///
/// # Panics
/// If the shapes differ.
pub fn add_noise(pool: &Pool, isa: Isa, noise: Noise<'_>, x: Mat<'_>, y: MatMut<'_>) {
    same_shape(x, y);
    assert_eq!(noise.sizes.len(), x.rows, "a size for each row");
    pool.for_chunks(x.rows, rows_per_task(x.cols), |rows| noise_rows(isa, rows, noise, x, y));
}

kernel! {
    fn noise_rows<S>(rows: Range<usize>, noise: Noise<'_>, x: Mat<'_>, y: MatMut<'_>) {
        let mut block = [0.0; BLOCK];
        for row in rows {
            let (key, size) = (row_key(noise.seed, noise.stream, row as u64), noise.sizes[row]);
            for (at, n) in blocks(x.cols) {
                read(x, row, at, &mut block[..n]);
                for (idx, x) in block[..n].iter_mut().enumerate() {
                    *x = S::fma(size, unit(bits(key, (at + idx) as u32)), *x);
                }
                // SAFETY: this task owns the row.
                unsafe { write(y, row, at, &block[..n]) };
            }
        }
    }
}

kernel! {
    fn drop_rows<S>(rows: Range<usize>, mask: Dropout, x: Mat<'_>, y: MatMut<'_>) {
        let mut block = [0.0; BLOCK];
        let (threshold, factor) = (threshold(mask.rate), kept_factor(mask.rate));
        for row in rows {
            let key = row_key(mask.seed, mask.stream, row as u64);
            for (at, n) in blocks(x.cols) {
                read(x, row, at, &mut block[..n]);
                for (idx, x) in block[..n].iter_mut().enumerate() {
                    let keep = bits(key, (at + idx) as u32) >= threshold;
                    *x = if keep { *x * factor } else { 0.0 };
                }
                // SAFETY: this task owns the row.
                unsafe { write(y, row, at, &block[..n]) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::row::tests::{Buffer, noise, pools};
    use crate::backend::cpu::view::Elem;

    fn mask(seed: u64, stream: u64, rate: f32, rows: usize, cols: usize) -> Vec<bool> {
        let mut y = vec![0.0; rows * cols];
        let (x, y_view) = (vec![1.0; rows * cols], MatMut::f32(&mut y, rows, cols));
        dropout(&pools()[0], Isa::best(), Dropout { seed, stream, rate }, Mat::f32(&x, rows, cols), y_view);
        y.iter().map(|y| *y != 0.0).collect()
    }

    #[test]
    fn noise_is_uniform_and_as_large_as_said() {
        let (rows, cols) = (2, 50_000);
        let (x, mut y) = (vec![0.0; rows * cols], vec![0.0; rows * cols]);
        let noise = Noise { seed: 3, stream: 1, sizes: &[0.5, 0.0] };
        let view = MatMut::f32(&mut y, rows, cols);
        add_noise(&pools()[1], Isa::best(), noise, Mat::f32(&x, rows, cols), view);
        let (first, second) = y.split_at(cols);
        assert!(second.iter().all(|y| *y == 0.0));
        assert!(first.iter().all(|y| y.abs() <= 0.5) && first.iter().any(|y| y.abs() > 0.499));
        let mean = first.iter().map(|y| f64::from(*y)).sum::<f64>() / cols as f64;
        let square = first.iter().map(|y| f64::from(*y).powi(2)).sum::<f64>() / cols as f64;
        // The mean of 50 000 numbers of deviation 0.29 lies within four times 0.0013.
        assert!(mean.abs() < 5e-3 && (square - 0.25 / 3.0).abs() < 1e-3, "{mean} {square}");
    }

    /// How many standard deviations a count of `hits` among `n` lies from chance `p`.
    fn deviations(hits: usize, n: usize, p: f64) -> f64 {
        (hits as f64 - n as f64 * p).abs() / (n as f64 * p * (1.0 - p)).sqrt()
    }

    #[test]
    fn the_rate_is_met() {
        for rate in [0.0, 0.01, 0.1, 0.5, 0.9] {
            let mask = mask(7, 1, rate, 500, 600);
            let dropped = mask.iter().filter(|kept| !**kept).count();
            if rate == 0.0 {
                assert_eq!(dropped, 0);
            } else {
                // Four deviations: one seed in sixteen thousand would fail, and this one is fixed.
                assert!(deviations(dropped, mask.len(), rate.into()) < 4.0, "{rate}: {dropped}");
            }
        }
    }

    #[test]
    fn neighbours_rows_streams_and_seeds_are_independent() {
        let (rows, cols) = (300, 400);
        let here = mask(7, 1, 0.5, rows, cols);
        let agree = |there: &[bool], what: &str| {
            let same = here.iter().zip(there).filter(|(a, b)| a == b).count();
            assert!(deviations(same, here.len().min(there.len()), 0.5) < 4.0, "{what}: {same}");
        };
        agree(&here[1..], "next column");
        agree(&here[2..], "column after next");
        agree(&here[16..], "sixteen columns on");
        agree(&here[cols..], "next row");
        agree(&mask(7, 2, 0.5, rows, cols), "next stream");
        agree(&mask(8, 1, 0.5, rows, cols), "next seed");
        for bit in 0..32 {
            let ones = (0..100_000).filter(|col| (bits(row_key(1, 2, 3), *col) >> bit) & 1 == 1).count();
            assert!(deviations(ones, 100_000, 0.5) < 4.0, "bit {bit}: {ones}");
        }
    }

    #[test]
    fn the_mask_is_the_same_everywhere() {
        let (rows, cols, rate) = (70, 1100, 0.25);
        let x = noise(rows * cols, 4);
        for elem in [Elem::F32, Elem::Bf16] {
            let input = Buffer::new(elem, &x);
            let mut all = Vec::new();
            for (pool, isa) in pools().iter().flat_map(|pool| Isa::available().map(move |isa| (pool, isa))) {
                let mut y = input.clone();
                let view = y.mat_mut(rows, cols);
                // SAFETY: the kernel copies a block before it writes it.
                let same = unsafe { view.as_mat() };
                dropout(pool, isa, Dropout { seed: 3, stream: 9, rate }, same, view);
                all.push(y);
            }
            assert!(all.iter().all(|y| *y == all[0]));
            let kept = mask(3, 9, rate, rows, cols);
            for ((x, y), kept) in input.wide().iter().zip(all[0].wide()).zip(kept) {
                let want = if kept { x / 0.75 } else { 0.0 };
                assert!((y - want).abs() <= 1.0 / 256.0, "{x} became {y}");
            }
        }
    }
}
