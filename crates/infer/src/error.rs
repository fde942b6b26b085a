//! Everything that can be wrong with a request.

/// What every fallible function of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of this crate, by cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The checkpoint, its configuration or the adapter is at fault.
    #[error(transparent)]
    Model(#[from] penname_model::Error),
    /// The device cannot hold or run it.
    #[error(transparent)]
    Device(#[from] penname_engine::DeviceError),

    /// The adapter has no pair for a module that it says it adapts.
    #[error("the adapter has no low-rank pair for `{module}`, which its configuration targets")]
    PairMissing {
        /// The module of the model.
        module: String,
    },
    /// The adapter has a pair for a module that the model does not have.
    #[error("the adapter has a low-rank pair for `{module}`, a module the model does not have")]
    PairStray {
        /// The module of the adapter.
        module: String,
    },
    /// A pair does not fit the weight it stands beside.
    #[error("the low-rank pair for `{module}` is {found:?} (rank, in, out), expected {expected:?}")]
    PairShape {
        /// The module.
        module: String,
        /// Rank, inputs and outputs of the pair.
        found: [usize; 3],
        /// Those of the model.
        expected: [usize; 3],
    },
    /// Half of a pair does not have the numbers that its shape needs.
    #[error("{half} of the low-rank pair for `{module}` has {found} numbers, expected {expected}")]
    PairValues {
        /// The module.
        module: String,
        /// `A` or `B`.
        half: &'static str,
        /// How many numbers it has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },

    /// A number of a [`Room`](crate::Room) makes no sense.
    #[error("room for {found} {what}, expected {expected}")]
    Room {
        /// Which number.
        what: &'static str,
        /// Its value.
        found: usize,
        /// What it may be.
        expected: String,
    },
    /// A slot that does not exist, or that is fed twice in one run.
    #[error("slot {found} cannot be used here, expected one of the first {slots}, each once")]
    Slot {
        /// The slot asked for.
        found: usize,
        /// How many there are.
        slots: usize,
    },
    /// All slots are taken by answers in progress.
    #[error("all {slots} slots are taken")]
    NoSlot {
        /// How many there are.
        slots: usize,
    },
    /// A slot was fed more than it can hold.
    #[error("slot {slot} holds {held} tokens and was fed {more}, expected at most {context} together")]
    ContextFull {
        /// The slot.
        slot: usize,
        /// What it holds.
        held: usize,
        /// What was added.
        more: usize,
        /// What fits.
        context: usize,
    },
    /// Nothing was given where at least one token is needed.
    #[error("{what} is empty, expected at least one token")]
    NoTokens {
        /// What is empty.
        what: &'static str,
    },
    /// A token id outside the vocabulary.
    #[error("token id {found} is not below {vocabulary}, the size of the vocabulary")]
    TokenId {
        /// The id.
        found: u32,
        /// How many there are.
        vocabulary: usize,
    },

    /// A sampler setting outside its range.
    #[error("`{field}` is {found}, expected {expected}")]
    Setting {
        /// The setting.
        field: &'static str,
        /// Its value.
        found: f32,
        /// Its range.
        expected: &'static str,
    },
    /// The model gave something that is not a number to choose by.
    #[error("the logit of token {token_id} is {found}, expected a finite number")]
    Logit {
        /// The token.
        token_id: usize,
        /// Its logit.
        found: f32,
    },
}
