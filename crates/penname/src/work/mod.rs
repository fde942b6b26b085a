//! The work between the rooms: what one library gives is made into what the next one takes.
//!
//! ```text
//! corpus ─render→ sequences ─training→ run ─contract→ voice ─speaker→ replies ─measure→ report
//! ```

pub(crate) mod contract;
pub(crate) mod corpus;
pub(crate) mod drawing;
pub(crate) mod measure;
pub(crate) mod run;
pub(crate) mod sequences;
pub(crate) mod speaker;
pub(crate) mod training;
pub(crate) mod voice;
