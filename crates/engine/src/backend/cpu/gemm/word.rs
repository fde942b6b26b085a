//! The 32-bit words a product is made of.
//!
//! Every micro-kernel multiplies words: a word is either one f32 or two bf16
//! numbers that are neighbours along the contracted dimension. Seen this way a
//! bf16 product is an f32 product of half the length, and packing, panels and
//! tiles exist once.

use super::Precision;
use crate::backend::cpu::isa::Isa;
use crate::backend::cpu::view::{Elem, Mat};

/// Numbers that are read or rounded together.
pub(super) const LINE: usize = 32;

/// What one word of an operand holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Two bf16 numbers, the earlier one in the low half.
    Pairs,
    /// One f32.
    Floats,
    /// One f32 that a bf16 could hold: bf16 products without a bf16 dot.
    RoundedFloats,
}

impl Form {
    /// The form in which `isa` computes products of `precision`.
    pub(super) fn choose(isa: Isa, precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::Floats,
            Precision::Bf16 if isa.has_bf16_dot() => Self::Pairs,
            Precision::Bf16 => Self::RoundedFloats,
        }
    }

    /// Numbers of the contracted dimension in one word.
    pub(super) const fn numbers(self) -> usize {
        match self {
            Self::Pairs => 2,
            Self::Floats | Self::RoundedFloats => 1,
        }
    }

    /// Words that hold `k` numbers, the last padded with zeros.
    pub(super) const fn words(self, k: usize) -> usize {
        k.div_ceil(self.numbers())
    }

    /// Whether memory that stores `elem` holds words of this form already.
    pub(super) fn is_stored_as(self, elem: Elem) -> bool {
        match elem {
            Elem::F32 => self == Self::Floats,
            Elem::Bf16 => self == Self::Pairs,
        }
    }
}

/// The bf16 nearest to `x`, ties to even, as bits.
#[inline(always)]
pub(super) fn round(x: f32) -> u16 {
    let bits = x.to_bits();
    let nearest = bits.wrapping_add(0x7fff + ((bits >> 16) & 1));
    // Adding could carry a NaN into infinity; a quiet bit cannot.
    let safe = if x.is_nan() { bits | 0x0040_0000 } else { nearest };
    (safe >> 16) as u16
}

/// The f32 a bf16 stands for.
#[inline(always)]
pub(super) fn widen(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// Puts two bf16 numbers into one word.
#[inline(always)]
pub(super) fn pair(early: u16, late: u16) -> u32 {
    u32::from(early) | u32::from(late) << 16
}

/// Neighbours as words.
#[inline(always)]
pub(super) fn pairs(bits: [u16; LINE]) -> [u32; LINE / 2] {
    // SAFETY: both are 64 bytes without padding. A loop over [`pair`] says the
    // same, but compilers do not see that it moves nothing.
    let words = unsafe { std::mem::transmute::<[u16; LINE], [u32; LINE / 2]>(bits) };
    if cfg!(target_endian = "big") { words.map(|word| word.rotate_left(16)) } else { words }
}

/// The numbers `col..col + count` of a row, widened, zeros behind them.
///
/// Callers pass [`LINE`] as a constant where they can: it makes a path without loops.
///
/// # Safety
/// `count` is at most [`LINE`], and the numbers exist.
#[inline(always)]
pub(super) unsafe fn read(mat: Mat<'_>, row: usize, col: usize, count: usize) -> [f32; LINE] {
    let at = mat.row_ptr(row).wrapping_add(col * mat.elem.bytes());
    // SAFETY: passed on.
    unsafe {
        match mat.elem {
            Elem::F32 => copy(at.cast::<f32>(), count),
            Elem::Bf16 => copy(at.cast::<u16>(), count).map(widen),
        }
    }
}

/// As [`read`], in bf16: stored bits as they are, f32 through `rounded`.
///
/// # Safety
/// As for [`read`].
#[inline(always)]
pub(super) unsafe fn read_bf16(
    mat: Mat<'_>,
    row: usize,
    col: usize,
    count: usize,
    rounded: impl Fn(&[f32; LINE]) -> [u16; LINE],
) -> [u16; LINE] {
    let at = mat.row_ptr(row).wrapping_add(col * mat.elem.bytes());
    // SAFETY: passed on.
    unsafe {
        match mat.elem {
            Elem::F32 => rounded(&copy(at.cast::<f32>(), count)),
            Elem::Bf16 => copy(at.cast::<u16>(), count),
        }
    }
}

#[inline(always)]
unsafe fn copy<T: Copy + Default>(from: *const T, count: usize) -> [T; LINE] {
    // SAFETY: the caller vouches for `count` values, at most LINE.
    unsafe {
        if count == LINE {
            return from.cast::<[T; LINE]>().read_unaligned();
        }
        let mut line = [T::default(); LINE];
        std::ptr::copy_nonoverlapping(from, line.as_mut_ptr(), count);
        line
    }
}
