//! YAML in, settings with their places out.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

use super::layer::Entry;
use super::origin::Origin;
use super::{Error, list};

/// A node of a YAML document, with the places of its keys and values.
#[derive(Debug)]
enum Node {
    Leaf(Value),
    List(Vec<Spanned<Node>>),
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
}

/// The entries of a document, in their order.
///
/// # Errors
/// When it is not YAML, or names settings that do not exist.
pub(crate) fn read(text: &str, place: &dyn Fn(u64, u64) -> Origin, name: &str) -> Result<Vec<Entry>, Error> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Vec::new());
    }
    let mut entries = Vec::new();
    match parse(text, name)?.value {
        Node::Map(fields) => collect("", fields, place, &mut entries)?,
        Node::Leaf(Value::Null) => {}
        Node::List(_) => return Err(Error::NoSettings { name: name.to_owned(), found: "a list" }),
        Node::Leaf(_) => return Err(Error::NoSettings { name: name.to_owned(), found: "a single value" }),
    }
    Ok(entries)
}

/// One value as it is typed on a command line.
///
/// # Errors
/// When it is not YAML.
pub(crate) fn value(text: &str, name: &str) -> Result<Value, Error> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    Ok(parse(text, name)?.value.into_value())
}

fn parse(text: &str, name: &str) -> Result<Spanned<Node>, Error> {
    serde_saphyr::from_str(text).map_err(|error| {
        let why = error.without_snippet().to_string();
        Error::Yaml { name: name.to_owned(), why }
    })
}

fn collect(
    path: &str,
    fields: Vec<(Spanned<String>, Spanned<Node>)>,
    place: &dyn Fn(u64, u64) -> Origin,
    entries: &mut Vec<Entry>,
) -> Result<(), Error> {
    for (name, node) in fields {
        let full = if path.is_empty() { name.value } else { format!("{path}.{}", name.value) };
        let at = |at: &serde_saphyr::Location| place(at.line(), at.column());
        if let Some(key) = list::find(&full) {
            entries.push(Entry { key, value: node.value.into_value(), origin: at(&node.referenced) });
            continue;
        }
        match node.value {
            Node::Map(fields) if list::is_section(&full) => collect(&full, fields, place, entries)?,
            // A section of which every line is commented out.
            Node::Leaf(Value::Null) if list::is_section(&full) => {}
            _ => {
                let meant = list::suggest(&full);
                return Err(Error::Unknown { key: full, place: at(&name.referenced), meant });
            }
        }
    }
    Ok(())
}

impl Node {
    fn into_value(self) -> Value {
        match self {
            Self::Leaf(value) => value,
            Self::List(nodes) => nodes.into_iter().map(|node| node.value.into_value()).collect(),
            Self::Map(fields) => {
                let field =
                    |(name, node): (Spanned<String>, Spanned<Self>)| (name.value, node.value.into_value());
                Value::Object(fields.into_iter().map(field).collect::<Map<_, _>>())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("settings")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Leaf(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Leaf(Value::from(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Leaf(Value::from(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        // The reader refuses what is not finite; should that change, it is refused as text.
        Ok(Node::Leaf(
            Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number),
        ))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Leaf(Value::from(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = items.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = entries.next_entry()? {
            fields.push(field);
        }
        Ok(Node::Map(fields))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expected: Expect) {
        let place = |line, column| Origin::File { name: "f".into(), line, column };
        let told = match read(text, &place, "f") {
            Ok(entries) => {
                let show = |e: &Entry| format!("{} = {} at {}", e.key.name, e.value, e.origin);
                entries.iter().map(show).collect::<Vec<_>>().join("\n")
            }
            Err(error) => format!("{error}; {:?}", error.hint()),
        };
        expected.assert_eq(&told);
    }

    #[test]
    fn settings_come_with_their_places() {
        check(
            "base: x\n# a\ntrain:\n  rank: 8\n  targets: [q_proj]\ncorpus:\n  split: {share: 0.2}\nwrite:\n",
            expect![[r#"
                base = "x" at f:1:7
                train.rank = 8 at f:4:9
                train.targets = ["q_proj"] at f:5:12
                corpus.split.share = 0.2 at f:7:18"#]],
        );
        check("train.rank: 8", expect!["train.rank = 8 at f:1:13"]);
        check("# nothing\n", expect![""]);
        check(
            "corpus:\n  format:\n    .txt: plain",
            expect![[r#"corpus.format = {".txt":"plain"} at f:3:5"#]],
        );
    }

    #[test]
    fn what_is_no_setting_is_refused_with_its_place() {
        check(
            "train:\n  rnk: 8",
            expect![[r#"unknown setting `train.rnk` (f:2:3); Some("did you mean `train.rank`?")"#]],
        );
        check(
            "train: 8",
            expect![[
                r#"unknown setting `train` (f:1:1); Some("`train` is a section: its settings stand below it, indented")"#
            ]],
        );
        check(
            "- a",
            expect!["`f` holds a list, expected settings such as `base: smollm2-135m-instruct`; None"],
        );
        check(
            "just text",
            expect![
                "`f` holds a single value, expected settings such as `base: smollm2-135m-instruct`; None"
            ],
        );
        check(
            "a: [",
            expect![[
                r#"`f` is not YAML that can be read: unclosed bracket '[' at line 1, column 4; Some("a text that holds `: ` or `#` needs quotes")"#
            ]],
        );
        check(
            "base: x\nbase: y",
            expect![[
                r#"`f` is not YAML that can be read: duplicate mapping key: base, set DuplicateKeyPolicy in Options if acceptable at line 2, column 1; Some("a text that holds `: ` or `#` needs quotes")"#
            ]],
        );
    }

    #[test]
    fn values_on_a_command_line_are_yaml() {
        let check = |text, expected: Value| assert_eq!(value(text, "--set").unwrap(), expected, "{text}");
        check("8", serde_json::json!(8));
        check("2e-4", serde_json::json!(2e-4));
        check("[a, b]", serde_json::json!(["a", "b"]));
        check("", Value::Null);
        assert!(value(".nan", "--set").is_err());
    }
}
