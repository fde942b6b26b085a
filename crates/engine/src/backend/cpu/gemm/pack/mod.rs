//! Right operands become panels: [`PANEL`] columns wide, one row per word of
//! the contraction, so that a kernel reads them in order.

mod convert;
mod matrix;
mod panel;

pub(super) use convert::convert;
pub(super) use matrix::{columns, rows};

use super::Operand;
use super::kernel::{Kernel, PANEL};
use super::word::Form;

/// A panel of `operand` where it is stored, if it needs no packing.
pub(super) fn stored(operand: &Operand<'_>, form: Form, panel: usize) -> Option<*const u32> {
    match operand {
        Operand::Panels(view) if form.is_stored_as(view.elem()) => Some(view.panel(panel)),
        _ => None,
    }
}

/// Packs panel number `panel` of `operand` to `to`.
///
/// # Safety
/// `to` holds [`PANEL`] words for every word of the contraction, the panel
/// exists, and the processor has the instructions of `kernel`.
pub(super) unsafe fn pack(kernel: &Kernel, operand: &Operand<'_>, form: Form, panel: usize, to: *mut u32) {
    let first = panel * PANEL;
    let count = operand.n().saturating_sub(first).min(PANEL);
    // SAFETY: the parts of the operand exist; the rest is passed on.
    unsafe {
        match operand {
            Operand::Rows(mat) => (kernel.pack_rows)(mat.rows(first, count), form, to),
            Operand::Columns(mat) => (kernel.pack_columns)(mat.columns(first, count), form, to),
            Operand::Panels(view) => panel::straight(kernel, *view, form, panel, to),
            Operand::PanelsTransposed(view) => panel::transposed(kernel, *view, form, first..first + count, to),
        }
    }
}
