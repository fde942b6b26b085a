//! The process that reads: each input is written down before it is read, so that one that ends the
//! process is the finding.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use penname_fuzz::Target;
use penname_ledger::{Hash, Seed, Stopwatch, Stream};
use serde::{Deserialize, Serialize};

use super::coverage::Coverage;
use super::{limit, mutate};

/// Inputs a child reads before another takes its place.
const BATCH: u64 = 200_000;
/// Inputs that are kept because they took a new way.
const MAX_KEPT: usize = 4096;
/// Bytes of the longest that is kept.
const MAX_BYTES: usize = 1 << 19;
/// What is being read.
pub(super) const CURRENT: &str = "current";

/// What a child has to tell.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Told {
    /// Inputs read.
    pub(super) n_inputs: u64,
    /// How long that took.
    pub(super) seconds: f64,
    /// How many of them came how deep.
    pub(super) reached: BTreeMap<String, u64>,
    /// Depths in their order.
    pub(super) order: Vec<String>,
    /// Inputs that later ones are made of.
    pub(super) n_kept: usize,
    /// Edges of the code that were taken; none where they are not counted.
    pub(super) n_edges: usize,
}

/// Reads one input and says what came of it.
pub(super) fn one(target: &Target, data: &[u8]) -> ExitCode {
    limit::guard();
    match limit::read(target, data) {
        Ok(reached) => {
            println!("read: {}", if reached.is_empty() { "nothing".to_owned() } else { reached.join(", ") });
            ExitCode::SUCCESS
        }
        Err(why) => complain(&why),
    }
}

/// Reads a batch of inputs and tells of it on standard output.
pub(super) fn many(target: &Target, work: &Path, seed: u64, batch: u64, seconds: u64) -> ExitCode {
    limit::guard();
    let (pool, depths) = (Vec::new(), Vec::new());
    let mut reader = Reader { target, work, coverage: Coverage::new(), pool, depths, told: Told::default() };
    let found = reader.begin().and_then(|()| reader.go_on(seed, batch, seconds));
    reader.told.n_kept = reader.pool.len();
    reader.told.n_edges = reader.coverage.n_edges();
    if let Ok(told) = serde_json::to_string(&reader.told) {
        println!("{told}");
    }
    found.map_or_else(|why| complain(&why), |()| ExitCode::SUCCESS)
}

fn complain(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::FAILURE
}

struct Reader<'a> {
    target: &'a Target,
    work: &'a Path,
    coverage: Coverage,
    /// What inputs are made of.
    pool: Vec<Vec<u8>>,
    /// How deep each of them came.
    depths: Vec<usize>,
    told: Told,
}

impl Reader<'_> {
    /// Reads what is known: the seeds, which have to come as deep as anything does, and what was kept.
    fn begin(&mut self) -> Result<(), String> {
        let seeds = (self.target.seeds)();
        if seeds.is_empty() {
            return Err("there is nothing to begin with".to_owned());
        }
        for seed in seeds {
            let depth = self.read(&seed)?;
            if depth == 0 {
                return Err(format!("a seed of {} bytes is not read", seed.len()));
            }
            self.keep(seed, depth);
        }
        let kept = std::fs::read_dir(self.work.join("corpus")).map_err(|error| error.to_string())?;
        let mut kept: Vec<_> = kept.filter_map(|entry| Some(entry.ok()?.path())).collect();
        kept.sort();
        for path in kept.iter().take(MAX_KEPT) {
            let data = std::fs::read(path).unwrap_or_default();
            let depth = self.read(&data)?;
            self.keep(data, depth);
        }
        // Only changed inputs are counted.
        let order = std::mem::take(&mut self.told.order);
        self.told = Told { order, ..Told::default() };
        Ok(())
    }

    fn go_on(&mut self, seed: u64, batch: u64, seconds: u64) -> Result<(), String> {
        let mut stream = Seed(seed).stream(&format!("fuzz/{}/{batch}", self.target.name));
        while self.told.n_inputs < BATCH && self.told.seconds < seconds as f64 {
            let watch = Stopwatch::start();
            let base = self.choose(&mut stream);
            let data = mutate::changed(base, &self.pool, self.target.form, &mut stream);
            let depth = self.read(&data)?;
            let is_kept = self.pool.len() < MAX_KEPT && data.len() <= MAX_BYTES;
            if self.coverage.is_new() && is_kept {
                let name = Hash::of(&data).to_string();
                put(&self.work.join("corpus").join(&name[..16]), &data)?;
                self.keep(data, depth);
            }
            // Longer than this it was made to wait by others, which is no time of its own.
            self.told.seconds += watch.seconds().min(1.0);
        }
        Ok(())
    }

    fn keep(&mut self, data: Vec<u8>, depth: usize) {
        self.pool.push(data);
        self.depths.push(depth);
    }

    /// What the next input is made of: every other time one that came at least half as deep as any, since
    /// most of what is kept are ways to be refused.
    fn choose(&self, stream: &mut Stream) -> &[u8] {
        let deepest = self.depths.iter().copied().max().unwrap_or(0);
        let wanted = if stream.unit_f32() < 0.5 { deepest.div_ceil(2) } else { 0 };
        let candidates: Vec<usize> = (0..self.pool.len()).filter(|at| self.depths[*at] >= wanted).collect();
        &self.pool[candidates[mutate::below(stream, candidates.len())]]
    }

    /// How deep an input came.
    fn read(&mut self, data: &[u8]) -> Result<usize, String> {
        put(&self.work.join(CURRENT), data)?;
        self.coverage.clear();
        let mut reached = limit::read(self.target, data)?;
        reached.dedup();
        self.told.n_inputs += 1;
        for depth in &reached {
            if !self.told.order.iter().any(|known| known == depth) {
                self.told.order.push((*depth).to_owned());
            }
            *self.told.reached.entry((*depth).to_owned()).or_default() += 1;
        }
        Ok(reached.len())
    }
}

/// Writes an input down; a disk that is waited for would be most of the time.
#[expect(clippy::disallowed_methods, reason = "gone with the process, and written a thousand times a second")]
fn put(path: &Path, data: &[u8]) -> Result<(), String> {
    std::fs::write(path, data).map_err(|error| format!("{}: {error}", path.display()))
}
