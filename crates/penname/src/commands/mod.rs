//! A file for every verb.
//!
//! To add one: write a file with `Args` and `run(args, desk)`, and give it one variant and one line
//! below. Its help is the comment on the variant.

mod doctor;
mod new;
mod prepare;
mod recipes;
mod settings;
pub(crate) mod show;

use clap::Subcommand;

use crate::desk::Desk;
use crate::failure::Failure;

/// Everything that can be asked for, in the order of the work.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Begin a voice in a folder of its own
    New(new::Args),
    /// Turn writing into examples, and account for every character
    Prepare(prepare::Args),
    /// Look at what was made
    Show(show::Args),
    /// List the settings, and where each value comes from
    Settings(settings::Args),
    /// List the recipes: starting settings by sort of writing
    Recipes(recipes::Args),
    /// See whether this machine has what the work needs
    Doctor(doctor::Args),
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// Whatever kept it from being done.
    pub(crate) fn run(self, desk: &Desk) -> Result<(), Failure> {
        match self {
            Self::New(args) => new::run(&args, desk),
            Self::Prepare(args) => prepare::run(&args, desk),
            Self::Show(args) => show::run(&args, desk),
            Self::Settings(args) => settings::run(&args, desk),
            Self::Recipes(args) => recipes::run(&args, desk),
            Self::Doctor(args) => doctor::run(&args, desk),
        }
    }
}
