//! Whether what an engine found is text a person can use, and if not, why not.

use super::child::{Answer, Fault, SECONDS};
use crate::issue::{Code, Severity};

/// What to do about a lock.
pub(super) const LOCKED: &str = "the PDF needs a password: put it into the variable PENNAME_PDF_PASSWORDS (several: one a line), or save a copy without one";
/// Letters below which a page is empty.
const MIN_LETTERS: usize = 12;
/// Share of characters that are no letters, digits, blanks or marks from which text is rubble.
const MAX_ODD: f64 = 0.15;
/// Share of letters of scripts that run from right to left from which their order is in doubt.
const RIGHT_TO_LEFT: f64 = 0.2;
/// Pages named one by one.
const MAX_PAGES: usize = 8;

/// What is found, and how much it costs.
type Note = (Code, Severity, String);

/// Notes about a text that can be used, or why it cannot.
pub(super) fn of(answer: &Answer) -> Result<Vec<Note>, (Code, String)> {
    let n = answer.pages.len();
    if n == 0 {
        return Err((Code::Pdf, "the PDF has no pages".to_owned()));
    }
    let is_empty =
        |page: &&String| page.chars().filter(|c| c.is_alphanumeric()).take(MIN_LETTERS).count() < MIN_LETTERS;
    let n_empty = answer.pages.iter().filter(is_empty).count();
    let scanned: Vec<usize> = answer
        .pages
        .iter()
        .zip(&answer.pictures)
        .enumerate()
        .filter(|(_, (page, picture))| **picture && is_empty(page))
        .map(|(idx, _)| idx + 1)
        .collect();
    if n_empty == n {
        return Err(match scanned.len() {
            0 => (Code::Empty, format!("none of its {n} pages holds text")),
            _ => (
                Code::Scanned,
                format!(
                    "its {n} pages are pictures: have the text recognised first, for example by ocrmypdf"
                ),
            ),
        });
    }
    let rubble = rubble(answer);
    let told = answer.pages.iter().zip(&rubble).filter(|(_, bad)| !**bad);
    let whole: String = told.map(|(page, _)| page.as_str()).collect();
    if whole.trim().is_empty() {
        let why = "the words cannot be told: its fonts do not say which letters they draw";
        return Err((Code::Pdf, why.to_owned()));
    }
    let mut notes = Vec::new();
    let bad: Vec<usize> =
        rubble.iter().enumerate().filter(|(_, bad)| **bad).map(|(idx, _)| idx + 1).collect();
    if !bad.is_empty() {
        let n_bad = bad.len();
        let detail =
            format!("on {n_bad} of {n} pages the fonts do not say which letters they draw: {}", shown(&bad));
        notes.push((Code::Pdf, Severity::Part, detail));
    }
    if !scanned.is_empty() {
        let detail = format!("{} of {n} pages are pictures without text: {}", scanned.len(), shown(&scanned));
        notes.push((Code::Scanned, Severity::Part, detail));
    }
    if right_to_left(&whole) > RIGHT_TO_LEFT {
        let detail = "written from right to left: the order of the words may be wrong, read a page of it";
        notes.push((Code::Pdf, Severity::Note, detail.to_owned()));
    }
    Ok(notes)
}

/// For each page, whether its words cannot be told.
pub(super) fn rubble(answer: &Answer) -> Vec<bool> {
    answer.pages.iter().map(|page| odd(page) > MAX_ODD).collect()
}

fn shown(pages: &[usize]) -> String {
    let names: Vec<String> = pages.iter().take(MAX_PAGES).map(ToString::to_string).collect();
    let more = if pages.len() > MAX_PAGES { ", …" } else { "" };
    names.join(", ") + more
}

/// Share of characters that no writing holds in numbers.
fn odd(text: &str) -> f64 {
    let (mut n, mut odd) = (0usize, 0usize);
    for c in text.chars().filter(|c| !c.is_whitespace()) {
        n += 1;
        let is_private = matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{fffd}' | '\u{f0000}'..);
        odd += usize::from(is_private || c.is_control());
    }
    if n == 0 { 0.0 } else { odd as f64 / n as f64 }
}

fn right_to_left(text: &str) -> f64 {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let turned = text
        .chars()
        .filter(|c| matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}'))
        .count();
    if letters == 0 { 0.0 } else { turned as f64 / letters as f64 }
}

/// A fault of an engine, as a verdict on the file.
pub(super) fn fault(fault: &Fault) -> (Code, String) {
    match fault {
        Fault::Damaged(why) => (Code::Pdf, format!("the PDF is broken: {why}")),
        Fault::Slow => (Code::Pdf, format!("reading the PDF took longer than {SECONDS} s and was stopped")),
        Fault::Fell(status) => (
            Code::Pdf,
            format!("the engine did not survive the PDF ({status}): it is broken or wants too much memory"),
        ),
        Fault::NoChild(why) => (Code::Unreadable, format!("no process could be started to read it: {why}")),
        Fault::Locked => (Code::Locked, LOCKED.to_owned()),
        Fault::NoHost => (Code::Unsupported, super::child::NO_HOST.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(pages: &[(&str, bool)]) -> Answer {
        let texts = pages.iter().map(|(text, _)| (*text).to_owned()).collect();
        Answer::found(texts, pages.iter().map(|(_, picture)| *picture).collect())
    }

    #[test]
    fn pages_are_judged_by_what_is_on_them() {
        let told = |pages: &[(&str, bool)]| match of(&answer(pages)) {
            Ok(notes) => notes
                .into_iter()
                .map(|(code, _, why)| format!("{code:?}: {why}"))
                .collect::<Vec<_>>()
                .join("; "),
            Err((code, why)) => format!("{code:?}! {why}"),
        };
        let text = "The kettle sings at night.";
        assert_eq!(told(&[(text, false), ("12", false)]), "");
        assert_eq!(
            told(&[(text, false), ("12", true)]),
            "Scanned: 1 of 2 pages are pictures without text: 2"
        );
        assert_eq!(
            told(&[("", true)]),
            "Scanned! its 1 pages are pictures: have the text recognised first, for example by ocrmypdf"
        );
        assert_eq!(told(&[("", false)]), "Empty! none of its 1 pages holds text");
        assert_eq!(told(&[]), "Pdf! the PDF has no pages");
        assert!(
            told(&[(&format!("{text}{}", "\u{fffd}".repeat(9)), false)])
                .starts_with("Pdf! the words cannot be told")
        );
        assert!(told(&[("שלום לכולם מהקומקום", false)]).contains("from right to left"));
    }
}
