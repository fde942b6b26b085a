//! Texts that share most of their shingles, without comparing every pair.
//!
//! # Source
//! A. Broder, *On the resemblance and containment of documents*, 1997 (MinHash); J. Leskovec,
//! A. Rajaraman, J. Ullman, *Mining of Massive Datasets*, chapter 3 (banding): with `b` bands of `r`
//! rows two texts that share `s` of their shingles meet in some band with probability
//! `1 − (1 − sʳ)ᵇ`. Each meeting is then verified on the shingles themselves, so that what is called
//! near is near; what may be missed is said by [`Bands::recall`].

use std::collections::BTreeMap;

use multiversion::multiversion;
use xxhash_rust::xxh3::xxh3_64;

use super::shingle::{jaccard, mix};

/// Share of the pairs at the threshold that must meet.
const MIN_RECALL: f64 = 0.92;
/// Hash functions at most.
const MAX_HASHES: usize = 128;
/// Rows at most: beyond, texts must be all but equal to meet.
const MAX_ROWS: usize = 16;

/// Clusters a text is compared with inside one band. A band in which hundreds of texts meet
/// without being alike holds a common phrase, and must not cost the square of its size.
const MAX_COMPARED: usize = 256;

/// How a signature is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bands {
    /// Bands.
    pub bands: usize,
    /// Hash functions in each.
    pub rows: usize,
}

impl Bands {
    /// As many rows as the hash functions allow, because each keeps strangers from meeting, and as
    /// many bands as let 92 % of the pairs at the threshold meet. At 0.8 that is 14 bands of 8.
    pub fn at(threshold: f64) -> Self {
        let enough = |rows: usize| {
            let met = threshold.powf(rows as f64).min(1.0 - 1e-12);
            let bands = ((1.0 - MIN_RECALL).ln() / (-met).ln_1p()).ceil().max(1.0);
            // A float beyond the range becomes the largest number, which is too many.
            Self { bands: bands as usize, rows }
        };
        let fits = |bands: &Self| bands.bands.saturating_mul(bands.rows) <= MAX_HASHES;
        (1..=MAX_ROWS).rev().map(enough).find(fits).unwrap_or(Self { bands: MAX_HASHES, rows: 1 })
    }

    /// The probability that two texts which share so much meet.
    pub fn recall(self, shared: f64) -> f64 {
        1.0 - (1.0 - shared.powf(self.rows as f64)).powf(self.bands as f64)
    }

    /// The key of each band for the runs of a text; nothing for a text without runs.
    pub(super) fn keys(self, runs: &[u64]) -> Vec<u64> {
        if runs.is_empty() {
            return Vec::new();
        }
        let mut least = vec![u32::MAX; self.bands * self.rows];
        let functions: Vec<(u64, u64)> =
            (0..least.len() as u64).map(|n| (mix(2 * n) | 1, mix(2 * n + 1))).collect();
        lower(&mut least, &functions, runs);
        let key = |rows: &[u32]| {
            let bytes: Vec<u8> = rows.iter().flat_map(|row| row.to_le_bytes()).collect();
            xxh3_64(&bytes)
        };
        least.chunks(self.rows).map(key).collect()
    }
}

/// Lowers each hash function's least hash to that of any run.
///
/// # Source
/// M. Dietzfelbinger and others, *A Reliable Randomized Algorithm for the Closest-Pair Problem*, 1997:
/// the upper half of `a·x + b` modulo 2⁶⁴.
#[multiversion(targets("x86_64+avx512f+avx512dq", "x86_64+avx2"))]
fn lower(least: &mut [u32], functions: &[(u64, u64)], runs: &[u64]) {
    for run in runs {
        for (least, (a, b)) in least.iter_mut().zip(functions) {
            // The upper half of 64 bits fits into 32.
            let hash = (run.wrapping_mul(*a).wrapping_add(*b) >> 32) as u32;
            *least = (*least).min(hash);
        }
    }
}

/// Clusters of two and more among texts whose keys are given, in an order of their own. `shingles`
/// gives the sorted shingles of a text when a meeting has to be verified.
pub(super) fn clusters(
    n_texts: usize,
    bands: Bands,
    key: impl Fn(usize, usize) -> Option<u64>,
    shingles: impl Fn(usize) -> Vec<u64>,
    threshold: f64,
) -> Vec<Vec<usize>> {
    let mut sets = Sets::new(n_texts);
    for band in 0..bands.bands {
        let mut met: Vec<(u64, usize)> = (0..n_texts).filter_map(|at| Some((key(at, band)?, at))).collect();
        met.sort_unstable();
        for group in met.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1) {
            join(group, &shingles, threshold, &mut sets);
        }
    }
    let mut clusters: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for at in 0..n_texts {
        clusters.entry(sets.root(at)).or_default().push(at);
    }
    clusters.into_values().filter(|cluster| cluster.len() > 1).collect()
}

/// Joins the texts of a group that are alike. Each is compared with the first text of every
/// cluster seen in the group so far, and read only if there is one to compare it with.
fn join(group: &[(u64, usize)], shingles: &impl Fn(usize) -> Vec<u64>, threshold: f64, sets: &mut Sets) {
    let mut firsts: Vec<(usize, Option<Vec<u64>>)> = Vec::new();
    for &(_, at) in group {
        let mut own: Option<Vec<u64>> = None;
        let mut is_new = true;
        for (first, theirs) in &mut firsts {
            if sets.root(*first) == sets.root(at) {
                is_new = false;
                continue;
            }
            let theirs = theirs.get_or_insert_with(|| shingles(*first));
            if jaccard(theirs, own.get_or_insert_with(|| shingles(at))) >= threshold {
                sets.unite(*first, at);
                is_new = false;
            }
        }
        if is_new && firsts.len() < MAX_COMPARED {
            firsts.push((at, own));
        }
    }
}

/// Disjoint sets of numbers.
pub(super) struct Sets(Vec<usize>);

impl Sets {
    pub(super) fn new(n: usize) -> Self {
        Self((0..n).collect())
    }

    /// The least member of a number's set.
    pub(super) fn root(&mut self, of: usize) -> usize {
        let mut root = of;
        while self.0[root] != root {
            self.0[root] = self.0[self.0[root]];
            root = self.0[root];
        }
        root
    }

    pub(super) fn unite(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clusters_of(texts: &[Vec<u64>], threshold: f64) -> Vec<Vec<usize>> {
        let bands = Bands::at(threshold);
        let keys: Vec<Vec<u64>> = texts.iter().map(|runs| bands.keys(runs)).collect();
        let key = |at: usize, band: usize| keys[at].get(band).copied();
        clusters(texts.len(), bands, key, |at| texts[at].clone(), threshold)
    }

    /// Numbers as hashes are, in order.
    fn run(from: u64, to: u64) -> Vec<u64> {
        let mut run: Vec<u64> = (from..to).map(mix).collect();
        run.sort_unstable();
        run
    }

    #[test]
    fn overlap_decides() {
        let texts = vec![run(0, 100), run(5, 105), run(60, 160), Vec::new(), Vec::new()];
        assert_eq!(clusters_of(&texts, 0.8), [vec![0, 1]]);
        assert_eq!(clusters_of(&texts, 0.95), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn bands_follow_the_threshold() {
        assert_eq!(Bands::at(0.8), Bands { bands: 14, rows: 8 });
        for threshold in [0.05, 0.3, 0.5, 0.7, 0.8, 0.9, 0.99, 1.0] {
            let bands = Bands::at(threshold);
            assert!(bands.recall(threshold) >= MIN_RECALL, "{threshold}: {bands:?}");
            assert!(bands.bands * bands.rows <= MAX_HASHES);
        }
    }

    #[test]
    fn as_many_pairs_meet_as_is_said() {
        for (threshold, moved) in [(0.8, 11), (0.5, 33)] {
            let pair = |n: u64| {
                let base = n * 10_000;
                clusters_of(&[run(base, base + 100), run(base + moved, base + 100 + moved)], threshold).len()
            };
            let shared = (100 - moved) as f64 / (100 + moved) as f64;
            let met = (0..400u64).map(pair).sum::<usize>() as f64 / 400.0;
            let recall = Bands::at(threshold).recall(shared);
            // Four standard deviations of a share of 400.
            let slack = 4.0 * (recall * (1.0 - recall) / 400.0).sqrt();
            assert!((met - recall).abs() < slack, "{threshold}: {met} met, {recall} said");
        }
    }
}
