//! Four bits that are a floating-point number, and a power of two.
//!
//! ```text
//! byte   0    1..17
//!        e    q: low nibbles are values 0..16, high nibbles values 16..32
//!
//! value[i] = (2 · number[q[i]]) · 2^(e − 128)
//! ```
//!
//! Safetensors have the nibbles and the exponents in two tensors, and there a byte holds two
//! neighbours: [`weave`] makes the blocks above of them.

use penname_engine::coding::{NUMBERS, half_power};
use penname_engine::{CodedRow, Coding};

use super::{Apart, Format, Storage};

pub(super) static FORMAT: Format = Format {
    storage: Storage::MXFP4,
    name: "MXFP4",
    ggml_type: 39,
    block_len: 32,
    block_bytes: BLOCK,
    decode,
    encode: None,
    apart: Some(Apart { coding: Coding::Mxfp4, take: apart }),
};

/// Bytes of a block.
const BLOCK: usize = 17;
/// Bytes of its codes.
pub(crate) const CODES: usize = 16;

fn decode(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<BLOCK>().0.iter().zip(out.as_chunks_mut::<32>().0) {
        let d = half_power(block[0]);
        let (low, high) = out.split_at_mut(CODES);
        for ((q, low), high) in block[1..].iter().zip(low).zip(high) {
            *low = NUMBERS[usize::from(q & 15)] * d;
            *high = NUMBERS[usize::from(q >> 4)] * d;
        }
    }
}

fn apart(bytes: &[u8], row: &mut CodedRow) {
    for block in bytes.as_chunks::<BLOCK>().0 {
        row.scales.push(block[0]);
        row.codes.extend(block[1..].iter().map(|q| q & 15));
        row.codes.extend(block[1..].iter().map(|q| q >> 4));
    }
}

/// Blocks of pairs of neighbours and of exponents: 16 bytes of the first for each of the second.
pub(crate) fn weave(pairs: &[u8], exponents: &[u8]) -> Vec<u8> {
    let mut blocks = Vec::with_capacity(exponents.len() * BLOCK);
    for (pairs, exponent) in pairs.as_chunks::<CODES>().0.iter().zip(exponents) {
        let code = |idx: usize| pairs[idx / 2] >> (4 * (idx % 2)) & 15;
        blocks.push(*exponent);
        blocks.extend((0..CODES).map(|idx| code(idx) | code(CODES + idx) << 4));
    }
    blocks
}

/// The way back: pairs of neighbours, and exponents.
pub(crate) fn unweave(blocks: &[u8]) -> [Vec<u8>; 2] {
    let (mut pairs, mut exponents) = (Vec::new(), Vec::new());
    for block in blocks.as_chunks::<BLOCK>().0 {
        let code = |idx: usize| block[1 + idx % CODES] >> (4 * (idx / CODES)) & 15;
        exponents.push(block[0]);
        pairs.extend((0..CODES).map(|idx| code(2 * idx) | code(2 * idx + 1) << 4));
    }
    [pairs, exponents]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_become_halves() {
        let pairs: Vec<u8> = (0..16).map(|byte| (2 * byte % 16) | (((2 * byte + 1) % 16) << 4)).collect();
        let mut row = CodedRow::default();
        apart(&weave(&pairs, &[130]), &mut row);
        assert_eq!(row.codes, (0..32).map(|idx| idx % 16).collect::<Vec<u8>>());
        assert_eq!(row.scales, [130]);
    }

    #[test]
    fn what_is_woven_is_unwoven() {
        let pairs: Vec<u8> = (0..32).map(|byte| (byte * 73 + 5) as u8).collect();
        assert_eq!(unweave(&weave(&pairs, &[130, 7])), [pairs, vec![130, 7]]);
    }
}
