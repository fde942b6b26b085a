//! How wide the terminal is.

use std::io::IsTerminal;

use rustyline::config::Behavior;
use rustyline::{Config, DefaultEditor};

/// Columns of a terminal that does not say.
const UNKNOWN: usize = 80;

/// Lines longer than this are tiring to read, however wide the terminal.
const WIDEST: usize = 110;

/// Columns a line of this stream may have. What is no terminal is searched by programs, so nothing
/// is broken there.
pub(crate) fn of(stream: &impl IsTerminal) -> usize {
    if !stream.is_terminal() {
        return usize::MAX;
    }
    // The line editor asks the terminal itself, so the answer holds when one stream is redirected.
    let config = Config::builder().behavior(Behavior::PreferTerm).build();
    let asked = DefaultEditor::with_config(config).ok().and_then(|mut editor| editor.dimensions());
    asked.map_or(UNKNOWN, |(columns, _)| usize::from(columns).clamp(40, WIDEST))
}
