//! Mail: mbox files and single messages, whose threads become dialogues and whose first letters
//! become posts with their subject as title.
//!
//! A message is a stream of bytes with encodings of its own, so the text of a mailbox is its bytes,
//! one character each, and what is read of it is counted against them. Attachments are not opened.

mod body;
mod thread;

use mail_parser::MessageParser;

use self::body::{Part, parts};
use super::open::{self, Opened, Opener};
use super::talk::Voices;
use super::{Format, Reading, Source};
use crate::Settings;
use crate::issue::{Code, Issue, Severity};

/// Bytes looked at to recognise a mailbox.
const SNIFFED: usize = 4096;
/// Reason for everything that is no text of a message.
const MACHINERY: &str = "mail headers, markup and attachments";
/// Labels under which mail is nobody's writing.
const UNWANTED: &[&str] = &["Spam", "Trash", "Promotions"];

pub(super) const FORMAT: Format = Format {
    name: "mail",
    about: "mailboxes (.mbox) and messages (.eml); quoted mail and signatures are told apart",
    needs: "`corpus.voice`, unless the mailbox holds sent mail only",
    yields: "mail of the voice",
    plain: false,
    decodes_entities: true,
    claims: |_| None,
    read,
};

pub(super) const OPENER: Opener = Opener { takes, open };

fn takes(name: &str, bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(SNIFFED)];
    let has = |word: &[u8]| head.windows(word.len()).any(|window| window == word);
    let named = matches!(super::extension(name).as_str(), "mbox" | "mbx" | "eml");
    named || (head.starts_with(b"From ") && has(b"\nFrom: ") && has(b"\nDate: "))
}

fn open(bytes: &[u8], _: &Settings) -> open::Result {
    let text = bytes.iter().map(|byte| char::from(*byte)).collect();
    Ok(Opened::made(text, "bytes", (&FORMAT, "it is a mailbox")))
}

/// One message, as far as it matters.
#[derive(Debug, Default)]
struct Mail {
    id: String,
    /// Messages it answers, the nearest first.
    answers: Vec<String>,
    who: String,
    also: Vec<String>,
    is_own: bool,
    at: Option<i64>,
    subject: String,
    parts: Vec<Part>,
}

fn read(source: &Source<'_>) -> Reading {
    let mut reading = Reading::default();
    let bytes: Vec<u8> = match source.text.chars().all(|c| u32::from(c) < 256) {
        true => source.text.chars().map(|c| c as u8).collect(),
        false => source.text.as_bytes().to_vec(),
    };
    let voices = Voices::of(source.settings);
    let is_sent = is_sent_box(source.path);
    let mut mails = Vec::new();
    let mut n_broken = 0;
    for message in messages(&bytes) {
        match mail(message, &voices, is_sent) {
            Some(Ok(mail)) => mails.push(mail),
            Some(Err(())) => n_broken += 1,
            None => {}
        }
    }
    if n_broken > 0 {
        let detail = format!("{n_broken} messages cannot be read as mail");
        reading.issues.push(Issue::new(source.path, Code::Mail, Severity::Part, detail));
    }
    thread::tell(source, mails, &mut reading);
    reading.close(source.text, MACHINERY);
    reading
}

/// Whether a mailbox is by its name one of sent mail.
fn is_sent_box(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    matches!(name.split('.').next(), Some("sent" | "sent mail" | "sent messages" | "sent items"))
}

/// The messages of a mailbox: each begins at a line `From `, after a blank one. A file without such
/// a line is one message.
fn messages(bytes: &[u8]) -> Vec<&[u8]> {
    let mut starts = Vec::new();
    let (mut at, mut after_blank) = (0, true);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if after_blank && line.starts_with(b"From ") {
            starts.push((at, at + line.len()));
        }
        after_blank = line.iter().all(u8::is_ascii_whitespace);
        at += line.len();
    }
    if starts.is_empty() {
        return vec![bytes];
    }
    let ends = starts.iter().skip(1).map(|(start, _)| *start).chain([bytes.len()]);
    starts.iter().zip(ends).map(|((_, body), end)| &bytes[*body..end]).collect()
}

/// Whether bytes have anything of the head of a mail.
fn is_mail(message: &mail_parser::Message<'_>) -> bool {
    message.from().is_some() || message.subject().is_some() || message.date().is_some()
}

/// Reads one message; nothing where it is mail nobody wanted, an error where it is no mail.
fn mail(bytes: &[u8], voices: &Voices, is_sent: bool) -> Option<Result<Mail, ()>> {
    let Some(message) = MessageParser::default().parse(bytes).filter(is_mail) else {
        return Some(Err(()));
    };
    let labels = message.header_raw("X-Gmail-Labels").unwrap_or_default().to_owned();
    let has = |label: &str| labels.split(',').any(|given| given.trim().trim_matches('"') == label);
    if UNWANTED.iter().any(|label| has(label)) {
        return None;
    }
    let sender = message.from().and_then(|from| from.first());
    let address = sender.and_then(|sender| sender.address()).unwrap_or_default().to_owned();
    let name = sender.and_then(|sender| sender.name()).unwrap_or_default().to_owned();
    let is_own = is_sent || has("Sent") || voices.has(&name, std::slice::from_ref(&address));
    let answered = |value: &mail_parser::HeaderValue<'_>| -> Vec<String> {
        value.as_text_list().map(|list| list.iter().map(ToString::to_string).collect()).unwrap_or_default()
    };
    let mut answers = answered(message.in_reply_to());
    answers.extend(answered(message.references()).into_iter().rev());
    let text = message.body_text(0).unwrap_or_default().replace("\r\n", "\n");
    Some(Ok(Mail {
        id: message.message_id().unwrap_or_default().to_owned(),
        answers,
        who: if name.is_empty() { address.clone() } else { name },
        also: vec![address],
        is_own,
        at: message.date().map(mail_parser::DateTime::to_timestamp),
        subject: message.subject().unwrap_or_default().trim().to_owned(),
        parts: parts(&text),
    }))
}

#[cfg(test)]
mod tests;
