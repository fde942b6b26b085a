//! The comparisons as tables.

use super::row::{self, Figure, Row};
use crate::bench::record::Record;

/// Ours, theirs, the ratio, what was wanted and the memory of each comparison.
pub(super) fn rows(rows: &[&Row], record: &Record) -> String {
    let mut lines = vec![
        "| comparison | ours | theirs | ratio | wanted | memory | wanted | |".to_owned(),
        "|---|---:|---:|---:|---:|---:|---:|---|".to_owned(),
    ];
    lines.extend(rows.iter().map(|row| line(row, record)));
    lines.join("\n")
}

/// The whole record as a page.
pub(crate) fn page(record: &Record) -> String {
    let all: Vec<&Row> = row::ALL.iter().filter(|row| is_known(row, record)).collect();
    format!(
        "# {date}: beside the peers\n\n\
         Medians of each run's counted steps or rounds, then of the turns. Ours and theirs did the same work \
         in the same run. The ratio is ours to theirs, more is better for us; the memory is the most each \
         process ever held, ours to theirs. [How to read it](../../../docs/guide/bench.md).\n\n{rows}\n\n\
         ## Everybody\n\n{runs}\n\n{circumstances}\n\nWhat each run printed is in [peers.json](peers.json).\n",
        date = record.date(),
        rows = rows(&all, record),
        runs = runs(record),
        circumstances = record.circumstances(),
    )
}

fn is_known(row: &Row, record: &Record) -> bool {
    let known = |name: &&str| record.figure(name, "tokens_per_s").is_some() || record.reason(name).is_some();
    row.ours.iter().chain(row.theirs).any(known)
}

fn runs(record: &Record) -> String {
    let line = |name: &str| {
        let figure = |field, digits: usize, scale: f64| {
            record.figure(name, field).map_or(String::new(), |value| format!("{:.digits$}", value * scale))
        };
        format!(
            "| {name} | {} | {} | {} | {} | {} |",
            figure("tokens_per_s", 1, 1.0),
            figure("median_s", 3, 1.0),
            figure("peak_rss_bytes", 2, 1e-9),
            figure("first_step_s", 2, 1.0),
            figure("last_loss", 4, 1.0),
        )
    };
    let head = "| | tokens/s | seconds | GB | first step, s | last loss |\n|---|---:|---:|---:|---:|---:|";
    std::iter::once(head.to_owned()).chain(record.names().map(line)).collect::<Vec<_>>().join("\n")
}

fn line(row: &Row, record: &Record) -> String {
    let outcome = row.outcome(record);
    let shown = |value: f64| match row.figure {
        Figure::ShareOfPeak => format!("{value:.3}"),
        Figure::Rate | Figure::FirstStep => format!("{value:.1}"),
    };
    let missing =
        |names: &[&str]| names.iter().find_map(|name| record.reason(name)).unwrap_or("not run").to_owned();
    let ours = outcome.ours.map_or_else(|| missing(row.ours), |(_, value)| shown(value));
    let theirs = match outcome.theirs {
        Some((name, value)) => format!("{} ({name})", shown(value)),
        None if row.theirs.is_empty() => String::new(),
        None => missing(row.theirs),
    };
    let number = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.2}"));
    let verdict = match (outcome.ratio, outcome.is_met) {
        (None, _) => "",
        (_, true) => "met",
        (_, false) => "not met",
    };
    format!(
        "| {}: {} | {ours} | {theirs} | {} | {} | {} | {} | {verdict} |",
        row.name,
        row.about(),
        number(outcome.ratio),
        row.wanted,
        number(outcome.memory),
        row.memory.map_or(String::new(), |most| most.to_string()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::record::tests::record;
    use expect_test::expect;

    #[test]
    fn ratios_are_to_the_best_of_theirs() {
        let mut record = record(&[
            ("penname smollm2 lora 4x256 bf16", &[600.0, 610.0, 590.0]),
            ("pytorch smollm2 lora 4x256 autocast", &[300.0]),
            ("pytorch smollm2 lora 4x256 bf16 tcmalloc", &[400.0]),
            ("pytorch smollm2 lora 4x256 f32", &[190.0]),
        ]);
        record.skip("candle", "it does not compile");
        let wanted = ["lora-4x256", "lora-default", "candle"].map(str::to_owned);
        let wanted: Vec<&Row> = row::ALL.iter().filter(|row| row.is_wanted(&wanted)).collect();
        expect![[r#"
            | comparison | ours | theirs | ratio | wanted | memory | wanted | |
            |---|---:|---:|---:|---:|---:|---:|---|
            | lora-4x256: LoRA step, SmolLM2-135M, rank 16, 4×256, against PyTorch with PEFT at its best | 600.0 | 400.0 (pytorch smollm2 lora 4x256 bf16 tcmalloc) | 1.50 | 1.55 | 1.00 | 0.45 | not met |
            | lora-default: LoRA step, SmolLM2-135M, rank 16, 4×256, against PyTorch with PEFT as it comes | 600.0 | 190.0 (pytorch smollm2 lora 4x256 f32) | 3.16 | 3 | 1.00 | 0.25 | not met |
            | candle: LoRA step, SmolLM2-135M, rank 16, 4×256, against candle | 600.0 | it does not compile |  | 6 |  |  |  |"#]].assert_eq(&rows(&wanted, &record));
    }
}
