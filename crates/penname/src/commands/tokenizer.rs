//! `penname tokenizer`: learn a tokenizer from writing, and write text as ids.

use std::path::{Path, PathBuf};

use penname_corpus::document::Fate;
use penname_corpus::{Prepared, Settings as CorpusSettings, prepare};
use penname_ledger::manifest::{Found, Order};
use penname_ledger::write::Staged;
use penname_ledger::{Event, Hash, Manifest, Stopwatch};
use serde_json::{Value, json};

use crate::base::Base;
use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::screen::number;
use crate::settings::Settings;
use crate::work::{corpus, scratch, tokenizer, tokens};

const STAGE: &str = "tokenizer";

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Files are named, or all that is writing in a folder that is named; without either it is the writing of the
voice, but for what is held out. What is learned follows the settings `tokenizer.kind` and `tokenizer.size`.

Examples:
  penname tokenizer train
  penname tokenizer train letters/ essay.txt --out my-tokenizer
  penname tokenizer train --set tokenizer.size=8192
  penname tokenizer shards --out shards")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Learn a tokenizer: tokenizer.json, and for pieces also tokenizer.model and llama2.c's tokenizer.bin
    Train {
        /// Files or folders of writing [default: the writing of the voice]
        writing: Vec<PathBuf>,
        /// Folder to write
        #[arg(long, value_name = "FOLDER", default_value = "tokenizer")]
        out: PathBuf,
    },
    /// Write the text of the voice as llama2.c's shards of ids, with the tokenizer of its base
    Shards {
        /// Folder to write
        #[arg(long, value_name = "FOLDER", default_value = "shards")]
        out: PathBuf,
    },
}

/// Does what was typed.
///
/// # Errors
/// When there is no text, a setting makes no sense, or the file system refuses.
pub(crate) fn run(args: &Args, desk: &Desk) -> Result<(), Failure> {
    match &args.what {
        What::Train { writing, out } => train(desk, writing, out),
        What::Shards { out } => shards(desk, out),
    }
}

fn train(desk: &Desk, writing: &[PathBuf], out: &Path) -> Result<(), Failure> {
    let settings = desk.settings()?;
    let texts = texts(desk, &settings, writing)?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut order = Order::new(STAGE, env!("CARGO_PKG_VERSION"));
    order.inputs.insert("texts".to_owned(), Hash::of_parts(texts.iter().map(|text| text.as_bytes())));
    order.settings = json!({ "kind": settings.tokenizer.kind, "size": settings.tokenizer.size });
    if let Found::Done(manifest) = Manifest::find(out, &order.key()) {
        let reason = format!("learned from the same text on {}", manifest.made_at);
        desk.witness().see(&Event::Skipped { stage: STAGE.into(), reason });
        return tell(desk, out, &manifest);
    }
    if out.exists() && !out.join("manifest.json").is_file() {
        let message = format!("`{}` is there already, and no tokenizer of ours", out.display());
        return Err(Failure::new(Kind::Usage, message).hint("name another folder with --out"));
    }
    let watch = Stopwatch::start();
    let (learned, choices) = tokenizer::learned(&texts, &settings.tokenizer)?;
    choices.iter().for_each(|choice| desk.witness().see(&Event::Choice(choice.clone())));
    let staged = Staged::create(out)?;
    let files = tokenizer::save(staged.dir(), &learned, None)?;
    let mut manifest = Manifest::new(order);
    manifest.choices = choices;
    manifest.seconds = watch.seconds();
    let n_ids: usize =
        texts.iter().map(|text| learned.encode(text).map(|ids| ids.len())).sum::<Result<_, _>>()?;
    let n_bytes: usize = texts.iter().map(|text| text.len()).sum();
    manifest.counts = [("tokens", learned.vocab_size()), ("bytes", n_bytes), ("ids", n_ids)]
        .map(|(name, n)| (name.to_owned(), n as u64))
        .into();
    let manifest = manifest.finish(staged.dir(), &files)?;
    staged.commit()?;
    tell(desk, out, &manifest)
}

/// The texts to learn from, in order of their documents.
fn texts(desk: &Desk, settings: &Settings, writing: &[PathBuf]) -> Result<Vec<String>, Failure> {
    let of = |prepared: &Prepared| -> Vec<String> {
        scratch::texts(prepared, &Fate::Train).into_iter().map(|(_, text)| text).collect()
    };
    if writing.is_empty() {
        let project = desk.project()?;
        return Ok(of(&corpus::prepared(desk, &project, settings)?));
    }
    // Nothing is measured on them, so nothing is held out.
    let mut all: CorpusSettings = settings.corpus.clone();
    all.split.share = 0.0;
    let mut texts = Vec::new();
    for path in writing {
        texts.extend(of(&prepare(path, &all, settings.seed, desk.witness())?));
    }
    Ok(texts)
}

fn tell(desk: &Desk, out: &Path, manifest: &Manifest) -> Result<(), Failure> {
    let count = |name: &str| manifest.counts.get(name).copied().unwrap_or_default();
    let files: Vec<&String> = manifest.outputs.keys().collect();
    let value: Value =
        json!({ "folder": out, "files": files, "counts": manifest.counts, "seconds": manifest.seconds });
    desk.screen.result(STAGE, &value, || {
        format!(
            "{} tokens, learned in {}: {:.2} bytes of the text in a token\n`{}` holds {}\n",
            number::count(count("tokens")),
            number::duration(manifest.seconds),
            count("bytes") as f64 / count("ids").max(1) as f64,
            out.display(),
            files.iter().map(|file| file.as_str()).collect::<Vec<_>>().join(", "),
        )
    });
    Ok(())
}

fn shards(desk: &Desk, out: &Path) -> Result<(), Failure> {
    let (project, settings) = desk.open()?;
    if out.exists() && !out.join("manifest.json").is_file() {
        let message = format!("`{}` is there already, and no shards of ours", out.display());
        return Err(Failure::new(Kind::Usage, message).hint("name another folder with --out"));
    }
    let prepared = corpus::prepared(desk, &project, &settings)?;
    if settings.is_scratch() {
        scratch::made(desk, &project, &settings, &prepared)?;
    }
    let base = Base::open(desk, &settings)?;
    let manifest = tokens::export(&prepared, base.renderer.tokenizer(), out)?;
    let value = json!({ "folder": out, "counts": manifest.counts });
    desk.screen.result("shards", &value, || {
        let row = |(name, n): (&String, &u64)| format!("{name}: {}\n", number::count(*n));
        let rows: String = manifest.counts.iter().map(row).collect();
        format!("`{}` holds llama2.c's shards; the first is what it measures on\n{rows}", out.display())
    });
    Ok(())
}
