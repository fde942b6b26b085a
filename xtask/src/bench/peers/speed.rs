//! The comparisons as the documents tell them: each from the newest record that has it.
//!
//! Records are of a day and a machine, so every line says which one it is from.

use super::row::{self, Figure, Row};
use crate::Result;
use crate::bench::record::{self, Record};

/// Those that the first page of the project tells, short; `place` leads from it to the root.
///
/// # Errors
/// When a record cannot be read.
pub(crate) fn headlines(place: &str) -> Result<String> {
    Ok(table(row::ALL.iter().filter(|row| row.is_headline), &records()?, place))
}

/// All of them; `place` leads from the document to the root.
///
/// # Errors
/// When a record cannot be read.
pub(crate) fn all(place: &str) -> Result<String> {
    Ok(table(row::ALL.iter(), &records()?, place))
}

fn records() -> Result<Vec<(String, Record)>> {
    let read =
        |(folder, text): (String, String)| Ok((folder, Record::of_json(&serde_json::from_str(&text)?)));
    record::all("peers.json")?.into_iter().map(read).collect()
}

fn table<'a>(rows: impl Iterator<Item = &'a Row>, records: &[(String, Record)], place: &str) -> String {
    let head = "| work | instead of | times as fast | of its memory | measured |\n|---|---|---:|---:|---|";
    let lines = rows.filter_map(|row| line(row, records, place));
    std::iter::once(head.to_owned()).chain(lines).collect::<Vec<_>>().join("\n")
}

/// The line of a comparison, if a record has both of its sides.
fn line(row: &Row, records: &[(String, Record)], place: &str) -> Option<String> {
    let (folder, record, ratio) =
        records.iter().find_map(|(folder, record)| Some((folder, record, row.outcome(record).ratio?)))?;
    let times = match row.figure {
        Figure::ShareOfPeak => format!("{:.0} % of it", 100.0 * ratio),
        Figure::Rate | Figure::FirstStep => figure(ratio),
    };
    let memory = row.outcome(record).memory.filter(|_| row.figure == Figure::Rate);
    Some(format!(
        "| {} | {} | {times} | {} | [{}, {}]({place}bench/records/{folder}/peers.md) |",
        row.work,
        row.against,
        memory.map_or(String::new(), |memory| format!("{:.0} %", 100.0 * memory)),
        record.processor(),
        record.date(),
    ))
}

/// A ratio with as many digits as it can bear.
fn figure(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.2}") } else { format!("{ratio:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::record::tests::record;
    use expect_test::expect;

    #[test]
    fn each_comparison_is_from_the_newest_record_that_has_it() {
        let newer = record(&[("penname smollm2 lora 4x256 bf16", &[600.0]), ("candle", &[50.0])]);
        let older = record(&[
            ("penname smollm2 lora 4x256 bf16", &[500.0]),
            ("candle", &[100.0]),
            ("pytorch smollm2 lora 4x256 f32", &[250.0]),
        ]);
        let records = [("2026-02-02-b".to_owned(), newer), ("2026-01-01-a".to_owned(), older)];
        let rows =
            ["lora-default", "candle"].map(|name| row::ALL.iter().find(|row| row.name == name).unwrap());
        expect![[r#"
            | work | instead of | times as fast | of its memory | measured |
            |---|---|---:|---:|---|
            | LoRA step, SmolLM2-135M, rank 16, 4×256 | PyTorch with PEFT as it comes | 2.00 | 100 % | [a processor, 2026-01-01](../../bench/records/2026-01-01-a/peers.md) |
            | LoRA step, SmolLM2-135M, rank 16, 4×256 | candle | 12 | 100 % | [a processor, 2026-01-01](../../bench/records/2026-02-02-b/peers.md) |"#]].assert_eq(&table(rows.into_iter(), &records, "../../"));
    }
}
