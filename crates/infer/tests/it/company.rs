//! An answer is the same to the last bit whoever else is answered.

use crate::adapter::adapter;
use crate::tiny::{config, device, ids, load_as, tensors};
use penname_engine::Precision;
use penname_engine::backend::cpu::Cpu;
use penname_infer::{Completion, Control, Decoder, Prompt, Room, Sampler, Stop, Weights, generate};
use penname_model::Config;

const ROOM: Room = Room { slots: 4, context: 220, chunk: 150 };

/// A context in which a prompt has several pieces.
fn weights(precision: Precision) -> (Cpu, Weights) {
    let mut device = device();
    let config = Config { context: 256, ..config() };
    let weights = load_as(&tensors(), &config, Some(&adapter(0.3)), precision, &mut device).unwrap();
    (device, weights)
}

/// Ragged prompts, three of which begin alike, and answers of different lengths.
fn prompts() -> Vec<Prompt> {
    let lengths = [1, 70, 5, 63, 64, 65, 128, 130, 150, 3, 200, 133];
    let prompt = |(seed, n): (u64, usize)| {
        let mut ids = ids(if n > 128 { 1 } else { seed }, n);
        ids.extend([seed as u32]);
        let sampler = Sampler { temperature: if seed % 3 == 0 { 0.8 } else { 0.0 }, ..Sampler::default() };
        Prompt { ids, sampler, choice: seed, max_new: 3 + seed as usize }
    };
    (1..).zip(lengths).map(prompt).collect()
}

fn answers(prompts: &[Prompt], precision: Precision, room: Room) -> Vec<Completion> {
    let (mut device, weights) = weights(precision);
    let mut decoder = Decoder::new(&weights.tuned(), room, &mut device).unwrap();
    generate(&mut decoder, &mut device, prompts, &Stop::default(), &mut |_, _| Control::Continue).unwrap()
}

#[test]
fn company_changes_nothing() {
    let prompts = prompts();
    for precision in [Precision::F32, Precision::Bf16] {
        let together = answers(&prompts, precision, ROOM);
        assert_eq!(together, answers(&prompts, precision, Room { slots: 12, chunk: 90, ..ROOM }));
        for (prompt, found) in prompts.iter().zip(together) {
            assert_eq!(found.ids.len(), prompt.max_new);
            let alone = answers(std::slice::from_ref(prompt), precision, ROOM).remove(0);
            assert_eq!(found, alone, "{} ids, {precision:?}", prompt.ids.len());
        }
    }
}

#[test]
fn a_cache_of_fixed_size_takes_as_many_as_fit() {
    let (_, weights) = weights(Precision::Bf16);
    let model = weights.base();
    // Two layers, two heads of twelve keys and values, two bytes each.
    assert_eq!(model.cache_row_bytes(), 192);
    let check = |bytes: usize, expected: usize| assert_eq!(ROOM.within(bytes, &model).slots, expected);
    check(usize::MAX, 4);
    check(3 * 220 * 192, 3);
    check(3 * 220 * 192 - 1, 2);
    check(0, 1);
}
