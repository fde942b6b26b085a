//! Tokenizer and template of a checkpoint, from whichever files it came with.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use penname_ledger::Choice;
use penname_model::weights::gguf::{Metadata, Tokenizer as InGguf};
use penname_model::{Checkpoint, Config};
use penname_token::sentencepiece::Model;
use penname_token::tokenizer::TokenizerConfig;
use penname_token::{GgufVocab, Renderer, Template, Tokenizer, template};
use serde_json::Value;

use crate::failure::{Failure, Kind};

/// Larger than any honest template or tokenizer.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// What the settings name; the rest is the checkpoint's own.
pub(super) struct Wanted<'s> {
    /// A built-in template or a file.
    pub(super) template: Option<&'s str>,
    /// A tokenizer's file.
    pub(super) tokenizer: Option<&'s str>,
    /// Whether a template leaves room for thoughts.
    pub(super) thinking: bool,
}

/// Joins the tokenizer and the template that are wanted, or the checkpoint's own, and says which
/// template that is.
pub(super) fn renderer(
    checkpoint: &Checkpoint,
    config: &Config,
    wanted: &Wanted<'_>,
) -> Result<(Renderer, Choice), Failure> {
    let (tokenizer, own) = match (wanted.tokenizer, checkpoint.gguf_metadata()) {
        (Some(path), _) => (read_tokenizer(Path::new(path))?, None),
        (None, Some(metadata)) => from_gguf(metadata)?,
        (None, None) if checkpoint.is_llama2c() => (beside(checkpoint.path())?, None),
        (None, None) => from_folder(&folder_of(checkpoint.path()), config)?,
    };
    let (template, value, reason) = match wanted.template {
        None => {
            let own = own.ok_or_else(no_template)?;
            (Template::new(&own, &tokenizer)?, "the base model's own", "the settings name no other")
        }
        Some(name) => (named(name, &tokenizer)?, name, "the settings say so"),
    };
    let template = template.with_variable(template::THINKING, wanted.thinking);
    Ok((Renderer::new(tokenizer, template), Choice::new("template", value, reason)))
}

/// Reads a tokenizer from a file of its own: `tokenizer.json`, or pieces as SentencePiece or llama2.c
/// keep them.
///
/// # Errors
/// When there is no such file, or it is none of these.
pub(crate) fn read_tokenizer(path: &Path) -> Result<Tokenizer, Failure> {
    let Some(bytes) = read(path)? else {
        let message = format!("tokenizer `{}` does not exist", path.display());
        return Err(Failure::new(Kind::Usage, message).hint("a path begins in the folder of the voice"));
    };
    let of = |what: &'static str| {
        move |error: penname_token::Error| {
            Failure::from(error).while_doing(format!("`{}` is not {what}", path.display()))
        }
    };
    match path.extension().and_then(|end| end.to_str()) {
        Some("json") => json(path, &bytes, &[]).map(|(tokenizer, _)| tokenizer),
        Some("bin") => {
            let model = Model::from_llama2c(&bytes).map_err(penname_token::Error::from);
            model.and_then(Tokenizer::from_sentencepiece).map_err(of("a tokenizer of llama2.c"))
        }
        _ => {
            let model = Model::from_bytes(&bytes).map_err(penname_token::Error::from);
            model.and_then(Tokenizer::from_sentencepiece).map_err(of("a model of SentencePiece"))
        }
    }
}

/// The tokenizer beside a llama2.c file, which says nothing of it.
fn beside(checkpoint: &Path) -> Result<Tokenizer, Failure> {
    const NAMES: [&str; 3] = ["tokenizer.model", "tokenizer.bin", "tokenizer.json"];
    let folder = folder_of(checkpoint);
    match NAMES.iter().map(|name| folder.join(name)).find(|path| path.is_file()) {
        Some(path) => read_tokenizer(&path),
        None => {
            let message = format!("`{}` has no tokenizer, and there is none beside it", checkpoint.display());
            Err(Failure::new(Kind::Input, message).hint(
                "name its file with `tokenizer.file`, or put it beside as tokenizer.bin or tokenizer.model",
            ))
        }
    }
}

/// Joins the tokenizer of a folder with the template beside it.
pub(super) fn renderer_in(dir: &Path, config: &Config, thinking: bool) -> Result<Renderer, Failure> {
    let (tokenizer, own) = from_folder(dir, config)?;
    let template = Template::new(&own.ok_or_else(no_template)?, &tokenizer)?;
    Ok(Renderer::new(tokenizer, template.with_variable(template::THINKING, thinking)))
}

fn from_gguf(metadata: &Metadata) -> Result<(Tokenizer, Option<String>), Failure> {
    let Some(found) = InGguf::from_metadata(metadata)? else {
        return Err(Failure::new(Kind::Input, "the GGUF file has no tokenizer")
            .hint("choose a file that was made with one"));
    };
    let template = found.chat_template.clone();
    let vocab = GgufVocab {
        model: found.model,
        pre: found.pre,
        tokens: found.tokens,
        token_types: found.token_types,
        merges: found.merges,
        scores: Some(found.scores).filter(|scores| !scores.is_empty()),
        bos: found.bos,
        eos: found.eos,
        eot: found.eot,
        unk: found.unk,
        pad: found.pad,
        add_bos: found.add_bos,
        add_space_prefix: found.add_space_prefix,
    };
    Ok((Tokenizer::from_gguf(&vocab)?, template))
}

fn from_folder(dir: &Path, config: &Config) -> Result<(Tokenizer, Option<String>), Failure> {
    let (path, pieces) = (dir.join("tokenizer.json"), dir.join("tokenizer.model"));
    let ends = ends(dir, config)?;
    let (tokenizer, beside) = match read(&path)? {
        Some(bytes) => json(&path, &bytes, &ends)?,
        None if pieces.is_file() => (read_tokenizer(&pieces)?, None),
        None => {
            let message = format!("`{}` is missing", path.display());
            return Err(Failure::new(Kind::Input, message)
                .hint("a folder needs `tokenizer.json` or `tokenizer.model` beside its weights"));
        }
    };
    let tokenizer = exactly(tokenizer, &pieces)?;
    // A file of its own is the newer way, and wins where both are there.
    let template = match read(&dir.join("chat_template.jinja"))? {
        Some(text) => Some(utf8(text, "chat_template.jinja")?),
        None => beside,
    };
    Ok((tokenizer, template))
}

/// A `tokenizer.json` with what stands in `tokenizer_config.json` beside it: the tokenizer, and its
/// chat template.
fn json(path: &Path, bytes: &[u8], ends: &[u32]) -> Result<(Tokenizer, Option<String>), Failure> {
    let beside = match read(&path.with_file_name("tokenizer_config.json"))? {
        Some(json) => TokenizerConfig::from_json(&json)?,
        None => TokenizerConfig::default(),
    };
    Ok((Tokenizer::from_json(bytes)?.with_config(&beside, ends)?, beside.chat_template))
}

/// The pieces that a `tokenizer.json` was made of, where they lie beside it and say the same: they know
/// an order among equals that the file has no place for.
fn exactly(tokenizer: Tokenizer, pieces: &Path) -> Result<Tokenizer, Failure> {
    if tokenizer.sentencepiece().is_some() || !pieces.is_file() {
        return Ok(tokenizer);
    }
    let exact = read_tokenizer(pieces).ok().filter(|exact| exact.hash() == tokenizer.hash());
    match exact {
        Some(exact) => Ok(exact.with_special_ids(tokenizer.special_ids().clone())?),
        None => Ok(tokenizer),
    }
}

/// The further ends of a reply, from `generation_config.json` and the configuration.
fn ends(dir: &Path, config: &Config) -> Result<Vec<u32>, Failure> {
    let mut ids = config.eos.clone();
    if let Some(json) = read(&dir.join("generation_config.json"))? {
        let value: Value = serde_json::from_slice(&json).map_err(|error| {
            Failure::of(Kind::Input, &error).while_doing("`generation_config.json` is not readable")
        })?;
        let listed = &value["eos_token_id"];
        let each = listed.as_array().map_or(std::slice::from_ref(listed), Vec::as_slice);
        ids.extend(each.iter().filter_map(|id| u32::try_from(id.as_u64()?).ok()));
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// A template from a file, or one of the built-in ones.
fn named(wanted: &str, tokenizer: &Tokenizer) -> Result<Template, Failure> {
    let path = Path::new(wanted);
    if !path.extension().is_some_and(|end| end == "jinja" || end == "j2") {
        return Template::builtin(wanted, tokenizer).map_err(|error| {
            Failure::from(error)
                .hint("the path of a .jinja file is fine too; it begins in the folder of the voice")
        });
    }
    let Some(text) = read(path)? else {
        let message = format!("template `{wanted}` does not exist");
        return Err(Failure::new(Kind::Usage, message).hint(known()));
    };
    Ok(Template::new(&utf8(text, wanted)?, tokenizer)?)
}

fn known() -> String {
    let names: Vec<&str> = template::builtin::ALL.iter().map(|builtin| builtin.name).collect();
    format!("built-in templates: {}", names.join(", "))
}

fn no_template() -> Failure {
    Failure::new(Kind::Usage, "the base model comes without a chat template")
        .hint(format!("set `template` to one that suits it; {}", known()))
}

/// The folder a checkpoint's other files lie in.
fn folder_of(path: &Path) -> PathBuf {
    if path.is_dir() { path.to_path_buf() } else { path.parent().unwrap_or(Path::new(".")).to_path_buf() }
}

/// A file that may not be there.
fn read(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::of(Kind::Input, &error).while_doing(format!("cannot read `{}`", path.display()))
    };
    let n_bytes = match fs::metadata(path) {
        Ok(meta) => meta.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if n_bytes > MAX_FILE_BYTES {
        let message = format!("`{}` has {n_bytes} bytes, expected at most {MAX_FILE_BYTES}", path.display());
        return Err(Failure::new(Kind::Input, message));
    }
    fs::read(path).map(Some).map_err(failed)
}

fn utf8(bytes: Vec<u8>, name: &str) -> Result<String, Failure> {
    String::from_utf8(bytes)
        .map_err(|error| Failure::of(Kind::Input, &error).while_doing(format!("`{name}` is not text")))
}
