//! Panels from stored panels of another form or direction.

use crate::backend::cpu::gemm::PanelsView;
use crate::backend::cpu::gemm::kernel::{Kernel, PANEL};
use crate::backend::cpu::gemm::panels::Content;
use crate::backend::cpu::gemm::word::Form;
use crate::backend::cpu::prefetch::ask_for;
use crate::backend::cpu::view::{Elem, Mat};
use std::ops::Range;

/// Numbers `range` of the contraction of a panel, in another form.
///
/// # Safety
/// As for [`super::pack`]; `range` starts at an even number.
pub(super) unsafe fn straight(
    kernel: &Kernel,
    elem: Elem,
    panel: *const u32,
    range: Range<usize>,
    form: Form,
    to: *mut u32,
) {
    // SAFETY: a stored panel has PANEL words per word of the contraction, and so has `to`.
    unsafe {
        match (elem, form) {
            (Elem::F32, _) => {
                let mat = floats(panel.add(range.start * PANEL), range.len());
                (kernel.pack_columns)(mat, form, to);
            }
            (Elem::Bf16, Form::Pairs) => {
                let from = panel.add(range.start / 2 * PANEL);
                std::ptr::copy_nonoverlapping(from, to, form.words(range.len()) * PANEL);
            }
            (Elem::Bf16, Form::Floats | Form::RoundedFloats) => widen(panel, range, to),
        }
    }
}

/// Columns `cols` of the packed rows, as one panel.
///
/// # Safety
/// As for [`super::pack`].
pub(super) unsafe fn transposed(
    kernel: &Kernel,
    view: PanelsView<'_>,
    cols: Range<usize>,
    form: Form,
    to: *mut u32,
) {
    let words = form.words(view.n());
    for source in 0..view.n().div_ceil(PANEL) {
        let Content::Words(elem, panel) = view.content(source) else { unreachable!("panels of words") };
        let first = form.words(source * PANEL);
        // SAFETY: the source panel exists and holds the columns; `to` has `words` rows.
        unsafe {
            let to = to.add(first * PANEL);
            let n_rows = (view.n() - source * PANEL).min(PANEL);
            match (elem, form) {
                (Elem::F32, _) => {
                    let block = panel.add(cols.start * PANEL);
                    (kernel.pack_rows)(floats(block, cols.len()).columns(0, n_rows), form, to);
                }
                (Elem::Bf16, Form::Pairs) => {
                    let block = panel.add(cols.start / 2 * PANEL);
                    if (source + 1) * PANEL < view.n() {
                        let panel_words = form.words(view.k()) * PANEL;
                        let n_bytes = cols.len().div_ceil(2) * PANEL * 4;
                        ask_for(block.wrapping_add(panel_words).cast(), n_bytes);
                    }
                    flip(kernel, block, cols.len().div_ceil(2), to, words - first);
                }
                (Elem::Bf16, Form::Floats | Form::RoundedFloats) => {
                    let mut block = [0_u32; PANEL * PANEL];
                    widen(panel, cols.clone(), block.as_mut_ptr());
                    let block = floats(block.as_ptr(), cols.len()).columns(0, n_rows);
                    (kernel.pack_rows)(block, Form::Floats, to);
                }
            }
        }
    }
}

/// Transposes `n_pairs` rows of pairs into at most 16 rows, `left` of which exist.
pub(super) unsafe fn flip(kernel: &Kernel, from: *const u32, n_pairs: usize, to: *mut u32, left: usize) {
    // SAFETY: ends are staged in blocks of full size.
    unsafe {
        if n_pairs == 16 && left >= 16 {
            (kernel.flip)(from, to);
            return;
        }
        let mut source = [0_u32; 16 * PANEL];
        let mut target = [0_u32; 16 * PANEL];
        std::ptr::copy_nonoverlapping(from, source.as_mut_ptr(), n_pairs * PANEL);
        (kernel.flip)(source.as_ptr(), target.as_mut_ptr());
        std::ptr::copy_nonoverlapping(target.as_ptr(), to, left.min(16) * PANEL);
    }
}

/// A stored f32 panel seen as a matrix of `rows` rows.
unsafe fn floats<'a>(panel: *const u32, rows: usize) -> Mat<'a> {
    // SAFETY: the caller vouches for `rows` rows of PANEL words.
    unsafe { Mat::from_raw(panel.cast(), Elem::F32, rows, PANEL, PANEL) }
}

/// Writes numbers `range` of the contraction of a panel of pairs as f32.
unsafe fn widen(panel: *const u32, range: Range<usize>, to: *mut u32) {
    for (idx, number) in range.enumerate() {
        // Little or big end, the earlier number is the low half of the word.
        let shift = if number % 2 == 0 { 16 } else { 0 };
        for col in 0..PANEL {
            // SAFETY: the panel has a row for every pair, `to` one for every number.
            unsafe {
                let pair = panel.add(number / 2 * PANEL + col).read();
                to.add(idx * PANEL + col).write((pair << shift) & 0xffff_0000);
            }
        }
    }
}
