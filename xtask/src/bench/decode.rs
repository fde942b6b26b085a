//! Times one answer being written, id by id: every weight is read once for each.

use std::num::NonZeroUsize;

use penname_engine::Device;
use penname_infer::{Decoder, Feed, Room};
use penname_ledger::Stopwatch;

use super::profile::Profile;
use super::subject::{self, Subject};
use super::{listed, profile};
use crate::Result;
use crate::screen::say;

/// Tokens that are there before the first one counted, as in the peers' bench.
const N_BEFORE: usize = 8;

/// What is timed.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    subject: Subject,
    /// Ids written in a round.
    #[arg(long, default_value_t = NonZeroUsize::new(128).unwrap_or(NonZeroUsize::MIN))]
    tokens: NonZeroUsize,
}

/// Times the rounds and prints what came out.
///
/// The next id is the likeliest one, found by looking at every logit; that belongs to the time.
pub(crate) fn run(options: &Options) -> Result<()> {
    let (mut device, weights) = options.subject.load()?;
    let context = N_BEFORE + options.tokens.get() + 1;
    let room = Room { slots: 1, context, chunk: N_BEFORE };
    let mut decoder = Decoder::new(&weights.base(), room, &mut device)?;
    let (mut seconds, mut profile) = (Vec::new(), Profile::new());
    for round in 0..=options.subject.rounds.get() {
        let ids = subject::ids(N_BEFORE, round, decoder.vocabulary());
        let mut id = likeliest(decoder.logits(&mut device, 0, &ids)?.row(0));
        let watch = Stopwatch::start();
        for _ in 0..options.tokens.get() {
            let feed = Feed { slot: 0, ids: &[id] };
            id = likeliest(decoder.run(&mut device, &[feed])?.row(0));
        }
        if round > 0 {
            seconds.push(watch.seconds());
        }
    }
    if !options.subject.json {
        for _ in 0..options.tokens.get() {
            decoder.keep(0, &subject::ids(N_BEFORE, 0, decoder.vocabulary()));
            profile::watch_decoder(&mut decoder, &mut device, &mut profile)?;
        }
        say(&format!("{}\n{}\n", device.probe().name, profile::table(&profile, options.tokens.get(), None)));
    }
    let figures = subject::figures(&seconds, options.tokens.get());
    say(&if options.subject.json { figures.to_string() } else { listed(&figures) });
    Ok(())
}

fn likeliest(logits: &[f32]) -> u32 {
    let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or(0, |(id, _)| id as u32)
}
