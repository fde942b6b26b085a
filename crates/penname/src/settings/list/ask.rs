//! The settings of questions that a model writes for passages.

use super::{Key, Kind, SHARE, key};

/// In the order in which they are shown.
pub(super) const KEYS: &[Key] = &[
    key(
        "corpus.ask.provider",
        Kind::Maybe(&Kind::Word(&["anthropic", "openai", "local"])),
        "null",
        "who writes questions for passages: a service, one that speaks as OpenAI's does, or the base model; nothing is \
         nobody",
    ),
    key(
        "corpus.ask.model",
        Kind::Maybe(&Kind::Text),
        "null",
        "the model, as its service calls it; with local another base than the project's",
    ),
    key(
        "corpus.ask.address",
        Kind::Maybe(&Kind::Text),
        "null",
        "where the service is: http://localhost:11434 for one on this machine; nothing is its own address",
    ),
    key(
        "corpus.ask.mode",
        Kind::Word(&["each", "batch"]),
        "each",
        "a request for each passage, or parcels at half the price within a day (anthropic only)",
    ),
    key("corpus.ask.questions", Kind::Count(1, 20), "2", "questions for each passage"),
    key(
        "corpus.ask.posts",
        Kind::Flag,
        "false",
        "whether posts get questions too, instead of being asked for by their titles",
    ),
    key(
        "corpus.ask.prompt",
        Kind::Maybe(&Kind::Text),
        "null",
        "what is asked for, in other words than the built-in ones; {n} is the number of questions",
    ),
    key(
        "corpus.ask.form",
        Kind::Word(&["schema", "object", "text"]),
        "schema",
        "how answers are held to JSON: by a schema, by the promise of JSON, or by words alone",
    ),
    key(
        "corpus.ask.temperature",
        Kind::Maybe(&Kind::Real(0.0, 2.0)),
        "null",
        "how freely questions are worded; nothing is the service's own",
    ),
    key(
        "corpus.ask.max_tokens",
        Kind::Count(16, 1_000_000),
        "1024",
        "tokens of an answer; one that is cut off is asked for once more with twice as many",
    ),
    key("corpus.ask.concurrency", Kind::Count(1, 64), "4", "requests at a time"),
    key(
        "corpus.ask.tries",
        Kind::Count(1, 20),
        "3",
        "how often a request is made in a row without an answer",
    ),
    key(
        "corpus.ask.budget_usd",
        Kind::Real(0.0, 1e6),
        "5.0",
        "what all questions of this voice may cost, in US dollars, from the first one on",
    ),
    key(
        "corpus.ask.allow_unpriced",
        Kind::Flag,
        "false",
        "whether a model may be asked whose price is not known",
    ),
    key(
        "corpus.ask.prices",
        Kind::Entries,
        "[]",
        "prices that go before the built-in ones: {model: x, input: 1.0, output: 5.0} for a million tokens",
    ),
    key("corpus.ask.accept_missing", SHARE, "0.0", "share of the passages that may be without questions"),
    key(
        "corpus.ask.without",
        Kind::Word(&["drop", "complete"]),
        "drop",
        "what becomes of those: left out, or learned from their first word",
    ),
];
