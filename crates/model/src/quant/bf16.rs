//! The upper half of a single, little-endian: a block is one value.

use half::bf16;

use super::{Format, Storage};

pub(super) static FORMAT: Format = Format {
    storage: Storage::BF16,
    name: "BF16",
    ggml_type: 30,
    block_len: 1,
    block_bytes: 2,
    decode,
    encode: Some(encode),
    apart: None,
};

fn decode(bytes: &[u8], out: &mut [f32]) {
    for (bytes, value) in bytes.as_chunks().0.iter().zip(out) {
        *value = f32::from_bits(u32::from(u16::from_le_bytes(*bytes)) << 16);
    }
}

fn encode(values: &[f32], bytes: &mut Vec<u8>) {
    bytes.extend(values.iter().flat_map(|value| bf16::from_f32(*value).to_le_bytes()));
}
