//! `penname export`: what was trained, in the formats other programs read.

use std::path::PathBuf;

use penname_corpus::export as shapes;
use penname_ledger::Event;
use penname_model::Storage;
use serde_json::json;

use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::screen::{Align, Table, harmless, number};
use crate::work;
use crate::work::export::verify::Engine;
use crate::work::export::{self, Exported, Job, Source, Wanted};
use crate::work::learned;

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without a format, the formats are listed. With `--as` it is the prepared writing that leaves, in a shape
that other programs read. An export of a model is opened again and compared before it is put in place;
`--verify` also asks the program it is made for.

Examples:
  penname export gguf
  penname export merged --storage bf16 --to my-model
  penname export gguf-lora --verify --python venv/bin/python
  penname export gguf --adapter downloaded-adapter --base owner/name
  penname export --as messages")]
pub(crate) struct Args {
    /// peft, merged, gguf, gguf-lora or another of those listed
    format: Option<String>,
    /// Export the writing instead: messages, text, q-a or another of those listed
    #[arg(long = "as", value_name = "SHAPE", conflicts_with_all = ["format", "run", "adapter", "from_base", "storage", "verify"])]
    shape: Option<String>,
    /// Name of the run [default: the newest that is finished]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["adapter", "from_base"])]
    run: Option<String>,
    /// An adapter made elsewhere, beside `--base`: a PEFT folder or a GGUF file
    #[arg(long, value_name = "PATH")]
    adapter: Option<PathBuf>,
    /// Export the base model as it is
    #[arg(long, conflicts_with = "adapter")]
    from_base: bool,
    /// Where to put it [default: `exports/FORMAT` in the folder of the voice]
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// How numbers are stored: f32, f16, bf16, q8_0, q4_0 [default: as the base is]
    #[arg(long, value_name = "STORAGE")]
    storage: Option<String>,
    /// Ask the program the format is made for, and compare
    #[arg(long)]
    verify: bool,
    /// A Python that has that program
    #[arg(long, value_name = "PATH", requires = "verify")]
    python: Option<PathBuf>,
}

/// Exports a voice.
///
/// # Errors
/// When there is none, the format cannot hold it, or the export is not what was exported.
pub(crate) fn run(args: &Args, desk: &Desk) -> Result<(), Failure> {
    if let Some(shape) = &args.shape {
        return data(shape, args, desk);
    }
    let Some(format) = &args.format else {
        list(desk);
        return Ok(());
    };
    export::find(format)?;
    let settings = desk.settings()?;
    let source = Source::open(desk, &settings, wanted(args))?;
    let engine = args.verify.then(|| Engine { python: args.python.clone(), n_threads: desk.n_threads() });
    let to = match &args.to {
        Some(to) => to.clone(),
        None => desk.project()?.exports().join(format),
    };
    let storage = args.storage.as_deref().map(storage).transpose()?;
    let exported = export::export(desk, &source, &Job { format, storage, to, verify: engine.as_ref() })?;
    if exported.found {
        let reason = format!("`{}` holds this very export", exported.dir.display());
        desk.witness().see(&Event::Skipped { stage: "export".into(), reason });
    }
    let value = json!({
        "format": format,
        "folder": exported.dir,
        "found": exported.found,
        "files": exported.manifest.outputs,
        "measures": exported.manifest.measures,
        "verified": exported.verified,
        "rights": source.rights,
    });
    desk.screen.result("export", &value, || told(&exported));
    // A base as it is has a licence of its own.
    if let Some(warned) = source.run.as_ref().and_then(|_| learned::warned(source.rights)) {
        desk.screen.note(&warned);
    }
    Ok(())
}

/// Exports the prepared writing.
fn data(shape: &str, args: &Args, desk: &Desk) -> Result<(), Failure> {
    let shape = shapes::find(shape)?;
    let (project, settings) = desk.open()?;
    let to = args.to.clone().unwrap_or_else(|| project.exports().join(shape.name));
    let exported = work::data::export(desk, (&project, &settings), shape, &to)?;
    if exported.found {
        let reason = format!("`{}` holds this very export", exported.dir.display());
        desk.witness().see(&Event::Skipped { stage: "export".into(), reason });
    }
    let counts = &exported.manifest.counts;
    let value = json!({
        "shape": shape.name,
        "folder": exported.dir,
        "found": exported.found,
        "files": exported.manifest.outputs,
        "records": counts,
    });
    desk.screen.result("export", &value, || {
        let mut table = Table::new(&[("", Align::Left), ("records", Align::Right)]);
        counts.iter().for_each(|(name, n)| table.row([harmless(name), number::count(*n)]));
        format!("{table}it lies in {}\n", exported.dir.display())
    });
    Ok(())
}

fn wanted(args: &Args) -> Wanted<'_> {
    match (&args.adapter, args.from_base) {
        (Some(path), _) => Wanted::Adapter(path),
        (None, true) => Wanted::Base,
        (None, false) => Wanted::Run(args.run.as_deref()),
    }
}

fn storage(word: &str) -> Result<Storage, Failure> {
    let known = [Storage::F32, Storage::F16, Storage::BF16, Storage::Q8_0, Storage::Q4_0];
    known.into_iter().find(|storage| storage.to_string().eq_ignore_ascii_case(word)).ok_or_else(|| {
        let expected = "f32, f16, bf16, q8_0 or q4_0";
        Failure::new(Kind::Usage, format!("`--storage` is `{word}`, expected {expected}"))
    })
}

fn list(desk: &Desk) {
    let formats = export::ALL.iter().map(|format| {
        let storages: Vec<String> =
            format.storages.iter().map(|storage| storage.to_string().to_lowercase()).collect();
        (format.name, format.about, storages)
    });
    let formats: Vec<_> = formats.collect();
    let models: Vec<_> = formats
        .iter()
        .map(|(name, about, storages)| json!({ "name": name, "about": about, "storages": storages }))
        .collect();
    let data: Vec<_> =
        shapes::ALL.iter().map(|shape| json!({ "name": shape.name, "about": shape.about })).collect();
    desk.screen.result("formats", &json!({ "models": models, "data": data }), || {
        let mut table = Table::new(&[("format", Align::Left), ("", Align::Left), ("stored as", Align::Left)]);
        formats.iter().for_each(|(name, about, storages)| table.row([*name, *about, &storages.join(" ")]));
        let mut data = Table::new(&[("--as", Align::Left), ("the writing, as a record looks", Align::Left)]);
        shapes::ALL.iter().for_each(|shape| data.row([shape.name, shape.about]));
        format!("{table}\n{data}")
    });
}

fn told(exported: &Exported) -> String {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Right)]);
    for (name, output) in &exported.manifest.outputs {
        table.row([harmless(name), number::bytes(output.bytes)]);
    }
    let measures = exported.manifest.measures.iter().filter(|(name, _)| !name.starts_with("verified"));
    for (name, value) in measures {
        let shown = if name.ends_with("agreement") {
            format!("{:.1} %", 100.0 * value)
        } else {
            format!("{value:.2e}")
        };
        table.row([name.clone(), shown]);
    }
    let verified = exported.verified.as_ref().map_or_else(String::new, |verified| verified.told() + "\n");
    format!("{table}{verified}it lies in {}\n", exported.dir.display())
}
