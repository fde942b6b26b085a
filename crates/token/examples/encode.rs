//! Writes the ids of strings, to compare a tokenizer with another program's.
//!
//! ```text
//! encode TOKENIZER.json [TEMPLATE.jinja] < LINES
//! ```
//!
//! Each line of standard input is one JSON value, each line of output the ids
//! as a JSON array, or an error on that line alone. A string is encoded as a
//! text somebody wrote. An array of messages is rendered through the template
//! and answered with `{"text", "prompt"}` for a conversation that awaits an
//! answer, with `{"text", "ids", "mask"}` for one that ends with the
//! assistant. A JSON file with a `tokens` list is read as GGUF metadata, any
//! other as a Hugging Face `tokenizer.json`.

use std::io::{BufRead, Write};
use std::sync::Arc;

use penname_token::tokenizer::SpecialIds;
use penname_token::{Example, GgufVocab, Message, Renderer, Role, Template, Tokenizer};
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: encode TOKENIZER.json [TEMPLATE.jinja] < LINES")?;
    let tokenizer = Arc::new(read_tokenizer(&std::fs::read(&path)?)?);
    let renderer = match arguments.next() {
        Some(path) => {
            let template = Template::new(&std::fs::read_to_string(path)?, &tokenizer)?
                .with_date(penname_ledger::clock::now());
            Some(Renderer::new(tokenizer.clone(), template))
        }
        None => None,
    };
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = match serde_json::from_str(&line?)? {
            Value::String(text) => json!(tokenizer.encode(&text)?),
            messages => {
                let renderer = renderer.as_ref().ok_or("messages need a template")?;
                render(renderer, serde_json::from_value(messages)?)
                    .unwrap_or_else(|failure| json!({ "error": failure.to_string() }))
            }
        };
        writeln!(out, "{answer}")?;
    }
    Ok(())
}

fn render(renderer: &Renderer, messages: Vec<Message>) -> Result<Value, Failure> {
    if messages.last().is_none_or(|last| last.role != Role::Assistant) {
        let text = renderer.template().render(&messages, true)?;
        return Ok(json!({ "text": text, "prompt": renderer.prompt(&messages)? }));
    }
    let text = renderer.template().render(&messages, false)?;
    let example =
        Example { id: "line".to_owned(), document: "stdin".to_owned(), messages, ..Example::default() };
    let sequence = renderer.render(&example)?;
    let skipped = sequence.n_turns_skipped;
    let trained = sequence.explain(renderer.tokenizer()).into_iter().filter(|span| span.trained);
    let trained: Vec<String> = trained.map(|span| span.text).collect();
    Ok(
        json!({ "text": text, "ids": sequence.ids, "mask": sequence.mask, "trained": trained, "skipped": skipped }),
    )
}

fn read_tokenizer(bytes: &[u8]) -> Result<Tokenizer, Failure> {
    let json: Value = serde_json::from_slice(bytes)?;
    if json["tokens"].is_null() {
        let ids = special_ids(&json["penname"]);
        return Ok(Tokenizer::from_json(bytes)?.with_special_ids(ids)?);
    }
    let number = |name: &str| json[name].as_u64().and_then(|id| u32::try_from(id).ok());
    let vocab = GgufVocab {
        model: serde_json::from_value(json["model"].clone())?,
        pre: json["pre"].as_str().map(str::to_owned),
        tokens: serde_json::from_value(json["tokens"].clone())?,
        token_types: serde_json::from_value(json["token_type"].clone())?,
        merges: serde_json::from_value(json["merges"].clone()).unwrap_or_default(),
        scores: serde_json::from_value(json["scores"].clone()).ok(),
        bos: number("bos_token_id"),
        eos: number("eos_token_id"),
        eot: None,
        unk: number("unknown_token_id"),
        pad: number("padding_token_id"),
        add_bos: json["add_bos_token"].as_bool(),
        add_space_prefix: json["add_space_prefix"].as_bool(),
    };
    Ok(Tokenizer::from_gguf(&vocab)?)
}

/// A `tokenizer.json` may carry `{"penname": {"bos": id, "eos": [ids]}}` to
/// name what it cannot say itself.
fn special_ids(json: &Value) -> SpecialIds {
    SpecialIds {
        bos: serde_json::from_value(json["bos"].clone()).ok(),
        eos: serde_json::from_value(json["eos"].clone()).unwrap_or_default(),
        ..SpecialIds::default()
    }
}
