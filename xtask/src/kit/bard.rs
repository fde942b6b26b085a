//! A model from nothing: the program learns pieces and a language from a play, then to answer from
//! dialogues, and what it wrote for llama2.c is read by that file's rules alone.
//!
//! It is smaller and trained for shorter than the recipe makes it: whether all of it goes together is asked
//! here, how well such a model writes is in the log.

use std::fs;
use std::path::{Path, PathBuf};

use penname_ledger::write;
use penname_model::Checkpoint;
use penname_token::sentencepiece::Model;
use penname_token::{Message, Role, Template, Tokenizer};
use serde_json::Value;

use super::{Inputs, Verdict, story};
use crate::{Result, root, shell};

/// A sixth of the recipe's depth.
const SMALL: [&str; 5] =
    ["model.depth=2", "tokenizer.size=1024", "train.steps=60", "train.evaluate_every=20", "train.patience=0"];
const ANSWERS: [&str; 3] = ["train.steps=20", "train.evaluate_every=10", "train.patience=0"];
const ASKED: &str = "Who are you?";

/// Both trainings, the export, and the same words from both.
pub(super) fn from_nothing(inputs: &Inputs) -> Verdict {
    let folder = root().join("target/kit/bard");
    if folder.exists() {
        write::remove_folder(&folder)?;
    }
    write::folder(&folder)?;
    let bard = begun(inputs, &folder, "bard", &["--recipe", "tiny-from-scratch"])?;
    taken(&inputs.kit("text/shakespeare/input.txt")?, &bard)?;
    let language = trained(inputs, &bard, &SMALL)?;
    let more = ["--recipe", "tiny-dialogue", "--base", "../bard"];
    let talk = begun(inputs, &folder, "talk", &more)?;
    taken(&inputs.kit("conversations/fastchat_dummy_conversation.json")?, &talk)?;
    let answers = trained(inputs, &talk, &ANSWERS)?;
    let export = ["export", "llama2c", "--storage", "f32", "--offline"];
    shell::capture(&mut inputs.program(&talk, &export)?)?;
    let n_tokens = same_words(inputs, &talk)?;
    write::remove_folder(&folder)?;
    Ok(format!("a play: {language}; dialogues: {answers}; its .bin says the same in {n_tokens} tokens"))
}

fn begun(inputs: &Inputs, folder: &Path, name: &str, more: &[&str]) -> Result<PathBuf> {
    let mut new = inputs.program(folder, &[&["new", name, "--quiet"], more].concat())?;
    shell::capture(&mut new)?;
    Ok(folder.join(name))
}

fn taken(file: &Path, project: &Path) -> Result<()> {
    let name = file.file_name().ok_or("a file without a name")?;
    Ok(write::bytes(&project.join("writing").join(name), &fs::read(file)?)?)
}

/// Trains with these settings; says how far the loss of a step fell.
fn trained(inputs: &Inputs, project: &Path, settings: &[&str]) -> Result<String> {
    let mut arguments = vec!["train", "--offline"];
    settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
    shell::capture(&mut inputs.program(project, &arguments)?)?;
    let rows = fs::read_to_string(project.join("runs/run-1/metrics.jsonl"))?;
    let rows = rows.lines().map(serde_json::from_str).collect::<std::result::Result<Vec<Value>, _>>()?;
    let losses: Vec<f64> = rows.iter().filter_map(|row| row["loss"].as_f64()).collect();
    match losses[..] {
        [first, .., last] if last < first => {
            Ok(format!("{} steps, {first:.3} to {last:.3} nats per token", losses.len()))
        }
        _ => Err(format!("the loss did not fall: {losses:?}").into()),
    }
}

/// How many tokens the exported file, with the tokenizer beside it, continues as what was trained does; its
/// numbers are the same to the last bit.
fn same_words(inputs: &Inputs, talk: &Path) -> Result<usize> {
    let exported = talk.join("exports/llama2c");
    let pieces = Model::from_llama2c(&fs::read(exported.join("tokenizer.bin"))?)?;
    let tokenizer = Tokenizer::from_sentencepiece(pieces)?;
    let template = Template::builtin("q-a", &tokenizer)?;
    let prompt = tokenizer.encode_template(&template.render(&[Message::new(Role::User, ASKED)], true)?)?;
    let ours = Checkpoint::open(talk.join("runs/run-1/adapter"))?;
    let theirs = Checkpoint::open(exported.join("model.bin"))?;
    story::same_tensors(&theirs, &ours)?;
    let [expected, found] = [&ours, &theirs].map(|model| story::greedy_after(model, &prompt));
    let (expected, found) = (expected?, found?);
    if found != expected || found.is_empty() {
        let said = [&found, &expected].map(|ids| tokenizer.decode(ids));
        return Err(format!("it says {:?}, expected {:?}", said[0], said[1]).into());
    }
    shell::capture(&mut inputs.program(talk, &["write", ASKED, "--greedy", "--offline"])?)?;
    Ok(found.len())
}
