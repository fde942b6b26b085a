//! Four bits, a scale and a minimum.
//!
//! ```text
//! byte   0..2     2..4     4..20
//!        d f16    m f16    q: low nibbles are values 0..16, high nibbles values 16..32
//!
//! value[i] = d · q[i] + m
//! ```

use penname_engine::{CodedRow, Coding};

use super::{Apart, Format, Storage, bits_at, half_at};

pub(super) static FORMAT: Format = Format {
    storage: Storage::Q4_1,
    name: "Q4_1",
    ggml_type: 3,
    block_len: 32,
    block_bytes: 20,
    decode,
    encode: None,
    apart: Some(Apart { coding: Coding::Q4_1, take: apart }),
};

fn decode(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<20>().0.iter().zip(out.as_chunks_mut::<32>().0) {
        let (d, m) = (half_at(block, 0), half_at(block, 2));
        let (low, high) = out.split_at_mut(16);
        for ((q, low), high) in block[4..].iter().zip(low).zip(high) {
            *low = d * f32::from(q & 15) + m;
            *high = d * f32::from(q >> 4) + m;
        }
    }
}

fn apart(bytes: &[u8], row: &mut CodedRow) {
    for block in bytes.as_chunks::<20>().0 {
        row.d.push(bits_at(block, 0));
        row.m.push(bits_at(block, 2));
        row.codes.extend(block[4..].iter().map(|q| q & 15));
        row.codes.extend(block[4..].iter().map(|q| q >> 4));
    }
}
