//! Inputs that are nearly right: the ones that get past the first check.
//!
//! Numbers are changed where a file keeps lengths, counts and offsets, which are found by what they are
//! worth: less than the file is long. What a file is built of is changed as such ([`tree`], [`wire`]), so
//! that it stays a file of its kind; one input in five is changed as bytes whatever it is.

use penname_fuzz::{Form, headed, parts};
use penname_ledger::Stream;

use super::{tree, wire};

/// Numbers at which arithmetic goes wrong.
pub(super) const EDGES: [u64; 16] = [
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

/// A changed copy of an input; `pool` are the others that are known.
pub(super) fn changed(base: &[u8], pool: &[Vec<u8>], form: Form, stream: &mut Stream) -> Vec<u8> {
    let mut data = base.to_vec();
    let form = if stream.unit_f32() < 0.2 { Form::Bytes } else { form };
    // Most inputs are one step away from one that is known: what several steps lead to is kept on the way.
    let n_most = 1 << below(stream, 3);
    for _ in 0..1 + below(stream, n_most) {
        data = changed_once(data, pool, form, stream);
    }
    data
}

fn changed_once(mut data: Vec<u8>, pool: &[Vec<u8>], form: Form, stream: &mut Stream) -> Vec<u8> {
    built(&data, pool, form, stream).unwrap_or_else(|| {
        change_bytes(&mut data, pool, stream);
        data
    })
}

/// A change of what an input is built of; none where it is not built so.
fn built(data: &[u8], pool: &[Vec<u8>], form: Form, stream: &mut Stream) -> Option<Vec<u8>> {
    match form {
        Form::Bytes => None,
        Form::Wire => wire::changed(data, stream),
        Form::Json => {
            let mut value = serde_json::from_slice(data).ok()?;
            tree::change(&mut value, stream);
            Some(value.to_string().into_bytes())
        }
        Form::Headed => {
            let (json, rest) = parts(data)?;
            if stream.unit_f32() < 0.4 {
                return Some(headed(&built(json, pool, Form::Json, stream)?, rest));
            }
            // Below a tree may lie another: that of the tensors.
            let inner = built(rest, pool, Form::Headed, stream);
            let rest = inner.unwrap_or_else(|| changed_once(rest.to_vec(), pool, Form::Bytes, stream));
            Some(headed(json, &rest))
        }
    }
}

pub(super) fn below(stream: &mut Stream, n: usize) -> usize {
    (stream.next_u32() as usize) % n.max(1)
}

fn change_bytes(data: &mut Vec<u8>, pool: &[Vec<u8>], stream: &mut Stream) {
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
            let other = &pool[below(stream, pool.len())];
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
