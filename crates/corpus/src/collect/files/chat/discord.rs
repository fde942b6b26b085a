//! Discord: channels saved by DiscordChatExporter as JSON, and the messages of the owner's own data
//! package, which holds no words of others.

use serde_json::Value;

use super::super::talk::Said;
use super::super::{Format, Source};
use super::{Gathered, each, export, id, sniff, text};
use crate::when;

pub(in super::super) const FORMAT: Format = Format {
    name: "discord",
    about: "channels saved by DiscordChatExporter as JSON, and `messages.json` of the owner's data package",
    needs: "`corpus.voice`; nothing for a data package",
    yields: "messages",
    plain: false,
    decodes_entities: true,
    claims: |source| {
        sniff(source, "DiscordChatExporter", &["\"guild\"", "\"channel\"", "\"messages\""], &[])
            .or_else(|| sniff(source, "Discord's data package", &["\"Contents\"", "\"Timestamp\""], &[]))
    },
    read: |source: &Source<'_>| export(source, gather),
};

fn gather(export: &Value, gathered: &mut Gathered) {
    if export.get("Contents").is_some() {
        return own(export, gathered);
    }
    let mut said = Vec::new();
    for message in each(&export["messages"]) {
        let (author, words) = (&message["author"], text(message, "content"));
        match text(message, "type") {
            _ if author["isBot"] == Value::Bool(true) => gathered.drop("messages of machines", words),
            "Default" | "Reply" | "" => said.push(Said {
                who: author["nickname"].as_str().unwrap_or_else(|| text(author, "name")).to_owned(),
                also: vec![id(&author["id"]), text(author, "name").to_owned()],
                is_own: false,
                at: when::parse(text(message, "timestamp")),
                text: words.to_owned(),
            }),
            _ => gathered.drop("notices", words),
        }
    }
    gathered.conversations.push(said);
}

/// One record of the owner's package. Records come newest first, all of one channel in one file.
fn own(message: &Value, gathered: &mut Gathered) {
    if gathered.conversations.is_empty() {
        gathered.conversations.push(Vec::new());
    }
    let (at, words) = (when::parse(text(message, "Timestamp")), text(message, "Contents").to_owned());
    let said = Said { who: "the owner".to_owned(), is_own: true, at, text: words, ..Said::default() };
    if let Some(conversation) = gathered.conversations.first_mut() {
        conversation.insert(0, said);
    }
}
