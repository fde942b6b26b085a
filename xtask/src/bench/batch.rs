//! Times many prompts being answered side by side, each likeliest id first.

use std::num::NonZeroUsize;

use penname_engine::Device;
use penname_infer::{Control, Decoder, Prompt, Room, Sampler, Stop, generate};
use penname_ledger::Stopwatch;

use super::listed;
use super::subject::{self, Subject};
use crate::Result;
use crate::screen::say;

/// What is timed.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    subject: Subject,
    /// Number of prompts.
    #[arg(long, default_value_t = NonZeroUsize::new(64).unwrap_or(NonZeroUsize::MIN))]
    prompts: NonZeroUsize,
    /// Ids written after each.
    #[arg(long, default_value_t = NonZeroUsize::new(64).unwrap_or(NonZeroUsize::MIN))]
    tokens: NonZeroUsize,
    /// Length of the shortest prompt; the longest has three times as many ids.
    #[arg(long, default_value_t = NonZeroUsize::new(16).unwrap_or(NonZeroUsize::MIN))]
    shortest: NonZeroUsize,
    /// How many are answered at one time; all unless said.
    #[arg(long)]
    slots: Option<NonZeroUsize>,
}

/// Times the rounds and prints what came out. Ids written are counted, not those read.
pub(crate) fn run(options: &Options) -> Result<()> {
    let (mut device, weights) = options.subject.load()?;
    let (n_prompts, n_new, shortest) = (options.prompts.get(), options.tokens.get(), options.shortest.get());
    let slots = options.slots.unwrap_or(options.prompts).get();
    let room = Room { slots, context: 3 * shortest + n_new, chunk: slots.max(256) };
    let mut decoder = Decoder::new(&weights.base(), room, &mut device)?;
    let (mut seconds, mut n_written) = (Vec::new(), 0);
    for round in 0..=options.subject.rounds.get() {
        let prompt = |idx: usize| {
            let n_ids = shortest + 2 * shortest * idx / n_prompts;
            let ids = subject::ids(n_ids, round * n_prompts + idx, decoder.vocabulary());
            Prompt { ids, sampler: Sampler::greedy(), choice: 0, max_new: n_new }
        };
        let prompts: Vec<Prompt> = (0..n_prompts).map(prompt).collect();
        let watch = Stopwatch::start();
        let answers =
            generate(&mut decoder, &mut device, &prompts, &Stop::default(), &mut |_, _| Control::Continue)?;
        n_written = answers.iter().map(|answer| answer.ids.len()).sum();
        if round > 0 {
            seconds.push(watch.seconds());
        }
    }
    let figures = subject::figures(&seconds, n_written);
    let text = if options.subject.json { figures.to_string() } else { listed(&figures) };
    say(&if options.subject.json { text } else { format!("{}\n\n{text}", device.probe().name) });
    Ok(())
}
