//! What attention is computed in, in bytes: the twin of the workspaces beside it.

use super::backward;
use super::block::BLOCK_COLS;
use super::few::{FEW, PIECE};
use super::forward::KEYS;
use super::tile::COLS;
use super::unit::most_partial_rows;
use crate::backend::cpu::view::Elem;

/// The numbers that decide.
#[derive(Debug, Clone, Copy)]
pub(in crate::backend::cpu) struct Sizes {
    /// M: rows of queries.
    pub(in crate::backend::cpu) rows: usize,
    /// H.
    pub(in crate::backend::cpu) heads: usize,
    /// K.
    pub(in crate::backend::cpu) kv_heads: usize,
    /// E.
    pub(in crate::backend::cpu) width: usize,
    /// How queries, keys and values are stored.
    pub(in crate::backend::cpu) elem: Elem,
    /// Whether products run on pairs of bf16.
    pub(in crate::backend::cpu) pairs: bool,
    /// Threads, each with a workspace.
    pub(in crate::backend::cpu) threads: usize,
}

impl Sizes {
    fn per_word(&self) -> usize {
        if self.pairs { 2 } else { 1 }
    }

    fn n_panels(&self) -> usize {
        let group = self.heads / self.kv_heads;
        ((BLOCK_COLS / group).max(1) * group).div_ceil(COLS)
    }

    /// Words of the keys of a tile turned: three copies on the way.
    fn turned(&self) -> usize {
        3 * KEYS / self.per_word() * self.width
    }

    /// Words of rows that are not read where they are.
    fn rows_copy(&self) -> usize {
        let is_direct = self.elem.bytes() * self.per_word() == 4;
        if is_direct { 0 } else { KEYS * self.width / self.per_word() }
    }

    fn spans(&self) -> usize {
        self.rows * 8
    }

    /// Bytes of the forward pass.
    pub(in crate::backend::cpu) fn forward(&self) -> usize {
        let (width, per_word, panels) = (self.width, self.per_word(), self.n_panels());
        let panel = width / per_word * COLS + width * COLS + 8 * COLS;
        let words = panels * COLS * width / per_word
            + panels * panel
            + self.turned()
            + self.rows_copy()
            + KEYS * COLS
            + KEYS / per_word * COLS
            + COLS * width;
        self.spans() + self.threads * words * 4
    }

    /// Bytes of the backward pass: workspaces, δ, and partial gradients of queries for the worst cut
    /// of the rows into documents.
    pub(in crate::backend::cpu) fn backward(&self, shares: bool) -> usize {
        let (width, per_word, panels) = (self.width, self.per_word(), self.n_panels());
        let padded = width.next_multiple_of(COLS);
        let tiles = backward::most_tiles(self.rows);
        let tile = 2 * self.rows_copy() + self.turned() + 2 * KEYS * padded;
        let panel = 2 * (width / per_word * COLS) + width * COLS + 8 * COLS;
        let columns =
            panels * (width / per_word * COLS) + width.div_ceil(COLS) * panels * COLS / per_word * COLS;
        let scores = 2 * KEYS * COLS + KEYS / per_word * COLS + 2 * KEYS * (panels * COLS / per_word);
        let words = tiles * tile + panels * panel + 2 * columns + scores + COLS * width;
        let (delta, wide) = (self.rows * self.heads * 4, self.heads * width);
        let partial = most_partial_rows(self.rows, shares) * wide * 4;
        self.spans() + delta + partial + self.threads * words * 4
    }

    /// Bytes of a few queries over a cache of `cache_rows`: their pieces, and a workspace for each thread.
    pub(in crate::backend::cpu) fn pieces(&self, cache_rows: usize) -> usize {
        let (width, per_word) = (self.width, self.per_word());
        let group = self.heads / self.kv_heads;
        // Sequences share the cache, so they have no more pieces than it has, and one more each.
        let n_pieces = cache_rows.div_ceil(PIECE) + self.rows;
        let parts = n_pieces * self.kv_heads * group.max(FEW) * (width + 2) * 4;
        let rows = group.max(FEW).next_multiple_of(4);
        let words = PIECE * width / per_word
            + COLS * width / per_word
            + width.div_ceil(COLS) * PIECE / per_word * COLS
            + rows * (width / per_word + PIECE + PIECE / per_word + width.next_multiple_of(COLS));
        self.spans() + parts + self.threads * words * 4
    }
}
