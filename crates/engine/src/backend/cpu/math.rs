//! Exponentials and sums in loops that become vectors.
//!
//! The library's `exp` is a call per number; these are a dozen operations per
//! vector. Sums run in a fixed number of lanes that are folded in a fixed order,
//! so they are the same on every run.

use super::simd::Simd;

/// Adding this rounds an f32 of moderate size to an integer, kept in its low bits.
const ROUND: f32 = 12_582_912.0;

/// Natural exponential.
///
/// Within 2 ulp where the result is a normal number: from -86.9 to 88.7.
/// Below it is zero, above infinity; NaN stays NaN.
///
/// # Source
/// Range reduction after Cody and Waite, *Software Manual for the Elementary
/// Functions*, 1980; the polynomials of this file are
/// relative minimax fits of degree six.
#[inline(always)]
pub(super) fn exp<S: Simd>(x: f32) -> f32 {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let shifted = S::fma(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = S::fma(n, -LN2_LOW, S::fma(n, -LN2_HIGH, x));
    let p = S::fma(r, 0.001_381_461_3, 0.008_368_71);
    let p = S::fma(r, p, 0.041_668_39);
    let p = S::fma(r, p, 0.166_665_21);
    let p = S::fma(r, p, 0.499_999_94);
    let p = S::fma(r, p, 1.0);
    let p = S::fma(r, p, 1.0);
    let y = times_power_of_two(p, shifted);
    let y = if x < -86.989_87 { 0.0 } else { y };
    if x > 88.722_83 { f32::INFINITY } else { y }
}

/// Two to the power of `x`, for `x` not above 127.
///
/// Within 2 ulp from -125.5; zero below; NaN stays NaN.
#[inline(always)]
pub(super) fn exp2<S: Simd>(x: f32) -> f32 {
    let shifted = x + ROUND;
    let r = x - (shifted - ROUND);
    let p = S::fma(r, 1.535_336_2e-4, 0.001_339_887_5);
    let p = S::fma(r, p, 0.009_618_437);
    let p = S::fma(r, p, 0.055_503_324);
    let p = S::fma(r, p, 0.240_226_48);
    let p = S::fma(r, p, std::f32::consts::LN_2);
    let p = S::fma(r, p, 1.0);
    let y = times_power_of_two(p, shifted);
    if x < -125.5 { 0.0 } else { y }
}

/// `p · 2ⁿ` where `shifted` is `n + ROUND`, for n from -125 to 128.
///
/// Two factors, because the largest power has no f32 of its own.
#[inline(always)]
fn times_power_of_two(p: f32, shifted: f32) -> f32 {
    let half = f32::from_bits((shifted.to_bits() << 23).wrapping_add(126 << 23));
    (p + p) * half
}

/// `1 / (1 + exp(-x))`.
#[inline(always)]
pub(super) fn sigmoid<S: Simd>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<S>(-x))
}

/// Lanes of every sum: two vectors of the widest processor. More would not stay in its registers.
const LANES: usize = 32;

/// Folds `step(a, b, so_far)` over two slices of one length, and the lanes with `join`.
///
/// The last block is filled up with `pad`, on which `step` must do nothing. It is
/// a block like the others so that the lanes never leave the registers.
#[inline(always)]
fn reduce(
    (a, b): (&[f32], &[f32]),
    (start, pad): (f32, f32),
    step: impl Fn(f32, f32, f32) -> f32,
    join: impl Fn(f32, f32) -> f32,
) -> f32 {
    let mut lanes = [start; LANES];
    let (a_blocks, a_tail) = a.as_chunks::<LANES>();
    let (b_blocks, b_tail) = b.as_chunks::<LANES>();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for idx in 0..LANES {
            lanes[idx] = step(a[idx], b[idx], lanes[idx]);
        }
    }
    if !a_tail.is_empty() {
        let (mut a, mut b) = ([pad; LANES], [pad; LANES]);
        a[..a_tail.len()].copy_from_slice(a_tail);
        b[..b_tail.len()].copy_from_slice(b_tail);
        for idx in 0..LANES {
            lanes[idx] = step(a[idx], b[idx], lanes[idx]);
        }
    }
    let mut half = [start; 16];
    for idx in 0..16 {
        half[idx] = join(lanes[idx], lanes[idx + 16]);
    }
    let mut four = [start; 4];
    for idx in 0..4 {
        four[idx] = join(join(half[idx], half[idx + 4]), join(half[idx + 8], half[idx + 12]));
    }
    join(join(four[0], four[1]), join(four[2], four[3]))
}

/// Σ aᵢ bᵢ.
#[inline(always)]
pub(super) fn dot<S: Simd>(a: &[f32], b: &[f32]) -> f32 {
    reduce((a, b), (0.0, 0.0), |a, b, sum| S::fma(a, b, sum), |a, b| a + b)
}

/// Σ xᵢ.
#[inline(always)]
pub(super) fn sum(x: &[f32]) -> f32 {
    reduce((x, x), (0.0, 0.0), |a, _, sum| a + sum, |a, b| a + b)
}

/// The largest number, or negative infinity if there is none. NaN is passed over.
#[inline(always)]
pub(super) fn max(x: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    reduce((x, x), (f32::NEG_INFINITY, f32::NEG_INFINITY), |a, _, top| larger(a, top), larger)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::isa::Isa;
    use crate::backend::cpu::row::tests::noise;
    use crate::backend::cpu::simd::kernel;

    kernel! {
        fn exp_all<S>(x: &mut [f32]) {
            x.iter_mut().for_each(|x| *x = exp::<S>(*x));
        }
    }

    kernel! {
        fn exp2_all<S>(x: &mut [f32]) {
            x.iter_mut().for_each(|x| *x = exp2::<S>(*x));
        }
    }

    kernel! {
        fn sums<S>(x: &[f32]) -> (f32, f32, f32) {
            (sum(x), dot::<S>(x, x), max(x))
        }
    }

    type Function = (fn(Isa, &mut [f32]), fn(f64) -> f64, f32, f32);

    #[test]
    fn exponentials_are_within_two_ulp() {
        let functions: [Function; 2] =
            [(exp_all, f64::exp, -86.98, 88.72), (exp2_all, f64::exp2, -125.49, 126.99)];
        for (f, exact, low, high) in functions {
            let at = |idx: usize| low + (high - low) * (idx as f32 / 400_000.0);
            let x: Vec<f32> = (0..=400_000).map(at).chain(noise(100_000, 3)).collect();
            for isa in Isa::available() {
                let mut y = x.clone();
                f(isa, &mut y);
                for (x, y) in x.iter().zip(&y) {
                    let exact = exact(f64::from(*x));
                    let ulp = f64::from(f32::from_bits((exact as f32).to_bits() + 1) - exact as f32);
                    let error = (f64::from(*y) - exact).abs() / ulp;
                    assert!(error <= 2.0, "{isa}: at {x} it is {y}, {error} ulp from {exact}");
                }
            }
        }
    }

    #[test]
    fn exponentials_at_the_ends() {
        for isa in Isa::available() {
            let mut y = [f32::NEG_INFINITY, -1e30, -87.0, 0.0, 88.8, f32::INFINITY];
            exp_all(isa, &mut y);
            assert_eq!(y, [0.0, 0.0, 0.0, 1.0, f32::INFINITY, f32::INFINITY], "{isa}");
            let mut y = [f32::NEG_INFINITY, -1e30, -126.0, -1.0, 0.0, 10.0];
            exp2_all(isa, &mut y);
            assert_eq!(y, [0.0, 0.0, 0.0, 0.5, 1.0, 1024.0], "{isa}");
            let mut y = [f32::NAN; 2];
            exp_all(isa, &mut y[..1]);
            exp2_all(isa, &mut y[1..]);
            assert!(y.iter().all(|y| y.is_nan()), "{isa}: {y:?}");
        }
    }

    #[test]
    fn sums_of_every_length() {
        for isa in Isa::available() {
            for n in [0, 1, 63, 64, 65, 1000] {
                let x = noise(n, 5);
                let (sum, dot, max) = sums(isa, &x);
                let wide = x.iter().map(|&x| f64::from(x));
                assert!(
                    (f64::from(sum) - wide.clone().sum::<f64>()).abs() < 1e-5 * (n + 1) as f64,
                    "{isa} {n}"
                );
                let exact: f64 = wide.map(|x| x * x).sum();
                assert!((f64::from(dot) - exact).abs() <= 1e-6 * exact, "{isa} {n}");
                assert_eq!(max, x.iter().copied().fold(f32::NEG_INFINITY, f32::max), "{isa} {n}");
            }
        }
    }
}
