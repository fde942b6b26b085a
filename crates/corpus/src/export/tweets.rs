//! Tweets with one reply each, a flat record a pair: what a scraper handed over, the same with a verdict,
//! and what is left to learn.
//!
//! ```text
//! raw.jsonl        as it was read, before anything was cleaned
//! validated.jsonl  cleaned, with "validation": {"valid", "reasons", "validated_at"}
//! ```
//!
//! Both hold every pair, in the same order. What is not known is null.

use std::collections::BTreeMap;

use penname_ledger::write::Staged;
use serde_json::{Value, json};

use super::{Form, LINES, Material, Shape, Written, file};
use crate::Error;
use crate::document::{Body, Document, Fate, Reception, Speaker};
use crate::provenance::Provenance;

pub(super) const PAIRS: Shape = Shape {
    name: "tweet-pairs",
    about: "tweet_id, tweet, tweet_author … reply_id, reply, reply_author …, JSON lines; before and after validation",
    form: Form::Tweets,
};

/// Why a document is no pair.
const OTHER: &str = "documents that are no reply to a post";

pub(super) fn write(material: &Material<'_>, folder: &Staged, written: &mut Written) -> Result<(), Error> {
    let fates: BTreeMap<&str, &Fate> =
        material.prepared.documents.iter().map(|document| (document.uid.as_str(), &document.fate)).collect();
    let raw = material.raw.iter().filter(|document| fates.contains_key(document.uid.as_str()));
    let raw = raw.map(|document| record(document).map(|record| record.to_string()));
    // What is no pair is no pair in either, and is counted once.
    file(folder, "raw.jsonl", &LINES, raw.filter(Result::is_ok), written)?;
    let validated = material.prepared.documents.iter().map(|document| {
        let mut record = record(document)?;
        record["validation"] = verdict(&document.fate, material.prepared_at);
        Ok(record.to_string())
    });
    file(folder, "validated.jsonl", &LINES, validated, written)
}

/// The record of a document that is a post and one reply to it.
fn record(document: &Document) -> Result<Value, String> {
    let (Some(asked), Body::Turns(turns)) = (&document.asked, &document.body) else {
        return Err(OTHER.to_owned());
    };
    let last = |speaker| turns.iter().rev().find(|turn| turn.speaker == speaker).map(|turn| &turn.text);
    let (Some(tweet), Some(reply)) = (last(Speaker::Other), last(Speaker::Voice)) else {
        return Err(OTHER.to_owned());
    };
    let (from, to) = (&document.provenance, &asked.provenance);
    let liked = document.reception.clone().unwrap_or_default();
    let mut record = json!({
        "tweet_id": to.native_id,
        "tweet": tweet,
        "tweet_author": author(to),
        "tweet_likes": asked.reception.score,
        "tweet_retweets": asked.reception.reposts,
        "tweet_created_at": to.created_at,
        "reply_id": from.native_id,
        "reply": reply,
        "reply_author": author(from),
    });
    for (name, value) in counts(&liked, from) {
        record[name] = value;
    }
    Ok(record)
}

fn counts(liked: &Reception, from: &Provenance) -> [(&'static str, Value); 5] {
    [
        ("reply_author_followers", json!(liked.followers)),
        ("reply_likes", json!(liked.score)),
        ("reply_created_at", json!(from.created_at)),
        ("reply_time_diff_seconds", json!(liked.delay_s)),
        ("collected_at", json!(from.collected_at)),
    ]
}

fn author(provenance: &Provenance) -> Option<&str> {
    provenance.author.as_ref().map(|author| author.name.as_str())
}

fn verdict(fate: &Fate, at: &str) -> Value {
    let reasons: Vec<&str> = match (fate.rules(), fate) {
        (Some(rules), _) => rules.collect(),
        (None, Fate::Dropped(why)) => vec![why],
        (None, Fate::Train | Fate::HeldOut) => Vec::new(),
    };
    json!({ "valid": reasons.is_empty(), "reasons": reasons, "validated_at": at })
}
