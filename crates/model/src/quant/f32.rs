//! Single precision, little-endian: a block is one value.

use super::{Format, Storage};

pub(super) static FORMAT: Format = Format {
    storage: Storage::F32,
    name: "F32",
    ggml_type: 0,
    block_len: 1,
    block_bytes: 4,
    decode,
    encode: Some(encode),
    apart: None,
};

fn decode(bytes: &[u8], out: &mut [f32]) {
    for (bytes, value) in bytes.as_chunks().0.iter().zip(out) {
        *value = f32::from_le_bytes(*bytes);
    }
}

fn encode(values: &[f32], bytes: &mut Vec<u8>) {
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}
