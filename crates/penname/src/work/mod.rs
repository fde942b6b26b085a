//! The work between the rooms: what one library gives is made into what the next one takes.
//!
//! ```text
//! corpus ─render→ sequences ─training→ run ─contract→ voice ─speaker→ replies ─measure→ report
//!        ─scratch→ base      ─tokens→ sequences        where the model is new
//! ```

pub(crate) mod asking;
pub(crate) mod contract;
pub(crate) mod corpus;
pub(crate) mod data;
pub(crate) mod drawing;
pub(crate) mod export;
pub(crate) mod learned;
pub(crate) mod measure;
pub(crate) mod run;
pub(crate) mod scratch;
pub(crate) mod sequences;
pub(crate) mod speaker;
pub(crate) mod tokenizer;
pub(crate) mod tokens;
pub(crate) mod training;
pub(crate) mod voice;
