//! Half precision, little-endian: a block is one value.

use half::f16;

use super::{Format, Storage};

pub(super) static FORMAT: Format = Format {
    storage: Storage::F16,
    name: "F16",
    ggml_type: 1,
    block_len: 1,
    block_bytes: 2,
    decode,
    encode: Some(encode),
    apart: None,
};

fn decode(bytes: &[u8], out: &mut [f32]) {
    for (bytes, value) in bytes.as_chunks().0.iter().zip(out) {
        *value = f16::from_le_bytes(*bytes).to_f32();
    }
}

fn encode(values: &[f32], bytes: &mut Vec<u8>) {
    bytes.extend(values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()));
}
