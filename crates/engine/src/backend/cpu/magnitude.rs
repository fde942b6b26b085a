//! Columns stretched to a trained length, and the derivative: one pass over memory each.
//!
//! `op/magnitude.rs` says what for.

use super::elementwise::same_shape;
use super::isa::Isa;
use super::pool::Pool;
use super::row::{read, rows_per_task, write};
use super::simd::kernel;
use super::view::{Mat, MatMut};
use std::ops::Range;

/// Rows whose share of the sums is added up by one task.
const SHARE_ROWS: usize = 64;

/// `y = x · factor + bias + add`, column by column; `y` may be `x` or `add`.
///
/// # Panics
/// If the shapes differ.
pub fn stretch(
    pool: &Pool,
    isa: Isa,
    x: Mat<'_>,
    [factor, bias]: [&[f32]; 2],
    add: Option<Mat<'_>>,
    y: MatMut<'_>,
) {
    same_shape(x, y);
    add.inspect(|add| same_shape(*add, y));
    assert_eq!([factor.len(), bias.len()], [x.cols; 2], "a factor and a bias for each column");
    pool.for_chunks(x.rows, rows_per_task(x.cols), |rows| {
        stretch_rows(isa, rows, x, factor, bias, add, y);
    });
}

/// `dx = dy · factor`, `products += Σ dy · x` and `sums += Σ dy`, the sums over rows.
///
/// `dx` may be `dy`.
///
/// # Determinism
/// Sums over rows are taken in chunks of a fixed size, in order.
///
/// # Panics
/// If the shapes differ.
pub fn stretch_backward(
    pool: &Pool,
    isa: Isa,
    [dy, x]: [Mat<'_>; 2],
    factor: &[f32],
    dx: MatMut<'_>,
    [products, sums]: [&mut [f32]; 2],
) {
    same_shape(x, dx);
    same_shape(dy, dx);
    let (rows, cols) = (dx.rows, dx.cols);
    assert_eq!([factor.len(), products.len(), sums.len()], [cols; 3], "one number for each column");
    let n_chunks = rows.div_ceil(SHARE_ROWS);
    let mut partial = vec![0.0; n_chunks * 2 * cols];
    let shares = MatMut::f32(&mut partial, n_chunks, 2 * cols);
    pool.for_chunks(rows, SHARE_ROWS, |rows| {
        let chunk = rows.start / SHARE_ROWS;
        // SAFETY: each chunk has its own row.
        let share = unsafe { shares.row_f32(chunk) };
        grad_rows(isa, rows, dy, x, factor, dx, share);
    });
    for share in partial.chunks_exact((2 * cols).max(1)) {
        let (of_product, of_sum) = share.split_at(cols);
        products.iter_mut().zip(of_product).for_each(|(sum, share)| *sum += share);
        sums.iter_mut().zip(of_sum).for_each(|(sum, share)| *sum += share);
    }
}

/// `√(squares + 2 s Σ B ∘ P + s² Σ (B G) ∘ B)` of every row: the length of a row of W + s B A, where
/// P (R, N) is A Wᵀ and G (R, R) is A Aᵀ.
///
/// # Panics
/// If the shapes differ.
pub fn row_norms(pool: &Pool, [squares, b]: [&[f32]; 2], [p, g]: [&[f32]; 2], scale: f32, norm: &mut [f32]) {
    let (n, rank) = (norm.len(), g.len().isqrt());
    assert_eq!(
        [squares.len(), b.len(), p.len()],
        [n, n * rank, n * rank],
        "numbers of {n} rows of rank {rank}"
    );
    let to = MatMut::f32(norm, 1, n);
    let scale = f64::from(scale);
    pool.for_chunks(n, rows_per_task(rank * rank), |rows| {
        // SAFETY: each task has its own columns.
        let to = unsafe { to.columns(rows.start, rows.len()).row_f32(0) };
        for (to, row) in to.iter_mut().zip(rows) {
            let b = &b[row * rank..(row + 1) * rank];
            let (mut along, mut own) = (0.0_f64, 0.0_f64);
            for (r, left) in b.iter().enumerate() {
                let left = f64::from(*left);
                along += left * f64::from(p[r * n + row]);
                let g = &g[r * rank..(r + 1) * rank];
                own += left * b.iter().zip(g).map(|(b, g)| f64::from(*b) * f64::from(*g)).sum::<f64>();
            }
            let square = f64::from(squares[row]) + 2.0 * scale * along + scale * scale * own;
            *to = square.max(0.0).sqrt() as f32;
        }
    });
}

kernel! {
    fn stretch_rows<S>(
        rows: Range<usize>,
        x: Mat<'_>,
        factor: &[f32],
        bias: &[f32],
        add: Option<Mat<'_>>,
        y: MatMut<'_>,
    ) {
        let (mut row_x, mut row_add) = (vec![0.0; x.cols], vec![0.0; x.cols]);
        for row in rows {
            read(x, row, 0, &mut row_x);
            if let Some(add) = add {
                read(add, row, 0, &mut row_add);
            }
            for (((x, factor), bias), add) in row_x.iter_mut().zip(factor).zip(bias).zip(&row_add) {
                *x = S::fma(*x, *factor, *bias + *add);
            }
            // SAFETY: this task owns the row.
            unsafe { write(y, row, 0, &row_x) };
        }
    }
}

kernel! {
    /// `share` holds Σ dy · x of these rows, then Σ dy.
    fn grad_rows<S>(
        rows: Range<usize>,
        dy: Mat<'_>,
        x: Mat<'_>,
        factor: &[f32],
        dx: MatMut<'_>,
        share: &mut [f32],
    ) {
        let (mut row_x, mut row_dy) = (vec![0.0; x.cols], vec![0.0; x.cols]);
        let (products, sums) = share.split_at_mut(x.cols);
        for row in rows {
            read(x, row, 0, &mut row_x);
            read(dy, row, 0, &mut row_dy);
            for ((sum, dy), x) in products.iter_mut().zip(&row_dy).zip(&row_x) {
                *sum = S::fma(*dy, *x, *sum);
            }
            sums.iter_mut().zip(&row_dy).for_each(|(sum, dy)| *sum += dy);
            row_dy.iter_mut().zip(factor).for_each(|(dy, factor)| *dy *= factor);
            // SAFETY: this task owns the row.
            unsafe { write(dx, row, 0, &row_dy) };
        }
    }
}
