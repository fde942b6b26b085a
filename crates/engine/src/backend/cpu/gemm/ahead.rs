//! What a block asks for before it needs it.

use super::kernel::Strip;
use super::task::{Step, Work};
use crate::backend::cpu::prefetch::ask_for;
use crate::backend::cpu::view::Elem;
use std::ops::Range;

impl Work<'_> {
    /// Asks for what finishing a tile reads and writes: it comes from far memory, and arrives while
    /// the tile is multiplied.
    pub(super) fn look_ahead(&self, step: &Step, tile: usize, panel: usize) {
        if !step.is_last {
            return;
        }
        let cols = self.cols(panel);
        let line = |first: *const u8, elem: Elem| {
            ask_for(first.wrapping_add(cols.start * elem.bytes()), cols.len() * elem.bytes());
        };
        for row in self.rows(tile) {
            line(self.c.row_ptr(row).cast_const(), self.c.elem);
            if let Some(add) = self.epilogue.add {
                line(add.row_ptr(row), add.elem);
            }
        }
    }

    /// Asks for some of the rows of A that follow those of a tile, whose rows end at `end`.
    pub(super) fn look_ahead_left(&self, strips: &[Strip], (start, end): (usize, usize), rows: Range<usize>) {
        let after = end - start;
        for row in rows.filter(|row| end + row < self.c.rows) {
            for strip in strips {
                ask_for(strip.a.wrapping_add((after + row) * strip.a_stride), strip.words * 4);
            }
        }
    }
}
