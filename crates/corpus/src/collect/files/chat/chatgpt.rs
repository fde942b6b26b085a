//! ChatGPT: `conversations.json` of a data export. What the owner typed is the owner's.
//!
//! A conversation is a tree, because questions can be asked again; the branch that was open last is
//! the one that was meant. What tools said, pictures and the answers of other branches are left out.

use serde_json::Value;

use super::super::talk::Said;
use super::super::{Format, Source};
use super::{Gathered, each, export, id, sniff, text};
use crate::when;

/// Messages in one branch beyond which a tree is taken for a circle.
const MAX_DEPTH: usize = 100_000;

pub(in super::super) const FORMAT: Format = Format {
    name: "chatgpt",
    about: "`conversations.json` of a ChatGPT data export",
    needs: "nothing: the questions are the owner's; name `ChatGPT` in `corpus.voice` to learn the answers too",
    yields: "messages",
    plain: false,
    decodes_entities: true,
    claims: |source| {
        sniff(source, "a ChatGPT export", &["\"mapping\"", "\"author\"", "\"content_type\""], &[])
    },
    read: |source: &Source<'_>| export(source, gather),
};

fn gather(record: &Value, gathered: &mut Gathered) {
    let one = std::slice::from_ref(record);
    let conversations = if record.is_array() { each(record) } else { one };
    for conversation in conversations {
        let nodes = &conversation["mapping"];
        let mut branch = Vec::new();
        let mut at = open_leaf(conversation);
        while let Some(node) = nodes.get(&at).filter(|_| branch.len() < MAX_DEPTH) {
            branch.push(at.clone());
            at = text(node, "parent").to_owned();
        }
        branch.reverse();
        for (name, node) in nodes.as_object().into_iter().flatten() {
            if !branch.contains(name) {
                gathered.drop("other branches of a conversation", &words(&node["message"]));
            }
        }
        let said = branch.iter().filter_map(|name| message(&nodes[name]["message"], gathered)).collect();
        gathered.conversations.push(said);
    }
}

/// The last message of the branch that was open.
fn open_leaf(conversation: &Value) -> String {
    let named = text(conversation, "current_node");
    if !named.is_empty() {
        return named.to_owned();
    }
    let nodes = conversation["mapping"].as_object();
    let mut leaves = nodes.into_iter().flatten().filter(|(_, node)| each(&node["children"]).is_empty());
    leaves.next_back().map(|(name, _)| name.clone()).unwrap_or_default()
}

fn message(message: &Value, gathered: &mut Gathered) -> Option<Said> {
    let words = words(message);
    let is_own = match text(&message["author"], "role") {
        "user" => true,
        "assistant" if text(&message["content"], "content_type") == "text" => false,
        _ => {
            gathered.drop("messages of machines", &words);
            return None;
        }
    };
    let at = when::parse(&id(&message["create_time"]));
    let who = if is_own { "user" } else { "ChatGPT" }.to_owned();
    Some(Said {
        who,
        also: vec!["assistant".to_owned()].into_iter().filter(|_| !is_own).collect(),
        is_own,
        at,
        text: words,
    })
}

/// The parts of a message that are text, one after the other.
fn words(message: &Value) -> String {
    let parts = each(&message["content"]["parts"]).iter().filter_map(Value::as_str);
    let whole = parts.collect::<Vec<_>>().join("\n");
    if whole.is_empty() { text(&message["content"], "text").to_owned() } else { whole }
}
