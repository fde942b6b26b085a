//! Figures on paper: everything that ran, and everything needed to doubt it.
//!
//! A record is a folder of a day and a machine. What is measured in parts on one day comes together in
//! it: a part replaces what the same runners left earlier.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use penname_ledger::{clock, write};
use serde_json::{Map, Value, json};

use super::{machine, median};
use crate::{Result, root};

/// Figures by runner, and how they came about.
#[derive(Debug, Clone)]
pub(super) struct Record {
    date: String,
    processor: String,
    command: String,
    versions: Vec<String>,
    load: [String; 2],
    /// What each runner printed, one value a round.
    runs: BTreeMap<String, Vec<Value>>,
    /// Runners that took no part, and why.
    skipped: BTreeMap<String, String>,
}

impl Record {
    /// An empty record of a command that starts now.
    pub(super) fn begin(command: String, versions: Vec<String>) -> Self {
        Self {
            date: today(),
            processor: machine::cpu_name(),
            command,
            versions,
            load: [machine::load_average(), String::new()],
            runs: BTreeMap::new(),
            skipped: BTreeMap::new(),
        }
    }

    /// Adds a round of a runner.
    pub(super) fn add(&mut self, name: &str, figures: Value) {
        self.runs.entry(name.to_owned()).or_default().push(figures);
    }

    /// Notes why a runner has no (more) figures: the first line of what it said.
    pub(super) fn skip(&mut self, name: &str, reason: &str) {
        let lines: Vec<&str> = reason.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        // A command that failed says so first and why at the end, with the path it lies at in front.
        let line = match lines[..] {
            [first, ..] if !first.starts_with('`') => first,
            [.., last] => last,
            [] => "it said nothing",
        };
        self.skipped.insert(name.to_owned(), line.chars().take(200).collect());
    }

    /// The command is done.
    pub(super) fn end(&mut self, load: String) {
        self.load[1] = load;
    }

    /// The median over the rounds of one figure.
    pub(super) fn figure(&self, name: &str, field: &str) -> Option<f64> {
        let rounds: Vec<f64> = self.runs.get(name)?.iter().filter_map(|line| line[field].as_f64()).collect();
        Some(median(&rounds)).filter(|value| value.is_finite())
    }

    /// Why a runner has no figures.
    pub(super) fn reason(&self, name: &str) -> Option<&str> {
        self.skipped.get(name).map(String::as_str)
    }

    /// Names of those that ran.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.runs.keys().map(String::as_str)
    }

    /// What a page says below its tables.
    pub(super) fn circumstances(&self) -> String {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let lines = [
            format!("processor: {}, {threads} of its threads", self.processor),
            format!("load average: {} before, {} after the newest part", self.load[0], self.load[1]),
            format!("command of the newest part: `{}`", self.command),
        ];
        lines.iter().chain(&self.versions).map(|line| format!("* {line}")).collect::<Vec<_>>().join("\n")
    }

    /// The day it was made.
    pub(super) fn date(&self) -> &str {
        &self.date
    }

    /// What it was made on.
    pub(super) fn processor(&self) -> &str {
        &self.processor
    }

    /// The record that was written as this.
    pub(super) fn of_json(written: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let texts = |value: &Value| value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>();
        let mut record = Self {
            date: text(&written["date"]),
            processor: text(&written["processor"]),
            command: text(&written["command"]),
            versions: texts(&written["versions"]),
            load: [text(&written["load"][0]), text(&written["load"][1])],
            runs: BTreeMap::new(),
            skipped: BTreeMap::new(),
        };
        record.join(written);
        record
    }

    /// Writes `<name>.json` and `<name>.md` into the folder of this day and machine, with what an earlier
    /// part left there, and says where.
    pub(super) fn write(&self, name: &str, page: fn(&Self) -> String) -> Result<PathBuf> {
        let folder = folder(&self.date)?;
        let path = folder.join(format!("{name}.json"));
        let mut all = self.clone();
        if let Ok(text) = fs::read_to_string(&path) {
            all.join(&serde_json::from_str(&text)?);
        }
        write::json(&path, &all.to_json())?;
        write::bytes(&folder.join(format!("{name}.md")), page(&all).as_bytes())?;
        Ok(folder)
    }

    fn to_json(&self) -> Value {
        json!({
            "date": self.date, "processor": self.processor, "command": self.command,
            "versions": self.versions, "load": self.load, "runs": self.runs,
            "skipped": self.skipped,
        })
    }

    /// Takes over what an earlier part has and this one has not.
    fn join(&mut self, earlier: &Value) {
        let object = |field: &str| earlier[field].as_object().cloned().unwrap_or_else(Map::new);
        for (name, runs) in object("runs") {
            let runs = runs.as_array().cloned().unwrap_or_default();
            self.runs.entry(name).or_insert(runs);
        }
        for (name, reason) in object("skipped") {
            if !self.runs.contains_key(&name) {
                self.skipped.entry(name).or_insert_with(|| reason.as_str().unwrap_or_default().to_owned());
            }
        }
    }
}

/// The day it is.
pub(super) fn today() -> String {
    clock::now().to_string().chars().take(10).collect()
}

/// The folder of what is measured here on a day, made if it is not there.
pub(super) fn folder(date: &str) -> Result<PathBuf> {
    let name = format!("{date}-{}", machine::folder_name(&machine::cpu_name()));
    let folder = root().join("bench/records").join(name);
    write::folder(&folder)?;
    Ok(folder)
}

/// The files of this name in all records, each with the folder it lies in, the newest first.
///
/// # Errors
/// When one cannot be read.
pub(super) fn all(file: &str) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join("bench/records"))? {
        let folder = entry?.path();
        let path = folder.join(file);
        if path.exists() {
            let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
            found.push((name.unwrap_or_default(), fs::read_to_string(&path)?));
        }
    }
    // Folders begin with the day.
    found.sort_by(|a, b| b.0.cmp(&a.0));
    Ok(found)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A record of these rates.
    pub(in super::super) fn record(rates: &[(&str, &[f64])]) -> Record {
        let mut record = Record::begin("cargo xtask bench peers".to_owned(), vec!["rustc 1".to_owned()]);
        for (name, rates) in rates {
            for rate in *rates {
                let figures =
                    json!({ "tokens_per_s": rate, "median_s": 100.0 / rate, "peak_rss_bytes": 1e9 });
                record.add(name, figures);
            }
        }
        (record.date, record.processor) = ("2026-01-01".to_owned(), "a processor".to_owned());
        record
    }

    #[test]
    fn a_part_replaces_what_it_measured_again_and_keeps_the_rest() {
        let mut earlier = record(&[("a", &[1.0]), ("b", &[2.0])]);
        earlier.skip("c", "it is not here");
        let mut later = record(&[("b", &[3.0, 5.0, 4.0]), ("c", &[6.0])]);
        later.join(&earlier.to_json());
        let rates = ["a", "b", "c"].map(|name| later.figure(name, "tokens_per_s"));
        assert_eq!(rates, [Some(1.0), Some(4.0), Some(6.0)]);
        assert_eq!(later.reason("c"), None);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut record = record(&[("a", &[1.0, 3.0])]);
        record.skip("b", "it is not here");
        let written = record.to_json();
        assert_eq!(Record::of_json(&written).to_json(), written);
    }

    #[test]
    fn a_reason_is_a_line_without_the_path_of_a_program() {
        let mut record = record(&[]);
        record.skip("a", "`python x.py` failed: exit status 1\nTraceback\n\nMemoryError: too large\n");
        record.skip("b", "there is none\nat all");
        assert_eq!(record.reason("a"), Some("MemoryError: too large"));
        assert_eq!(record.reason("b"), Some("there is none"));
    }
}
