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

/// The best of some runners by a figure, with its value.
fn best<'a>(names: &'a [&'a str], figure: Figure, record: &Record) -> Option<(&'a str, f64)> {
    let value = |name: &&'a str| Some((*name, record.figure(name, field(figure))?));
    let values = names.iter().filter_map(value);
    match figure {
        Figure::FirstStep => values.min_by(|a, b| a.1.total_cmp(&b.1)),
        Figure::Rate | Figure::ShareOfPeak => values.max_by(|a, b| a.1.total_cmp(&b.1)),
    }
}

fn field(figure: Figure) -> &'static str {
    match figure {
        Figure::Rate => "tokens_per_s",
        Figure::FirstStep => "first_step_s",
        Figure::ShareOfPeak => "share_of_peak",
    }
}

fn line(row: &Row, record: &Record) -> String {
    let (ours, theirs) = (best(row.ours, row.figure, record), best(row.theirs, row.figure, record));
    let shown = |side: Option<(&str, f64)>, names: &[&str]| match side {
        Some((_, value)) if row.figure == Figure::ShareOfPeak => format!("{value:.3}"),
        Some((_, value)) => format!("{value:.1}"),
        None => names.iter().find_map(|name| record.reason(name)).unwrap_or("not run").to_owned(),
    };
    let ratio = match (ours, theirs) {
        (Some((_, ours)), None) if row.theirs.is_empty() => Some(ours),
        (Some((_, ours)), Some((_, theirs))) if row.figure == Figure::FirstStep => Some(theirs / ours),
        (Some((_, ours)), Some((_, theirs))) => Some(ours / theirs),
        _ => None,
    };
    let memory = ours.zip(theirs).and_then(|((ours, _), (theirs, _))| {
        Some(record.figure(ours, "peak_rss_bytes")? / record.figure(theirs, "peak_rss_bytes")?)
    });
    let met = ratio.is_some_and(|ratio| ratio >= row.wanted)
        && row.memory.is_none_or(|most| memory.is_some_and(|memory| memory <= most));
    let number = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.2}"));
    let theirs_shown = match theirs {
        None if row.theirs.is_empty() => String::new(),
        side => {
            side.map_or_else(|| shown(side, row.theirs), |(name, _)| format!("{} ({name})", shown(side, &[])))
        }
    };
    format!(
        "| {}: {} | {} | {theirs_shown} | {} | {} | {} | {} | {} |",
        row.name,
        row.about,
        shown(ours, row.ours),
        number(ratio),
        row.wanted,
        number(memory),
        row.memory.map_or(String::new(), |most| format!("{most}")),
        if ratio.is_none() {
            ""
        } else if met {
            "met"
        } else {
            "not met"
        },
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
            | lora-4x256: SmolLM2-135M LoRA, 4×256, against PyTorch+PEFT at its best | 600.0 | 400.0 (pytorch smollm2 lora 4x256 bf16 tcmalloc) | 1.50 | 1.55 | 1.00 | 0.45 | not met |
            | lora-default: the same against PyTorch+PEFT as it comes | 600.0 | 190.0 (pytorch smollm2 lora 4x256 f32) | 3.16 | 3 | 1.00 | 0.25 | not met |
            | candle: SmolLM2-135M LoRA, 4×256, against candle | 600.0 | it does not compile |  | 6 |  |  |  |"#]].assert_eq(&rows(&wanted, &record));
    }
}
