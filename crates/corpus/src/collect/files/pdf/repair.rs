//! A list of objects for a PDF that has lost its own: cut off at the end, with junk before it, or with
//! a list that points elsewhere.
//!
//! Objects say themselves where they begin (`12 0 obj`). They are looked for from front to back, the
//! last of a number counts, and a new list with the root that was found is written behind the file.

use std::collections::BTreeMap;

/// Objects beyond which a file is taken for an attack.
const MAX_OBJECTS: usize = 500_000;

/// The bytes with a new list of objects behind them.
pub(super) fn repaired(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.windows(5).position(|window| window == b"%PDF-").unwrap_or(0);
    let body = &bytes[start..];
    let objects = objects(body);
    let mut out = body.to_vec();
    out.push(b'\n');
    let at = out.len();
    let size = objects.keys().next_back().map_or(1, |last| last + 1);
    out.extend_from_slice(b"xref\n0 1\n0000000000 65535 f \n");
    for (number, found) in &objects {
        out.extend_from_slice(
            format!("{number} 1\n{:010} {:05} n \n", found.at, found.generation).as_bytes(),
        );
    }
    let root = root(body, &objects);
    let rest = ["Encrypt", "ID", "Info"].iter().filter_map(|key| last_value(body, key));
    let rest: String = rest.map(|(key, value)| format!("/{key} {value} ")).collect();
    let root =
        root.map_or(String::new(), |number| format!("/Root {number} {} R ", objects[&number].generation));
    out.extend_from_slice(
        format!("trailer\n<< /Size {size} {root}{rest}>>\nstartxref\n{at}\n%%EOF\n").as_bytes(),
    );
    out
}

#[derive(Debug, Clone, Copy)]
struct Found {
    at: usize,
    generation: u32,
}

/// Where each object begins.
fn objects(body: &[u8]) -> BTreeMap<u32, Found> {
    let mut objects = BTreeMap::new();
    let mut at = 0;
    while let Some(found) = find(&body[at..], b" obj") {
        let mark = at + found;
        at = mark + 4;
        if let Some((number, generation, start)) = label(&body[..mark])
            && objects.len() < MAX_OBJECTS
        {
            objects.insert(number, Found { at: start, generation });
        }
    }
    objects
}

/// The number and generation that end here, and where they begin.
fn label(before: &[u8]) -> Option<(u32, u32, usize)> {
    let digits = |bytes: &[u8]| bytes.iter().rev().take(10).take_while(|byte| byte.is_ascii_digit()).count();
    let generation = digits(before);
    let rest = &before[..before.len() - generation];
    let blank = rest.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
    let rest = &rest[..rest.len() - blank];
    let number = digits(rest);
    let start = rest.len() - number;
    let parse = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.parse::<u32>().ok();
    if generation == 0 || number == 0 || !(1..=4).contains(&blank) {
        return None;
    }
    let number = parse(&rest[start..])?;
    (number < 10_000_000).then_some((number, parse(&before[before.len() - generation..])?, start))
}

/// The object that says it is the catalog.
fn root(body: &[u8], objects: &BTreeMap<u32, Found>) -> Option<u32> {
    let says = |found: &Found| {
        let rest = &body[found.at..];
        let end = find(rest, b"endobj").unwrap_or(rest.len()).min(4096);
        let head: Vec<u8> = rest[..end].iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        find(&head, b"/Type/Catalog").is_some()
    };
    objects.iter().rev().find(|(_, found)| says(found)).map(|(number, _)| *number)
}

/// The last value of a key outside of objects: a reference or a list.
fn last_value<'a>(body: &[u8], key: &'a str) -> Option<(&'a str, String)> {
    let word = format!("/{key}");
    let at = rfind(body, word.as_bytes())? + word.len();
    let rest = &body[at..body.len().min(at + 400)];
    let text = String::from_utf8_lossy(rest).into_owned();
    let text = text.trim_start();
    let value = match text.chars().next()? {
        '[' => text.split_inclusive(']').next()?.to_owned(),
        c if c.is_ascii_digit() => text.split_inclusive('R').next()?.to_owned(),
        _ => return None,
    };
    let is_reference = value.ends_with('R') && value.len() < 24;
    (is_reference || value.ends_with(']')).then_some((key, value))
}

fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len()).position(|window| window == word)
}

fn rfind(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len()).rposition(|window| window == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn objects_are_found_where_they_begin() {
        let body =
            b"junk%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n12 0 obj << >> endobj\n1 obj";
        let out = String::from_utf8(repaired(body)).unwrap();
        assert!(out.contains("xref\n0 1\n0000000000 65535 f \n1 1\n0000000009 00000 n \n12 1\n"), "{out}");
        assert!(out.contains("trailer\n<< /Size 13 /Root 1 0 R >>"), "{out}");
    }

    proptest! {
        #[test]
        fn nothing_stops_it(bytes in prop::collection::vec(prop::sample::select(b" 0123456789objR/[]Encrypt\n".to_vec()), 0..200)) {
            repaired(&bytes);
        }
    }
}
