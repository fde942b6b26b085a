//! Every chore of the repository: `cargo xtask <chore>`.
//!
//! One file or folder per chore, one line each in [`Chore`]. Chores work on the checkout they were
//! compiled in, and leave a failure's name as their last words.

mod arm;
mod base;
mod bench;
mod ci;
mod fuzz;
mod golden;
mod kit;
mod page;
mod pair;
mod plans;
mod screen;
mod shell;
mod size;
mod tidy;
mod toxicity;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

/// What a chore may die of; what it says is shown with all its causes.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;
/// What every chore returns.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// The chores of the repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Chore {
    /// Run everything a change must pass, stopping at the first failure.
    Ci(ci::Options),
    /// Check what no compiler checks: layers, file sizes, paths, links, comments on dependencies.
    Tidy,
    /// Remake the reference pages from the lists in the code, and what documents tell of speed from records.
    Gen(page::Options),
    /// Remake the page with the plans of large models.
    Plans(plans::Options),
    /// Remake the golden files with the scripts that made them.
    Golden(golden::Options),
    /// Time optimizer steps.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Run the checks that need real inputs.
    Kit(kit::Options),
    /// Read hostile files for some minutes.
    Fuzz(fuzz::Options),
    /// Make a model of toxic words from labelled examples.
    Toxicity(toxicity::Options),
    /// Say how large the code is.
    Size,
    /// Read one PDF from standard input, as a process of its own.
    #[command(hide = true)]
    ReadPdf,
}

/// A failure whose reasons are on the screen already.
#[derive(Debug)]
pub(crate) struct Told(pub(crate) &'static str);

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Told {}

fn main() -> ExitCode {
    let done = match Chore::parse() {
        Chore::Ci(options) => ci::run(&options),
        Chore::Tidy => tidy::run(),
        Chore::Gen(options) => page::run(&options),
        Chore::Plans(options) => plans::run(&options),
        Chore::Golden(options) => golden::run(&options),
        Chore::Bench(bench) => bench::run(&bench),
        Chore::Kit(options) => kit::run(&options),
        Chore::Fuzz(options) => fuzz::run(&options),
        Chore::Toxicity(options) => toxicity::run(&options),
        Chore::Size => size::run(),
        Chore::ReadPdf => {
            penname_corpus::collect::files::pdf::serve();
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is::<Told>() => ExitCode::FAILURE,
        Err(failure) => {
            screen::tell(&format!("error: {}", chain(&*failure)));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes, outermost first.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_path_buf()
}
