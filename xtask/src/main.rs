//! Every chore of the repository: `cargo xtask <chore>`.
//!
//! One file or folder per chore, one line each in [`Chore`]. Chores work on the checkout they were
//! compiled in, and leave a failure's name as their last words.

mod ci;
mod screen;
mod shell;
mod tidy;

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
}

fn main() -> ExitCode {
    let done = match Chore::parse() {
        Chore::Ci(options) => ci::run(&options),
        Chore::Tidy => tidy::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            screen::tell(&format!("error: {}", chain(&*failure)));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes, outermost first.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_path_buf()
}
