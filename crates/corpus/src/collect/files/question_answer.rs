//! Files of `QUESTION:` and `ANSWER:`.

use super::pairs::{self, Markers};
use super::{Format, Source};

const MARKERS: Markers = Markers { question: "question", answer: "answer", shown: "QUESTION:" };

pub(super) const FORMAT: Format = Format {
    name: "question-answer",
    about: "pairs marked QUESTION: and ANSWER: at the beginning of a line",
    needs: "",
    yields: "marked questions",
    plain: true,
    decodes_entities: false,
    claims: |source: &Source<'_>| pairs::claims(source, &MARKERS),
    read: |source| pairs::read(source, &MARKERS),
};
