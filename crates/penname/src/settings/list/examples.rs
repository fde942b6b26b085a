//! The settings of duplicates, of what is held out, and of how examples are made.

use super::{COUNT, Key, Kind, key};

/// In the order in which they are shown.
pub(super) const KEYS: &[Key] = &[
    key("corpus.dedupe.exact", Kind::Flag, "true", "drop documents whose words are the same"),
    key("corpus.dedupe.near", Kind::Flag, "true", "drop documents that are nearly the same"),
    key(
        "corpus.dedupe.jaccard",
        Kind::Real(0.05, 1.0),
        "0.8",
        "share of common word runs from which two documents are nearly the same",
    ),
    key(
        "corpus.dedupe.keep",
        Kind::Words(&["engagement", "credibility", "timing", "length"]),
        "[engagement, credibility, timing, length]",
        "what speaks for one of several, most important first",
    ),
    key("corpus.split.share", Kind::Real(0.0, 0.5), "0.1", "share of the characters held out for measuring"),
    key(
        "corpus.split.min_examples",
        Kind::Count(0, 1_000_000),
        "8",
        "examples to hold out at least, where there is enough writing",
    ),
    key(
        "corpus.split.unit",
        Kind::Word(&["auto", "file", "thread", "chapter", "time", "document"]),
        "auto",
        "what stays together when holding out",
    ),
    key(
        "corpus.compose.passage_words",
        Kind::Count(20, 1_000_000),
        "350",
        "words a passage of running text aims at",
    ),
    key(
        "corpus.compose.overlap_words",
        Kind::Count(0, 1_000_000),
        "0",
        "words of the passage before with which each begins again, in whole sentences",
    ),
    key(
        "corpus.compose.form",
        Kind::Word(&["ask", "complete"]),
        "ask",
        "whether posts and running text are asked for, or stand alone",
    ),
    key("corpus.compose.post_words", COUNT, "700", "posts up to this many words stay whole"),
    key("corpus.compose.post_prompt", Kind::Text, "\"{title}\"", "what asks for a post"),
    key(
        "corpus.compose.title_prompt",
        Kind::Text,
        "\"Write about: {title}\"",
        "what asks for the opening of a titled text",
    ),
    key(
        "corpus.compose.continue_prompt",
        Kind::Text,
        "\"Continue this text:\\n\\n{text}\"",
        "what asks for more of a text",
    ),
    key(
        "corpus.compose.bare_prompt",
        Kind::Text,
        "Write something.",
        "what asks for a text too short to take a prompt from",
    ),
];
