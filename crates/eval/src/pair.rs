//! The same question, answered by both models.
//!
//! Differences between two models are far smaller than differences between
//! questions, so everything is compared question by question. A question that
//! only one model answered is counted and left out of every table.

use std::collections::BTreeMap;

use crate::stat::ratio::{Cluster, Ratio};
use crate::{Error, Finish, Reply, Transcript};

/// Two replies to one question under one seed, and the author's own answer.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// The base model's reply.
    pub base: &'a Reply,
    /// The tuned model's reply.
    pub tuned: &'a Reply,
    /// What the author wrote, where known.
    pub author: Option<&'a str>,
}

/// All pairs, sorted by document, id and seed.
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    /// The pairs.
    pub list: Vec<Pair<'a>>,
    /// Replies that only the base model gave.
    pub n_base_only: usize,
    /// Replies that only the tuned model gave.
    pub n_tuned_only: usize,
}

/// One text to be measured, with what is known about it.
#[derive(Debug, Clone, Copy)]
pub struct Voice<'a> {
    /// The text.
    pub text: &'a str,
    /// The question it answers.
    pub prompt: &'a str,
    /// Why it ended; none for the author.
    pub finish: Option<Finish>,
}

/// One quantity for the three texts of a pair.
#[derive(Debug, Clone)]
pub struct Measured<'a, T> {
    /// The document of the question.
    pub document: &'a str,
    /// Of the base model's reply.
    pub base: T,
    /// Of the tuned model's reply.
    pub tuned: T,
    /// Of the author's answer, where known.
    pub author: Option<T>,
}

type Key<'a> = (&'a str, &'a str, u64);

/// Joins two transcripts by document, id and seed.
///
/// # Errors
///
/// [`Error::DuplicateReply`] if a key occurs twice in a transcript and
/// [`Error::Differs`] if the two models saw different prompts or author's answers.
pub fn pair<'a>(base: &'a Transcript, tuned: &'a Transcript) -> Result<Pairs<'a>, Error> {
    let bases = by_key(base)?;
    let mut others = by_key(tuned)?;
    let mut list = Vec::new();
    for (key, base) in &bases {
        if let Some(tuned) = others.remove(key) {
            list.push(Pair { base, tuned, author: shared_author(base, tuned)? });
        }
    }
    Ok(Pairs { n_base_only: bases.len() - list.len(), n_tuned_only: others.len(), list })
}

fn by_key(transcript: &Transcript) -> Result<BTreeMap<Key<'_>, &Reply>, Error> {
    let mut map = BTreeMap::new();
    for reply in &transcript.replies {
        if map.insert((reply.document.as_str(), reply.id.as_str(), reply.seed), reply).is_some() {
            return Err(Error::DuplicateReply {
                model: transcript.model.clone(),
                document: reply.document.clone(),
                id: reply.id.clone(),
                seed: reply.seed,
            });
        }
    }
    Ok(map)
}

fn shared_author<'a>(base: &'a Reply, tuned: &'a Reply) -> Result<Option<&'a str>, Error> {
    let differs =
        |what| Error::Differs { what, document: base.document.clone(), id: base.id.clone(), seed: base.seed };
    if base.prompt != tuned.prompt {
        return Err(differs("prompt"));
    }
    match (&base.author, &tuned.author) {
        (Some(a), Some(b)) if a != b => Err(differs("author's answer")),
        (a, b) => Ok(b.as_deref().or(a.as_deref())),
    }
}

impl<'a> Pair<'a> {
    /// The three texts: base, tuned, author.
    #[must_use]
    pub fn voices(&self) -> (Voice<'a>, Voice<'a>, Option<Voice<'a>>) {
        let prompt = self.base.prompt.as_str();
        let model = |reply: &'a Reply| Voice { text: &reply.text, prompt, finish: Some(reply.finish) };
        let author = self.author.map(|text| Voice { text, prompt, finish: None });
        (model(self.base), model(self.tuned), author)
    }
}

impl<'a, T> Measured<'a, T> {
    /// Turns each of the three quantities into another.
    pub fn map<U>(&self, mut turn: impl FnMut(&T) -> U) -> Measured<'a, U> {
        let (base, tuned) = (turn(&self.base), turn(&self.tuned));
        Measured { document: self.document, base, tuned, author: self.author.as_ref().map(turn) }
    }
}

impl<'a> Pairs<'a> {
    /// Measures each text of each pair: base, tuned, author, pair after pair.
    pub fn measure<T>(&self, mut measure: impl FnMut(Voice<'a>) -> T) -> Vec<Measured<'a, T>> {
        self.list
            .iter()
            .map(|pair| {
                let (base, tuned, author) = pair.voices();
                let document = pair.base.document.as_str();
                let (base, tuned) = (measure(base), measure(tuned));
                Measured { document, base, tuned, author: author.map(&mut measure) }
            })
            .collect()
    }

    /// Distinct documents among the pairs.
    #[must_use]
    pub fn n_documents(&self) -> usize {
        let mut documents: Vec<&str> = self.list.iter().map(|pair| pair.base.document.as_str()).collect();
        documents.dedup();
        documents.len()
    }
}

/// Adds up one ratio per document, in the order of the pairs.
pub fn cluster<T>(measured: &[Measured<'_, T>], ratio: impl Fn(&T) -> Ratio) -> Vec<Cluster> {
    let mut clusters: BTreeMap<&str, Cluster> = BTreeMap::new();
    for row in measured {
        let cluster = clusters.entry(row.document).or_default();
        let tuned = ratio(&row.tuned);
        cluster.base += ratio(&row.base);
        cluster.tuned += tuned;
        if let Some(author) = &row.author {
            cluster.author += ratio(author);
            cluster.beside_author += tuned;
        }
    }
    clusters.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript(model: &str, keys: &[(&str, &str, u64)]) -> Transcript {
        let replies = keys.iter().map(|&(document, id, seed)| Reply {
            id: id.into(),
            document: document.into(),
            prompt: format!("about {id}"),
            text: model.into(),
            author: (model == "tuned").then(|| "mine".into()),
            finish: Finish::End,
            n_tokens: 1,
            seed,
            sampler: "greedy".into(),
        });
        Transcript { model: model.into(), replies: replies.collect() }
    }

    #[test]
    fn unmatched_replies_are_counted() {
        let base = transcript("base", &[("b", "1", 0), ("a", "1", 0), ("a", "1", 1)]);
        let tuned = transcript("tuned", &[("a", "1", 1), ("b", "1", 0), ("c", "1", 0), ("d", "1", 0)]);
        let pairs = pair(&base, &tuned).unwrap();
        let documents: Vec<&str> = pairs.list.iter().map(|p| p.base.document.as_str()).collect();
        assert_eq!(documents, ["a", "b"]);
        assert_eq!((pairs.n_base_only, pairs.n_tuned_only, pairs.n_documents()), (1, 2, 2));
        assert_eq!(pairs.list[0].author, Some("mine"));
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let base = transcript("base", &[("a", "1", 0)]);
        let mut tuned = transcript("tuned", &[("a", "1", 0)]);
        tuned.replies[0].prompt = "else".into();
        assert!(matches!(pair(&base, &tuned), Err(Error::Differs { what: "prompt", .. })));
        let twice = transcript("base", &[("a", "1", 0), ("a", "1", 0)]);
        assert!(matches!(pair(&twice, &base), Err(Error::DuplicateReply { .. })));
    }
}
