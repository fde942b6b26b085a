//! The way of a finished tile to memory.

use super::Epilogue;
use super::kernel::{PANEL, Simd, Tile};
use super::word::{self, LINE};
use crate::backend::cpu::view::{Elem, MatMut};
use std::ops::Range;

/// Where a tile belongs and what is added on the way.
pub(super) struct Place<'a> {
    pub(super) epilogue: &'a Epilogue<'a>,
    pub(super) c: MatMut<'a>,
    /// Rows of C.
    pub(super) rows: Range<usize>,
    /// Columns of C, at most a panel.
    pub(super) cols: Range<usize>,
}

/// Writes a tile to its place in C.
///
/// # Safety
/// The place lies within C, nobody else touches it, and the processor has the
/// instructions of `S`.
#[inline(always)]
pub(super) unsafe fn finish<S: Simd>(tile: *const Tile, place: &Place<'_>) {
    for row in place.rows.clone() {
        // SAFETY: a tile has at least as many rows as its place; the rest is passed on.
        unsafe {
            let sums = &(&(*tile).0)[row - place.rows.start];
            // Whole panels get a copy of the code with constant lengths.
            if place.cols.len() == PANEL {
                finish_row::<S>(sums, place, row, PANEL);
            } else {
                finish_row::<S>(sums, place, row, place.cols.len());
            }
        }
    }
}

#[inline(always)]
unsafe fn finish_row<S: Simd>(sums: &[f32; PANEL], place: &Place<'_>, row: usize, len: usize) {
    let Place { epilogue, c, cols, .. } = place;
    let mut line = [0.0_f32; LINE];
    for idx in 0..PANEL {
        line[idx] = epilogue.scale * sums[idx];
    }
    // SAFETY: bias, residual and C all have the columns `cols`, `len` of them.
    unsafe {
        if let Some(bias) = epilogue.bias {
            add(&mut line, bias.as_ptr().add(cols.start).cast(), Elem::F32, len);
        }
        if let Some(mat) = epilogue.add {
            add(&mut line, mat.row_ptr(row).add(cols.start * mat.elem.bytes()), mat.elem, len);
        }
        let to = c.row_ptr(row).add(cols.start * c.elem.bytes());
        if epilogue.accumulate {
            add(&mut line, to, c.elem, len);
        }
        match c.elem {
            Elem::F32 => write(&line, to.cast(), len),
            Elem::Bf16 => write(&S::round(&line), to.cast(), len),
        }
    }
}

#[inline(always)]
unsafe fn write<T: Copy>(line: &[T; LINE], to: *mut T, len: usize) {
    // SAFETY: the caller vouches for `len` values at `to`.
    unsafe {
        if len == LINE {
            to.cast::<[T; LINE]>().write_unaligned(*line);
        } else {
            std::ptr::copy_nonoverlapping(line.as_ptr(), to, len);
        }
    }
}

/// Adds `len` numbers to `line`.
#[inline(always)]
unsafe fn add(line: &mut [f32; LINE], from: *const u8, elem: Elem, len: usize) {
    for idx in 0..len {
        // SAFETY: the caller vouches for `len` numbers at `from`.
        line[idx] += unsafe {
            match elem {
                Elem::F32 => from.cast::<f32>().add(idx).read(),
                Elem::Bf16 => word::widen(from.cast::<u16>().add(idx).read()),
            }
        };
    }
}
