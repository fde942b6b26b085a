//! One setting: its name, what it may hold, its default and what it does.

use penname_corpus::validate::Bar;
use serde_json::Value;

/// A setting a person can make.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    /// Dotted name: `train.rank`.
    pub(crate) name: &'static str,
    /// What it may hold.
    pub(crate) kind: Kind,
    /// Its default, as it would be written in `penname.yaml`.
    pub(crate) default: &'static str,
    /// What it does, in one line.
    pub(crate) about: &'static str,
}

/// What a setting may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number between two others, both included.
    Count(u64, u64),
    /// A number between two others, both included.
    Real(f64, f64),
    /// One of a few words.
    Word(&'static [&'static str]),
    /// Any of a few words, in an order.
    Words(&'static [&'static str]),
    /// Any number of texts.
    List,
    /// Texts by text.
    Map,
    /// A list whose entries another crate checks.
    Entries,
    /// A scorer with its score: `whatlang >= 0.8`.
    Bar,
    /// Nothing, or something.
    Maybe(&'static Kind),
    /// `auto`, or something.
    Auto(&'static Kind),
}

impl Kind {
    /// Whether the value may stand here. Whole numbers are numbers too.
    pub(crate) fn accepts(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Flag => value.is_boolean(),
            Self::Count(low, high) => value.as_u64().is_some_and(|n| (low..=high).contains(&n)),
            Self::Real(low, high) => value.as_f64().is_some_and(|x| (low..=high).contains(&x)),
            Self::Word(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Self::Words(words) => {
                value.as_array().is_some_and(|list| list.iter().all(|value| Self::Word(words).accepts(value)))
            }
            Self::List => value.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
            Self::Map => value.as_object().is_some_and(|map| map.values().all(Value::is_string)),
            Self::Entries => value.as_array().is_some_and(|list| list.iter().all(Value::is_object)),
            Self::Bar => value.as_str().is_some_and(|text| text.parse::<Bar>().is_ok()),
            Self::Maybe(kind) => value.is_null() || kind.accepts(value),
            Self::Auto(kind) => value.as_str() == Some("auto") || kind.accepts(value),
        }
    }

    /// The value in the form it is kept in: a name that YAML reads as a number is still a name.
    pub(crate) fn settle(self, value: Value) -> Value {
        match (self, &value) {
            (Self::Text, Value::Number(_) | Value::Bool(_)) => Value::String(value.to_string()),
            (Self::Maybe(kind), _) if !value.is_null() => kind.settle(value),
            _ => value,
        }
    }

    /// Whether the value on a command line is text as it stands, not YAML.
    pub(crate) fn is_text(self) -> bool {
        match self {
            Self::Text | Self::Bar => true,
            Self::Maybe(kind) => kind.is_text(),
            _ => false,
        }
    }

    /// What may stand here, in words.
    pub(crate) fn expected(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Count(low, u64::MAX) => format!("a whole number from {low}"),
            Self::Count(low, high) => format!("a whole number from {low} to {high}"),
            Self::Real(low, high) => format!("a number from {} to {}", real(low), real(high)),
            Self::Word(words) => words.join(", "),
            Self::Words(words) => format!("a list of {}", words.join(", ")),
            Self::List => "a list of texts".to_owned(),
            Self::Map => "texts by text, such as {\".txt\": plain}".to_owned(),
            Self::Entries => "a list of entries".to_owned(),
            Self::Bar => "a scorer with a score of 0 to 1, such as `whatlang >= 0.8`".to_owned(),
            Self::Maybe(kind) => format!("nothing, or {}", kind.expected()),
            Self::Auto(kind) => format!("auto, or {}", kind.expected()),
        }
    }
}

fn real(x: f64) -> String {
    if x != 0.0 && (x.abs() < 1e-3 || x.abs() >= 1e6) { format!("{x:e}") } else { x.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn kinds_know_what_they_hold() {
        let check = |kind: Kind, value: Value, expected: bool| {
            assert_eq!(kind.accepts(&kind.settle(value.clone())), expected, "{kind:?} {value}");
        };
        check(Kind::Text, json!("x"), true);
        check(Kind::Text, json!(1984), true);
        check(Kind::Text, json!(null), false);
        check(Kind::Maybe(&Kind::Text), json!(null), true);
        check(Kind::Count(1, 8), json!(8), true);
        check(Kind::Count(1, 8), json!(9), false);
        check(Kind::Count(1, 8), json!(-1), false);
        check(Kind::Count(1, 8), json!(2.5), false);
        check(Kind::Real(0.0, 1.0), json!(1), true);
        check(Kind::Real(0.0, 1.0), json!("1"), false);
        check(Kind::Auto(&Kind::Count(1, 8)), json!("auto"), true);
        check(Kind::Auto(&Kind::Count(1, 8)), json!("automatic"), false);
        check(Kind::Word(&["a", "b"]), json!("c"), false);
        check(Kind::Words(&["a", "b"]), json!(["b", "a"]), true);
        check(Kind::Words(&["a", "b"]), json!(["c"]), false);
        check(Kind::List, json!(["a", 1]), false);
        check(Kind::Map, json!({ "a": "b" }), true);
        check(Kind::Bar, json!("whatlang >= 0.8"), true);
        check(Kind::Bar, json!("whatlang"), false);
        check(Kind::Entries, json!([1]), false);
    }

    #[test]
    fn ranges_are_told_in_words() {
        let check = |kind: Kind, expected: &str| assert_eq!(kind.expected(), expected);
        check(Kind::Count(1, u64::MAX), "a whole number from 1");
        check(Kind::Real(1e-9, 1.0), "a number from 1e-9 to 1");
        check(Kind::Auto(&Kind::Word(&["bf16", "f32"])), "auto, or bf16, f32");
    }
}
