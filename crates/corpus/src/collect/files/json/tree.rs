//! Trees of messages that lie flat in a file, one message a record, as Open Assistant hands them out:
//! each names its parent. Of every tree one thread is a dialogue, at each turn the reply that was
//! ranked first.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::shape::speaker;
use crate::document::{Speaker, Turn};

/// What becomes of the messages of a file.
#[derive(Debug, Default)]
pub(super) struct Threads {
    /// The dialogues, in order of their first messages.
    pub(super) dialogues: Vec<Vec<Turn>>,
    /// Texts of messages that are in none of them.
    pub(super) aside: Vec<String>,
}

/// Whether a record is a message that names its parent.
pub(super) fn is_message(value: &Value) -> bool {
    let fields = ["message_id", "role", "text"].iter().all(|field| value[*field].is_string());
    fields && value.get("parent_id").is_some()
}

/// The threads of messages in any order.
pub(super) fn threads(messages: &[&Value]) -> Threads {
    let text = |value: &Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
    let mut replies: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut roots = Vec::new();
    for (idx, message) in messages.iter().enumerate() {
        match message["parent_id"].as_str() {
            Some(parent) => replies.entry(parent.to_owned()).or_default().push(idx),
            None => roots.push(idx),
        }
    }
    let rank = |idx: &usize| (messages[*idx]["rank"].as_u64().unwrap_or(u64::MAX), *idx);
    let mut used = BTreeSet::new();
    let mut threads = Threads::default();
    for root in roots {
        let (mut turns, mut next) = (Vec::new(), Some(root));
        while let Some(idx) = next.filter(|idx| used.insert(*idx)) {
            let said = speaker(&text(messages[idx], "role")).unwrap_or(Speaker::Other);
            turns.push(Turn { speaker: said, text: text(messages[idx], "text") });
            let below = replies.get(&text(messages[idx], "message_id"));
            next = below.and_then(|list| list.iter().copied().min_by_key(rank));
        }
        threads.dialogues.push(turns);
    }
    let aside = messages.iter().enumerate().filter(|(idx, _)| !used.contains(idx));
    threads.aside = aside.map(|(_, message)| text(message, "text")).collect();
    threads
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_reply_ranked_first_is_followed() {
        let message = |id: &str, parent: Value, role: &str, rank: Value| json!({"message_id": id, "parent_id": parent, "role": role, "text": id, "rank": rank});
        let rows = [
            message("b", json!("a"), "assistant", json!(1)),
            message("a", json!(null), "prompter", json!(null)),
            message("c", json!("a"), "assistant", json!(0)),
            message("d", json!("c"), "prompter", json!(0)),
            message("x", json!("y"), "assistant", json!(0)),
            message("y", json!("x"), "assistant", json!(0)),
        ];
        assert!(rows.iter().all(is_message));
        let rows: Vec<&Value> = rows.iter().collect();
        let threads = threads(&rows);
        let turns: Vec<_> = threads.dialogues[0].iter().map(|turn| turn.text.as_str()).collect();
        assert_eq!(turns, ["a", "c", "d"]);
        assert_eq!(threads.aside, ["b", "x", "y"]);
    }
}
