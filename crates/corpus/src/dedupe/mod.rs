//! Documents that say the same thing are kept once.
//!
//! Compared is what the voice says, because that is what would be learned twice. First documents
//! with the same words are found by hash, then documents with nearly the same words by MinHash,
//! each candidate verified. Which of a cluster is kept is a matter of declared order ([`keep`]), the
//! earliest path last of all; but where held-out text is in it, no member stays in training.
//!
//! Texts are not held: an [`Index`] remembers a little of each, and asks again for those that must be
//! compared. [`semantic`] is the seam for likeness beyond words.
//!
//! # Determinism
//! The outcome does not depend on the order of the documents.

mod index;
pub mod keep;
mod near;
pub mod semantic;
pub(crate) mod shingle;

pub(crate) use index::Signature;
pub use index::{Index, Signed};
pub use near::Bands;

use crate::document::{Document, Fate};
use crate::settings;

/// Reasons of dropped documents.
const EXACT: &str = "exact duplicates";
const NEAR: &str = "near duplicates";
const LEAK: &str = "duplicates of held-out text";
/// All of them.
pub(crate) const REASONS: [&str; 3] = [EXACT, NEAR, LEAK];

/// What was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// Documents dropped because another one has the same words.
    pub exact: usize,
    /// Documents dropped because another one has nearly the same words.
    pub near: usize,
    /// Documents dropped from training because held-out text is the same or nearly so.
    pub leaks: usize,
}

/// Marks all but one document of every cluster as dropped.
pub fn dedupe(documents: &mut [Document], settings: &settings::Dedupe) -> Found {
    dedupe_signed(documents, settings, None)
}

/// As [`dedupe`], where what is compared of each document was made by others.
pub(crate) fn dedupe_signed(
    documents: &mut [Document],
    settings: &settings::Dedupe,
    signed: Option<Vec<Option<Signature>>>,
) -> Found {
    let mut index = Index::new(settings);
    let mut signed = signed.map(Vec::into_iter);
    for (number, document) in documents.iter().enumerate() {
        match signed.as_mut().and_then(Iterator::next).flatten() {
            Some(signature) if Index::compares(document) => index.add_signed(number, document, signature),
            // What is not compared has no signature, and one that is missing is made.
            _ => index.add(number, document),
        }
    }
    let (found, dropped) = index.decide(|number| documents.get(number).cloned());
    for (number, reason) in dropped {
        documents[number].fate = Fate::Dropped(reason.to_owned());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Body, Kind, Speaker, Turn};
    use proptest::prelude::*;

    fn text(path: &str, body: &str, fate: Fate) -> Document {
        let mut document = Document::new(path, 0, Kind::Text, None, Body::Text(body.to_owned()));
        document.fate = fate;
        document
    }

    fn pair(path: &str, question: &str, answer: &str) -> Document {
        let turn = |speaker, text: &str| Turn { speaker, text: text.to_owned() };
        let turns = vec![turn(Speaker::Other, question), turn(Speaker::Voice, answer)];
        Document::new(path, 0, Kind::Dialogue, None, Body::Turns(turns))
    }

    fn kept(mut documents: Vec<Document>) -> Vec<String> {
        dedupe(&mut documents, &settings::Dedupe::default());
        documents.sort_by(|a, b| (&a.path, a.position).cmp(&(&b.path, b.position)));
        let is_live = |document: &Document| !matches!(document.fate, Fate::Dropped(_));
        documents.into_iter().filter(is_live).map(|d| d.path).collect()
    }

    /// Sentences about nothing, all different; `change` alters the last word.
    fn prose(seed: usize, change: &str) -> String {
        let words: Vec<String> = (0..60).map(|n| format!("word{}", (seed * 61 + n) * 7919 % 997)).collect();
        words.join(" ") + " " + change
    }

    #[test]
    fn the_same_words_are_kept_once() {
        let documents = vec![
            text("b", "The kettle sings, loudly.", Fate::Train),
            text("a", "the kettle sings loudly", Fate::Train),
        ];
        assert_eq!(kept(documents), ["b"]);
    }

    #[test]
    fn nearly_the_same_words_are_kept_once() {
        let near = |path, change| text(path, &prose(1, change), Fate::Train);
        let documents = vec![near("c", "end"), near("a", "ending"), text("d", &prose(2, "x"), Fate::Train)];
        assert_eq!(kept(documents), ["a", "d"]);
        let short = |path, body| text(path, body, Fate::Train);
        let tweets = vec![
            short("a", "good morning to all of you kettles out there"),
            short("b", "good morning to all of you kettles out there!!"),
        ];
        assert_eq!(kept(tweets).len(), 1);
    }

    #[test]
    fn held_out_text_never_stays_in_training() {
        let documents = vec![
            text("long", &(prose(1, "a") + " and one more"), Fate::Train),
            text("held", &prose(1, "b"), Fate::HeldOut),
        ];
        assert_eq!(kept(documents), ["held"]);
    }

    #[test]
    fn short_answers_are_compared_with_their_questions() {
        let documents = vec![
            pair("a", "May I?", "Certainly."),
            pair("b", "Is it wet?", "Certainly."),
            pair("c", "May I?", "Certainly!"),
        ];
        assert_eq!(kept(documents), ["a", "b"]);
    }

    proptest! {
        #[test]
        fn the_order_of_documents_does_not_matter(
            picks in prop::collection::vec((0usize..3, 0usize..4, any::<bool>()), 1..14),
            turn in 0usize..14,
        ) {
            let make = |(n, (seed, change, held)): (usize, &(usize, usize, bool))| {
                let fate = if *held { Fate::HeldOut } else { Fate::Train };
                text(&format!("p{n:02}"), &prose(*seed, &"tail ".repeat(*change)), fate)
            };
            let documents: Vec<Document> = picks.iter().enumerate().map(make).collect();
            let mut turned = documents.clone();
            turned.reverse();
            turned.rotate_left(turn % picks.len());
            prop_assert_eq!(kept(documents), kept(turned));
        }
    }
}
