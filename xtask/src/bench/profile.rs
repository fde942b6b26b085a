//! Where the time of a step goes, operation by operation.

use std::collections::BTreeMap;

use penname_engine::{Device, Extent, Section};
use penname_ledger::Stopwatch;
use penname_train::step::Trainer;

use crate::Result;

/// Time and work of the operations of one name in one section.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Share {
    seconds: f64,
    flops: u64,
}

/// Shares by section and name.
pub(super) type Profile = BTreeMap<String, Share>;

/// Runs one more step on the inputs of the last one and adds up its operations.
pub(super) fn watch(
    trainer: &mut Trainer,
    device: &mut dyn Device,
    extent: Extent,
    profile: &mut Profile,
) -> Result<()> {
    let program = &trainer.network.program;
    for section in [Section::Begin, Section::Forward, Section::Backward, Section::Update] {
        let mut stopwatch = Stopwatch::start();
        let mut after = |step: &penname_engine::program::Step| {
            let share = profile.entry(format!("{section:?} {}", step.op.name()).to_lowercase()).or_default();
            share.seconds += stopwatch.seconds();
            share.flops += step.op.flops(program, extent);
            stopwatch = Stopwatch::start();
        };
        trainer.session.run_watched(device, section, extent, &mut after)?;
    }
    Ok(())
}

/// A table of the operations, slowest first, for `n_steps` steps.
pub(super) fn table(profile: &Profile, n_steps: usize) -> String {
    let total: f64 = profile.values().map(|share| share.seconds).sum();
    let mut rows: Vec<(&String, &Share)> = profile.iter().collect();
    rows.sort_by(|a, b| b.1.seconds.total_cmp(&a.1.seconds));
    let row = |(name, share): (&String, &Share)| {
        let (ms, percent) = (1e3 * share.seconds / n_steps as f64, 100.0 * share.seconds / total);
        let gflops = share.flops as f64 / share.seconds / 1e9;
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
            ("forward linear".to_owned(), share(0.02, 4_000_000_000)),
            ("backward linear".to_owned(), share(0.06, 8_000_000_000)),
        ]);
        expect![[r#"
            backward linear                  30.00 ms  75.00 %    133.3 GFLOP/s
            forward linear                   10.00 ms  25.00 %    200.0 GFLOP/s"#]]
        .assert_eq(&table(&profile, 2));
    }
}
