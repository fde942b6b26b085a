//! The files that stand beside weights: tokenizer, template, generation, and a card to read first.

use std::path::Path;

use penname_ledger::write;
use serde_json::json;

use super::source::Source;
use crate::failure::Failure;
use crate::work::tokenizer;

const TEMPLATE: &str = "chat_template.jinja";

/// Writes what a folder as Hugging Face publishes them holds beside `config.json` and weights;
/// returns the names. Pieces are written as SentencePiece and llama2.c read them, too.
///
/// # Errors
/// When the tokenizer cannot be written or the file system refuses.
pub(super) fn write_text(source: &Source, dir: &Path) -> Result<Vec<String>, Failure> {
    let tokenizer = source.renderer.tokenizer();
    let template = source.renderer.template().source();
    let saved = tokenizer::save(dir, tokenizer, Some(template))?;
    let mut names: Vec<String> = saved.into_iter().map(str::to_owned).collect();
    write::bytes(&dir.join(TEMPLATE), template.as_bytes())?;
    names.push(TEMPLATE.to_owned());
    Ok(names)
}

/// How replies are drawn, as `generation_config.json` says it.
///
/// # Errors
/// When the file system refuses.
pub(super) fn write_generation(source: &Source, dir: &Path) -> Result<String, Failure> {
    const NAME: &str = "generation_config.json";
    let (ids, how) = (source.renderer.tokenizer().special_ids(), &source.write);
    let value = json!({
        "bos_token_id": ids.bos,
        "eos_token_id": source.stop_ids,
        "pad_token_id": ids.pad.or(ids.eos.first().copied()),
        "do_sample": how.temperature > 0.0,
        "temperature": decimal(how.temperature),
        "top_k": how.top_k,
        "top_p": decimal(how.top_p),
        "min_p": decimal(how.min_p),
        "repetition_penalty": decimal(how.repetition_penalty),
        "max_new_tokens": how.max_tokens,
    });
    write::json(&dir.join(NAME), &value)?;
    Ok(NAME.to_owned())
}

/// The decimal that a person wrote, and not the f64 next to the f32 next to it.
pub(super) fn decimal(x: f32) -> f64 {
    x.to_string().parse().unwrap_or(f64::from(x))
}

/// Writes `README.md`: what lies here, what it needs, how it is used.
///
/// # Errors
/// When the file system refuses.
pub(super) fn write_card(source: &Source, dir: &Path, what: &str, how: &str) -> Result<String, Failure> {
    const NAME: &str = "README.md";
    let Source { name, origin, .. } = source;
    let persona = source.persona.as_ref().map_or_else(String::new, |persona| {
        format!(
            "\nEvery conversation begins with this system prompt, as in training:\n\n> {}\n",
            persona.replace('\n', "\n> ")
        )
    });
    let text = format!(
        "# {name}\n\n{what} Made by penname {} from the base model `{origin}`; the licence of the base goes on \
         to apply, and so does whatever was agreed with the author of the writing.\n\n{how}\n{persona}\n\
         The chat template in these files is the one it was trained with; with another it answers worse. It \
         writes in somebody's manner and is not that person.\n",
        env!("CARGO_PKG_VERSION"),
    );
    write::bytes(&dir.join(NAME), text.as_bytes())?;
    Ok(NAME.to_owned())
}
