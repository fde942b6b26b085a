//! How fast prompts are read and answers are written.
//!
//! ```text
//! speed CHECKPOINT [f32|bf16]
//! ```
//!
//! Reads 512 tokens, then writes with 1 and with 8 answers at a time; medians of five after one to
//! warm up. Choosing the ids is part of the writing.

use std::io::Write;
use std::time::Instant;

use penname_engine::backend::cpu::Cpu;
use penname_engine::{Device, Precision};
use penname_infer::{Control, Decoder, Prompt, Room, Sampler, Stop, Weights, generate};
use penname_model::Checkpoint;

type Failure = Box<dyn std::error::Error>;

const ROUNDS: usize = 6;
const N_READ: usize = 512;
const N_WRITTEN: usize = 32;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (checkpoint, precision) = match arguments.as_slice() {
        [checkpoint] => (checkpoint, Precision::Bf16),
        [checkpoint, word] if word == "bf16" => (checkpoint, Precision::Bf16),
        [checkpoint, word] if word == "f32" => (checkpoint, Precision::F32),
        _ => return Err("usage: speed CHECKPOINT [f32|bf16]".into()),
    };
    let device = &mut Cpu::new();
    let weights = Weights::load(&Checkpoint::open(checkpoint)?, None, precision, device)?;
    let room = Room { slots: 8, context: N_READ + N_WRITTEN, chunk: 256 };
    let mut decoder = Decoder::new(&weights.base(), room, device)?;
    let out = &mut std::io::stdout().lock();
    writeln!(out, "{}, {precision:?}", device.probe().name)?;

    let seconds = median(|round| {
        let ids: Vec<u32> =
            (0..N_READ).map(|at| ((at + round) * 7919 % decoder.vocabulary()) as u32).collect();
        decoder.logits(device, 0, &ids).map(drop).map_err(Failure::from)
    })?;
    writeln!(out, "read {:.0} tokens a second", N_READ as f64 / seconds)?;
    for n_answers in [1, 8] {
        let seconds = median(|_| write(&mut decoder, device, n_answers))?;
        let n_ids = n_answers * N_WRITTEN;
        writeln!(out, "write {:.1} tokens a second, {n_answers} at a time", n_ids as f64 / seconds)?;
    }
    Ok(())
}

fn write(decoder: &mut Decoder, device: &mut dyn Device, n_answers: usize) -> Result<(), Failure> {
    let prompt = |choice| {
        let sampler = Sampler { temperature: 0.8, top_p: 0.95, ..Sampler::default() };
        Prompt { ids: vec![1], sampler, choice, max_new: N_WRITTEN }
    };
    let prompts: Vec<Prompt> = (0..n_answers as u64).map(prompt).collect();
    generate(decoder, device, &prompts, &Stop::default(), &mut |_, _| Control::Continue)?;
    Ok(())
}

/// Median seconds of all rounds but the first.
#[expect(clippy::disallowed_methods, reason = "measuring time is what this program is for")]
fn median(mut run: impl FnMut(usize) -> Result<(), Failure>) -> Result<f64, Failure> {
    let mut seconds = Vec::new();
    for round in 0..ROUNDS {
        let begin = Instant::now();
        run(round)?;
        seconds.push(begin.elapsed().as_secs_f64());
    }
    let rest = &mut seconds[1..];
    rest.sort_by(f64::total_cmp);
    Ok(rest[rest.len() / 2])
}
