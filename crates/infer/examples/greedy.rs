//! Compares greedy answers and logits with those of another program.
//!
//! ```text
//! greedy CHECKPOINT GOLDEN.json [f32|bf16]
//! ```
//!
//! Each entry of `cases` has `prompt_ids`, the `greedy_ids` that follow, the `margins` by which each
//! led the second best, and `last_logits_top8`, the largest logits after the prompt. Products are
//! f32 unless asked otherwise. A line for every failure, one with the counts, and the exit code
//! says whether there was a failure.

use std::io::Write;
use std::process::ExitCode;

use penname_engine::backend::cpu::Cpu;
use penname_engine::{Device, Precision};
use penname_infer::{Control, Decoder, Loading, Prompt, Room, Sampler, Stop, Weights, generate};
use penname_model::{Checkpoint, Keeping};
use serde::Deserialize;

type Failure = Box<dyn std::error::Error>;

/// Logits of two programs that round in another order differ by less than this.
const TOLERANCE: f32 = 2e-3;

/// A choice between two logits closer than this may fall either way.
const CLOSE: f32 = 0.01;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    prompt_ids: Vec<u32>,
    greedy_ids: Vec<u32>,
    margins: Vec<f32>,
    last_logits_top8: Vec<(u32, f32)>,
}

fn main() -> Result<ExitCode, Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (checkpoint, golden, precision) = match arguments.as_slice() {
        [checkpoint, golden] => (checkpoint, golden, Precision::F32),
        [checkpoint, golden, word] if word == "f32" => (checkpoint, golden, Precision::F32),
        [checkpoint, golden, word] if word == "bf16" => (checkpoint, golden, Precision::Bf16),
        _ => return Err("usage: greedy CHECKPOINT GOLDEN.json [f32|bf16]".into()),
    };
    let golden: Golden = serde_json::from_slice(&std::fs::read(golden)?)?;
    let device = &mut Cpu::new();
    let weights = Weights::load(
        &Checkpoint::open(checkpoint)?,
        None,
        Loading { precision, keeping: Keeping::Rounded },
        device,
    )?;
    let room = Room { slots: 4, context: 256, chunk: 256 };
    let mut decoder = Decoder::new(&weights.base(), room, device)?;

    let mut failures = wrong_logits(&mut decoder, device, &golden.cases)?;
    failures.extend(wrong_answers(&mut decoder, device, &golden.cases)?);
    let mut out = std::io::stdout().lock();
    failures.iter().try_for_each(|failure| writeln!(out, "{failure}"))?;
    let n_checks = 2 * golden.cases.len();
    writeln!(out, "{} passed, {} failed", n_checks - failures.len(), failures.len())?;
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One line for each prompt whose largest logits differ.
fn wrong_logits(
    decoder: &mut Decoder,
    device: &mut dyn Device,
    cases: &[Case],
) -> Result<Vec<String>, Failure> {
    let mut failures = Vec::new();
    for (idx, case) in cases.iter().enumerate() {
        let logits = decoder.logits(device, 0, &case.prompt_ids)?;
        let found = |id: u32| logits.row(0).get(id as usize).copied().unwrap_or(f32::NAN);
        let distance = |&(id, expected): &(u32, f32)| (found(id) - expected).abs();
        let worst = case.last_logits_top8.iter().map(distance).fold(0.0, f32::max);
        // A logit that is not a number is not within the tolerance either.
        if !case.last_logits_top8.iter().all(|expected| distance(expected) <= TOLERANCE) {
            failures.push(format!("case {idx}: logits differ by {worst}, expected at most {TOLERANCE}"));
        }
    }
    Ok(failures)
}

/// One line for each prompt whose answer differs where the choice was not close.
fn wrong_answers(
    decoder: &mut Decoder,
    device: &mut dyn Device,
    cases: &[Case],
) -> Result<Vec<String>, Failure> {
    let prompt = |case: &Case| Prompt {
        ids: case.prompt_ids.clone(),
        sampler: Sampler::greedy(),
        choice: 0,
        max_new: case.greedy_ids.len(),
    };
    let prompts: Vec<Prompt> = cases.iter().map(prompt).collect();
    let completions = generate(decoder, device, &prompts, &Stop::default(), &mut |_, _| Control::Continue)?;
    let mut failures = Vec::new();
    for (idx, (case, completion)) in cases.iter().zip(completions).enumerate() {
        let same = completion.ids.iter().zip(&case.greedy_ids).take_while(|(a, b)| a == b).count();
        let complete = same == case.greedy_ids.len();
        let margin = case.margins.get(same).copied().unwrap_or(f32::INFINITY);
        if !complete && margin >= CLOSE {
            let (found, expected) = (completion.ids.get(same), case.greedy_ids.get(same));
            failures.push(format!(
                "case {idx}: id {same} is {found:?}, expected {expected:?}, which led by {margin}"
            ));
        }
    }
    Ok(failures)
}
