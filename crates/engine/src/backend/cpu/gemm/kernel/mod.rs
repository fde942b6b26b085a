//! Tiles of C in registers, written once and compiled per instruction set.
//!
//! [`Simd`] is the little that differs between instruction sets. Everything
//! generic over it is `inline(always)`, so that [`table!`] can wrap it in one
//! function per instruction set, where the compiler may use its instructions.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod saturate;
mod scalar;
mod stream;
mod tile;

pub(super) use stream::STREAM_ROWS;
pub(super) use tile::{Strip, Tile};

use super::coded::CodedPanel;
use super::finish::Place;
use super::word::{self, Form, LINE};
use crate::backend::cpu::isa::Isa;
use crate::backend::cpu::view::Mat;
use std::ops::Range;

/// Columns of a panel: the width of every tile.
pub(in crate::backend::cpu) const PANEL: usize = 32;
/// The most rows a tile has.
pub(super) const TILE_ROWS: usize = 12;

/// The most rows of A that are multiplied with coded panels in registers.
pub(super) const FUSED_ROWS: usize = 4;

/// A few rows of A, as the kernel reads them, and a stretch of a coded panel.
pub(super) struct CodedRows<'a> {
    /// First word of the first row; any alignment.
    pub(super) a: *const u8,
    /// Bytes between rows.
    pub(super) a_stride: usize,
    /// How many there are.
    pub(super) rows: usize,
    pub(super) panel: &'a CodedPanel<'a>,
    /// Groups of the panel, the first of which belongs to the word at `a`.
    pub(super) groups: Range<usize>,
}

/// Vectors of sums and how words are multiplied into them.
///
/// # Safety
/// Every method needs the instruction set it is written for.
pub(super) trait Simd: Copy {
    /// Words loaded from a panel.
    type Words: Copy;
    /// Sums in one vector.
    const LANES: usize;
    /// Rows of a tile; with the vectors across it fills the register file.
    const ROWS: usize;

    unsafe fn zero() -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// Loads [`Simd::LANES`] words, which may lie anywhere.
    unsafe fn words(from: *const u32) -> Self::Words;
    /// Repeats one word, which may lie anywhere.
    unsafe fn splat(from: *const u8) -> Self::Words;
    /// Adds the products of two vectors of words.
    unsafe fn multiply_add(self, a: Self::Words, b: Self::Words) -> Self;

    /// Adds the products of one repeated word, which may lie anywhere, and a vector of words
    /// that nothing else is multiplied with.
    #[inline(always)]
    unsafe fn multiply_add_splat(self, a: *const u8, b: Self::Words) -> Self {
        // SAFETY: passed on.
        unsafe { self.multiply_add(Self::splat(a), b) }
    }

    /// Rounds to bf16.
    #[inline(always)]
    unsafe fn round(line: &[f32; LINE]) -> [u16; LINE] {
        let mut bits = [0; LINE];
        for idx in 0..LINE {
            bits[idx] = word::round(line[idx]);
        }
        bits
    }

    /// Decodes a group of a coded panel to pairs, if there are instructions for it: does what
    /// [`super::pack::decode`] does, or returns false and nothing is done.
    #[inline(always)]
    unsafe fn decode_pairs(_panel: &CodedPanel<'_>, _group: usize, _to: *mut u32) -> bool {
        false
    }

    /// Multiplies with a coded panel that is decoded on the way, if there are instructions for it and
    /// the rows are few: does what decoding it first would do, or returns false and nothing is done.
    #[inline(always)]
    unsafe fn multiply_coded(_operands: &CodedRows<'_>, _tile: *mut Tile, _resume: bool) -> bool {
        false
    }

    /// The numbers of `table` at these places.
    #[inline(always)]
    unsafe fn lookup(table: &[f32; 16], at: &[i32; LINE]) -> [f32; LINE] {
        let mut line = [0.0; LINE];
        for idx in 0..LINE {
            line[idx] = table[(at[idx] & 15) as usize];
        }
        line
    }

    /// Writes `block` transposed; rows of the result are [`PANEL`] words apart.
    #[inline(always)]
    unsafe fn transpose(block: &[[u32; 16]; 16], to: *mut u32) {
        for col in 0..16 {
            for row in 0..16 {
                // SAFETY: the caller gives 16 rows of 16 words, PANEL words apart.
                unsafe { to.add(col * PANEL + row).write(block[row][col]) };
            }
        }
    }

    /// Writes a 16 × 16 block of elements of two words transposed, each
    /// element's 2 × 2 halves transposed too. Rows of both are [`PANEL`] words apart.
    #[inline(always)]
    unsafe fn flip(from: *const u32, to: *mut u32) {
        for row in 0..16 {
            for col in 0..16 {
                // SAFETY: the caller gives 16 rows of PANEL words on both sides.
                unsafe {
                    let left = from.add(row * PANEL + 2 * col).read();
                    let right = from.add(row * PANEL + 2 * col + 1).read();
                    let target = to.add(col * PANEL + 2 * row);
                    target.write(left & 0xffff | right << 16);
                    target.add(1).write(left >> 16 | right & 0xffff_0000);
                }
            }
        }
    }
}

/// The routines of one instruction set for one form of words.
pub(super) struct Kernel {
    /// Rows of a tile.
    pub(super) rows: usize,
    /// Adds the products of strips to a tile: see [`tile::multiply`].
    pub(super) multiply: unsafe fn(&[Strip], usize, usize, *mut Tile, bool),
    /// The same where B is stored by rows: see [`stream::stream`].
    pub(super) stream: unsafe fn(&Strip, usize, usize, *mut Tile, bool),
    /// Writes a tile to C: see [`super::finish::finish`].
    pub(super) finish: unsafe fn(*const Tile, &Place<'_>),
    /// Packs rows: see [`super::pack::rows`].
    pub(super) pack_rows: unsafe fn(Mat<'_>, Form, *mut u32),
    /// Packs columns: see [`super::pack::columns`].
    pub(super) pack_columns: unsafe fn(Mat<'_>, Form, *mut u32),
    /// Transposes a block of pairs: see [`Simd::flip`].
    pub(super) flip: unsafe fn(*const u32, *mut u32),
    /// Decodes 32 numbers of a coded panel: see [`super::pack::decode`].
    pub(super) decode: unsafe fn(&CodedPanel<'_>, usize, Form, *mut u32),
    /// Multiplies with a coded panel, or does nothing and returns false: see [`Simd::multiply_coded`].
    pub(super) multiply_coded: unsafe fn(&CodedRows<'_>, *mut Tile, bool) -> bool,
    /// Converts rows to words: see [`super::pack::convert`].
    pub(super) convert: unsafe fn(Mat<'_>, Form, *mut u32, usize),
    /// Multiplies in registers only: see [`saturate::saturate`].
    pub(super) saturate: unsafe fn(usize) -> f32,
    /// Sums that [`Kernel::saturate`] adds to in one round.
    pub(super) sums: usize,
}

impl Kernel {
    /// The kernel for words of `form`; the processor must have `isa`.
    pub(super) fn choose(isa: Isa, form: Form) -> &'static Self {
        match (isa, form) {
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512Bf16, Form::Pairs) => &avx512::DOT,
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512Bf16 | Isa::Avx512, _) => &avx512::FMA,
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx2, _) => &avx2::FMA,
            #[cfg(target_arch = "aarch64")]
            (Isa::NeonBf16, Form::Pairs) => &neon::DOT,
            #[cfg(target_arch = "aarch64")]
            (Isa::NeonBf16 | Isa::Neon, _) => &neon::FMA,
            _ => &scalar::PLAIN,
        }
    }
}

/// Compiles everything generic over `$simd` with the given attributes.
macro_rules! table {
    ($name:ident, $simd:ty, $vectors:literal, $(#[$feature:meta])*) => {
        pub(super) static $name: crate::backend::cpu::gemm::kernel::Kernel = {
            use crate::backend::cpu::gemm::coded::CodedPanel;
            use crate::backend::cpu::gemm::finish::{self, Place};
            use crate::backend::cpu::gemm::kernel::{CodedRows, Kernel, Simd, Strip, Tile, saturate, stream, tile};
            use crate::backend::cpu::gemm::pack;
            use crate::backend::cpu::gemm::word::Form;
            use crate::backend::cpu::view::Mat;

            $(#[$feature])*
            unsafe fn multiply(strips: &[Strip], rows: usize, cols: usize, tile: *mut Tile, resume: bool) {
                // SAFETY: the caller's promises are passed on, here and below.
                unsafe { tile::multiply::<$simd, $vectors, { $vectors / 2 }>(strips, rows, cols, tile, resume) }
            }
            $(#[$feature])*
            unsafe fn stream(strip: &Strip, rows: usize, cols: usize, tile: *mut Tile, resume: bool) {
                unsafe { stream::stream::<$simd>(strip, rows, cols, tile, resume) }
            }
            $(#[$feature])*
            unsafe fn finish(tile: *const Tile, place: &Place<'_>) {
                unsafe { finish::finish::<$simd>(tile, place) }
            }
            $(#[$feature])*
            unsafe fn pack_rows(mat: Mat<'_>, form: Form, to: *mut u32) {
                unsafe { pack::rows::<$simd>(mat, form, to) }
            }
            $(#[$feature])*
            unsafe fn pack_columns(mat: Mat<'_>, form: Form, to: *mut u32) {
                unsafe { pack::columns::<$simd>(mat, form, to) }
            }
            $(#[$feature])*
            unsafe fn flip(from: *const u32, to: *mut u32) {
                unsafe { <$simd>::flip(from, to) }
            }
            $(#[$feature])*
            unsafe fn decode(panel: &CodedPanel<'_>, group: usize, form: Form, to: *mut u32) {
                unsafe { pack::decode::<$simd>(panel, group, form, to) }
            }
            $(#[$feature])*
            unsafe fn multiply_coded(operands: &CodedRows<'_>, tile: *mut Tile, resume: bool) -> bool {
                unsafe { <$simd>::multiply_coded(operands, tile, resume) }
            }
            $(#[$feature])*
            unsafe fn convert(mat: Mat<'_>, form: Form, to: *mut u32, stride: usize) {
                unsafe { pack::convert::<$simd>(mat, form, to, stride) }
            }
            $(#[$feature])*
            unsafe fn saturate(rounds: usize) -> f32 {
                unsafe { saturate::saturate::<$simd, $vectors>(rounds) }
            }
            Kernel {
                rows: <$simd>::ROWS,
                multiply,
                stream,
                finish,
                pack_rows,
                pack_columns,
                flip,
                decode,
                multiply_coded,
                convert,
                saturate,
                sums: <$simd>::ROWS * $vectors * <$simd>::LANES,
            }
        };
    };
}
use table;
