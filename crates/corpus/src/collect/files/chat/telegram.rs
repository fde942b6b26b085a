//! Telegram: `result.json` of Telegram Desktop, one chat or all of them.

use serde_json::Value;

use super::super::talk::Said;
use super::super::{Format, Source};
use super::{Gathered, each, export, id, sniff, text};
use crate::when;

pub(in super::super) const FORMAT: Format = Format {
    name: "telegram",
    about: "`result.json` of Telegram Desktop, one chat or all of them",
    needs: "`corpus.voice`, unless all chats were exported: those name their owner",
    yields: "messages",
    plain: false,
    decodes_entities: true,
    claims: |source| {
        let any = &["\"from_id\"", "\"date_unixtime\"", "\"personal_information\""];
        sniff(source, "Telegram", &["\"messages\""], any)
            .or_else(|| sniff(source, "Telegram", &["\"personal_information\"", "\"chats\""], &[]))
    },
    read: |source: &Source<'_>| export(source, gather),
};

fn gather(export: &Value, gathered: &mut Gathered) {
    let owner = id(&export["personal_information"]["user_id"]);
    let chats = each(&export["chats"]["list"]).iter().chain(each(&export["left_chats"]["list"]));
    for chat in std::iter::once(export).chain(chats) {
        let mut said = Vec::new();
        for message in each(&chat["messages"]) {
            let words = words(&message["text"]);
            match () {
                () if message["type"] == "service" => gathered.drop("notices", &words),
                () if message.get("forwarded_from").is_some() || message.get("via_bot").is_some() => {
                    gathered.drop("forwarded messages", &words);
                }
                () => said.push(one(message, words, &owner)),
            }
        }
        gathered.conversations.push(said);
    }
}

fn one(message: &Value, words: String, owner: &str) -> Said {
    let number = id(&message["from_id"]);
    let is_own = !owner.is_empty() && number.trim_start_matches("user") == owner;
    let unix = id(&message["date_unixtime"]);
    let at = when::parse(if unix.is_empty() { text(message, "date") } else { &unix });
    let who = message["from"].as_str().unwrap_or("deleted account").to_owned();
    Said { who, also: vec![number], is_own, at, text: words }
}

/// A text is a string, or a list of strings and of marked pieces.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().map(|part| part.as_str().unwrap_or_else(|| text(part, "text"))).collect()
        }
        _ => String::new(),
    }
}
