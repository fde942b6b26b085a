//! Text that is learned whole, as shards of sequences on disk: made once for a corpus and a tokenizer.
//!
//! ```text
//! data/tokens/   train.shard  held_out.shard  manifest.json
//! ```
//!
//! The manifest names every file with its digest. No file is found by looking into a folder: seed 004
//! trained mostly on shards that happened to lie beside those it meant.

use std::path::Path;

use penname_corpus::Prepared;
use penname_corpus::document::Fate;
use penname_ledger::manifest::{Depth, Found, Order};
use penname_ledger::write::Staged;
use penname_ledger::{Event, Hash, Manifest};
use penname_token::shard::llama2c;
use penname_token::{Sequence, Shard, Tokenizer, running};
use serde_json::json;

use super::scratch::texts;
use super::sequences::Sequences;
use crate::base::Place;
use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::project::Project;
use crate::settings::Settings;

const STAGE: &str = "tokens";
const TRAIN: &str = "train.shard";
const HELD_OUT: &str = "held_out.shard";

/// The text of a corpus in sequences of at most `length` tokens, with the shards that the settings name
/// beside it.
///
/// # Errors
/// When a shard is damaged or was made with another tokenizer, or the file system refuses.
pub(crate) fn made(
    desk: &Desk,
    project: &Project,
    settings: &Settings,
    (prepared, tokenizer): (&Prepared, &Tokenizer),
    length: usize,
) -> Result<Sequences, Failure> {
    let folder = project.tokens();
    let (train, held_out) = (texts(prepared, &Fate::Train), texts(prepared, &Fate::HeldOut));
    let shards: Vec<String> = settings
        .train
        .shards
        .iter()
        .map(|typed| Place::of(desk).meant(typed, settings.origin("train.shards")))
        .collect();
    let mut order = Order::new(STAGE, env!("CARGO_PKG_VERSION"));
    let digest = |texts: &[(&str, String)]| {
        Hash::of_parts(texts.iter().flat_map(|(name, text)| [name.as_bytes(), text.as_bytes()]))
    };
    order.inputs.insert("train".to_owned(), digest(&train));
    order.inputs.insert("held_out".to_owned(), digest(&held_out));
    order.inputs.insert("tokenizer".to_owned(), tokenizer.hash());
    for path in &shards {
        order.inputs.insert(format!("shard {path}"), digest_of(path)?);
    }
    order.settings = json!({ "length": length });
    if let Found::Done(manifest) = Manifest::find(&folder, &order.key()) {
        manifest.verify(&folder, Depth::Content).map_err(|why| {
            Failure::new(Kind::Input, format!("`{}`: {why}", folder.display()))
                .hint("remove the folder, and it is made again")
        })?;
        let reason = format!("made from the same text with the same tokenizer on {}", manifest.made_at);
        desk.witness().see(&Event::Skipped { stage: STAGE.into(), reason });
        return read(&folder, tokenizer);
    }
    let mut sequences = Sequences::default();
    for (texts, to) in [(train, &mut sequences.train), (held_out, &mut sequences.held_out)] {
        for (document, text) in &texts {
            to.extend(running::sequences(tokenizer, document, text, length)?);
        }
    }
    for path in &shards {
        sequences.train.extend(of_shard(path, tokenizer, length)?);
    }
    save(&folder, order, tokenizer, &sequences)?;
    Ok(sequences)
}

fn digest_of(path: &str) -> Result<Hash, Failure> {
    Hash::of_file(Path::new(path)).map_err(|error| {
        Failure::from(error).hint("`train.shards` names files, from the folder of the voice on")
    })
}

fn of_shard(path: &str, tokenizer: &Tokenizer, length: usize) -> Result<Vec<Sequence>, Failure> {
    let wrong = |why: String| Failure::new(Kind::Input, format!("shard `{path}`: {why}"));
    let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let special = tokenizer.special_ids();
    let bos = special.bos.ok_or_else(|| wrong("the tokenizer has no token that begins a text".into()))?;
    let texts = llama2c::read(&bytes, bos, special.eos.first().copied(), tokenizer.vocab_size());
    let texts = texts.map_err(|damage| {
        wrong(damage.to_string())
            .hint("a shard is read with the tokenizer it was made with: `tokenizer.file`")
    })?;
    let name = |idx| format!("{path}#{idx}");
    let all = texts.iter().enumerate();
    Ok(all.flat_map(|(idx, ids)| running::of_ids(tokenizer, &name(idx), ids, length)).collect())
}

fn read(folder: &Path, tokenizer: &Tokenizer) -> Result<Sequences, Failure> {
    let shard = |name| Ok::<_, Failure>(Shard::read(&folder.join(name), tokenizer)?.sequences);
    Ok(Sequences { train: shard(TRAIN)?, held_out: shard(HELD_OUT)? })
}

fn save(folder: &Path, order: Order, tokenizer: &Tokenizer, sequences: &Sequences) -> Result<(), Failure> {
    let staged = Staged::create(folder)?;
    let mut manifest = Manifest::new(order);
    for (name, list) in [(TRAIN, &sequences.train), (HELD_OUT, &sequences.held_out)] {
        let shard = Shard { tokenizer: tokenizer.hash(), sequences: list.clone() };
        shard.write(&staged.dir().join(name))?;
        let n_tokens: usize = list.iter().map(|sequence| sequence.n_trained).sum();
        manifest.counts.insert(format!("{name} tokens"), n_tokens as u64);
    }
    manifest.finish(staged.dir(), &[TRAIN, HELD_OUT])?;
    Ok(staged.commit()?)
}

/// Writes a corpus as llama2.c has it, the shard that is measured on first, and says which files.
///
/// # Errors
/// When an id does not fit into two bytes, or the file system refuses.
pub(crate) fn export(prepared: &Prepared, tokenizer: &Tokenizer, folder: &Path) -> Result<Manifest, Failure> {
    let bos = tokenizer.special_ids().bos.ok_or_else(|| {
        Failure::new(
            Kind::Input,
            "the tokenizer has no token that begins a text, which llama2.c's shards need",
        )
    })?;
    let staged = Staged::create(folder)?;
    let mut order = Order::new("shards", env!("CARGO_PKG_VERSION"));
    order.inputs.insert("tokenizer".to_owned(), tokenizer.hash());
    let (mut counts, names) = (Vec::new(), ["data00.bin", "data01.bin"]);
    for (name, fate) in names.into_iter().zip([Fate::HeldOut, Fate::Train]) {
        let texts: Vec<Vec<u32>> = texts(prepared, &fate)
            .iter()
            .map(|(_, text)| tokenizer.encode(text))
            .collect::<Result<_, _>>()?;
        let bytes = llama2c::write(texts.iter().map(Vec::as_slice), bos)
            .map_err(|damage| Failure::new(Kind::Input, format!("`{name}`: {damage}")))?;
        penname_ledger::write::bytes(&staged.dir().join(name), &bytes)?;
        counts.push((format!("{name} tokens"), bytes.len() as u64 / 2));
    }
    let mut manifest = Manifest::new(order);
    manifest.counts = counts.into_iter().collect();
    let manifest = manifest.finish(staged.dir(), &names)?;
    staged.commit()?;
    Ok(manifest)
}
