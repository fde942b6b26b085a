//! What was trained leaves: one file for every format, and one way for all of them.
//!
//! ```text
//! Source ─write→ a hidden folder ─open, by our own reader→ compared with the source ─commit→ exports/
//! ```
//!
//! An export is put in place whole, its manifest written last, and only after it was opened again and
//! compared: every weight, as its storage rounds it; logits on the same requests; the same ids from its own
//! tokenizer. One that is something else is not put in place. A folder that was not made here is never
//! touched.
//!
//! To add a format: a file with a `FORMAT`, and its line in [`ALL`].

mod beside;
mod check;
mod gguf;
mod gguf_lora;
mod llama2c;
mod merged;
mod ollama;
mod peft;
pub(crate) mod place;
mod source;
pub(crate) mod verify;

use std::path::{Path, PathBuf};

use penname_infer::Adapter;
use penname_ledger::manifest::Order;
use penname_ledger::write::Staged;
use penname_ledger::{Choice, Event, Manifest, Stopwatch};
use penname_model::{Checkpoint, Storage};
use penname_token::Renderer;
use serde_json::json;

use crate::base;
use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::work::learned;
use place::Place;

pub(crate) use source::{Source, Wanted};

/// A format something can be exported to.
#[derive(Clone, Copy)]
pub(crate) struct Format {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// What it is and who reads it, in one line.
    pub(crate) about: &'static str,
    /// How its numbers can be stored.
    pub(crate) storages: &'static [Storage],
    /// Whether it holds low-rank pairs and nothing else.
    pub(crate) needs_pairs: bool,
    write: fn(&Source, Storage, &Path) -> Result<Made, Failure>,
    open: fn(&Source, &Path) -> Result<Opened, Failure>,
}

/// Every format, in the order in which they are shown.
pub(crate) const ALL: &[Format] = &[
    peft::FORMAT,
    merged::FORMAT,
    gguf::FORMAT,
    gguf_lora::FORMAT,
    ollama::FORMAT,
    llama2c::FORMAT,
    llama2c::FORMAT_1,
];

/// The files that were written.
#[derive(Debug, Default)]
struct Made {
    files: Vec<String>,
}

/// An export, open again.
#[derive(Debug)]
struct Opened {
    /// Its weights; those of the source where it holds pairs alone.
    model: Option<Checkpoint>,
    /// Its pairs.
    adapter: Option<Adapter>,
    /// Its tokenizer and template, where it has its own.
    renderer: Option<Renderer>,
}

impl Opened {
    /// What is exported itself.
    fn source(source: &Source) -> Self {
        Self { model: None, adapter: source.adapter.clone(), renderer: None }
    }

    /// A whole model with its tokenizer.
    fn model(source: &Source, checkpoint: Checkpoint) -> Result<Self, Failure> {
        let renderer = base::renderer_of(&checkpoint, &checkpoint.config()?, source.thinking)?;
        Ok(Self { model: Some(checkpoint), adapter: None, renderer: Some(renderer) })
    }
}

/// Tokenizer and template of a folder that holds no model.
fn text_of_folder(source: &Source, dir: &Path) -> Result<Option<Renderer>, Failure> {
    Ok(Some(base::renderer_in(dir, &source.config, source.thinking)?))
}

/// What is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Job<'a> {
    /// Which format.
    pub(crate) format: &'a str,
    /// How numbers are stored; decided here if not said.
    pub(crate) storage: Option<Storage>,
    /// Where it goes.
    pub(crate) to: PathBuf,
    /// Whether the program it is made for is asked as well.
    pub(crate) verify: Option<&'a verify::Engine>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Exported {
    /// Where it lies.
    pub(crate) dir: PathBuf,
    /// The record beside it.
    pub(crate) manifest: Manifest,
    /// Whether it lay there already.
    pub(crate) found: bool,
    /// What the program it is made for computes, if it was asked.
    pub(crate) verified: Option<verify::Verified>,
}

/// Exports, checks, and puts in place.
///
/// # Errors
/// When the format cannot hold the source, somebody else's files are in the way, the export differs
/// from its source, or the file system refuses.
pub(crate) fn export(desk: &Desk, source: &Source, job: &Job<'_>) -> Result<Exported, Failure> {
    let format = find(job.format)?;
    if format.needs_pairs && source.adapter.is_none() {
        let message = format!("`{}` holds low-rank pairs, and there are none", format.name);
        return Err(Failure::new(Kind::Usage, message).hint("export the whole model: `merged` or `gguf`"));
    }
    let (storage, choice) = storage(format, source, job.storage)?;
    job.verify.map_or(Ok(()), |engine| verify::check_ready(format.name, engine))?;
    let verify = |dir: &Path, opened: &Opened| {
        let subject = verify::Subject { format: format.name, storage, dir, opened };
        job.verify.map(|engine| verify::verify(desk, source, subject, engine)).transpose()
    };
    let order = order(source, format, storage);
    if let Place::Done(manifest) = place::look(&job.to, &order)? {
        let verified = verify(&job.to, &(format.open)(source, &job.to)?)?;
        return Ok(Exported { dir: job.to.clone(), manifest: *manifest, found: true, verified });
    }
    desk.witness().see(&Event::Choice(choice.clone()));
    let watch = Stopwatch::start();
    let staged = Staged::create(&job.to)?;
    let made = (format.write)(source, storage, staged.dir())?;
    let opened = (format.open)(source, staged.dir())?;
    let checked = check::check(desk, source, &opened, storage)?;
    let verified = verify(staged.dir(), &opened)?;
    drop(opened);
    let mut manifest = Manifest::new(order);
    manifest.choices.push(choice);
    manifest.choices.extend(said(source));
    manifest.device = Some("CPU".to_owned());
    checked.record(&mut manifest);
    verified.iter().for_each(|verified| verified.record(&mut manifest));
    manifest.seconds = watch.seconds();
    let files: Vec<&str> = made.files.iter().map(String::as_str).collect();
    let manifest = manifest.finish(staged.dir(), &files)?;
    staged.commit()?;
    Ok(Exported { dir: job.to.clone(), manifest, found: false, verified })
}

/// The format of this name.
///
/// # Errors
/// When there is none.
pub(crate) fn find(name: &str) -> Result<&'static Format, Failure> {
    ALL.iter().find(|format| format.name == name).ok_or_else(|| {
        let known: Vec<&str> = ALL.iter().map(|format| format.name).collect();
        Failure::new(Kind::Usage, format!("there is no format `{name}`"))
            .hint(format!("formats: {}", known.join(", ")))
    })
}

/// How numbers are stored, and why.
fn storage(format: &Format, source: &Source, wanted: Option<Storage>) -> Result<(Storage, Choice), Failure> {
    let names = || format.storages.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if let Some(wanted) = wanted {
        if !format.storages.contains(&wanted) {
            let message = format!("`{}` is not stored as {wanted}, expected {}", format.name, names());
            return Err(Failure::new(Kind::Usage, message));
        }
        return Ok((wanted, Choice::new("storage", wanted, "it was asked for")));
    }
    let of_base = source.checkpoint.storage();
    let (storage, reason) = match format.storages {
        [only] => (*only, "the format has no other".to_owned()),
        several if several.contains(&of_base) => (of_base, "the base is stored so".to_owned()),
        several if several.contains(&Storage::Q8_0) => {
            (Storage::Q8_0, format!("the base is stored as {of_base}, which cannot be written"))
        }
        _ if of_base == Storage::MXFP4 => {
            (Storage::BF16, "experts nothing is added to stay in MXFP4".to_owned())
        }
        _ => (Storage::BF16, format!("the base is stored as {of_base}, which safetensors does not hold")),
    };
    Ok((storage, Choice::new("storage", storage, reason)))
}

/// Which run it is, and what may be done with what that learned.
fn said(source: &Source) -> Vec<Choice> {
    let run = source.run.as_ref().map(|run| Choice::new(learned::OF_RUN, run, "it was asked for"));
    let rights = source.rights.map(|rights| {
        Choice::new("rights", learned::told(rights), "the narrowest of all that the run learned")
    });
    run.into_iter().chain(rights).collect()
}

/// Everything the export follows from.
fn order(source: &Source, format: &Format, storage: Storage) -> Order {
    let mut order = Order::new("export", env!("CARGO_PKG_VERSION"));
    order.inputs.insert("weights".to_owned(), source.hash);
    order.inputs.insert("tokenizer".to_owned(), source.renderer.tokenizer().hash());
    let template = source.renderer.template().source();
    order.settings = json!({
        "format": format.name,
        "storage": storage.to_string(),
        "name": source.name,
        "base": source.base_name,
        "template": template,
        "persona": source.persona,
        "stop_ids": source.stop_ids,
        "write": source.write,
    });
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_a_name_of_its_own_and_a_storage() {
        for (idx, format) in ALL.iter().enumerate() {
            assert!(ALL[..idx].iter().all(|other| other.name != format.name), "{}", format.name);
            assert!(!format.storages.is_empty() && !format.about.ends_with('.'), "{}", format.name);
        }
    }
}
