//! `penname` turns a body of writing into a language model that writes in that voice.
//!
//! This is the only room with a screen: words are typed in, work is arranged, results are drawn. It
//! computes nothing a library could. A command is one file in [`commands`]; what it needs lies on
//! its [`desk`]; why it failed is decided in [`failure`].

mod base;
mod cli;
mod commands;
mod desk;
mod failure;
mod page;
mod project;
mod run;
mod screen;
mod settings;
mod stop;
mod work;

use std::process::ExitCode;

fn main() -> ExitCode {
    run::run()
}
