//! The laws of decoding where tokens go to experts, and where a window slides beside sinks.

use std::path::PathBuf;

use crate::tiny::{device, noise};
use penname_engine::Precision;
use penname_engine::backend::cpu::Cpu;
use penname_infer::{Completion, Control, Decoder, Loading, Prompt, Room, Sampler, Stop, Weights, generate};
use penname_model::{Checkpoint, Keeping};

const MODELS: [&str; 4] = ["qwen3_moe/renormalised", "qwen3_moe/plain", "gpt_oss/fused", "gpt_oss/mxfp4"];
const ROOM: Room = Room { slots: 4, context: 120, chunk: 100 };

fn weights(name: &str, precision: Precision) -> (Cpu, Weights) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../golden").join(name);
    let (mut device, checkpoint) = (device(), Checkpoint::open(folder).unwrap());
    let loading = Loading { precision, keeping: Keeping::Stored };
    let weights = Weights::load(&checkpoint, None, loading, &mut device).unwrap();
    (device, weights)
}

fn ids(seed: u64, n: usize) -> Vec<u32> {
    noise(seed).skip(8).take(n).map(|x| ((x + 1.0) * 0.5 * 96.0) as u32).collect()
}

/// Ragged prompts, two of which begin alike, and answers of different lengths.
fn prompts() -> Vec<Prompt> {
    let prompt = |(seed, n): (u64, usize)| Prompt {
        ids: [ids(if n > 60 { 1 } else { seed }, n), vec![seed as u32]].concat(),
        sampler: Sampler { temperature: if seed % 3 == 0 { 0.8 } else { 0.0 }, ..Sampler::default() },
        choice: seed,
        max_new: 3 + seed as usize,
    };
    (1..).zip([1, 70, 5, 63, 64, 3, 90]).map(prompt).collect()
}

fn answers(name: &str, prompts: &[Prompt], precision: Precision, room: Room) -> Vec<Completion> {
    let (mut device, weights) = weights(name, precision);
    let mut decoder = Decoder::new(&weights.base(), room, &mut device).unwrap();
    generate(&mut decoder, &mut device, prompts, &Stop::default(), &mut |_, _| Control::Continue).unwrap()
}

#[test]
fn company_changes_nothing() {
    let prompts = prompts();
    for (name, precision) in MODELS.iter().flat_map(|name| [(name, Precision::F32), (name, Precision::Bf16)])
    {
        let together = answers(name, &prompts, precision, ROOM);
        assert_eq!(together, answers(name, &prompts, precision, Room { slots: 7, chunk: 80, ..ROOM }));
        for (prompt, found) in prompts.iter().zip(together) {
            let alone = answers(name, std::slice::from_ref(prompt), precision, ROOM).remove(0);
            assert_eq!(found, alone, "{name}, {} ids, {precision:?}", prompt.ids.len());
        }
    }
}

#[test]
fn chunks_equal_all_at_once() {
    let tokens = ids(2, 97);
    for name in MODELS {
        let (mut device, weights) = weights(name, Precision::F32);
        let logits = |device: &mut Cpu, chunk: usize| {
            let room = Room { slots: 1, chunk, ..ROOM };
            let mut decoder = Decoder::new(&weights.base(), room, device).unwrap();
            decoder.logits(device, 0, &tokens).unwrap().row(0).to_vec()
        };
        let expected = logits(&mut device, 100);
        for chunk in [1, 3, 17, 64] {
            let found = logits(&mut device, chunk);
            let worst = found.iter().zip(&expected).fold(0.0_f32, |top, (a, b)| top.max((a - b).abs()));
            // Kernels for few rows and for many sum in different orders.
            assert!(worst < 1e-3, "{name} in chunks of {chunk}: {worst}");
        }
    }
}
