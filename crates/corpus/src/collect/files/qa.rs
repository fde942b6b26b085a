//! Files of `Q:` and `A:`.

use super::pairs::{self, Markers};
use super::{Format, Source};

const MARKERS: Markers = Markers { question: "q", answer: "a", shown: "Q:" };

pub(super) const FORMAT: Format = Format {
    name: "qa",
    about: "pairs marked Q: and A: at the beginning of a line",
    needs: "",
    yields: "marked questions",
    plain: true,
    decodes_entities: false,
    claims: |source: &Source<'_>| pairs::claims(source, &MARKERS),
    read: |source| pairs::read(source, &MARKERS),
};
