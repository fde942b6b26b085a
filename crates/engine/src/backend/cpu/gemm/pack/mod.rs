//! Right operands become panels: [`PANEL`] columns wide, one row per word of
//! the contraction, so that a kernel reads them in order.

mod coded;
mod convert;
mod matrix;
mod panel;

pub(super) use coded::decode;
pub(super) use convert::convert;
pub(super) use matrix::{columns, rows};

use super::Operand;
use super::coded::CodedPanel;
use super::kernel::{Kernel, PANEL};
use super::panels::Content;
use super::word::Form;
use std::ops::Range;

/// A panel of `operand` where it is stored, if it needs no packing.
pub(super) fn stored(operand: &Operand<'_>, form: Form, panel: usize) -> Option<*const u32> {
    let view = match operand {
        Operand::Panels(view) => view,
        Operand::Int8(weight) => return Some(weight.panel(panel)),
        _ => return None,
    };
    match view.content(panel) {
        Content::Words(elem, words) if form.is_stored_as(elem) => Some(words),
        Content::Words(..) | Content::Codes(_) => None,
    }
}

/// A panel of `operand` that is stored coded.
pub(super) fn coded_panel<'a>(operand: &'a Operand<'a>, panel: usize) -> Option<CodedPanel<'a>> {
    let Operand::Panels(view) = operand else { return None };
    match view.content(panel) {
        Content::Codes(panel) => Some(panel),
        Content::Words(..) => None,
    }
}

/// Packs words `words` of panel number `panel` of `operand` to `to`.
///
/// # Safety
/// `to` holds [`PANEL`] words for each of `words`, which start at a multiple of
/// [`PANEL`]; the panel exists and the processor has the instructions of `kernel`.
pub(super) unsafe fn pack(
    kernel: &Kernel,
    operand: &Operand<'_>,
    form: Form,
    panel: usize,
    words: &Range<usize>,
    to: *mut u32,
) {
    if let Operand::Int8Transposed(weight) = operand {
        // SAFETY: passed on.
        return unsafe { weight.pack_turned(panel, words, to) };
    }
    let first = panel * PANEL;
    let n = operand.n().min(first + PANEL) - first;
    let start = words.start * form.numbers();
    let k = operand.k().min(words.end * form.numbers()) - start;
    // SAFETY: the parts of the operand exist; the rest is passed on.
    unsafe {
        match operand {
            Operand::Rows(mat) => (kernel.pack_rows)(mat.rows(first, n).columns(start, k), form, to),
            Operand::Columns(mat) => (kernel.pack_columns)(mat.columns(first, n).rows(start, k), form, to),
            Operand::Panels(view) => match view.content(panel) {
                Content::Words(elem, panel) => {
                    panel::straight(kernel, elem, panel, start..start + k, form, to);
                }
                Content::Codes(panel) => coded::straight(kernel, &panel, start..start + k, form, to),
            },
            Operand::PanelsTransposed(view) => {
                let view = view.rows(start..start + k);
                match view.content(0) {
                    Content::Words(..) => panel::transposed(kernel, view, first..first + n, form, to),
                    Content::Codes(_) => coded::transposed(kernel, view, first..first + n, form, to),
                }
            }
            Operand::Int8(_) | Operand::Int8Transposed(_) => unreachable!("bytes are stored or turned"),
        }
    }
}
