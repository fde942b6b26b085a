//! How wide the terminal is.

use std::io::{self, IsTerminal};

use rustyline::config::Behavior;
use rustyline::{Config, DefaultEditor};

/// Columns where there is no terminal to ask: what is read in a log or a mail.
const ELSEWHERE: usize = 100;

/// Lines longer than this are tiring to read, however wide the terminal.
const WIDEST: usize = 110;

/// Columns a line may have.
pub(crate) fn columns() -> usize {
    if !io::stdout().is_terminal() && !io::stderr().is_terminal() {
        return ELSEWHERE;
    }
    // The line editor asks the terminal itself, so the answer holds when one stream is redirected.
    let config = Config::builder().behavior(Behavior::PreferTerm).build();
    let asked = DefaultEditor::with_config(config).ok().and_then(|mut editor| editor.dimensions());
    asked.map_or(ELSEWHERE, |(columns, _)| usize::from(columns).clamp(40, WIDEST))
}
