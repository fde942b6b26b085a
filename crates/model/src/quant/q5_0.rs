//! Five bits and a scale; the fifth bits lie apart.
//!
//! ```text
//! byte   0..2     2..6                            6..22
//!        d f16    h u32: bit i is the fifth       q: low nibbles are values 0..16,
//!                 bit of value i                     high nibbles values 16..32
//!
//! value[i] = d · ((q[i] | h[i] << 4) − 16)
//! ```

use penname_engine::{CodedRow, Coding};

use super::{Apart, Format, Storage, bits_at, half_at};

pub(super) static FORMAT: Format = Format {
    storage: Storage::Q5_0,
    name: "Q5_0",
    ggml_type: 6,
    block_len: 32,
    block_bytes: 22,
    decode,
    encode: None,
    apart: Some(Apart { coding: Coding::Q5_0, take: apart }),
};

fn decode(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<22>().0.iter().zip(out.as_chunks_mut::<32>().0) {
        let d = half_at(block, 0);
        let fifth = u32::from_le_bytes([block[2], block[3], block[4], block[5]]);
        let (low, high) = out.split_at_mut(16);
        for (i, ((q, low), high)) in block[6..].iter().zip(low).zip(high).enumerate() {
            let low_fifth = ((fifth >> i) & 1) << 4;
            let high_fifth = ((fifth >> (i + 16)) & 1) << 4;
            *low = d * ((u32::from(q & 15) | low_fifth) as i32 - 16) as f32;
            *high = d * ((u32::from(q >> 4) | high_fifth) as i32 - 16) as f32;
        }
    }
}

fn apart(bytes: &[u8], row: &mut CodedRow) {
    for block in bytes.as_chunks::<22>().0 {
        row.d.push(bits_at(block, 0));
        let fifth = u32::from_le_bytes([block[2], block[3], block[4], block[5]]);
        let bit = |i: usize| ((fifth >> i & 1) << 4) as u8;
        row.codes.extend(block[6..].iter().enumerate().map(|(i, q)| q & 15 | bit(i)));
        row.codes.extend(block[6..].iter().enumerate().map(|(i, q)| q >> 4 | bit(i + 16)));
    }
}
