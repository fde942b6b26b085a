//! Transposition, for operands that a product needs the other way round.
//!
//! Whole blocks go through the packing of panels, which has the instructions for it. Rows of bf16
//! are first woven into words of two, as if they were the contraction; the transpose of these words
//! has the numbers of the transpose in order.

use super::kernel::{Kernel, PANEL};
use super::word::Form;
use crate::backend::cpu::isa::Isa;
use crate::backend::cpu::pool::Pool;
use crate::backend::cpu::view::{Elem, Mat, MatMut};

/// Columns of a block, and rows of words.
const BLOCK: usize = PANEL;
/// Columns of a task.
const TASK_COLS: usize = 8 * BLOCK;

/// Writes the transpose of `from` (M, N) to `to` (N, M).
///
/// # Panics
/// If the shapes or the storage differ.
pub fn transpose(pool: &Pool, isa: Isa, from: Mat<'_>, to: MatMut<'_>) {
    assert_eq!((from.rows, from.cols), (to.cols, to.rows), "a transpose swaps rows and columns");
    assert_eq!(from.elem, to.elem, "a transpose keeps the storage");
    let kernel = Kernel::choose(isa, Form::Pairs);
    let height = BLOCK * 4 / from.elem.bytes();
    let n_groups = from.cols.div_ceil(TASK_COLS);
    pool.run(from.rows.div_ceil(height) * n_groups, |task| {
        let (row, first) = (task / n_groups * height, task % n_groups * TASK_COLS);
        let rows = height.min(from.rows - row);
        // Along the rows, as they lie in memory.
        for col in (first..from.cols.min(first + TASK_COLS)).step_by(BLOCK) {
            let part = from.rows(row, rows).columns(col, BLOCK.min(from.cols - col));
            let to = to.rows(col, part.cols).columns(row, rows);
            // SAFETY: tasks write disjoint blocks of `to`.
            unsafe {
                match from.elem {
                    _ if rows == height && part.cols == BLOCK => whole(kernel, part, to),
                    Elem::F32 => end::<u32>(part, to),
                    Elem::Bf16 => end::<u16>(part, to),
                }
            }
        }
    });
}

/// Transposes 32 rows of words.
unsafe fn whole(kernel: &Kernel, from: Mat<'_>, to: MatMut<'_>) {
    let mut woven = [0_u32; BLOCK * PANEL];
    let mut turned = [0_u32; BLOCK * PANEL];
    // SAFETY: both buffers hold what is packed into them; the caller owns the block of `to`.
    unsafe {
        match from.elem {
            Elem::Bf16 => {
                (kernel.pack_columns)(from, Form::Pairs, woven.as_mut_ptr());
                let words = Mat::from_raw(woven.as_ptr().cast(), Elem::Bf16, BLOCK, 2 * PANEL, 2 * PANEL);
                (kernel.pack_rows)(words, Form::Pairs, turned.as_mut_ptr());
            }
            Elem::F32 => (kernel.pack_rows)(from, Form::Floats, turned.as_mut_ptr()),
        }
        for (row, line) in turned.as_chunks::<PANEL>().0.iter().enumerate() {
            to.row_ptr(row).cast::<[u32; PANEL]>().write_unaligned(*line);
        }
    }
}

/// Transposes what is less than a block, of numbers of type `T`.
unsafe fn end<T: Copy>(from: Mat<'_>, to: MatMut<'_>) {
    for col in 0..from.cols {
        let target = to.row_ptr(col).cast::<T>();
        for row in 0..from.rows {
            // SAFETY: both places exist by the shapes; the caller owns the block.
            unsafe { target.add(row).write(from.row_ptr(row).cast::<T>().add(col).read()) };
        }
    }
}
