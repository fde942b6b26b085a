//! How C is cut into tasks.

use super::kernel::{PANEL, Tile};
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
    /// The most words in one visit.
    pub(super) visit_words: usize,
    /// Visits of each tile.
    pub(super) visits: usize,
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

/// The most panels in a block.
const WIDEST: usize = 8;
/// What a task reads again and again stays in three quarters of a second cache of one MiB.
pub(super) const CACHED_WORDS: usize = 192 * 1024;

// Cycles, measured roughly: they only rank the candidates.
const PER_TILE_WORD: usize = 24;
const PER_TILE: usize = 150;
const PER_LOADED_WORD: usize = 3;
const PER_PACKED_WORD: usize = 12;
const PER_TASK: usize = 1500;

impl Split {
    /// The cut with the shortest estimated time.
    pub(super) fn choose(load: Load) -> Self {
        let mut best = Self { load, row_parts: 1, col_parts: load.panels };
        let mut best_cost = usize::MAX;
        for width in 1..=WIDEST.min(load.panels) {
            let col_parts = load.panels.div_ceil(width);
            let mut row_parts = 1;
            while row_parts <= load.tiles {
                let candidate = Self { load, row_parts, col_parts };
                let cost = candidate.cost();
                if cost < best_cost {
                    (best, best_cost) = (candidate, cost);
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

    /// How many tasks read the same panels.
    pub(super) fn readers(&self) -> usize {
        self.row_parts
    }

    /// The tiles and panels of a task. Tasks that share panels follow each other.
    pub(super) fn block(&self, task: usize) -> (Range<usize>, Range<usize>) {
        let (col, row) = (task / self.row_parts, task % self.row_parts);
        (part(self.load.tiles, self.row_parts, row), part(self.load.panels, self.col_parts, col))
    }

    fn cost(&self) -> usize {
        let Load { words, packed_words, visit_words, visits, threads, .. } = self.load;
        let tiles = self.load.tiles.div_ceil(self.row_parts);
        let panels = self.load.panels.div_ceil(self.col_parts);
        let tile = panels * (words * PER_TILE_WORD + PER_TILE) + words * PER_LOADED_WORD;
        let mut task = tiles * tile + panels * packed_words * PER_PACKED_WORD + PER_TASK;
        let sums = if visits > 1 { tiles * panels * size_of::<Tile>() / 4 } else { 0 };
        if panels * visit_words * PANEL + sums > CACHED_WORDS {
            task += task / 8;
        }
        // A busy core makes the others wait for its last task: a quarter of one, say.
        let waiting = if threads > 1 { task / 4 } else { 0 };
        self.tasks().div_ceil(threads) * task + waiting
    }
}

/// Part `idx` of `0..len` cut into `parts` parts whose sizes differ by one at most.
pub(super) fn part(len: usize, parts: usize, idx: usize) -> Range<usize> {
    len * idx / parts..len * (idx + 1) / parts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows, columns and contraction of the products of a step: SmolLM2-135M by 256 and 1,024
    /// tokens, the low-rank ones among them.
    const PRODUCTS: [(usize, usize, usize); 9] = [
        (1024, 576, 576),
        (1024, 192, 576),
        (1024, 1536, 576),
        (1024, 576, 1536),
        (1024, 48, 576),
        (16, 1536, 1024),
        (256, 192, 576),
        (256, 16, 1536),
        (256, 49152, 576),
    ];

    fn load((m, n, k): (usize, usize, usize), threads: usize) -> Load {
        let words = k / 2;
        let visits = words.div_ceil(512);
        let (tiles, panels) = (m.div_ceil(12), n.div_ceil(PANEL));
        Load { tiles, panels, words, packed_words: 0, visit_words: words / visits, visits, threads }
    }

    #[test]
    fn more_threads_are_never_slower() {
        for product in PRODUCTS {
            let cost = |threads| Split::choose(load(product, threads)).cost();
            let costs: Vec<usize> = [2, 3, 4, 8, 16, 32, 64].map(cost).to_vec();
            assert!(costs.is_sorted_by(|fewer, more| fewer >= more), "{product:?}: {costs:?}");
        }
    }

    #[test]
    fn no_task_is_smaller_than_its_handing_over() {
        for product in PRODUCTS {
            for threads in [2, 8, 64] {
                let split = Split::choose(load(product, threads));
                let work = product.0 * product.1 * product.2 / 2 / (12 * PANEL) * PER_TILE_WORD;
                let per_task = work / split.tasks();
                assert!(
                    split.tasks() == 1 || per_task >= PER_TASK,
                    "{product:?}, {threads}: {per_task} cycles"
                );
            }
        }
    }
}
