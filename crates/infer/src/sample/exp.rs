//! The exponential of many numbers at a time.
//!
//! A choice among fifty thousand ids takes as many exponentials, twice, for every id written. The
//! one of the standard library is called for one number after the other; this one is a few
//! multiplications without a branch, which the compiler turns into vectors, of whatever width the
//! processor has. It also gives the same bits on every machine, which the library's does not promise:
//! nothing is fused, and sums have eight parts everywhere.
//!
//! A block is first turned into exponentials and then summed: in one loop the eight sums would keep
//! the compiler from seeing vectors at all.

/// log2 e.
const LOG2_E: f64 = std::f64::consts::LOG2_E;
/// ln 2 in two parts: the first has so few digits that its product with a whole number is exact.
const LN_2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fefa_3800);
const LN_2_LOW: f64 = f64::from_bits(0x3d2e_f357_93c7_6730);
/// Adding it leaves a whole number in the lowest bits: 1.5 · 2^52.
const WHOLE: f64 = 6_755_399_441_055_744.0;
/// What the powers of r are divided by, from the twelfth down.
const DIVISORS: [f64; 13] = [
    479_001_600.0,
    39_916_800.0,
    3_628_800.0,
    362_880.0,
    40_320.0,
    5_040.0,
    720.0,
    120.0,
    24.0,
    6.0,
    2.0,
    1.0,
    1.0,
];
/// Below it the result is less than any sum of exponentials up to one can show.
const LEAST: f64 = -700.0;

/// `exp(x)` for `x` of at most 700, within 2 units in the last place; zero below −700.
///
/// `x = n ln 2 + r` with |r| at most half of ln 2; the series of `exp(r)` is cut after r^13, which
/// leaves 2e-17; n goes into the exponent.
#[inline(always)]
pub(super) fn exp(x: f64) -> f64 {
    let bounded = x.max(LEAST);
    let shifted = bounded * LOG2_E + WHOLE;
    let n = shifted - WHOLE;
    let r = (bounded - n * LN_2_HIGH) - n * LN_2_LOW;
    let mut sum = 1.0 / 6_227_020_800.0;
    for divisor in &DIVISORS {
        sum = sum * r + 1.0 / divisor;
    }
    let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1.0_f64.to_bits()));
    if x < LEAST { 0.0 } else { sum * power }
}

/// Numbers that are summed at a time.
const BLOCK: usize = 1024;

/// Sums side by side.
const LANES: usize = 8;

/// Sum of `exp(x − top)`: eight sums side by side, added in one order.
pub(super) fn sum_exp(numbers: impl ExactSizeIterator<Item = f32>, top: f32) -> f64 {
    let mut sums = [0.0; LANES];
    let mut block = [0.0; BLOCK];
    let mut rest = numbers;
    while rest.len() > 0 {
        let n = rest.len().min(BLOCK);
        block[n..].fill(f32::NEG_INFINITY);
        block.iter_mut().zip(rest.by_ref()).for_each(|(place, x)| *place = x);
        add(&mut sums, &block[..n.next_multiple_of(LANES)], f64::from(top));
    }
    sums.iter().sum()
}

/// Adds `exp(x − top)` of every eighth number to each sum.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512dq+avx512vl", "x86_64+avx2"))]
fn add(sums: &mut [f64; LANES], numbers: &[f32], top: f64) {
    let mut weights = [0.0; BLOCK];
    let weights = &mut weights[..numbers.len()];
    for (weight, x) in weights.iter_mut().zip(numbers) {
        *weight = exp(f64::from(*x) - top);
    }
    for weights in weights.as_chunks::<LANES>().0 {
        for (sum, weight) in sums.iter_mut().zip(weights) {
            *sum += weight;
        }
    }
}

/// The largest of some numbers that are none of them NaN; minus infinity if there are none.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
pub(super) fn largest(numbers: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let mut tops = [f32::NEG_INFINITY; 4 * LANES];
    let (blocks, rest) = numbers.as_chunks::<{ 4 * LANES }>();
    for block in blocks {
        for (top, x) in tops.iter_mut().zip(block) {
            *top = larger(*x, *top);
        }
    }
    tops.iter().chain(rest).fold(f32::NEG_INFINITY, |top, x| larger(*x, top))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_librarys_to_the_last_digits() {
        let numbers = (0..200_000).map(|i| f64::from(i) * -0.003_456_789);
        for x in numbers.chain([0.0, -1e-300, 0.5, 3.0, 699.9]) {
            let (found, expected) = (exp(x), x.exp());
            assert!((found - expected).abs() <= 5e-16 * expected, "exp({x}) is {found}, expected {expected}");
        }
        assert_eq!((exp(0.0), exp(-700.1), exp(f64::NEG_INFINITY)), (1.0, 0.0, 0.0));
    }

    #[test]
    fn the_largest_is_found_wherever_it_stands() {
        for n in [1, 31, 32, 33, 100] {
            for place in 0..n {
                let mut numbers = vec![-2.0; n];
                numbers[place] = -1.0;
                assert_eq!(largest(&numbers), -1.0, "{place} of {n}");
            }
        }
        assert_eq!(largest(&[]), f32::NEG_INFINITY);
    }

    #[test]
    fn sums_take_every_number_once() {
        for n in [0, 1, 7, 8, 9, 100] {
            let numbers: Vec<f32> = (0..n).map(|i| i as f32 * -0.1).collect();
            let expected: f64 = numbers.iter().map(|x| f64::from(*x).exp()).sum();
            assert!((sum_exp(numbers.iter().copied(), 0.0) - expected).abs() < 1e-12, "{n}");
        }
    }
}
