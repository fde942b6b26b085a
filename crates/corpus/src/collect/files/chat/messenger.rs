//! Messenger and Instagram: `message_1.json` of a data download.
//!
//! These downloads write each byte of a text as a character of its own (`\u00c3\u00a9` for `é`);
//! a text that can be read the other way round is.

use serde_json::Value;

use super::super::talk::Said;
use super::super::{Format, Source};
use super::{Gathered, each, export, id, sniff, text};
use crate::when;

pub(in super::super) const FORMAT: Format = Format {
    name: "messenger",
    about: "`message_1.json` of a Messenger or Instagram download",
    needs: "`corpus.voice`",
    yields: "messages",
    plain: false,
    decodes_entities: true,
    claims: |source| sniff(source, "Messenger and Instagram", &["\"sender_name\"", "\"timestamp_ms\""], &[]),
    read: |source: &Source<'_>| export(source, gather),
};

fn gather(export: &Value, gathered: &mut Gathered) {
    let mut said = Vec::new();
    for message in each(&export["messages"]) {
        let words = mended(text(message, "content"));
        if message.get("share").is_some() || message["is_unsent"] == Value::Bool(true) {
            gathered.drop("forwarded messages", &words);
            continue;
        }
        let at = when::parse(&id(&message["timestamp_ms"]));
        said.push(Said { who: mended(text(message, "sender_name")), at, text: words, ..Said::default() });
    }
    // Newest first.
    if said.first().map(|said| said.at) > said.last().map(|said| said.at) {
        said.reverse();
    }
    gathered.conversations.push(said);
}

/// A text whose characters are the bytes of another, as that other.
fn mended(text: &str) -> String {
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| text.to_owned())
}
