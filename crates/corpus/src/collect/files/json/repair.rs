//! JSON as people's scripts write it: numbers that are none, commas too many, raw tabs, half a
//! surrogate pair. Used only on what a strict reader refuses.

/// The text with `NaN` and infinities as `null`, trailing commas gone, raw control characters
/// escaped and lone surrogates replaced. Strings are otherwise left as they are.
pub(super) fn repair(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let used = match c {
            '"' => string(rest, &mut out),
            'N' | 'I' | '-' => number(rest, &mut out),
            ',' if rest[1..].trim_start().starts_with(['}', ']']) => 1,
            c => {
                out.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[used..];
    }
    out
}

fn number(rest: &str, out: &mut String) -> usize {
    match ["NaN", "-Infinity", "Infinity"].iter().find(|name| rest.starts_with(**name)) {
        Some(name) => {
            out.push_str("null");
            name.len()
        }
        None => {
            out.extend(rest.chars().next());
            1
        }
    }
}

/// Copies a string with its quotes; returns the bytes it took.
fn string(rest: &str, out: &mut String) -> usize {
    out.push('"');
    let mut at = 1;
    while let Some(c) = rest[at..].chars().next() {
        match c {
            '"' => {
                out.push('"');
                return at + 1;
            }
            '\\' => at += escape(&rest[at..], out),
            c if c.is_control() && (c as u32) < 0x20 => {
                out.push_str(match c {
                    '\t' => "\\t",
                    '\n' => "\\n",
                    _ => " ",
                });
                at += 1;
            }
            c => {
                out.push(c);
                at += c.len_utf8();
            }
        }
    }
    at
}

/// Copies one escape, or a pair that makes one character; returns the bytes it took.
fn escape(rest: &str, out: &mut String) -> usize {
    let unit = |at: usize| {
        let digits = rest.get(at..at + 6)?.strip_prefix("\\u")?;
        u32::from_str_radix(digits, 16).ok()
    };
    let copied = match (unit(0), unit(6)) {
        (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
        (Some(0xd800..=0xdfff), _) => {
            out.push_str("\\ufffd");
            return 6;
        }
        _ => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
    };
    out.push_str(&rest[..copied]);
    copied
}

#[cfg(test)]
mod tests {
    use super::repair;
    use proptest::prelude::*;
    use serde_json::Value;

    fn check(text: &str, expected: &str) {
        assert_eq!(repair(text), expected);
        serde_json::from_str::<Value>(expected).unwrap();
    }

    #[test]
    fn what_scripts_write_becomes_json() {
        check(r#"{"a": NaN, "b": -Infinity, "c": -1,}"#, r#"{"a": null, "b": null, "c": -1}"#);
        check(r#"{"NaN": "NaN, ]", "q": "\"NaN"}"#, r#"{"NaN": "NaN, ]", "q": "\"NaN"}"#);
        check(r#"["\ud83d x", "\ud83d\ude00", "\udc00"]"#, r#"["\ufffd x", "\ud83d\ude00", "\ufffd"]"#);
        check("[\"a\tb\"]", "[\"a\\tb\"]");
    }

    proptest! {
        #[test]
        fn good_json_means_the_same_afterwards(strings in prop::collection::vec(".*", 0..6), n: i32) {
            let value = serde_json::json!({ "s": strings, "n": n });
            let back: Value = serde_json::from_str(&repair(&value.to_string())).unwrap();
            prop_assert_eq!(value, back);
        }

        #[test]
        fn nothing_stops_it(text in "[\\\\u\"dN8,{}\\]\\n\\PC]{0,60}") {
            repair(&text);
        }
    }
}
