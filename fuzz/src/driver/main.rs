//! Changes inputs and watches what the readers do: `driver TARGET --seconds N --seed S`.
//!
//! What is watched is a child ([`child`]), so that one that is ended by the system or does not end at all
//! is a finding too and not the end of the watch ([`watch`]). An input that takes a new way through the
//! code ([`coverage`]) is kept, and later ones are made of it ([`mutate`]).

mod child;
mod coverage;
mod limit;
mod mutate;
mod tree;
mod watch;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;

use penname_fuzz::target;
use penname_ledger::write;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)
    };
    let number = |name: &str, otherwise: u64| after(name).and_then(|n| n.parse().ok()).unwrap_or(otherwise);
    let named = arguments.first().map(String::as_str);
    let Some(target) = target::ALL.iter().find(|target| Some(target.name) == named) else {
        let known: Vec<&str> = target::ALL.iter().map(|target| target.name).collect();
        eprintln!(
            "usage: driver TARGET [--seconds N] [--seed S] [--input FILE]; targets: {}",
            known.join(", ")
        );
        return ExitCode::from(2);
    };
    let work: PathBuf = std::env::current_dir().unwrap_or_default().join("target/fuzz").join(target.name);
    if let Err(error) = write::folder(&work.join("corpus")) {
        eprintln!("{error}");
        return ExitCode::from(2);
    }
    let (seed, seconds) = (number("--seed", 1), number("--seconds", 60));
    if let Some(input) = after("--input") {
        return child::one(target, &std::fs::read(input).unwrap_or_default());
    }
    if arguments.iter().any(|argument| argument == "--child") {
        return child::many(target, &work, seed, number("--batch", 0), seconds);
    }
    watch::watch(target, &work, seed, seconds)
}
