//! Why a command ended, what the reader can do, and the exit code: decided here and nowhere else.
//!
//! A library's error comes in as it is; what it means for a person is written down in
//! [`cause`], one function a library.

mod cause;

use std::error::Error;
use std::fmt::Display;

use serde::Serialize;

/// What sort of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A claim was tested and does not hold.
    Claim,
    /// What was typed or set makes no sense.
    Usage,
    /// The input data cannot be used.
    Input,
    /// The machine: memory, disk, device, permissions.
    Device,
    /// The network.
    Network,
    /// A budget that is used up.
    Budget,
    /// A part of the work is done, and the same command goes on.
    Partial,
    /// Somebody else is at it: trying again later may help.
    TryAgain,
    /// A fault of this program.
    Bug,
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

impl Kind {
    /// The exit code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Claim => 1,
            Self::Usage => 2,
            Self::Input => 3,
            Self::Device => 4,
            Self::Network | Self::Partial => 5,
            Self::Budget => 6,
            // EX_TEMPFAIL of sysexits, which queues know.
            Self::TryAgain => 75,
            Self::Bug => 70,
            // What shells expect of a process ended by SIGINT.
            Self::Interrupted => 130,
        }
    }
}

/// The end of a command that did not do what it should.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
}

/// A failure as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    event: &'static str,
    kind: Kind,
    exit_code: u8,
    /// What failed.
    pub(crate) message: String,
    /// Why, outermost first.
    pub(crate) causes: Vec<String>,
    /// What the reader can do.
    pub(crate) hints: Vec<String>,
}

impl Failure {
    /// A failure that no library knows of.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// A library's error with its causes.
    pub(crate) fn of(kind: Kind, error: &dyn Error) -> Self {
        let mut causes = Vec::new();
        let mut last = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Some libraries repeat their cause in their own words.
            if !last.ends_with(&text) {
                causes.push(text.clone());
            }
            last = text;
            cause = error.source();
        }
        Self { kind, message: error.to_string(), causes, hints: Vec::new() }
    }

    /// Adds something the reader can do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Puts what was being done in front; what was said before becomes its cause.
    pub(crate) fn while_doing(mut self, what: impl Display) -> Self {
        let inner = std::mem::replace(&mut self.message, what.to_string());
        self.causes.insert(0, inner);
        self
    }

    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        self.kind.code()
    }

    /// What sort of failure it is.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The failure as it is shown.
    pub(crate) fn report(&self) -> Report {
        let mut hints = self.hints.clone();
        if self.kind == Kind::Bug {
            hints.push(how_to_report());
        }
        Report {
            event: "error",
            kind: self.kind,
            exit_code: self.code(),
            message: self.message.clone(),
            causes: self.causes.clone(),
            hints,
        }
    }
}

/// What to do about a fault of this program.
pub(crate) fn how_to_report() -> String {
    let (page, version) = (env!("CARGO_PKG_REPOSITORY"), env!("CARGO_PKG_VERSION"));
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    format!(
        "this is a fault of penname; please report it at {page}/issues with the command, the text above, and \
         `penname {version}, {system}`; none of your writing is needed"
    )
}

/// Ends the process now, without tidying up: for the second Ctrl-C.
pub(crate) fn end_at_once() -> ! {
    #[expect(clippy::disallowed_methods, clippy::exit, reason = "this is the place that ends the process")]
    std::process::exit(i32::from(Kind::Interrupted.code()))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn exit_codes_are_as_promised() {
        let kinds =
            [Kind::Claim, Kind::Usage, Kind::Input, Kind::Device, Kind::Network, Kind::Budget, Kind::Bug];
        assert_eq!(kinds.map(Kind::code), [1, 2, 3, 4, 5, 6, 70]);
    }

    #[test]
    fn causes_follow_and_are_not_repeated() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot read `x`")]
        struct Plain(#[source] io::Error);
        #[derive(Debug, thiserror::Error)]
        #[error("cannot read `x`: {0}")]
        struct Repeats(#[source] io::Error);
        let gone = || io::Error::new(io::ErrorKind::NotFound, "gone");
        let failure = Failure::of(Kind::Input, &Plain(gone()));
        assert_eq!(
            (failure.message.as_str(), failure.causes.as_slice()),
            ("cannot read `x`", &["gone".to_owned()][..])
        );
        let failure = Failure::of(Kind::Input, &Repeats(gone()));
        assert_eq!((failure.message.as_str(), failure.causes.len()), ("cannot read `x`: gone", 0));
    }

    #[test]
    fn what_was_being_done_comes_first() {
        let failure = Failure::new(Kind::Input, "inner").while_doing("outer");
        assert_eq!(failure.report().message, "outer");
        assert_eq!(failure.report().causes, ["inner"]);
    }
}
