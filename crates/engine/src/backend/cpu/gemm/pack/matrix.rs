//! Panels from row-major matrices.

use crate::backend::cpu::gemm::kernel::{PANEL, Simd};
use crate::backend::cpu::gemm::word::{self, Form, LINE};
use crate::backend::cpu::view::Mat;

/// Words that are transposed together.
const BLOCK: usize = 16;

/// Packs a matrix of at most [`PANEL`] rows: row `j` becomes column `j` of the panel.
///
/// # Safety
/// `to` holds `form.words(mat.cols)` rows of [`PANEL`] words, and the processor
/// has the instructions of `S`.
#[inline(always)]
pub(in super::super) unsafe fn rows<S: Simd>(mat: Mat<'_>, form: Form, to: *mut u32) {
    for first in (0..form.words(mat.cols)).step_by(BLOCK) {
        let left = mat.cols - first * form.numbers();
        for half in [0, BLOCK] {
            let n_rows = mat.rows.saturating_sub(half).min(BLOCK);
            // SAFETY: the rows have `left` numbers from here on.
            unsafe {
                let to = to.add(first * PANEL + half);
                if n_rows == BLOCK && left >= LINE {
                    let block = read::<S>(mat, half, BLOCK, first, LINE, form);
                    S::transpose(&block, to);
                } else {
                    let block = read::<S>(mat, half, n_rows, first, left.min(LINE), form);
                    transpose_end::<S>(&block, to, form.words(left).min(BLOCK));
                }
            }
        }
    }
}

/// Words `first..first + BLOCK` of some rows, which have `count` numbers there.
#[inline(always)]
unsafe fn read<S: Simd>(
    mat: Mat<'_>,
    row: usize,
    n_rows: usize,
    first: usize,
    count: usize,
    form: Form,
) -> [[u32; BLOCK]; BLOCK] {
    let mut block = [[0; BLOCK]; BLOCK];
    for idx in 0..n_rows {
        // SAFETY: the caller vouches for the numbers.
        block[idx] = unsafe {
            if form == Form::Pairs {
                word::pairs(word::read_bf16(mat, row + idx, 2 * first, count, |line| S::round(line)))
            } else {
                let line = word::read(mat, row + idx, first, count.min(BLOCK));
                let mut words = [0; BLOCK];
                for word in 0..BLOCK {
                    words[word] = float(line[word], form);
                }
                words
            }
        };
    }
    block
}

/// Transposes a block of which `n_words` columns have a place.
#[inline(always)]
unsafe fn transpose_end<S: Simd>(block: &[[u32; BLOCK]; BLOCK], to: *mut u32, n_words: usize) {
    let mut whole = [[0; PANEL]; BLOCK];
    // SAFETY: the caller vouches for `n_words` rows of BLOCK words, PANEL words apart.
    unsafe {
        S::transpose(block, whole.as_mut_ptr().cast());
        for (idx, line) in whole.iter().enumerate().take(n_words) {
            std::ptr::copy_nonoverlapping(line.as_ptr(), to.add(idx * PANEL), BLOCK);
        }
    }
}

/// Packs a matrix of at most [`PANEL`] columns, which become those of the panel.
///
/// # Safety
/// As for [`rows`], with `form.words(mat.rows)`.
#[inline(always)]
pub(in super::super) unsafe fn columns<S: Simd>(mat: Mat<'_>, form: Form, to: *mut u32) {
    for word in 0..form.words(mat.rows) {
        // SAFETY: `to` has a row for the word.
        unsafe {
            let to = to.add(word * PANEL).cast::<[u32; PANEL]>();
            match mat.cols {
                PANEL.. => to.write_unaligned(line::<S>(mat, word, PANEL, form)),
                cols => to.write_unaligned(line::<S>(mat, word, cols, form)),
            }
        }
    }
}

/// One row of a panel from the columns of `mat`.
#[inline(always)]
unsafe fn line<S: Simd>(mat: Mat<'_>, word: usize, cols: usize, form: Form) -> [u32; PANEL] {
    // Loops: `array::from_fn` may become a call, compiled without these instructions.
    let mut words = [0; PANEL];
    // SAFETY: rows are checked to exist, and have `cols` numbers.
    unsafe {
        if form != Form::Pairs {
            let line = word::read(mat, word, 0, cols);
            for col in 0..LINE {
                words[col] = float(line[col], form);
            }
            return words;
        }
        let early = word::read_bf16(mat, 2 * word, 0, cols, |line| S::round(line));
        let late = if 2 * word + 1 < mat.rows {
            word::read_bf16(mat, 2 * word + 1, 0, cols, |line| S::round(line))
        } else {
            [0; LINE]
        };
        for col in 0..LINE {
            words[col] = word::pair(early[col], late[col]);
        }
        words
    }
}

#[inline(always)]
fn float(x: f32, form: Form) -> u32 {
    match form {
        Form::RoundedFloats => word::widen(word::round(x)).to_bits(),
        Form::Floats | Form::Pairs => x.to_bits(),
    }
}
