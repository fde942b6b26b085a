//! Use the weights: ids in, ids and log-probabilities out.
//!
//! ```text
//! Weights ─model→ Model ─┬─ Decoder ─generate→ Completion     ids written, and how likely each was
//!                        └─ Scorer  ─losses─→  nats per row   how surprising given ids are
//! ```
//!
//! * [`model`] loads weights once; a [`Model`] says how they are used, so a base and its adapter
//!   share them.
//! * [`session`] is a model with a cache of what it has read: a [`Decoder`] runs rows, no more.
//! * [`decode`] is [`generate`], from prompts to answers; [`batch`] decides which rows to run for
//!   those in progress.
//! * [`sample`] chooses the next id, one file a step; [`stop`] says when that was the last one.
//! * [`compare`] says how far two models are apart: an export beside what it was made of.
//! * [`Model::scorer`] gives the losses of ids that are known already, found where training finds
//!   them: [`penname_model::score`].
//!
//! Nothing here changes a weight or sees a sentence. Texts, templates and stop strings are the
//! business of whoever holds the tokenizer, who is asked after every id whether to go on.

pub mod batch;
pub mod compare;
pub mod decode;
mod error;
pub mod model;
pub mod sample;
pub mod session;
pub mod stop;

pub use batch::Batch;
pub use decode::{Completion, Prompt, generate};
pub use error::{Error, Result};
pub use model::{Adapter, Loading, Model, Weights};
pub use sample::Sampler;
pub use session::{Decoder, Feed, Logits, Room};
pub use stop::{Control, Finish, Stop};
