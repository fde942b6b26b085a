//! Operations on paper: `ops.jsonl` in the record of a day and a machine.
//!
//! The first line says how the others came about. What is measured in parts on one day comes together:
//! a part replaces the lines of the same instructions, model, method and rows.

use std::fs;
use std::path::PathBuf;

use penname_ledger::write;
use serde_json::{Value, json};

use crate::Result;
use crate::bench::{machine, record};

/// The file in the folder of a record.
pub(super) const FILE: &str = "ops.jsonl";

/// Lines of operations, and how they came about.
#[derive(Debug)]
pub(super) struct Sheet {
    about: Value,
    pub(super) lines: Vec<Value>,
}

impl Sheet {
    /// An empty one of a command that starts now.
    pub(super) fn begin(command: String) -> Self {
        let about = json!({
            "date": record::today(), "processor": machine::cpu_name(), "command": command,
            "load_before": machine::load_average(),
        });
        Self { about, lines: Vec::new() }
    }

    /// Adds the operations of one model at one size.
    pub(super) fn add(&mut self, lines: Vec<Value>) {
        self.lines.extend(lines.into_iter().map(shortened));
    }

    /// The one that was written as this.
    ///
    /// # Errors
    /// When a line is not JSON.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines().map(serde_json::from_str).collect::<serde_json::Result<Vec<Value>>>()?;
        let about = if lines.is_empty() { Value::Null } else { lines.remove(0) };
        Ok(Self { about, lines })
    }

    /// What a picture of it says below itself.
    pub(super) fn origin(&self) -> String {
        let text = |field: &str| self.about[field].as_str().unwrap_or("unknown").to_owned();
        format!("{}, {}", text("processor"), text("date"))
    }

    /// Writes it into the folder of this day and machine, and says where.
    ///
    /// # Errors
    /// When it cannot be written, or what lies there cannot be read.
    pub(super) fn write(mut self) -> Result<PathBuf> {
        self.about["load_after"] = json!(machine::load_average());
        let path = record::folder(self.about["date"].as_str().unwrap_or_default())?.join(FILE);
        if path.exists() {
            self.join(Self::parse(&fs::read_to_string(&path)?)?);
        }
        write::bytes(&path, self.text().as_bytes())?;
        Ok(path)
    }

    fn text(&self) -> String {
        std::iter::once(&self.about).chain(&self.lines).map(|line| format!("{line}\n")).collect()
    }

    /// Takes over what an earlier part has and this one has not.
    fn join(&mut self, earlier: Self) {
        let key = |line: &Value| ["path", "model", "method", "rows"].map(|field| line[field].to_string());
        let new: std::collections::BTreeSet<_> = self.lines.iter().map(key).collect();
        self.lines.extend(earlier.lines.into_iter().filter(|line| !new.contains(&key(line))));
        self.lines.sort_by_key(|line| (key(line), line["op"].to_string()));
    }
}

/// Numbers with four digits: more were not measured.
fn shortened(mut line: Value) -> Value {
    for value in line.as_object_mut().into_iter().flat_map(|fields| fields.values_mut()) {
        if let Some(number) = value.as_f64().filter(|_| value.is_f64()) {
            *value = json!(format!("{number:.3e}").parse::<f64>().unwrap_or(number));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(rows: &[(u64, f64)]) -> Sheet {
        let line = |(rows, seconds): &(u64, f64)| json!({ "path": "bf16", "model": "m", "method": "lora", "rows": rows, "op": "forward linear", "seconds": seconds });
        let mut sheet = Sheet { about: json!({ "date": "2026-01-01" }), lines: Vec::new() };
        sheet.add(rows.iter().map(line).collect());
        sheet
    }

    #[test]
    fn a_part_replaces_what_it_measured_again_and_keeps_the_rest() {
        let mut later = sheet(&[(128, 3.0)]);
        later.join(sheet(&[(32, 1.0), (128, 2.0)]));
        let seconds: Vec<f64> = later.lines.iter().map(|line| line["seconds"].as_f64().unwrap()).collect();
        assert_eq!(seconds, [3.0, 1.0]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let sheet = sheet(&[(32, 1.0 / 3.0)]);
        assert_eq!(sheet.lines[0]["seconds"], 0.3333);
        assert_eq!(sheet.lines[0]["rows"], 32);
        let text = sheet.text();
        assert_eq!(Sheet::parse(&text).unwrap().text(), text);
        assert!(Sheet::parse("{}\nnot json\n").is_err());
    }
}
