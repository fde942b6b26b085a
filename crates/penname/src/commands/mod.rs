//! A file for every verb.
//!
//! To add one: write a file with `Args` and `run(args, desk)`, and give it one variant and one line
//! below. Its help is the comment on the variant.

mod ask;
mod chat;
mod demo;
mod doctor;
mod evaluate;
mod export;
mod forget;
mod make;
mod new;
mod plan;
mod prepare;
mod recipes;
mod review;
mod settings;
pub(crate) mod show;
mod stats;
mod tokenizer;
mod train;
mod worker;
mod write;

use clap::Subcommand;
use penname_corpus::collect::files::pdf;

use crate::desk::Desk;
use crate::failure::Failure;

/// Everything that can be asked for, in the order of the work.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Begin a voice in a folder of its own
    New(new::Args),
    /// Turn writing into examples, and account for every character
    Prepare(prepare::Args),
    /// Have a model write questions that passages answer, and say what it costs
    Ask(ask::Args),
    /// Decide about examples one by one: keep, drop, change
    Review(review::Args),
    /// Forget somebody or a piece, wherever it stands
    Forget(forget::Args),
    /// See what training needs in memory, before anything is loaded
    Plan(plan::Args),
    /// Make a voice: every stage, to the first closed gate
    Make(make::Args),
    /// Train a run from the base model
    Train(train::Args),
    /// Go on with a run that was interrupted
    Resume(train::ResumeArgs),
    /// Write one reply in the voice, or several
    Write(write::Args),
    /// Talk to the voice
    Chat(chat::Args),
    /// Measure the voice against the author's unseen writing
    Evaluate(evaluate::Args),
    /// Write the voice as other programs read it, and check that it is the same there
    Export(export::Args),
    /// Prepare a share of a large corpus, as one of many
    Worker(worker::Args),
    /// Look at what was made
    Show(show::Args),
    /// Numbers about the writing: how much, how long, from when, and what was left out
    Stats(stats::Args),
    /// Learn a tokenizer from writing, or write text as ids
    Tokenizer(tokenizer::Args),
    /// List the settings, and where each value comes from
    Settings(settings::Args),
    /// List the recipes: starting settings by sort of writing
    Recipes(recipes::Args),
    /// Watch a small model take on the voice of the bundled letters
    Demo(demo::Args),
    /// See whether this machine has what the work needs
    Doctor(doctor::Args),
    /// Read one PDF from standard input, as a process of its own
    #[command(hide = true)]
    ReadPdf,
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
            Self::Ask(args) => ask::run(&args, desk),
            Self::Review(args) => review::run(&args, desk),
            Self::Forget(args) => forget::run(&args, desk),
            Self::Plan(args) => plan::run(&args, desk),
            Self::Make(args) => make::run(&args, desk),
            Self::Train(args) => train::run(&args, desk),
            Self::Resume(args) => train::resume(&args, desk),
            Self::Write(args) => write::run(&args, desk),
            Self::Chat(args) => chat::run(&args, desk),
            Self::Evaluate(args) => evaluate::run(&args, desk),
            Self::Export(args) => export::run(&args, desk),
            Self::Worker(args) => worker::run(&args, desk),
            Self::Show(args) => show::run(&args, desk),
            Self::Stats(args) => stats::run(&args, desk),
            Self::Tokenizer(args) => tokenizer::run(&args, desk),
            Self::Settings(args) => settings::run(&args, desk),
            Self::Recipes(args) => recipes::run(&args, desk),
            Self::Demo(args) => demo::run(&args, desk),
            Self::Doctor(args) => doctor::run(&args, desk),
            Self::ReadPdf => {
                pdf::serve();
                Ok(())
            }
        }
    }
}
