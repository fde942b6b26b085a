//! A conversation written the way one model expects to read it.
//!
//! A [`Template`] is a small program in the Jinja language that comes with a
//! model, or one of the built-in ones in [`builtin::ALL`]. It is run by
//! minijinja as `transformers` would run it, with three differences that
//! protect: a budget of steps and of output, no access to files or other
//! templates, and a date that is *given*, so that the text trained on and the
//! text served are the same on another day.
//!
//! Beside the text, a rendering keeps the places inside messages where a
//! control token would be a forgery, and the spans the template itself marked
//! with `{% generation %}`.

pub mod builtin;
mod date;
mod engine;
mod json;
mod mark;
mod turns;

use std::collections::BTreeMap;
use std::ops::Range;

use minijinja::{Environment, Value};
use penname_ledger::Timestamp;

use crate::error::{Error, Result};
use crate::message::Message;
use crate::tokenizer::Tokenizer;
use crate::tokenizer::special::Specials;
pub use turns::Turns;

/// The variable by which a template is told whether to leave room for thoughts. Templates that do not
/// know it ignore it.
pub const THINKING: &str = "enable_thinking";

/// A chat template, ready to render.
pub struct Template {
    source: String,
    environment: Environment<'static>,
    date: Option<Timestamp>,
    variables: BTreeMap<String, Value>,
}

/// What a template made of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Rendered {
    /// The text, free of every mark.
    pub(crate) text: String,
    /// Byte positions behind the first letter of every control token that a
    /// message spells: none may be recognised there.
    pub(crate) guards: Vec<usize>,
    /// Byte ranges inside `{% generation %}` … `{% endgeneration %}`.
    pub(crate) generated: Vec<Range<usize>>,
}

impl Rendered {
    /// The guards behind the letters of a stretch, counted from its beginning.
    pub(crate) fn guards_within(&self, stretch: &Range<usize>) -> Vec<usize> {
        let within = |guard: &&usize| stretch.start < **guard && **guard <= stretch.end;
        self.guards.iter().filter(within).map(|guard| guard - stretch.start).collect()
    }
}

impl Template {
    /// Reads a template. `bos`, `eos`, `unk` and `pad` are taken from the
    /// tokenizer it will be used with.
    ///
    /// # Errors
    /// The template does not parse; the error names its line.
    pub fn new(source: &str, tokenizer: &Tokenizer) -> Result<Self> {
        let ids = tokenizer.special_ids();
        let text = |id| Value::from(tokenizer.token_text(id));
        let variables = [
            ("bos_token", text(ids.bos)),
            ("eos_token", text(ids.eos.first().copied())),
            ("unk_token", text(ids.unk)),
            ("pad_token", text(ids.pad)),
            ("add_bos_token", Value::from(ids.add_bos)),
            ("tools", Value::from(())),
            ("documents", Value::from(())),
            // A voice answers; it does not think aloud first. Templates that
            // know the switch then put the empty thought into the prompt,
            // where it costs no loss. Others ignore it.
            (THINKING, Value::from(false)),
        ];
        Ok(Self {
            source: source.to_owned(),
            environment: engine::environment(source)?,
            date: None,
            variables: variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        })
    }

    /// A built-in template by its name in [`builtin::ALL`].
    ///
    /// # Errors
    /// An unknown name.
    pub fn builtin(name: &str, tokenizer: &Tokenizer) -> Result<Self> {
        Self::new(builtin::source(name)?, tokenizer)
    }

    /// Sets a variable the template may read, as `chat_template_kwargs` does.
    pub fn with_variable(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// Pins the date that `strftime_now` gives. Without it the function is
    /// not defined, as in engines that have no clock: a template then takes
    /// its own fixed date or refuses.
    pub fn with_date(mut self, date: Timestamp) -> Self {
        self.date = Some(date);
        engine::pin_date(&mut self.environment, date);
        self
    }

    /// The template's own text, to be stored with what was trained on it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Writes a conversation as text, with the beginning of an answer if
    /// `add_generation_prompt`.
    ///
    /// # Errors
    /// The template fails, refuses the conversation, or exceeds its budget.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String> {
        let rendered = self.render_marked(messages, add_generation_prompt, &Specials::default())?;
        Ok(rendered.text)
    }

    /// Writes a conversation with everything the renderer needs to know about
    /// the text.
    pub(crate) fn render_marked(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
        specials: &Specials,
    ) -> Result<Rendered> {
        let marks = mark::Marks::absent_from(messages.iter().map(|m| m.content.as_str()), &self.source);
        let turns: Vec<Value> =
            messages.iter().map(|m| engine::turn(m.role, marks.guard(&m.content, specials))).collect();
        let mut context = self.variables.clone();
        let mut set = |name: &str, value: Value| context.insert(name.to_owned(), value);
        set("messages", Value::from(turns));
        set("add_generation_prompt", Value::from(add_generation_prompt));
        set(mark::OPEN, Value::from(marks.open.to_string()));
        set(mark::CLOSE, Value::from(marks.close.to_string()));
        let budget = engine::Budget::of(messages);
        let marked = engine::run(&self.environment, Value::from(context), budget);
        Ok(marks.read(&marked.map_err(|error| self.explain_date(error))?))
    }

    /// Calling a function that is not defined reads as a riddle when the
    /// function is the date nobody pinned.
    fn explain_date(&self, error: Error) -> Error {
        match error {
            Error::Template { line, cause }
                if self.date.is_none() && self.source.contains("strftime_now") =>
            {
                Error::Template { line, cause: format!("{cause} (`strftime_now` has no date pinned)") }
            }
            other => other,
        }
    }
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Template").field("source", &self.source).finish_non_exhaustive()
    }
}
