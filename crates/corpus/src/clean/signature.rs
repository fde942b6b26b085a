//! What a mail program puts below a message.
//!
//! `crate::collect` tells signatures in mail apart by itself; this is for messages that came as
//! text: pasted, exported to JSON, copied from a forum. A name below a letter is no signature.

use super::{Cleaner, Effect, Scope, Traits, lines};
use crate::edit::Edit;

const NAME: &str = "signatures";

/// Lines a signature may have below its mark.
const MAX_LINES: usize = 8;
/// Longest of them, in characters.
const MAX_WIDTH: usize = 80;
/// What telephones write below a message, in lower case.
const DEVICES: &[&str] = &[
    "sent from my android",
    "sent from my blackberry",
    "sent from my galaxy",
    "sent from my huawei",
    "sent from my ipad",
    "sent from my iphone",
    "sent from my mobile",
    "sent from my phone",
    "sent from my pixel",
    "sent from my samsung",
    "sent from my verizon",
    "sent from mail for windows",
    "sent from yahoo mail",
    "sent via ",
    "get outlook for ",
    "von meinem iphone gesendet",
    "gesendet von mein",
    "envoyé de mon ",
    "enviado desde mi ",
    "verstuurd vanaf mijn ",
    "inviato da ",
];

pub(super) const CLEANER: Cleaner = Cleaner {
    name: NAME,
    about: "what follows a line `-- ` at the end of a message, and `Sent from my phone`",
    effect: Effect::Noise,
    scope: Scope::Passage,
    find,
};

fn find(text: &str, _: &Traits) -> Vec<Edit> {
    let body = text.trim_end();
    let last = body.rfind('\n').map_or(0, |at| at + 1);
    if last > 0 && is_device(&body[last..]) {
        return vec![Edit::cut(body[..last].trim_end().len()..text.len(), NAME)];
    }
    let mark = lines(text).filter(|(at, line)| *at > 0 && is_mark(line, &text[*at..])).last();
    let Some((at, line)) = mark else { return Vec::new() };
    let below: Vec<&str> =
        text[at + line.len()..].split('\n').skip(1).filter(|l| !l.trim().is_empty()).collect();
    let is_short = below.len() <= MAX_LINES && below.iter().all(|line| line.chars().count() <= MAX_WIDTH);
    if is_short { vec![Edit::cut(at - 1..text.len(), NAME)] } else { Vec::new() }
}

fn is_device(line: &str) -> bool {
    let line = line.trim().to_lowercase();
    line.len() < MAX_WIDTH && DEVICES.iter().any(|words| line.starts_with(words))
}

/// `-- ` as RFC 3676 has it, or `--` above what is plainly an address.
fn is_mark(line: &str, from_here: &str) -> bool {
    line == "-- " || (line == "--" && (from_here.contains('@') || from_here.contains("://")))
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::CLEANER;

    #[test]
    fn signatures_go() {
        check(&CLEANER, "Yes.\n\nOrla\n-- \nO. Peck\nLift attendant\n", "Yes.\n\nOrla");
        check(&CLEANER, "Yes.\n--\nO. Peck <o@example.org>", "Yes.");
        check(&CLEANER, "On my way.\n\nSent from my iPhone\n", "On my way.");
    }

    #[test]
    fn dashes_and_names_stay() {
        for text in ["Yes.\n--\nand then he left", "Mind the doors.\n- O. Peck", "So.\nSent from my heart"] {
            check(&CLEANER, text, text);
        }
        let long = format!("a\n-- \n{}", "line\n".repeat(20));
        check(&CLEANER, &long, &long);
    }
}
