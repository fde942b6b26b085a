//! Ids of conversations in the chat templates as they were published, against those of transformers.
//! `golden/templates/reference.py` is the other side.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use penname_ledger::{clock, write};
use penname_token::sentencepiece::Model;
use penname_token::tokenizer::{SpecialIds, TokenizerConfig};
use penname_token::{Example, Message, Renderer, Role, Template, Tokenizer, Verdict};
use serde_json::Value;

use super::{Inputs, Stop, harmony};
use crate::{Result, root, shell};

/// Vocabularies, and whether they get the templates as they were published, or those of letters.
const VOCABULARIES: [(&str, bool); 5] =
    [("qwen3", true), ("o200k", true), ("llama2", true), ("llama2", false), ("gpt2", false)];

/// Templates that need no control token of a family.
const LETTERS: [&str; 3] = ["question-answer", "q-a", "text"];

/// Every template of the kit over every vocabulary that has, or is given, its control tokens, and those
/// of letters over the vocabularies that have none.
pub(super) fn ids(inputs: &Inputs) -> super::Verdict {
    let python = inputs.python()?;
    let work = root().join("target/kit/templates");
    let mut told = Vec::new();
    let ours = |name: &str| root().join("crates/token/templates").join(name).with_extension("jinja");
    let published: Vec<PathBuf> =
        jinja(&inputs.kit("templates")?)?.into_iter().chain([ours("harmony")]).collect();
    let letters: Vec<PathBuf> = LETTERS.into_iter().map(ours).collect();
    for (vocabulary, is_published) in VOCABULARIES {
        let templates = if is_published { &published } else { &letters };
        let folder = inputs.kit(&format!("tokenizers/{vocabulary}"))?;
        let (tokenizer, rows) = asked(python, &folder, &work.join(vocabulary), templates)?;
        told.push(format!("{vocabulary}: {}", compare(&tokenizer, &rows)?));
        if vocabulary == "o200k" {
            told.push(harmony::ids(&tokenizer, &inputs.kit(harmony::GOLDENS)?)?);
        }
    }
    let model = Model::from_bytes(&fs::read(inputs.kit("tokenizers/llama2/tokenizer.model")?)?)?;
    told.push(format!("llama2 as exported: {}", exported(python, model, &work, &letters)?));
    Ok(told.join(", "))
}

/// What transformers makes of the conversations, and the tokenizer it used.
fn asked(
    python: &Path,
    folder: &Path,
    work: &Path,
    templates: &[PathBuf],
) -> Result<(Arc<Tokenizer>, Value)> {
    write::folder(work)?;
    let out = work.join("ids.json");
    let mut script = shell::command(python);
    script.env("TZ", "UTC").arg("golden/templates/reference.py").arg(folder).arg(&out).args(templates);
    shell::capture(&mut script)?;
    Ok((tokenizer(work)?, serde_json::from_slice(&fs::read(&out)?)?))
}

/// Pieces written as `tokenizer.json`, which transformers reads, against the pieces themselves.
fn exported(python: &Path, model: Model, work: &Path, templates: &[PathBuf]) -> Result<String> {
    // What begins a text is not known to templates over there; here it is told where they stand.
    let ours = Tokenizer::from_sentencepiece(model)?;
    let ids = SpecialIds { add_bos: false, ..ours.special_ids().clone() };
    let ours = Arc::new(ours.with_special_ids(ids)?);
    let folder = work.join("pieces");
    write::folder(&folder)?;
    write::bytes(&folder.join("tokenizer.json"), ours.to_json()?.as_bytes())?;
    write::bytes(&folder.join("tokenizer_config.json"), ours.to_config_json(None)?.as_bytes())?;
    let (_, rows) = asked(python, &folder, &folder.join("asked"), templates)?;
    compare(&ours, &rows)
}

/// The tokenizer as transformers wrote it.
fn tokenizer(folder: &Path) -> Result<Arc<Tokenizer>> {
    let config = TokenizerConfig::from_json(&fs::read(folder.join("tokenizer_config.json"))?)?;
    let json = fs::read(folder.join("tokenizer.json"))?;
    Ok(Arc::new(Tokenizer::from_json(&json)?.with_config(&config, &[])?))
}

/// The templates under a folder.
fn jinja(folder: &Path) -> std::result::Result<Vec<PathBuf>, Stop> {
    let mut found = Vec::new();
    for origin in fs::read_dir(folder)? {
        let origin = origin?.path();
        if !origin.is_dir() {
            continue;
        }
        for file in fs::read_dir(origin)? {
            found
                .extend(Some(file?.path()).filter(|path| path.extension().is_some_and(|end| end == "jinja")));
        }
    }
    found.sort();
    if found.is_empty() { Err(Stop::Skipped("the kit has no template".to_owned())) } else { Ok(found) }
}

/// How many conversations have the same ids here, and how many of them are cut elsewhere.
fn compare(tokenizer: &Arc<Tokenizer>, rows: &Value) -> Result<String> {
    let (mut n, mut n_cut) = (0, 0);
    for row in rows["rows"].as_array().ok_or("no rows")? {
        let at = row["conversation"].as_u64().ok_or("no conversation")?;
        let messages = conversation(&rows["conversations"][usize::try_from(at)?]);
        let path = row["template"].as_str().ok_or("no template")?;
        let what = format!("{path}, conversation {at}, thinking {}", row["thinking"]);
        let template = Template::new(&fs::read_to_string(path)?, tokenizer)?.with_date(clock::now());
        let template = template.with_variable("enable_thinking", row["thinking"] == true);
        let renderer = Renderer::new(Arc::clone(tokenizer), template);
        let expected: Option<Vec<u32>> = serde_json::from_value(row["ids"].clone())?;
        let expected = expected.ok_or_else(|| format!("{what} was refused by transformers"))?;
        n += 1;
        n_cut += usize::from(is_cut(&renderer, messages, &expected).map_err(|why| format!("{what}: {why}"))?);
    }
    Ok(format!("{n} conversations, {n_cut} of them cut where a prompt ends"))
}

/// Whether the ids are not those of the text as a whole, because they continue a prompt that ends inside
/// one of its tokens, or because the template writes an answer otherwise than its own prompt begins one.
fn is_cut(renderer: &Renderer, messages: Vec<Message>, expected: &[u32]) -> Result<bool> {
    let differ = |found: &[u32]| format!("ids are {found:?}, expected {expected:?}").into();
    let answered = messages.last().is_some_and(|message| message.role == Role::Assistant);
    let whole = renderer.tokenizer().encode_template(&renderer.template().render(&messages, !answered)?)?;
    if whole != expected {
        return Err(differ(&whole));
    }
    let found = if answered {
        let prompt = renderer.prompt(&messages[..messages.len() - 1])?;
        let example = Example { messages, ..Example::default() };
        match renderer.render(&example) {
            Err(Verdict::PromptDiffers { .. }) => return Ok(true),
            Err(verdict) => return Err(verdict.to_string().into()),
            Ok(sequence) if !sequence.ids.starts_with(&prompt) => return Err(differ(&sequence.ids)),
            Ok(sequence) => sequence.ids,
        }
    } else {
        renderer.prompt(&messages)?
    };
    let texts = [&found, expected].map(|ids| renderer.tokenizer().decode(ids));
    if texts[0] == texts[1] { Ok(found != expected) } else { Err(differ(&found)) }
}

fn conversation(value: &Value) -> Vec<Message> {
    let role = |turn: &Value| match turn["role"].as_str() {
        Some("system") => Role::System,
        Some("user") => Role::User,
        _ => Role::Assistant,
    };
    let turn = |turn: &Value| Message::new(role(turn), turn["content"].as_str().unwrap_or_default());
    value.as_array().map(|turns| turns.iter().map(turn).collect()).unwrap_or_default()
}
