//! Blank space nobody meant: at the ends of lines and of the text, and too many blank lines.

use super::{Cleaner, Effect, Scope, Traits};
use crate::edit::Edit;

const NAME: &str = "blank space";

/// Line feeds in a row that are kept: two blank lines mark a break in the text, more say no more.
const MAX_FEEDS: usize = 3;

pub(super) const CLEANER: Cleaner = Cleaner {
    name: NAME,
    about: "blanks at line ends and around a text, more than two blank lines; no-break spaces become spaces",
    effect: Effect::Noise,
    scope: Scope::Passage,
    find,
};

fn find(text: &str, _: &Traits) -> Vec<Edit> {
    let body = text.trim();
    let start = text.len() - text.trim_start().len();
    let end = start + body.len();
    if body.is_empty() {
        return if text.is_empty() { Vec::new() } else { vec![Edit::cut(0..text.len(), NAME)] };
    }
    let mut edits = vec![Edit::cut(0..start, NAME), Edit::cut(end..text.len(), NAME)];
    edits.retain(|edit| !edit.range.is_empty());
    edits.extend(inside(body, start));
    edits
}

/// Edits within a text that neither begins nor ends with blanks; `base` is where it begins.
fn inside(body: &str, base: usize) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut rest = 0;
    while let Some(found) = body[rest..].find(|c: char| c.is_whitespace()) {
        let start = rest + found;
        let run = body[start..].find(|c: char| !c.is_whitespace()).unwrap_or(body.len() - start);
        let blank = &body[start..start + run];
        let tidy = tidy(blank);
        if tidy != blank {
            edits.push(Edit::replace(base + start..base + start + run, tidy, NAME));
        }
        rest = start + run;
    }
    edits
}

/// A run of blanks as it should be: line feeds alone, then the indent of the last line.
fn tidy(blank: &str) -> String {
    let feeds = blank.bytes().filter(|b| *b == b'\n').count();
    let indent = blank.rsplit('\n').next().unwrap_or_default().replace('\u{a0}', " ");
    "\n".repeat(feeds.min(MAX_FEEDS)) + &indent
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::CLEANER;

    #[test]
    fn blanks_are_cut_where_they_say_nothing() {
        check(&CLEANER, "  a  \n b\t\n\n\n\n\nc \n", "a\n b\n\n\nc");
        check(&CLEANER, "a\n \n \nb", "a\n\n\nb");
        check(&CLEANER, "two  spaces.\u{a0}Kept", "two  spaces. Kept");
        check(&CLEANER, " \n\t ", "");
        check(&CLEANER, "", "");
    }
}
