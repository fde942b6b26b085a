//! Why an example did not become a sequence.
//!
//! A verdict is data about data: it is counted and shown, and the work goes
//! on with the next example.

/// The reason an example cannot be learned from as it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Verdict {
    /// There is no assistant turn that carries loss.
    #[error("no turn carries loss")]
    NoTrainedToken,
    /// An assistant turn says nothing.
    #[error("turn {turn} is an empty answer")]
    EmptyAnswer {
        /// Index of the turn.
        turn: usize,
    },
    /// A turn that is not the assistant's is marked as trained.
    #[error("turn {turn} is spoken by the {role} but marked as trained; only assistant turns can be")]
    TrainedRole {
        /// Index of the turn.
        turn: usize,
        /// Who speaks.
        role: &'static str,
    },
    /// The sequence is longer than the model's context and may not be cut.
    #[error("{n_tokens} tokens, more than the context of {limit}")]
    TooLong {
        /// Tokens of the whole sequence.
        n_tokens: usize,
        /// Tokens that fit.
        limit: usize,
    },
    /// What comes before the answer already fills the context.
    #[error(
        "the prompt alone has {n_tokens} tokens, which leaves none of the context of {limit} for the answer"
    )]
    PromptTooLong {
        /// Tokens before the first trained one.
        n_tokens: usize,
        /// Tokens that fit.
        limit: usize,
    },
    /// The template refused the conversation or failed on it.
    #[error("{0}")]
    Template(String),
    /// The rendered conversation does not continue the prompt a model would be given.
    #[error(
        "turn {turn}: the template renders the answered conversation differently from its prompt, so no token can be trained honestly"
    )]
    PromptDiffers {
        /// Index of the turn.
        turn: usize,
    },
    /// The template's `{% generation %}` marks do not belong to the assistant turns one to one.
    #[error("the template marks {marks} generated spans for {turns} assistant turns")]
    Marks {
        /// Spans the template marked.
        marks: usize,
        /// Assistant turns of the conversation.
        turns: usize,
    },
    /// The trained span of a turn has no end token, so stopping would never be learned.
    #[error("turn {turn}: no end token inside the trained span")]
    EndOutsideMask {
        /// Index of the turn.
        turn: usize,
    },
    /// The tokenizer refused the text.
    #[error("{0}")]
    Encode(String),
}

impl Verdict {
    /// A short stable name to count by.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoTrainedToken => "no-trained-token",
            Self::EmptyAnswer { .. } => "empty-answer",
            Self::TrainedRole { .. } => "trained-role",
            Self::TooLong { .. } => "too-long",
            Self::PromptTooLong { .. } => "prompt-too-long",
            Self::Template(_) => "template",
            Self::PromptDiffers { .. } => "prompt-differs",
            Self::Marks { .. } => "marks",
            Self::EndOutsideMask { .. } => "end-outside-mask",
            Self::Encode(_) => "encode",
        }
    }
}
