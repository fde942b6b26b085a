//! How fast a step is, alone and beside a peer.

mod base;
mod batch;
mod chat;
mod corpus;
mod decode;
mod machine;
mod memory;
pub(crate) mod ops;
mod peak;
pub(crate) mod peers;
mod prefill;
mod products;
mod profile;
mod record;
mod rows;
mod shape;
mod step;
mod subject;
mod text;
mod trained;

use crate::Result;

/// What is timed.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Bench {
    /// Time optimizer steps of a model on this machine.
    Step(step::Options),
    /// Time every operation of one block at several sizes.
    Ops(ops::Options),
    /// Time bare products of the sizes that models have.
    Products(products::Options),
    /// Hold the plan of memory against what a step takes.
    Memory(memory::Options),
    /// Time one answer being written.
    Decode(decode::Options),
    /// Time a prompt being read.
    Prefill(prefill::Options),
    /// Time many prompts being answered side by side.
    Batch(batch::Options),
    /// Time `penname train` on chat rows, the whole command.
    Chat(chat::Options),
    /// Time cleaning, judging and deduplicating of made-up text.
    Corpus(corpus::Options),
    /// Time the same work here and in what people would use instead, in turns, and write a record.
    Peers(peers::Options),
}

/// Times what was asked for.
pub(crate) fn run(bench: &Bench) -> Result<()> {
    match bench {
        Bench::Step(options) => step::run(options),
        Bench::Ops(options) => ops::run(options),
        Bench::Products(options) => products::run(options),
        Bench::Memory(options) => memory::run(options),
        Bench::Decode(options) => decode::run(options),
        Bench::Prefill(options) => prefill::run(options),
        Bench::Batch(options) => batch::run(options),
        Bench::Chat(options) => chat::run(options),
        Bench::Corpus(options) => corpus::run(options),
        Bench::Peers(options) => peers::run(options),
    }
}

/// The figures one below the other.
fn listed(figures: &serde_json::Value) -> String {
    let lines = figures.as_object().into_iter().flatten().map(|(name, value)| format!("{name:<16} {value}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The middle of some numbers; of two middle ones the smaller, which really occurred.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_a_number_that_occurred() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.0);
        assert!(median(&[]).is_nan());
    }
}
