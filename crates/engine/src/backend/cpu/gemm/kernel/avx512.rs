//! AVX-512: 12 × 32 sums in 24 of 32 registers, with f32 or with bf16 pairs.

mod decode;
mod fused;

use super::{CodedRows, FUSED_ROWS, LINE, PANEL, Simd, Tile, table};
use crate::backend::cpu::gemm::coded::CodedPanel;
use std::arch::asm;
use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_loadu_si512, _mm512_permutexvar_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_shuffle_i32x4, _mm512_storeu_ps, _mm512_storeu_si512,
    _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};
use std::mem::transmute;

/// Sums of f32 products.
#[derive(Clone, Copy)]
struct Fma(__m512);

/// Sums of bf16 pairs.
#[derive(Clone, Copy)]
struct Dot(__m512);

// SAFETY of all methods: the caller has AVX-512 and vouches for the memory.
impl Simd for Fma {
    type Words = __m512;
    const LANES: usize = 16;
    const ROWS: usize = 12;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self(unsafe { _mm512_setzero_ps() })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, self.0) };
    }

    #[inline(always)]
    unsafe fn words(from: *const u32) -> __m512 {
        unsafe { _mm512_loadu_ps(from.cast()) }
    }

    #[inline(always)]
    unsafe fn splat(from: *const u8) -> __m512 {
        unsafe { _mm512_set1_ps(from.cast::<f32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, a: __m512, b: __m512) -> Self {
        Self(unsafe { _mm512_fmadd_ps(a, b, self.0) })
    }

    #[inline(always)]
    unsafe fn transpose(block: &[[u32; 16]; 16], to: *mut u32) {
        unsafe { transpose(block, to) };
    }

    #[inline(always)]
    unsafe fn flip(from: *const u32, to: *mut u32) {
        unsafe { flip(from, to) };
    }

    #[inline(always)]
    unsafe fn lookup(table: &[f32; 16], at: &[i32; LINE]) -> [f32; LINE] {
        unsafe { lookup(table, at) }
    }
}

// SAFETY of all methods: the caller has AVX-512 with bf16 and vouches for the memory.
impl Simd for Dot {
    type Words = __m512bh;
    const LANES: usize = 16;
    const ROWS: usize = 12;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self(unsafe { _mm512_setzero_ps() })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, self.0) };
    }

    #[inline(always)]
    unsafe fn words(from: *const u32) -> __m512bh {
        unsafe { transmute::<__m512i, __m512bh>(_mm512_loadu_si512(from.cast())) }
    }

    #[inline(always)]
    unsafe fn splat(from: *const u8) -> __m512bh {
        unsafe { transmute::<__m512i, __m512bh>(_mm512_set1_epi32(from.cast::<i32>().read_unaligned())) }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, a: __m512bh, b: __m512bh) -> Self {
        Self(unsafe { _mm512_dpbf16_ps(self.0, a, b) })
    }

    #[inline(always)]
    unsafe fn multiply_add_splat(self, a: *const u8, b: __m512bh) -> Self {
        Self(unsafe { dot_splat(self.0, a, b) })
    }

    #[inline(always)]
    unsafe fn round(line: &[f32; LINE]) -> [u16; LINE] {
        unsafe {
            let early = _mm512_loadu_ps(line.as_ptr());
            let late = _mm512_loadu_ps(line.as_ptr().add(16));
            transmute::<__m512bh, [u16; LINE]>(_mm512_cvtne2ps_pbh(late, early))
        }
    }

    #[inline(always)]
    unsafe fn transpose(block: &[[u32; 16]; 16], to: *mut u32) {
        unsafe { transpose(block, to) };
    }

    #[inline(always)]
    unsafe fn flip(from: *const u32, to: *mut u32) {
        unsafe { flip(from, to) };
    }

    #[inline(always)]
    unsafe fn decode_pairs(panel: &CodedPanel<'_>, group: usize, to: *mut u32) -> bool {
        unsafe { decode::pairs(panel, group, to) };
        true
    }

    #[inline(always)]
    unsafe fn multiply_coded(operands: &CodedRows<'_>, tile: *mut Tile, resume: bool) -> bool {
        if operands.rows > FUSED_ROWS {
            return false;
        }
        unsafe { fused::multiply(operands, tile, resume) };
        true
    }

    #[inline(always)]
    unsafe fn lookup(table: &[f32; 16], at: &[i32; LINE]) -> [f32; LINE] {
        unsafe { lookup(table, at) }
    }
}

/// A table of sixteen floats is one register.
#[inline(always)]
unsafe fn lookup(table: &[f32; 16], at: &[i32; LINE]) -> [f32; LINE] {
    unsafe {
        let table = _mm512_loadu_ps(table.as_ptr());
        let half =
            |first: usize| _mm512_permutexvar_ps(_mm512_loadu_si512(at.as_ptr().add(first).cast()), table);
        transmute::<[__m512; 2], [f32; LINE]>([half(0), half(16)])
    }
}

/// Adds the dot products of one pair at `a` and the pairs of `b`.
///
/// The instruction repeats the pair itself, as compilers do not make it do. A broadcast of its
/// own takes a place among the products: where each serves one product only, in tiles of 16
/// columns, they reach 74 % of the register peak with it and 98 % without.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn dot_splat(sum: __m512, a: *const u8, b: __m512bh) -> __m512 {
    let mut sum = sum;
    // SAFETY: the caller vouches for the four bytes at `a`; nothing is written.
    unsafe {
        asm!(
            "vdpbf16ps {sum}, {b}, dword ptr [{a}]{{1to16}}",
            sum = inout(zmm_reg) sum,
            b = in(zmm_reg) transmute::<__m512bh, __m512i>(b),
            a = in(reg) a,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    sum
}

/// Transposes 16 × 16 words: 32-bit and 64-bit interleaving within quarters,
/// then two rounds that move whole quarters.
#[inline(always)]
unsafe fn transpose(block: &[[u32; 16]; 16], to: *mut u32) {
    unsafe {
        let mut r = [_mm512_setzero_si512(); 16];
        for row in 0..16 {
            r[row] = _mm512_loadu_si512(block[row].as_ptr().cast());
        }
        let mut s = r;
        for i in 0..8 {
            s[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
            s[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
        }
        // Quarter q of r[4 g + i] is now column 4 q + i of rows 4 g .. 4 g + 4.
        for g in 0..4 {
            let q = 4 * g;
            r[q] = _mm512_unpacklo_epi64(s[q], s[q + 2]);
            r[q + 1] = _mm512_unpackhi_epi64(s[q], s[q + 2]);
            r[q + 2] = _mm512_unpacklo_epi64(s[q + 1], s[q + 3]);
            r[q + 3] = _mm512_unpackhi_epi64(s[q + 1], s[q + 3]);
        }
        for i in 0..4 {
            quarters([r[i], r[4 + i], r[8 + i], r[12 + i]], to.add(i * PANEL), 4 * PANEL);
        }
    }
}

/// Transposes a 4 × 4 matrix of quarters and stores its rows `stride` words apart.
#[inline(always)]
unsafe fn quarters(r: [__m512i; 4], to: *mut u32, stride: usize) {
    unsafe {
        let low01 = _mm512_shuffle_i32x4::<0x44>(r[0], r[1]);
        let high01 = _mm512_shuffle_i32x4::<0xee>(r[0], r[1]);
        let low23 = _mm512_shuffle_i32x4::<0x44>(r[2], r[3]);
        let high23 = _mm512_shuffle_i32x4::<0xee>(r[2], r[3]);
        _mm512_storeu_si512(to.cast(), _mm512_shuffle_i32x4::<0x88>(low01, low23));
        _mm512_storeu_si512(to.add(stride).cast(), _mm512_shuffle_i32x4::<0xdd>(low01, low23));
        _mm512_storeu_si512(to.add(2 * stride).cast(), _mm512_shuffle_i32x4::<0x88>(high01, high23));
        _mm512_storeu_si512(to.add(3 * stride).cast(), _mm512_shuffle_i32x4::<0xdd>(high01, high23));
    }
}

/// [`Simd::flip`] in four blocks of 8 × 8 elements.
#[inline(always)]
unsafe fn flip(from: *const u32, to: *mut u32) {
    for row in [0, 8] {
        for col in [0, 8] {
            unsafe { flip_8(from.add(row * PANEL + 2 * col), to.add(col * PANEL + 2 * row)) };
        }
    }
}

/// Swaps the middle halves of every 64-bit element of a 16-byte lane.
const SWAP: [u8; 16] = [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15];

#[inline(always)]
unsafe fn flip_8(from: *const u32, to: *mut u32) {
    unsafe {
        let swap = _mm512_loadu_si512([SWAP; 4].as_ptr().cast());
        let mut r = [_mm512_setzero_si512(); 8];
        for row in 0..8 {
            r[row] = _mm512_shuffle_epi8(_mm512_loadu_si512(from.add(row * PANEL).cast()), swap);
        }
        let mut s = r;
        for i in 0..4 {
            s[2 * i] = _mm512_unpacklo_epi64(r[2 * i], r[2 * i + 1]);
            s[2 * i + 1] = _mm512_unpackhi_epi64(r[2 * i], r[2 * i + 1]);
        }
        // Quarter q of s[2 g + i] is column 2 q + i of rows 2 g and 2 g + 1.
        for i in 0..2 {
            quarters([s[i], s[2 + i], s[4 + i], s[6 + i]], to.add(i * PANEL), 2 * PANEL);
        }
    }
}

table!(FMA, Fma, 2, #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]);
table!(DOT, Dot, 2, #[target_feature(enable = "avx512bf16,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]);
