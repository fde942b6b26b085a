//! Every format against the reference decoder's numbers; `golden/quant/make.py` made them.

use penname_engine::backend::View;
use penname_engine::backend::cpu::Cpu;
use penname_engine::{CodedRow, CodedWeight, DType, Device};
use safetensors::SafeTensors;

use super::{ALL, Storage};

static GOLDEN: &[u8] = include_bytes!("../../../../golden/quant/blocks.safetensors");

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|value| f32::from_le_bytes(value.try_into().unwrap())).collect()
}

/// Bits, with every NaN alike: which one an infinite scale times zero gives differs by processor.
fn bits(value: f32) -> u32 {
    if value.is_nan() { f32::NAN.to_bits() } else { value.to_bits() }
}

#[test]
fn decoding_equals_the_reference_bit_for_bit() {
    let golden = SafeTensors::deserialize(GOLDEN).unwrap();
    for format in ALL.iter().filter(|format| format.storage != Storage::F32) {
        let blocks = golden.tensor(&format!("{}.blocks", format.name)).unwrap();
        let expected = floats(golden.tensor(&format!("{}.values", format.name)).unwrap().data());
        let mut found = vec![0.0; expected.len()];
        format.decode(blocks.data(), &mut found);
        for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_eq!(bits(*found), bits(*expected), "{} value {i}: {found} {expected}", format.name);
        }
    }
}

#[test]
fn encoding_equals_the_reference() {
    let golden = SafeTensors::deserialize(GOLDEN).unwrap();
    let source = floats(golden.tensor("source").unwrap().data());
    for storage in [Storage::Q4_0, Storage::Q8_0] {
        let mut found = Vec::new();
        assert!(storage.format().encode(&source, &mut found));
        assert_eq!(found, golden.tensor(&format!("{storage}.encoded")).unwrap().data(), "{storage}");
    }
}

#[test]
fn encoding_floats_returns_what_was_decoded() {
    let golden = SafeTensors::deserialize(GOLDEN).unwrap();
    for storage in [Storage::F16, Storage::BF16] {
        let format = storage.format();
        let values = floats(golden.tensor(&format!("{}.values", format.name)).unwrap().data());
        let mut bytes = Vec::new();
        assert!(format.encode(&values, &mut bytes));
        let mut again = vec![0.0; values.len()];
        format.decode(&bytes, &mut again);
        assert!(again.iter().zip(&values).all(|(a, b)| bits(*a) == bits(*b)), "{}", format.name);
    }
}

#[test]
fn coded_weights_are_worth_what_decoding_gives() {
    let golden = SafeTensors::deserialize(GOLDEN).unwrap();
    let mut n_coded = 0;
    for format in ALL {
        let Some(apart) = format.apart else { continue };
        let blocks = golden.tensor(&format!("{}.blocks", format.name)).unwrap();
        // Two rows, each of half the blocks.
        let (row_bytes, cols) =
            (blocks.data().len() / 2, blocks.data().len() / 2 / format.block_bytes * format.block_len);
        let fill =
            |row: usize, to: &mut CodedRow| (apart.take)(&blocks.data()[row * row_bytes..][..row_bytes], to);
        let (rows, coding, dtype) = (2, apart.coding, DType::F32);
        let mut device = Cpu::new();
        let weight = CodedWeight { rows, cols, coding, dtype, outer: None, fill: &fill };
        let buffer = device.allocate_coded(&weight).unwrap();
        let (mut expected, mut found) = (vec![0.0; rows * cols], vec![0.0; rows * cols]);
        format.decode(blocks.data(), &mut expected);
        device.read(View { buffer, offset: 0, rows, cols, dtype }, &mut found);
        for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_eq!(bits(*found), bits(*expected), "{} value {i}: {found} {expected}", format.name);
        }
        n_coded += 1;
    }
    assert_eq!(n_coded, 9);
}
