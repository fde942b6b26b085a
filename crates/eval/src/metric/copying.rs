//! What the model recites from the text it was trained on.
//!
//! Every author repeats turns of phrase, and every model completes sayings it
//! never saw in training. So the author's own unseen answers and the base model
//! are searched too: only what exceeds them was learned by heart. What the
//! question itself quotes does not count.

mod passage;
mod suffix;
mod white;

use serde::{Deserialize, Serialize};

use self::passage::Span;
pub use self::passage::{Passage, Surroundings};
use self::suffix::{Automaton, MAX_SYMBOLS, SEPARATOR, Sighting};
use super::{Better, Family, Measure};
use crate::Error;
use crate::pair::{Measured, Pairs, Voice, cluster};
use crate::stat::bootstrap::Resampling;
use crate::stat::estimate::{self, Contrast};
use crate::stat::ratio::Ratio;

/// The two sizes of copying.
pub static FAMILY: Family = Family {
    name: "copying",
    question: "How much is repeated word for word from the training text?",
    measures: &[
        Measure {
            name: "copied_share",
            label: "Copied from the training text",
            definition: "Characters inside verbatim matches with the training text of 50 characters or more, \
                         over all characters of the replies; what the prompt quotes is left out and white \
                         space is made equal. The 50 can be set.",
            unit: "% of characters",
            decimals: 2,
            better: Better::Author,
        },
        Measure {
            name: "longest_copy",
            label: "Longest copy in a reply",
            definition: "Characters of the longest verbatim match with the training text in each reply, \
                         averaged over replies; a reply without any counts as 0.",
            unit: "characters",
            decimals: 0,
            better: Better::Author,
        },
    ],
};

/// A document the tuned model was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// Its name.
    pub document: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// What counts as a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threshold {
    /// Shortest match that counts towards the share, in characters.
    pub min_chars: usize,
    /// Shortest stretch shared with the prompt that counts as quoting it, in characters.
    pub quote_chars: usize,
}

/// 50 characters is the length from which verbatim overlap between people becomes
/// rare (Aerni et al., "Measuring non-adversarial reproduction of training data
/// in large language models", 2024, arXiv 2411.10242).
impl Default for Threshold {
    fn default() -> Self {
        Self { min_chars: 50, quote_chars: 20 }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Copying {
    /// Share of characters copied, in percent.
    pub share: Contrast,
    /// Mean length of the longest copy in a reply, in characters.
    pub longest: Contrast,
    /// The longest the author repeats in unseen answers.
    pub author: Option<Passage>,
    /// The longest in the base model's replies.
    pub base: Option<Passage>,
    /// The longest in the tuned model's replies.
    pub tuned: Option<Passage>,
    /// Training documents searched.
    pub n_sources: usize,
    /// Their characters, white space made equal.
    pub n_source_chars: usize,
}

impl Copying {
    /// The contrasts in the order of [`FAMILY`].
    pub(crate) fn contrasts(&self) -> [&Contrast; 2] {
        [&self.share, &self.longest]
    }
}

/// What one text shares with the training text.
#[derive(Debug, Clone)]
pub(crate) struct Copied {
    chars: Vec<char>,
    n_copied: usize,
    longest: Option<Span>,
}

/// A text in the index.
struct Text<'a> {
    chars: Vec<char>,
    prompt: &'a str,
    /// Its first symbol in the index.
    start: usize,
}

/// Searches all replies and the author's answers for passages of the training text.
///
/// Memory is about a hundred bytes per character of the replies; the training
/// text is read once.
///
/// # Errors
///
/// [`Error::TooLong`] if the replies are too long to index, [`Error::Threshold`]
/// if a threshold is zero.
pub fn measure(
    pairs: &Pairs<'_>,
    sources: &[Source<'_>],
    threshold: Threshold,
    plan: Resampling,
) -> Result<Copying, Error> {
    threshold.check()?;
    let mut sources: Vec<&Source<'_>> = sources.iter().collect();
    sources.sort_unstable_by_key(|source| (source.document, source.text));
    let (copied, n_source_chars) = search(pairs, &sources, threshold)?;
    let share = |c: &Copied| Ratio::new(100.0 * c.n_copied as f64, c.chars.len() as f64);
    let longest = |c: &Copied| Ratio::new(c.longest.map_or(0, |span| span.n_own) as f64, 1.0);
    Ok(Copying {
        share: estimate::contrast(&cluster(&copied, share), plan, "copied_share"),
        longest: estimate::contrast(&cluster(&copied, longest), plan, "longest_copy"),
        author: longest_passage(pairs, copied.iter().map(|row| row.author.as_ref()), &sources),
        base: longest_passage(pairs, copied.iter().map(|row| Some(&row.base)), &sources),
        tuned: longest_passage(pairs, copied.iter().map(|row| Some(&row.tuned)), &sources),
        n_sources: sources.len(),
        n_source_chars,
    })
}

impl Threshold {
    fn check(self) -> Result<(), Error> {
        match (self.min_chars, self.quote_chars) {
            (0, _) => Err(Error::Threshold { name: "min_chars" }),
            (_, 0) => Err(Error::Threshold { name: "quote_chars" }),
            _ => Ok(()),
        }
    }
}

type Found<'a> = (Vec<Measured<'a, Copied>>, usize);

fn search<'a>(pairs: &Pairs<'a>, sources: &[&Source<'_>], threshold: Threshold) -> Result<Found<'a>, Error> {
    let mut n_symbols = 0_usize;
    let texts = pairs.measure(|voice: Voice<'a>| {
        let chars: Vec<char> = white::normal(voice.text).map(|(_, c)| c).collect();
        let start = n_symbols;
        n_symbols += chars.len() + 1;
        Text { chars, prompt: voice.prompt, start }
    });
    if n_symbols > MAX_SYMBOLS {
        return Err(Error::TooLong { found: n_symbols, expected: MAX_SYMBOLS });
    }
    let mut index = Automaton::new();
    for text in
        texts.iter().flat_map(|row| [Some(&row.base), Some(&row.tuned), row.author.as_ref()]).flatten()
    {
        text.chars.iter().for_each(|&c| index.push(u32::from(c)));
        index.push(SEPARATOR);
    }
    let read = sources.iter().map(|source| white::normal(source.text).map(|(_, c)| u32::from(c)));
    let (sightings, n_source_chars) = index.search(read);
    let copied = texts.iter().map(|row| row.map(|text| text.copied(&sightings, threshold))).collect();
    Ok((copied, n_source_chars))
}

impl Text<'_> {
    fn copied(&self, sightings: &[Sighting], threshold: Threshold) -> Copied {
        let quoted = quoted(&self.chars, self.prompt, threshold.quote_chars);
        let mut n_quoted_before = vec![0];
        n_quoted_before.extend(quoted.iter().scan(0, |sum, &is_quoted| {
            *sum += usize::from(is_quoted);
            Some(*sum)
        }));
        let mut is_copied = vec![false; self.chars.len()];
        let mut longest: Option<Span> = None;
        // Walking back, `reach` is the lowest start of the copies that end at or behind `end`.
        let mut reach = self.chars.len();
        for end in (1..=self.chars.len()).rev() {
            let seen = sightings[self.start + end - 1];
            let start = end - seen.len;
            let n_own = seen.len - (n_quoted_before[end] - n_quoted_before[start]);
            if n_own >= threshold.min_chars {
                reach = reach.min(start);
            }
            is_copied[end - 1] = reach < end && !quoted[end - 1];
            if n_own > 0 && longest.is_none_or(|span| n_own >= span.n_own) {
                longest = Some(Span { start, end, n_own, source: seen.source, source_end: seen.end });
            }
        }
        let n_copied = is_copied.iter().filter(|&&copied| copied).count();
        Copied { chars: self.chars.clone(), n_copied, longest: longest.map(|span| span.without(&quoted)) }
    }
}

impl Span {
    /// Without what the prompt said at either end.
    fn without(self, quoted: &[bool]) -> Self {
        let inside = &quoted[self.start..self.end];
        let n_before = inside.iter().take_while(|&&is_quoted| is_quoted).count();
        let n_after = inside.iter().rev().take_while(|&&is_quoted| is_quoted).count();
        let source_end = self.source_end - n_after;
        Self { start: self.start + n_before, end: self.end - n_after, source_end, ..self }
    }
}

/// Which characters stand in a stretch of at least `quote_chars` that the prompt contains.
fn quoted(chars: &[char], prompt: &str, quote_chars: usize) -> Vec<bool> {
    let mut index = Automaton::new();
    white::normal(prompt).take(MAX_SYMBOLS).for_each(|(_, c)| index.push(u32::from(c)));
    let mut quoted = vec![false; chars.len()];
    let mut n_marked = 0;
    index.read(chars.iter().map(|&c| u32::from(c)), |end, _, len| {
        if len >= quote_chars {
            quoted[(end - len).max(n_marked)..end].fill(true);
            n_marked = end;
        }
    });
    quoted
}

fn longest_passage<'a>(
    pairs: &Pairs<'_>,
    copied: impl Iterator<Item = Option<&'a Copied>>,
    sources: &[&Source<'_>],
) -> Option<Passage> {
    let candidates = pairs.list.iter().zip(copied).filter_map(|(pair, copied)| Some((pair.base, copied?)));
    // The first among equals: later ones must be longer.
    let (reply, copied) = candidates.reduce(|best, next| {
        let n_own = |copied: &Copied| copied.longest.map_or(0, |span| span.n_own);
        if n_own(next.1) > n_own(best.1) { next } else { best }
    })?;
    passage::show(copied, (&reply.document, &reply.id, reply.seed), sources)
}

#[cfg(test)]
mod tests;
