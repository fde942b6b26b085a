//! Texts that share most of their shingles, without comparing every pair.
//!
//! # Source
//! A. Broder, *On the resemblance and containment of documents*, 1997 (MinHash); J. Leskovec,
//! A. Rajaraman, J. Ullman, *Mining of Massive Datasets*, chapter 3 (banding). With 14 bands of 8
//! rows two texts with 0.8 of their shingles in common meet in some band with probability
//! 1 − (1 − 0.8⁸)¹⁴ = 0.92; each meeting is then verified on the shingles themselves.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use super::shingle::jaccard;

const BANDS: usize = 14;
const ROWS: usize = 8;

/// Clusters a text is compared with inside one band. A band in which hundreds of texts meet
/// without being alike holds a common phrase, and must not cost the square of its size.
const MAX_COMPARED: usize = 256;

/// Clusters of two and more: the given numbers of texts whose overlap reaches `threshold`,
/// directly or by way of others. Expects the texts in an order of their own.
pub(super) fn clusters(texts: &[(usize, Vec<u64>)], threshold: f64) -> Vec<Vec<usize>> {
    let texts: Vec<_> = texts.iter().filter(|(_, shingles)| !shingles.is_empty()).collect();
    let signatures: Vec<_> = texts.iter().map(|(_, shingles)| signature(shingles)).collect();
    let mut sets = Sets::new(texts.len());
    for band in 0..BANDS {
        let mut met: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (at, signature) in signatures.iter().enumerate() {
            met.entry(key(&signature[band * ROWS..(band + 1) * ROWS])).or_default().push(at);
        }
        for group in met.values() {
            join(group, &texts, threshold, &mut sets);
        }
    }
    let mut clusters: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, text) in texts.iter().enumerate() {
        clusters.entry(sets.root(at)).or_default().push(text.0);
    }
    clusters.into_values().filter(|cluster| cluster.len() > 1).collect()
}

/// Joins the texts of a group that are alike. Each is compared with the first text of every
/// cluster seen in the group so far.
fn join(group: &[usize], texts: &[&(usize, Vec<u64>)], threshold: f64, sets: &mut Sets) {
    let mut firsts: Vec<usize> = Vec::new();
    for &at in group {
        let mut is_new = true;
        for &first in &firsts {
            if sets.root(first) == sets.root(at) {
                is_new = false;
            } else if jaccard(&texts[first].1, &texts[at].1) >= threshold {
                sets.unite(first, at);
                is_new = false;
            }
        }
        if is_new && firsts.len() < MAX_COMPARED {
            firsts.push(at);
        }
    }
}

/// For each of the hash functions the least hash of any shingle.
fn signature(shingles: &[u64]) -> Vec<u64> {
    let least = |function: usize| {
        let salt = mix(function as u64 + 1);
        shingles.iter().map(|shingle| mix(shingle ^ salt)).min().unwrap_or(u64::MAX)
    };
    (0..BANDS * ROWS).map(least).collect()
}

fn key(rows: &[u64]) -> u64 {
    let bytes: Vec<u8> = rows.iter().flat_map(|row| row.to_le_bytes()).collect();
    xxh3_64(&bytes)
}

/// A bijection of 64-bit numbers that leaves no bit where it was.
///
/// # Source
/// S. Vigna's `splitmix64`, 2015, after D. Stafford's variant 13.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Disjoint sets of numbers.
struct Sets(Vec<usize>);

impl Sets {
    fn new(n: usize) -> Self {
        Self((0..n).collect())
    }

    /// The least member of a number's set.
    fn root(&mut self, of: usize) -> usize {
        let mut root = of;
        while self.0[root] != root {
            self.0[root] = self.0[self.0[root]];
            root = self.0[root];
        }
        root
    }

    fn unite(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_decides() {
        let run = |from: u64, to: u64| (from..to).collect::<Vec<u64>>();
        let texts =
            vec![(7, run(0, 100)), (3, run(5, 105)), (4, run(60, 160)), (5, Vec::new()), (6, Vec::new())];
        assert_eq!(clusters(&texts, 0.8), [vec![7, 3]]);
        assert_eq!(clusters(&texts, 0.95), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn most_pairs_above_the_threshold_meet() {
        let hits = (0..300u64).filter(|n| {
            let base = n * 10_000;
            let a: Vec<u64> = (base..base + 100).collect();
            let b: Vec<u64> = (base + 8..base + 108).collect();
            clusters(&[(0, a), (1, b)], 0.8).len() == 1
        });
        // Jaccard 92 / 108 = 0.852 meets with probability 0.98; 0.94 leaves room for chance.
        assert!(hits.count() > 282);
    }
}
