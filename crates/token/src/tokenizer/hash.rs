//! The name of a tokenizer: what decides which ids a text gets, and no more.

use penname_ledger::Hash;
use serde_json::{Map, Value, json};

/// Hashes a `tokenizer.json`. Fields that never change an id (offsets,
/// decoding, what stands around a pair of texts) and different spellings of
/// the same merge do not count.
pub(super) fn of(json: &Value) -> Hash {
    let model = &json["model"];
    let mut vocab = match &model["vocab"] {
        Value::Object(vocab) => vocab.clone(),
        scored => Map::from_iter([("scored".to_owned(), scored.clone())]),
    };
    let mut specials = Vec::new();
    for token in json["added_tokens"].as_array().into_iter().flatten() {
        if let Some(text) = token["content"].as_str() {
            vocab.insert(text.to_owned(), token["id"].clone());
        }
        specials.push(json!([token["id"], token["special"], token["lstrip"], token["rstrip"]]));
    }
    specials.sort_by_key(|special| special[0].as_u64());
    let merges = model["merges"].as_array().into_iter().flatten().map(merge).collect::<Vec<_>>();
    Hash::of_json(&json!({
        "vocab": vocab,
        "merges": merges,
        "added": specials,
        "ignore_merges": model["ignore_merges"] == true,
        "byte_fallback": model["byte_fallback"] == true,
        "normalizer": json["normalizer"],
        "pre_tokenizer": without_offsets(&json["pre_tokenizer"]),
    }))
}

/// Merges are written `"a b"` or `["a", "b"]`.
fn merge(line: &Value) -> Value {
    match line.as_str().and_then(|line| line.split_once(' ')) {
        Some((left, right)) => json!([left, right]),
        None => line.clone(),
    }
}

pub(super) fn without_offsets(part: &Value) -> Value {
    let mut part = part.clone();
    if let Some(fields) = part.as_object_mut() {
        fields.remove("trim_offsets");
    }
    if let Some(steps) = part["pretokenizers"].as_array().cloned() {
        part["pretokenizers"] = steps.iter().map(without_offsets).collect();
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokenizer(merges: Value, special: bool, trim: bool) -> Value {
        json!({
            "added_tokens": [{ "id": 2, "content": "<e>", "special": special }],
            "pre_tokenizer": { "type": "ByteLevel", "trim_offsets": trim },
            "model": { "vocab": { "a": 0, "b": 1 }, "merges": merges },
        })
    }

    #[test]
    fn only_what_decides_ids_counts() {
        let base = of(&tokenizer(json!(["a b"]), true, true));
        assert_eq!(of(&tokenizer(json!([["a", "b"]]), true, false)), base);
        assert_ne!(of(&tokenizer(json!([]), true, true)), base);
        assert_ne!(of(&tokenizer(json!(["a b"]), false, true)), base);
        // A byte-level tokenizer without a `pre_tokenizer` entry is legal and hashes too.
        of(&json!({ "model": {} }));
    }
}
