//! Content addresses: BLAKE3 of bytes, files and JSON values.

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use crate::{Error, Result};

/// A 256-bit BLAKE3 digest, shown and stored as 64 lower-case hexadecimal digits.
///
/// # Source
/// O'Connor, Aumasson, Neves, Wilcox-O'Hearn, *BLAKE3: one function, fast everywhere*, 2020.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The digest of a file's content, read in pieces.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of_file(path: &Path) -> Result<Self> {
        let read = || {
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(File::open(path)?)?;
            Ok(hasher)
        };
        read().map(|hasher| Self(*hasher.finalize().as_bytes())).map_err(|e| Error::io("read", path, 0, e))
    }

    /// The digest of a JSON value, whatever the order of its keys and its spacing.
    ///
    /// Numbers count as written: `1` and `1.0` are different values.
    pub fn of_json(value: &Value) -> Self {
        Self::of(sorted(value).to_string().as_bytes())
    }

    /// The digest of several digests or other bytes, each with its length, so that no two lists
    /// run together.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// The first twelve digits: enough to name a folder by.
    pub fn key12(&self) -> String {
        self.to_string()[..12].to_owned()
    }

    /// The digest itself.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The same value with the keys of every object in order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<_> = map.iter().collect();
            pairs.sort_by_key(|(key, _)| *key);
            Value::Object(pairs.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

impl From<[u8; 32]> for Hash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl FromStr for Hash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::BadName { name: text.to_owned(), expected: "64 hexadecimal digits" };
        let digits = text.as_bytes();
        // `from_hex` also takes capitals; one digest has one spelling here.
        if digits.iter().any(u8::is_ascii_uppercase) {
            return Err(bad());
        }
        blake3::Hash::from_hex(digits).map(|hash| Self(*hash.as_bytes())).map_err(|_| bad())
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::write;

    #[test]
    fn the_empty_digest_is_the_published_one() {
        let expected = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(Hash::of(b"").to_string(), expected);
        assert_eq!(Hash::of(b"").key12(), "af1349b9f5f9");
    }

    #[test]
    fn a_file_has_the_digest_of_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let content: Vec<u8> = (0..300_000u32).map(|i| (i % 251) as u8).collect();
        let path = dir.path().join("f");
        write::bytes(&path, &content).unwrap();
        assert_eq!(Hash::of_file(&path).unwrap(), Hash::of(&content));
        assert!(Hash::of_file(&dir.path().join("none")).is_err());
    }

    #[test]
    fn json_digests_ignore_key_order_and_nothing_else() {
        let check = |a: Value, b: Value, same: bool| {
            assert_eq!(Hash::of_json(&a) == Hash::of_json(&b), same, "{a} {b}");
        };
        check(json!({"a": 1, "b": {"c": [1, 2], "d": 0}}), json!({"b": {"d": 0, "c": [1, 2]}, "a": 1}), true);
        check(json!({"a": [1, 2]}), json!({"a": [2, 1]}), false);
        check(json!({"a": 1}), json!({"a": "1"}), false);
        check(json!({"a": 1}), json!({"a": 1.0}), false);
        check(json!({"a": null}), json!({}), false);
    }

    #[test]
    fn parts_do_not_run_together() {
        let of = |parts: &[&str]| Hash::of_parts(parts.iter().map(|p| p.as_bytes()));
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["ab"]), of(&["ab", ""]));
    }

    #[test]
    fn text_goes_there_and_back_and_bad_text_is_refused() {
        let hash = Hash::of(b"x");
        let text = serde_json::to_string(&hash).unwrap();
        assert_eq!(serde_json::from_str::<Hash>(&text).unwrap(), hash);
        for bad in ["", "ab", "zz", &hash.to_string().to_uppercase(), &format!("{hash}0")] {
            assert!(bad.parse::<Hash>().is_err(), "{bad}");
        }
    }
}
