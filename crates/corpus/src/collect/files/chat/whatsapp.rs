//! WhatsApp: `_chat.txt` and `WhatsApp Chat with ….txt`, from either kind of telephone.
//!
//! The shape of a date depends on the language of the telephone. Which of two numbers is the month
//! is told by the whole file: a number above 12 is a day.

use std::ops::Range;

use regex::Regex;

use super::super::partition::Partition;
use super::super::talk::{Said, tell};
use super::super::{Claim, Format, Reading, Source, claim};
use super::STRENGTH;
use crate::clean::lines;
use crate::when;

pub(in super::super) const FORMAT: Format = Format {
    name: "whatsapp",
    about: "`_chat.txt` of WhatsApp, from iPhone and Android, without media or with",
    needs: "`corpus.voice`",
    yields: "messages",
    plain: false,
    decodes_entities: true,
    claims,
    read,
};

/// Lines looked at to recognise an export.
const SNIFFED: usize = 40;
/// Messages from which a text is taken for an export.
const MIN_MESSAGES: usize = 3;
/// A date, a time and who: `[31/01/2024, 12:30:05] Ann: ` and `1/31/24, 9:05 PM - Ann: `.
const HEAD: &str = concat!(
    r"^[\u{200e}\u{200f}\u{feff}]*\[?(?P<a>\d{1,4})[./-](?P<b>\d{1,2})[./-](?P<c>\d{2,4}),?\s+",
    r"(?P<clock>\d{1,2}[:.]\d{2}(?:[:.]\d{2})?)[\s\u{202f}]*(?P<half>[AaPp]\.?\s?[Mm]\.?)?",
    r"(?:\]|\s[-\u{2013}])\s+(?P<rest>.*)$"
);
/// A name has at most so many bytes; longer ones are the words of a notice that hold a colon.
const MAX_NAME: usize = 80;

/// Bodies that stand for what was not exported.
const LEFT_OUT: &[&str] = &[
    "<media omitted>",
    "image omitted",
    "video omitted",
    "audio omitted",
    "sticker omitted",
    "gif omitted",
    "document omitted",
    "contact card omitted",
    "this message was deleted",
    "this message was deleted.",
    "you deleted this message",
    "you deleted this message.",
    "null",
];

struct Head<'a> {
    date: [&'a str; 3],
    clock: &'a str,
    half: &'a str,
    /// Where what follows the time begins, in bytes of the line.
    rest: usize,
}

fn head<'a>(pattern: &Regex, line: &'a str) -> Option<Head<'a>> {
    // Cheap before exact: every head begins with a digit, a bracket or a mark of direction.
    if !line.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '[' | '\u{200e}' | '\u{200f}')) {
        return None;
    }
    let found = pattern.captures(line)?;
    let group = |name| found.name(name).map_or("", |group| group.as_str());
    let rest = found.name("rest").map_or(line.len(), |group| group.start());
    Some(Head {
        date: [group("a"), group("b"), group("c")],
        clock: group("clock"),
        half: group("half"),
        rest,
    })
}

fn claims(source: &Source<'_>) -> Option<Claim> {
    let pattern = Regex::new(HEAD).ok()?;
    let is_message =
        |line: &str| head(&pattern, line).is_some_and(|head| speaker(&line[head.rest..]).is_some());
    let n = lines(source.text).take(SNIFFED).filter(|(_, line)| is_message(line)).count();
    (n >= MIN_MESSAGES).then(|| claim(STRENGTH, "its lines are those of WhatsApp")).flatten()
}

/// The name a message begins with, and where its words begin.
fn speaker(rest: &str) -> Option<(&str, usize)> {
    let (name, _) = rest.split_once(": ").or_else(|| rest.strip_suffix(':').map(|name| (name, "")))?;
    let is_name = !name.is_empty() && name.len() <= MAX_NAME;
    is_name.then_some((name, (name.len() + 2).min(rest.len())))
}

/// A message before its text is put together.
struct Message {
    who: String,
    at: [i64; 4],
    words: Range<usize>,
}

fn read(source: &Source<'_>) -> Reading {
    let mut reading = Reading::default();
    let Ok(pattern) = Regex::new(HEAD) else { return reading.nothing(source) };
    let mut partition = Partition::new(source.text);
    let messages = messages(&pattern, source.text, &mut partition, &mut reading);
    let is_month_first = is_month_first(&messages);
    let said = messages.into_iter().map(|message| Said {
        at: at(message.at, is_month_first),
        text: source.text[message.words].to_owned(),
        who: message.who,
        ..Said::default()
    });
    tell(source, said.collect(), &mut reading);
    reading
}

fn messages(
    pattern: &Regex,
    text: &str,
    partition: &mut Partition<'_>,
    reading: &mut Reading,
) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let mut gathered: Vec<(Range<usize>, Option<&'static str>, Option<Message>)> = Vec::new();
    for (start, line) in lines(text) {
        let end = start + line.len();
        let Some(head) = head(pattern, line) else {
            match gathered.last_mut() {
                Some((range, _, _)) => range.end = end,
                None => gathered.push((start..end, Some("before the first turn"), None)),
            }
            continue;
        };
        match speaker(&line[head.rest..]) {
            Some((who, words)) => {
                let message = Message { who: who.to_owned(), at: numbers(&head), words: 0..0 };
                gathered.push((start + head.rest + words..end, None, Some(message)));
            }
            None => gathered.push((start..end, Some("notices"), None)),
        }
    }
    for (range, reason, message) in gathered {
        let words = super::super::partition::trimmed(text, range.clone());
        let reason = reason.or(is_left_out(&text[words.clone()]).then_some("media left out of the export"));
        match (reason, message) {
            (None, Some(message)) => {
                partition.keep(range);
                messages.push(Message { words, ..message });
            }
            (reason, _) => partition.drop(range, reason.unwrap_or("notices")),
        }
    }
    let rest = std::mem::replace(partition, Partition::new(""));
    reading.tally.merge(&rest.finish());
    messages
}

fn is_left_out(words: &str) -> bool {
    let plain = words.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{200e}' | '\u{200f}'));
    let lower = plain.to_lowercase();
    LEFT_OUT.contains(&lower.as_str())
        || lower.starts_with("messages and calls are end-to-end encrypted")
        || (lower.starts_with("<attached: ") && lower.ends_with('>'))
        || (lower.ends_with("(file attached)") && !lower.contains('\n'))
}

/// The three numbers of a date as they stand, and seconds since midnight.
fn numbers(head: &Head<'_>) -> [i64; 4] {
    let [a, b, c] = head.date.map(|n| n.parse().unwrap_or(0));
    let clock = when::clock_seconds(&head.clock.replace('.', ":")).unwrap_or(0);
    let hour = clock / 3600;
    let clock = match head.half.chars().next().map(|c| c.to_ascii_lowercase()) {
        Some('p') if hour < 12 => clock + 12 * 3600,
        Some('a') if hour == 12 => clock - 12 * 3600,
        _ => clock,
    };
    [a, b, c, clock]
}

fn is_month_first(messages: &[Message]) -> bool {
    messages.iter().any(|m| m.at[1] > 12) && !messages.iter().any(|m| m.at[0] > 12 && m.at[0] < 32)
}

fn at([a, b, c, clock]: [i64; 4], is_month_first: bool) -> Option<i64> {
    let (year, month, day) = match (a > 31, is_month_first) {
        (true, _) => (a, b, c),
        (false, true) => (c, a, b),
        (false, false) => (c, b, a),
    };
    let year = if year < 100 { year + 2000 } else { year };
    when::days(year, month, day).map(|days| days * 86_400 + clock)
}
