//! Which examples somebody wants to see, and in which order.

use std::collections::BTreeMap;

use penname_ledger::Hash;
use serde::{Deserialize, Serialize};

pub use super::catalogue::state;
use super::catalogue::{Catalogue, Sheet, kind, split};
use super::{Review, Standing};

/// By where they stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Show {
    /// Those the reviewer has not decided about, stale ones among them.
    #[default]
    Open,
    /// Those decided about in other words.
    Stale,
    /// Those decided about.
    Decided,
    /// Those kept as they are.
    Kept,
    /// Those left out.
    Dropped,
    /// Those changed.
    Edited,
    /// All.
    All,
}

/// How many of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    /// All.
    #[default]
    All,
    /// Those with a mark.
    Marked,
    /// So many, every source, kind and split in proportion, drawn by the hash of the example: the same
    /// ones every time.
    Stratified(usize),
    /// So many, evenly spread over the corpus.
    Spread(usize),
}

/// In which order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// That of the corpus.
    #[default]
    Corpus,
    /// The most doubtful first.
    Risk,
    /// The longest first.
    Longest,
    /// The shortest first.
    Shortest,
    /// By chance, the same every time.
    Mixed,
}

/// What somebody wants to see. An empty text asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// By where they stand.
    pub show: Show,
    /// A mark, or a flag that was ticked.
    pub mark: String,
    /// A source.
    pub source: String,
    /// A kind of document.
    pub kind: String,
    /// `train` or `held out`.
    pub split: String,
    /// Words that stand in it, capitals or not.
    pub text: String,
    /// How many of them.
    pub plan: Plan,
    /// In which order.
    pub sort: Sort,
}

/// The numbers of the examples that are wanted, in the order that is wanted.
///
/// A sample is drawn from the corpus first and filtered by what is decided afterwards, so that it is the
/// same examples until all of them are decided.
pub fn select(catalogue: &Catalogue<'_>, review: &Review, reviewer: Option<&str>, wish: &Wish) -> Vec<usize> {
    let small = wish.text.to_lowercase();
    let fits = |n: &usize| {
        let sheet = &catalogue.sheets()[*n];
        is_of(sheet, wish)
            && has_mark(catalogue, review, reviewer, *n, &wish.mark)
            && says(catalogue, *n, &small)
    };
    let all: Vec<usize> = (0..catalogue.items().len()).filter(fits).collect();
    let mut chosen = sample(catalogue, all, wish.plan);
    chosen.retain(|n| is_shown(catalogue.standing(*n, review, reviewer), wish.show));
    order(catalogue, &mut chosen, wish.sort);
    chosen
}

fn is_of(sheet: &Sheet, wish: &Wish) -> bool {
    let fits = |wanted: &str, is: &str| wanted.is_empty() || wanted == is;
    fits(&wish.source, &sheet.source)
        && fits(&wish.kind, kind(sheet.kind))
        && fits(&wish.split, split(sheet.is_held_out))
}

fn has_mark(
    catalogue: &Catalogue<'_>,
    review: &Review,
    reviewer: Option<&str>,
    n: usize,
    mark: &str,
) -> bool {
    let ticked = || match catalogue.standing(n, review, reviewer) {
        Standing::Decided(decision) | Standing::Stale(decision) => {
            decision.flags.iter().any(|flag| flag == mark)
        }
        Standing::Open => false,
    };
    mark.is_empty() || catalogue.sheets()[n].marks.iter().any(|known| known == mark) || ticked()
}

fn says(catalogue: &Catalogue<'_>, n: usize, small: &str) -> bool {
    let item = &catalogue.items()[n];
    let has = |text: &str| text.to_lowercase().contains(small);
    small.is_empty()
        || item.example.messages.iter().any(|message| has(&message.content))
        || has(&item.document.path)
}

/// Whether what stands so is shown.
pub fn is_shown(standing: Standing<'_>, show: Show) -> bool {
    match show {
        Show::All => true,
        Show::Open => !matches!(standing, Standing::Decided(_)),
        Show::Decided => matches!(standing, Standing::Decided(_)),
        Show::Stale => matches!(standing, Standing::Stale(_)),
        Show::Kept => state(standing) == "kept",
        Show::Dropped => state(standing) == "dropped",
        Show::Edited => state(standing) == "edited",
    }
}

/// Draws a sample, in order of the corpus.
fn sample(catalogue: &Catalogue<'_>, all: Vec<usize>, plan: Plan) -> Vec<usize> {
    match plan {
        Plan::All => all,
        Plan::Marked => all.into_iter().filter(|n| !catalogue.sheets()[*n].marks.is_empty()).collect(),
        Plan::Spread(n) if n < all.len() => (0..n).map(|idx| all[idx * all.len() / n]).collect(),
        Plan::Stratified(n) if n < all.len() => stratified(catalogue, &all, n),
        Plan::Spread(_) | Plan::Stratified(_) => all,
    }
}

/// Every stratum gets its share, rounded by largest remainders, so that the shares add up.
fn stratified(catalogue: &Catalogue<'_>, all: &[usize], n: usize) -> Vec<usize> {
    let mut strata: BTreeMap<(&str, &str, bool), Vec<usize>> = BTreeMap::new();
    for idx in all {
        let sheet = &catalogue.sheets()[*idx];
        strata.entry((&sheet.source, kind(sheet.kind), sheet.is_held_out)).or_default().push(*idx);
    }
    let mut shares: Vec<(usize, usize, Vec<usize>)> = strata
        .into_values()
        .map(|members| {
            let (whole, rest) = (n * members.len() / all.len(), n * members.len() % all.len());
            (whole, rest, members)
        })
        .collect();
    shares.sort_by_key(|(_, rest, members)| (std::cmp::Reverse(*rest), members.first().copied()));
    let mut left = n - shares.iter().map(|(whole, ..)| whole).sum::<usize>();
    let mut chosen = Vec::with_capacity(n);
    for (whole, _, mut members) in shares {
        let take = whole + usize::from(left > 0);
        left = left.saturating_sub(1);
        members.sort_by_key(|idx| drawn(catalogue, *idx));
        chosen.extend(members.into_iter().take(take));
    }
    chosen.sort_unstable();
    chosen
}

/// A number by chance that is an example's own.
fn drawn(catalogue: &Catalogue<'_>, n: usize) -> Hash {
    Hash::of_parts([b"review".as_slice(), catalogue.items()[n].example.id.as_bytes()])
}

fn order(catalogue: &Catalogue<'_>, chosen: &mut [usize], sort: Sort) {
    let sheet = |n: &usize| &catalogue.sheets()[*n];
    match sort {
        Sort::Corpus => {}
        Sort::Risk => chosen.sort_by_key(|n| (std::cmp::Reverse(sheet(n).risk), *n)),
        Sort::Longest => chosen.sort_by_key(|n| (std::cmp::Reverse(sheet(n).chars), *n)),
        Sort::Shortest => chosen.sort_by_key(|n| (sheet(n).chars, *n)),
        Sort::Mixed => chosen.sort_by_cached_key(|n| drawn(catalogue, *n)),
    }
}
