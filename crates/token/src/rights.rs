//! What may be done with a piece of writing, and on what ground.
//!
//! Rights travel with an [`Example`](crate::Example), which has the narrowest of all that is in it.
//! Nobody guesses them from a text: who says them, and for what, is the business of the corpus.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The ground on which a text is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Nobody said.
    #[default]
    Unknown,
    /// The terms of the service it was fetched from.
    PlatformTerms,
    /// A licence that comes with it.
    Licence,
    /// The writer allowed it.
    Permission,
    /// The writer's own.
    Own,
    /// Nobody's any more.
    PublicDomain,
}

/// How far something is allowed, from least to most. In settings `yes` and `no` may be truth values,
/// which is what YAML takes those words for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", from = "Word")]
pub enum Grant {
    /// It is not.
    No,
    /// Nobody said.
    #[default]
    Unknown,
    /// On this machine only.
    LocalOnly,
    /// It is.
    Yes,
}

/// A grant as it may be written.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected no, unknown, local-only or yes")]
enum Word {
    Truth(bool),
    Named(Named),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Named {
    No,
    Unknown,
    LocalOnly,
    Yes,
}

impl From<Word> for Grant {
    fn from(word: Word) -> Self {
        match word {
            Word::Truth(false) | Word::Named(Named::No) => Self::No,
            Word::Named(Named::Unknown) => Self::Unknown,
            Word::Named(Named::LocalOnly) => Self::LocalOnly,
            Word::Truth(true) | Word::Named(Named::Yes) => Self::Yes,
        }
    }
}

/// What may be done with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rights {
    /// On what ground. Default: unknown.
    pub basis: Basis,
    /// Whether a model may learn from it. Default: local-only.
    pub train: Grant,
    /// Whether its words may be given away, in examples or samples. Default: unknown.
    pub publish: Grant,
}

impl Default for Rights {
    fn default() -> Self {
        Self { basis: Basis::Unknown, train: Grant::LocalOnly, publish: Grant::Unknown }
    }
}

impl Rights {
    /// What stands under the terms of a service: learned from here, and not given away.
    pub const PLATFORM: Self =
        Self { basis: Basis::PlatformTerms, train: Grant::LocalOnly, publish: Grant::No };

    /// The narrower of both in every respect: what may be done with a text made of two.
    #[must_use]
    pub fn meet(self, other: Self) -> Self {
        Self {
            basis: self.basis.min(other.basis),
            train: self.train.min(other.train),
            publish: self.publish.min(other.publish),
        }
    }
}

impl Grant {
    /// Its name, in settings and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Unknown => "unknown",
            Self::LocalOnly => "local-only",
            Self::Yes => "yes",
        }
    }
}

impl Basis {
    /// Its name, in settings and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::PlatformTerms => "platform-terms",
            Self::Licence => "licence",
            Self::Permission => "permission",
            Self::Own => "own",
            Self::PublicDomain => "public-domain",
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn together_they_are_the_narrower() {
        let own = Rights { basis: Basis::Own, train: Grant::Yes, publish: Grant::Yes };
        assert_eq!(own.meet(Rights::PLATFORM), Rights::PLATFORM);
        assert_eq!(own.meet(Rights::default()), Rights::default());
        assert_eq!(own.meet(own), own);
        let order = [Grant::No, Grant::Unknown, Grant::LocalOnly, Grant::Yes];
        assert!(order.is_sorted());
    }

    #[test]
    fn names_are_those_of_files() {
        let json = |value: serde_json::Value| value.as_str().map(str::to_owned).unwrap();
        for grant in [Grant::No, Grant::Unknown, Grant::LocalOnly, Grant::Yes] {
            assert_eq!(json(serde_json::json!(grant)), grant.to_string());
        }
        for basis in [Basis::Unknown, Basis::PlatformTerms, Basis::Licence, Basis::Own, Basis::PublicDomain] {
            assert_eq!(json(serde_json::json!(basis)), basis.to_string());
        }
    }
}
