//! Change the weights: batches, step, loop, schedule, gates, checkpoints.
//!
//! Start with [`mod@step`], the one page that says what an optimizer step is.
//! Around it: [`batch`] decides which sequences a step sees, [`schedule`] the
//! learning rate, [`dial`] what follows from the size of a new model, [`optim`] adds the update to the program, [`mod@fit`] is the loop,
//! `start` measures what it starts from, `watch` decides when it has gone on long enough, [`checkpoint`] makes a
//! killed run go on as if nothing had happened, and [`gate`] holds the claims
//! without which a run may not end well.
//!
//! Ids and masks come in; text is other crates' business. Nothing is printed:
//! what happens is told to a [`penname_ledger::event::Witness`].

pub mod batch;
pub mod checkpoint;
pub mod dial;
mod error;
pub mod evaluate;
pub mod fit;
pub mod gate;
pub mod optim;
pub mod plan;
mod prepare;
mod progress;
pub mod schedule;
pub mod settings;
mod spared;
pub mod start;
pub mod step;
mod watch;

pub use error::{Error, Result};
pub use fit::{Ending, Outcome, Task, finetune, resume};
pub use gate::Gate;
pub use settings::Settings;
