//! Where the time of a step goes, operation by operation.

use std::collections::BTreeMap;

use penname_engine::op::{Access, Op};
use penname_engine::{Device, Extent, Program, Section, TensorId};
use penname_infer::{Decoder, Feed};
use penname_ledger::Stopwatch;
use penname_token::Pack;
use penname_train::step::{Trainer, packed};

use super::peak::Limits;
use crate::Result;

/// Time and work of the operations of one name in one section.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Share {
    pub(super) seconds: f64,
    pub(super) flops: f64,
    pub(super) n_bytes: f64,
    /// The least the machine could have needed, in seconds.
    pub(super) floor_s: f64,
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
            // A document's rows see themselves so far, and all that is shared: twice as much of it.
            let own = |rows: &std::ops::Range<usize>| rows.len() * (rows.len() + 2 * pack.shared);
            let squares: usize = pack.documents.iter().map(own).sum();
            at_most * (squares + pack.shared * pack.shared) as f64 / (rows * rows)
        }
        _ => at_most,
    }
}

/// Bytes of the tensors that an operation reads and writes, each once; what it changes, twice.
///
/// Rows of a table are read by their ids, so that many of them count as the operation has results.
pub(super) fn n_bytes(op: &Op, program: &Program, extent: Extent) -> f64 {
    let bytes = |id: TensorId| {
        let tensor = program.tensor(id);
        extent.rows(tensor.rows) * tensor.cols * tensor.dtype.bytes()
    };
    let accesses = op.accesses();
    let written: usize =
        accesses.iter().filter(|(access, _)| *access == Access::Write).map(|(_, id)| bytes(*id)).sum();
    let count = |(access, id): &(Access, TensorId)| match (access, op) {
        (Access::Read, Op::Embed(_)) => bytes(*id).min(written),
        (Access::Update, _) => 2 * bytes(*id),
        (Access::Read | Access::Write, _) => bytes(*id),
    };
    accesses.iter().map(count).sum::<usize>() as f64
}

/// Runs one more step on the inputs of the last one and adds up its operations.
pub(super) fn watch(
    trainer: &mut Trainer,
    device: &mut dyn Device,
    pack: &Pack,
    limits: Limits,
    profile: &mut Profile,
) -> Result<()> {
    let extent = packed(pack).extent();
    let program = &trainer.network.program;
    for section in [Section::Begin, Section::Forward, Section::Backward, Section::Update] {
        let mut stopwatch = Stopwatch::start();
        let mut after = |step: &penname_engine::program::Step| {
            let share = profile.entry(format!("{section:?} {}", step.op.name()).to_lowercase()).or_default();
            share.seconds += stopwatch.seconds();
            let (flops, n_bytes) = (flops(&step.op, program, pack), n_bytes(&step.op, program, extent));
            share.flops += flops;
            share.n_bytes += n_bytes;
            share.floor_s += limits.floor(flops, n_bytes);
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

/// A table of the operations, slowest first, for `n_steps` steps; held against the machine's limits, if
/// they are known.
pub(super) fn table(profile: &Profile, n_steps: usize, limits: Option<Limits>) -> String {
    let total: f64 = profile.values().map(|share| share.seconds).sum();
    let mut rows: Vec<(&String, &Share)> = profile.iter().collect();
    rows.sort_by(|a, b| b.1.seconds.total_cmp(&a.1.seconds));
    let line = |(name, share): (&String, &Share)| {
        let (ms, percent) = (1e3 * share.seconds / n_steps as f64, 100.0 * share.seconds / total);
        let gflops = share.flops / share.seconds / 1e9;
        let plain = format!("{name:<28} {ms:>9.2} ms {percent:>6.2} % {gflops:>8.1} GFLOP/s");
        limits.map_or(plain.clone(), |limits| format!("{plain} {}", share.against(limits, n_steps)))
    };
    let lines = rows.into_iter().map(line).collect::<Vec<_>>().join("\n");
    limits.map_or(lines.clone(), |limits| format!("{lines}\n\n{}", summary(profile, n_steps, limits)))
}

impl Share {
    /// What it took of the machine, and the least time it could have taken.
    fn against(&self, limits: Limits, n_steps: usize) -> String {
        let gbytes = self.n_bytes / self.seconds / 1e9;
        format!(
            "{:>5.1} % of peak {gbytes:>7.1} GB/s {:>5.1} % of copy, floor {:>8.2} ms",
            100.0 * self.flops / self.seconds / 1e9 / limits.gflops,
            100.0 * gbytes / limits.gbytes,
            1e3 * self.floor_s / n_steps as f64,
        )
    }

    fn add(&mut self, other: &Self) {
        self.seconds += other.seconds;
        self.flops += other.flops;
        self.floor_s += other.floor_s;
    }
}

/// How the time divides among products, attention and all else, and the floors of the step.
fn summary(profile: &Profile, n_steps: usize, limits: Limits) -> String {
    let (mut products, mut attention, mut rest, mut all) = <(Share, Share, Share, Share)>::default();
    for (name, share) in profile {
        let kind = match name.split_once(' ').map_or(name.as_str(), |(_, op)| op) {
            "linear" | "linear_backward" | "cross_entropy" => &mut products,
            "attention" | "attention_backward" => &mut attention,
            _ => &mut rest,
        };
        kind.add(share);
        all.add(share);
    }
    let percent = |share: &Share| 100.0 * share.seconds / all.seconds;
    let ms = |seconds: f64| 1e3 * seconds / n_steps as f64;
    let by_flops = all.flops / limits.gflops / 1e9;
    format!(
        "products (with the head and its loss) {:.1} %, attention {:.1} %, all else {:.1} %\n\
         step {:.1} ms; floor by its products {:.1} ms, {:.1} % of the time; operation by operation {:.1} ms, {:.1} %",
        percent(&products),
        percent(&attention),
        percent(&rest),
        ms(all.seconds),
        ms(by_flops),
        100.0 * by_flops / all.seconds,
        ms(all.floor_s),
        100.0 * all.floor_s / all.seconds,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn profile() -> Profile {
        let share = |seconds, flops, n_bytes, floor_s| Share { seconds, flops, n_bytes, floor_s };
        Profile::from([
            ("forward linear".to_owned(), share(0.02, 4e9, 1e8, 0.016)),
            ("backward linear_backward".to_owned(), share(0.06, 8e9, 2e8, 0.032)),
            ("forward attention".to_owned(), share(0.02, 1e9, 2e8, 0.01)),
        ])
    }

    #[test]
    fn the_slowest_stands_first() {
        expect![[r#"
            backward linear_backward         30.00 ms  60.00 %    133.3 GFLOP/s
            forward attention                10.00 ms  20.00 %     50.0 GFLOP/s
            forward linear                   10.00 ms  20.00 %    200.0 GFLOP/s"#]]
        .assert_eq(&table(&profile(), 2, None));
    }

    #[test]
    fn limits_say_what_was_possible() {
        let limits = Limits { gflops: 250.0, gbytes: 20.0 };
        expect![[r#"
            backward linear_backward         30.00 ms  60.00 %    133.3 GFLOP/s  53.3 % of peak     3.3 GB/s  16.7 % of copy, floor    16.00 ms
            forward attention                10.00 ms  20.00 %     50.0 GFLOP/s  20.0 % of peak    10.0 GB/s  50.0 % of copy, floor     5.00 ms
            forward linear                   10.00 ms  20.00 %    200.0 GFLOP/s  80.0 % of peak     5.0 GB/s  25.0 % of copy, floor     8.00 ms

            products (with the head and its loss) 80.0 %, attention 20.0 %, all else 0.0 %
            step 50.0 ms; floor by its products 26.0 ms, 52.0 % of the time; operation by operation 29.0 ms, 58.0 %"#]].assert_eq(&table(&profile(), 2, Some(limits)));
    }
}
