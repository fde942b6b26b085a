//! Vocabularies of pieces on whole books, against the library they come from.
//! `golden/sentencepiece/reference.py` is the other side.

use std::fs;
use std::path::Path;

use penname_ledger::{Stopwatch, write};
use penname_token::learn;
use penname_token::sentencepiece::Model;
use serde_json::Value;

use super::{Inputs, Verdict};
use crate::{Result, root, shell};

const TEXTS: [&str; 3] = [
    "tokenizers/sentencepiece/botchan.txt",
    "text/shakespeare/input.txt",
    "text/chavasse/advice-to-a-mother.txt",
];

/// Models that others trained, on texts in English, and ours, learned from a play.
pub(super) fn against_library(inputs: &Inputs) -> Verdict {
    let python = inputs.python()?;
    let mut models = Vec::new();
    for name in ["sentencepiece/test_model", "sentencepiece/test_ja_model", "llama2/tokenizer"] {
        models.push(inputs.kit(&format!("tokenizers/{name}.model"))?);
    }
    write::folder(&root().join("target/kit"))?;
    let ours = root().join("target/kit/ours.model");
    let (learned, told) = learned(&inputs.kit(TEXTS[1])?)?;
    write::bytes(&ours, &learned.to_bytes())?;
    models.push(ours.clone());
    let mut n_ids = 0;
    for path in &models {
        let model = Model::from_bytes(&fs::read(path)?)?;
        for text in TEXTS {
            n_ids += compare(&model, path, &inputs.kit(text)?, python)?;
        }
    }
    write::remove_file(&ours)?;
    Ok(format!("{} models on {} texts: {n_ids} ids and their texts equal; {told}", models.len(), TEXTS.len()))
}

/// llama2.c's file and SentencePiece's hold the same Llama-2.
pub(super) fn two_files(inputs: &Inputs) -> Verdict {
    let model = Model::from_bytes(&fs::read(inputs.kit("tokenizers/llama2/tokenizer.model")?)?)?;
    let bin = fs::read(inputs.kit("tokenizers/llama2/tokenizer.bin")?)?;
    if model.to_llama2c()? != bin {
        return Err("our tokenizer.bin is another than llama2.c's".into());
    }
    let again = Model::from_llama2c(&bin)?;
    let mut n_ids = 0;
    for text in TEXTS {
        for line in String::from_utf8_lossy(&fs::read(inputs.kit(text)?)?).split('\n') {
            let ids = model.encode(line);
            if again.encode(line) != ids || model.decode(&ids) != line {
                return Err(format!("{line:?} is read otherwise").into());
            }
            n_ids += ids.len();
        }
    }
    Ok(format!("{} bytes equal, {n_ids} ids equal and back to their text", bin.len()))
}

fn learned(text: &Path) -> Result<(Model, String)> {
    let text = fs::read_to_string(text)?;
    let watch = Stopwatch::start();
    let model = learn::pieces(&[&text], 4096)?.vocabulary;
    let told = format!(
        "{} pieces learned from {} bytes in {:.1} s",
        model.vocabulary().pieces.len(),
        text.len(),
        watch.seconds()
    );
    Ok((model, told))
}

fn compare(model: &Model, path: &Path, text: &Path, python: &Path) -> Result<usize> {
    let mut script = shell::command(python);
    let output = shell::capture(script.arg("golden/sentencepiece/reference.py").arg(path).arg(text))?;
    let expected: Value = serde_json::from_slice(&output.stdout)?;
    let bytes = fs::read(text)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.split('\n').collect();
    let (ids, texts) = (list(&expected["ids"])?, list(&expected["texts"])?);
    if ids.len() != lines.len() {
        return Err(format!("{} lines of ids for {} lines", ids.len(), lines.len()).into());
    }
    let mut n_ids = 0;
    for (idx, (line, ids)) in lines.iter().zip(ids).enumerate() {
        let found = model.encode(line);
        let expected: Vec<u32> = serde_json::from_value(ids.clone())?;
        if found != expected {
            return Err(
                format!("`{}`: {line:?} became {found:?}, expected {expected:?}", path.display()).into()
            );
        }
        n_ids += found.len();
        if idx % 3 == 0 {
            let backward: Vec<u32> = found.into_iter().rev().collect();
            let (found, expected) = (model.decode(&backward), texts[idx / 3].as_str().unwrap_or_default());
            if found != expected {
                return Err(format!("`{}`: {found:?}, expected {expected:?}", path.display()).into());
            }
        }
    }
    Ok(n_ids)
}

fn list(value: &Value) -> Result<&Vec<Value>> {
    Ok(value.as_array().ok_or("the script printed no list")?)
}
