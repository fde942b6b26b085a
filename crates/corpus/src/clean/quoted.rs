//! Other people's mail inside a message: `On Monday, Ann wrote:` and the lines with `>` below it.
//!
//! Only with such a line above it: a quotation by itself is something the author chose to quote.

use super::{Cleaner, Effect, Scope, Traits, lines};
use crate::edit::Edit;

const NAME: &str = "quoted mail";

/// Longest line that says who wrote.
const MAX_LINE: usize = 160;
/// Begin and end of such lines, in lower case.
const WROTE: &[(&str, &str)] = &[
    ("on ", "wrote:"),
    ("am ", "schrieb:"),
    ("le ", "a écrit :"),
    ("le ", "a écrit:"),
    ("el ", "escribió:"),
    ("op ", "schreef:"),
    ("il ", "ha scritto:"),
];
/// Lines below which everything is somebody else's, in lower case.
const REST: &[&str] =
    &["-----original message-----", "begin forwarded message:", "---------- forwarded message ---------"];

pub(super) const CLEANER: Cleaner = Cleaner {
    name: NAME,
    about: "`On Monday, Ann wrote:` with the quoted lines below it, and what follows `Original Message`",
    effect: Effect::Noise,
    scope: Scope::Passage,
    find,
};

fn find(text: &str, _: &Traits) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut done = 0;
    for (at, line) in lines(text).filter(|(_, line)| !line.is_empty()) {
        if at < done {
            continue;
        }
        if at > 0 && REST.contains(&line.trim().to_lowercase().as_str()) {
            edits.push(Edit::cut(at..text.len(), NAME));
            break;
        }
        if let Some(end) = wrote_end(&text[at..], line).and_then(|end| quoted_end(text, at + end)) {
            edits.push(Edit::cut(at..end, NAME));
            done = end;
        }
    }
    edits
}

/// Where the line ends that says who wrote; mail programs wrap it.
fn wrote_end(rest: &str, line: &str) -> Option<usize> {
    let second = rest.get(line.len() + 1..).unwrap_or_default().split('\n').next().unwrap_or_default();
    let both = line.len() + 1 + second.len();
    let says = |said: &str| {
        let said = said.trim().to_lowercase();
        said.len() <= MAX_LINE
            && WROTE.iter().any(|(begin, end)| said.starts_with(begin) && said.ends_with(end))
    };
    // Cheap before it is exact: most lines begin with none of these words.
    if !line.is_char_boundary(3) || !WROTE.iter().any(|(begin, _)| begin.eq_ignore_ascii_case(&line[..3])) {
        return None;
    }
    match () {
        () if says(line) => Some(line.len()),
        () if says(&format!("{line} {second}")) => Some(both.min(rest.len())),
        () => None,
    }
}

/// Where the quoted lines end, if there are any.
fn quoted_end(text: &str, from: usize) -> Option<usize> {
    let mut end = None;
    let start = (from + 1).min(text.len());
    for (at, line) in lines(&text[start..]) {
        match line.trim_start() {
            quoted if quoted.starts_with('>') => end = Some((start + at + line.len() + 1).min(text.len())),
            "" => {}
            _ => break,
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::CLEANER;

    #[test]
    fn quoted_mail_goes() {
        check(&CLEANER, "On Mon, 3 May 2021, Ann wrote:\n\n> Is it wet?\n> Tell me.\n\nVery.", "\nVery.");
        check(&CLEANER, "On Mon, 3 May 2021 at 10:00, Ann <a@example.org>\nwrote:\n> Wet?\nVery.", "Very.");
        check(&CLEANER, "Yes.\n\n-----Original Message-----\nFrom: Ann\nWet?", "Yes.\n\n");
        check(&CLEANER, "Am 3. Mai schrieb Ann Bee schrieb:\n> Nass?\nJa.", "Ja.");
    }

    #[test]
    fn quotations_of_choice_stay() {
        for text in ["> A quotation\n\nindeed", "On Monday she wrote:\nDear kettle", "On", "é\n> x"] {
            check(&CLEANER, text, text);
        }
    }
}
