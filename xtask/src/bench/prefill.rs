//! Times a prompt being read: all its rows through the products, one row's logits at the end.

use std::num::NonZeroUsize;

use penname_engine::Device;
use penname_infer::{Decoder, Room};
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
    /// Length of the prompt.
    #[arg(long, default_value_t = NonZeroUsize::new(512).unwrap_or(NonZeroUsize::MIN))]
    tokens: NonZeroUsize,
    /// Rows that go through the model at one time; the whole prompt unless said.
    #[arg(long)]
    chunk: Option<NonZeroUsize>,
}

/// Times the rounds and prints what came out.
pub(crate) fn run(options: &Options) -> Result<()> {
    let (mut device, weights) = options.subject.load()?;
    let n_tokens = options.tokens.get();
    let chunk = options.chunk.unwrap_or(options.tokens).get();
    let room = Room { slots: 1, context: n_tokens, chunk };
    let mut decoder = Decoder::new(&weights.base(), room, &mut device)?;
    let mut seconds = Vec::new();
    for round in 0..=options.subject.rounds.get() {
        // Rounds begin with different ids, so nothing of the last prompt is kept.
        let ids = subject::ids(n_tokens, round, decoder.vocabulary());
        let watch = Stopwatch::start();
        decoder.logits(&mut device, 0, &ids)?;
        if round > 0 {
            seconds.push(watch.seconds());
        }
    }
    let figures = subject::figures(&seconds, n_tokens);
    let text = if options.subject.json { figures.to_string() } else { listed(&figures) };
    say(&if options.subject.json { text } else { format!("{}\n\n{text}", device.probe().name) });
    Ok(())
}
