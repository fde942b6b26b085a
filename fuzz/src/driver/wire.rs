//! A protocol buffer with one field changed, and every length around it made right.

use penname_ledger::Stream;

use super::mutate::{EDGES, below};

/// A field: its key, and its value as it is written.
#[derive(Clone)]
struct Field {
    key: u64,
    value: Value,
}

#[derive(Clone)]
enum Value {
    Varint(u64),
    Bytes(Vec<u8>),
    /// Four bytes or eight.
    Fixed(Vec<u8>),
}

/// A changed copy; none when the bytes are no message.
pub(super) fn changed(data: &[u8], stream: &mut Stream) -> Option<Vec<u8>> {
    let mut fields = read(data)?;
    if fields.is_empty() {
        return None;
    }
    let (at, other) = (below(stream, fields.len()), below(stream, fields.len()));
    match below(stream, 10) {
        0 => drop(fields.remove(at)),
        1 => fields.insert(other, fields[at].clone()),
        2 => fields.swap(at, other),
        3 => fields[at].value = fields[other].value.clone(),
        // One field under the number of another, or written in another way.
        4 => fields[at].key ^= 1 << below(stream, 6),
        _ => change(&mut fields[at].value, stream),
    }
    Some(write(&fields))
}

fn change(value: &mut Value, stream: &mut Stream) {
    match value {
        Value::Varint(number) => {
            *number = match below(stream, 3) {
                0 => number.wrapping_add(1),
                1 => number.wrapping_sub(1),
                _ => EDGES[below(stream, EDGES.len())],
            }
        }
        Value::Fixed(bytes) => {
            let numbers = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, f32::MAX, 1.0, -1e30];
            let number = numbers[below(stream, numbers.len())].to_le_bytes();
            bytes.iter_mut().zip(number).for_each(|(byte, new)| *byte = new);
        }
        Value::Bytes(bytes) => {
            let inner = if stream.unit_f32() < 0.7 { changed(bytes, stream) } else { None };
            *bytes = inner.unwrap_or_else(|| text(bytes, stream));
        }
    }
}

/// A changed text: longer, shorter, empty, or one with a meaning.
fn text(bytes: &[u8], stream: &mut Stream) -> Vec<u8> {
    let known = ["", "\u{2581}", "\u{2581}\u{2581}", "a", "<0x00>", "<0xFF>", "<s>", " ", "\0", "\u{1f58b}"];
    let known = known[below(stream, known.len())].as_bytes();
    match below(stream, 5) {
        0 => known.to_vec(),
        1 => [bytes, known].concat(),
        2 => bytes.repeat(1 + below(stream, 20)),
        3 => bytes[..below(stream, bytes.len() + 1)].to_vec(),
        _ => {
            let mut bytes = bytes.to_vec();
            let at = below(stream, bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << below(stream, 8);
            }
            bytes
        }
    }
}

fn read(mut data: &[u8]) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !data.is_empty() {
        let key = varint(&mut data)?;
        let value = match key & 7 {
            0 => Value::Varint(varint(&mut data)?),
            1 => Value::Fixed(take(&mut data, 8)?),
            5 => Value::Fixed(take(&mut data, 4)?),
            2 => {
                let n_bytes = varint(&mut data)?;
                Value::Bytes(take(&mut data, n_bytes)?)
            }
            _ => return None,
        };
        fields.push(Field { key, value });
    }
    Some(fields)
}

fn take(data: &mut &[u8], n_bytes: u64) -> Option<Vec<u8>> {
    let (taken, rest) = data.split_at_checked(usize::try_from(n_bytes).ok()?)?;
    *data = rest;
    Some(taken.to_vec())
}

fn varint(data: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = data.split_first()?;
        *data = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn write(fields: &[Field]) -> Vec<u8> {
    let mut data = Vec::new();
    for Field { key, value } in fields {
        put(&mut data, *key);
        match value {
            Value::Varint(number) => put(&mut data, *number),
            Value::Fixed(bytes) => data.extend(bytes),
            Value::Bytes(bytes) => {
                put(&mut data, bytes.len() as u64);
                data.extend(bytes);
            }
        }
    }
    data
}

fn put(data: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        data.push(number as u8 | 0x80);
        number >>= 7;
    }
    data.push(number as u8);
}
