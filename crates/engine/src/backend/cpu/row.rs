//! Rows of a matrix in and out of f32 buffers.
//!
//! Kernels compute on short f32 buffers in the nearest cache, so each is written
//! once whatever the storage of its matrices, and may write where it reads: a
//! block is copied before it is written, and no two slices ever overlap.

use super::prefetch::ask_for;
use super::view::{Elem, Mat, MatMut};
use half::bf16;

/// Numbers in one piece of a row: a few buffers of this length fit the nearest cache.
pub(super) const BLOCK: usize = 1024;

/// How far ahead numbers are asked for, in bytes.
const AHEAD: usize = 4096;

/// Bytes from a number to the one that is asked for with it: further on in whole rows, which are walked
/// through in order; in rows that are part of wider ones, the same columns of a later row.
#[inline(always)]
fn ahead(row_bytes: usize, stride_bytes: usize) -> usize {
    if row_bytes == stride_bytes { AHEAD } else { (AHEAD / stride_bytes.max(1)).max(1) * stride_bytes }
}

/// Rows that make one task of the pool: some ten microseconds of work.
pub(super) fn rows_per_task(cols: usize) -> usize {
    (32 * BLOCK / cols.max(1)).max(1)
}

/// The pieces `(start, length)` of a row of `cols` numbers.
#[inline(always)]
pub(super) fn blocks(cols: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..cols).step_by(BLOCK).map(move |at| (at, BLOCK.min(cols - at)))
}

/// Copies `into.len()` numbers of a row, from column `at`, widened to f32.
#[inline(always)]
pub(super) fn read(mat: Mat<'_>, row: usize, at: usize, into: &mut [f32]) {
    let size = mat.elem.bytes();
    let next = mat.row_ptr(row).wrapping_add(at * size + ahead(mat.cols * size, mat.stride * size));
    ask_for(next, into.len() * size);
    match mat.elem {
        Elem::F32 => into.copy_from_slice(&mat.row_f32(row)[at..at + into.len()]),
        Elem::Bf16 => widen(&mat.row_bf16(row)[at..at + into.len()], into),
    }
}

/// Writes `from` to a row, from column `at`, rounding to nearest even if it is bf16.
///
/// # Safety
/// No other thread or live slice may touch these numbers.
#[inline(always)]
pub(super) unsafe fn write(mat: MatMut<'_>, row: usize, at: usize, from: &[f32]) {
    assert!(row < mat.rows && at + from.len() <= mat.cols);
    let ptr = mat.row_ptr(row).wrapping_add(at * mat.elem.bytes());
    let size = mat.elem.bytes();
    ask_for(ptr.wrapping_add(ahead(mat.cols * size, mat.stride * size)).cast_const(), from.len() * size);
    match mat.elem {
        Elem::F32 => {
            // SAFETY: in bounds by the assertion, exclusive by the caller's promise.
            let into = unsafe { std::slice::from_raw_parts_mut(ptr.cast::<f32>(), from.len()) };
            into.copy_from_slice(from);
        }
        Elem::Bf16 => {
            // SAFETY: as above.
            let into = unsafe { std::slice::from_raw_parts_mut(ptr.cast::<bf16>(), from.len()) };
            narrow(from, into);
        }
    }
}

/// Widens bf16 numbers, exactly.
#[inline(always)]
pub(super) fn widen(from: &[bf16], into: &mut [f32]) {
    for (wide, narrow) in into.iter_mut().zip(from) {
        *wide = f32::from_bits(u32::from(narrow.to_bits()) << 16);
    }
}

/// Rounds f32 numbers to bf16.
#[inline(always)]
pub(super) fn narrow(from: &[f32], into: &mut [bf16]) {
    for (narrow, wide) in into.iter_mut().zip(from) {
        *narrow = bf16::from_bits((rounded_bits(*wide) >> 16) as u16);
    }
}

/// The bits of `x` with the nearest bf16, ties to even, in their upper half.
///
/// Branch-free, so that loops over it become vectors; the lower half is not cleared.
#[inline(always)]
pub(super) fn rounded_bits(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1));
    // Rounding could carry a NaN into infinity: keep it, made quiet.
    if x.is_nan() { bits | 0x0040_0000 } else { rounded }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::backend::cpu::isa::Isa;
    use crate::backend::cpu::pool::Pool;
    use std::num::NonZeroUsize;

    /// Pools of one, two and three threads: every kernel must not notice.
    pub(in crate::backend::cpu) fn pools() -> Vec<Pool> {
        (1..=3).filter_map(NonZeroUsize::new).map(Pool::new).collect()
    }

    /// `n` numbers between -1 and 1 that look random.
    pub(in crate::backend::cpu) fn noise(n: usize, seed: u64) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 40) as f32) / (1_u64 << 23) as f32 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    /// A matrix of either storage that tests own.
    #[derive(Debug, Clone, PartialEq)]
    pub(in crate::backend::cpu) enum Buffer {
        F32(Vec<f32>),
        Bf16(Vec<bf16>),
    }

    impl Buffer {
        pub(in crate::backend::cpu) fn new(elem: Elem, data: &[f32]) -> Self {
            match elem {
                Elem::F32 => Self::F32(data.to_vec()),
                Elem::Bf16 => Self::Bf16(data.iter().map(|&x| bf16::from_f32(x)).collect()),
            }
        }

        pub(in crate::backend::cpu) fn mat(&self, rows: usize, cols: usize) -> Mat<'_> {
            match self {
                Self::F32(data) => Mat::f32(data, rows, cols),
                Self::Bf16(data) => Mat::bf16(data, rows, cols),
            }
        }

        pub(in crate::backend::cpu) fn mat_mut(&mut self, rows: usize, cols: usize) -> MatMut<'_> {
            match self {
                Self::F32(data) => MatMut::f32(data, rows, cols),
                Self::Bf16(data) => MatMut::bf16(data, rows, cols),
            }
        }

        pub(in crate::backend::cpu) fn wide(&self) -> Vec<f64> {
            match self {
                Self::F32(data) => data.iter().map(|&x| f64::from(x)).collect(),
                Self::Bf16(data) => data.iter().map(|x| x.to_f64()).collect(),
            }
        }
    }

    /// Fails where `got` is further than `tolerance` of the largest number, or of 0.05, from `expected`.
    pub(in crate::backend::cpu) fn assert_close(what: &str, got: &[f64], expected: &[f64], tolerance: f64) {
        assert_eq!(got.len(), expected.len(), "{what}");
        let largest = expected.iter().fold(0.05_f64, |top, x| top.max(x.abs()));
        for (idx, (got, expected)) in got.iter().zip(expected).enumerate() {
            let error = (got - expected).abs() / largest;
            assert!(error <= tolerance, "{what}[{idx}] is {got}, expected {expected}, {error:e} apart");
        }
    }

    /// Fails if `got` differs in any bit from what an earlier pool gave, kept in `first`.
    pub(in crate::backend::cpu) fn assert_same<T: PartialEq>(isa: Isa, first: &mut Option<T>, got: T) {
        if let Some(first) = first {
            assert!(*first == got, "{isa}: the number of threads changed a result");
        }
        first.get_or_insert(got);
    }

    #[test]
    fn rounding_agrees_with_half() {
        let special = [0.0, -0.0, 1.0, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE, 1e-45];
        let ties = [0x3f80_8000, 0x3f81_8000, 0x3f80_8001, 0x3f80_7fff, 0x7f7f_ffff].map(f32::from_bits);
        for x in special.into_iter().chain(ties).chain(noise(10_000, 1)) {
            let mut got = [bf16::ZERO];
            narrow(&[x], &mut got);
            assert_eq!(got[0].to_bits(), bf16::from_f32(x).to_bits(), "{x:e}");
        }
        let mut got = [bf16::ZERO];
        narrow(&[f32::from_bits(0x7f80_0001)], &mut got);
        assert!(got[0].is_nan());
    }
}
