//! Eight bits and a scale.
//!
//! ```text
//! byte   0..2     2..34
//!        d f16    q: 32 × i8
//!
//! value[i] = d · q[i]
//! ```
//!
//! Writing takes d = max|value| / 127 in `f32`, rounds value/d half away from zero, and stores d
//! as a half: the order of these steps is part of the format's reference.

use half::f16;

use penname_engine::{CodedRow, Coding};

use super::{Apart, Format, Storage, bits_at, half_at};

pub(super) static FORMAT: Format = Format {
    storage: Storage::Q8_0,
    name: "Q8_0",
    ggml_type: 8,
    block_len: 32,
    block_bytes: 34,
    decode,
    encode: Some(encode),
    apart: Some(Apart { coding: Coding::Q8_0, take: apart }),
};

fn decode(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<34>().0.iter().zip(out.as_chunks_mut::<32>().0) {
        let d = half_at(block, 0);
        for (q, value) in block[2..].iter().zip(out) {
            *value = d * f32::from(*q as i8);
        }
    }
}

fn encode(values: &[f32], bytes: &mut Vec<u8>) {
    for block in values.as_chunks::<32>().0 {
        let largest = block.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        let d = largest / 127.0;
        let per_step = if d == 0.0 { 0.0 } else { 1.0 / d };
        bytes.extend(f16::from_f32(d).to_le_bytes());
        bytes.extend(block.iter().map(|value| (value * per_step).round() as i8 as u8));
    }
}

fn apart(bytes: &[u8], row: &mut CodedRow) {
    for block in bytes.as_chunks::<34>().0 {
        row.d.push(bits_at(block, 0));
        // Codes count from zero: an `i8` plus 128.
        row.codes.extend(block[2..].iter().map(|q| q ^ 0x80));
    }
}
