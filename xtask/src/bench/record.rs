//! A comparison on paper: the table, and everything needed to doubt it.

use std::path::PathBuf;

use penname_ledger::{clock, write};

use super::machine;
use super::peers::Timing;
use crate::{Result, root};

/// A comparison that was made.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub(super) timings: &'a [Timing],
    pub(super) command: String,
    pub(super) load_before: String,
    pub(super) versions: String,
}

impl Record<'_> {
    /// Rates and ratios. A ratio is to the fastest peer of the same width of numbers.
    pub(super) fn table(&self) -> String {
        let mut lines = vec![
            "| | tokens/s | step | peak memory | ratio | of the machine's peak | loss, first and last |"
                .to_owned(),
            "|---|---:|---:|---:|---:|---:|---|".to_owned(),
        ];
        lines.extend(self.timings.iter().map(|timing| self.row(timing)));
        lines.join("\n")
    }

    fn row(&self, timing: &Timing) -> String {
        let rate = timing.figure("tokens_per_s");
        let ratio = self
            .fastest_peer(timing.runner.narrow)
            .map_or(String::new(), |peer| format!("{:.2}", rate / peer));
        let share = self.peak(timing.runner.narrow).map_or(String::new(), |peak| {
            format!("{:.0} %", 100.0 * rate * peak.figure("gflop_per_token") / peak.figure("peak_gflops"))
        });
        format!(
            "| {} | {rate:.1} | {:.3} s | {:.2} GB | {ratio} | {share} | {:.4}, {:.4} |",
            timing.runner.name,
            timing.figure("median_s"),
            timing.figure("peak_rss_bytes") / 1e9,
            timing.figure("first_loss"),
            timing.figure("last_loss"),
        )
    }

    /// Tokens a second of the fastest that is not ours.
    fn fastest_peer(&self, narrow: bool) -> Option<f64> {
        let peers =
            self.timings.iter().filter(|timing| !timing.runner.ours && timing.runner.narrow == narrow);
        peers.map(|timing| timing.figure("tokens_per_s")).reduce(f64::max)
    }

    /// Ours of the same width, which measured what the machine can do and knows the work of a token.
    fn peak(&self, narrow: bool) -> Option<&Timing> {
        self.timings.iter().find(|timing| timing.runner.ours && timing.runner.narrow == narrow)
    }

    /// Writes `bench/records/<date>-<machine>/` and says where.
    pub(super) fn write(&self) -> Result<PathBuf> {
        let today: String = clock::now().to_string().chars().take(10).collect();
        let name = format!("{today}-{}", machine::folder_name(&machine::cpu_name()));
        let folder = root().join("bench/records").join(name);
        write::folder(&folder)?;
        let raw: String =
            self.timings.iter().flat_map(|timing| timing.raw.iter().map(|line| raw(timing, line))).collect();
        write::bytes(&folder.join("raw.jsonl"), raw.as_bytes())?;
        write::bytes(&folder.join("record.md"), self.page(&today).as_bytes())?;
        Ok(folder)
    }

    fn page(&self, today: &str) -> String {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        format!(
            "# {today}, {cpu}\n\n\
             SmolLM2-135M-Instruct, LoRA of rank 16 on all linears, AdamW, gradients clipped. Everyone \
             took turns in one run; figures are medians of each run's counted steps, then of the rounds. \
             Ratios are to the fastest PyTorch of the same width of numbers.\n\n{table}\n\n\
             * command: `{command}`\n* processors: {threads}\n* load average: {before} before, {after} after\n\
             {versions}\n\nWhat each run printed is in [raw.jsonl](raw.jsonl).\n",
            cpu = machine::cpu_name(),
            table = self.table(),
            command = self.command,
            before = self.load_before,
            after = machine::load_average(),
            versions = self.versions.lines().map(|line| format!("* {line}")).collect::<Vec<_>>().join("\n"),
        )
    }
}

fn raw(timing: &Timing, figures: &serde_json::Value) -> String {
    format!("{}\n", serde_json::json!({ "name": timing.runner.name, "figures": figures }))
}

#[cfg(test)]
mod tests {
    use super::super::peers::timing;
    use super::*;
    use expect_test::expect;

    #[test]
    fn ratios_are_to_the_fastest_peer_of_the_same_width() {
        let timings = [
            timing("penname bf16", true, &[520.0, 500.0]),
            timing("penname f32", false, &[300.0, 310.0, 305.0]),
            timing("pytorch f32", false, &[200.0, 210.0]),
            timing("pytorch autocast", true, &[240.0, 250.0]),
            timing("pytorch bf16", true, &[250.0, 260.0]),
        ];
        let (command, load_before, versions) = Default::default();
        expect![[r#"
            | | tokens/s | step | peak memory | ratio | of the machine's peak | loss, first and last |
            |---|---:|---:|---:|---:|---:|---|
            | penname bf16 | 500.0 | 1.969 s | 1.50 GB | 2.00 | 75 % | 12.5000, 12.2500 |
            | penname f32 | 305.0 | 3.357 s | 1.50 GB | 1.52 | 46 % | 12.5000, 12.2500 |
            | pytorch f32 | 200.0 | 4.876 s | 1.50 GB | 1.00 | 30 % | 12.5000, 12.2500 |
            | pytorch autocast | 240.0 | 4.096 s | 1.50 GB | 0.96 | 36 % | 12.5000, 12.2500 |
            | pytorch bf16 | 250.0 | 3.938 s | 1.50 GB | 1.00 | 38 % | 12.5000, 12.2500 |"#]]
        .assert_eq(&Record { timings: &timings, command, load_before, versions }.table());
    }
}
