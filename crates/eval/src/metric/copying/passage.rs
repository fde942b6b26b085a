//! The longest stretch that stands both in a reply and in the training text.

use serde::{Deserialize, Serialize};

use super::{Copied, Source, white};

/// Characters shown before and after a passage.
const CONTEXT_CHARS: usize = 80;

/// A verbatim passage with its two surroundings; white space is made equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// The question's document.
    pub document: String,
    /// The question.
    pub id: String,
    /// The sampling seed.
    pub seed: u64,
    /// Its length without what the prompt already said, in characters.
    pub n_chars: usize,
    /// The passage.
    pub text: String,
    /// Where it stands in the reply.
    pub reply: Surroundings,
    /// The training document it also stands in.
    pub source_document: String,
    /// Its first character there, counted from zero in the text as given.
    pub source_char_idx: usize,
    /// Where it stands there.
    pub source: Surroundings,
}

/// What stands around a passage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surroundings {
    /// The characters before.
    pub before: String,
    /// The characters after.
    pub after: String,
}

/// A stretch of a reply, `start..end` in characters, and where it ends in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) n_own: usize,
    pub(super) source: usize,
    pub(super) source_end: usize,
}

/// Shows the longest span of a reply; none if it shares nothing.
pub(super) fn show(copied: &Copied, key: (&str, &str, u64), sources: &[&Source<'_>]) -> Option<Passage> {
    let span = copied.longest?;
    let source = sources.get(span.source)?;
    let (places, source_chars): (Vec<usize>, Vec<char>) = white::normal(source.text).unzip();
    let source_start = span.source_end - (span.end - span.start);
    Some(Passage {
        document: key.0.to_owned(),
        id: key.1.to_owned(),
        seed: key.2,
        n_chars: span.n_own,
        text: copied.chars[span.start..span.end].iter().collect(),
        reply: surroundings(&copied.chars, span.start, span.end),
        source_document: source.document.to_owned(),
        source_char_idx: places[source_start],
        source: surroundings(&source_chars, source_start, span.source_end),
    })
}

fn surroundings(chars: &[char], start: usize, end: usize) -> Surroundings {
    Surroundings {
        before: chars[start.saturating_sub(CONTEXT_CHARS)..start].iter().collect(),
        after: chars[end..(end + CONTEXT_CHARS).min(chars.len())].iter().collect(),
    }
}
