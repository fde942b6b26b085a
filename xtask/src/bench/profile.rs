//! Where the time of a step goes, operation by operation.

use std::collections::BTreeMap;

use penname_engine::op::Op;
use penname_engine::{Device, Program, Section};
use penname_infer::{Decoder, Feed};
use penname_ledger::Stopwatch;
use penname_token::Pack;
use penname_train::step::{Trainer, packed};

use crate::Result;

/// Time and work of the operations of one name in one section.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Share {
    seconds: f64,
    flops: f64,
}

/// Shares by section and name.
pub(super) type Profile = BTreeMap<String, Share>;

/// What an operation has to compute for this pack. Programs count the most it could be: one document
/// over all rows.
pub(super) fn flops(op: &Op, program: &Program, pack: &Pack) -> f64 {
    let at_most = op.flops(program, packed(pack).extent()) as f64;
    let rows = pack.len() as f64;
    match op {
        Op::Attention(_) | Op::AttentionBackward(_) => {
            let squares: usize = pack.documents.iter().map(|rows| rows.len() * rows.len()).sum();
            at_most * squares as f64 / (rows * rows)
        }
        _ => at_most,
    }
}

/// Runs one more step on the inputs of the last one and adds up its operations.
pub(super) fn watch(
    trainer: &mut Trainer,
    device: &mut dyn Device,
    pack: &Pack,
    profile: &mut Profile,
) -> Result<()> {
    let extent = packed(pack).extent();
    let program = &trainer.network.program;
    for section in [Section::Begin, Section::Forward, Section::Backward, Section::Update] {
        let mut stopwatch = Stopwatch::start();
        let mut after = |step: &penname_engine::program::Step| {
            let share = profile.entry(format!("{section:?} {}", step.op.name()).to_lowercase()).or_default();
            share.seconds += stopwatch.seconds();
            share.flops += flops(&step.op, program, pack);
            stopwatch = Stopwatch::start();
        };
        trainer.session.run_watched(device, section, extent, &mut after)?;
    }
    Ok(())
}

/// Runs a decoder on one id and adds up the operations. What they could compute at most is no measure
/// of a run over a cache, so only their time is kept.
pub(super) fn watch_decoder(
    decoder: &mut Decoder,
    device: &mut dyn Device,
    profile: &mut Profile,
) -> Result<()> {
    let mut stopwatch = Stopwatch::start();
    let mut after = |step: &penname_engine::program::Step| {
        profile.entry(format!("decode {}", step.op.name())).or_default().seconds += stopwatch.seconds();
        stopwatch = Stopwatch::start();
    };
    decoder.run_watched(device, &[Feed { slot: 0, ids: &[0] }], &mut after)?;
    Ok(())
}

/// A table of the operations, slowest first, for `n_steps` steps.
pub(super) fn table(profile: &Profile, n_steps: usize) -> String {
    let total: f64 = profile.values().map(|share| share.seconds).sum();
    let mut rows: Vec<(&String, &Share)> = profile.iter().collect();
    rows.sort_by(|a, b| b.1.seconds.total_cmp(&a.1.seconds));
    let row = |(name, share): (&String, &Share)| {
        let (ms, percent) = (1e3 * share.seconds / n_steps as f64, 100.0 * share.seconds / total);
        let gflops = share.flops / share.seconds / 1e9;
        format!("{name:<28} {ms:>9.2} ms {percent:>6.2} % {gflops:>8.1} GFLOP/s")
    };
    rows.into_iter().map(row).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn the_slowest_stands_first() {
        let share = |seconds, flops| Share { seconds, flops };
        let profile = Profile::from([
            ("forward linear".to_owned(), share(0.02, 4e9)),
            ("backward linear".to_owned(), share(0.06, 8e9)),
        ]);
        expect![[r#"
            backward linear                  30.00 ms  75.00 %    133.3 GFLOP/s
            forward linear                   10.00 ms  25.00 %    200.0 GFLOP/s"#]]
        .assert_eq(&table(&profile, 2));
    }
}
