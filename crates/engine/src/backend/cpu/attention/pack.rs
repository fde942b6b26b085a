//! Operands of the products: matrices as 32-bit words in the order they are read.

use super::super::row::{narrow, rounded_bits, widen};
use super::super::view::{Elem, Mat};
use super::tile::Arith;
use half::bf16;

/// Bytes of one word.
const WORD: usize = 4;

/// Copies a row of numbers, `into.len()` words of it.
#[inline(always)]
pub(super) fn row_words<A: Arith>(mat: Mat<'_>, row: usize, into: &mut [u32]) {
    let n = into.len() * A::PER_WORD;
    // SAFETY: a word is four bytes of any content, and holds what is written to it below.
    let (floats, pairs) = unsafe { (into.align_to_mut::<f32>().1, A::PER_WORD == 2) };
    match (mat.elem, pairs) {
        (Elem::F32, false) => floats.copy_from_slice(&mat.row_f32(row)[..n]),
        (Elem::Bf16, false) => widen(&mat.row_bf16(row)[..n], floats),
        (Elem::Bf16, true) => as_bf16(into).copy_from_slice(&mat.row_bf16(row)[..n]),
        (Elem::F32, true) => narrow(&mat.row_f32(row)[..n], as_bf16(into)),
    }
}

#[inline(always)]
fn as_bf16(words: &mut [u32]) -> &mut [bf16] {
    // SAFETY: a word is two bf16 of any content.
    unsafe { words.align_to_mut().1 }
}

/// Words that pair numbers of neighbouring rows: the word (i, col) is (2i, col) and (2i + 1, col).
///
/// With one number in a word these are just the rows. A missing last row counts as zero.
#[inline(always)]
pub(super) fn paired_rows<A: Arith>(
    rows: usize,
    cols: usize,
    row: impl Fn(usize, &mut [f32]),
    into: &mut [u32],
) {
    let (mut first, mut second) = (vec![0.0; cols], vec![0.0; cols]);
    for (idx, words) in into.chunks_exact_mut(cols).take(rows.div_ceil(A::PER_WORD)).enumerate() {
        row(idx * A::PER_WORD, &mut first);
        if A::PER_WORD == 1 {
            words.iter_mut().zip(&first).for_each(|(word, x)| *word = x.to_bits());
            continue;
        }
        if 2 * idx + 1 < rows {
            row(2 * idx + 1, &mut second)
        } else {
            second.fill(0.0)
        }
        for ((word, first), second) in words.iter_mut().zip(&first).zip(&second) {
            *word = pair(*first, *second);
        }
    }
}

/// Two numbers rounded to bf16, the first in the lower half.
#[inline(always)]
pub(super) fn pair(first: f32, second: f32) -> u32 {
    (rounded_bits(first) >> 16) | (rounded_bits(second) & 0xffff_0000)
}

/// `to[col][row] = from[row][col]`; strides in words.
#[inline(always)]
pub(super) fn transpose<A: Arith>(
    (rows, cols): (usize, usize),
    (from, from_stride): (&[u32], usize),
    (to, to_stride): (&mut [u32], usize),
) {
    assert!(rows == 0 || cols == 0 || from.len() >= (rows - 1) * from_stride + cols);
    assert!(rows == 0 || cols == 0 || to.len() >= (cols - 1) * to_stride + rows);
    let (whole_rows, whole_cols) = (rows / 16 * 16, cols / 16 * 16);
    for row in (0..whole_rows).step_by(16) {
        for col in (0..whole_cols).step_by(16) {
            let (from, to) = (&from[row * from_stride + col..], &mut to[col * to_stride + row..]);
            // SAFETY: the block lies inside both by the assertions.
            unsafe { A::transpose_16(from.as_ptr(), from_stride, to.as_mut_ptr(), to_stride) };
        }
    }
    for row in 0..rows {
        let done = if row < whole_rows { whole_cols } else { 0 };
        for col in done..cols {
            to[col * to_stride + row] = from[row * from_stride + col];
        }
    }
}

/// Rows of keys or values as words of A: where they are, if they are stored so, or a copy.
pub(super) struct Rows {
    ptr: *const u8,
    /// From one row to the next.
    pub(super) bytes: usize,
    /// The row of the matrix at `ptr`.
    first: usize,
    /// Keeps the copy alive.
    _copy: Vec<u32>,
}

impl Rows {
    /// The rows `rows` of `mat`.
    #[inline(always)]
    pub(super) fn new<A: Arith>(mat: Mat<'_>, rows: std::ops::Range<usize>) -> Self {
        let (first, stored) = (rows.start, mat.elem.bytes() * A::PER_WORD == WORD);
        if stored {
            let (ptr, bytes) = (mat.row_ptr(first), mat.stride * mat.elem.bytes());
            return Self { ptr, bytes, first, _copy: Vec::new() };
        }
        let words = mat.cols / A::PER_WORD;
        let mut copy = vec![0; rows.len() * words];
        for (row, into) in rows.zip(copy.chunks_exact_mut(words)) {
            row_words::<A>(mat, row, into);
        }
        Self { ptr: copy.as_ptr().cast(), bytes: words * WORD, first, _copy: copy }
    }

    /// Address of a row.
    pub(super) fn at(&self, row: usize) -> *const u8 {
        self.ptr.wrapping_add((row - self.first) * self.bytes)
    }
}
