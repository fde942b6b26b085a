//! Four bits and a scale.
//!
//! ```text
//! byte   0..2     2..18
//!        d f16    q: low nibbles are values 0..16, high nibbles values 16..32
//!
//! value[i] = d · (q[i] − 8)
//! ```

use super::{Format, Storage, half_at};

pub(super) static FORMAT: Format = Format {
    storage: Storage::Q4_0,
    name: "Q4_0",
    ggml_type: 2,
    block_len: 32,
    block_bytes: 18,
    decode,
    encode: None,
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
