//! What was typed.

mod intro;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser};

use crate::commands::Command;
pub(crate) use intro::intro;

const ABOUT: &str = "Turns a body of writing into a language model that writes in that voice.";

const AFTER: &str = "\
Settings come from the strongest of: built-in < effort < recipe < penname.yaml < flag.
Exit codes: 0 done, 1 a claim was not met, 2 usage or settings, 3 input data, 4 device or memory,
            5 network, 6 budget used up, 70 a fault of penname, 130 interrupted.
Nothing is sent anywhere but by `ask`; else the network is used to fetch, and not with --offline.";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "penname", version, about = ABOUT, after_help = AFTER, max_term_width = 100)]
#[command(disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What every command understands.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// Open no connection; use what is on this machine
    #[arg(long, global = true)]
    pub(crate) offline: bool,
    /// Write events and results as JSON, one object a line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but warnings and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Threads to use [default: all]
    #[arg(long, value_name = "N", global = true)]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Folder of the voice [default: the one around here]
    #[arg(long, value_name = "FOLDER", global = true)]
    pub(crate) project: Option<PathBuf>,
    /// Change a setting, as often as needed
    #[arg(long, value_name = "KEY=VALUE", global = true)]
    pub(crate) set: Vec<String>,
    /// The model to start from
    #[arg(long, value_name = "MODEL", global = true)]
    pub(crate) base: Option<String>,
    /// Where all chance begins
    #[arg(long, value_name = "N", global = true)]
    pub(crate) seed: Option<u64>,
    /// How much time to spend
    #[arg(long, value_name = "DIAL", value_parser = ["quick", "normal", "thorough"], global = true)]
    pub(crate) effort: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
