//! A file for every verb.
//!
//! To add one: write a file with `Args` and `run(args, desk)`, and give it one variant and one line
//! below. Its help is the comment on the variant.

mod new;

use clap::Subcommand;

use crate::desk::Desk;
use crate::failure::Failure;

/// Everything that can be asked for, in the order of the work.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Begin a voice in a folder of its own
    New(new::Args),
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// Whatever kept it from being done.
    pub(crate) fn run(self, desk: &Desk) -> Result<(), Failure> {
        match self {
            Self::New(args) => new::run(&args, desk),
        }
    }
}
