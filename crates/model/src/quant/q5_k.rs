//! Five bits in blocks of 256; eight groups of 32, each with a 6-bit scale and minimum.
//!
//! ```text
//! byte   0..2     2..4        4..16                     16..48                 48..176
//!        d f16    d_min f16   8 scales s, 8 minima m    h: bit g of byte i     q: four runs of 32 bytes;
//!                             (see `k_scales`)          is the fifth bit of    low nibbles group 2r,
//!                                                       value i of group g     high nibbles 2r + 1
//!
//! value[g][i] = (d · s[g]) · (q[g][i] | h[g][i] << 4) − d_min · m[g]
//! ```

use penname_engine::{CodedRow, Coding};

use super::{Apart, Format, Storage, k_scales};

pub(super) static FORMAT: Format = Format {
    storage: Storage::Q5_K,
    name: "Q5_K",
    ggml_type: 13,
    block_len: 256,
    block_bytes: 176,
    decode,
    encode: None,
    apart: Some(Apart { coding: Coding::Q5_K, take: apart }),
};

fn decode(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<176>().0.iter().zip(out.as_chunks_mut::<256>().0) {
        let scales = k_scales::unpack_scaled(block);
        let (fifths, runs) = block[16..].split_at(32);
        let runs = runs.as_chunks::<32>().0;
        for (r, (run, out)) in runs.iter().zip(out.as_chunks_mut::<64>().0).enumerate() {
            let (low_scale, low_min) = scales[2 * r];
            let (high_scale, high_min) = scales[2 * r + 1];
            let (low, high) = out.split_at_mut(32);
            for (((q, fifth), low), high) in run.iter().zip(fifths).zip(low).zip(high) {
                let fifth = fifth >> (2 * r);
                *low = low_scale * f32::from((q & 15) | ((fifth & 1) << 4)) - low_min;
                *high = high_scale * f32::from((q >> 4) | ((fifth & 2) << 3)) - high_min;
            }
        }
    }
}

fn apart(bytes: &[u8], row: &mut CodedRow) {
    for block in bytes.as_chunks::<176>().0 {
        k_scales::apart(block, row);
        let (fifths, runs) = block[16..].split_at(32);
        for (r, run) in runs.as_chunks::<32>().0.iter().enumerate() {
            let fifth = |fifths: u8, group: usize| (fifths >> group & 1) << 4;
            row.codes.extend(run.iter().zip(fifths).map(|(q, &h)| q & 15 | fifth(h, 2 * r)));
            row.codes.extend(run.iter().zip(fifths).map(|(q, &h)| q >> 4 | fifth(h, 2 * r + 1)));
        }
    }
}
