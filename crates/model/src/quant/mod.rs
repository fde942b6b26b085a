//! How numbers are stored in a checkpoint, and how to get them back.
//!
//! One file per format, each drawing its block and decoding whole rows of them to `f32` in plain
//! loops the compiler can vectorise. A *block* is the smallest piece that decodes alone: one value
//! for the float formats, 32 or 256 values sharing scales for the quantized ones.
//!
//! This is deliberately not a quantizer: of the block formats only [`Storage::Q4_0`] and
//! [`Storage::Q8_0`] can be written. Decoding is exact, in the sense that every value equals what the reference decoder
//! of the format gives, bit for bit; `golden/quant` holds the proof.
//!
//! To add a format: one file with a `FORMAT`, one variant of [`Storage`], one line in [`ALL`], one
//! line in `golden/quant/make.py`.

mod bf16;
mod f16;
mod f32;
#[cfg(test)]
mod golden;
mod k_scales;
pub(crate) mod mxfp4;
pub(crate) mod nf4;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q5_1;
mod q5_k;
mod q6_k;
mod q8_0;

use penname_engine::{CodedRow, Coding};
use std::fmt;

/// Every format this crate reads.
pub static ALL: &[&Format] = &[
    &f32::FORMAT,
    &f16::FORMAT,
    &bf16::FORMAT,
    &q4_0::FORMAT,
    &q4_1::FORMAT,
    &q5_0::FORMAT,
    &q5_1::FORMAT,
    &q8_0::FORMAT,
    &q4_k::FORMAT,
    &q5_k::FORMAT,
    &q6_k::FORMAT,
    &mxfp4::FORMAT,
];

/// The storage format of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(non_camel_case_types, reason = "the formats are known by these names")]
pub enum Storage {
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 half precision.
    F16,
    /// The upper half of an `f32`.
    BF16,
    /// 4 bits and a scale for 32 values.
    Q4_0,
    /// 4 bits, a scale and a minimum for 32 values.
    Q4_1,
    /// 5 bits and a scale for 32 values.
    Q5_0,
    /// 5 bits, a scale and a minimum for 32 values.
    Q5_1,
    /// 8 bits and a scale for 32 values.
    Q8_0,
    /// 4 bits; eight 6-bit scales and minima for 256 values.
    Q4_K,
    /// 5 bits; eight 6-bit scales and minima for 256 values.
    Q5_K,
    /// 6 bits; sixteen 8-bit scales for 256 values.
    Q6_K,
    /// 4 bits that are a floating-point number; a power of two for 32 values.
    MXFP4,
}

impl Storage {
    /// The table entry of this format.
    pub fn format(self) -> &'static Format {
        match self {
            Storage::F32 => &f32::FORMAT,
            Storage::F16 => &f16::FORMAT,
            Storage::BF16 => &bf16::FORMAT,
            Storage::Q4_0 => &q4_0::FORMAT,
            Storage::Q4_1 => &q4_1::FORMAT,
            Storage::Q5_0 => &q5_0::FORMAT,
            Storage::Q5_1 => &q5_1::FORMAT,
            Storage::Q8_0 => &q8_0::FORMAT,
            Storage::Q4_K => &q4_k::FORMAT,
            Storage::Q5_K => &q5_k::FORMAT,
            Storage::Q6_K => &q6_k::FORMAT,
            Storage::MXFP4 => &mxfp4::FORMAT,
        }
    }

    /// The format with this ggml type id, if this crate reads it.
    pub fn from_ggml(id: u32) -> Option<Storage> {
        ALL.iter().find(|format| format.ggml_type == id).map(|format| format.storage)
    }
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.format().name)
    }
}

/// What there is to know about a storage format.
#[derive(Debug)]
pub struct Format {
    /// The variant this entry belongs to.
    pub storage: Storage,
    /// Its published name.
    pub name: &'static str,
    /// Its number in a GGUF file.
    pub ggml_type: u32,
    /// Values in a block.
    pub block_len: usize,
    /// Bytes in a block.
    pub block_bytes: usize,
    decode: fn(&[u8], &mut [f32]),
    encode: Option<Encode>,
    /// How its blocks are taken apart to stay as they are, if they are blocks of integers.
    pub(crate) apart: Option<Apart>,
}

/// Blocks as integers and scales.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Apart {
    /// What the integers mean.
    pub(crate) coding: Coding,
    /// Appends whole blocks to a row.
    pub(crate) take: fn(&[u8], &mut CodedRow),
}

/// Appends the storage of whole blocks of values.
type Encode = fn(&[f32], &mut Vec<u8>);

impl Format {
    /// Bytes taken by `n_values`, or `None` when they do not fill whole blocks or overflow.
    pub fn bytes_for(&self, n_values: usize) -> Option<usize> {
        if !n_values.is_multiple_of(self.block_len) {
            return None;
        }
        (n_values / self.block_len).checked_mul(self.block_bytes)
    }

    /// Decodes whole blocks.
    ///
    /// # Panics
    ///
    /// When `bytes` is not exactly the storage of `out.len()` values.
    pub fn decode(&self, bytes: &[u8], out: &mut [f32]) {
        assert_eq!(
            Some(bytes.len()),
            self.bytes_for(out.len()),
            "{} blocks do not fit their values",
            self.name
        );
        (self.decode)(bytes, out);
    }

    /// Whether [`Format::encode`] can write this format.
    pub fn can_encode(&self) -> bool {
        self.encode.is_some()
    }

    /// Appends the storage of `values` to `bytes`, each value rounded to the nearest representable
    /// one. Returns whether the format can be written; if not, nothing is appended.
    ///
    /// # Panics
    ///
    /// When the values do not fill whole blocks.
    #[must_use]
    pub fn encode(&self, values: &[f32], bytes: &mut Vec<u8>) -> bool {
        let Some(encode) = self.encode else { return false };
        assert!(values.len().is_multiple_of(self.block_len), "values do not fill {} blocks", self.name);
        encode(values, bytes);
        true
    }
}

/// Bits of the half-precision number at `at`.
fn bits_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

/// Reads the half-precision number at the start of `bytes`.
fn half_at(bytes: &[u8], at: usize) -> f32 {
    half::f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_and_the_enum_agree() {
        for format in ALL {
            assert!(std::ptr::eq(format.storage.format(), *format), "{}", format.name);
            assert_eq!(Storage::from_ggml(format.ggml_type), Some(format.storage));
        }
    }

    #[test]
    fn part_of_a_block_has_no_size() {
        assert_eq!(Storage::Q4_1.format().bytes_for(64), Some(40));
        assert_eq!(Storage::Q4_1.format().bytes_for(63), None);
        assert_eq!(Storage::F32.format().bytes_for(usize::MAX), None);
    }
}
