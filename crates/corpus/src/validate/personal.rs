//! Personal data: addresses, numbers of telephones, cards and accounts. Found by shape, and by check
//! digits where there are any; names and streets are not found.
//!
//! By default it is only told where it is. When it is masked, the same value gets the same mark in
//! all of a document (`[email 1]`), so that who is meant stays clear and who it is does not.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::{Looked, Rule};
use crate::account::Tally;
use crate::document::{Body, Document};
use crate::edit::{self, Cut, Edit};
use crate::settings;

/// Reason of characters that were masked.
const MASKED: &str = "personal data masked";

/// What happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is not looked for.
    Off,
    /// The document carries a remark.
    Flag,
    /// A mark takes its place.
    Mask,
    /// The document is not used.
    Drop,
}

impl Action {
    /// In words.
    pub(super) fn told(self) -> &'static str {
        match self {
            Self::Off => "not looked for",
            Self::Flag => "left in; `corpus.validate.personal: mask` takes it out",
            Self::Mask => "masked",
            Self::Drop => "these are not used",
        }
    }
}

pub(super) const RULE: Rule = Rule {
    name: "personal data",
    about: "it holds an address, a number of a telephone, card or account, and `personal` says `drop`",
    settings: "`personal`",
    judge,
};

/// One kind of personal data.
struct Shape {
    name: &'static str,
    pattern: &'static str,
    /// Bytes one of which a text must hold to be searched.
    hint: &'static [u8],
    /// Whether what looks like it is it.
    is: fn(&str) -> bool,
}

/// The names of all kinds.
pub(super) fn kinds() -> impl Iterator<Item = &'static str> {
    SHAPES.iter().map(|shape| shape.name)
}

/// Every kind; of two that overlap the first counts. Borders of words are those of ASCII, which the
/// matcher finds many times as fast.
const SHAPES: &[Shape] = &[
    Shape {
        name: "email",
        pattern: r"(?i)(?-u:\b)[a-z0-9._%+\-]{1,64}@(?:[a-z0-9\-]{1,63}\.){1,8}[a-z]{2,24}(?-u:\b)",
        hint: b"@",
        is: |_| true,
    },
    Shape {
        name: "iban",
        pattern: r"(?-u:\b)[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?-u:\b)",
        hint: DIGITS,
        is: is_iban,
    },
    Shape {
        name: "card",
        pattern: r"(?-u:\b)[0-9](?:[ \-]?[0-9]){12,18}(?-u:\b)",
        hint: DIGITS,
        is: is_card,
    },
    Shape { name: "ip", pattern: r"(?-u:\b)(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?-u:\b)", hint: DIGITS, is: is_ip },
    Shape {
        name: "ip",
        pattern: r"(?i)(?-u:\b)(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}(?-u:\b)",
        hint: b":",
        is: |_| true,
    },
    Shape {
        name: "social security",
        pattern: r"(?-u:\b)[0-9]{3}-[0-9]{2}-[0-9]{4}(?-u:\b)",
        hint: b"-",
        is: is_ssn,
    },
    Shape {
        name: "phone",
        pattern: r"(?:\+|\(0|(?-u:\b)0|\(|(?-u:\b))[0-9](?:[ ()./\-]{0,2}[0-9]){8,14}(?-u:\b)",
        hint: DIGITS,
        is: is_phone,
    },
];

const DIGITS: &[u8] = b"0123456789";

static PATTERNS: LazyLock<Vec<Option<Regex>>> =
    LazyLock::new(|| SHAPES.iter().map(|shape| Regex::new(shape.pattern).ok()).collect());

/// Lists the kinds and places of personal data in a text, in order.
pub fn find(text: &str) -> Vec<(&'static str, Range<usize>)> {
    let mut found: Vec<(&'static str, Range<usize>)> = Vec::new();
    let bytes = text.as_bytes();
    for (shape, pattern) in SHAPES.iter().zip(PATTERNS.iter()) {
        let Some(pattern) = pattern.as_ref().filter(|_| bytes.iter().any(|b| shape.hint.contains(b))) else {
            continue;
        };
        for hit in pattern.find_iter(text).filter(|hit| (shape.is)(hit.as_str())) {
            let overlaps = |range: &Range<usize>| range.start < hit.end() && hit.start() < range.end;
            if !found.iter().any(|(_, range)| overlaps(range)) {
                found.push((shape.name, hit.range()));
            }
        }
    }
    found.sort_by_key(|(_, range)| range.start);
    found
}

fn digits(text: &str) -> Vec<u32> {
    text.chars().filter_map(|c| c.to_digit(10)).collect()
}

/// ISO 13616: letters are two digits, the first four characters go to the end, modulo 97 is 1.
fn is_iban(text: &str) -> bool {
    let plain: Vec<char> = text.chars().filter(|c| *c != ' ').collect();
    let turned = plain.iter().skip(4).chain(plain.iter().take(4));
    let rest = turned.fold(0u32, |rest, c| match c.to_digit(36) {
        Some(n) if n < 10 => (rest * 10 + n) % 97,
        Some(n) => (rest * 100 + n) % 97,
        None => rest,
    });
    (15..=34).contains(&plain.len()) && rest == 1
}

/// H. P. Luhn's check digit, and a first digit that a card network has.
fn is_card(text: &str) -> bool {
    let digits = digits(text);
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(n, digit)| match n % 2 {
            0 => *digit,
            _ => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    sum.is_multiple_of(10) && digits.first().is_some_and(|first| (2..=6).contains(first))
}

/// Four numbers of a byte each; `1.2.3.4` is the number of a chapter or version.
fn is_ip(text: &str) -> bool {
    let parts: Vec<Option<u8>> = text.split('.').map(|part| part.parse().ok()).collect();
    parts.iter().all(Option::is_some)
        && parts.iter().flatten().any(|part| *part > 9)
        && parts.first() != Some(&Some(0))
}

fn is_ssn(text: &str) -> bool {
    !(text.starts_with("000") || text.starts_with("666") || text.starts_with('9') || text.ends_with("0000"))
}

/// Begins as telephone numbers do, or is grouped as they are; years and dates are not.
fn is_phone(text: &str) -> bool {
    let n_digits = digits(text).len();
    let groups: Vec<&str> =
        text.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty()).collect();
    let is_year = |group: &&str| group.len() == 4 && (group.starts_with("19") || group.starts_with("20"));
    let begins = text.starts_with(['+', '(']) || text.starts_with('0');
    let is_american = matches!(groups.as_slice(), [a, b, c] if a.len() == 3 && b.len() == 3 && c.len() == 4)
        || matches!(groups.as_slice(), ["1", a, b, c] if a.len() == 3 && b.len() == 3 && c.len() == 4);
    (9..=15).contains(&n_digits) && !groups.iter().any(is_year) && (begins || is_american)
}

/// The data of a document by kind, how often each.
pub(super) fn found(document: &Document, settings: &settings::Validate) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    if settings.personal != Action::Off {
        for (kind, _) in document.texts().flat_map(find) {
            *counts.entry(kind).or_default() += 1;
        }
    }
    counts
}

fn judge(looked: &Looked<'_>) -> Option<String> {
    if looked.settings.personal != Action::Drop {
        return None;
    }
    let counts = found(looked.document, looked.settings);
    let told: Vec<String> = counts.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// Flags or masks what was found.
pub(super) fn treat(
    document: &mut Document,
    found: &BTreeMap<&'static str, usize>,
    settings: &settings::Validate,
    tally: &mut Tally,
    cuts: &mut BTreeMap<String, Cut>,
) {
    if found.is_empty() {
        return;
    }
    match settings.personal {
        Action::Off | Action::Drop => {}
        Action::Flag => document.flags.extend(found.keys().map(|kind| format!("personal data: {kind}"))),
        Action::Mask => mask(document, tally, cuts),
    }
}

fn mask(document: &mut Document, tally: &mut Tally, cuts: &mut BTreeMap<String, Cut>) {
    let mut marks: BTreeMap<(&'static str, String), usize> = BTreeMap::new();
    let mut masked = |text: &mut String| {
        let mut edits = Vec::new();
        for (kind, range) in find(text) {
            let next = marks.keys().filter(|(known, _)| *known == kind).count() + 1;
            let number = *marks.entry((kind, text[range.clone()].to_owned())).or_insert(next);
            edits.push(Edit::replace(range, format!("[{kind} {number}]"), MASKED));
        }
        // Samples of what was cut would keep what was to go.
        let mut edited = edit::apply(text, edits);
        edited.cuts.iter_mut().for_each(|cut| cut.sample.clear());
        tally.absorb(&edited.cuts);
        edit::merge(cuts, &edited.cuts);
        *text = edited.text;
    };
    match &mut document.body {
        Body::Text(text) => masked(text),
        Body::Turns(turns) => turns.iter_mut().for_each(|turn| masked(&mut turn.text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Kind, Speaker, Turn};
    use crate::validate::{Judge, Verdicts};

    fn check(text: &str, expected: &[(&str, &str)]) {
        let found: Vec<_> = find(text).into_iter().map(|(kind, range)| (kind, &text[range])).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn data_is_found_by_shape_and_check_digit() {
        check("write to o.peck+lift@example.co.uk.", &[("email", "o.peck+lift@example.co.uk")]);
        check("pay 4111 1111 1111 1111 now", &[("card", "4111 1111 1111 1111")]);
        check("pay 4111 1111 1111 1112 now", &[]);
        check(
            "GB82 WEST 1234 5698 7654 32 or DE89370400440532013000",
            &[("iban", "GB82 WEST 1234 5698 7654 32"), ("iban", "DE89370400440532013000")],
        );
        check("GB82 WEST 1234 5698 7654 33", &[]);
        check("from 192.168.10.4, section 1.2.3.4, 10.300.1.1", &[("ip", "192.168.10.4")]);
        check(
            "call +44 20 7946 0958 or (555) 010-9999 or 555-867-5309",
            &[("phone", "+44 20 7946 0958"), ("phone", "(555) 010-9999"), ("phone", "555-867-5309")],
        );
        check("social 123-45-6789", &[("social security", "123-45-6789")]);
    }

    #[test]
    fn numbers_of_other_sorts_stay() {
        for text in [
            "from 1914-1918 and 1939-1945",
            "on 2021-05-03 at 10:00:00",
            "ISBN 978-3-16-148410-0",
            "3.141592653589793",
            "1,234,567,890 kettles",
            "@handle and user@localhost",
            "1984 2001 2010",
        ] {
            check(text, &[]);
        }
    }

    fn talk() -> Document {
        let turn = |speaker, text: &str| Turn { speaker, text: text.to_owned() };
        let turns = vec![
            turn(Speaker::Other, "Is it a@x.org or b@x.org?"),
            turn(Speaker::Voice, "b@x.org, I should say."),
        ];
        Document::new("p", 0, Kind::Dialogue, None, Body::Turns(turns))
    }

    fn treated(personal: Action) -> (Document, Tally, BTreeMap<String, Cut>) {
        let settings = settings::Validate { personal, ..Default::default() };
        let (mut document, mut tally, mut cuts) = (talk(), Tally::default(), BTreeMap::new());
        let judge = Judge::new(&settings).unwrap();
        judge.judge(&mut document, &mut Verdicts::default(), &mut tally, &mut cuts);
        (document, tally, cuts)
    }

    #[test]
    fn the_same_value_gets_the_same_mark() {
        let (document, tally, cuts) = treated(Action::Mask);
        let texts: Vec<&str> = document.texts().collect();
        assert_eq!(texts, ["Is it [email 1] or [email 2]?", "[email 2], I should say."]);
        assert_eq!(document.given + tally.added, document.chars() + tally.dropped_chars());
        assert!(cuts.values().all(|cut| !cut.sample.contains("x.org")), "{cuts:?}");
    }

    #[test]
    fn it_is_flagged_or_dropped_when_asked() {
        assert_eq!(treated(Action::Flag).0.flags, ["personal data: email"]);
        let dropped = crate::document::Fate::Dropped("rejected: personal data".into());
        assert_eq!(treated(Action::Drop).0.fate, dropped);
        assert_eq!(treated(Action::Off).0, talk());
    }

    #[test]
    fn every_pattern_is_one() {
        assert!(PATTERNS.iter().all(Option::is_some));
    }
}
