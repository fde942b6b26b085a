//! Ids of conversations in the chat templates as they were published, against those of transformers.
//! `golden/templates/reference.py` is the other side.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use penname_ledger::{clock, write};
use penname_token::tokenizer::TokenizerConfig;
use penname_token::{Example, Message, Renderer, Role, Template, Tokenizer, Verdict};
use serde_json::Value;

use super::{Inputs, Stop};
use crate::{Result, root, shell};

/// Every template of the kit over Qwen3's vocabulary, and those of letters over GPT-2's.
pub(super) fn ids(inputs: &Inputs) -> super::Verdict {
    let python = inputs.python()?;
    let work = root().join("target/kit/templates");
    let mut told = Vec::new();
    let published = jinja(&inputs.kit("templates")?)?;
    let letters = ["question-answer", "q-a", "text"]
        .map(|name| root().join("crates/token/templates").join(name).with_extension("jinja"));
    for (vocabulary, templates) in [("qwen3", published), ("gpt2", letters.to_vec())] {
        let folder = inputs.kit(&format!("tokenizers/{vocabulary}"))?;
        let work = work.join(vocabulary);
        write::folder(&work)?;
        let out = work.join("ids.json");
        let mut script = shell::command(python);
        script.env("TZ", "UTC").arg("golden/templates/reference.py").arg(&folder).arg(&out).args(&templates);
        shell::capture(&mut script)?;
        let rows: Value = serde_json::from_slice(&fs::read(&out)?)?;
        let (n, n_cut) = compare(&work, &rows)?;
        let n_templates = templates.len();
        told.push(format!(
            "{vocabulary}: {n} conversations in {n_templates} templates, {n_cut} of them cut where a prompt ends"
        ));
    }
    Ok(told.join(", "))
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
fn compare(folder: &Path, rows: &Value) -> Result<(usize, usize)> {
    let mut config = TokenizerConfig::from_json(&fs::read(folder.join("tokenizer_config.json"))?)?;
    config.bos = Some("<|endoftext|>".to_owned());
    let json = fs::read(folder.join("tokenizer.json"))?;
    let tokenizer = Arc::new(Tokenizer::from_json(&json)?.with_config(&config, &[])?);
    let (mut n, mut n_cut) = (0, 0);
    for row in rows["rows"].as_array().ok_or("no rows")? {
        let at = row["conversation"].as_u64().ok_or("no conversation")?;
        let messages = conversation(&rows["conversations"][usize::try_from(at)?]);
        let path = row["template"].as_str().ok_or("no template")?;
        let what = format!("{path}, conversation {at}, thinking {}", row["thinking"]);
        let template = Template::new(&fs::read_to_string(path)?, &tokenizer)?.with_date(clock::now());
        let template = template.with_variable("enable_thinking", row["thinking"] == true);
        let renderer = Renderer::new(Arc::clone(&tokenizer), template);
        let expected: Option<Vec<u32>> = serde_json::from_value(row["ids"].clone())?;
        let expected = expected.ok_or_else(|| format!("{what} was refused by transformers"))?;
        n += 1;
        n_cut += usize::from(is_cut(&renderer, messages, &expected).map_err(|why| format!("{what}: {why}"))?);
    }
    Ok((n, n_cut))
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
        let example = Example { id: String::new(), document: String::new(), messages };
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
