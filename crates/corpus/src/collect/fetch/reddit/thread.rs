//! A post with all its comments: the answer of the service, and then what the answer only names.
//!
//! A thread comes with stubs: "load more", a list of names, and "continue this thread", a place to go
//! on at. They are asked for one at a time, the largest first, a hundred names at once, as many as
//! the settings allow; those that are left stay in the file, and the reader tells how many comments
//! they name.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::address::encoded;
use super::{Door, Fault, Visit};

/// Names in one question, which is the service's limit.
const NAMES: usize = 100;

/// Comments that are only named.
#[derive(Debug, Clone, PartialEq)]
struct Stub {
    /// How many comments hang on it.
    count: u64,
    /// Their names; none says to go on at `parent`.
    names: Vec<String>,
    parent: String,
    /// As it came.
    thing: Value,
}

/// A post with its comments, as a list of answers.
///
/// # Errors
/// When the service does not answer.
pub(super) fn whole(
    visit: &mut Visit<'_, '_>,
    door: &mut Door,
    post: &str,
    n_questions: usize,
) -> Result<Value, Fault> {
    let id = post.trim_start_matches("t3_");
    let mut answer = door.get(visit, &format!("/comments/{}", encoded(id)), "limit=500")?;
    let mut open = stubs(&mut answer);
    let mut answers = vec![answer];
    let mut asked = BTreeSet::new();
    let mut left = n_questions;
    while let Some(mut stub) = largest(&mut open) {
        if left == 0 || !asked.insert((stub.parent.clone(), stub.names.clone())) {
            answers.push(stub.thing);
            continue;
        }
        left -= 1;
        let rest = stub.names.split_off(stub.names.len().min(NAMES));
        let mut answer = match stub.names.is_empty() {
            true => beyond(visit, door, id, &stub.parent)?,
            false => named(visit, door, id, &stub.names)?,
        };
        open.extend(stubs(&mut answer));
        answers.push(answer);
        if !rest.is_empty() {
            let count = stub.count.saturating_sub(NAMES as u64);
            let thing =
                json!({"kind": "more", "data": {"count": count, "children": rest, "parent_id": stub.parent}});
            open.push(Stub { count, names: rest, parent: stub.parent, thing });
        }
    }
    Ok(Value::Array(answers))
}

/// Some comments of a thread with what stands above and below them.
///
/// # Errors
/// When the service does not answer.
pub(super) fn around(
    visit: &mut Visit<'_, '_>,
    door: &mut Door,
    post: &str,
    comments: &[String],
) -> Result<Value, Fault> {
    let id = post.trim_start_matches("t3_");
    let mut answers = Vec::new();
    for comment in comments {
        let path = format!("/comments/{}/_/{}", encoded(id), encoded(comment.trim_start_matches("t1_")));
        answers.push(door.get(visit, &path, "context=8&limit=50")?);
    }
    Ok(Value::Array(answers))
}

/// What hangs below a comment.
fn beyond(visit: &mut Visit<'_, '_>, door: &mut Door, post: &str, parent: &str) -> Result<Value, Fault> {
    let path = format!("/comments/{}/_/{}", encoded(post), encoded(parent.trim_start_matches("t1_")));
    door.get(visit, &path, "limit=500")
}

/// Comments by their names.
fn named(visit: &mut Visit<'_, '_>, door: &mut Door, post: &str, names: &[String]) -> Result<Value, Fault> {
    let children = encoded(&names.join(","));
    let query =
        format!("api_type=json&limit_children=false&link_id=t3_{}&children={children}", encoded(post));
    door.get(visit, "/api/morechildren", &query)
}

fn largest(open: &mut Vec<Stub>) -> Option<Stub> {
    let best = open.iter().enumerate().max_by_key(|(idx, stub)| (stub.count, std::cmp::Reverse(*idx)))?.0;
    Some(open.remove(best))
}

/// Takes the stubs out of an answer, however deep they stand.
fn stubs(answer: &mut Value) -> Vec<Stub> {
    let mut found = Vec::new();
    let mut open = vec![answer];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(list) => {
                found.extend(list.extract_if(.., |value| value["kind"] == "more").filter_map(stub));
                open.extend(list.iter_mut());
            }
            Value::Object(fields) => {
                open.extend(fields.values_mut().filter(|v| v.is_array() || v.is_object()))
            }
            _ => {}
        }
    }
    found
}

fn stub(thing: Value) -> Option<Stub> {
    let data = &thing["data"];
    let names = data["children"].as_array()?.iter().filter_map(Value::as_str);
    let names: Vec<String> = names.filter(|name| *name != "_").map(str::to_owned).collect();
    let (count, parent) = (data["count"].as_u64().unwrap_or(0), data["parent_id"].as_str()?.to_owned());
    Some(Stub { count, names, parent, thing })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stubs_are_taken_out_and_the_largest_comes_first() {
        let more = |count: u64, names: &[&str]| json!({"kind": "more", "data": {"count": count, "children": names, "parent_id": "t1_p"}});
        let mut answer = json!([{"kind": "Listing", "data": {"children": [
            {"kind": "t1", "data": {"replies": {"data": {"children": [more(0, &["_"])]}}}},
            more(3, &["a", "b", "c"]), {"kind": "more"},
        ]}}]);
        let mut open = stubs(&mut answer);
        assert_eq!(answer["/0"], Value::Null);
        assert_eq!(answer.to_string().matches("more").count(), 0);
        assert_eq!(largest(&mut open).unwrap().names, ["a", "b", "c"]);
        assert_eq!(largest(&mut open).unwrap().names, Vec::<String>::new());
        assert!(largest(&mut open).is_none());
    }
}
