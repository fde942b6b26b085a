//! Anthropic's messages, alone and in parcels.
//!
//! # Source
//! Anthropic, *Messages* and *Message Batches*, API version 2023-06-01.

use serde_json::{Value, json};

use super::super::prompt::Prompt;
use super::super::row::Usage;
use super::super::settings::{Ask, Form};
use super::{End, Reply, count, schema};

/// The version of the interface.
pub(crate) const VERSION: &str = "2023-06-01";

/// What asks for an answer: the body of a message, or the parameters of one in a parcel.
pub(crate) fn params(ask: &Ask, prompt: &Prompt) -> Value {
    let turn = |turn: &penname_token::Message| json!({"role": turn.role.name(), "content": turn.content});
    let mut params = json!({
        "model": ask.model(),
        "max_tokens": prompt.max_tokens,
        "system": prompt.system,
        "messages": prompt.turns.iter().map(turn).collect::<Vec<_>>(),
    });
    if ask.form != Form::Text {
        params["output_config"] = json!({"format": {"type": "json_schema", "schema": schema()}});
    }
    if let Some(temperature) = ask.temperature {
        params["temperature"] = json!(temperature);
    }
    params
}

/// Reads a message. Thoughts are no part of what it says.
pub(crate) fn reply(message: &Value) -> Option<Reply> {
    let blocks = message["content"].as_array()?;
    let text =
        blocks.iter().filter(|block| block["type"] == "text").filter_map(|block| block["text"].as_str());
    let end = match message["stop_reason"].as_str()? {
        "max_tokens" | "model_context_window_exceeded" => End::Limit,
        "refusal" => End::Refusal,
        _ => End::Done,
    };
    let used = &message["usage"];
    let usage = Usage {
        input: count(used, "input_tokens"),
        output: count(used, "output_tokens"),
        cache_read: count(used, "cache_read_input_tokens"),
        cache_write: count(used, "cache_creation_input_tokens"),
    };
    Some(Reply { text: text.collect(), end, usage, request_id: message["id"].as_str().map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::super::super::prompt::{Next, prompt};
    use super::*;

    #[test]
    fn a_message_is_asked_for_by_schema() {
        let ask = Ask { model: Some("m".to_owned()), temperature: Some(0.5), ..Ask::default() };
        let params = params(&ask, &prompt(&ask, "A kettle.", &Next::default()));
        assert_eq!(params["output_config"]["format"]["schema"]["required"], json!(["questions"]));
        assert_eq!((&params["max_tokens"], &params["temperature"]), (&json!(1024), &json!(0.5)));
        assert_eq!(params["messages"][0]["role"], "user");
        let plain = Ask { form: Form::Text, temperature: None, ..ask };
        let params = super::params(&plain, &prompt(&plain, "A kettle.", &Next::default()));
        assert!(params.get("output_config").is_none() && params.get("temperature").is_none());
    }

    #[test]
    fn thoughts_are_no_answer_and_caches_are_counted() {
        let message = json!({
            "id": "msg_1", "stop_reason": "end_turn",
            "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "[]"}],
            "usage": {"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 7},
        });
        let reply = reply(&message).unwrap();
        assert_eq!((reply.text.as_str(), reply.end), ("[]", End::Done));
        assert_eq!(reply.usage, Usage { input: 5, output: 2, cache_read: 7, cache_write: 0 });
        assert_eq!(super::reply(&json!({"type": "error"})), None);
    }
}
