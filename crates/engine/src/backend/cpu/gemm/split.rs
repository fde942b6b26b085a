//! How C is cut into tasks.

use super::kernel::PANEL;
use std::ops::Range;

/// The sizes that decide a cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    /// Tiles over the rows of C.
    pub(super) tiles: usize,
    /// Panels over the columns of C.
    pub(super) panels: usize,
    /// Words of the contraction.
    pub(super) words: usize,
    /// Those of them that a task has to pack for itself.
    pub(super) packed_words: usize,
    /// Threads that share the tasks.
    pub(super) threads: usize,
}

/// A cut of tiles × panels into blocks of nearly equal size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Split {
    load: Load,
    row_parts: usize,
    col_parts: usize,
}

/// A panel block and a tile of A stay in a level-two cache of one MiB.
const CACHED_WORDS: usize = 192 * 1024;

// Cycles, measured roughly: they only rank the candidates.
const PER_TILE_WORD: usize = 24;
const PER_TILE: usize = 150;
const PER_PACKED_WORD: usize = 12;
const PER_TASK: usize = 1500;

impl Split {
    /// The cut with the shortest estimated time.
    pub(super) fn choose(load: Load) -> Self {
        let widest = (CACHED_WORDS / (load.words.max(1) * PANEL)).clamp(1, 8);
        let fewest = load.panels.div_ceil(widest);
        let mut best = Self { load, row_parts: 1, col_parts: fewest };
        for width in 1..=widest {
            let col_parts = load.panels.div_ceil(width);
            let mut row_parts = 1;
            while row_parts <= load.tiles {
                let candidate = Self { load, row_parts, col_parts };
                if candidate.cost() < best.cost() {
                    best = candidate;
                }
                row_parts = (row_parts * 3).div_ceil(2);
            }
        }
        best
    }

    /// Number of tasks.
    pub(super) fn tasks(&self) -> usize {
        self.row_parts * self.col_parts
    }

    /// The tiles and panels of a task. Tasks that share panels follow each other.
    pub(super) fn block(&self, task: usize) -> (Range<usize>, Range<usize>) {
        let (col, row) = (task / self.row_parts, task % self.row_parts);
        (part(self.load.tiles, self.row_parts, row), part(self.load.panels, self.col_parts, col))
    }

    /// The most tiles and panels a task has.
    pub(super) fn largest(&self) -> (usize, usize) {
        (self.load.tiles.div_ceil(self.row_parts), self.load.panels.div_ceil(self.col_parts))
    }

    fn cost(&self) -> usize {
        let (tiles, panels) = self.largest();
        let packing = panels * self.load.packed_words * PER_PACKED_WORD;
        let task = tiles * panels * (self.load.words * PER_TILE_WORD + PER_TILE) + packing + PER_TASK;
        // A busy core makes the others wait for its last task: half of one, say.
        let waiting = if self.load.threads > 1 { task / 2 } else { 0 };
        self.tasks().div_ceil(self.load.threads) * task + waiting
    }
}

/// Part `idx` of `0..len` cut into `parts` parts whose sizes differ by one at most.
pub(super) fn part(len: usize, parts: usize, idx: usize) -> Range<usize> {
    len * idx / parts..len * (idx + 1) / parts
}
