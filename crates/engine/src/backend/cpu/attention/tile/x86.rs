//! Products and transposes in AVX2 and AVX-512.

use super::{Arith, COLS, Into, Operands, Work};
use crate::backend::cpu::simd::Fused;
use std::arch::x86_64::*;

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
pub(super) fn avx512_bf16(work: impl Work) {
    work.run::<Bf16Pairs>();
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(super) fn avx512(work: impl Work) {
    work.run::<Wide>();
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn avx2(work: impl Work) {
    work.run::<Narrow>();
}

/// Pairs of bf16 in AVX-512.
struct Bf16Pairs;

/// f32 in AVX-512.
struct Wide;

/// f32 in AVX2.
struct Narrow;

impl Arith for Bf16Pairs {
    const PER_WORD: usize = 2;
    const ROWS: usize = 8;
    type Loops = Fused;

    #[inline(always)]
    unsafe fn tile<const R: usize>(op: Operands) {
        // SAFETY: passed on from the caller; the dot needs AVX-512 BF16, which it has.
        unsafe { tile_512::<R>(op, |a, b, c| _mm512_dpbf16_ps(c, bf16s(a), bf16s(b))) }
    }

    #[inline(always)]
    unsafe fn transpose_16(from: *const u32, from_stride: usize, to: *mut u32, to_stride: usize) {
        // SAFETY: passed on from the caller.
        unsafe { transpose_512(from, from_stride, to, to_stride) }
    }

    #[inline(always)]
    unsafe fn interleave(first: &[f32; COLS], second: &[f32; COLS], words: &mut [u32; COLS]) {
        // SAFETY: the arrays are as long as what is read and written.
        unsafe {
            let order = alternate(0, 16);
            for at in [0, 16] {
                let first = _mm512_loadu_ps(first.as_ptr().add(at));
                let second = _mm512_loadu_ps(second.as_ptr().add(at));
                let both: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(second, first));
                let pairs = _mm512_permutexvar_epi16(order, both);
                _mm512_storeu_si512(words.as_mut_ptr().add(at).cast(), pairs);
            }
        }
    }

    #[inline(always)]
    unsafe fn pair_words(first: &[u32; 16], second: &[u32; 16], into: &mut [u32; 32]) {
        // SAFETY: the arrays are as long as what is read and written.
        unsafe {
            let first = _mm512_loadu_si512(first.as_ptr().cast());
            let second = _mm512_loadu_si512(second.as_ptr().cast());
            let low = _mm512_permutex2var_epi16(first, alternate(0, 32), second);
            let high = _mm512_permutex2var_epi16(first, alternate(16, 48), second);
            _mm512_storeu_si512(into.as_mut_ptr().cast(), low);
            _mm512_storeu_si512(into.as_mut_ptr().add(16).cast(), high);
        }
    }

    #[inline(always)]
    unsafe fn narrow(row: &[f32; COLS], words: &mut [u32]) {
        assert_eq!(words.len(), COLS / 2);
        // SAFETY: the row holds 32 numbers and the words as many bf16.
        unsafe {
            let (low, high) = (_mm512_loadu_ps(row.as_ptr()), _mm512_loadu_ps(row.as_ptr().add(16)));
            let both: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
            _mm512_storeu_si512(words.as_mut_ptr().cast(), both);
        }
    }
}

impl Arith for Wide {
    const PER_WORD: usize = 1;
    const ROWS: usize = 8;
    type Loops = Fused;

    #[inline(always)]
    unsafe fn tile<const R: usize>(op: Operands) {
        // SAFETY: passed on from the caller.
        unsafe {
            tile_512::<R>(op, |a, b, c| _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), c))
        }
    }

    #[inline(always)]
    unsafe fn transpose_16(from: *const u32, from_stride: usize, to: *mut u32, to_stride: usize) {
        // SAFETY: passed on from the caller.
        unsafe { transpose_512(from, from_stride, to, to_stride) }
    }
}

/// Positions of 16-bit numbers: `first`, `second`, `first + 1`, `second + 1` and so on.
#[inline(always)]
unsafe fn alternate(first: i32, second: i32) -> __m512i {
    // SAFETY: the caller has AVX-512.
    unsafe {
        let steps = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        let both = _mm512_mullo_epi32(steps, _mm512_set1_epi32(0x0001_0001));
        _mm512_add_epi32(both, _mm512_set1_epi32(first | (second << 16)))
    }
}

#[inline(always)]
unsafe fn bf16s(words: __m512i) -> __m512bh {
    // SAFETY: both are 64 bytes of any content.
    unsafe { std::mem::transmute(words) }
}

#[inline(always)]
unsafe fn tile_512<const R: usize>(op: Operands, dot: impl Fn(__m512i, __m512i, __m512) -> __m512) {
    // SAFETY: the caller promised A, B, C and AVX-512.
    unsafe {
        let mut acc = [[_mm512_setzero_ps(); 2]; R];
        if op.into != Into::Replace {
            for (row, acc) in acc.iter_mut().enumerate() {
                let c = op.c.add(row * op.c_stride);
                *acc = [_mm512_loadu_ps(c), _mm512_loadu_ps(c.add(16))];
            }
        }
        if let Into::Scaled(factors) = op.into {
            let factors = factors.cast::<f32>();
            let factors = [_mm512_loadu_ps(factors), _mm512_loadu_ps(factors.add(16))];
            for acc in &mut acc {
                *acc = [_mm512_mul_ps(acc[0], factors[0]), _mm512_mul_ps(acc[1], factors[1])];
            }
        }
        for k in 0..op.depth {
            let b = op.b.add(k * COLS);
            let b = [_mm512_loadu_si512(b.cast()), _mm512_loadu_si512(b.add(16).cast())];
            for (row, acc) in acc.iter_mut().enumerate() {
                let a = _mm512_set1_epi32(op.word(row, k).cast_signed());
                acc[0] = dot(a, b[0], acc[0]);
                acc[1] = dot(a, b[1], acc[1]);
            }
        }
        for (row, acc) in acc.iter().enumerate() {
            let c = op.c.add(row * op.c_stride);
            _mm512_storeu_ps(c, acc[0]);
            _mm512_storeu_ps(c.add(16), acc[1]);
        }
    }
}

/// Four rounds of pairwise interleaving: words, pairs of words, then 128-bit lanes twice.
#[inline(always)]
unsafe fn transpose_512(from: *const u32, from_stride: usize, to: *mut u32, to_stride: usize) {
    // SAFETY: the caller promised both blocks and AVX-512.
    unsafe {
        let mut rows = [_mm512_setzero_si512(); 16];
        for (idx, row) in rows.iter_mut().enumerate() {
            *row = _mm512_loadu_si512(from.add(idx * from_stride).cast());
        }
        let mut pairs = rows;
        for idx in (0..16).step_by(2) {
            pairs[idx] = _mm512_unpacklo_epi32(rows[idx], rows[idx + 1]);
            pairs[idx + 1] = _mm512_unpackhi_epi32(rows[idx], rows[idx + 1]);
        }
        // After this, fours[4g + c] holds column c of every lane for rows 4g to 4g + 3.
        let mut fours = rows;
        for group in (0..16).step_by(4) {
            for half in 0..2 {
                let (low, high) = (pairs[group + half], pairs[group + 2 + half]);
                fours[group + 2 * half] = _mm512_unpacklo_epi64(low, high);
                fours[group + 2 * half + 1] = _mm512_unpackhi_epi64(low, high);
            }
        }
        for col in 0..4 {
            let [a, b, c, d] = [fours[col], fours[4 + col], fours[8 + col], fours[12 + col]];
            let (ab_even, ab_odd) = (_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd));
            let (cd_even, cd_odd) = (_mm512_shuffle_i32x4(c, d, 0x88), _mm512_shuffle_i32x4(c, d, 0xdd));
            let columns = [
                _mm512_shuffle_i32x4(ab_even, cd_even, 0x88),
                _mm512_shuffle_i32x4(ab_odd, cd_odd, 0x88),
                _mm512_shuffle_i32x4(ab_even, cd_even, 0xdd),
                _mm512_shuffle_i32x4(ab_odd, cd_odd, 0xdd),
            ];
            for (lane, column) in columns.into_iter().enumerate() {
                _mm512_storeu_si512(to.add((4 * lane + col) * to_stride).cast(), column);
            }
        }
    }
}

impl Arith for Narrow {
    const PER_WORD: usize = 1;
    const ROWS: usize = 4;
    type Loops = Fused;

    #[inline(always)]
    unsafe fn tile<const R: usize>(op: Operands) {
        // SAFETY: the caller promised A, B, C and AVX2 with FMA.
        unsafe {
            for col in [0, 16] {
                let mut acc = [[_mm256_setzero_ps(); 2]; R];
                if op.into != Into::Replace {
                    for (row, acc) in acc.iter_mut().enumerate() {
                        let c = op.c.add(row * op.c_stride + col);
                        *acc = [_mm256_loadu_ps(c), _mm256_loadu_ps(c.add(8))];
                    }
                }
                if let Into::Scaled(factors) = op.into {
                    let factors = factors.cast::<f32>().add(col);
                    let factors = [_mm256_loadu_ps(factors), _mm256_loadu_ps(factors.add(8))];
                    for acc in &mut acc {
                        *acc = [_mm256_mul_ps(acc[0], factors[0]), _mm256_mul_ps(acc[1], factors[1])];
                    }
                }
                for k in 0..op.depth {
                    let b = op.b.add(k * COLS + col).cast::<f32>();
                    let b = [_mm256_loadu_ps(b), _mm256_loadu_ps(b.add(8))];
                    for (row, acc) in acc.iter_mut().enumerate() {
                        let a = _mm256_set1_ps(f32::from_bits(op.word(row, k)));
                        acc[0] = _mm256_fmadd_ps(a, b[0], acc[0]);
                        acc[1] = _mm256_fmadd_ps(a, b[1], acc[1]);
                    }
                }
                for (row, acc) in acc.iter().enumerate() {
                    let c = op.c.add(row * op.c_stride + col);
                    _mm256_storeu_ps(c, acc[0]);
                    _mm256_storeu_ps(c.add(8), acc[1]);
                }
            }
        }
    }
    #[inline(always)]
    unsafe fn transpose_16(from: *const u32, from_stride: usize, to: *mut u32, to_stride: usize) {
        for (row, col) in [(0, 0), (0, 8), (8, 0), (8, 8)] {
            // SAFETY: a quarter of the blocks that the caller promised.
            unsafe {
                let from = from.add(row * from_stride + col).cast();
                transpose_256(from, from_stride, to.add(col * to_stride + row).cast(), to_stride);
            }
        }
    }
}

/// An 8 × 8 block: 128-bit lanes, then pairs of words, then words.
#[inline(always)]
unsafe fn transpose_256(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
    // SAFETY: the caller promised both blocks and AVX2.
    unsafe {
        for half in [0, 4] {
            let mut rows = [_mm256_setzero_ps(); 4];
            for (idx, row) in rows.iter_mut().enumerate() {
                let at = from.add(idx * from_stride + half);
                let low = _mm256_castps128_ps256(_mm_loadu_ps(at));
                *row = _mm256_insertf128_ps(low, _mm_loadu_ps(at.add(4 * from_stride)), 1);
            }
            let [a, b, c, d] = rows;
            let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
            let (ab_high, cd_high) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
            let columns = [
                _mm256_shuffle_ps(ab, cd, 0x44),
                _mm256_shuffle_ps(ab, cd, 0xee),
                _mm256_shuffle_ps(ab_high, cd_high, 0x44),
                _mm256_shuffle_ps(ab_high, cd_high, 0xee),
            ];
            for (idx, column) in columns.into_iter().enumerate() {
                _mm256_storeu_ps(to.add((half + idx) * to_stride), column);
            }
        }
    }
}
