//! Panels from row-major matrices.

use crate::backend::cpu::gemm::kernel::{PANEL, Simd};
use crate::backend::cpu::gemm::word::{self, Form, LINE};
use crate::backend::cpu::view::Mat;

/// Packs a matrix of at most [`PANEL`] rows: row `j` becomes column `j` of the panel.
///
/// # Safety
/// `to` holds `form.words(mat.cols)` rows of [`PANEL`] words, and the processor
/// has the instructions of `S`.
#[inline(always)]
pub(in super::super) unsafe fn rows<S: Simd>(mat: Mat<'_>, form: Form, to: *mut u32) {
    let words = form.words(mat.cols);
    for first in (0..words).step_by(16) {
        for half in [0, 16] {
            let mut block = [[0_u32; 16]; 16];
            for row in half..mat.rows.min(half + 16) {
                // SAFETY: the row exists.
                block[row - half] = unsafe { sixteen::<S>(mat, row, first, form) };
            }
            // SAFETY: the block ends inside the panel, or is cut to do so.
            unsafe {
                if words - first >= 16 {
                    S::transpose(&block, to.add(first * PANEL + half));
                } else {
                    let mut end = [[0_u32; PANEL]; 16];
                    S::transpose(&block, end.as_mut_ptr().cast());
                    for (idx, line) in end.iter().enumerate().take(words - first) {
                        let target = to.add((first + idx) * PANEL + half);
                        std::ptr::copy_nonoverlapping(line.as_ptr(), target, 16);
                    }
                }
            }
        }
    }
}

/// Words `first..first + 16` of a row, zeros where it ends.
#[inline(always)]
unsafe fn sixteen<S: Simd>(mat: Mat<'_>, row: usize, first: usize, form: Form) -> [u32; 16] {
    let mut words = [0; 16];
    // SAFETY: the caller vouches for the row.
    unsafe {
        if form == Form::Pairs {
            let bits = word::read_bf16(mat, row, 2 * first, |line| S::round(line));
            words = word::pairs(bits);
        } else {
            let line = word::read(mat, row, first);
            for idx in 0..16 {
                words[idx] = float(line[idx], form);
            }
        }
    }
    words
}

/// Packs a matrix of at most [`PANEL`] columns, which become those of the panel.
///
/// # Safety
/// As for [`rows`], with `form.words(mat.rows)`.
#[inline(always)]
pub(in super::super) unsafe fn columns<S: Simd>(mat: Mat<'_>, form: Form, to: *mut u32) {
    for word in 0..form.words(mat.rows) {
        let mut line = [0_u32; PANEL];
        // SAFETY: rows are checked to exist; `to` has a row per word.
        unsafe {
            if form == Form::Pairs {
                let early = word::read_bf16(mat, 2 * word, 0, |line| S::round(line));
                let late = if 2 * word + 1 < mat.rows {
                    word::read_bf16(mat, 2 * word + 1, 0, |line| S::round(line))
                } else {
                    [0; LINE]
                };
                for col in 0..PANEL {
                    line[col] = word::pair(early[col], late[col]);
                }
            } else {
                let numbers = word::read(mat, word, 0);
                for col in 0..PANEL {
                    line[col] = float(numbers[col], form);
                }
            }
            to.add(word * PANEL).cast::<[u32; PANEL]>().write_unaligned(line);
        }
    }
}

#[inline(always)]
fn float(x: f32, form: Form) -> u32 {
    match form {
        Form::RoundedFloats => word::widen(word::round(x)).to_bits(),
        Form::Floats | Form::Pairs => x.to_bits(),
    }
}
