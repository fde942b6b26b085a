//! Four bits in blocks of 256; eight groups of 32, each with a 6-bit scale and minimum.
//!
//! ```text
//! byte   0..2     2..4        4..16                     16..144
//!        d f16    d_min f16   8 scales s, 8 minima m    q: four runs of 32 bytes; in run r the low
//!                             (see `k_scales`)             nibbles are group 2r, the high 2r + 1
//!
//! value[g][i] = (d · s[g]) · q[g][i] − d_min · m[g]
//! ```

use penname_engine::{CodedRow, Coding};

use super::{Apart, Format, Storage, k_scales};

pub(super) static FORMAT: Format = Format {
    storage: Storage::Q4_K,
    name: "Q4_K",
    ggml_type: 12,
    block_len: 256,
    block_bytes: 144,
    decode,
    encode: None,
    apart: Some(Apart { coding: Coding::Q4_K, take: apart }),
};

fn decode(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<144>().0.iter().zip(out.as_chunks_mut::<256>().0) {
        let scales = k_scales::unpack_scaled(block);
        let runs = block[16..].as_chunks::<32>().0;
        for ((run, out), scales) in
            runs.iter().zip(out.as_chunks_mut::<64>().0).zip(scales.as_chunks::<2>().0)
        {
            let [(low_scale, low_min), (high_scale, high_min)] = *scales;
            let (low, high) = out.split_at_mut(32);
            for ((q, low), high) in run.iter().zip(low).zip(high) {
                *low = low_scale * f32::from(q & 15) - low_min;
                *high = high_scale * f32::from(q >> 4) - high_min;
            }
        }
    }
}

fn apart(bytes: &[u8], row: &mut CodedRow) {
    for block in bytes.as_chunks::<144>().0 {
        k_scales::apart(block, row);
        for run in block[16..].as_chunks::<32>().0 {
            row.codes.extend(run.iter().map(|q| q & 15));
            row.codes.extend(run.iter().map(|q| q >> 4));
        }
    }
}
