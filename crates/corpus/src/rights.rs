//! Who says what may be done with which part of the writing.
//!
//! Rights are said by a person, for a place or a source; they are never guessed from a text. What
//! nobody said is unknown: it may be learned from on this machine and not be given away. An example
//! has the narrowest rights of all that is in it.

use serde::{Deserialize, Serialize};

pub use penname_token::rights::{Basis, Grant, Rights};

/// Reason for what nobody may learn from.
pub(crate) const UNALLOWED: &str = "rights do not allow learning";

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
}
