//! What was written, beside what is learned of it: word by word, what cleaning cut and wrote in.
//!
//! Only cleaned text is kept, so the file is read again with every cleaner off. What stands there is then
//! lined up with a turn by the runs of words in which both begin and end. Where they cannot be lined up,
//! because too little is left of one in the other, nothing is shown: a guess would mislead.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use similar::{Algorithm, DiffTag, capture_diff_slices};

use crate::clean;
use crate::collect::{self, Places};
use crate::document::Document;
use crate::{Error, Settings};

/// Words in a run by which texts are lined up.
const RUN: usize = 3;
/// Runs tried from each end: a cleaner may have changed the first ones.
const TRIES: usize = 24;
/// Words of either text beyond which they are not compared.
const MAX_WORDS: usize = 8_000;
/// Words that may lie around what is learned, beyond twice its own.
const SLACK: usize = 60;
/// Words by which cleaning may have moved an end.
const FAR: usize = 6;

/// What became of a piece of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It stands in both.
    Same,
    /// It was written and is not learned.
    Cut,
    /// It is learned and was not written like that.
    Added,
}

/// A text in pieces, in order: without those that were cut it is what is learned.
pub type Pieces = Vec<(Change, String)>;

/// Texts read again, without cleaning. The files of one document are kept at hand.
#[derive(Debug)]
pub struct Raw<'a> {
    places: Places<'a>,
    settings: Settings,
    last: Mutex<Option<(String, Vec<Document>)>>,
}

impl<'a> Raw<'a> {
    /// Reads nothing yet.
    pub fn new(places: Places<'a>, settings: &Settings) -> Self {
        let mut settings = settings.clone();
        settings.clean.enable.clear();
        settings.clean.profile.clear();
        settings.clean.disable = clean::ALL.iter().map(|cleaner| cleaner.name.to_owned()).collect();
        settings.limit = None;
        Self { places, settings, last: Mutex::new(None) }
    }

    /// Each text beside what was written, in pieces; nothing for one that cannot be lined up.
    ///
    /// # Errors
    /// When the file cannot be read again.
    pub fn beside(&self, document: &Document, texts: &[&str]) -> Result<Vec<Option<Pieces>>, Error> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{}\0{}", document.source, document.path);
        if last.as_ref().is_none_or(|(known, _)| *known != key) {
            *last = Some((key, collect::again(self.places, &self.settings, document)?));
        }
        let documents = last.as_ref().map_or(&[] as &[Document], |(_, documents)| documents);
        let written = Written::of(documents, document.position);
        Ok(texts.iter().map(|text| written.beside(text)).collect())
    }
}

/// What was written, as words.
struct Written<'a> {
    /// Each word with the space behind it.
    words: Vec<&'a str>,
    /// The words as they are compared, with their places.
    bare: Vec<(usize, String)>,
}

impl<'a> Written<'a> {
    /// The document at the same position first; where cleaning changed which documents there are, the
    /// words may stand in another of them.
    fn of(documents: &'a [Document], position: usize) -> Self {
        let (own, others): (Vec<&Document>, Vec<&Document>) =
            documents.iter().partition(|document| document.position == position);
        let mut words: Vec<&'a str> = Vec::new();
        for document in own.into_iter().chain(others) {
            let title = document.title.as_ref().map(|title| title.text.as_str());
            words.extend(title.into_iter().chain(document.texts()).flat_map(split));
        }
        let bare = bare(&words);
        Self { words, bare }
    }

    /// The text beside what was written, in pieces.
    fn beside(&self, text: &str) -> Option<Pieces> {
        let new: Vec<&str> = split(text).collect();
        if new.is_empty() || new.len() > MAX_WORDS {
            return None;
        }
        let old = self.window(&new)?;
        (old.len() <= MAX_WORDS).then(|| compare(old, &new))
    }

    /// The part of what was written that the words were made of.
    fn window(&self, new: &[&str]) -> Option<&[&'a str]> {
        let wanted = bare(new);
        let run = RUN.min(wanted.len());
        if run == 0 {
            return None;
        }
        let n_runs = wanted.len() - run + 1;
        let find = |at: usize, from: usize| {
            let is_here = |here: &[(usize, String)]| {
                here.iter().zip(&wanted[at..at + run]).all(|((_, one), (_, other))| one == other)
            };
            self.bare.get(from..)?.windows(run).position(is_here).map(|found| found + from)
        };
        let (first, begin) = (0..n_runs.min(TRIES)).find_map(|at| Some((at, find(at, 0)?)))?;
        let ends = (0..n_runs).rev().take(TRIES);
        let (last, end) =
            ends.filter_map(|at| Some((at, find(at, begin + at.saturating_sub(first) / 2)?)))
                .find(|(at, end)| *end >= begin && end - begin <= 2 * (at - first.min(*at)) + SLACK)?;
        // What stands before the first run and after the last is about as long here as there.
        let from = self.near(&wanted[0].1, begin.saturating_sub(first), begin);
        let (rest, behind) = (wanted.len() - last - run, end + run);
        let until = match rest {
            0 => behind,
            _ => self.near(&wanted[wanted.len() - 1].1, behind + rest - 1, behind) + 1,
        };
        let (from, to) =
            (self.bare.get(from)?.0, self.bare.get(until).map_or(self.words.len(), |(at, _)| *at));
        self.words.get(from..to.max(from))
    }

    /// The place of a word nearest to where it is expected, on the same side of `edge`; where it is
    /// expected, if it is nowhere near.
    fn near(&self, word: &str, expected: usize, edge: usize) -> usize {
        let (low, high) = match expected < edge {
            true => (expected.saturating_sub(FAR), edge.min(expected + FAR + 1)),
            false => (edge.max(expected.saturating_sub(FAR)), expected + FAR + 1),
        };
        let is_it = |at: &usize| self.bare.get(*at).is_some_and(|(_, bare)| bare == word);
        (low..high).filter(is_it).min_by_key(|at| at.abs_diff(expected)).unwrap_or(expected)
    }
}

/// Words, each with the space behind it; a text is all of its words.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let word = rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len());
        let end = rest[word..].find(char::is_whitespace).map_or(rest.len(), |at| word + at);
        let space = rest[end..].find(|c: char| !c.is_whitespace()).map_or(rest.len(), |at| end + at);
        let (one, left) = rest.split_at(space);
        rest = left;
        Some(one)
    })
}

/// Letters and digits of each word that has some, with its place.
fn bare(words: &[&str]) -> Vec<(usize, String)> {
    let letters = |word: &str| {
        word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>()
    };
    words.iter().map(|word| letters(word)).enumerate().filter(|(_, word)| !word.is_empty()).collect()
}

/// What differs, in pieces. Blank space that differs is no difference between words.
fn compare(old: &[&str], new: &[&str]) -> Pieces {
    let trimmed = |words: &[&str]| words.iter().map(|word| word.trim().to_owned()).collect::<Vec<_>>();
    let mut pieces = Pieces::new();
    let mut push = |change: Change, words: &[&str]| {
        if words.is_empty() {
            return;
        }
        match pieces.last_mut() {
            Some((last, text)) if *last == change => text.push_str(&words.concat()),
            _ => pieces.push((change, words.concat())),
        }
    };
    for difference in capture_diff_slices(Algorithm::Myers, &trimmed(old), &trimmed(new)) {
        let (tag, before, after) = difference.as_tag_tuple();
        if tag == DiffTag::Equal {
            push(Change::Same, &new[after]);
        } else {
            push(Change::Cut, &old[before]);
            push(Change::Added, &new[after]);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Body, Kind};

    fn told(raw: &str, clean: &str) -> Option<String> {
        let document = Document::new("p", 0, Kind::Text, None, Body::Text(raw.to_owned()));
        let pieces = Written::of(std::slice::from_ref(&document), 0).beside(clean)?;
        let learned: String = pieces
            .iter()
            .filter(|(change, _)| *change != Change::Cut)
            .map(|(_, text)| text.as_str())
            .collect();
        assert_eq!(learned, clean, "what is not cut is what is learned");
        let piece = |(change, text): &(Change, String)| match change {
            Change::Same => text.clone(),
            Change::Cut => format!("[-{text}-]"),
            Change::Added => format!("[+{text}+]"),
        };
        Some(pieces.iter().map(piece).collect())
    }

    #[test]
    fn what_was_cut_and_written_in_is_seen() {
        let raw = "Before all of it. The exam-\nple sings[1] on the _hob_, and\n\n12\n\nnobody listens to it. After all of it.";
        let clean = "The example sings on the hob, and nobody listens to it.";
        assert_eq!(
            told(raw, clean).unwrap(),
            "The [-exam-\nple sings[1] -][+example sings +]on the [-_hob_, -][+hob, +]and [-12\n\n-]nobody listens to it."
        );
        assert_eq!(told("Never mind.", "Never mind.").unwrap(), "Never mind.");
    }

    #[test]
    fn what_is_not_there_is_not_guessed() {
        assert_eq!(told("The kettle sings on the hob.", "Something else was said here."), None);
        assert_eq!(told("", "Something."), None);
        assert_eq!(told("…", "…"), None);
    }

    #[test]
    fn a_text_is_all_of_its_words() {
        for text in ["", " ", " a", "a \n b\u{a0}c ", "é"] {
            assert_eq!(split(text).collect::<String>(), text);
        }
    }
}
