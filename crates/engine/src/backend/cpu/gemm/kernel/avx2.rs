//! AVX2 with fused multiply-add: 6 × 16 sums in 12 of 16 registers.

use super::{Simd, table};
use std::arch::x86_64::{
    __m256, __m256i, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_permute2x128_si256,
    _mm256_set1_ps, _mm256_setzero_ps, _mm256_setzero_si256, _mm256_storeu_ps, _mm256_storeu_si256,
    _mm256_unpackhi_epi32, _mm256_unpackhi_epi64, _mm256_unpacklo_epi32, _mm256_unpacklo_epi64,
};

#[derive(Clone, Copy)]
struct Fma(__m256);

// SAFETY of all methods: the caller has AVX2 and FMA and vouches for the memory.
impl Simd for Fma {
    type Words = __m256;
    const LANES: usize = 8;
    const ROWS: usize = 6;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self(unsafe { _mm256_setzero_ps() })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(unsafe { _mm256_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm256_storeu_ps(to, self.0) };
    }

    #[inline(always)]
    unsafe fn words(from: *const u32) -> __m256 {
        unsafe { _mm256_loadu_ps(from.cast()) }
    }

    #[inline(always)]
    unsafe fn splat(from: *const u8) -> __m256 {
        unsafe { _mm256_set1_ps(from.cast::<f32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, a: __m256, b: __m256) -> Self {
        Self(unsafe { _mm256_fmadd_ps(a, b, self.0) })
    }

    #[inline(always)]
    unsafe fn transpose(block: &[[u32; 16]; 16], to: *mut u32) {
        for row in [0, 8] {
            for col in [0, 8] {
                unsafe {
                    transpose_8(
                        block.as_ptr().add(row).cast::<u32>().add(col),
                        to.add(col * super::PANEL + row),
                    )
                };
            }
        }
    }
}

/// Transposes 8 × 8 words; rows are 16 words apart in `from` and a panel apart in `to`.
#[inline(always)]
unsafe fn transpose_8(from: *const u32, to: *mut u32) {
    unsafe {
        let mut r = [_mm256_setzero_si256(); 8];
        for row in 0..8 {
            r[row] = _mm256_loadu_si256(from.add(row * 16).cast());
        }
        let mut s = r;
        for i in 0..4 {
            s[2 * i] = _mm256_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
            s[2 * i + 1] = _mm256_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
        }
        for half in 0..2 {
            let q = 4 * half;
            r[q] = _mm256_unpacklo_epi64(s[q], s[q + 2]);
            r[q + 1] = _mm256_unpackhi_epi64(s[q], s[q + 2]);
            r[q + 2] = _mm256_unpacklo_epi64(s[q + 1], s[q + 3]);
            r[q + 3] = _mm256_unpackhi_epi64(s[q + 1], s[q + 3]);
        }
        for i in 0..4 {
            store(_mm256_permute2x128_si256::<0x20>(r[i], r[i + 4]), to.add(i * super::PANEL));
            store(_mm256_permute2x128_si256::<0x31>(r[i], r[i + 4]), to.add((i + 4) * super::PANEL));
        }
    }
}

#[inline(always)]
unsafe fn store(words: __m256i, to: *mut u32) {
    unsafe { _mm256_storeu_si256(to.cast(), words) };
}

table!(FMA, Fma, 2, #[target_feature(enable = "avx2,fma")]);
