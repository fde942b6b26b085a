//! AdamW, the norm of a gradient and the average of weights, one pass each over memory.

pub mod coded;

use super::isa::Isa;
use super::pool::Pool;
use super::simd::kernel;
use super::view::MatMut;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers in one task: 64 KiB of each array.
const CHUNK: usize = 16 * 1024;

/// The settings of one step of AdamW, as PyTorch means them.
///
/// # Source
/// Loshchilov and Hutter, *Decoupled Weight Decay Regularization*, 2017,
/// arXiv:1711.05101, algorithm 2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// Learning rate of this step.
    pub lr: f32,
    /// Decay of the mean gradient.
    pub beta1: f32,
    /// Decay of the mean squared gradient.
    pub beta2: f32,
    /// Added to the root of the mean square.
    pub eps: f32,
    /// Weights shrink by `lr · weight_decay`, apart from the gradient.
    pub weight_decay: f32,
    /// Number of this step, counted from 1.
    pub step: u32,
}

/// One parameter, its gradient and its two moments, of one length.
#[derive(Debug)]
pub struct Parameter<'a> {
    /// The weights.
    pub weights: &'a mut [f32],
    /// Their gradient.
    pub grad: &'a [f32],
    /// Mean gradient.
    pub m: &'a mut [f32],
    /// Mean squared gradient.
    pub v: &'a mut [f32],
}

/// One step of AdamW with the gradient multiplied by `clip`.
///
/// # Panics
/// If the lengths differ or the step is 0.
pub fn adamw(pool: &Pool, isa: Isa, settings: &AdamW, clip: f32, parameter: Parameter<'_>) {
    let Parameter { weights, grad, m, v } = parameter;
    let n = weights.len();
    assert_eq!([grad.len(), m.len(), v.len()], [n; 3], "weights, gradient and moments of one length");
    let step = Step::new(settings, clip);
    let [weights, m, v] = [weights, m, v].map(|array| MatMut::f32(array, 1, n));
    pool.for_chunks(n, CHUNK, |range| {
        // SAFETY: each task has its own columns.
        let [weights, m, v] = [weights, m, v].map(|mat| unsafe { part(mat, range.clone()) });
        step_chunk(isa, &step, weights, &grad[range], m, v);
    });
}

/// Σ x², in f64.
///
/// # Determinism
/// Chunks of a fixed size, added in order.
pub fn squared_norm(pool: &Pool, isa: Isa, x: &[f32]) -> f64 {
    let sums: Vec<AtomicU64> = (0..x.len().div_ceil(CHUNK)).map(|_| AtomicU64::new(0)).collect();
    pool.for_chunks(x.len(), CHUNK, |range| {
        let sum = square_chunk(isa, &x[range.clone()]);
        sums[range.start / CHUNK].store(sum.to_bits(), Ordering::Relaxed);
    });
    sums.into_iter().map(|sum| f64::from_bits(sum.into_inner())).sum()
}

/// `average ← decay · average + (1 − decay) · weights`.
///
/// # Panics
/// If the lengths differ.
pub fn average(pool: &Pool, isa: Isa, weights: &[f32], decay: f32, average: &mut [f32]) {
    assert_eq!(weights.len(), average.len(), "weights and averages of one length");
    let towards = (1.0 - f64::from(decay)) as f32;
    let average = MatMut::f32(average, 1, weights.len());
    pool.for_chunks(weights.len(), CHUNK, |range| {
        // SAFETY: each task has its own columns.
        let average = unsafe { part(average, range.clone()) };
        average_chunk(isa, &weights[range], towards, average);
    });
}

/// # Safety
/// No other thread or live slice may touch this range.
unsafe fn part<'a>(mat: MatMut<'a>, range: Range<usize>) -> &'a mut [f32] {
    // SAFETY: exclusive by the caller's promise.
    unsafe { mat.columns(range.start, range.len()).row_f32(0) }
}

/// The constants of a step, worked out once in f64.
struct Step {
    clip: f32,
    keep: f32,
    beta1: f32,
    one_less_beta1: f32,
    beta2: f32,
    one_less_beta2: f32,
    rate: f32,
    root_correction: f32,
    eps: f32,
}

impl Step {
    fn new(settings: &AdamW, clip: f32) -> Self {
        assert!(settings.step > 0, "steps are counted from 1");
        let [lr, beta1, beta2, decay] =
            [settings.lr, settings.beta1, settings.beta2, settings.weight_decay].map(f64::from);
        let correction = |beta: f64| 1.0 - beta.powf(settings.step.into());
        Self {
            clip,
            keep: (1.0 - lr * decay) as f32,
            beta1: settings.beta1,
            one_less_beta1: (1.0 - beta1) as f32,
            beta2: settings.beta2,
            one_less_beta2: (1.0 - beta2) as f32,
            rate: (lr / correction(beta1)) as f32,
            root_correction: (1.0 / correction(beta2).sqrt()) as f32,
            eps: settings.eps,
        }
    }
}

kernel! {
    fn step_chunk<S>(step: &Step, weights: &mut [f32], grad: &[f32], m: &mut [f32], v: &mut [f32]) {
        for (((weight, grad), m), v) in weights.iter_mut().zip(grad).zip(m).zip(v) {
            let grad = grad * step.clip;
            *m = S::fma(*m, step.beta1, grad * step.one_less_beta1);
            *v = S::fma(*v, step.beta2, grad * grad * step.one_less_beta2);
            let root = S::fma(v.sqrt(), step.root_correction, step.eps);
            *weight = S::fma(*weight, step.keep, -(step.rate * *m / root));
        }
    }
}

kernel! {
    fn average_chunk<S>(weights: &[f32], towards: f32, average: &mut [f32]) {
        for (average, weight) in average.iter_mut().zip(weights) {
            *average = S::fma(towards, *weight - *average, *average);
        }
    }
}

kernel! {
    fn square_chunk<S>(x: &[f32]) -> f64 {
        let mut lanes = [0.0_f64; 32];
        let (blocks, tail) = x.as_chunks::<32>();
        for block in blocks {
            for idx in 0..32 {
                let wide = f64::from(block[idx]);
                lanes[idx] += wide * wide;
            }
        }
        for (lane, x) in lanes.iter_mut().zip(tail) {
            *lane += f64::from(*x) * f64::from(*x);
        }
        lanes.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::row::tests::{assert_close, assert_same, noise, pools};

    const SETTINGS: AdamW =
        AdamW { lr: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weight_decay: 0.1, step: 1 };

    /// PyTorch's order of operations, in f64.
    fn reference(settings: &AdamW, w: &mut f64, grad: f64, m: &mut f64, v: &mut f64) {
        let [lr, beta1, beta2, eps, decay] =
            [settings.lr, settings.beta1, settings.beta2, settings.eps, settings.weight_decay].map(f64::from);
        *w *= 1.0 - lr * decay;
        *m += (grad - *m) * (1.0 - beta1);
        *v = *v * beta2 + (1.0 - beta2) * grad * grad;
        let correction = |beta: f64| 1.0 - beta.powf(settings.step.into());
        *w -= lr / correction(beta1) * *m / (v.sqrt() / correction(beta2).sqrt() + eps);
    }

    fn check(n: usize) {
        let clip = 0.5_f32;
        let mut want = [noise(n, 1), vec![0.0; n], vec![0.0; n]]
            .map(|a| a.iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
        for step in 1..=3 {
            let [w, m, v] = &mut want;
            for (idx, grad) in noise(n, 10 + u64::from(step)).iter().enumerate() {
                let grad = f64::from(grad * clip);
                reference(&AdamW { step, ..SETTINGS }, &mut w[idx], grad, &mut m[idx], &mut v[idx]);
            }
        }
        for isa in Isa::available() {
            let mut of_isa = None;
            for pool in pools() {
                let mut got = [noise(n, 1), vec![0.0; n], vec![0.0; n]];
                for step in 1..=3 {
                    let [weights, m, v] = &mut got;
                    let grad = &noise(n, 10 + u64::from(step));
                    adamw(&pool, isa, &AdamW { step, ..SETTINGS }, clip, Parameter { weights, grad, m, v });
                }
                for (got, want) in got.iter().zip(&want) {
                    let got: Vec<f64> = got.iter().map(|&x| x.into()).collect();
                    assert_close("weights and moments", &got, want, 1e-6);
                }
                assert_same(isa, &mut of_isa, got);
            }
        }
    }

    #[test]
    fn three_steps() {
        for n in [0, 1, 37, CHUNK + 5] {
            check(n);
        }
    }

    #[test]
    fn norms() {
        for n in [0, 1, 33, 3 * CHUNK + 7] {
            let x: Vec<f32> = noise(n, 2).iter().map(|x| x * 1e20).collect();
            let want: f64 = x.iter().map(|&x| f64::from(x).powi(2)).sum();
            for isa in Isa::available() {
                let norms: Vec<f64> = pools().iter().map(|pool| squared_norm(pool, isa, &x)).collect();
                assert!(norms.iter().all(|norm| *norm == norms[0]), "{isa}: {norms:?}");
                assert!((norms[0] - want).abs() <= 1e-12 * want, "{isa}: {} for {want}", norms[0]);
            }
        }
    }
}
