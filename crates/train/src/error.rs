//! Why a run cannot begin, go on, or end well.

use std::path::PathBuf;

/// The result of anything here.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a run cannot begin, go on, or end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A claim without which no run may end well does not hold.
    #[error("gate `{name}` is closed: {evidence}")]
    GateClosed {
        /// The claim.
        name: &'static str,
        /// The numbers it was decided by.
        evidence: String,
        /// What is usually behind it.
        suspects: &'static str,
    },
    /// A setting is out of range.
    #[error("setting `{name}` is {found}, expected {low} to {high}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// Its value.
        found: f64,
        /// Smallest value that works.
        low: f64,
        /// Largest value that works.
        high: f64,
    },
    /// Two settings cannot both be as they are.
    #[error("setting `{name}` is `{found}`, which does not go with {beside}")]
    NotTogether {
        /// The setting.
        name: &'static str,
        /// What it says.
        found: String,
        /// The other one.
        beside: &'static str,
    },
    /// A setting names weights that there are none of.
    #[error("setting `{name}` has `{found}`, which is no sort of weights and fits no trained parameter")]
    NoSuchWeights {
        /// The setting.
        name: &'static str,
        /// What it says.
        found: String,
    },
    /// A sequence goes on where the table of learned positions ends.
    #[error("the longest sequence has {found} tokens, the model has positions for {context}")]
    BeyondContext {
        /// Its length.
        found: usize,
        /// Rows of the table.
        context: usize,
    },
    /// A step had no token to learn from.
    #[error("step {step} has no trained token")]
    NothingTrained {
        /// The step.
        step: u64,
    },
    /// The loss or the gradient is not a number any more.
    #[error("training diverged at step {step}: loss {loss_nats}, gradient norm {grad_norm}")]
    Diverged {
        /// The step.
        step: u64,
        /// Its loss, in nats.
        loss_nats: f64,
        /// Its gradient norm.
        grad_norm: f64,
    },
    /// Fine-tuning starts anew; this run has been trained already.
    #[error("run `{run}` has been trained for {step} steps already")]
    AlreadyBegun {
        /// The run.
        run: String,
        /// Steps done.
        step: u64,
    },
    /// Resuming goes on; this run has nothing to go on from.
    #[error("run `{run}` has no checkpoint to resume from")]
    NothingToResume {
        /// The run.
        run: String,
    },
    /// The run was begun with other data, settings or another base.
    #[error("run `{run}` was begun with other inputs: its fingerprint is {found}, today's is {expected}")]
    OtherInputs {
        /// The run.
        run: String,
        /// Fingerprint in the checkpoint.
        found: String,
        /// Fingerprint of what was given now.
        expected: String,
    },
    /// A checkpoint lacks a tensor or holds one of another size.
    #[error("checkpoint {} does not fit: tensor `{tensor}` has {found} numbers, expected {expected}", path.display())]
    Checkpoint {
        /// The checkpoint's folder.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Numbers found.
        found: usize,
        /// Numbers expected.
        expected: usize,
    },
    /// A checkpoint's state cannot be read.
    #[error("checkpoint state {} cannot be read", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The least memory a run needs is more than there is.
    #[error("training needs {needed} bytes of memory, {free} are free")]
    Memory {
        /// The least the planner found.
        needed: usize,
        /// What there is.
        free: usize,
        /// Bytes with half the rows in a micro-batch.
        with_half_the_rows: usize,
    },
    /// The model or its files.
    #[error(transparent)]
    Model(#[from] penname_model::Error),
    /// The device.
    #[error(transparent)]
    Device(#[from] penname_engine::DeviceError),
    /// The books.
    #[error(transparent)]
    Ledger(#[from] penname_ledger::Error),
    /// The sequences.
    #[error(transparent)]
    Token(#[from] penname_token::Error),
}
