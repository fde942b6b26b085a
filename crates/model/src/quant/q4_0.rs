//! Four bits and a scale.
//!
//! ```text
//! byte   0..2     2..18
//!        d f16    q: low nibbles are values 0..16, high nibbles values 16..32
//!
//! value[i] = d · (q[i] − 8)
//! ```
//!
//! Writing takes d = −m / 8 in `f32`, where m is the value farthest from zero with its sign (the
//! first of several), adds 8.5 to value/d and cuts the fraction off, at most 15, and stores d as a
//! half: the order of these steps is part of the format's reference.

use half::f16;

use penname_engine::{CodedRow, Coding};

use super::{Apart, Format, Storage, bits_at, half_at};

pub(super) static FORMAT: Format = Format {
    storage: Storage::Q4_0,
    name: "Q4_0",
    ggml_type: 2,
    block_len: 32,
    block_bytes: 18,
    decode,
    encode: Some(encode),
    apart: Some(Apart { coding: Coding::Q4_0, take: apart }),
};

fn decode(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<18>().0.iter().zip(out.as_chunks_mut::<32>().0) {
        let d = half_at(block, 0);
        let (low, high) = out.split_at_mut(16);
        for ((q, low), high) in block[2..].iter().zip(low).zip(high) {
            *low = d * f32::from((q & 15) as i8 - 8);
            *high = d * f32::from((q >> 4) as i8 - 8);
        }
    }
}

fn encode(values: &[f32], bytes: &mut Vec<u8>) {
    for block in values.as_chunks::<32>().0 {
        let farthest =
            block.iter().fold(0.0f32, |far, &value| if value.abs() > far.abs() { value } else { far });
        let d = farthest / -8.0;
        let per_step = if d == 0.0 { 0.0 } else { 1.0 / d };
        let level = |value: f32| ((value * per_step + 8.5) as u8).min(15);
        bytes.extend(f16::from_f32(d).to_le_bytes());
        let (low, high) = block.split_at(16);
        bytes.extend(low.iter().zip(high).map(|(&low, &high)| level(low) | level(high) << 4));
    }
}

fn apart(bytes: &[u8], row: &mut CodedRow) {
    for block in bytes.as_chunks::<18>().0 {
        row.d.push(bits_at(block, 0));
        row.codes.extend(block[2..].iter().map(|q| q & 15));
        row.codes.extend(block[2..].iter().map(|q| q >> 4));
    }
}
