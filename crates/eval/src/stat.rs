//! How sure one can be: intervals, effects and the smallest change a test set can show.
//!
//! The unit of everything is the document. Replies to questions from one
//! document resemble each other, so counting them as independent would make
//! every interval too narrow.

pub mod bootstrap;
pub mod effect;
pub mod estimate;
pub mod normal;
pub mod proportion;
pub mod random;
pub mod ratio;
