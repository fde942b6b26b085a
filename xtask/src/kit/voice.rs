//! A whole book becomes a voice: the program, from writing to its report.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use penname_ledger::write;
use serde_json::Value;

use super::{Inputs, Stop, Verdict};
use crate::{Result, root, shell};

/// `penname make` on *Advice to a Mother*, once over its pairs.
pub(super) fn columnist(inputs: &Inputs) -> Verdict {
    let folder = root().join("target/kit/columnist");
    // What a run that was stopped has left.
    if folder.exists() {
        write::remove_folder(&folder)?;
    }
    let settings = "train: {epochs: 1, evaluate_every: 11}\nevaluate: {questions: 8}\n";
    let project = begun(inputs, &folder, "text/chavasse", settings)?;
    // Claims that are not met are a finding, not a failure to make; the report has them either way.
    let output = inputs.program(&folder, &["make", "--offline", "--project"])?.arg(&project).output()?;
    let report = project.join("runs/run-1/report/report.json");
    if !report.exists() {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(format!("no report: {}\n{}", output.status, told.trim()).into());
    }
    let fall = fall(&json(&report)?)?;
    let n_apart = held_apart(&project.join("data/corpus"))?;
    let n_characters = accounted(&json(&project.join("data/corpus/account.json"))?)?;
    write::remove_folder(&folder)?;
    Ok(format!("{fall}; {n_apart} held-out answers stand in no example; {n_characters} characters add up"))
}

/// Two books, each with the base as it is stored and in bytes: what is learned is the same, as far as the
/// held-out documents can tell.
pub(super) fn in_bytes(inputs: &Inputs) -> Verdict {
    let folder = root().join("target/kit/in-bytes");
    let mut told = Vec::new();
    for book in ["chavasse", "girlsown"] {
        let learned = |weights: &str| -> std::result::Result<(f64, f64, f64), Stop> {
            if folder.exists() {
                write::remove_folder(&folder)?;
            }
            // Columns of a paper resemble each other, and are no copies.
            let settings = format!(
                "train: {{epochs: 1, evaluate_every: 11, base_weights: {weights}}}\nevaluate: {{questions: 8}}\n\
                 corpus: {{dedupe: {{near: {}}}}}\n",
                book == "chavasse"
            );
            let project = begun(inputs, &folder, &format!("text/{book}"), &settings)?;
            let output =
                inputs.program(&folder, &["make", "--offline", "--project"])?.arg(&project).output()?;
            let report = project.join("runs/run-1/report/report.json");
            if !report.exists() {
                let told = String::from_utf8_lossy(&output.stderr);
                return Err(format!("no report: {}\n{}", output.status, told.trim()).into());
            }
            let tuned = &json(&report)?["bits"]["bits_per_byte"]["tuned"];
            let number = |value: &Value| value.as_f64().ok_or("the report has no bits per byte");
            let interval = &tuned["interval"];
            Ok((number(&tuned["value"])?, number(&interval["low"])?, number(&interval["high"])?))
        };
        let (stored, low, high) = learned("stored")?;
        let (bytes, ..) = learned("int8")?;
        let line = format!("{book}: {stored:.4} bits per byte ({low:.4} to {high:.4}), in bytes {bytes:.4}");
        if !(low..=high).contains(&bytes) {
            return Err(line.into());
        }
        told.push(line);
    }
    write::remove_folder(&folder)?;
    Ok(told.join("; "))
}

/// A new project with a book of the kit, and these settings beside the base.
pub(super) fn begun(
    inputs: &Inputs,
    folder: &Path,
    book: &str,
    settings: &str,
) -> std::result::Result<PathBuf, Stop> {
    let (book, base) = (inputs.kit(book)?, inputs.base()?);
    write::folder(folder)?;
    shell::capture(&mut inputs.program(folder, &["new", "columnist", "--quiet"])?)?;
    let project = folder.join("columnist");
    for entry in fs::read_dir(book)? {
        let entry = entry?;
        write::bytes(&project.join("writing").join(entry.file_name()), &fs::read(entry.path())?)?;
    }
    let settings = format!("base: {}\n{settings}", Value::from(base.display().to_string()));
    write::bytes(&project.join("penname.yaml"), settings.as_bytes())?;
    Ok(project)
}

fn json(path: &Path) -> Result<Value> {
    let text = fs::read(path).map_err(|error| format!("`{}`: {error}", path.display()))?;
    Ok(serde_json::from_slice(&text)?)
}

/// How far the bits per byte of the held-out answers fell, which must be beyond the interval.
fn fall(report: &Value) -> Result<String> {
    let bits = &report["bits"]["bits_per_byte"];
    let number = |value: &Value| value.as_f64().ok_or("the report has no bits per byte");
    let (base, tuned) = (number(&bits["base"]["value"])?, number(&bits["tuned"]["value"])?);
    let difference = &bits["difference"];
    let (low, high) = (number(&difference["interval"]["low"])?, number(&difference["interval"]["high"])?);
    let told = format!("{base:.3} to {tuned:.3} bits per byte ({low:.3} to {high:.3})");
    if high < 0.0 { Ok(told) } else { Err(format!("no fall beyond its interval: {told}").into()) }
}

/// The number of held-out answers, none of which may stand in a training example.
fn held_apart(corpus: &Path) -> Result<usize> {
    let train = answers(&corpus.join("train.jsonl"))?;
    let held_out = answers(&corpus.join("held_out.jsonl"))?;
    match held_out.intersection(&train).next() {
        Some(answer) => Err(format!("a held-out answer is trained on: {answer}").into()),
        None if held_out.is_empty() || train.is_empty() => Err("there are no examples".into()),
        None => Ok(held_out.len()),
    }
}

fn answers(path: &Path) -> Result<BTreeSet<String>> {
    let mut answers = BTreeSet::new();
    for line in fs::read_to_string(path)?.lines() {
        let example: Value = serde_json::from_str(line)?;
        let turns = example["messages"].as_array().ok_or("an example has no messages")?;
        let spoken = turns.iter().filter(|turn| turn["role"] == "assistant");
        answers.extend(spoken.filter_map(|turn| turn["content"].as_str().map(str::to_owned)));
    }
    Ok(answers)
}

/// The characters given, all of which must be in the account.
fn accounted(file: &Value) -> Result<u64> {
    let account = &file["account"];
    let number = |name: &str| account[name].as_u64().ok_or_else(|| format!("the account has no `{name}`"));
    let dropped: u64 =
        account["dropped"].as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum();
    let given = number("given")? + number("added")?;
    let told = number("trained")? + number("prompt")? + number("held_out")? + dropped;
    if given == told {
        Ok(given)
    } else {
        Err(format!("{told} of {given} characters are in the account").into())
    }
}
