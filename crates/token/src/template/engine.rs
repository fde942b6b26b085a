//! minijinja, set up to behave as `transformers` sets up Jinja.

use std::io::{self, Write};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{AutoEscape, Environment, Error as JinjaError, ErrorKind, State, Value};
use penname_ledger::Timestamp;

use super::{date, json, mark};
use crate::error::{Error, Result};
use crate::message::{Message, Role};

const NAME: &str = "chat";
/// Prefix that tells a template's own refusal from a failure.
const RAISED: &str = "raised by template: ";

/// What one rendering may use up.
pub(super) struct Budget {
    steps: u64,
    bytes: usize,
}

impl Budget {
    /// Enough for any real template on this conversation, little for a hostile one.
    pub(super) fn of(messages: &[Message]) -> Self {
        let bytes: usize = messages.iter().map(|m| m.content.len()).sum();
        Self { steps: 2_000_000 + 50_000 * messages.len() as u64, bytes: (1 << 20) + 8 * bytes }
    }
}

/// An environment that holds this one template and can reach nothing else.
pub(super) fn environment(source: &str) -> Result<Environment<'static>> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.map_err(|e| failure(&e))?);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("raise_exception", raise_exception);
    environment.add_filter("tojson", to_json);
    environment.add_filter(mark::FILTER, mark_generated);
    environment.add_template_owned(NAME, mark::rewrite(source)).map_err(|e| failure(&e))?;
    Ok(environment)
}

/// Defines `strftime_now` to give one fixed date.
pub(super) fn pin_date(environment: &mut Environment<'static>, at: Timestamp) {
    environment.add_function("strftime_now", move |format: &str| date::format(at, format));
}

/// One message as templates read it.
pub(super) fn turn(role: Role, content: String) -> Value {
    minijinja::context! { role => role.name(), content => content }
}

/// Runs the template within its budget.
pub(super) fn run(environment: &Environment<'_>, context: Value, budget: Budget) -> Result<String> {
    let mut environment = environment.clone();
    environment.set_fuel(Some(budget.steps));
    let mut output = Bounded { bytes: Vec::new(), limit: budget.bytes };
    environment
        .get_template(NAME)
        .and_then(|template| template.render_captured_to(context, &mut output).map(|_| ()))
        .map_err(|e| failure(&e))?;
    String::from_utf8(output.bytes)
        .map_err(|_| Error::Template { line: None, cause: "wrote text that is not UTF-8".to_owned() })
}

/// Takes output up to a limit, then fails.
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(io::Error::other(format!("wrote more than {} bytes", self.limit)));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn failure(error: &JinjaError) -> Error {
    let line = error.line();
    let detail = error.detail().map(str::to_owned).unwrap_or_else(|| error.kind().to_string());
    if let Some(message) = detail.strip_prefix(RAISED) {
        return Error::Raised { line, message: message.to_owned() };
    }
    let cause = match std::error::Error::source(error) {
        Some(source) => format!("{}: {detail}: {source}", error.kind()),
        None if error.detail().is_some() => format!("{}: {detail}", error.kind()),
        None => detail,
    };
    Error::Template { line, cause }
}

fn raise_exception(message: &str) -> std::result::Result<Value, JinjaError> {
    Err(JinjaError::new(ErrorKind::InvalidOperation, format!("{RAISED}{message}")))
}

fn mark_generated(state: &State, text: &str) -> String {
    let mark = |name| state.lookup(name).map(|mark| mark.to_string()).unwrap_or_default();
    format!("{}{text}{}", mark(mark::OPEN), mark(mark::CLOSE))
}

fn to_json(value: &Value, options: Kwargs) -> std::result::Result<String, JinjaError> {
    let indent: Option<Value> = options.get("indent")?;
    let width =
        indent.filter(|indent| indent.kind() == ValueKind::Number).and_then(|indent| indent.as_usize());
    // The other options of Python's `json.dumps` change nothing for text.
    for name in ["ensure_ascii", "sort_keys", "separators"] {
        let _: Option<Value> = options.get(name)?;
    }
    options.assert_all_used()?;
    json::write(value, width)
}
