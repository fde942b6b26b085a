//! What can be wrong with the evidence, as opposed to with the model.

/// Evidence that cannot be compared, and why.
///
/// A bad reply or an infinite loss is a finding and appears in the report; an
/// error means that two things handed in do not belong together.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A line of a transcript is not the JSON of a reply.
    #[error("transcript line {line}: {source}")]
    Line {
        /// Line number, from one.
        line: usize,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// A transcript or report could not be written as JSON, or a report not read.
    #[error("json: {0}")]
    Json(#[from] serde_json::Error),
    /// A transcript without a single reply.
    #[error("transcript has no replies, expected at least one")]
    NoReplies,
    /// One file holds the replies of two models.
    #[error("transcript line {line} is by model `{found}`, expected `{expected}` as in the lines before")]
    MixedModels {
        /// Line number, from one.
        line: usize,
        /// The model of this line.
        found: String,
        /// The model of the first line.
        expected: String,
    },
    /// Two replies share document, id and seed.
    #[error(
        "model `{model}` has two replies for document `{document}`, id `{id}`, seed {seed}, expected one"
    )]
    DuplicateReply {
        /// The model.
        model: String,
        /// The document the question comes from.
        document: String,
        /// The question.
        id: String,
        /// The sampling seed.
        seed: u64,
    },
    /// The two models were not asked the same thing, or the author's answers differ.
    #[error("the {what} of document `{document}`, id `{id}`, seed {seed} differs between the two models")]
    Differs {
        /// `prompt` or `author's answer`.
        what: &'static str,
        /// The document the question comes from.
        document: String,
        /// The question.
        id: String,
        /// The sampling seed.
        seed: u64,
    },
    /// One model has two losses for one document.
    #[error("document `{document}` has two losses by the {side} model, expected one")]
    DuplicateLoss {
        /// The document.
        document: String,
        /// `base` or `tuned`.
        side: &'static str,
    },
    /// The two losses of a document are about texts of different length.
    #[error(
        "document `{document}` was scored over {tuned} bytes by the tuned model, expected {base} as by the base model"
    )]
    BytesDiffer {
        /// The document.
        document: String,
        /// Bytes scored by the base model.
        base: u64,
        /// Bytes scored by the tuned model.
        tuned: u64,
    },
    /// The replies together are longer than the copy search can index.
    #[error("replies hold {found} characters together, expected at most {expected}")]
    TooLong {
        /// Characters given.
        found: usize,
        /// Characters that fit.
        expected: usize,
    },
    /// Too few resamples make an interval of noise, too many never end.
    #[error("{found} resamples, expected {least} to {most}")]
    Resamples {
        /// What was asked for.
        found: usize,
        /// The fewest that give a usable interval.
        least: usize,
        /// The most that are of any use.
        most: usize,
    },
    /// A copy threshold of zero characters would call every text copied.
    #[error("{name} is 0, expected at least 1 character")]
    Threshold {
        /// Which setting.
        name: &'static str,
    },
    /// A report of another layout.
    #[error("report has schema {found}, expected {expected}")]
    Schema {
        /// The schema of the file.
        found: u32,
        /// The schema this version reads.
        expected: u32,
    },
}
