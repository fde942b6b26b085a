//! The one place of this program that prints.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "chores talk to the person who runs them")]

/// A line of what was asked for.
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// A line about how it goes, or what went wrong.
pub(crate) fn tell(line: &str) {
    eprintln!("{line}");
}
