//! Inputs that are nearly right: the ones that get past the first check.
//!
//! Numbers are changed where a file keeps lengths, counts and offsets, which are found by what they are
//! worth: less than the file is long. JSON is changed as a tree, so that it stays JSON.

use penname_ledger::Stream;
use serde_json::{Value, json};

/// Numbers at which arithmetic goes wrong.
const EDGES: [u64; 16] = [
    0,
    1,
    2,
    3,
    31,
    32,
    33,
    255,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 32,
    1 << 40,
    (1 << 63) - 1,
    1 << 63,
    u64::MAX,
];

/// A changed copy of one of the seeds.
pub(crate) fn changed(seeds: &[Vec<u8>], is_json: bool, stream: &mut Stream) -> Vec<u8> {
    let seed = &seeds[below(stream, seeds.len())];
    let n_changes = 1 + below(stream, 4);
    if is_json && stream.unit_f32() < 0.8 {
        if let Ok(mut value) = serde_json::from_slice(seed) {
            (0..n_changes).for_each(|_| change_json(&mut value, stream));
            return value.to_string().into_bytes();
        }
    }
    let mut data = seed.clone();
    (0..n_changes).for_each(|_| change_bytes(&mut data, seeds, stream));
    data
}

fn below(stream: &mut Stream, n: usize) -> usize {
    (stream.next_u32() as usize) % n.max(1)
}

fn change_bytes(data: &mut Vec<u8>, seeds: &[Vec<u8>], stream: &mut Stream) {
    if data.is_empty() {
        return data.push(stream.next_u32() as u8);
    }
    let at = place(data, stream);
    match below(stream, 8) {
        0 => data[at] ^= 1 << below(stream, 8),
        1 => data[at] = stream.next_u32() as u8,
        2 | 3 => put_number(data, at, stream),
        4 => data.truncate(at),
        5 => drop(data.drain(at..(at + 1 + below(stream, 64)).min(data.len()))),
        6 => {
            let end = (at + 1 + below(stream, 64)).min(data.len());
            let part = data[at..end].to_vec();
            data.splice(at..at, part);
        }
        _ => {
            // The head of one file and the rest of another.
            let other = &seeds[below(stream, seeds.len())];
            let from = at.min(other.len());
            data.truncate(at);
            data.extend(&other[from..]);
        }
    }
}

/// A place to change: more often near the beginning, where a file says what it holds.
fn place(data: &[u8], stream: &mut Stream) -> usize {
    let whole = below(stream, data.len());
    if stream.unit_f32() < 0.75 { whole % (data.len() / 4).clamp(64, 16_384).min(data.len()) } else { whole }
}

/// Writes an edge over a number that may be a length, in its width.
fn put_number(data: &mut [u8], from: usize, stream: &mut Stream) {
    let width = if stream.unit_f32() < 0.6 { 8 } else { 4 };
    let Some(last) = data.len().checked_sub(width) else { return };
    let value = |at: usize, data: &[u8]| {
        let mut wide = [0; 8];
        wide[..width].copy_from_slice(&data[at..at + width]);
        u64::from_le_bytes(wide)
    };
    let looks_like_a_length = |at: &usize| (1..=data.len() as u64).contains(&value(*at, data));
    let at = (from..=last.min(from + 256)).find(looks_like_a_length).unwrap_or(from.min(last));
    let old = value(at, data);
    let new = match below(stream, 4) {
        0 => old.wrapping_add(1),
        1 => old.wrapping_sub(1),
        2 => old.wrapping_mul(1 + u64::from(stream.next_u32() >> 24)),
        _ => EDGES[below(stream, EDGES.len())],
    };
    data[at..at + width].copy_from_slice(&new.to_le_bytes()[..width]);
}

/// Changes one place of a tree.
fn change_json(value: &mut Value, stream: &mut Stream) {
    let n = count(value);
    let target = below(stream, n);
    let mut at = 0;
    visit(value, &mut |node| {
        if at == target {
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
