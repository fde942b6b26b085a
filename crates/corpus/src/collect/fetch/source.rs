//! A network source as the settings name it, and what holds for all of them.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{ALL, Kind};
use crate::Error;
use crate::rights::Rights;

/// A source of writing that is reached over the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Its name: that of its folder, and what stands before its documents' paths.
    pub id: String,
    /// What it is: one of [`ALL`].
    pub kind: String,
    /// Pieces taken at most in one pass. Default: all there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Seconds between two questions. Default: as the kind says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_seconds: Option<f64>,
    /// What may be done with what it gives. Default: as the kind says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rights: Option<Rights>,
    /// What only its kind understands.
    #[serde(flatten)]
    pub options: Map<String, Value>,
}

impl Source {
    /// Its kind.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn kind(&self) -> Result<&'static Kind, Error> {
        ALL.iter().find(|kind| kind.name == self.kind).ok_or_else(|| {
            let names: Vec<&str> = ALL.iter().map(|kind| kind.name).collect();
            self.wrong(format!("its kind is `{}`, expected one of {}", self.kind, names.join(", ")))
        })
    }

    /// Refuses a source that cannot be asked, before anything is.
    ///
    /// # Errors
    /// [`Error::Source`] names it and says why.
    pub fn check(&self) -> Result<(), Error> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.id.is_empty() || self.id.len() > 64 || !self.id.chars().all(is_plain) {
            return Err(self.wrong("its id is not 1 to 64 letters, digits, `-` and `_`".to_owned()));
        }
        if self.every_seconds.is_some_and(|seconds| !(0.0..=86_400.0).contains(&seconds)) {
            return Err(self.wrong("`every_seconds` is not from 0 to 86400".to_owned()));
        }
        (self.kind()?.check)(self).map_err(|why| self.wrong(why))
    }

    fn wrong(&self, why: String) -> Error {
        Error::Source { id: self.id.clone(), why }
    }

    /// What its kind understands.
    pub(super) fn options<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_value(Value::Object(self.options.clone())).map_err(|error| error.to_string())
    }

    /// Everything that decides what it gives. How fast it is asked is not among it.
    pub(super) fn order(&self) -> Value {
        json!({"kind": self.kind, "limit": self.limit, "options": self.options})
    }
}

/// How hosts are met, whatever the source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// A mail address or page by which the owner of a host can reach who asks. Default: the page of
    /// this program.
    pub contact: Option<String>,
    /// Minutes that a host may make one wait before its source is left for another time. Default: 15.
    pub max_wait_minutes: u64,
    /// How often something is asked in a row without an answer. Default: 6.
    pub tries: u32,
}

impl Default for Network {
    fn default() -> Self {
        Self { contact: None, max_wait_minutes: 15, tries: 6 }
    }
}

impl Network {
    /// Who asks.
    pub(super) fn agent(&self) -> String {
        let contact = self.contact.as_deref().unwrap_or(env!("CARGO_PKG_REPOSITORY"));
        let contact: String = contact.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect();
        format!("penname/{} (+{contact})", env!("CARGO_PKG_VERSION"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: Value, expected: &str) {
        let source: Source = serde_json::from_value(source).unwrap();
        let seen = source.check().map_or_else(|error| error.to_string(), |()| "fine".to_owned());
        assert_eq!(seen, expected);
    }

    #[test]
    fn sources_are_refused_by_name() {
        check(json!({"id": "rel", "kind": "reddit", "subreddit": "x"}), "fine");
        check(
            json!({"id": "../x", "kind": "reddit"}),
            "source `../x` cannot be used: its id is not 1 to 64 letters, digits, `-` and `_`",
        );
        check(
            json!({"id": "a", "kind": "redit"}),
            "source `a` cannot be used: its kind is `redit`, expected one of reddit, reddit-public, reddit-archive, \
             apify, twscrape, blog",
        );
        check(
            json!({"id": "a", "kind": "blog", "address": "https://a.test", "every_seconds": -1}),
            "source `a` cannot be used: `every_seconds` is not from 0 to 86400",
        );
        check(
            json!({"id": "a", "kind": "reddit", "subredit": "x"}),
            "source `a` cannot be used: unknown field `subredit`, expected one of `subreddit`, `user`, `sort`, `time`, \
             `comments`, `more`, `address`, `login`",
        );
        check(
            json!({"id": "a", "kind": "reddit"}),
            "source `a` cannot be used: it names neither `subreddit` nor `user`",
        );
    }

    #[test]
    fn who_asks_is_one_line() {
        let network = Network { contact: Some("ann@a.test\r\nX: y".to_owned()), ..Network::default() };
        assert_eq!(network.agent(), format!("penname/{} (+ann@a.testX: y)", env!("CARGO_PKG_VERSION")));
        assert!(Network::default().agent().contains("https://"));
    }
}
