//! What a finished stage leaves beside its output: what was made, from what, by which version.
//!
//! `manifest.json` is written last. If it is there with the key that is asked for, the stage is
//! done; if it is not, the folder is unfinished, whatever else lies in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Choice, Error, Hash, Result, Seed, Timestamp, clock, write};

/// Name of the manifest in its folder.
pub const FILE: &str = "manifest.json";

/// The format this version writes and reads.
const FORMAT: u32 = 1;

/// Everything that decides the outcome of a stage. Two equal orders have one outcome, so the
/// second need not be worked on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The stage: `prepare`.
    pub stage: String,
    /// The version of penname.
    pub version: String,
    /// Digests of what goes in, by name.
    pub inputs: BTreeMap<String, Hash>,
    /// The resolved settings the stage looks at, and no others.
    pub settings: Value,
    /// The root seed, for stages with randomness in them.
    pub seed: Option<Seed>,
}

impl Order {
    /// An order without inputs, settings and seed; fill in what there is.
    pub fn new(stage: &str, version: &str) -> Self {
        let (stage, version) = (stage.to_owned(), version.to_owned());
        Self { stage, version, inputs: BTreeMap::new(), settings: Value::Null, seed: None }
    }

    /// The digest by which equal orders are recognised.
    pub fn key(&self) -> Hash {
        Hash::of_json(&json!({
            "format": FORMAT,
            "stage": self.stage,
            "version": self.version,
            "inputs": self.inputs,
            "settings": self.settings,
            "seed": self.seed,
        }))
    }
}

/// One file of the output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Digest of its content.
    pub hash: Hash,
    /// Its size.
    pub bytes: u64,
}

/// The record of a finished stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this record's form.
    pub format: u32,
    /// The order's digest.
    pub key: Hash,
    /// What was ordered.
    #[serde(flatten)]
    pub order: Order,
    /// What was decided on the way, and why.
    pub choices: Vec<Choice>,
    /// What it ran on.
    pub device: Option<String>,
    /// What went through: documents, tokens, steps.
    pub counts: BTreeMap<String, u64>,
    /// What was measured on the way: distances, shares.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub measures: BTreeMap<String, f64>,
    /// Time taken.
    pub seconds: f64,
    /// When it was finished.
    pub made_at: Timestamp,
    /// The files that were made, by name relative to the folder.
    pub outputs: BTreeMap<String, Output>,
}

/// What lies in a folder, seen from an order.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// This very order, finished.
    Done(Box<Manifest>),
    /// Another order's outcome.
    Other(Box<Manifest>),
    /// No manifest: nothing finished.
    Absent,
    /// A manifest that cannot be believed, and why.
    Broken(String),
}

/// How closely outputs are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// They are there and have their size.
    Size,
    /// They have their digest.
    Content,
}

impl Manifest {
    /// The record of `order`, to be filled in while it is worked on and then
    /// [finished](Self::finish).
    pub fn new(order: Order) -> Self {
        Self {
            format: FORMAT,
            key: order.key(),
            order,
            choices: Vec::new(),
            device: None,
            counts: BTreeMap::new(),
            measures: BTreeMap::new(),
            seconds: 0.0,
            made_at: clock::now(),
            outputs: BTreeMap::new(),
        }
    }

    /// Digests the named files of `dir`, dates the record and writes it there. Call it last.
    ///
    /// # Errors
    /// When a name leads out of the folder, a file cannot be read, or the record not be written.
    pub fn finish(mut self, dir: &Path, outputs: &[&str]) -> Result<Self> {
        for &name in outputs {
            if !is_inside(name) {
                return Err(Error::BadName { name: name.to_owned(), expected: "a path inside its folder" });
            }
            let path = dir.join(name);
            let bytes = fs::metadata(&path).map_err(|e| Error::io("read", &path, 0, e))?.len();
            self.outputs.insert(name.to_owned(), Output { hash: Hash::of_file(&path)?, bytes });
        }
        self.made_at = clock::now();
        write::json(&dir.join(FILE), &self)?;
        Ok(self)
    }

    /// Reads the manifest of `dir`.
    ///
    /// # Errors
    /// When there is none, it cannot be read, or it is not a manifest.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        let text = fs::read(&path).map_err(|e| Error::io("read", &path, 0, e))?;
        serde_json::from_slice(&text).map_err(|source| Error::Decode { path, expected: "a manifest", source })
    }

    /// Looks whether `dir` holds the outcome of the order with this key, by sizes; see
    /// [`Manifest::verify`] for more. What cannot be read or believed is [`Found::Broken`].
    pub fn find(dir: &Path, key: &Hash) -> Found {
        if !dir.join(FILE).exists() {
            return Found::Absent;
        }
        let manifest = match Self::read(dir) {
            Ok(manifest) => Box::new(manifest),
            Err(Error::Decode { path, expected, source }) => {
                return Found::Broken(format!("`{}` does not hold {expected}: {source}", path.display()));
            }
            Err(error) => return Found::Broken(error.to_string()),
        };
        match manifest.verify(dir, Depth::Size) {
            Err(reason) => Found::Broken(reason),
            Ok(()) if manifest.key == *key => Found::Done(manifest),
            Ok(()) => Found::Other(manifest),
        }
    }

    /// Checks that the record agrees with itself and with the files in `dir`.
    ///
    /// # Errors
    /// The first disagreement, in words.
    pub fn verify(&self, dir: &Path, depth: Depth) -> std::result::Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("the manifest has format {}, expected {FORMAT}", self.format));
        }
        if self.key != self.order.key() {
            return Err("the manifest's key does not belong to its inputs and settings".to_owned());
        }
        self.outputs.iter().try_for_each(|(name, output)| output.verify(dir, name, depth))
    }
}

impl Output {
    fn verify(&self, dir: &Path, name: &str, depth: Depth) -> std::result::Result<(), String> {
        if !is_inside(name) {
            return Err(format!("output `{name}` is not a path inside its folder"));
        }
        let path = dir.join(name);
        let meta = fs::metadata(&path).map_err(|e| format!("output `{name}` cannot be read: {e}"))?;
        if meta.len() != self.bytes {
            return Err(format!("output `{name}` has {} bytes, expected {}", meta.len(), self.bytes));
        }
        if depth == Depth::Size {
            return Ok(());
        }
        let hash = Hash::of_file(&path).map_err(|e| format!("output `{name}`: {e}"))?;
        if hash != self.hash {
            return Err(format!("output `{name}` has digest {hash}, expected {}", self.hash));
        }
        Ok(())
    }
}

/// Whether a name stays inside the folder it is joined to.
fn is_inside(name: &str) -> bool {
    let path = Path::new(name);
    !name.is_empty() && path.components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order {
        Order {
            inputs: BTreeMap::from([("writing".into(), Hash::of(b"w")), ("base".into(), Hash::of(b"b"))]),
            settings: json!({"length": 512, "clean": {"html": true}}),
            seed: Some(Seed(7)),
            ..Order::new("prepare", "0.1.0")
        }
    }

    fn made(dir: &Path) -> Manifest {
        write::bytes(&dir.join("a.bin"), b"aaaa").unwrap();
        write::folder(&dir.join("deep")).unwrap();
        write::bytes(&dir.join("deep/b.bin"), b"bb").unwrap();
        let mut manifest = Manifest::new(order());
        manifest.choices.push(Choice::new("length", 512, "the longest post has 480 tokens"));
        manifest.counts.insert("documents".into(), 12);
        manifest.finish(dir, &["a.bin", "deep/b.bin"]).unwrap()
    }

    #[test]
    fn the_key_changes_with_every_part_of_the_order() {
        let key = order().key();
        let check = |change: fn(&mut Order), same: bool| {
            let mut other = order();
            change(&mut other);
            assert_eq!(other.key() == key, same, "{other:?}");
        };
        check(|_| {}, true);
        check(|o| o.settings = json!({"clean": {"html": true}, "length": 512}), true);
        check(|o| o.stage.push('x'), false);
        check(|o| o.version.push('1'), false);
        check(|o| o.settings["length"] = json!(513), false);
        check(|o| o.settings["clean"]["html"] = json!(false), false);
        check(|o| o.seed = Some(Seed(8)), false);
        check(|o| o.seed = None, false);
        check(|o| _ = o.inputs.insert("base".into(), Hash::of(b"c")), false);
        check(|o| _ = o.inputs.remove("base"), false);
        check(|o| _ = o.inputs.insert("more".into(), Hash::of(b"b")), false);
    }

    #[test]
    fn a_finished_folder_is_found_by_its_key_only() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Manifest::find(dir.path(), &order().key()), Found::Absent);
        let manifest = made(dir.path());
        assert_eq!(manifest.outputs["deep/b.bin"].bytes, 2);
        assert_eq!(Manifest::find(dir.path(), &order().key()), Found::Done(Box::new(manifest.clone())));
        assert_eq!(Manifest::find(dir.path(), &Hash::of(b"")), Found::Other(Box::new(manifest.clone())));
        assert_eq!(manifest.verify(dir.path(), Depth::Content), Ok(()));
    }

    #[test]
    fn damage_is_told_by_size_at_once_and_by_content_on_demand() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = made(dir.path());
        write::bytes(&dir.path().join("a.bin"), b"aaab").unwrap();
        assert!(matches!(Manifest::find(dir.path(), &manifest.key), Found::Done(_)));
        let told = manifest.verify(dir.path(), Depth::Content).unwrap_err();
        assert!(told.starts_with("output `a.bin` has digest "), "{told}");
        write::bytes(&dir.path().join("a.bin"), b"a").unwrap();
        let expected = Found::Broken("output `a.bin` has 1 bytes, expected 4".into());
        assert_eq!(Manifest::find(dir.path(), &manifest.key), expected);
    }

    #[test]
    fn a_manifest_that_lies_is_broken() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = made(dir.path());
        let check = |change: &dyn Fn(&mut Value), expected: &str| {
            let mut value = serde_json::to_value(&manifest).unwrap();
            change(&mut value);
            write::json(&dir.path().join(FILE), &value).unwrap();
            match Manifest::find(dir.path(), &manifest.key) {
                Found::Broken(reason) => assert!(reason.contains(expected), "{reason}"),
                other => panic!("{other:?}"),
            }
        };
        check(&|v| v["format"] = json!(2), "format 2, expected 1");
        check(&|v| v["settings"]["length"] = json!(1), "does not belong");
        check(&|v| v["outputs"]["../a"] = v["outputs"]["a.bin"].clone(), "`../a` is not a path inside");
        check(&|v| v["outputs"]["gone"] = v["outputs"]["a.bin"].clone(), "`gone` cannot be read");
        check(&|v| v["key"] = json!("short"), "does not hold a manifest");
    }

    #[test]
    fn names_that_lead_out_of_the_folder_are_refused() {
        let check = |name: &str, expected: bool| assert_eq!(is_inside(name), expected, "{name}");
        check("a", true);
        check("a/b.c", true);
        check("", false);
        check("/a", false);
        check("../a", false);
        check("a/../../b", false);
        check("./a", false);
    }
}
