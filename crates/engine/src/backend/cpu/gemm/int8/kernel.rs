//! A tile of sums of integers, and what becomes of it.
//!
//! ```text
//!              32 columns of a panel                 a tile of 12 × 32 takes 24 registers of sums
//!           ┌─────────────────────────┐              (AVX-512), 2 of weights and one of x: 27 of 32
//!  x̂ row m  │ sums i32, start −128 Σx̂ │  · s[m] t[n]  → added to the tile of f32, or put there
//!           └─────────────────────────┘
//! ```
//!
//! Per word of K a tile takes 24 products and 14 loads: the products bound it, as they do in bf16, and
//! each is worth twice as much.

use super::super::kernel::{PANEL, Strip, TILE_ROWS, Tile};
use crate::backend::cpu::isa::Isa;

/// What makes numbers of sums.
#[derive(Clone, Copy)]
pub(in super::super) struct Factors<'a> {
    /// Scale and start of every row of the tile.
    pub(in super::super) scales: &'a [f32],
    pub(in super::super) starts: &'a [i32],
    /// Scales of the panel's columns, if they have some.
    pub(in super::super) columns: Option<&'a [f32; PANEL]>,
}

/// How integers are summed by one instruction set.
///
/// # Safety
/// Every method needs the instruction set it is written for.
pub(super) trait Integers: Copy {
    /// Bytes of a panel or of a row.
    type Bytes: Copy;
    /// Sums in one vector.
    const LANES: usize;
    /// Rows of sums that fit into registers beside two vectors of a panel.
    const ROWS: usize;

    unsafe fn splat(start: i32) -> Self;
    unsafe fn panel(from: *const u32) -> Self::Bytes;
    /// Repeats a word, which may lie anywhere.
    unsafe fn repeat(word: *const u8) -> Self::Bytes;
    /// Adds the products of four unsigned bytes of a panel and four signed ones of a row, lane by lane.
    unsafe fn dot(self, panel: Self::Bytes, row: Self::Bytes) -> Self;
    /// `to (=|+=) scale · columns · sums`, the columns one where there are none.
    unsafe fn finish(self, scale: f32, columns: Option<*const f32>, to: *mut f32, adds: bool);
}

/// Multiplies one strip of bytes into a tile.
///
/// # Safety
/// As for the kernels of words: the strip is readable for `rows` rows and all of its words, and factors
/// exist for them.
pub(in super::super) type Multiply = unsafe fn(&Strip, usize, &Factors<'_>, *mut Tile, bool);

/// The routine of one instruction set.
#[derive(Clone, Copy)]
pub(in super::super) struct Kernel {
    pub(in super::super) multiply: Multiply,
    /// Whether the processor has an instruction for it.
    pub(in super::super) is_fast: bool,
}

impl Kernel {
    /// The best there is beside `isa`.
    pub(in super::super) fn choose(isa: Isa) -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(multiply) = super::x86::choose(isa) {
            return Self { multiply, is_fast: true };
        }
        let _ = isa;
        Self { multiply: plain, is_fast: false }
    }
}

/// The loop of a tile, generic over the instruction set.
///
/// # Safety
/// See [`Multiply`].
#[inline(always)]
pub(super) unsafe fn multiply<S: Integers>(
    strip: &Strip,
    rows: usize,
    factors: &Factors<'_>,
    tile: *mut Tile,
    resume: bool,
) {
    assert!(rows <= TILE_ROWS && factors.scales.len() >= rows && factors.starts.len() >= rows);
    for col in (0..PANEL).step_by(2 * S::LANES) {
        let mut row = 0;
        while row < rows {
            let spot = Spot { row, col, resume };
            // SAFETY: passed on. The guards are constants: rows beyond `S::ROWS` cost no code.
            row += unsafe {
                match rows - row {
                    12.. if S::ROWS >= 12 => registers::<S, 12>(strip, spot, factors, tile),
                    11.. if S::ROWS >= 11 => registers::<S, 11>(strip, spot, factors, tile),
                    10.. if S::ROWS >= 10 => registers::<S, 10>(strip, spot, factors, tile),
                    9.. if S::ROWS >= 9 => registers::<S, 9>(strip, spot, factors, tile),
                    8.. if S::ROWS >= 8 => registers::<S, 8>(strip, spot, factors, tile),
                    7.. if S::ROWS >= 7 => registers::<S, 7>(strip, spot, factors, tile),
                    6.. if S::ROWS >= 6 => registers::<S, 6>(strip, spot, factors, tile),
                    5.. if S::ROWS >= 5 => registers::<S, 5>(strip, spot, factors, tile),
                    4.. => registers::<S, 4>(strip, spot, factors, tile),
                    3 => registers::<S, 3>(strip, spot, factors, tile),
                    2 => registers::<S, 2>(strip, spot, factors, tile),
                    _ => registers::<S, 1>(strip, spot, factors, tile),
                }
            };
        }
    }
}

/// A place in a tile, and whether there is something in it.
#[derive(Clone, Copy)]
struct Spot {
    row: usize,
    col: usize,
    resume: bool,
}

/// `R` rows × 2 vectors of sums, all in registers. Returns `R`.
#[inline(always)]
unsafe fn registers<S: Integers, const R: usize>(
    strip: &Strip,
    at: Spot,
    factors: &Factors<'_>,
    tile: *mut Tile,
) -> usize {
    // SAFETY: the caller vouches for the strip, the factors and the tile.
    unsafe {
        let mut sums = [[S::splat(0); 2]; R];
        for row in 0..R {
            sums[row] = [S::splat(factors.starts[at.row + row]); 2];
        }
        let mut a = strip.a.add(at.row * strip.a_stride);
        let mut b = strip.b.cast::<u32>().add(at.col);
        for _ in 0..strip.words {
            let panel = [S::panel(b), S::panel(b.add(S::LANES))];
            for row in 0..R {
                let word = S::repeat(a.add(row * strip.a_stride));
                sums[row][0] = sums[row][0].dot(panel[0], word);
                sums[row][1] = sums[row][1].dot(panel[1], word);
            }
            a = a.add(super::NUMBERS);
            b = b.add(PANEL);
        }
        let columns = factors.columns.map(|columns| columns.as_ptr().add(at.col));
        for row in 0..R {
            let to = tile.cast::<f32>().add((at.row + row) * PANEL + at.col);
            for v in 0..2 {
                let columns = columns.map(|columns| columns.add(v * S::LANES));
                sums[row][v].finish(factors.scales[at.row + row], columns, to.add(v * S::LANES), at.resume);
            }
        }
        R
    }
}

/// Lanes of the plain loop.
const LANES: usize = 8;

/// Sums of plain loops.
#[derive(Clone, Copy)]
struct Plain([i32; LANES]);

// SAFETY of all methods: the caller vouches for the memory.
impl Integers for Plain {
    type Bytes = [u32; LANES];
    const LANES: usize = LANES;
    const ROWS: usize = 4;

    #[inline(always)]
    unsafe fn splat(start: i32) -> Self {
        Self([start; LANES])
    }

    #[inline(always)]
    unsafe fn panel(from: *const u32) -> [u32; LANES] {
        unsafe { from.cast::<[u32; LANES]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn repeat(word: *const u8) -> [u32; LANES] {
        [unsafe { word.cast::<u32>().read_unaligned() }; LANES]
    }

    #[inline(always)]
    unsafe fn dot(mut self, panel: [u32; LANES], row: [u32; LANES]) -> Self {
        for lane in 0..LANES {
            let (weights, numbers) = (panel[lane].to_ne_bytes(), row[lane].to_ne_bytes());
            for idx in 0..super::NUMBERS {
                self.0[lane] += i32::from(weights[idx]) * i32::from(numbers[idx] as i8);
            }
        }
        self
    }

    #[inline(always)]
    unsafe fn finish(self, scale: f32, columns: Option<*const f32>, to: *mut f32, adds: bool) {
        for lane in 0..LANES {
            unsafe {
                let column = columns.map_or(1.0, |columns| *columns.add(lane));
                let value = self.0[lane] as f32 * (scale * column);
                *to.add(lane) = if adds { *to.add(lane) + value } else { value };
            }
        }
    }
}

unsafe fn plain(strip: &Strip, rows: usize, factors: &Factors<'_>, tile: *mut Tile, resume: bool) {
    // SAFETY: passed on.
    unsafe { multiply::<Plain>(strip, rows, factors, tile, resume) }
}
