//! Sums, scalings and casts of whole matrices.

use super::isa::Isa;
use super::pool::Pool;
use super::row::{BLOCK, blocks, read, rows_per_task, write};
use super::simd::kernel;
use super::view::{Mat, MatMut};
use std::ops::Range;

/// `y = a + b`; `y` may be `a` or `b`.
///
/// # Panics
/// If the shapes differ.
pub fn add(pool: &Pool, isa: Isa, a: Mat<'_>, b: Mat<'_>, y: MatMut<'_>) {
    same_shape(a, y);
    same_shape(b, y);
    pool.for_chunks(y.rows, rows_per_task(y.cols), |rows| add_rows(isa, rows, a, b, y));
}

/// `y = x`, cast to the storage of `y`, rounding to nearest even.
///
/// # Panics
/// If the shapes differ.
pub fn copy(pool: &Pool, isa: Isa, x: Mat<'_>, y: MatMut<'_>) {
    scale(pool, isa, x, 1.0, y);
}

/// `y = factor · x`; `y` may be `x`.
///
/// # Panics
/// If the shapes differ.
pub fn scale(pool: &Pool, isa: Isa, x: Mat<'_>, factor: f32, y: MatMut<'_>) {
    same_shape(x, y);
    pool.for_chunks(y.rows, rows_per_task(y.cols), |rows| scale_rows(isa, rows, x, factor, y));
}

/// `y = value` everywhere.
pub fn fill(pool: &Pool, isa: Isa, value: f32, y: MatMut<'_>) {
    pool.for_chunks(y.rows, rows_per_task(y.cols), |rows| fill_rows(isa, rows, value, y));
}

/// Columns of one task of [`add_column_sums`]: a few cache lines of every row.
const SUM_COLUMNS: usize = 128;

/// `sums[j] += Σ x[i][j]`, over rows in order: the gradient of a bias.
///
/// # Panics
/// If the lengths differ.
pub fn add_column_sums(pool: &Pool, isa: Isa, x: Mat<'_>, sums: &mut [f32]) {
    assert_eq!(sums.len(), x.cols, "a sum for each column");
    let sums = MatMut::f32(sums, 1, x.cols);
    pool.for_chunks(x.cols, SUM_COLUMNS, |columns| sum_columns(isa, columns, x, sums));
}

/// # Panics
/// If the shapes differ.
pub(super) fn same_shape(x: Mat<'_>, y: MatMut<'_>) {
    assert!((x.rows, x.cols) == (y.rows, y.cols), "{} × {} into {} × {}", x.rows, x.cols, y.rows, y.cols);
}

kernel! {
    fn add_rows<S>(rows: Range<usize>, a: Mat<'_>, b: Mat<'_>, y: MatMut<'_>) {
        let (mut left, mut right) = ([0.0; BLOCK], [0.0; BLOCK]);
        for row in rows {
            for (at, n) in blocks(y.cols) {
                read(a, row, at, &mut left[..n]);
                read(b, row, at, &mut right[..n]);
                left[..n].iter_mut().zip(&right[..n]).for_each(|(left, right)| *left += right);
                // SAFETY: this task owns the row.
                unsafe { write(y, row, at, &left[..n]) };
            }
        }
    }
}

kernel! {
    fn scale_rows<S>(rows: Range<usize>, x: Mat<'_>, factor: f32, y: MatMut<'_>) {
        let mut block = [0.0; BLOCK];
        for row in rows {
            for (at, n) in blocks(y.cols) {
                read(x, row, at, &mut block[..n]);
                block[..n].iter_mut().for_each(|x| *x *= factor);
                // SAFETY: this task owns the row.
                unsafe { write(y, row, at, &block[..n]) };
            }
        }
    }
}

kernel! {
    fn fill_rows<S>(rows: Range<usize>, value: f32, y: MatMut<'_>) {
        let block = [value; BLOCK];
        for row in rows {
            for (at, n) in blocks(y.cols) {
                // SAFETY: this task owns the row.
                unsafe { write(y, row, at, &block[..n]) };
            }
        }
    }
}

kernel! {
    fn sum_columns<S>(columns: Range<usize>, x: Mat<'_>, sums: MatMut<'_>) {
        let (mut so_far, mut more) = ([0.0; SUM_COLUMNS], [0.0; SUM_COLUMNS]);
        let (so_far, more) = (&mut so_far[..columns.len()], &mut more[..columns.len()]);
        for row in 0..x.rows {
            read(x, row, columns.start, more);
            so_far.iter_mut().zip(&*more).for_each(|(sum, more)| *sum += more);
        }
        // SAFETY: this task owns these columns.
        let to = unsafe { sums.columns(columns.start, columns.len()).row_f32(0) };
        to.iter_mut().zip(so_far).for_each(|(to, sum)| *to += *sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::row::tests::{Buffer, noise, pools};
    use crate::backend::cpu::view::Elem;

    const ELEMS: [Elem; 2] = [Elem::F32, Elem::Bf16];

    fn check(rows: usize, cols: usize) {
        for (pool, isa) in pools().iter().flat_map(|pool| Isa::available().map(move |isa| (pool, isa))) {
            for (from, to) in ELEMS.into_iter().flat_map(|from| ELEMS.map(|to| (from, to))) {
                let x = Buffer::new(from, &noise(rows * cols, 1));
                let z = Buffer::new(to, &noise(rows * cols, 2));
                let want = |f: &dyn Fn(f32, f32) -> f32| {
                    let both = x.wide().into_iter().zip(z.wide());
                    Buffer::new(to, &both.map(|(x, z)| f(x as f32, z as f32)).collect::<Vec<_>>())
                };
                let mut y = Buffer::new(to, &vec![7.0; rows * cols]);
                add(pool, isa, x.mat(rows, cols), z.mat(rows, cols), y.mat_mut(rows, cols));
                assert_eq!(y, want(&|x, z| x + z), "{isa} add {rows} × {cols}");
                scale(pool, isa, x.mat(rows, cols), 0.3, y.mat_mut(rows, cols));
                assert_eq!(y, want(&|x, _| x * 0.3), "{isa} scale {rows} × {cols}");
                copy(pool, isa, x.mat(rows, cols), y.mat_mut(rows, cols));
                assert_eq!(y, want(&|x, _| x), "{isa} copy {rows} × {cols}");
                fill(pool, isa, 0.7, y.mat_mut(rows, cols));
                assert_eq!(y, want(&|_, _| 0.7), "{isa} fill {rows} × {cols}");
            }
        }
    }

    #[test]
    fn every_storage_and_shape() {
        for (rows, cols) in [(0, 5), (3, 0), (1, 1), (7, 33), (2, 1025), (300, 64)] {
            check(rows, cols);
        }
    }

    #[test]
    fn only_the_given_columns_are_written_and_in_place_works() {
        let mut data = noise(4 * 10, 9);
        let before = data.clone();
        let view = MatMut::f32(&mut data, 4, 10).columns(3, 5);
        // SAFETY: kernels copy a block before they write it.
        let same = unsafe { view.as_mat() };
        add(&pools()[2], Isa::best(), same, same, view);
        for (idx, (now, before)) in data.iter().zip(&before).enumerate() {
            let inside = (3..8).contains(&(idx % 10));
            assert_eq!(*now, if inside { before * 2.0 } else { *before }, "{idx}");
        }
    }
}
