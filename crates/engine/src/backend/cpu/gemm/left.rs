//! Left operands: which are read where they are, and what the copies of the others take.
//!
//! The sizes are asked for by the plan, too, before there is an operand.

use super::Precision;
use super::kernel::{Kernel, PANEL};
use super::split::CACHED_WORDS;
use super::word::Form;
use crate::backend::cpu::isa::Isa;
use crate::backend::cpu::view::{Elem, Mat};

/// Rows this many bytes apart, or a multiple of it, fall into one set of a
/// first cache and drive each other out.
pub(in crate::backend::cpu) const ALIAS_BYTES: usize = 4096;
/// Products of fewer panels do not repay a copy of A.
const FEW_PANELS: usize = 4;
/// Words of a cache line.
const LINE: usize = 16;

/// A left operand without its numbers.
#[derive(Debug, Clone, Copy)]
pub(in crate::backend::cpu) struct LeftShape {
    pub(in crate::backend::cpu) elem: Elem,
    pub(in crate::backend::cpu) rows: usize,
    pub(in crate::backend::cpu) cols: usize,
    /// Numbers from one row to the next.
    pub(in crate::backend::cpu) stride: usize,
}

impl LeftShape {
    pub(super) fn of(mat: &Mat<'_>) -> Self {
        Self { elem: mat.elem, rows: mat.rows, cols: mat.cols, stride: mat.stride }
    }
}

/// Where a kernel finds a left operand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    /// The first word of the first row.
    pub(super) first: *const u8,
    /// Bytes from one row to the next.
    pub(super) stride: usize,
}

impl Left {
    /// An operand that is read where it is.
    pub(super) fn direct(mat: &Mat<'_>) -> Self {
        Self { first: mat.row_ptr(0), stride: mat.stride * mat.elem.bytes() }
    }
}

/// Whether a kernel reads a left operand where it is, in a product of `n` columns.
pub(super) fn is_direct(form: Form, kernel_rows: usize, a: &LeftShape, n: usize) -> bool {
    let is_aliased = (a.stride * a.elem.bytes()).is_multiple_of(ALIAS_BYTES)
        && a.rows >= kernel_rows
        && n > FEW_PANELS * PANEL;
    form.is_stored_as(a.elem) && a.cols.is_multiple_of(form.numbers()) && !is_aliased
}

/// Words between the rows of a converted operand of `k` columns.
pub(super) fn converted_stride(form: Form, k: usize) -> usize {
    spread(form.words(k))
}

/// Words between rows of `words` words: an odd number of lines, which spreads the rows over all sets of
/// a cache.
pub(super) fn spread(words: usize) -> usize {
    (words.div_ceil(LINE) | 1) * LINE
}

/// Bytes that the copies of left operands take in a product of `n` columns.
pub(in crate::backend::cpu) fn copied_bytes(
    isa: Isa,
    precision: Precision,
    segments: &[LeftShape],
    n: usize,
) -> usize {
    let form = Form::choose(isa, precision);
    let kernel_rows = Kernel::choose(isa, form).rows;
    let copied = segments.iter().filter(|a| !is_direct(form, kernel_rows, a, n));
    copied.map(|a| converted_stride(form, a.cols) * a.rows * 4).sum()
}

/// The most that a task needs beside, for right operands on their way to the kernel: what the cut
/// into blocks aims at, and a margin for the sums.
pub(in crate::backend::cpu) const BLOCK_BYTES: usize = CACHED_WORDS * 4;
