//! What may be done with a piece of writing, and on what ground.
//!
//! Rights are said by a person, for a place or a source; they are never guessed from a text. What
//! nobody said is unknown: it may be learned from on this machine and not be given away. An example
//! has the narrowest rights of all that is in it.

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

/// Rights said for a part of the writing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The end of a path, or a folder with its `/`; empty means all of it.
    #[serde(default)]
    pub place: String,
    /// On what ground.
    #[serde(default)]
    pub basis: Basis,
    /// Whether a model may learn from it. Default: local-only.
    #[serde(default = "local")]
    pub train: Grant,
    /// Whether its words may be given away.
    #[serde(default)]
    pub publish: Grant,
}

fn local() -> Grant {
    Grant::LocalOnly
}

impl Claim {
    /// The rights of a path: those said for the longest place that fits.
    pub fn of(claims: &[Self], path: &str) -> Rights {
        let fits = |place: &str| match place.ends_with('/') {
            true => path.starts_with(place) || path.contains(&format!("/{place}")),
            false => path.ends_with(place),
        };
        let best = claims.iter().filter(|claim| fits(&claim.place)).max_by_key(|claim| claim.place.len());
        best.map_or_else(Rights::default, |claim| Rights {
            basis: claim.basis,
            train: claim.train,
            publish: claim.publish,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yes_and_no_may_be_truth_values() {
        let read = |word: &str| serde_json::from_str::<Grant>(word).map_err(|error| error.to_string());
        assert_eq!(read("true"), Ok(Grant::Yes));
        assert_eq!(read("false"), Ok(Grant::No));
        assert_eq!(read("\"yes\""), Ok(Grant::Yes));
        assert_eq!(read("\"local-only\""), Ok(Grant::LocalOnly));
        let error = read("\"maybe\"").unwrap_err();
        assert!(error.contains("expected no, unknown, local-only or yes"), "{error}");
    }

    #[test]
    fn the_longest_place_says_it() {
        let claims: Vec<Claim> = serde_json::from_str(
            r#"[{"basis": "own", "train": "yes"}, {"place": "letters/", "train": "no"}, {"place": ".eml", "publish": "no"}]"#,
        )
        .unwrap();
        let check = |path, train, publish| {
            let rights = Claim::of(&claims, path);
            assert_eq!((rights.train, rights.publish), (train, publish), "{path}");
        };
        check("a.txt", Grant::Yes, Grant::Unknown);
        check("x/letters/a.txt", Grant::No, Grant::Unknown);
        check("a.eml", Grant::LocalOnly, Grant::No);
        assert_eq!(Claim::of(&[], "a"), Rights::default());
        assert!(serde_json::from_str::<Claim>(r#"{"plcae": "x"}"#).is_err());
    }

    #[test]
    fn together_they_are_the_narrower() {
        let own = Rights { basis: Basis::Own, train: Grant::Yes, publish: Grant::Yes };
        assert_eq!(own.meet(Rights::PLATFORM), Rights::PLATFORM);
        assert_eq!(own.meet(Rights::default()), Rights::default());
        assert_eq!(own.meet(own), own);
    }
}
