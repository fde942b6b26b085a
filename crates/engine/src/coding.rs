//! Weights as small integers and scales: how a frozen base stays as it is stored.
//!
//! A *coding* says what the numbers of a row are made from. Along K they come in *chunks* that
//! share a scale d; within a chunk, *groups* of 32 (or 16) may have small scales of their own.
//!
//! | coding | numbers | value |
//! |---|---|---|
//! | Q4_0, Q5_0, Q8_0 | 4, 5, 8 bits, chunks of 32 | `d · (q − bias)` |
//! | Q4_1, Q5_1 | 4, 5 bits, chunks of 32 | `d · q + m` |
//! | Q4_K, Q5_K | 4, 5 bits, chunks of 256, groups of 32 | `(d · s) · q − m · t` |
//! | Q6_K | 6 bits, chunks of 256, groups of 16 | `(d · s) · (q − 32)` |
//! | NF4 | 4 bits, chunks of 64 | `quantile[q] · (step[s] · outer + offset)` |
//! | MXFP4 | 4 bits, chunks of 32 | `(2 · number[q]) · 2^(s − 128)` |
//!
//! Every product and sum is rounded to f32 by itself, as the decoders of these formats do, so a
//! coded weight is worth exactly what decoding it first would give.
//!
//! This crate knows what the integers mean, and nothing of how a file lays them out.
//!
//! # Source
//! NF4: Dettmers et al., "QLoRA: Efficient Finetuning of Quantized LLMs", 2023, arXiv 2305.14314,
//! section 3 and appendix E. MXFP4: Open Compute Project, "OCP Microscaling Formats (MX)
//! Specification", version 1.0, 2023, sections 5.3.3 and 5.4.1.

pub mod dynamic;
mod mxfp4;
mod nf4;

pub use mxfp4::{NUMBERS, half_power};

pub use nf4::{QUANTILES, STEPS};

use crate::program::DType;
use std::fmt;

/// How the numbers of a weight are made from integers and scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(non_camel_case_types, reason = "the formats are known by these names")]
pub enum Coding {
    /// 8 bits and a scale for 32 numbers.
    Q8_0,
    /// 4 bits and a scale for 32 numbers.
    Q4_0,
    /// 4 bits, a scale and a minimum for 32 numbers.
    Q4_1,
    /// 5 bits and a scale for 32 numbers.
    Q5_0,
    /// 5 bits, a scale and a minimum for 32 numbers.
    Q5_1,
    /// 4 bits; eight small scales and minima for 256 numbers.
    Q4_K,
    /// 5 bits; eight small scales and minima for 256 numbers.
    Q5_K,
    /// 6 bits; sixteen small scales for 256 numbers.
    Q6_K,
    /// 4 bits that name a quantile of the normal distribution; a scale in 8 bits for 64 numbers.
    Nf4,
    /// 4 bits that are a floating-point number; a power of two for 32 numbers.
    Mxfp4,
}

/// What stands beside the integers of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scaling {
    /// d.
    Scale,
    /// d and m.
    Minimum,
    /// d and m, small scales s and minima t for every 32 numbers.
    SmallMinima,
    /// d, small signed scales s for every 16 numbers.
    SmallSigned,
    /// A step s for 64 numbers, under scales that the whole weight shares.
    Nested,
    /// s, the exponent of a power of two.
    Power,
}

impl Coding {
    /// Every coding.
    pub const ALL: [Self; 10] = [
        Self::Q8_0,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q4_K,
        Self::Q5_K,
        Self::Q6_K,
        Self::Nf4,
        Self::Mxfp4,
    ];

    /// Numbers along K that share what stands in front of a chunk. K must be a multiple of it.
    pub const fn chunk(self) -> usize {
        match self {
            Self::Q8_0 | Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Mxfp4 => 32,
            Self::Nf4 => 64,
            Self::Q4_K | Self::Q5_K | Self::Q6_K => 256,
        }
    }

    /// Bits of one integer.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Q4_0 | Self::Q4_1 | Self::Q4_K | Self::Nf4 | Self::Mxfp4 => 4,
            Self::Q5_0 | Self::Q5_1 | Self::Q5_K => 5,
            Self::Q6_K => 6,
            Self::Q8_0 => 8,
        }
    }

    /// The integer that stands for zero, if the coding has no minimum.
    pub const fn bias(self) -> u8 {
        match self {
            Self::Q8_0 => 128,
            Self::Q4_0 => 8,
            Self::Q5_0 => 16,
            Self::Q6_K => 32,
            Self::Q4_1 | Self::Q5_1 | Self::Q4_K | Self::Q5_K | Self::Mxfp4 => 0,
            Self::Nf4 => 7,
        }
    }

    pub(crate) const fn scaling(self) -> Scaling {
        match self {
            Self::Q8_0 | Self::Q4_0 | Self::Q5_0 => Scaling::Scale,
            Self::Q4_1 | Self::Q5_1 => Scaling::Minimum,
            Self::Q4_K | Self::Q5_K => Scaling::SmallMinima,
            Self::Q6_K => Scaling::SmallSigned,
            Self::Nf4 => Scaling::Nested,
            Self::Mxfp4 => Scaling::Power,
        }
    }

    /// How many d, m, s and t belong to a row.
    fn parts(self, chunks: usize, groups: usize) -> (usize, usize, usize, usize) {
        match self.scaling() {
            Scaling::Scale => (chunks, 0, 0, 0),
            Scaling::Minimum => (chunks, chunks, 0, 0),
            Scaling::SmallMinima => (chunks, chunks, groups, groups),
            Scaling::SmallSigned => (chunks, 0, groups, 0),
            Scaling::Nested | Scaling::Power => (0, 0, groups, 0),
        }
    }

    /// Numbers that share a small scale.
    pub const fn group(self) -> usize {
        match self.scaling() {
            Scaling::SmallSigned => 16,
            Scaling::Nested => 64,
            Scaling::Scale | Scaling::Minimum | Scaling::SmallMinima | Scaling::Power => 32,
        }
    }

    /// Whether its small scales stand under scales that the whole weight shares.
    pub const fn has_outer(self) -> bool {
        matches!(self.scaling(), Scaling::Nested)
    }

    /// Its published name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Q8_0 => "Q8_0",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q4_K => "Q4_K",
            Self::Q5_K => "Q5_K",
            Self::Q6_K => "Q6_K",
            Self::Nf4 => "NF4",
            Self::Mxfp4 => "MXFP4",
        }
    }
}

impl fmt::Display for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One row of a coded weight, taken apart. Parts that a coding has not stay empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodedRow {
    /// The integers, from zero, in order of K, (K).
    pub codes: Vec<u8>,
    /// Bits of the half-precision d of every chunk.
    pub d: Vec<u16>,
    /// Bits of the half-precision m of every chunk.
    pub m: Vec<u16>,
    /// The small scale s of every group; those of Q6_K are the bits of an `i8`, those of MXFP4 exponents.
    pub scales: Vec<u8>,
    /// The small minimum t of every group.
    pub minima: Vec<u8>,
}

impl CodedRow {
    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        let Self { codes, d, m, scales, minima } = self;
        [codes, scales, minima].into_iter().for_each(Vec::clear);
        [d, m].into_iter().for_each(Vec::clear);
    }

    /// Makes it a row of `cols` zeros.
    pub(crate) fn fill_zero(&mut self, coding: Coding, cols: usize) {
        let (d, m, scales, minima) = coding.parts(cols / coding.chunk(), cols / coding.group());
        self.codes.resize(cols, coding.bias());
        self.d.resize(d, 0);
        self.m.resize(m, 0);
        self.scales.resize(scales, 0);
        self.minima.resize(minima, 0);
    }

    /// Whether it has every part of a row of `cols` numbers, and no integer is too large.
    pub(crate) fn is_whole(&self, coding: Coding, cols: usize) -> bool {
        let (d, m, scales, minima) = coding.parts(cols / coding.chunk(), cols / coding.group());
        let found = (self.codes.len(), self.d.len(), self.m.len(), self.scales.len(), self.minima.len());
        let top = self.codes.iter().fold(0, |top, &code| top | u32::from(code));
        found == (cols, d, m, scales, minima) && top < 1 << coding.bits()
    }
}

/// The scales over the scales of NF4, shared by a whole weight.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outer {
    /// One for every 256 chunks, counted through all rows.
    pub scales: Vec<f32>,
    /// Added to every scale of a chunk.
    pub offset: f32,
}

/// Chunks of NF4 that share an outer scale.
pub const OUTER_CHUNKS: usize = 256;

/// Takes row `n` of a weight apart.
pub type FillRow<'a> = &'a (dyn Fn(usize, &mut CodedRow) + Sync);

/// A frozen weight that stays coded.
#[derive(Clone, Copy)]
pub struct CodedWeight<'a> {
    /// Rows, N.
    pub rows: usize,
    /// Columns, K: a multiple of [`Coding::chunk`].
    pub cols: usize,
    /// What the integers mean.
    pub coding: Coding,
    /// What its numbers are rounded to where they are used: bf16 or f32.
    pub dtype: DType,
    /// Scales over the scales, for [`Coding::Nf4`] alone.
    pub outer: Option<&'a Outer>,
    /// Where the rows come from.
    pub fill: FillRow<'a>,
}

impl fmt::Debug for CodedWeight<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodedWeight({} × {}, {})", self.rows, self.cols, self.coding)
    }
}

impl CodedWeight<'_> {
    /// Memory it takes as panels of 32 rows.
    pub fn bytes(&self) -> usize {
        let panels = self.rows.div_ceil(32) * 32;
        let chunk = self.coding.chunk();
        let beside = match self.coding.scaling() {
            Scaling::Scale => 2,
            Scaling::Minimum => 4,
            Scaling::SmallMinima => 4 + 2 * 8,
            Scaling::SmallSigned => 2 + 16,
            Scaling::Nested | Scaling::Power => 1,
        };
        panels * (self.cols / chunk) * (chunk * self.coding.bits() as usize / 8 + beside)
            + self.outer.map_or(0, |outer| 4 * outer.scales.len())
    }
}
