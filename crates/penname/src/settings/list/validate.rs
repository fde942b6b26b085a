//! The settings of what is worth learning from.

use super::{COUNT, Key, Kind, key};

const ANY: Kind = Kind::Count(0, 1_000_000_000);
const BOUND: Kind = Kind::Maybe(&COUNT);

/// In the order in which they are shown.
pub(super) const KEYS: &[Key] = &[
    key(
        "corpus.validate.min_chars",
        ANY,
        "0",
        "characters, as a reader counts them, that the voice must say",
    ),
    key("corpus.validate.max_chars", BOUND, "null", "characters that it may say at most"),
    key("corpus.validate.languages", Kind::List, "[]", "languages that are wanted: [en, fr]; none is all"),
    key(
        "corpus.validate.language",
        Kind::Bar,
        "whatlang >= 0.8",
        "who tells the language and how sure it must be, in one, because the one means nothing without the other",
    ),
    key(
        "corpus.validate.min_letters",
        ANY,
        "20",
        "letters below which a text is too short to tell its language",
    ),
    key(
        "corpus.validate.toxicity",
        Kind::Maybe(&Kind::Bar),
        "null",
        "a file of weights and the score below which a text passes: toxic.json < 0.3",
    ),
    key(
        "corpus.validate.spam",
        Kind::Flag,
        "false",
        "leave out messages made mostly of hashtags, links and accounts",
    ),
    key(
        "corpus.validate.repetition",
        Kind::Maybe(&Kind::Real(0.01, 1.0)),
        "0.6",
        "share of a text that may be lines or runs of words it has had before; null asks for nothing",
    ),
    key(
        "corpus.validate.personal",
        Kind::Word(&["off", "flag", "mask", "drop"]),
        "flag",
        "addresses and numbers of telephones, cards and accounts: flag, mask or drop",
    ),
    key("corpus.validate.min_score", ANY, "0", "likes or votes a post must have, where its source says"),
    key("corpus.validate.min_followers", ANY, "0", "followers its author must have, where its source says"),
    key("corpus.validate.max_followers", BOUND, "null", "followers its author may have at most"),
    key("corpus.validate.min_delay_s", ANY, "0", "seconds after which a reply may come at the earliest"),
    key("corpus.validate.max_delay_s", BOUND, "null", "seconds after which it may come at the latest"),
];
