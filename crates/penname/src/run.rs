//! From what was typed to an exit code.

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use clap::Parser;
use penname_corpus::collect::files::pdf;

use crate::cli::{self, Cli};
use crate::desk::Desk;
use crate::failure::{self, Failure, Kind};
use crate::screen;

/// Does what was typed.
pub(crate) fn run() -> ExitCode {
    panic::set_hook(Box::new(|panic| {
        screen::aside(&format!("error: {panic}\nhint: {}", failure::how_to_report()));
    }));
    ExitCode::from(guarded(run_typed))
}

/// The exit code of some work; a panic in it is a fault of this program.
fn guarded(work: impl FnOnce() -> u8) -> u8 {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(Kind::Bug.code())
}

fn run_typed() -> u8 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => {
            // Help and version go to stdout and are no failure; a closed pipe is none either.
            let _unread = told.print();
            return u8::try_from(told.exit_code()).unwrap_or(Kind::Usage.code());
        }
    };
    let desk = Desk::new(cli.global);
    if let Ok(program) = std::env::current_exe() {
        pdf::host(program, vec!["read-pdf".into()], desk.environment.pdf_passwords.clone());
    }
    let done = match cli.command {
        Some(command) => command.run(&desk),
        None => {
            desk.screen.result("intro", &cli::intro(), || cli::intro().to_owned());
            Ok(())
        }
    };
    let failed = done.err().map(|failure| tell(&desk, &failure));
    let unwritten = desk.screen.finish().err().map(|error| {
        let failure = Failure::of(Kind::Device, &error).while_doing("stdout cannot be written to");
        tell(&desk, &failure)
    });
    failed.or(unwritten).unwrap_or(0)
}

fn tell(desk: &Desk, failure: &Failure) -> u8 {
    desk.screen.error(&failure.report());
    failure.code()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_our_fault() {
        assert_eq!(guarded(|| 3), 3);
        assert_eq!(guarded(|| panic!("a test of panics")), 70);
    }
}
