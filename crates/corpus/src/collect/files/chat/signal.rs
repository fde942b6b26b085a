//! Signal: the plain-text export of the app (frames of JSON), `data.json` of signal-export, and rows
//! of Signal Desktop's messages.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::talk::Said;
use super::super::{Format, Reading, Source};
use super::{export, id, sniff, text};
use crate::when;

pub(in super::super) const FORMAT: Format = Format {
    name: "signal",
    about: "Signal's plain-text export, `data.json` of signal-export, messages of Signal Desktop",
    needs: "nothing: sent messages are the owner's",
    yields: "messages",
    plain: false,
    decodes_entities: true,
    claims: |source| {
        sniff(source, "Signal's export", &["\"recipient\""], &["\"chatItem\"", "\"chat\""])
            .or_else(|| sniff(source, "Signal Desktop", &["\"conversationId\"", "\"sent_at\""], &[]))
            .or_else(|| sniff(source, "signal-export", &["\"sender\"", "\"body\"", "\"quote\""], &[]))
    },
    read,
};

fn read(source: &Source<'_>) -> Reading {
    let mut people: BTreeMap<String, String> = BTreeMap::new();
    export(source, |record, gathered| {
        if let Some(person) = record.get("recipient") {
            people.insert(id(&person["id"]), name(person));
            return;
        }
        if let Some((chat, said)) = frame(record, &people).or_else(|| row(record)) {
            gathered.put(&chat, said);
        }
    })
}

/// The name of a person, as the owner or they themselves wrote it.
fn name(person: &Value) -> String {
    let contact = &person["contact"];
    let pairs = [
        [text(contact, "nicknameGivenName"), text(contact, "nicknameFamilyName")],
        [text(contact, "systemGivenName"), text(contact, "systemFamilyName")],
        [text(contact, "profileGivenName"), text(contact, "profileFamilyName")],
        [text(contact, "e164"), ""],
        [text(contact, "username"), ""],
    ];
    let whole = pairs.iter().map(|pair| pair.join(" ").trim().to_owned()).find(|name| !name.is_empty());
    whole.unwrap_or_else(|| "somebody".to_owned())
}

/// A frame of the app's export.
fn frame(record: &Value, people: &BTreeMap<String, String>) -> Option<(String, Said)> {
    let item = record.get("chatItem")?;
    let body = item["standardMessage"]["text"]["body"].as_str()?.to_owned();
    let number = id(&item["authorId"]);
    let who = people.get(&number).cloned().unwrap_or_else(|| "somebody".to_owned());
    let at = when::parse(&id(&item["dateSent"]));
    let is_own = item.get("outgoing").is_some();
    Some((id(&item["chatId"]), Said { who, also: vec![number], is_own, at, text: body }))
}

/// A row of signal-export or of Signal Desktop.
fn row(record: &Value) -> Option<(String, Said)> {
    let body = record["body"].as_str()?.to_owned();
    let sender = ["sender", "source", "sourceServiceId"].iter().find_map(|field| record[*field].as_str());
    let sender = sender.unwrap_or("somebody").to_owned();
    let is_own = record["type"] == "outgoing" || sender == "Me";
    let at = ["sent_at", "date", "timestamp"].iter().find_map(|field| when::parse(&id(&record[*field])));
    let said = Said { who: sender, also: Vec::new(), is_own, at, text: body };
    Some((id(&record["conversationId"]), said))
}
