//! The shapes dialogues come in: which fields hold who says what.

use serde_json::Value;

use crate::document::{Body, Kind, Speaker, Turn};
use crate::issue::Code;

/// One shape of record.
pub(in super::super) struct Shape {
    /// Whether a record has this shape.
    pub(in super::super) matches: fn(&Value) -> bool,
    /// Takes the texts out of it.
    pub(in super::super) read: fn(&Value, &mut Notes) -> (Kind, Body),
}

/// What a shape found besides the body.
#[derive(Debug, Default)]
pub(in super::super) struct Notes {
    /// A title.
    pub(in super::super) title: Option<String>,
    /// Characters of replies that others were preferred to.
    pub(in super::super) ranked_chars: u64,
    /// Texts that are not used, each with the kind of issue and the reason.
    pub(in super::super) dropped: Vec<(Code, &'static str, String)>,
}

/// Fields that hold running text, in order of trust.
const TEXTS: &[&str] = &["text", "body", "content"];

/// Every shape; the first that matches a record reads it.
pub(in super::super) const ALL: &[Shape] = &[
    // {"messages": [{"role", "content"}, …]}, as OpenAI's fine-tuning files have it; an answer with
    // `"weight": 0` is not to be learned.
    Shape { matches: |v| has_turns(&v["messages"]), read: |v, notes| dialogue(&v["messages"], notes) },
    // {"conversations": [{"from", "value"}, …]}, as ShareGPT exports have it.
    Shape { matches: |v| has_turns(&v["conversations"]), read: share_gpt },
    // [{"role", "content"}, …]
    Shape { matches: has_turns, read: dialogue },
    // {"prompt": {"text", "role", "replies": […]}}, a tree of conversations as Open Assistant exports it.
    Shape { matches: |v| v["prompt"]["replies"].is_array(), read: tree },
    // {"instruction", "input", "output"}, as Alpaca has it.
    Shape { matches: |v| is_pair(v, "instruction", "output"), read: |v, _| pair(v, "instruction", "output") },
    Shape { matches: |v| is_pair(v, "prompt", "completion"), read: |v, _| pair(v, "prompt", "completion") },
    Shape { matches: |v| is_pair(v, "prompt", "response"), read: |v, _| pair(v, "prompt", "response") },
    Shape { matches: |v| is_pair(v, "question", "answer"), read: |v, _| pair(v, "question", "answer") },
    // {"text"} or {"title", "body"}, running text of the voice.
    Shape { matches: |v| TEXTS.iter().any(|name| v[*name].is_string()), read: text },
];

/// Whether a value is one turn of a list of turns.
pub(super) fn is_turn(value: &Value) -> bool {
    value["role"].is_string() && value.get("content").is_some()
        || value["from"].is_string() && value.get("value").is_some()
}

fn has_turns(value: &Value) -> bool {
    value.as_array().is_some_and(|turns| turns.first().is_some_and(is_turn))
}

fn dialogue(list: &Value, notes: &mut Notes) -> (Kind, Body) {
    let turns = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let turn = |turn: &Value| {
        let (name, content) = match turn["role"].as_str() {
            Some(role) => (role, &turn["content"]),
            None => (turn["from"].as_str().unwrap_or_default(), &turn["value"]),
        };
        let text = words(content, notes);
        match speaker(name) {
            Some(Speaker::Voice) if turn["weight"].as_f64() == Some(0.0) => {
                Some(Turn { speaker: Speaker::Aside, text })
            }
            Some(speaker) => Some(Turn { speaker, text }),
            None => {
                notes.dropped.push((Code::Role, "turns of unknown speakers", text));
                None
            }
        }
    };
    (Kind::Dialogue, Body::Turns(turns.iter().filter_map(turn).collect()))
}

/// As [`dialogue`], with the system text that some exports keep beside the turns.
fn share_gpt(value: &Value, notes: &mut Notes) -> (Kind, Body) {
    let (kind, mut body) = dialogue(&value["conversations"], notes);
    if let (Some(system), Body::Turns(turns)) = (value["system"].as_str(), &mut body)
        && !system.trim().is_empty()
    {
        turns.insert(0, Turn { speaker: Speaker::System, text: system.to_owned() });
    }
    (kind, body)
}

/// Who speaks, by the names in use.
pub(super) fn speaker(name: &str) -> Option<Speaker> {
    match name.to_ascii_lowercase().as_str() {
        "assistant" | "gpt" | "bot" | "model" | "chatgpt" | "bing" | "bard" => Some(Speaker::Voice),
        "user" | "human" | "prompter" => Some(Speaker::Other),
        "system" | "developer" => Some(Speaker::System),
        _ => None,
    }
}

/// The text of a turn: a string, or the text parts of a list, one per line.
fn words(content: &Value, notes: &mut Notes) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let mut texts = Vec::new();
            for part in parts {
                match part["text"].as_str().or(part.as_str()) {
                    Some(text) => texts.push(text),
                    None => notes.dropped.push((Code::Part, "message parts that are no text", String::new())),
                }
            }
            texts.join("\n")
        }
        _ => String::new(),
    }
}

fn is_pair(value: &Value, question: &str, answer: &str) -> bool {
    value[question].is_string() && value.get(answer).is_some_and(|a| a.is_string() || a.is_null())
}

/// A question and its answer, with the fields that may stand beside them.
fn pair(value: &Value, question: &str, answer: &str) -> (Kind, Body) {
    let field = |name: &str| value[name].as_str().unwrap_or_default();
    let mut turns = Vec::new();
    if !field("system").trim().is_empty() {
        turns.push(Turn { speaker: Speaker::System, text: field("system").to_owned() });
    }
    let input = field("input");
    let asked = if input.trim().is_empty() {
        field(question).to_owned()
    } else {
        format!("{}\n\n{input}", field(question))
    };
    turns.push(Turn { speaker: Speaker::Other, text: asked });
    turns.push(Turn { speaker: Speaker::Voice, text: field(answer).to_owned() });
    (Kind::Dialogue, Body::Turns(turns))
}

/// One thread of a tree: at every turn the reply that was ranked first. The other branches say
/// the same things again and are dropped.
fn tree(value: &Value, notes: &mut Notes) -> (Kind, Body) {
    let mut turns = Vec::new();
    let mut node = Some(&value["prompt"]);
    while let Some(turn) = node {
        let text = turn["text"].as_str().unwrap_or_default().to_owned();
        match speaker(turn["role"].as_str().unwrap_or_default()) {
            Some(speaker) => turns.push(Turn { speaker, text }),
            None => notes.dropped.push((Code::Role, "turns of unknown speakers", text)),
        }
        let replies = turn["replies"].as_array().map(Vec::as_slice).unwrap_or_default();
        node = replies.iter().min_by_key(|reply| reply["rank"].as_u64().unwrap_or(u64::MAX));
        let others = replies.iter().filter(|reply| node.is_none_or(|node| !std::ptr::eq(node, *reply)));
        notes.ranked_chars += others.map(chars_below).sum::<u64>();
    }
    (Kind::Dialogue, Body::Turns(turns))
}

/// Characters of a reply and of all below it.
fn chars_below(reply: &Value) -> u64 {
    let (mut total, mut open) = (0, vec![reply]);
    while let Some(reply) = open.pop() {
        total += reply["text"].as_str().map_or(0, super::chars);
        open.extend(reply["replies"].as_array().into_iter().flatten());
    }
    total
}

fn text(value: &Value, notes: &mut Notes) -> (Kind, Body) {
    notes.title = value["title"].as_str().map(str::to_owned);
    let kind = if notes.title.is_some() { Kind::Post } else { Kind::Text };
    let words = TEXTS.iter().find_map(|name| value[*name].as_str()).unwrap_or_default();
    (kind, Body::Text(words.to_owned()))
}
