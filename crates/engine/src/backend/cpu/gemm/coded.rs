//! Panels that stay coded: integers and scales in the order packing decodes them.
//!
//! A panel is 32 rows of W, as in [`super::Panels`]; its chunks follow each other along K. All
//! that is said of one place in K lies side by side for the 32 rows:
//!
//! ```text
//! chunk   d 32 × f16 │ m 32 × f16 │ group │ group │ …          NF4, MXFP4: 32 × u8 instead of d
//! group   s 32 × u8 │ t 32 × u8 │ low bits │ high bits          32 numbers of K
//!
//! low     2 × 64 words. Word 2 r + p of half h has, for row r, the eight numbers of that half with
//!         parity p: bits 4 i … 4 i + 4 are the low bits of number 16 h + 2 i + p
//!         8 bits: 4 × 64 words, byte i of word 2 r + p of quarter q is number 8 q + 2 i + p
//! high    5 bits: 64 × u16, bit i of number 2 r + p is bit 4 of number 2 i + p of row r
//!         6 bits: 64 words, bits 2 i … 2 i + 2 of word 2 r + p are bits 4 … 6 of number 2 i + p
//! ```
//!
//! Parts a coding has not take no room (Q6_K: two lines of s, one for each 16 numbers). Even and
//! odd numbers of a row lie side by side as they do in the pairs that products read, and a vector
//! of words is a stretch of rows: once decoded and rounded, no lane moves on the way to a kernel.

use super::kernel::PANEL;
use super::word;
use crate::coding::{
    CodedRow, CodedWeight, Coding, NUMBERS, OUTER_CHUNKS, Outer, QUANTILES, STEPS, Scaling, half_power,
};
use crate::program::DType;
use half::f16;
use std::ops::Range;

/// Numbers of K that are decoded together.
pub(super) const GROUP: usize = 32;
/// The even and the odd numbers of each row.
pub(super) const LANES: usize = 2 * PANEL;

/// How the memory of coded panels is to be read.
#[derive(Debug)]
pub(super) struct Coded {
    pub(super) coding: Coding,
    /// Whether numbers are rounded to bf16 even where products are not.
    pub(super) rounds: bool,
    outer: Outer,
}

/// One panel of coded numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct CodedPanel<'a> {
    pub(super) coded: &'a Coded,
    pub(super) first: *const u8,
    /// The row of W that is the panel's first.
    pub(super) row: usize,
    /// Numbers in a row.
    pub(super) k: usize,
}

/// Where 32 numbers of K lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    /// What stands in front of their chunk.
    pub(super) head: *const u8,
    /// Their small scales.
    pub(super) small: *const u8,
    /// Their integers.
    pub(super) codes: *const u32,
    /// The chunk's number in its row.
    pub(super) chunk: usize,
}

impl Coded {
    /// How `weight` will be read.
    ///
    /// # Panics
    /// If NF4 lacks its outer scales.
    pub(super) fn new(weight: &CodedWeight<'_>) -> Self {
        let outer = weight.outer.cloned().unwrap_or_default();
        if weight.coding.scaling() == Scaling::Nested {
            let chunks = weight.rows * weight.cols / weight.coding.chunk();
            assert_eq!(outer.scales.len(), chunks.div_ceil(OUTER_CHUNKS), "outer scales for {chunks} chunks");
        }
        Self { coding: weight.coding, rounds: weight.dtype == DType::Bf16, outer }
    }

    /// How a weight that was packed before is read.
    pub(super) fn adopted(coding: Coding, dtype: DType, outer: Outer) -> Self {
        Self { coding, rounds: dtype == DType::Bf16, outer }
    }

    /// The scales that the whole weight shares.
    pub(super) fn outer(&self) -> &Outer {
        &self.outer
    }

    /// Bytes of a panel of rows of `k` numbers.
    pub(super) fn panel_bytes(&self, k: usize) -> usize {
        k / self.coding.chunk() * self.chunk_bytes()
    }

    fn chunk_bytes(&self) -> usize {
        self.head_bytes() + self.coding.chunk() / GROUP * self.group_bytes()
    }

    fn head_bytes(&self) -> usize {
        match self.coding.scaling() {
            Scaling::Scale | Scaling::SmallSigned => 2 * PANEL,
            Scaling::Minimum | Scaling::SmallMinima => 4 * PANEL,
            Scaling::Nested | Scaling::Power => PANEL,
        }
    }

    fn small_bytes(&self) -> usize {
        match self.coding.scaling() {
            Scaling::SmallMinima | Scaling::SmallSigned => 2 * PANEL,
            Scaling::Scale | Scaling::Minimum | Scaling::Nested | Scaling::Power => 0,
        }
    }

    fn group_bytes(&self) -> usize {
        self.small_bytes() + GROUP * PANEL * self.coding.bits() as usize / 8
    }

    /// Writes the rows `rows` of a weight as one panel; rows that do not exist are zero.
    ///
    /// # Panics
    /// If a row lacks parts.
    pub(super) fn write_panel(&self, weight: &CodedWeight<'_>, rows: Range<usize>, to: &mut [u8]) {
        let (coding, mut row) = (self.coding, CodedRow::default());
        for col in 0..PANEL {
            row.clear();
            match rows.start + col < rows.end {
                true => (weight.fill)(rows.start + col, &mut row),
                false => row.fill_zero(coding, weight.cols),
            }
            assert!(row.is_whole(coding, weight.cols), "row {} of {weight:?}", rows.start + col);
            for (idx, chunk) in to.chunks_exact_mut(self.chunk_bytes()).enumerate() {
                self.write_chunk(&row, idx, col, chunk);
            }
        }
    }

    /// Writes chunk `idx` of a row as column `col`.
    fn write_chunk(&self, row: &CodedRow, idx: usize, col: usize, to: &mut [u8]) {
        let (head, groups) = to.split_at_mut(self.head_bytes());
        match self.coding.scaling() {
            Scaling::Nested | Scaling::Power => head[col] = row.scales[idx],
            _ => {
                let halves = head.chunks_exact_mut(2 * PANEL);
                for (line, values) in halves.zip([&row.d, &row.m]) {
                    line[2 * col..2 * col + 2].copy_from_slice(&values[idx].to_ne_bytes());
                }
            }
        }
        let n_groups = self.coding.chunk() / GROUP;
        for (within, to) in groups.chunks_exact_mut(self.group_bytes()).enumerate() {
            let group = idx * n_groups + within;
            let (small, lines) = to.split_at_mut(self.small_bytes());
            match self.coding.scaling() {
                Scaling::SmallMinima => {
                    (small[col], small[PANEL + col]) = (row.scales[group], row.minima[group]);
                }
                Scaling::SmallSigned => {
                    (small[col], small[PANEL + col]) = (row.scales[2 * group], row.scales[2 * group + 1]);
                }
                Scaling::Scale | Scaling::Minimum | Scaling::Nested | Scaling::Power => {}
            }
            let codes = &row.codes[group * GROUP..(group + 1) * GROUP];
            for (number, &code) in codes.iter().enumerate() {
                for (word, shift, bits) in places(self.coding.bits(), number, col) {
                    let at = word * 4;
                    let part = u32::from(code) >> bits.start & ((1 << bits.len()) - 1);
                    let word: &mut [u8] = &mut lines[at..at + 4];
                    let old = u32::from_ne_bytes([word[0], word[1], word[2], word[3]]);
                    word.copy_from_slice(&(old | part << shift).to_ne_bytes());
                }
            }
        }
    }
}

/// Where the bits of number `number` of a group lie in row `col`: word, shift, and which bits.
fn places(n_bits: u32, number: usize, col: usize) -> impl Iterator<Item = (usize, usize, Range<u32>)> {
    let (pair, lane) = (number / 2, 2 * col + number % 2);
    let nibble = (pair / 8 * LANES + lane, 4 * (pair % 8), 0..4);
    let (low, high) = match n_bits {
        8 => ((pair / 4 * LANES + lane, 8 * (pair % 4), 0..8), None),
        5 => (nibble, Some((2 * LANES + lane / 2, 16 * (lane % 2) + pair, 4..5))),
        6 => (nibble, Some((2 * LANES + lane, 2 * pair, 4..6))),
        _ => (nibble, None),
    };
    std::iter::once(low).chain(high)
}

impl CodedPanel<'_> {
    /// Where the 32 numbers of group `group` lie.
    pub(super) fn group(&self, group: usize) -> Group {
        let coded = self.coded;
        let n_groups = coded.coding.chunk() / GROUP;
        let (chunk, within) = (group / n_groups, group % n_groups);
        let head = self.first.wrapping_add(chunk * coded.chunk_bytes());
        let small = head.wrapping_add(coded.head_bytes() + within * coded.group_bytes());
        Group { head, small, codes: small.wrapping_add(coded.small_bytes()).cast(), chunk }
    }

    /// The scale of NF4's chunk `chunk` of row `col` of the panel, whose code is `step`.
    pub(super) fn nested(&self, chunk: usize, col: usize, step: u8) -> f32 {
        let Outer { scales, offset } = &self.coded.outer;
        let chunk = (self.row + col) * (self.k / self.coded.coding.chunk()) + chunk;
        // Rows beyond the end have no scale, and need none.
        let outer = scales.get(chunk / OUTER_CHUNKS).copied().unwrap_or(0.0);
        STEPS[usize::from(step)] * outer + offset
    }

    /// Writes row `col` of the panel to `to`: the plain loop that defines what a panel is worth.
    pub(super) fn row(&self, col: usize, to: &mut [f32]) {
        for (group, to) in to.chunks_mut(GROUP).enumerate() {
            let place = self.group(group);
            for (number, to) in to.iter_mut().enumerate() {
                let code = self.code(&place, number, col);
                let value = self.value(&place, number, col, code);
                *to = if self.coded.rounds { word::widen(word::round(value)) } else { value };
            }
        }
    }

    fn code(&self, place: &Group, number: usize, col: usize) -> u32 {
        let parts = places(self.coded.coding.bits(), number, col).map(|(word, shift, bits)| {
            // SAFETY: the group has these words.
            let word = unsafe { place.codes.add(word).read_unaligned() };
            (word >> shift & ((1 << bits.len()) - 1)) << bits.start
        });
        parts.sum()
    }

    fn value(&self, place: &Group, number: usize, col: usize, code: u32) -> f32 {
        let half = |line: usize| {
            // SAFETY: the head has these lines, each of 32 halves.
            let bits = unsafe { place.head.cast::<u16>().add(line * PANEL + col).read_unaligned() };
            f16::from_bits(bits).to_f32()
        };
        // SAFETY: the group has these lines, each of 32 bytes.
        let small = |line: usize| unsafe { *place.small.add(line * PANEL + col) };
        let q = (code as i32 - i32::from(self.coded.coding.bias())) as f32;
        match self.coded.coding.scaling() {
            Scaling::Scale => half(0) * q,
            Scaling::Minimum => half(0) * q + half(1),
            Scaling::SmallMinima => half(0) * f32::from(small(0)) * q - half(1) * f32::from(small(1)),
            Scaling::SmallSigned => half(0) * f32::from(small(number / 16) as i8) * q,
            Scaling::Power => {
                // SAFETY: the head is 32 bytes.
                NUMBERS[code as usize] * half_power(unsafe { *place.head.add(col) })
            }
            Scaling::Nested => {
                // SAFETY: the head is 32 bytes.
                let step = unsafe { *place.head.add(col) };
                QUANTILES[code as usize] * self.nested(place.chunk, col, step)
            }
        }
    }
}
