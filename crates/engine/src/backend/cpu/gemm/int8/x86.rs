//! Sums of bytes with AVX-512 VNNI and with AVX-VNNI, and words turned with AVX2.

use super::super::kernel::{PANEL, Strip, Tile};
use super::kernel::{Factors, Integers, Multiply, multiply};
use crate::backend::cpu::isa::Isa;
use std::arch::x86_64::{
    __m256i, __m512i, _mm_loadu_si128, _mm_setr_epi8, _mm_shuffle_epi8, _mm_storeu_si128, _mm256_add_ps,
    _mm256_cvtepi32_ps, _mm256_dpbusd_avx_epi32, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_mul_ps,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_storeu_ps, _mm512_add_ps, _mm512_cvtepi32_ps,
    _mm512_dpbusd_epi32, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mul_ps, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_storeu_ps,
};

/// The routine for `isa`, if the processor has an instruction that it may use.
pub(super) fn choose(isa: Isa) -> Option<Multiply> {
    match isa {
        Isa::Avx512Bf16 | Isa::Avx512 if is_x86_feature_detected!("avx512vnni") => Some(avx512),
        Isa::Avx512Bf16 | Isa::Avx512 | Isa::Avx2 if is_x86_feature_detected!("avxvnni") => Some(avx2),
        _ => None,
    }
}

#[target_feature(enable = "avx512vnni,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn avx512(strip: &Strip, rows: usize, factors: &Factors<'_>, tile: *mut Tile, resume: bool) {
    // SAFETY: passed on.
    unsafe { multiply::<Wide>(strip, rows, factors, tile, resume) }
}

#[target_feature(enable = "avxvnni,avx2,fma")]
unsafe fn avx2(strip: &Strip, rows: usize, factors: &Factors<'_>, tile: *mut Tile, resume: bool) {
    // SAFETY: passed on.
    unsafe { multiply::<Narrow>(strip, rows, factors, tile, resume) }
}

/// Sixteen sums.
#[derive(Clone, Copy)]
struct Wide(__m512i);

/// Eight sums.
#[derive(Clone, Copy)]
struct Narrow(__m256i);

// SAFETY of all methods: the caller has AVX-512 VNNI and vouches for the memory.
impl Integers for Wide {
    type Bytes = __m512i;
    const LANES: usize = 16;
    const ROWS: usize = 12;

    #[inline(always)]
    unsafe fn splat(start: i32) -> Self {
        Self(unsafe { _mm512_set1_epi32(start) })
    }

    #[inline(always)]
    unsafe fn panel(from: *const u32) -> __m512i {
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn repeat(word: *const u8) -> __m512i {
        unsafe { _mm512_set1_epi32(word.cast::<i32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn dot(self, panel: __m512i, row: __m512i) -> Self {
        Self(unsafe { _mm512_dpbusd_epi32(self.0, panel, row) })
    }

    #[inline(always)]
    unsafe fn finish(self, scale: f32, columns: Option<*const f32>, to: *mut f32, adds: bool) {
        unsafe {
            let scale = _mm512_set1_ps(scale);
            let scale = match columns {
                Some(columns) => _mm512_mul_ps(scale, _mm512_loadu_ps(columns)),
                None => scale,
            };
            let value = _mm512_mul_ps(_mm512_cvtepi32_ps(self.0), scale);
            let value = if adds { _mm512_add_ps(_mm512_loadu_ps(to), value) } else { value };
            _mm512_storeu_ps(to, value);
        }
    }
}

// SAFETY of all methods: the caller has AVX-VNNI and vouches for the memory.
impl Integers for Narrow {
    type Bytes = __m256i;
    const LANES: usize = 8;
    const ROWS: usize = 6;

    #[inline(always)]
    unsafe fn splat(start: i32) -> Self {
        Self(unsafe { _mm256_set1_epi32(start) })
    }

    #[inline(always)]
    unsafe fn panel(from: *const u32) -> __m256i {
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn repeat(word: *const u8) -> __m256i {
        unsafe { _mm256_set1_epi32(word.cast::<i32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn dot(self, panel: __m256i, row: __m256i) -> Self {
        Self(unsafe { _mm256_dpbusd_avx_epi32(self.0, panel, row) })
    }

    #[inline(always)]
    unsafe fn finish(self, scale: f32, columns: Option<*const f32>, to: *mut f32, adds: bool) {
        unsafe {
            let scale = _mm256_set1_ps(scale);
            let scale = match columns {
                Some(columns) => _mm256_mul_ps(scale, _mm256_loadu_ps(columns)),
                None => scale,
            };
            let value = _mm256_mul_ps(_mm256_cvtepi32_ps(self.0), scale);
            let value = if adds { _mm256_add_ps(_mm256_loadu_ps(to), value) } else { value };
            _mm256_storeu_ps(to, value);
        }
    }
}

/// Turns the 4 × 4 bytes of each of `n_groups` groups of four words; the results lie a line apart.
///
/// # Safety
/// The processor has AVX2; the groups exist on both sides.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn turn_line(from: *const u32, n_groups: usize, to: *mut u32) {
    let turn = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    for group in 0..n_groups {
        // SAFETY: the caller vouches for the groups.
        unsafe {
            let words = _mm_loadu_si128(from.add(4 * group).cast());
            _mm_storeu_si128(to.add(group * PANEL).cast(), _mm_shuffle_epi8(words, turn));
        }
    }
}
