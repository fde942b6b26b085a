//! A few rows of A times a coded panel, decoded in registers right before it is multiplied.
//!
//! ```text
//! codes ─ decode ─ 16 words of pairs ┬ × pair of row 0, repeated ─ + ─ 16 sums
//!                                    ├ × pair of row 1, repeated ─ + ─ 16 sums
//!                                    └ …
//! ```
//!
//! A sum waits for the one before it, decoding waits for nothing: done together, one fills the
//! gaps of the other. The words never touch memory. Sums take the same pairs in the same order as
//! in [`tile`](crate::backend::cpu::gemm::kernel::tile), so they are the same to the last bit.

use super::decode::{self, Sink};
use super::{CodedRows, PANEL, Tile, dot_splat};
use crate::backend::cpu::gemm::coded::GROUP;
use crate::backend::cpu::prefetch::ask_for;
use crate::coding::Coding;
use std::arch::x86_64::{__m512, __m512bh, __m512i, _mm512_loadu_ps, _mm512_setzero_ps, _mm512_storeu_ps};
use std::mem::transmute;

/// Sums of a vector.
const LANES: usize = 16;
/// How far ahead of its use a group is asked for. Processors foresee that memory is read in order,
/// but not early enough for what is read once and used at once. Q4_0 came 13 to 27 % sooner with
/// 4 KiB, as much with 8, and half as much with 2 or 16.
const AHEAD_BYTES: usize = 6 * 1024;
/// Pairs of a group.
const PAIRS: usize = GROUP / 2;

/// Sums of `R` rows, and where the next pairs of A lie.
struct Sums<const R: usize> {
    sums: [[__m512; PANEL / LANES]; R],
    a: *const u8,
    a_stride: usize,
}

impl<const R: usize> Sink for Sums<R> {
    #[inline(always)]
    unsafe fn take(&mut self, first: usize, pair: usize, words: __m512i) {
        for row in 0..R {
            // SAFETY: A has a pair for every pair of the panel.
            unsafe {
                let a = self.a.add(row * self.a_stride + pair * 4);
                let words = transmute::<__m512i, __m512bh>(words);
                let sum = &mut self.sums[row][first / LANES];
                *sum = dot_splat(*sum, a, words);
            }
        }
    }
}

/// Adds the products to the leading rows of a tile, or puts them there unless it is to `resume`.
///
/// # Safety
/// The operands exist, with at most [`super::FUSED_ROWS`] rows, and the processor has AVX-512 with
/// bf16.
#[inline(always)]
pub(super) unsafe fn multiply(operands: &CodedRows<'_>, tile: *mut Tile, resume: bool) {
    // SAFETY: passed on.
    unsafe {
        match operands.rows {
            1 => by_coding::<1>(operands, tile, resume),
            2 => by_coding::<2>(operands, tile, resume),
            3 => by_coding::<3>(operands, tile, resume),
            4 => by_coding::<4>(operands, tile, resume),
            rows => unreachable!("{rows} rows times a coded panel"),
        }
    }
}

/// Makes the coding a constant of the loop.
#[inline(always)]
unsafe fn by_coding<const R: usize>(operands: &CodedRows<'_>, tile: *mut Tile, resume: bool) {
    // SAFETY: passed on.
    unsafe {
        match operands.panel.coded.coding {
            Coding::Q4_0 => walk::<R>(Coding::Q4_0, operands, tile, resume),
            Coding::Q4_1 => walk::<R>(Coding::Q4_1, operands, tile, resume),
            Coding::Q8_0 => walk::<R>(Coding::Q8_0, operands, tile, resume),
            Coding::Q4_K => walk::<R>(Coding::Q4_K, operands, tile, resume),
            Coding::Q6_K => walk::<R>(Coding::Q6_K, operands, tile, resume),
            Coding::Nf4 => walk::<R>(Coding::Nf4, operands, tile, resume),
            Coding::Mxfp4 => walk::<R>(Coding::Mxfp4, operands, tile, resume),
            coding => walk::<R>(coding, operands, tile, resume),
        }
    }
}

#[inline(always)]
unsafe fn walk<const R: usize>(coding: Coding, operands: &CodedRows<'_>, tile: *mut Tile, resume: bool) {
    let CodedRows { a, a_stride, .. } = *operands;
    // SAFETY: passed on; a tile has PANEL sums in a row.
    unsafe {
        let at = |row: usize, v: usize| tile.cast::<f32>().add(row * PANEL + v * LANES);
        let mut sums = Sums { sums: [[_mm512_setzero_ps(); PANEL / LANES]; R], a, a_stride };
        if resume {
            for row in 0..R {
                for v in 0..PANEL / LANES {
                    sums.sums[row][v] = _mm512_loadu_ps(at(row, v));
                }
            }
        }
        for group in operands.groups.clone() {
            let codes = operands.panel.group(group).codes.cast::<u8>();
            ask_for(codes.wrapping_add(AHEAD_BYTES), GROUP * PANEL * coding.bits() as usize / 8);
            decode::each(coding, operands.panel, group, &mut sums);
            sums.a = sums.a.add(PAIRS * 4);
        }
        for row in 0..R {
            for v in 0..PANEL / LANES {
                _mm512_storeu_ps(at(row, v), sums.sums[row][v]);
            }
        }
    }
}
