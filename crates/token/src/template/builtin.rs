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

/// Every built-in template.
///
/// The space after a label belongs to the answer, not to the prompt: `ANSWER:`
/// is followed by ` Dear`, one token in every byte-level vocabulary, where a
/// prompt that ended in a space would ask for a word no model begins with.
pub const ALL: &[Builtin] = &[
    Builtin {
        name: "chatml",
        about: "turns between <|im_start|> and <|im_end|>; the usual choice for instruction-tuned models",
        source: "{% for message in messages %}\
{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}\
{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    },
    Builtin {
        name: "smollm2",
        about: "chatml with the system prompt SmolLM2 was tuned with where none is given",
        source: "{% if not messages or messages[0].role != 'system' %}\
{{ '<|im_start|>system\\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\\n' }}\
{% endif %}\
{% for message in messages %}\
{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}\
{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    },
    Builtin {
        name: "question-answer",
        about: "QUESTION: and ANSWER: with a blank line between; for base models and letters with replies",
        source: "{% if add_bos_token %}{{ bos_token }}{% endif %}\
{% for message in messages %}\
{% if message.role == 'assistant' %}{{ 'ANSWER: ' + message.content + eos_token + '\\n\\n' }}\
{% elif message.role == 'user' %}{{ 'QUESTION: ' + message.content + '\\n\\n' }}\
{% else %}{{ message.content + '\\n\\n' }}{% endif %}\
{% endfor %}\
{% if add_generation_prompt %}{{ 'ANSWER:' }}{% endif %}",
    },
    Builtin {
        name: "q-a",
        about: "Q: and A: on neighbouring lines; for small models trained from scratch",
        source: "{% if add_bos_token %}{{ bos_token }}{% endif %}\
{% for message in messages %}\
{% if message.role == 'assistant' %}{{ 'A: ' + message.content + eos_token + '\\n\\n' }}\
{% elif message.role == 'user' %}{{ 'Q: ' + message.content + '\\n' }}\
{% else %}{{ message.content + '\\n' }}{% endif %}\
{% endfor %}\
{% if add_generation_prompt %}{{ 'A:' }}{% endif %}",
    },
    Builtin {
        name: "text",
        about: "the text and nothing else; for prose that continues rather than answers",
        source: "{% if add_bos_token %}{{ bos_token }}{% endif %}\
{% for message in messages %}{{ message.content }}\
{% if message.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}",
    },
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
