//! The tile loop, generic over the instruction set.

use super::{PANEL, Simd, TILE_ROWS};

/// The sums of a tile of C between two visits.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(in super::super) struct Tile(pub(in super::super) [[f32; PANEL]; TILE_ROWS]);

/// A stretch of the contraction: rows of A times one panel of B.
#[derive(Clone, Copy)]
pub(in super::super) struct Strip {
    /// First word of the first row of A; any alignment.
    pub(in super::super) a: *const u8,
    /// Bytes between rows of A.
    pub(in super::super) a_stride: usize,
    /// First row of the panel, [`PANEL`] words per row; or the first of the
    /// rows that make a panel's columns.
    pub(in super::super) b: *const u8,
    /// Bytes between rows of B that are not packed; zero in a panel.
    pub(in super::super) b_stride: usize,
    /// Bytes from here to the same place in the next panel.
    pub(in super::super) panel_bytes: usize,
    /// Length.
    pub(in super::super) words: usize,
}

impl Default for Strip {
    fn default() -> Self {
        let (a, b) = (std::ptr::null(), std::ptr::null());
        Self { a, a_stride: 0, b, b_stride: 0, panel_bytes: 0, words: 0 }
    }
}

/// Computes the leading `rows` × `cols` of a tile, at least, over all strips;
/// adds to it if `resume`, else overwrites it.
///
/// `FULL` is the number of vectors across a tile in registers, `HALF` a smaller
/// one for narrow ends; wider panels are walked in several passes.
///
/// # Safety
/// The strips must be readable for `rows` rows of A and all words of the panel,
/// `rows` between 1 and `S::ROWS`, `cols` at most [`PANEL`], and the processor
/// must have the instructions of `S`.
#[inline(always)]
pub(super) unsafe fn multiply<S: Simd, const FULL: usize, const HALF: usize>(
    strips: &[Strip],
    rows: usize,
    cols: usize,
    tile: *mut Tile,
    resume: bool,
) {
    let mut col = 0;
    while col < cols {
        // SAFETY: `col` stays below PANEL, a multiple of every width.
        unsafe {
            if cols - col > HALF * S::LANES {
                by_rows::<S, FULL>(strips, rows, col, tile, resume);
                col += FULL * S::LANES;
            } else {
                by_rows::<S, HALF>(strips, rows, col, tile, resume);
                col += HALF * S::LANES;
            }
        }
    }
}

#[inline(always)]
unsafe fn by_rows<S: Simd, const V: usize>(
    strips: &[Strip],
    rows: usize,
    col: usize,
    tile: *mut Tile,
    resume: bool,
) {
    // SAFETY: passed on. The guards are constants: rows beyond `S::ROWS` cost no code.
    unsafe {
        match rows {
            1 => registers::<S, 1, V>(strips, col, tile, resume),
            2 => registers::<S, 2, V>(strips, col, tile, resume),
            3 => registers::<S, 3, V>(strips, col, tile, resume),
            4 => registers::<S, 4, V>(strips, col, tile, resume),
            5 if S::ROWS >= 5 => registers::<S, 5, V>(strips, col, tile, resume),
            6 if S::ROWS >= 6 => registers::<S, 6, V>(strips, col, tile, resume),
            7 if S::ROWS >= 7 => registers::<S, 7, V>(strips, col, tile, resume),
            8 if S::ROWS >= 8 => registers::<S, 8, V>(strips, col, tile, resume),
            9 if S::ROWS >= 9 => registers::<S, 9, V>(strips, col, tile, resume),
            10 if S::ROWS >= 10 => registers::<S, 10, V>(strips, col, tile, resume),
            11 if S::ROWS >= 11 => registers::<S, 11, V>(strips, col, tile, resume),
            12 if S::ROWS >= 12 => registers::<S, 12, V>(strips, col, tile, resume),
            _ => unreachable!("a tile of {rows} rows"),
        }
    }
}

/// `R` rows × `V` vectors of sums, all in registers.
#[inline(always)]
unsafe fn registers<S: Simd, const R: usize, const V: usize>(
    strips: &[Strip],
    col: usize,
    tile: *mut Tile,
    resume: bool,
) {
    // SAFETY: the caller vouches for the strips and the tile; `col + V * LANES <= PANEL`.
    unsafe {
        let sums = tile.cast::<f32>().add(col);
        let mut acc = [[S::zero(); V]; R];
        if resume {
            for row in 0..R {
                for v in 0..V {
                    acc[row][v] = S::load(sums.add(row * PANEL + v * S::LANES));
                }
            }
        }
        for strip in strips {
            let mut a = strip.a;
            let mut b = strip.b.cast::<u32>().add(col);
            for _ in 0..strip.words {
                let mut panel = [S::words(b); V];
                for v in 1..V {
                    panel[v] = S::words(b.add(v * S::LANES));
                }
                for row in 0..R {
                    let a = a.add(row * strip.a_stride);
                    if V == 1 {
                        acc[row][0] = acc[row][0].multiply_add_splat(a, panel[0]);
                        continue;
                    }
                    let word = S::splat(a);
                    for v in 0..V {
                        acc[row][v] = acc[row][v].multiply_add(word, panel[v]);
                    }
                }
                a = a.add(4);
                b = b.add(PANEL);
            }
        }
        for row in 0..R {
            for v in 0..V {
                acc[row][v].store(sums.add(row * PANEL + v * S::LANES));
            }
        }
    }
}
