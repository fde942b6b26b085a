//! Templates for models that bring none, and for voices that want another.

use crate::error::{Error, Result};

/// A template known by name.
#[derive(Debug, Clone, Copy)]
pub struct Builtin {
    /// The name in settings.
    pub name: &'static str,
    /// What it is for, in one line.
    pub about: &'static str,
    /// The template itself.
    pub source: &'static str,
}

/// A template from the folder of templates.
macro_rules! builtin {
    ($name:literal, $about:literal) => {
        Builtin {
            name: $name,
            about: $about,
            source: include_str!(concat!("../../templates/", $name, ".jinja")),
        }
    };
}

/// Every built-in template.
///
/// The space after a label belongs to the answer, not to the prompt: `ANSWER:`
/// is followed by ` Dear`, one token in every byte-level vocabulary, where a
/// prompt that ended in a space would ask for a word no model begins with.
pub const ALL: &[Builtin] = &[
    builtin!(
        "chatml",
        "turns between <|im_start|> and <|im_end|>; the usual choice for instruction-tuned models"
    ),
    builtin!("smollm2", "chatml with the system prompt SmolLM2 was tuned with where none is given"),
    builtin!(
        "qwen3",
        "chatml with Qwen3's thoughts: empty ones, unless `voice.thinking` leaves room for more"
    ),
    builtin!("llama3", "turns under <|start_header_id|>, as Llama 3 reads them"),
    builtin!("harmony", "messages in channels, as gpt-oss writes them, without its own system message"),
    builtin!(
        "question-answer",
        "QUESTION: and ANSWER: with a blank line between; for base models and letters with replies"
    ),
    builtin!("q-a", "Q: and A: on neighbouring lines; for small models trained from scratch"),
    builtin!("text", "the text and nothing else; for prose that continues rather than answers"),
];

/// The source of a built-in template.
///
/// # Errors
/// An unknown name; the error lists those that exist.
pub fn source(name: &str) -> Result<&'static str> {
    ALL.iter().find(|builtin| builtin.name == name).map(|builtin| builtin.source).ok_or_else(|| {
        Error::TemplateName { found: name.to_owned(), known: ALL.iter().map(|b| b.name).collect() }
    })
}
