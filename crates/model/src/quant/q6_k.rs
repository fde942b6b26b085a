//! Six bits in blocks of 256; sixteen groups of 16, each with an 8-bit scale.
//!
//! ```text
//! byte   0..128            128..192         192..208        208..210
//!        low four bits l   top two bits h   16 scales s i8  d f16
//!
//! The block is two halves of 128 values, each four quarters of 32. Half k holds
//!   l[64k .. 64k + 64]: low nibbles are quarters 0 and 1, high nibbles quarters 2 and 3
//!   h[32k .. 32k + 32]: bit pair p of byte i belongs to value i of quarter p
//!
//! value[i] = (d · s[i / 16]) · ((l[i] | h[i] << 4) − 32)
//! ```

use penname_engine::{CodedRow, Coding};

use super::{Apart, Format, Storage, bits_at, half_at};

pub(super) static FORMAT: Format = Format {
    storage: Storage::Q6_K,
    name: "Q6_K",
    ggml_type: 14,
    block_len: 256,
    block_bytes: 210,
    decode,
    encode: None,
    apart: Some(Apart { coding: Coding::Q6_K, take: apart }),
};

fn decode(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<210>().0.iter().zip(out.as_chunks_mut::<256>().0) {
        let d = half_at(block, 208);
        let scales: [f32; 16] = std::array::from_fn(|group| d * f32::from(block[192 + group] as i8));
        for (k, out) in out.as_chunks_mut::<128>().0.iter_mut().enumerate() {
            let low = &block[64 * k..64 * k + 64];
            let high = &block[128 + 32 * k..128 + 32 * k + 32];
            decode_half(low, high, &scales[8 * k..8 * k + 8], out);
        }
    }
}

fn decode_half(low: &[u8], high: &[u8], scales: &[f32], out: &mut [f32; 128]) {
    for (p, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let low = &low[32 * (p % 2)..][..32];
        let shift = 4 * (p / 2);
        for (i, value) in out.iter_mut().enumerate() {
            let q = ((low[i] >> shift) & 15) | (((high[i] >> (2 * p)) & 3) << 4);
            *value = scales[2 * p + i / 16] * f32::from(q as i8 - 32);
        }
    }
}

fn apart(bytes: &[u8], row: &mut CodedRow) {
    for block in bytes.as_chunks::<210>().0 {
        row.d.push(bits_at(block, 208));
        row.scales.extend(&block[192..208]);
        for k in 0..2 {
            let high = &block[128 + 32 * k..][..32];
            for p in 0..4 {
                let low = &block[64 * k + 32 * (p % 2)..][..32];
                let code = |(low, high): (&u8, &u8)| low >> (4 * (p / 2)) & 15 | (high >> (2 * p) & 3) << 4;
                row.codes.extend(low.iter().zip(high).map(code));
            }
        }
    }
}
