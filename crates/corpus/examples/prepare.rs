//! Prepares a folder of writing and prints what became of it.
//!
//! ```text
//! cargo run --release -p penname-corpus --example prepare -- my-voice/writing [kept/prepared]
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use penname_corpus::collect::files::pdf;
use penname_corpus::review::Review;
use penname_corpus::{Error, Prepared, Settings, prepare, store};
use penname_ledger::Seed;
use penname_ledger::event::Silent;

/// What makes this program the reader of one PDF.
const READ_PDF: &str = "--read-pdf";

#[expect(clippy::print_stdout, reason = "an example prints what it shows")]
#[expect(clippy::print_stderr, reason = "an example prints what went wrong")]
fn main() -> ExitCode {
    let mut paths = std::env::args_os().skip(1).map(PathBuf::from);
    let first = paths.next();
    // A PDF is read by a process of its own: by this program, called so.
    if first.as_deref() == Some(Path::new(READ_PDF)) {
        pdf::serve();
        return ExitCode::SUCCESS;
    }
    if let Ok(program) = std::env::current_exe() {
        pdf::host(program, vec![READ_PDF.into()], Vec::new());
    }
    let Some(writing) = first else {
        eprintln!("usage: prepare WRITING [OUTPUT]");
        return ExitCode::from(2);
    };
    let settings = Settings::default();
    let prepared = match paths.next() {
        Some(dir) => store::prepare_into(&writing, &dir, &settings, Seed(7), &Review::default(), &Silent),
        None => prepare(&writing, &settings, Seed(7), &Silent),
    };
    match prepared {
        Ok(prepared) => {
            println!("{}", report(&prepared));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}", chain(&error));
            ExitCode::from(3)
        }
    }
}

fn report(prepared: &Prepared) -> String {
    let mut lines = vec![format!(
        "{} documents: {} examples to train, {} held out\n\n{}\n",
        prepared.documents.len(),
        prepared.train.len(),
        prepared.held_out.len(),
        prepared.account
    )];
    lines.extend(prepared.choices.iter().map(|c| format!("{}: {} ({})", c.what, c.value, c.reason)));
    lines.push(String::new());
    lines
        .extend(prepared.cuts.iter().map(|c| format!("{}: {} times, as in {:?}", c.rule, c.times, c.sample)));
    let mut codes = BTreeMap::new();
    for issue in &prepared.issues {
        let (count, _) = codes.entry((issue.severity, issue.code)).or_insert((0, issue));
        *count += 1;
    }
    lines.push(String::new());
    lines.extend(
        codes.values().map(|(n, i)| format!("{n} × {:?} {:?}: {}: {}", i.severity, i.code, i.path, i.detail)),
    );
    lines.join("\n")
}

fn chain(error: &Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
