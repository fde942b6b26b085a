//! The unwritten space some tokenizers put before a text.
//!
//! SentencePiece vocabularies read "Hello" as "▁Hello". That is right where a
//! text begins and wrong where it goes on: an answer that continues a prompt
//! would gain a space no model was asked to write. So such a tokenizer is kept
//! twice, with the space and without.

use serde_json::Value;

/// What a tokenizer without the unwritten space looks like.
pub(super) struct WithoutPrefix {
    /// The `tokenizer.json` with the rule removed.
    pub(super) json: Value,
    /// Whether the space also stands after each control token.
    pub(super) after_control: bool,
}

/// Removes the rule, or `None` where there is none to remove.
pub(super) fn remove(json: &Value) -> Option<WithoutPrefix> {
    let mut json = json.clone();
    let mut after_control = None;
    for part in ["normalizer", "pre_tokenizer"] {
        strip(&mut json[part], &mut after_control);
    }
    after_control.map(|after_control| WithoutPrefix { json, after_control })
}

fn strip(part: &mut Value, after_control: &mut Option<bool>) {
    let mut note = |again: bool| *after_control = Some(after_control.unwrap_or(false) || again);
    match part["type"].as_str() {
        Some("Prepend") => {
            *part = Value::Null;
            note(true);
        }
        Some("ByteLevel") if part["add_prefix_space"] == true => {
            part["add_prefix_space"] = false.into();
            note(true);
        }
        Some("Metaspace") => {
            let scheme = part["prepend_scheme"].as_str().unwrap_or("always").to_owned();
            let is_off = scheme == "never" || part["add_prefix_space"] == false;
            if !is_off {
                part["prepend_scheme"] = "never".into();
                note(scheme == "always");
            }
            if let Some(fields) = part.as_object_mut() {
                fields.remove("add_prefix_space");
            }
        }
        Some("Sequence") => {
            for list in ["normalizers", "pretokenizers"] {
                if let Some(steps) = part.get_mut(list).and_then(Value::as_array_mut) {
                    steps.iter_mut().for_each(|step| strip(step, after_control));
                    steps.retain(|step| !step.is_null());
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(part: Value, expected: Option<(Value, bool)>) {
        let found = remove(&json!({ "normalizer": null, "pre_tokenizer": part }));
        assert_eq!(found.map(|w| (w.json["pre_tokenizer"].clone(), w.after_control)), expected);
    }

    #[test]
    fn finds_every_form_of_the_rule() {
        check(json!({ "type": "ByteLevel", "add_prefix_space": false }), None);
        check(
            json!({ "type": "ByteLevel", "add_prefix_space": true }),
            Some((json!({ "type": "ByteLevel", "add_prefix_space": false }), true)),
        );
        check(
            json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "first" }),
            Some((json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "never" }), false)),
        );
        check(json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "never" }), None);
        check(
            json!({ "type": "Sequence", "pretokenizers": [{ "type": "Prepend", "prepend": "▁" }] }),
            Some((json!({ "type": "Sequence", "pretokenizers": [] }), true)),
        );
    }
}
