//! Remakes the golden files with the scripts that made them, or checks that they still would.

use std::fs;
use std::path::{Path, PathBuf};

use penname_ledger::write::{self, Staged};
use penname_model::Checkpoint;
use serde_json::Value;

use crate::screen::{say, tell};
use crate::{Result, root, shell};

/// How the scripts are run.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Make the files elsewhere and compare.
    #[arg(long)]
    check: bool,
    /// A Python with what the scripts say they need.
    #[arg(long, default_value = "python3")]
    python: PathBuf,
}

/// Share of the largest number of a tensor by which another version of the libraries may be off.
const TOLERANCE: f64 = 1e-4;

/// The golden folders that have a script.
fn folders() -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(root().join("golden"))?.collect::<std::io::Result<Vec<_>>>()?;
    let mut folders: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
    folders.retain(|folder| folder.join("make.py").exists());
    folders.sort();
    Ok(folders)
}

/// Runs every `golden/*/make.py`.
pub(crate) fn run(options: &Options) -> Result<()> {
    for folder in folders()? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        tell(&format!("golden/{name}/make.py"));
        if options.check {
            check(&options.python, &folder).map_err(|failure| format!("golden/{name}: {failure}"))?;
            say(&format!("golden/{name} is what its script makes"));
        } else {
            shell::run(shell::command(&options.python).arg(folder.join("make.py")))?;
        }
    }
    Ok(())
}

/// Runs the script in a folder of its own and compares what it makes with what is there.
fn check(python: &Path, folder: &Path) -> Result<()> {
    let staged = Staged::create(&root().join("target/golden"))?;
    let script = staged.dir().join("make.py");
    write::bytes(&script, &fs::read(folder.join("make.py"))?)?;
    shell::capture(shell::command(python).arg(&script))?;
    write::remove_file(&script)?;
    compare_folders(staged.dir(), folder)
}

fn compare_folders(made: &Path, kept: &Path) -> Result<()> {
    for entry in fs::read_dir(made)? {
        let entry = entry?;
        let (made, kept) = (entry.path(), kept.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            compare_folders(&made, &kept)?;
        } else {
            compare(&made, &kept).map_err(|failure| format!("{}: {failure}", entry.file_name().display()))?;
        }
    }
    Ok(())
}

fn compare(made: &Path, kept: &Path) -> Result<()> {
    match made.extension().and_then(|extension| extension.to_str()) {
        Some("safetensors") => compare_tensors(made, kept),
        Some("json") => compare_json(
            &serde_json::from_slice(&fs::read(made)?)?,
            &serde_json::from_slice(&fs::read(kept)?)?,
        ),
        _ if fs::read(made)? == fs::read(kept)? => Ok(()),
        _ => Err("the bytes differ".into()),
    }
}

/// Bytes are compared as bytes, numbers by their size.
fn compare_tensors(made: &Path, kept: &Path) -> Result<()> {
    if fs::read(made)? == fs::read(kept)? {
        return Ok(());
    }
    let (made, kept) = (Checkpoint::open(made)?, Checkpoint::open(kept)?);
    let names = |checkpoint: &Checkpoint| checkpoint.names().map(str::to_owned).collect::<Vec<_>>();
    if names(&made) != names(&kept) {
        return Err("other tensors than before".into());
    }
    for name in kept.names() {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        made.read_f32(name, &mut a)?;
        kept.read_f32(name, &mut b)?;
        let largest = b.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
        let close = |(a, b): (&f32, &f32)| f64::from((a - b).abs()) <= TOLERANCE * f64::from(largest);
        if a.len() != b.len() || !a.iter().zip(&b).all(close) {
            return Err(format!("tensor `{name}` differs").into());
        }
    }
    Ok(())
}

fn compare_json(made: &Value, kept: &Value) -> Result<()> {
    let same = match (made, kept) {
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            return a.iter().zip(b).try_for_each(|(a, b)| compare_json(a, b));
        }
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            return a.values().zip(b.values()).try_for_each(|(a, b)| compare_json(a, b));
        }
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            // Twenty steps of training let a difference in the last bit grow.
            (a - b).abs() <= 30.0 * TOLERANCE * b.abs()
        }
        (a, b) => a == b,
    };
    if same { Ok(()) } else { Err(format!("{made} where {kept} was").into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_compared_by_their_size() {
        let check = |a, b, expected: bool| assert_eq!(compare_json(&a, &b).is_ok(), expected, "{a} {b}");
        check(json!({"a": [1.0, 2]}), json!({"a": [1.0001, 2]}), true);
        check(json!({"a": [1.0, 2]}), json!({"a": [1.01, 2]}), false);
        check(json!({"a": [1.0]}), json!({"a": [1.0, 2]}), false);
        check(json!({"a": "x"}), json!({"b": "x"}), false);
        check(json!("x"), json!("y"), false);
        check(json!(null), json!(null), true);
    }
}
