//! What is kept apart for measuring, decided before anything else is done with the documents.
//!
//! Units are ranked by a hash of the seed and their name, so that which are held out depends
//! neither on their order nor on each other; by time, the newest come first. Whole files are held out
//! where there are enough of them; one book or one file of dialogues is divided by section or dialogue
//! instead, and conversations that a source tells apart stay whole. What is nearly the same as
//! held-out text leaves training later, in [`crate::dedupe`].

use std::collections::{BTreeMap, BTreeSet};

use penname_ledger::{Choice, Hash, Seed};

use crate::Settings;
use crate::compose;
use crate::document::{Document, Fate};
use crate::settings::Unit;
use crate::when;

/// Files from which whole files are held out.
const MIN_FILES: usize = 10;
/// Largest share of the characters, and of the examples, held out in order to reach the wanted number of examples.
const MAX_SHARE: f64 = 0.25;
/// Units from which at least one is held out, however large a part of the whole it is.
const MIN_UNITS: usize = 3;

/// A set of documents that stay together.
struct Part {
    /// The least is held out first. By time, the newest is the least.
    rank: (i64, Hash),
    size: Size,
}

/// How much there is of something.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    chars: u64,
    n_examples: usize,
}

/// Marks documents as held out and says what was chosen.
pub fn split(documents: &mut [Document], settings: &Settings, seed: Seed) -> Choice {
    let what = "held out";
    if settings.split.share == 0.0 {
        return Choice::new(what, "nothing", "the settings say so");
    }
    let n_files = documents.iter().map(|d| d.path.as_str()).collect::<BTreeSet<_>>().len();
    let has_threads = documents.iter().any(|document| document.thread.is_some());
    let (unit, reason) = unit(settings.split.unit, n_files, has_threads);
    let name = |document: &Document| name(document, unit);
    let parts = parts(documents, settings, seed, unit);
    let (chosen, n_examples) = choose(&parts, settings);
    for document in documents.iter_mut() {
        if document.fate == Fate::Train && chosen.contains(name(document).as_str()) {
            document.fate = Fate::HeldOut;
        }
    }
    let noun = match unit {
        Unit::File => "files",
        Unit::Thread => "conversations",
        Unit::Chapter => "chapters",
        Unit::Time | Unit::Auto | Unit::Document => "documents",
    };
    let value = match chosen.len() {
        0 => "nothing".to_owned(),
        n => format!("{n} of {} {noun}, about {n_examples} examples", parts.len()),
    };
    let short = if n_examples < settings.split.min_examples { "; too little writing for more" } else { "" };
    Choice::new(what, value, format!("{reason}{short}"))
}

/// What stays together, and why.
fn unit(asked: Unit, n_files: usize, has_threads: bool) -> (Unit, String) {
    match asked {
        Unit::Auto if n_files >= MIN_FILES => {
            (Unit::File, format!("{n_files} files: whole files stay together"))
        }
        Unit::Auto if has_threads => (Unit::Thread, "conversations stay together".to_owned()),
        Unit::Auto if n_files == 1 => (Unit::Document, "one file: divided by its documents".to_owned()),
        Unit::Auto => (Unit::Document, format!("only {n_files} files: divided by their documents")),
        Unit::Time => (Unit::Time, "the newest, as the settings say; what has no date is learned".to_owned()),
        asked => (asked, "the settings say so".to_owned()),
    }
}

/// The part a document belongs to.
fn name(document: &Document, unit: Unit) -> String {
    match (unit, &document.thread, &document.title) {
        (Unit::File, _, _) => document.path.clone(),
        (Unit::Chapter, _, Some(title)) => format!("{}\0{}", document.path, title.text),
        (Unit::Thread | Unit::Time, Some(thread), _) => thread.clone(),
        _ => document.uid.clone(),
    }
}

fn parts(documents: &[Document], settings: &Settings, seed: Seed, unit: Unit) -> BTreeMap<String, Part> {
    let mut parts: BTreeMap<String, Part> = BTreeMap::new();
    let is_used = |d: &&Document| d.fate == Fate::Train && !d.voice().trim().is_empty();
    for document in documents.iter().filter(is_used) {
        let at = document.date.as_deref().and_then(when::parse);
        let Some(order) = (if unit == Unit::Time { at.map(|at| -at) } else { Some(0) }) else { continue };
        let name = name(document, unit);
        let hash = Hash::of_parts([b"split".as_slice(), &seed.0.to_le_bytes(), name.as_bytes()]);
        let part = parts.entry(name).or_insert(Part { rank: (order, hash), size: Size::default() });
        part.rank.0 = part.rank.0.min(order);
        let n_examples = compose::expected(document, settings);
        part.size = part.size.plus(&Size { chars: document.chars(), n_examples });
    }
    parts
}

/// The names held out, and about how many examples they make. Takes parts in order of rank until
/// there is enough of both characters and examples, and passes over those that would take too much.
fn choose<'a>(parts: &'a BTreeMap<String, Part>, settings: &Settings) -> (BTreeSet<&'a str>, usize) {
    let total = parts.values().fold(Size::default(), |sum, part| sum.plus(&part.size));
    let mut ranked: Vec<_> = parts.iter().collect();
    ranked.sort_by_key(|(_, part)| part.rank);
    let most = MAX_SHARE.max(settings.split.share);
    let (mut chosen, mut held) = (BTreeSet::new(), Size::default());
    for (name, part) in &ranked {
        let with = held.plus(&part.size);
        let is_enough =
            held.n_examples >= settings.split.min_examples && held.share_of(&total).0 >= settings.split.share;
        let (chars, examples) = with.share_of(&total);
        if !is_enough && chars <= most && examples <= most {
            chosen.insert(name.as_str());
            held = with;
        }
    }
    let is_fair = |part: &Part| part.size.share_of(&total).0 <= 0.5;
    if chosen.is_empty()
        && ranked.len() >= MIN_UNITS
        && let Some((name, part)) = ranked.iter().find(|(_, part)| is_fair(part))
    {
        chosen.insert(name.as_str());
        held = part.size;
    }
    (chosen, held.n_examples)
}

impl Size {
    fn plus(&self, other: &Self) -> Self {
        Self { chars: self.chars + other.chars, n_examples: self.n_examples + other.n_examples }
    }

    /// The shares of the characters and of the examples.
    fn share_of(&self, total: &Self) -> (f64, f64) {
        let chars = self.chars as f64 / total.chars.max(1) as f64;
        (chars, self.n_examples as f64 / total.n_examples.max(1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Body, Kind};
    use expect_test::{Expect, expect};

    fn documents(files: usize, each: usize) -> Vec<Document> {
        let make = |n: usize| {
            let body = Body::Text("The kettle sings on the hob. ".repeat(3));
            Document::new(&format!("f{:02}", n / each), n % each, Kind::Post, None, body)
        };
        (0..files * each).map(make).collect()
    }

    fn check(mut documents: Vec<Document>, expected: Expect) -> Vec<Document> {
        let choice = split(&mut documents, &Settings::default(), Seed(7));
        expected.assert_eq(&format!("{}: {} ({})", choice.what, choice.value, choice.reason));
        documents
    }

    #[test]
    fn the_unit_follows_the_number_of_files() {
        let held = check(
            documents(100, 2),
            expect!["held out: 10 of 100 files, about 20 examples (100 files: whole files stay together)"],
        );
        for pair in held.chunks(2) {
            assert_eq!(pair[0].fate, pair[1].fate);
        }
        check(
            documents(1, 300),
            expect!["held out: 30 of 300 documents, about 30 examples (one file: divided by its documents)"],
        );
        check(
            documents(2, 20),
            expect![
                "held out: 8 of 40 documents, about 8 examples (only 2 files: divided by their documents)"
            ],
        );
        check(
            documents(1, 4),
            expect![
                "held out: 1 of 4 documents, about 1 examples (one file: divided by its documents; too little writing for more)"
            ],
        );
        check(
            documents(1, 1),
            expect!["held out: nothing (one file: divided by its documents; too little writing for more)"],
        );
    }

    /// Documents of one file, two to a conversation, a day apart.
    fn talks() -> Vec<Document> {
        let mut talks = documents(1, 40);
        for (n, document) in talks.iter_mut().enumerate() {
            document.thread = Some(format!("t{}", n / 2));
            document.date = Some(format!("2024-{:02}-{:02}", 1 + n / 28, 1 + n % 28));
        }
        talks
    }

    #[test]
    fn conversations_stay_together() {
        let held = check(
            talks(),
            expect!["held out: 4 of 20 conversations, about 8 examples (conversations stay together)"],
        );
        for pair in held.chunks(2) {
            assert_eq!(pair[0].fate, pair[1].fate);
        }
    }

    #[test]
    fn by_time_the_newest_are_held_out() {
        let mut documents = talks();
        documents[39].date = None;
        let mut settings = Settings::default();
        settings.split.unit = Unit::Time;
        split(&mut documents, &settings, Seed(7));
        let held: Vec<bool> = documents.iter().map(|d| d.fate == Fate::HeldOut).collect();
        assert_eq!(held.iter().filter(|held| **held).count(), 10);
        // The undated document belongs to a conversation with a date.
        assert!(held[30..].iter().all(|held| *held), "{held:?}");
    }

    #[test]
    fn chapters_stay_together() {
        let mut sections = documents(1, 40);
        for (n, section) in sections.iter_mut().enumerate() {
            section.title = Some(crate::document::Title { text: format!("Chapter {}", n / 4), given: false });
        }
        let mut settings = Settings::default();
        settings.split.unit = Unit::Chapter;
        let choice = split(&mut sections, &settings, Seed(7));
        assert!(choice.value.ends_with("of 10 chapters, about 8 examples"), "{choice:?}");
        assert!(sections.chunks(4).all(|chapter| chapter.iter().all(|d| d.fate == chapter[0].fate)));
    }

    #[test]
    fn a_giant_is_never_held_out() {
        let mut many = documents(12, 1);
        many[5].body = Body::Text("The kettle sings. ".repeat(500));
        split(&mut many, &Settings::default(), Seed(1));
        assert_eq!(many[5].fate, Fate::Train);
        assert!(many.iter().any(|d| d.fate == Fate::HeldOut));
    }

    #[test]
    fn order_does_not_matter_and_the_seed_does() {
        let held = |mut documents: Vec<Document>, seed| {
            split(&mut documents, &Settings::default(), Seed(seed));
            let names = documents.into_iter().filter(|d| d.fate == Fate::HeldOut).map(|d| d.uid);
            names.collect::<BTreeSet<_>>()
        };
        let mut turned = documents(1, 200);
        turned.reverse();
        assert_eq!(held(documents(1, 200), 1), held(turned, 1));
        assert_ne!(held(documents(1, 200), 1), held(documents(1, 200), 2));
    }
}
