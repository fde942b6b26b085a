//! What each library's errors mean for a person.

use penname_engine::DeviceError;
use penname_ledger::Kind as Books;

use super::{Failure, Kind};
use crate::settings;

const FREE_DISK: &str = "free some room on this disk, or work in a folder on another one";
const RIGHTS: &str = "check who owns the folder and whether you may write to it, or work in another folder";
const READ_ONLY: &str = "this disk cannot be written to; work in a folder on another one";
const WAIT: &str = "wait for the other process, or end it";
const REDO: &str = "remove the folder it lies in and run the stage again";
const LESS_MEMORY: &str = "try a smaller `train.batch_tokens`, or a smaller base model";

impl From<penname_ledger::Error> for Failure {
    fn from(error: penname_ledger::Error) -> Self {
        let (kind, hint) = match error.kind() {
            Books::DiskFull => (Kind::Device, FREE_DISK),
            Books::Denied => (Kind::Device, RIGHTS),
            Books::ReadOnly => (Kind::Device, READ_ONLY),
            Books::Held => (Kind::Usage, WAIT),
            Books::Malformed => (Kind::Input, REDO),
            Books::Missing => (Kind::Input, ""),
            _ => (Kind::Device, ""),
        };
        let hint = match &error {
            penname_ledger::Error::RunExists { .. } => "choose another name for the run",
            penname_ledger::Error::NoRun { .. } => "the names of all runs are the folders in `runs`",
            penname_ledger::Error::BadName { .. } => "choose another name",
            _ => hint,
        };
        let kind = match &error {
            penname_ledger::Error::BadName { .. } | penname_ledger::Error::NoRun { .. } => Kind::Usage,
            _ => kind,
        };
        let failure = Self::of(kind, &error);
        if hint.is_empty() { failure } else { failure.hint(hint) }
    }
}

impl From<penname_corpus::Error> for Failure {
    fn from(error: penname_corpus::Error) -> Self {
        use penname_corpus::Error as E;
        let (kind, hint) = match error {
            E::Ledger(error) => return error.into(),
            E::Missing { .. } | E::Nothing { .. } => (
                Kind::Input,
                "put plain text, Markdown or JSON into the folder `writing`, or mail, chats, pages and books; conversations need `corpus.voice`",
            ),
            E::Unreadable { .. } => {
                (Kind::Input, "check whether you may read the folder and the files in it")
            }
            E::TooManyBad { .. } => (
                Kind::Input,
                "take those files out of `writing`, or raise `corpus.max_bad_share` if they may be left out",
            ),
            E::Review { .. } => (Kind::Usage, "change it otherwise, or drop the example"),
            E::Fetch(fault) => return fault.into(),
            E::UnknownName { .. } | E::OutOfRange { .. } | E::Profile { .. } | E::Source { .. } => {
                (Kind::Usage, "`penname settings --origin` shows where the value comes from")
            }
            E::NoScorer { .. } => (
                Kind::Input,
                "put the file there, name another, or leave `corpus.validate.toxicity` out and nothing is scored",
            ),
            E::Shard { .. } => {
                (Kind::Input, "`penname worker --freeze` makes a new plan of what is there now")
            }
            E::Stored { .. } => (Kind::Input, "remove the folder `data` and run `penname prepare` again"),
            E::Ask { .. } => (Kind::Usage, "`penname settings --origin` shows what `corpus.ask` is set to"),
            E::Unpriced { .. } => (
                Kind::Usage,
                "say what it costs in `corpus.ask.prices`, or let it cost what it will with `--allow-unpriced`",
            ),
            E::Unasked { .. } => (
                Kind::Input,
                "`penname ask` asks for them; `asked/missing.jsonl` lists each; `--accept-missing 10%` goes on without",
            ),
            E::Unbalanced { .. } => return Self::of(Kind::Bug, &error),
        };
        Self::of(kind, &error).hint(hint)
    }
}

impl From<penname_corpus::collect::fetch::Fault> for Failure {
    fn from(fault: penname_corpus::collect::fetch::Fault) -> Self {
        use penname_corpus::collect::fetch::Fault as F;
        match fault {
            F::Ledger(error) => error.into(),
            F::Interrupted => Self::of(Kind::Interrupted, &fault),
            F::Budget { .. } => Self::of(Kind::Budget, &fault).hint(fault.hint()),
            F::Secret { .. } => Self::of(Kind::Usage, &fault).hint(fault.hint()),
            _ => Self::of(Kind::Network, &fault).hint(fault.hint()),
        }
    }
}

impl From<penname_hub::Error> for Failure {
    fn from(error: penname_hub::Error) -> Self {
        use penname_hub::Error as E;
        let kind = match &error {
            E::Ledger(_) => {
                let E::Ledger(error) = error else { return Self::of(Kind::Bug, &error) };
                return error.into();
            }
            E::BadReference { .. } | E::NoSuchPath { .. } | E::BadEndpoint { .. } | E::Ambiguous { .. } => {
                Kind::Usage
            }
            E::Pickle { .. } | E::Incomplete { .. } | E::Read { .. } => Kind::Input,
            E::NoRoom { .. } => Kind::Device,
            E::Stopped { .. } => Kind::Interrupted,
            _ => Kind::Network,
        };
        let failure = Self::of(kind, &error);
        match (&error, error.hint()) {
            // The cache that is written is ours, so that is what has to move.
            (E::NoRoom { .. }, _) => {
                failure.hint("free some room, or set PENNAME_HOME to a folder on a larger disk")
            }
            (E::NoSuchPath { .. }, None) => {
                failure.hint("check the spelling; a path begins at the folder you are in")
            }
            (_, Some(hint)) => failure.hint(hint),
            (_, None) => failure,
        }
    }
}

impl From<penname_token::Error> for Failure {
    fn from(error: penname_token::Error) -> Self {
        use penname_token::Error as E;
        let kind = match error {
            E::Ledger(error) => return error.into(),
            E::TemplateName { .. } | E::VocabularySize { .. } => Kind::Usage,
            _ => Kind::Input,
        };
        let failure = Self::of(kind, &error);
        match error {
            E::Shard { .. } | E::Read { .. } | E::ShardTokenizer { .. } => failure.hint(REDO),
            E::Template { .. } | E::Raised { .. } => failure
                .hint("`penname show template` shows it; `template: chatml` or another built-in one may fit"),
            _ => failure,
        }
    }
}

impl From<penname_model::Error> for Failure {
    fn from(error: penname_model::Error) -> Self {
        use penname_model::Error as E;
        match error {
            E::Unwritable(error) => error.into(),
            E::Device(error) => error.into(),
            E::Shape(_) => Self::of(Kind::Input, &error),
            E::Architecture { .. } | E::FieldUnknown { .. } | E::FieldUnsupported { .. } => {
                Self::of(Kind::Input, &error)
                    .hint("choose another base model: this one computes something else")
            }
            _ => Self::of(Kind::Input, &error),
        }
    }
}

impl From<penname_train::Error> for Failure {
    fn from(error: penname_train::Error) -> Self {
        use penname_train::Error as E;
        let (kind, hint) = match error {
            E::Ledger(error) => return error.into(),
            E::Model(error) => return error.into(),
            E::Device(error) => return error.into(),
            E::Token(error) => return error.into(),
            E::GateClosed { suspects, .. } => (Kind::Claim, format!("what is usually behind it: {suspects}")),
            E::Setting { .. } | E::NotTogether { .. } | E::NoSuchWeights { .. } => {
                (Kind::Usage, "`penname settings --origin` shows where the value comes from".into())
            }
            E::Memory { with_half_the_rows, .. } => {
                let half = crate::screen::number::bytes(with_half_the_rows as u64);
                (Kind::Device, format!("half the `train.batch_tokens` need {half}"))
            }
            E::AlreadyBegun { .. } => {
                (Kind::Usage, "`penname resume` goes on; a new run needs another name: `--run NAME`".into())
            }
            E::NothingToResume { .. } => (Kind::Usage, "`penname train` begins one".into()),
            E::OtherInputs { .. } => (
                Kind::Usage,
                "put writing and settings back as they were, or begin a new run with `penname train`".into(),
            ),
            E::Diverged { .. } => (Kind::Claim, "try a third of the `train.learning_rate`".into()),
            E::Checkpoint { .. } | E::State { .. } | E::Read { .. } => (Kind::Input, REDO.into()),
            _ => (Kind::Input, String::new()),
        };
        let failure = Self::of(kind, &error);
        if hint.is_empty() { failure } else { failure.hint(hint) }
    }
}

impl From<penname_infer::Error> for Failure {
    fn from(error: penname_infer::Error) -> Self {
        use penname_infer::Error as E;
        match error {
            E::Model(error) => error.into(),
            E::Device(error) => error.into(),
            error => Self::of(Kind::Usage, &error),
        }
    }
}

impl From<penname_eval::Error> for Failure {
    fn from(error: penname_eval::Error) -> Self {
        Self::of(Kind::Input, &error)
    }
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::OutOfMemory { .. } => Self::of(Kind::Device, &error).hint(LESS_MEMORY),
            _ => Self::of(Kind::Bug, &error),
        }
    }
}

impl From<settings::Error> for Failure {
    fn from(error: settings::Error) -> Self {
        let hint = error.hint();
        let failure = Self::of(Kind::Usage, &error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_machine_is_told_apart_from_the_data() {
        let check = |kind: io::ErrorKind, expected: Kind, hint: &str| {
            let error = penname_ledger::Error::io("write", Path::new("x"), 0, kind.into());
            let failure = Failure::from(error);
            assert_eq!(failure.kind(), expected, "{kind}");
            assert!(failure.report().hints.iter().any(|h| h == hint) || hint.is_empty(), "{kind}");
        };
        check(io::ErrorKind::StorageFull, Kind::Device, FREE_DISK);
        check(io::ErrorKind::PermissionDenied, Kind::Device, RIGHTS);
        check(io::ErrorKind::ReadOnlyFilesystem, Kind::Device, READ_ONLY);
        check(io::ErrorKind::NotFound, Kind::Input, "");
    }

    #[test]
    fn a_wrapped_cause_keeps_its_meaning() {
        let full =
            || penname_ledger::Error::io("write", Path::new("x"), 0, io::ErrorKind::StorageFull.into());
        let failures = [
            Failure::from(penname_corpus::Error::Ledger(full())),
            Failure::from(penname_hub::Error::Ledger(full())),
            Failure::from(penname_token::Error::Ledger(full())),
            Failure::from(penname_model::Error::Unwritable(full())),
        ];
        assert!(failures.iter().all(|failure| failure.kind() == Kind::Device));
    }

    #[test]
    fn an_unbalanced_account_is_our_fault_and_says_how_to_report() {
        let error = penname_corpus::Error::Unbalanced { given: 2, added: 0, found: 1 };
        let failure = Failure::from(error);
        assert_eq!(failure.code(), 70);
        assert!(failure.report().hints.iter().any(|hint| hint.contains("report it at")));
    }
}
