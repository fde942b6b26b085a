//! Slack: one file per channel and day, with the names of people in `users.json` above them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::talk::Said;
use super::super::{Format, Reading, Source, chars, claim};
use super::{Gathered, STRENGTH, each, export, id, sniff, text};
use crate::issue::{Code, Issue, Severity};
use crate::when;

pub(in super::super) const FORMAT: Format = Format {
    name: "slack",
    about: "days of channels from a Slack export; `users.json` beside them gives the names",
    needs: "`corpus.voice`",
    yields: "messages",
    plain: false,
    decodes_entities: true,
    claims: |source| {
        let is_list = is_list(source).then(|| claim(STRENGTH, "it is a list of Slack's")).flatten();
        is_list.or_else(|| sniff(source, "Slack", &["\"ts\"", "\"type\""], &["\"user\"", "\"bot_id\""]))
    },
    read,
};

/// Ways from a day of a channel to the list of people.
const USERS: &[&str] = &["../users.json", "users.json"];

/// Files of an export that list people and channels, and hold no messages.
const LISTS: &[&str] =
    &["users.json", "channels.json", "groups.json", "dms.json", "mpims.json", "integration_logs.json"];

/// Whether a file is such a list, by its name and its beginning.
fn is_list(source: &Source<'_>) -> bool {
    let name = source.path.rsplit('/').next().unwrap_or(source.path);
    let head: String = source.text.trim_start().chars().take(2000).collect();
    let has_id = ["\"id\"", "\"user_id\""].iter().any(|field| head.contains(field));
    LISTS.contains(&name) && head.starts_with('[') && has_id && !head.contains("\"ts\"")
}

/// The names of one person.
type Names = (String, Vec<String>);

fn read(source: &Source<'_>) -> Reading {
    if is_list(source) {
        let mut reading = Reading::default();
        reading.tally.drop("lists of people and channels", chars(source.text));
        let detail = "a list of people or channels";
        reading.issues.push(Issue::new(source.path, Code::NotWriting, Severity::Skipped, detail));
        return reading;
    }
    let users = users(source);
    export(source, |record, gathered| {
        // The file is one array, so each message is a record of its own.
        if let Some((thread, said)) = message(record, &users, gathered) {
            gathered.put(&thread, said);
        }
    })
}

fn users(source: &Source<'_>) -> BTreeMap<String, Names> {
    let list = USERS.iter().find_map(|name| source.beside.text(source.path, name)).unwrap_or_default();
    let list: Value = serde_json::from_str(&list).unwrap_or_default();
    each(&list).iter().map(|user| (id(&user["id"]), names(user, &user["profile"]))).collect()
}

fn names(user: &Value, profile: &Value) -> Names {
    let fields = [
        text(profile, "display_name"),
        text(profile, "real_name"),
        text(user, "real_name"),
        text(user, "name"),
        text(profile, "email"),
    ];
    let mut names: Vec<String> = fields.iter().filter(|f| !f.is_empty()).map(|f| (*f).to_owned()).collect();
    names.push(id(&user["id"]));
    (names[0].clone(), names)
}

fn message(
    record: &Value,
    users: &BTreeMap<String, Names>,
    gathered: &mut Gathered,
) -> Option<(String, Said)> {
    let raw = text(record, "text");
    let is_machine = record.get("bot_id").is_some() || record["subtype"] == "bot_message";
    let subtype = text(record, "subtype");
    if is_machine || !matches!(subtype, "" | "thread_broadcast" | "me_message" | "file_share") {
        gathered.drop(if is_machine { "messages of machines" } else { "notices" }, raw);
        return None;
    }
    let number = id(&record["user"]);
    let (who, also) = users.get(&number).cloned().unwrap_or_else(|| names(record, &record["user_profile"]));
    let ts = id(&record["ts"]);
    let at = when::parse(&ts);
    let thread = record.get("thread_ts").map_or_else(String::new, id);
    let also = also.into_iter().chain([number]).collect();
    Some((thread, Said { who, also, is_own: false, at, text: plain(raw, users) }))
}

/// Slack's marks as words: `<@U1>` is a name, `<url|label>` its label, and three characters are escaped.
fn plain(text: &str, users: &BTreeMap<String, Names>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let Some((inner, after)) = after.split_once('>') else {
            rest = after;
            out.push('<');
            continue;
        };
        let (target, label) = inner.split_once('|').unwrap_or((inner, ""));
        let name = target.strip_prefix('@').and_then(|number| users.get(number));
        match (name, label) {
            (Some((name, _)), _) => out.extend(["@", name.as_str()]),
            (None, "") => out.push_str(target.trim_start_matches('!')),
            (None, label) => out.push_str(label),
        }
        rest = after;
    }
    out.push_str(rest);
    out.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}
