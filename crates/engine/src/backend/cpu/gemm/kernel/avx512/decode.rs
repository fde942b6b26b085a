//! Coded panels to pairs of bf16 numbers, sixteen rows to a vector.
//!
//! ```text
//! 16 words of codes ─ shift ─ look up, or mask and convert ─ × scale (+ minimum) ─┐ early
//!                   ─ shift ─ look up, or mask and convert ─ × scale (+ minimum) ─┤ late
//!                                         16 words of pairs ─ weave ─ round both ─┘
//! ```
//!
//! Does what [`pack::decode`](crate::backend::cpu::gemm::pack) does in plain loops, to the last
//! bit. Decoding for one row is all there is to do beside reading, so it has to keep up with
//! memory: nine instructions make 32 numbers of four bits, thirteen those of other sizes. Codes of
//! four bits are places in a register of sixteen floats, which looks at the lowest four bits of a
//! place alone.

use super::PANEL;
use crate::backend::cpu::gemm::coded::{CodedPanel, GROUP, Group};
use crate::coding::{QUANTILES, Scaling};
use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm_loadu_si128, _mm256_loadu_si256, _mm512_add_ps, _mm512_and_si512,
    _mm512_cvtepi8_epi32, _mm512_cvtepi32_ps, _mm512_cvtepu8_epi32, _mm512_cvtne2ps_pbh, _mm512_cvtph_ps,
    _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mul_ps, _mm512_or_si512, _mm512_permutexvar_epi16,
    _mm512_permutexvar_ps, _mm512_set1_epi32, _mm512_setzero_ps, _mm512_slli_epi32, _mm512_srlv_epi32,
    _mm512_storeu_si512, _mm512_sub_epi32, _mm512_sub_ps,
};
use std::mem::transmute;

/// Rows of a vector.
const ROWS: usize = 16;

// What becomes of a code, as a constant of the code that is compiled for it.
/// `scale · (q − bias)`.
const SCALED: u8 = 0;
/// `scale · q + other`.
const RAISED: u8 = 1;
/// `scale · q − other`.
const LOWERED: u8 = 2;

/// What stands beside the codes of sixteen rows.
struct Beside {
    /// The scale of each half of the group.
    scales: [__m512; 2],
    other: __m512,
    /// What each code of four bits stands for.
    table: __m512,
}

/// Brings lanes `i` of two vectors of bf16 that follow each other together as word `i`.
const WEAVE: [u16; 32] = {
    let mut places = [0; 32];
    let mut row = 0;
    while row < ROWS {
        places[2 * row] = row as u16;
        places[2 * row + 1] = (ROWS + row) as u16;
        row += 1;
    }
    places
};

/// Decodes a group to pairs.
///
/// # Safety
/// The panel has the group, `to` holds 16 rows of [`PANEL`] words, and the processor has AVX-512
/// with bf16.
#[inline(always)]
pub(super) unsafe fn pairs(panel: &CodedPanel<'_>, group: usize, to: *mut u32) {
    let (place, coding) = (panel.group(group), panel.coded.coding);
    for first in [0, ROWS] {
        // SAFETY: passed on.
        unsafe {
            let beside = beside(panel, &place, first);
            let (codes, to) = (place.codes.add(first), to.add(first));
            match (coding.scaling(), coding.bits()) {
                (Scaling::Scale, 8) => rows::<8, SCALED>(codes, &beside, to),
                (Scaling::Scale, 5) => rows::<5, SCALED>(codes, &beside, to),
                (Scaling::Scale | Scaling::Nested, _) => rows::<4, SCALED>(codes, &beside, to),
                (Scaling::Minimum, 5) => rows::<5, RAISED>(codes, &beside, to),
                (Scaling::Minimum, _) => rows::<4, RAISED>(codes, &beside, to),
                (Scaling::SmallMinima, 5) => rows::<5, LOWERED>(codes, &beside, to),
                (Scaling::SmallMinima, _) => rows::<4, LOWERED>(codes, &beside, to),
                (Scaling::SmallSigned, _) => rows::<6, SCALED>(codes, &beside, to),
            }
        }
    }
}

/// Scales and minima of the rows from `first` on.
#[inline(always)]
unsafe fn beside(panel: &CodedPanel<'_>, place: &Group, first: usize) -> Beside {
    // SAFETY: the group has every part that its coding has.
    unsafe {
        let (mut other, mut table) = (_mm512_setzero_ps(), counted(0));
        let small = place.small.wrapping_add(first);
        let scales = match panel.coded.coding.scaling() {
            Scaling::Scale => {
                table = counted(-8);
                [halves(place.head, first); 2]
            }
            Scaling::Minimum => {
                other = halves(place.head, PANEL + first);
                [halves(place.head, first); 2]
            }
            Scaling::SmallMinima => {
                other = _mm512_mul_ps(halves(place.head, PANEL + first), unsigned(small.add(PANEL)));
                [_mm512_mul_ps(halves(place.head, first), unsigned(small)); 2]
            }
            Scaling::SmallSigned => {
                let d = halves(place.head, first);
                [_mm512_mul_ps(d, signed(small)), _mm512_mul_ps(d, signed(small.add(PANEL)))]
            }
            Scaling::Nested => {
                table = _mm512_loadu_ps(QUANTILES.as_ptr());
                let mut scale = [0.0_f32; ROWS];
                for row in 0..ROWS {
                    scale[row] = panel.nested(place.chunk, first + row, *place.head.add(first + row));
                }
                [_mm512_loadu_ps(scale.as_ptr()); 2]
            }
        };
        Beside { scales, other, table }
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

/// All 32 numbers of sixteen rows.
#[inline(always)]
unsafe fn rows<const BITS: usize, const KIND: u8>(codes: *const u32, beside: &Beside, to: *mut u32) {
    // SAFETY: the group has all lines of its codes, and `to` those of its words.
    unsafe {
        let weave = _mm512_loadu_si512(WEAVE.as_ptr().cast());
        for quad in 0..GROUP / 4 {
            let four = four::<BITS>(codes, quad);
            for pair in 0..2 {
                let early = number::<BITS, KIND>(four, quad, 2 * pair, beside);
                let late = number::<BITS, KIND>(four, quad, 2 * pair + 1, beside);
                let rounded = transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(late, early));
                let words = _mm512_permutexvar_epi16(weave, rounded);
                _mm512_storeu_si512(to.add((2 * quad + pair) * PANEL).cast(), words);
            }
        }
    }
}

/// Words whose bytes hold four neighbours along K; those of four bits as they lie, two in a byte.
#[inline(always)]
unsafe fn four<const BITS: usize>(codes: *const u32, quad: usize) -> __m512i {
    // SAFETY: the caller vouches for the lines.
    unsafe {
        if BITS == 8 {
            return _mm512_loadu_si512(codes.add(quad * PANEL).cast());
        }
        let low = _mm512_loadu_si512(codes.add(quad / 2 * PANEL).cast());
        if BITS == 4 {
            return low;
        }
        let (line, by, mask) = match BITS {
            5 => (4, quad, 0x0101_0101),
            _ => (4 + quad / 4, 2 * (quad % 4), 0x0303_0303),
        };
        let high = _mm512_loadu_si512(codes.add(line * PANEL).cast());
        let high = _mm512_and_si512(shifted(high, by), _mm512_set1_epi32(mask));
        let low = _mm512_and_si512(shifted(low, 4 * (quad % 2)), _mm512_set1_epi32(0x0f0f_0f0f));
        _mm512_or_si512(low, _mm512_slli_epi32::<4>(high))
    }
}

#[inline(always)]
unsafe fn shifted(words: __m512i, by: usize) -> __m512i {
    // SAFETY: arithmetic in registers.
    unsafe { _mm512_srlv_epi32(words, _mm512_set1_epi32(by as i32)) }
}

/// Number `byte` of a quad. Products and sums are rounded one by one.
#[inline(always)]
unsafe fn number<const BITS: usize, const KIND: u8>(
    four: __m512i,
    quad: usize,
    byte: usize,
    beside: &Beside,
) -> __m512 {
    // SAFETY: arithmetic in registers.
    unsafe {
        let half = if BITS == 4 { 4 * (quad % 2) } else { 0 };
        let moved = shifted(four, 8 * byte + half);
        let level = if BITS == 4 {
            _mm512_permutexvar_ps(moved, beside.table)
        } else {
            let code = _mm512_and_si512(moved, _mm512_set1_epi32(0xff));
            let bias = if KIND == SCALED { 1 << (BITS - 1) } else { 0 };
            _mm512_cvtepi32_ps(_mm512_sub_epi32(code, _mm512_set1_epi32(bias)))
        };
        let scaled = _mm512_mul_ps(level, beside.scales[quad / 4]);
        match KIND {
            RAISED => _mm512_add_ps(scaled, beside.other),
            LOWERED => _mm512_sub_ps(scaled, beside.other),
            _ => scaled,
        }
    }
}
