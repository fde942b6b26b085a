//! Coded panels to pairs of bf16 numbers, sixteen rows to a vector.
//!
//! ```text
//! 8 rows   16 words of codes ─ shift ─ look up, or widen ─ × scale (+ minimum) ─┐
//! 8 more   16 words of codes ─ shift ─ look up, or widen ─ × scale (+ minimum) ─┤
//!                                         16 rows, 16 words of pairs ─ round both ─┘
//! ```
//!
//! Does what [`pack::decode`](crate::backend::cpu::gemm::pack) does in plain loops, to the last
//! bit. Decoding for one row is all there is to do beside reading, so it has to keep up with
//! memory: seven instructions make 32 numbers of four or eight bits. Codes of four bits are places
//! in a register of sixteen floats, which looks at the lowest four bits of a place alone; those of
//! eight become the last bits of a float by moving a byte into 2²³. Even and odd numbers of a row
//! lie side by side in the codes, and so they do in the pairs.

use super::PANEL;
use crate::backend::cpu::gemm::coded::{CodedPanel, GROUP, Group, LANES};
use crate::coding::{Coding, NUMBERS, QUANTILES, Scaling, half_power};
use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm_loadu_si128, _mm256_loadu_si256, _mm512_add_epi32, _mm512_add_ps,
    _mm512_and_si512, _mm512_castps_si512, _mm512_castsi512_ps, _mm512_cvtepi8_epi32, _mm512_cvtepi32_ps,
    _mm512_cvtepu8_epi32, _mm512_cvtepu16_epi32, _mm512_cvtne2ps_pbh, _mm512_cvtph_ps, _mm512_loadu_ps,
    _mm512_loadu_si512, _mm512_mask_mov_epi8, _mm512_mul_ps, _mm512_or_si512, _mm512_permutexvar_ps,
    _mm512_set1_epi32, _mm512_set1_ps, _mm512_setr_epi32, _mm512_setzero_ps, _mm512_setzero_si512,
    _mm512_slli_epi32, _mm512_srli_epi32, _mm512_storeu_si512, _mm512_sub_epi32, _mm512_sub_ps,
};
use std::mem::transmute;

/// Pairs of a group.
const PAIRS: usize = GROUP / 2;
/// Rows that are decoded together.
const ROWS: usize = 16;

// What becomes of a code, as a constant of the code that is compiled for it.
/// `scale · (q − bias)`.
const SCALED: u8 = 0;
/// `scale · q + other`.
const RAISED: u8 = 1;
/// `scale · q − other`.
const LOWERED: u8 = 2;
/// The last byte of every word.
const LAST_BYTES: u64 = 0x1111_1111_1111_1111;

/// What stands beside the codes of sixteen rows, eight in each vector.
struct Beside {
    /// The scales of each half of the group.
    scales: [[__m512; 2]; 2],
    other: [__m512; 2],
    /// What each code of four bits stands for.
    table: __m512,
}

/// Takes the words of a group as they are made.
pub(super) trait Sink {
    /// Word `pair` of each of the sixteen rows from `first` on.
    unsafe fn take(&mut self, first: usize, pair: usize, words: __m512i);
}

/// Rows of [`PANEL`] words in memory.
struct Rows(*mut u32);

impl Sink for Rows {
    #[inline(always)]
    unsafe fn take(&mut self, first: usize, pair: usize, words: __m512i) {
        // SAFETY: the caller of [`pairs`] gives room for a group.
        unsafe { _mm512_storeu_si512(self.0.add(pair * PANEL + first).cast(), words) };
    }
}

/// Decodes a group to pairs.
///
/// # Safety
/// The panel has the group, `to` holds 16 rows of [`PANEL`] words, and the processor has AVX-512
/// with bf16.
#[inline(always)]
pub(super) unsafe fn pairs(panel: &CodedPanel<'_>, group: usize, to: *mut u32) {
    // SAFETY: passed on.
    unsafe { each(panel.coded.coding, panel, group, &mut Rows(to)) };
}

/// Hands the words of a group to `sink`. Where `coding` is a constant, so is all that it decides.
///
/// # Safety
/// The panel has the group and is of `coding`; the processor has AVX-512 with bf16.
#[inline(always)]
pub(super) unsafe fn each(coding: Coding, panel: &CodedPanel<'_>, group: usize, sink: &mut impl Sink) {
    let place = panel.group(group);
    // SAFETY: passed on.
    unsafe {
        let parts = [part(coding, panel, &place, 0), part(coding, panel, &place, ROWS)];
        match (coding.scaling(), coding.bits()) {
            (Scaling::Scale, 8) => rows::<8, SCALED>(&parts, sink),
            (Scaling::Scale, 5) => rows::<5, SCALED>(&parts, sink),
            (Scaling::Scale | Scaling::Nested | Scaling::Power, _) => rows::<4, SCALED>(&parts, sink),
            (Scaling::Minimum, 5) => rows::<5, RAISED>(&parts, sink),
            (Scaling::Minimum, _) => rows::<4, RAISED>(&parts, sink),
            (Scaling::SmallMinima, 5) => rows::<5, LOWERED>(&parts, sink),
            (Scaling::SmallMinima, _) => rows::<4, LOWERED>(&parts, sink),
            (Scaling::SmallSigned, _) => rows::<6, SCALED>(&parts, sink),
        }
    }
}

/// Sixteen rows of a group.
struct Part {
    codes: *const u32,
    first: usize,
    beside: Beside,
}

#[inline(always)]
unsafe fn part(coding: Coding, panel: &CodedPanel<'_>, place: &Group, first: usize) -> Part {
    // SAFETY: passed on.
    unsafe { Part { codes: place.codes, first, beside: beside(coding, panel, place, first) } }
}

/// Scales and minima of the rows from `first` on.
#[inline(always)]
unsafe fn beside(coding: Coding, panel: &CodedPanel<'_>, place: &Group, first: usize) -> Beside {
    // SAFETY: the group has every part that its coding has.
    unsafe {
        let (mut other, mut table) = ([_mm512_setzero_ps(); 2], counted(0));
        let small = place.small.wrapping_add(first);
        let scales = match coding.scaling() {
            Scaling::Scale => {
                table = counted(-8);
                [twice(halves(place.head, first)); 2]
            }
            Scaling::Minimum => {
                other = twice(halves(place.head, PANEL + first));
                [twice(halves(place.head, first)); 2]
            }
            Scaling::SmallMinima => {
                other = twice(_mm512_mul_ps(halves(place.head, PANEL + first), unsigned(small.add(PANEL))));
                [twice(_mm512_mul_ps(halves(place.head, first), unsigned(small))); 2]
            }
            Scaling::SmallSigned => {
                let d = halves(place.head, first);
                let (early, late) = (signed(small), signed(small.add(PANEL)));
                [twice(_mm512_mul_ps(d, early)), twice(_mm512_mul_ps(d, late))]
            }
            Scaling::Power => {
                table = _mm512_loadu_ps(NUMBERS.as_ptr());
                let mut scale = [0.0_f32; ROWS];
                for row in 0..ROWS {
                    scale[row] = half_power(*place.head.add(first + row));
                }
                [twice(_mm512_loadu_ps(scale.as_ptr())); 2]
            }
            Scaling::Nested => {
                table = _mm512_loadu_ps(QUANTILES.as_ptr());
                let mut scale = [0.0_f32; ROWS];
                for row in 0..ROWS {
                    scale[row] = panel.nested(place.chunk, first + row, *place.head.add(first + row));
                }
                [twice(_mm512_loadu_ps(scale.as_ptr())); 2]
            }
        };
        Beside { scales, other, table }
    }
}

/// What belongs to each of sixteen rows, for the even and the odd numbers of eight of them.
#[inline(always)]
unsafe fn twice(rows: __m512) -> [__m512; 2] {
    // SAFETY: arithmetic in registers.
    unsafe {
        let early = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
        let late = _mm512_add_epi32(early, _mm512_set1_epi32(8));
        [_mm512_permutexvar_ps(early, rows), _mm512_permutexvar_ps(late, rows)]
    }
}

/// Sixteen halves of those that begin at `from`.
#[inline(always)]
unsafe fn halves(from: *const u8, first: usize) -> __m512 {
    // SAFETY: the caller vouches for them.
    unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.add(2 * first).cast())) }
}

/// Sixteen bytes as numbers.
#[inline(always)]
unsafe fn unsigned(from: *const u8) -> __m512 {
    // SAFETY: the caller vouches for them.
    unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast()))) }
}

/// Sixteen bytes as numbers with a sign.
#[inline(always)]
unsafe fn signed(from: *const u8) -> __m512 {
    // SAFETY: the caller vouches for them.
    unsafe { _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast()))) }
}

/// Sixteen whole numbers from `start` on.
#[inline(always)]
unsafe fn counted(start: i32) -> __m512 {
    let mut numbers = [0.0_f32; 16];
    for idx in 0..16 {
        numbers[idx] = (start + idx as i32) as f32;
    }
    // SAFETY: sixteen numbers.
    unsafe { _mm512_loadu_ps(numbers.as_ptr()) }
}

/// All 32 numbers of all rows.
///
/// A word of codes is shifted on as its pairs are used up, so everything a loop needs stays in
/// registers. Sums of different rows do not wait for each other, so the two halves take turns.
#[inline(always)]
unsafe fn rows<const BITS: usize, const KIND: u8>(parts: &[Part; 2], sink: &mut impl Sink) {
    let run = if BITS == 8 { 4 } else { 8 };
    // SAFETY: the group has all lines of its codes.
    unsafe {
        let mut high = [[_mm512_setzero_si512(); 2]; 2];
        for half in 0..2 {
            for eight in 0..2 {
                high[half][eight] = parts[half].high::<BITS>(eight);
            }
        }
        for block in 0..PAIRS / run {
            let mut low = [[_mm512_setzero_si512(); 2]; 2];
            let mut scales = [[_mm512_setzero_ps(); 2]; 2];
            for half in 0..2 {
                for eight in 0..2 {
                    low[half][eight] = parts[half].line(block, eight);
                    scales[half][eight] = parts[half].beside.scales[block * run / 8][eight];
                }
            }
            for pair in block * run..(block + 1) * run {
                for half in 0..2 {
                    let mut numbers = [_mm512_setzero_ps(); 2];
                    for eight in 0..2 {
                        let Part { beside, .. } = &parts[half];
                        let (low, high) = (&mut low[half][eight], &mut high[half][eight]);
                        let level = level::<BITS, KIND>(low, high, beside.table);
                        let scaled = _mm512_mul_ps(level, scales[half][eight]);
                        numbers[eight] = match KIND {
                            RAISED => _mm512_add_ps(scaled, beside.other[eight]),
                            LOWERED => _mm512_sub_ps(scaled, beside.other[eight]),
                            _ => scaled,
                        };
                    }
                    let rounded = _mm512_cvtne2ps_pbh(numbers[1], numbers[0]);
                    sink.take(parts[half].first, pair, transmute::<__m512bh, __m512i>(rounded));
                }
            }
        }
    }
}

impl Part {
    /// Words `block` of eight rows.
    #[inline(always)]
    unsafe fn line(&self, block: usize, eight: usize) -> __m512i {
        let word = block * LANES + 2 * self.first + 16 * eight;
        // SAFETY: the caller vouches for the line.
        unsafe { _mm512_loadu_si512(self.codes.add(word).cast()) }
    }

    /// The high bits of eight rows, those of the first pair lowest.
    #[inline(always)]
    unsafe fn high<const BITS: usize>(&self, eight: usize) -> __m512i {
        // SAFETY: the group has its high bits.
        unsafe {
            match BITS {
                5 => {
                    let halves = self.codes.add(2 * LANES).cast::<u16>().add(2 * self.first + 16 * eight);
                    _mm512_cvtepu16_epi32(_mm256_loadu_si256(halves.cast()))
                }
                6 => self.line(2, eight),
                _ => _mm512_setzero_si512(),
            }
        }
    }
}

/// What the next codes stand for, before they are scaled.
#[inline(always)]
unsafe fn level<const BITS: usize, const KIND: u8>(
    low: &mut __m512i,
    high: &mut __m512i,
    table: __m512,
) -> __m512 {
    // SAFETY: arithmetic in registers.
    unsafe {
        let (low_bits, high_bits) = (*low, *high);
        *low = if BITS == 8 { _mm512_srli_epi32::<8>(low_bits) } else { _mm512_srli_epi32::<4>(low_bits) };
        match BITS {
            4 => return _mm512_permutexvar_ps(low_bits, table),
            8 => return last_byte(low_bits),
            5 => *high = _mm512_srli_epi32::<1>(high_bits),
            _ => *high = _mm512_srli_epi32::<2>(high_bits),
        }
        let most = _mm512_set1_epi32(if BITS == 5 { 1 } else { 3 });
        let high_bits = _mm512_slli_epi32::<4>(_mm512_and_si512(high_bits, most));
        let code = _mm512_or_si512(_mm512_and_si512(low_bits, _mm512_set1_epi32(0xf)), high_bits);
        let bias = if KIND == SCALED { 1 << (BITS - 1) } else { 0 };
        _mm512_cvtepi32_ps(_mm512_sub_epi32(code, _mm512_set1_epi32(bias)))
    }
}

/// The last byte of every word, less 128. It takes the place of the last one of 2²³, whose last
/// place is worth one: nothing is rounded.
#[inline(always)]
unsafe fn last_byte(words: __m512i) -> __m512 {
    // SAFETY: arithmetic in registers.
    unsafe {
        let power = _mm512_castps_si512(_mm512_set1_ps(8_388_608.0));
        let raised = _mm512_mask_mov_epi8(power, LAST_BYTES, words);
        _mm512_sub_ps(_mm512_castsi512_ps(raised), _mm512_set1_ps(8_388_608.0 + 128.0))
    }
}
