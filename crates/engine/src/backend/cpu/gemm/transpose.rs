//! Transposition, for operands that a product needs the other way round.

use crate::backend::cpu::pool::Pool;
use crate::backend::cpu::view::{Elem, Mat, MatMut};

/// Rows and columns of the blocks that are transposed in cache.
const BLOCK: usize = 32;

/// Writes the transpose of `from` (M, N) to `to` (N, M).
///
/// # Panics
/// If the shapes or the storage differ.
pub fn transpose(pool: &Pool, from: Mat<'_>, to: MatMut<'_>) {
    assert_eq!((from.rows, from.cols), (to.cols, to.rows), "a transpose swaps rows and columns");
    assert_eq!(from.elem, to.elem, "a transpose keeps the storage");
    let n_cols = from.cols.div_ceil(BLOCK);
    pool.run(from.rows.div_ceil(BLOCK) * n_cols, |task| {
        let (row, col) = (task / n_cols * BLOCK, task % n_cols * BLOCK);
        // SAFETY: tasks write disjoint blocks of `to`.
        unsafe {
            match from.elem {
                Elem::F32 => block::<u32>(from, to, row, col),
                Elem::Bf16 => block::<u16>(from, to, row, col),
            }
        }
    });
}

/// Transposes one block of numbers of type `T`.
unsafe fn block<T: Copy>(from: Mat<'_>, to: MatMut<'_>, row: usize, col: usize) {
    for col in col..from.cols.min(col + BLOCK) {
        let target = to.row_ptr(col).cast::<T>();
        for row in row..from.rows.min(row + BLOCK) {
            // SAFETY: both places exist by the shapes; the caller owns the block.
            unsafe { target.add(row).write(from.row_ptr(row).cast::<T>().add(col).read()) };
        }
    }
}
