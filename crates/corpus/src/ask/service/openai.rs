//! Chat completions, as OpenAI has them and as local servers imitate them.
//!
//! # Source
//! OpenAI, *API reference*, chat completions; what differs between imitations is left to `corpus.ask.form`.

use serde_json::{Value, json};

use super::super::prompt::Prompt;
use super::super::row::Usage;
use super::super::settings::{Ask, Form};
use super::{End, Reply, count, schema};

/// Its own host, where the length of an answer goes by another name than everywhere else.
const OWN: &str = "api.openai.com";

/// The path below an address, which may be the whole of it already.
pub(super) fn path(address: &str) -> String {
    if address.ends_with("/chat/completions") { String::new() } else { "/v1/chat/completions".to_owned() }
}

/// What asks for an answer.
pub(super) fn body(ask: &Ask, prompt: &Prompt) -> Value {
    let mut messages = vec![json!({"role": "system", "content": prompt.system})];
    let turn = |turn: &penname_token::Message| json!({"role": turn.role.name(), "content": turn.content});
    messages.extend(prompt.turns.iter().map(turn));
    let limit = if ask.address().contains(OWN) { "max_completion_tokens" } else { "max_tokens" };
    let mut body = json!({"model": ask.model(), "messages": messages, "stream": false});
    body[limit] = json!(prompt.max_tokens);
    match ask.form {
        Form::Schema => {
            let named = json!({"name": "questions", "strict": true, "schema": schema()});
            body["response_format"] = json!({"type": "json_schema", "json_schema": named});
        }
        Form::Object => body["response_format"] = json!({"type": "json_object"}),
        Form::Text => {}
    }
    if let Some(temperature) = ask.temperature {
        body["temperature"] = json!(temperature);
    }
    body
}

/// Reads a completion.
pub(super) fn reply(completion: &Value) -> Option<Reply> {
    let choice = completion["choices"].as_array()?.first()?;
    let message = &choice["message"];
    let refusal = message["refusal"].as_str().filter(|text| !text.is_empty());
    let text = message["content"].as_str().or(refusal).unwrap_or_default();
    let end = match choice["finish_reason"].as_str() {
        Some("content_filter") => End::Refusal,
        _ if refusal.is_some() => End::Refusal,
        Some("length") => End::Limit,
        _ => End::Done,
    };
    let used = &completion["usage"];
    let cache_read = count(&used["prompt_tokens_details"], "cached_tokens");
    let usage = Usage {
        // Here what was read before is part of what is read.
        input: count(used, "prompt_tokens").saturating_sub(cache_read),
        output: count(used, "completion_tokens"),
        cache_read,
        cache_write: 0,
    };
    let request_id = completion["id"].as_str().map(str::to_owned);
    Some(Reply { text: text.to_owned(), end, usage, request_id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_told_apart() {
        let check = |message: Value, why: &str, expected: End| {
            let completion = json!({"choices": [{"message": message, "finish_reason": why}]});
            assert_eq!(reply(&completion).unwrap().end, expected);
        };
        check(json!({"content": "x"}), "stop", End::Done);
        check(json!({"content": "x"}), "length", End::Limit);
        check(json!({"content": null, "refusal": "no"}), "stop", End::Refusal);
        check(json!({"content": ""}), "content_filter", End::Refusal);
        assert_eq!(reply(&json!({"choices": []})), None);
    }

    #[test]
    fn what_was_read_before_is_counted_once() {
        let usage = json!({"prompt_tokens": 10, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}});
        let completion = json!({"choices": [{"message": {"content": ""}}], "usage": usage});
        let usage = reply(&completion).unwrap().usage;
        assert_eq!(usage, Usage { input: 6, output: 3, cache_read: 4, cache_write: 0 });
    }
}
