//! Cross entropy over the vocabulary, with its gradient in the same visit.
//!
//! A row is read twice: once for its largest logit and the sum of exponentials,
//! both found together block by block, and once more, now from a near cache, to
//! write the gradient.

use super::isa::Isa;
use super::math::{exp2, max, sum};
use super::pool::Pool;
use super::row::{BLOCK, blocks, read, write};
use super::simd::{Simd, kernel};
use super::view::{Mat, MatMut};
use std::f32::consts::LOG2_E;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where [`cross_entropy`] leaves the gradient of the logits.
#[derive(Debug, Clone, Copy)]
pub struct LogitGrad<'a> {
    /// Multiplies the gradient: one over the number of trained tokens.
    pub scale: f32,
    /// `scale · (softmax − onehot)`, (rows, V). It may be the memory of the logits,
    /// also as bf16 over f32 if each row starts where the row of logits does.
    pub dlogits: MatMut<'a>,
}

/// The loss of every row in nats, −log softmax(logits)\[target\], and its gradient if wanted.
///
/// # Shapes
/// `logits` (rows, V); `targets`, `losses` (rows).
///
/// # Panics
/// If the shapes differ or a target is not below V.
pub fn cross_entropy(
    pool: &Pool,
    isa: Isa,
    logits: Mat<'_>,
    targets: &[u32],
    losses: &mut [f32],
    grad: Option<LogitGrad<'_>>,
) {
    let rows = logits.rows;
    assert_eq!((targets.len(), losses.len()), (rows, rows), "a target and a loss for every row");
    if let Some(grad) = grad {
        let shape = (grad.dlogits.rows, grad.dlogits.cols);
        assert_eq!(shape, (rows, logits.cols), "the gradient has the shape of the logits");
    }
    let losses = MatMut::f32(losses, rows, 1);
    pool.run(rows, |row| {
        let loss = loss_row(isa, logits, row, targets[row], grad);
        // SAFETY: each task owns its row.
        unsafe { losses.row_f32(row)[0] = loss };
    });
}

/// The column of the largest number of every row, the first of equals. NaN is passed over.
///
/// # Panics
/// If `columns` has not one number a row.
pub fn argmax(pool: &Pool, isa: Isa, x: Mat<'_>, columns: &mut [u32]) {
    assert_eq!(columns.len(), x.rows, "a column for every row");
    let found: Vec<AtomicU32> = columns.iter().map(|_| AtomicU32::new(0)).collect();
    pool.run(x.rows, |row| found[row].store(largest_column(isa, x, row) as u32, Ordering::Relaxed));
    columns.iter_mut().zip(found).for_each(|(column, found)| *column = found.into_inner());
}

kernel! {
    fn loss_row<S>(logits: Mat<'_>, row: usize, target: u32, grad: Option<LogitGrad<'_>>) -> f32 {
        let target = target as usize;
        assert!(target < logits.cols, "target {target} in a vocabulary of {}", logits.cols);
        let mut block = [0.0; BLOCK];
        let (largest, total) = normalizer::<S>(logits, row, &mut block);
        let picked = logits.get(row, target);
        if let Some(LogitGrad { scale, dlogits }) = grad {
            let factor = (f64::from(scale) / total) as f32;
            for (at, n) in blocks(logits.cols) {
                let block = &mut block[..n];
                read(logits, row, at, block);
                block.iter_mut().for_each(|x| *x = power::<S>(*x, largest) * factor);
                if (at..at + n).contains(&target) {
                    block[target - at] -= scale;
                }
                // SAFETY: this task owns the row.
                unsafe { write(dlogits, row, at, block) };
            }
        }
        (total.ln() - (f64::from(picked) - f64::from(largest))) as f32
    }
}

kernel! {
    fn largest_column<S>(x: Mat<'_>, row: usize) -> usize {
        let mut block = [0.0; BLOCK];
        let (mut largest, mut column) = (f32::NEG_INFINITY, 0);
        for (at, n) in blocks(x.cols) {
            let block = &mut block[..n];
            read(x, row, at, block);
            let top = max(block);
            if top > largest {
                largest = top;
                column = at + block.iter().position(|x| *x == top).unwrap_or(0);
            }
        }
        column
    }
}

/// The largest logit m and Σ exp(x − m), the sum of blocks in f64.
#[inline(always)]
fn normalizer<S: Simd>(logits: Mat<'_>, row: usize, block: &mut [f32; BLOCK]) -> (f32, f64) {
    let (mut largest, mut total) = (f32::NEG_INFINITY, 0.0_f64);
    for (at, n) in blocks(logits.cols) {
        let block = &mut block[..n];
        read(logits, row, at, block);
        let top = max(block);
        if top > largest {
            total *= f64::from(largest - top).exp();
            largest = top;
        }
        block.iter_mut().for_each(|x| *x = power::<S>(*x, largest));
        total += f64::from(sum(block));
    }
    (largest, total)
}

/// exp(x − largest), for x not above it. An error in the last bits of the exponent
/// weighs most where the power is next to nothing.
#[inline(always)]
fn power<S: Simd>(x: f32, largest: f32) -> f32 {
    exp2::<S>((x - largest) * LOG2_E)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::row::tests::{Buffer, assert_close, assert_same, noise, pools};
    use crate::backend::cpu::view::Elem;

    fn reference(x: &[f64], target: usize, scale: f64) -> (f64, Vec<f64>) {
        let top = x.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
        let total: f64 = x.iter().map(|x| (x - top).exp()).sum();
        let onehot = |idx: usize| f64::from(u8::from(idx == target));
        let grad = x.iter().enumerate().map(|(idx, x)| scale * ((x - top).exp() / total - onehot(idx)));
        (total.ln() + top - x[target], grad.collect())
    }

    fn check(elem: Elem, rows: usize, cols: usize, spread: f32) {
        let scale = 0.125_f32;
        let logits = Buffer::new(elem, &noise(rows * cols, 1).iter().map(|x| x * spread).collect::<Vec<_>>());
        let targets: Vec<u32> = (0..rows).map(|row| ((row * 7919 + cols - 1) % cols) as u32).collect();
        let wide = logits.wide();
        let by_row = wide.chunks(cols).zip(&targets);
        let want: Vec<_> = by_row.map(|(x, target)| reference(x, *target as usize, scale.into())).collect();
        let want_losses: Vec<f64> = want.iter().map(|(loss, _)| *loss).collect();
        let want_grad: Vec<f64> = want.into_iter().flat_map(|(_, grad)| grad).collect();
        let tolerance = if elem == Elem::F32 { 2e-6 } else { 1.0 / 256.0 };
        for isa in Isa::available() {
            let mut of_isa = None;
            for pool in pools() {
                let mut alone = vec![0.0; rows];
                cross_entropy(&pool, isa, logits.mat(rows, cols), &targets, &mut alone, None);
                let mut losses = vec![0.0; rows];
                let mut grad = logits.clone();
                let dlogits = grad.mat_mut(rows, cols);
                // SAFETY: the kernel copies a block before it writes it.
                let same = unsafe { dlogits.as_mat() };
                cross_entropy(&pool, isa, same, &targets, &mut losses, Some(LogitGrad { scale, dlogits }));
                assert_eq!(alone, losses, "{isa}");
                let got: Vec<f64> = losses.iter().map(|&x| x.into()).collect();
                assert_close("loss", &got, &want_losses, 1e-6);
                assert_close("gradient", &grad.wide(), &want_grad, tolerance);
                let got = (losses, grad);
                assert_same(isa, &mut of_isa, got);
            }
        }
    }

    #[test]
    fn losses_and_gradients() {
        for elem in [Elem::F32, Elem::Bf16] {
            for (rows, cols, spread) in [(1, 1, 1.0), (3, 5, 1.0), (5, 1025, 10.0), (2, 70_001, 50.0)] {
                check(elem, rows, cols, spread);
            }
        }
        cross_entropy(&pools()[0], Isa::best(), Mat::f32(&[], 0, 4), &[], &mut [], None);
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        let logits = [1e30, -1e30, 0.0, f32::NEG_INFINITY];
        let mut losses = [9.0];
        cross_entropy(&pools()[0], Isa::best(), Mat::f32(&logits, 1, 4), &[0], &mut losses, None);
        assert_eq!(losses, [0.0]);
    }

    #[test]
    fn the_gradient_may_be_bf16_in_the_memory_of_f32_logits() {
        let (rows, cols) = (3, 2050);
        let logits = noise(rows * cols, 4);
        let (targets, mut losses) = ([3, 0, 2049], [0.0; 3]);
        let mut apart = Buffer::new(Elem::Bf16, &vec![0.0; rows * cols]);
        let grad = LogitGrad { scale: 0.5, dlogits: apart.mat_mut(rows, cols) };
        let mat = Mat::f32(&logits, rows, cols);
        cross_entropy(&pools()[1], Isa::best(), mat, &targets, &mut losses, Some(grad));
        let mut memory = logits.clone();
        let ptr = memory.as_mut_ptr().cast::<u8>();
        // SAFETY: the memory holds twice as many bf16; the kernel reads ahead of what it writes.
        let (mat, dlogits) = unsafe {
            (
                Mat::from_raw(ptr, Elem::F32, rows, cols, cols),
                MatMut::from_raw(ptr, Elem::Bf16, rows, cols, 2 * cols),
            )
        };
        let grad = LogitGrad { scale: 0.5, dlogits };
        cross_entropy(&pools()[1], Isa::best(), mat, &targets, &mut losses, Some(grad));
        // SAFETY: the kernel is done.
        let within = unsafe { dlogits.as_mat() };
        for (row, col) in (0..rows).flat_map(|row| (0..cols).map(move |col| (row, col))) {
            assert_eq!(within.get(row, col), apart.mat(rows, cols).get(row, col), "{row} {col}");
        }
    }

    #[test]
    fn argmax_takes_the_first_of_equals() {
        let x = [0.0, 3.0, 3.0, -1.0, -5.0, -2.0, f32::NAN, -2.0];
        let mut columns = [9; 2];
        argmax(&pools()[1], Isa::best(), Mat::f32(&x, 2, 4), &mut columns);
        assert_eq!(columns, [1, 1]);
        let wide = noise(5000, 8);
        let mut column = [0];
        argmax(&pools()[0], Isa::best(), Mat::f32(&wide, 1, 5000), &mut column);
        assert!(wide.iter().all(|x| *x <= wide[column[0] as usize]));
    }

    #[test]
    #[should_panic(expected = "target 4 in a vocabulary of 4")]
    fn a_target_outside_the_vocabulary_is_named() {
        cross_entropy(&pools()[0], Isa::best(), Mat::f32(&[0.0; 4], 1, 4), &[4], &mut [0.0], None);
    }
}
