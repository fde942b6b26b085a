//! `penname export`: what was trained, in the formats other programs read.

use std::path::PathBuf;

use penname_ledger::Event;
use penname_model::Storage;
use serde_json::json;

use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::screen::{Align, Table, harmless, number};
use crate::work::export::verify::Engine;
use crate::work::export::{self, Exported, Job, Source, Wanted};

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without a format, the formats are listed. An export is opened again and compared before it is put in place;
`--verify` also asks the program it is made for.

Examples:
  penname export gguf
  penname export merged --storage bf16 --to my-model
  penname export gguf-lora --verify --python venv/bin/python
  penname export gguf --adapter downloaded-adapter --base owner/name")]
pub(crate) struct Args {
    /// peft, merged, gguf, gguf-lora or another of those listed
    format: Option<String>,
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
    });
    desk.screen.result("export", &value, || told(&exported));
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
    let value: Vec<_> = formats
        .iter()
        .map(|(name, about, storages)| json!({ "name": name, "about": about, "storages": storages }))
        .collect();
    desk.screen.result("formats", &value, || {
        let mut table = Table::new(&[("format", Align::Left), ("", Align::Left), ("stored as", Align::Left)]);
        formats.iter().for_each(|(name, about, storages)| table.row([*name, *about, &storages.join(" ")]));
        table.to_string()
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
