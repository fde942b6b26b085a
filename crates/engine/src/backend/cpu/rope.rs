//! Rotary position embedding, half-split layout: pairs are (i, i + E/2).
//!
//! # Source
//! Su et al., *RoFormer: Enhanced Transformer with Rotary Position Embedding*,
//! 2021, arXiv:2104.09864, eq. 34. The halves are paired as in the published
//! Llama checkpoints, not neighbour with neighbour.

use super::elementwise::same_shape;
use super::isa::Isa;
use super::pool::Pool;
use super::row::{read, rows_per_task, write};
use super::simd::kernel;
use super::view::{Elem, Mat, MatMut};
use std::ops::Range;

/// Which way [`rope`] rotates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// By the angle of the position.
    Forward,
    /// By minus that angle: the derivative of the forward turn.
    Back,
}

/// Cosines and sines of every row, as [`rope_table`] writes them, (M, E/2) f32.
#[derive(Debug, Clone, Copy)]
pub struct Angles<'a> {
    /// Cosines.
    pub cos: Mat<'a>,
    /// Sines.
    pub sin: Mat<'a>,
}

/// Cosine and sine of `position · inv_freq`, both times `scale`.
///
/// The angle is computed in f64: in f32 a position of a million would be off by a tenth of a turn.
///
/// # Shapes
/// `positions` (M); `inv_freq` (E/2); `cos`, `sin` (M, E/2) f32.
///
/// # Panics
/// If the shapes differ or a table is not f32.
pub fn rope_table(
    pool: &Pool,
    positions: &[u32],
    inv_freq: &[f32],
    scale: f32,
    cos: MatMut<'_>,
    sin: MatMut<'_>,
) {
    let shape = (positions.len(), inv_freq.len());
    for table in [cos, sin] {
        assert!(table.elem == Elem::F32 && (table.rows, table.cols) == shape, "a table of {shape:?} f32");
    }
    let fill_row = |row: usize| {
        // SAFETY: each task owns its rows of both tables.
        let (cos, sin) = unsafe { (cos.row_f32(row), sin.row_f32(row)) };
        for ((cos, sin), freq) in cos.iter_mut().zip(sin).zip(inv_freq) {
            let (s, c) = (f64::from(positions[row]) * f64::from(*freq)).sin_cos();
            *cos = (c * f64::from(scale)) as f32;
            *sin = (s * f64::from(scale)) as f32;
        }
    };
    pool.for_chunks(shape.0, 16, |rows| rows.for_each(fill_row));
}

/// Rotates every head of every row; `y` may be `x`.
///
/// # Shapes
/// `x`, `y` (M, heads · E), where E is twice the width of the tables.
///
/// # Panics
/// If the shapes do not fit.
pub fn rope(pool: &Pool, isa: Isa, x: Mat<'_>, angles: Angles<'_>, turn: Turn, y: MatMut<'_>) {
    same_shape(x, y);
    for table in [angles.cos, angles.sin] {
        assert!(table.elem == Elem::F32 && table.rows == x.rows, "a table of {} rows of f32", x.rows);
    }
    assert_eq!(angles.cos.cols, angles.sin.cols, "as many cosines as sines");
    let width = 2 * angles.cos.cols;
    assert!(width > 0 && x.cols.is_multiple_of(width), "{} columns in heads of {width}", x.cols);
    pool.for_chunks(x.rows, rows_per_task(x.cols), |rows| rotate_rows(isa, rows, x, angles, turn, y));
}

kernel! {
    fn rotate_rows<S>(rows: Range<usize>, x: Mat<'_>, angles: Angles<'_>, turn: Turn, y: MatMut<'_>) {
        let half = angles.cos.cols;
        let (mut data, mut sin) = (vec![0.0; x.cols], vec![0.0; half]);
        for row in rows {
            read(x, row, 0, &mut data);
            read(angles.sin, row, 0, &mut sin);
            if turn == Turn::Back {
                sin.iter_mut().for_each(|sin| *sin = -*sin);
            }
            let cos = &angles.cos.row_f32(row)[..half];
            let sin = &sin[..half];
            for head in data.chunks_exact_mut(2 * half) {
                let (first, second) = head.split_at_mut(half);
                for idx in 0..half {
                    let (a, b) = (first[idx], second[idx]);
                    first[idx] = S::fma(a, cos[idx], -(b * sin[idx]));
                    second[idx] = S::fma(b, cos[idx], a * sin[idx]);
                }
            }
            // SAFETY: this task owns the row.
            unsafe { write(y, row, 0, &data) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::row::tests::{Buffer, assert_close, assert_same, noise, pools};

    fn inv_freq(half: usize) -> Vec<f32> {
        (0..half).map(|idx| 10_000_f32.powf(-(idx as f32) / half as f32)).collect()
    }

    fn reference(x: &[f64], positions: &[u32], heads: usize, half: usize, sign: f64) -> Vec<f64> {
        let mut y = x.to_vec();
        let freq = inv_freq(half);
        for (row, position) in positions.iter().enumerate() {
            for (head, idx) in (0..heads).flat_map(|head| (0..half).map(move |idx| (head, idx))) {
                let angle = sign * f64::from(*position) * f64::from(freq[idx]);
                let at = (row * heads + head) * 2 * half + idx;
                let (a, b) = (x[at], x[at + half]);
                y[at] = a * angle.cos() - b * angle.sin();
                y[at + half] = b * angle.cos() + a * angle.sin();
            }
        }
        y
    }

    fn check(elem: Elem, positions: &[u32], heads: usize, width: usize) {
        let (rows, cols, half) = (positions.len(), heads * width, width / 2);
        let x = Buffer::new(elem, &noise(rows * cols, 1));
        let tolerance = if elem == Elem::F32 { 3e-7 } else { 1.0 / 256.0 };
        for isa in Isa::available() {
            let mut of_isa = None;
            for pool in pools() {
                let (mut cos, mut sin) = (vec![0.0; rows * half], vec![0.0; rows * half]);
                let (c, s) = (MatMut::f32(&mut cos, rows, half), MatMut::f32(&mut sin, rows, half));
                rope_table(&pool, positions, &inv_freq(half), 1.0, c, s);
                let angles = Angles { cos: Mat::f32(&cos, rows, half), sin: Mat::f32(&sin, rows, half) };
                let mut y = Buffer::new(elem, &vec![0.0; rows * cols]);
                rope(&pool, isa, x.mat(rows, cols), angles, Turn::Forward, y.mat_mut(rows, cols));
                assert_close("y", &y.wide(), &reference(&x.wide(), positions, heads, half, 1.0), tolerance);
                let mut back = x.clone();
                let view = back.mat_mut(rows, cols);
                // SAFETY: the kernel copies a row before it writes it.
                rope(&pool, isa, unsafe { view.as_mat() }, angles, Turn::Back, view);
                assert_close(
                    "back",
                    &back.wide(),
                    &reference(&x.wide(), positions, heads, half, -1.0),
                    tolerance,
                );
                let got = (y, back);
                assert_same(isa, &mut of_isa, got);
            }
        }
    }

    #[test]
    fn heads_of_every_width() {
        for elem in [Elem::F32, Elem::Bf16] {
            check(elem, &[], 2, 8);
            check(elem, &[0, 1, 2, 0, 999_999, 5], 3, 64);
            check(elem, &[7, 1_000_000], 2, 80);
            check(elem, &(0..40).collect::<Vec<_>>(), 1, 2);
        }
    }

    #[test]
    fn the_table_is_scaled() {
        let (mut cos, mut sin) = ([0.0; 2], [0.0; 2]);
        let pool = &pools()[0];
        rope_table(pool, &[0], &[1.0, 0.5], 1.25, MatMut::f32(&mut cos, 1, 2), MatMut::f32(&mut sin, 1, 2));
        assert_eq!((cos, sin), ([1.25; 2], [0.0; 2]));
    }
}
