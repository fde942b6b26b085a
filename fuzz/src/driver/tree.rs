//! A tree of JSON with one place changed, which stays a tree of JSON.

use penname_ledger::Stream;
use serde_json::{Value, json};

use super::mutate::{EDGES, below};

/// Changes one place of a tree.
pub(super) fn change(value: &mut Value, stream: &mut Stream) {
    let n = count(value);
    let target = below(stream, n);
    let mut at = 0;
    visit(value, &mut |node| {
        if at == target && stream.unit_f32() < 0.5 {
            vary(node, stream);
        } else if at == target {
            replace(node, stream);
        }
        at += 1;
        at <= target
    });
}

fn count(value: &Value) -> usize {
    let inner: usize = match value {
        Value::Array(list) => list.iter().map(count).sum(),
        Value::Object(object) => object.values().map(count).sum(),
        _ => 0,
    };
    1 + inner
}

/// Shows every node, outermost first, until told to stop.
fn visit(value: &mut Value, see: &mut dyn FnMut(&mut Value) -> bool) -> bool {
    if !see(value) {
        return false;
    }
    match value {
        Value::Array(list) => list.iter_mut().all(|inner| visit(inner, see)),
        Value::Object(object) => object.values_mut().all(|inner| visit(inner, see)),
        _ => true,
    }
}

/// Another value of the same sort, which a strict reader may still take.
fn vary(node: &mut Value, stream: &mut Stream) {
    match node {
        Value::Bool(yes) => *yes = !*yes,
        Value::Number(number) => {
            let old = number.as_f64().unwrap_or(0.0);
            let new = [old + 1.0, old - 1.0, old * 2.0, (old / 2.0).floor(), 1.0][below(stream, 5)];
            *node = if number.is_f64() { json!(new) } else { json!(new as i64) };
        }
        Value::Array(list) if list.len() > 1 => {
            let (one, other) = (below(stream, list.len()), below(stream, list.len()));
            list.swap(one, other);
        }
        Value::Object(object) if object.len() > 1 => {
            let name = object.keys().nth(below(stream, object.len())).cloned().unwrap_or_default();
            object.remove(&name);
        }
        other => replace(other, stream),
    }
}

fn replace(node: &mut Value, stream: &mut Stream) {
    *node = match (below(stream, 12), std::mem::take(node)) {
        (0, _) => Value::Null,
        (1, _) => json!(EDGES[below(stream, EDGES.len())]),
        (2, _) => json!(-1),
        (3, _) => json!([0.0, -0.0, 1e308, 1e-320, 0.5][below(stream, 5)]),
        (4, _) => json!(["", "\u{0}", "▁", "a", "(((((", "[^", "\u{10ffff}"][below(stream, 7)]),
        (5, _) => json!(stream.next_u32() & 1 == 0),
        (6, old) => json!([old.clone(), old]),
        (7, Value::Array(mut list)) if !list.is_empty() => {
            list.remove(below(stream, list.len()));
            Value::Array(list)
        }
        (7, Value::Object(mut object)) if !object.is_empty() => {
            let key = object.keys().nth(below(stream, object.len())).cloned().unwrap_or_default();
            object.remove(&key);
            Value::Object(object)
        }
        (8, Value::Array(mut list)) if !list.is_empty() => {
            list.push(list[below(stream, list.len())].clone());
            Value::Array(list)
        }
        (8, Value::Object(mut object)) if !object.is_empty() => {
            // One thing under the name of another.
            let names: Vec<String> = object.keys().cloned().collect();
            let (from, to) = (&names[below(stream, names.len())], &names[below(stream, names.len())]);
            let moved = object[from].clone();
            object.insert(to.clone(), moved);
            Value::Object(object)
        }
        (9, old) => (0..200).fold(old, |inner, _| json!([inner])),
        (10, Value::Number(old)) => json!(old.as_f64().unwrap_or(0.0) * 2.0 + 1.0),
        (10, Value::String(old)) => json!(old.repeat(1 + below(stream, 40))),
        (_, old) => json!({ "type": old }),
    };
}
