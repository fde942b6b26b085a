//! A corpus prepared by many: a plan deals its files to shards, each worker reads one, and the shards put
//! together are what one program makes of all of it, to the last byte, however many there are.
//!
//! ```text
//! plan.json                   what is prepared, by which settings and version, in how many shards
//! shards/shard-00017.jsonl    what a worker made of its files: documents, judged and signed
//! shards/shard-00017.done     digests of what went in and what came out, counts; written last
//! ```
//!
//! Reading, cleaning, judging and signing depend on a file alone (or on files that are told together), and
//! are a worker's. Holding out, dropping what is there twice and making examples look at all of it, and are
//! done once, by [`join`].
//!
//! A worker that is killed goes on from its last checkpoint. Of two on one shard, one works and the other
//! is told so; should both finish, they wrote the same bytes.

mod join;
mod pipe;
mod row;
#[cfg(test)]
mod tests;
mod work;

use std::path::{Path, PathBuf};

use penname_ledger::{Hash, Seed, write};
use serde::{Deserialize, Serialize};

pub use self::join::{join, missing};
pub use self::pipe::{Counts, pipe};
pub use self::work::{Made, Order, work};
use crate::collect::Places;
use crate::collect::piece::Opened;
use crate::{Error, Settings};

/// The most shards there can be.
pub const MOST: usize = 4096;
/// The form of plans and shards that this version writes and reads.
const FORMAT: u32 = 1;

/// What is prepared, frozen: workers go by it and by nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The form of the plan.
    pub format: u32,
    /// The version of penname that made it, which has to work on it.
    pub version: String,
    /// How many shards there are: a power of two.
    pub shards: usize,
    /// The key of the order: everything that decides the outcome but what people decided in a review.
    pub key: Hash,
    /// The settings.
    pub settings: Settings,
    /// The root seed.
    pub seed: Seed,
    /// Parts that are read together.
    pub units: usize,
    /// The hash of all of this.
    pub digest: Hash,
}

impl Plan {
    /// Freezes what would be prepared now.
    ///
    /// # Errors
    /// When the number of shards is no power of two up to [`MOST`], the settings take only some documents,
    /// or the writing cannot be listed.
    pub fn freeze(places: Places<'_>, settings: &Settings, seed: Seed, shards: usize) -> Result<Self, Error> {
        settings.check()?;
        if !shards.is_power_of_two() || shards > MOST {
            return wrong(format!("{shards} is no number of shards, expected a power of two up to {MOST}"));
        }
        if settings.limit.is_some() {
            return wrong("which documents are within `limit` is not known to any one shard".to_owned());
        }
        let units = Opened::open(places, settings)?.units().len();
        let mut plan = Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            shards,
            key: key(places, settings, seed)?,
            settings: settings.clone(),
            seed,
            units,
            digest: Hash::of(b""),
        };
        plan.digest = plan.own_digest();
        Ok(plan)
    }

    /// Reads a plan.
    ///
    /// # Errors
    /// When it is not there, is none, was changed by hand, or was made by another version.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
        let text = std::fs::read(path).map_err(unreadable)?;
        let plan: Self = serde_json::from_slice(&text)
            .map_err(|error| Error::Shard { what: format!("`{}` is no plan: {error}", path.display()) })?;
        if plan.digest != plan.own_digest() {
            return wrong(format!("`{}` was changed since it was frozen", path.display()));
        }
        let version = env!("CARGO_PKG_VERSION");
        if (plan.format, plan.version.as_str()) != (FORMAT, version) {
            return wrong(format!(
                "the plan was made by version {} in form {}, and this is {version} with form {FORMAT}",
                plan.version, plan.format
            ));
        }
        if !plan.shards.is_power_of_two() || plan.shards > MOST {
            return wrong(format!("the plan has {} shards", plan.shards));
        }
        Ok(plan)
    }

    /// Writes it down.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        Ok(write::json(path, self)?)
    }

    /// The shard that a name belongs to. With twice as many shards, each is divided in two.
    pub fn shard_of(&self, name: &str) -> usize {
        let [a, b, c, d, ..] = *Hash::of(name.as_bytes()).as_bytes();
        u32::from_le_bytes([a, b, c, d]) as usize % self.shards.max(1)
    }

    fn own_digest(&self) -> Hash {
        let blank = Self { digest: Hash::of(b""), ..self.clone() };
        Hash::of_json(&serde_json::json!(blank))
    }
}

/// What has to be equal for a plan to be what is there now.
fn key(places: Places<'_>, settings: &Settings, seed: Seed) -> Result<Hash, Error> {
    Ok(crate::store::order(places, settings, seed, &crate::review::Review::default())?.key())
}

/// The record of a finished shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// The plan it belongs to.
    pub plan: Hash,
    /// Which shard it is.
    pub shard: usize,
    /// The hash of the files that went in.
    pub in_digest: Hash,
    /// The hash of what came out.
    pub out_digest: Hash,
    /// Bytes that came out.
    pub bytes: u64,
    /// Units that were read.
    pub units: usize,
    /// Documents that came out.
    pub documents: usize,
    /// Documents that rules rejected.
    pub rejected: usize,
    /// Characters that were given.
    pub given: u64,
}

/// The files of one shard.
#[derive(Debug, Clone)]
struct Files {
    rows: PathBuf,
    done: PathBuf,
    /// The folder of what is not finished.
    open: PathBuf,
}

impl Files {
    fn of(folder: &Path, shard: usize) -> Self {
        let name = |end: &str| folder.join(format!("shard-{shard:05}{end}"));
        Self { rows: name(".jsonl"), done: name(".done"), open: name(".open") }
    }

    /// The record of the shard, if it is finished by this very plan.
    fn found(&self, plan: &Plan) -> Option<Done> {
        let done: Done = serde_json::from_slice(&std::fs::read(&self.done).ok()?).ok()?;
        let n_bytes = std::fs::metadata(&self.rows).ok()?.len();
        (done.plan == plan.digest && n_bytes == done.bytes).then_some(done)
    }
}

fn wrong<T>(what: String) -> Result<T, Error> {
    Err(Error::Shard { what })
}
