//! Operands of the products: matrices as 32-bit words in the order they are read.

use super::super::row::{narrow, widen};
use super::super::view::{Elem, Mat};
use super::tile::{Arith, COLS, pair};
use half::bf16;
use std::ops::Range;

/// Bytes of one word.
const WORD: usize = 4;

/// Copies a row of numbers, `into.len()` words of it.
#[inline(always)]
pub(super) fn row_words<A: Arith>(mat: Mat<'_>, row: usize, into: &mut [u32]) {
    let n = into.len() * A::PER_WORD;
    // SAFETY: a word is four bytes of any content, and holds what is written to it below.
    let (floats, pairs) = unsafe { (into.align_to_mut::<f32>().1, A::PER_WORD == 2) };
    match (mat.elem, pairs) {
        (Elem::F32, false) => copy(&mat.row_f32(row)[..n], floats),
        (Elem::Bf16, false) => widen(&mat.row_bf16(row)[..n], floats),
        (Elem::Bf16, true) => copy(&mat.row_bf16(row)[..n], as_bf16(into)),
        (Elem::F32, true) => narrow(&mat.row_f32(row)[..n], as_bf16(into)),
    }
}

/// Copies a short row without the call that a copy of unknown length would be.
#[inline(always)]
fn copy<T: Copy>(from: &[T], into: &mut [T]) {
    let (from, from_tail) = from.as_chunks::<16>();
    let (into, into_tail) = into.as_chunks_mut::<16>();
    into.iter_mut().zip(from).for_each(|(into, from)| *into = *from);
    into_tail.iter_mut().zip(from_tail).for_each(|(into, from)| *into = *from);
}

#[inline(always)]
fn as_bf16(words: &mut [u32]) -> &mut [bf16] {
    // SAFETY: a word is two bf16 of any content.
    unsafe { words.align_to_mut().1 }
}

/// Copies rows of numbers, one after the other.
#[inline(always)]
pub(super) fn rows_words<A: Arith>(mat: Mat<'_>, rows: Range<usize>, into: &mut [u32]) {
    for (row, into) in rows.zip(into.chunks_exact_mut(mat.cols / A::PER_WORD)) {
        row_words::<A>(mat, row, into);
    }
}

/// Turns rows of words, paired along the row, into words that pair numbers of neighbouring rows.
///
/// `rows` holds as many rows as a word has numbers, (E in words) each; of E, the
/// columns from `at` on are taken that fit `into`.
#[inline(always)]
fn pair_rows<A: Arith>(rows: &[u32], at: usize, into: &mut [u32]) {
    if A::PER_WORD == 1 {
        copy(&rows[at..at + into.len()], into);
        return;
    }
    let (first, second) = rows.split_at(rows.len() / 2);
    let from = at / 2..(at + into.len()) / 2;
    let (first, first_tail) = first[from.clone()].as_chunks::<16>();
    let (second, second_tail) = second[from].as_chunks::<16>();
    let (into, into_tail) = into.as_chunks_mut::<32>();
    for ((into, first), second) in into.iter_mut().zip(first).zip(second) {
        // SAFETY: this code runs where the processor has the instructions of `A`.
        unsafe { A::pair_words(first, second, into) };
    }
    for ((into, first), second) in into_tail.as_chunks_mut().0.iter_mut().zip(first_tail).zip(second_tail) {
        *into = pair(*first, *second);
    }
}

/// Rows of words, paired along the row, as pairs of rows by panels of 32 columns:
/// (rows in words) × 32 each, operands B whose depth is the rows.
#[inline(always)]
pub(super) fn by_parts<A: Arith>(rows: &[u32], width: usize, parts: &mut [Vec<u32>]) {
    for (part, into) in parts.iter_mut().enumerate() {
        let at = part * COLS;
        let n = COLS.min(width - at);
        for (rows, into) in rows.chunks_exact(width).zip(into.chunks_exact_mut(COLS)) {
            pair_rows::<A>(rows, at, &mut into[..n]);
        }
    }
}

/// A tile of keys or values turned: E × (rows in words), an operand A whose depth is the rows.
pub(super) struct Turned {
    rows: Vec<u32>,
    paired: Vec<u32>,
    words: Vec<u32>,
    /// Words from one row of `words` to the next.
    stride: usize,
}

impl Turned {
    /// Room for tiles of up to `n_rows` rows, a multiple of the numbers in a word.
    pub(super) fn new<A: Arith>(n_rows: usize, width: usize) -> Self {
        let n_words = n_rows / A::PER_WORD * width;
        let [rows, paired, words] = [(); 3].map(|()| vec![0; n_words]);
        Self { rows, paired, words, stride: n_rows / A::PER_WORD }
    }

    /// Takes a tile. A row missing from the last word counts as zero.
    #[inline(always)]
    pub(super) fn fill<A: Arith>(&mut self, mat: Mat<'_>, tile: &Range<usize>) {
        let words = mat.cols / A::PER_WORD;
        let n_paired = tile.len().div_ceil(A::PER_WORD);
        rows_words::<A>(mat, tile.clone(), &mut self.rows);
        self.rows[tile.len() * words..n_paired * mat.cols].fill(0);
        let into = self.paired.chunks_exact_mut(mat.cols);
        for (rows, into) in self.rows.chunks_exact(mat.cols).zip(into).take(n_paired) {
            pair_rows::<A>(rows, 0, into);
        }
        transpose::<A>((n_paired, mat.cols), (&self.paired, mat.cols), (&mut self.words, self.stride));
    }

    /// Address of the words from row `row` on, a multiple of the numbers in a word.
    pub(super) fn at<A: Arith>(&self, row: usize) -> *const u8 {
        self.words[row / A::PER_WORD..].as_ptr().cast()
    }

    /// Bytes from one row of words to the next.
    pub(super) fn bytes(&self) -> usize {
        self.stride * WORD
    }
}

/// Rows of numbers as words that pair neighbouring rows; a missing last row counts as zero.
#[inline(always)]
pub(super) fn interleave<A: Arith>(rows: &[[f32; COLS]], into: &mut [[u32; COLS]]) {
    const ZERO: [f32; COLS] = [0.0; COLS];
    for (rows, words) in rows.chunks(A::PER_WORD).zip(into) {
        // SAFETY: this code runs where the processor has the instructions of `A`.
        match rows {
            [row] if A::PER_WORD == 1 => unsafe { A::narrow(row, words) },
            [first, rest @ ..] => unsafe { A::interleave(first, rest.first().unwrap_or(&ZERO), words) },
            [] => {}
        }
    }
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
    copy: Vec<u32>,
}

// SAFETY: `ptr` is set by `fill` before each use, to memory that outlives the use.
unsafe impl Send for Rows {}

impl Default for Rows {
    fn default() -> Self {
        Self { ptr: std::ptr::null(), bytes: 0, first: 0, copy: Vec::new() }
    }
}

impl Rows {
    /// Takes the rows `rows` of `mat`, which must outlive their use.
    #[inline(always)]
    pub(super) fn fill<A: Arith>(&mut self, mat: Mat<'_>, rows: Range<usize>) {
        self.first = rows.start;
        if mat.elem.bytes() * A::PER_WORD == WORD {
            (self.ptr, self.bytes) = (mat.row_ptr(rows.start), mat.stride * mat.elem.bytes());
            return;
        }
        let words = mat.cols / A::PER_WORD;
        self.copy.resize(rows.len() * words, 0);
        rows_words::<A>(mat, rows, &mut self.copy);
        (self.ptr, self.bytes) = (self.copy.as_ptr().cast(), words * WORD);
    }

    /// Address of a row.
    pub(super) fn at(&self, row: usize) -> *const u8 {
        self.ptr.wrapping_add((row - self.first) * self.bytes)
    }
}
