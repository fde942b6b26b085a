//! Why a source stopped. A fault ends the source it befell and no other.

use penname_ledger::Timestamp;

/// What stops a source. No message holds a key, and addresses stand without their query.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// No connection, or none that lasts.
    #[error("`{host}` cannot be reached: {why}")]
    Unreachable {
        /// The host.
        host: String,
        /// What went wrong.
        why: String,
    },
    /// The host fails, again and again.
    #[error("`{host}` fails with status {status}, {n_tries} times in a row")]
    Server {
        /// The host.
        host: String,
        /// The last status.
        status: u16,
        /// How often it was asked.
        n_tries: u32,
    },
    /// Answers that end before their end.
    #[error("`{host}` breaks off in the middle of its answer, {n_tries} times in a row")]
    Cut {
        /// The host.
        host: String,
        /// How often it was asked.
        n_tries: u32,
    },
    /// The host says no, and asking again would not help.
    #[error("`{host}` refuses with status {status}{said}")]
    Refused {
        /// The host.
        host: String,
        /// The status.
        status: u16,
        /// What it says, beginning with a colon; may be empty.
        said: String,
    },
    /// A key that is wrong, taken back or too old.
    #[error("`{host}` does not accept the key{said}")]
    Unauthorized {
        /// The host.
        host: String,
        /// What it says, beginning with a colon; may be empty.
        said: String,
    },
    /// Credit that is used up.
    #[error("`{host}` asks to be paid first{said}")]
    Payment {
        /// The host.
        host: String,
        /// What it says, beginning with a colon; may be empty.
        said: String,
    },
    /// Nothing is there.
    #[error("there is nothing at `{address}`: status {status}")]
    Missing {
        /// Where.
        address: String,
        /// The status.
        status: u16,
    },
    /// A wait longer than the settings allow.
    #[error("`{host}` asks to be left alone until {until}")]
    Limited {
        /// The host.
        host: String,
        /// Until when.
        until: Timestamp,
    },
    /// More than an answer may hold.
    #[error("`{address}` answers with more than {max} bytes")]
    TooLarge {
        /// Where.
        address: String,
        /// The limit.
        max: u64,
    },
    /// Redirects that lead nowhere.
    #[error("`{address}` leads to {found}")]
    Redirect {
        /// Where it began.
        address: String,
        /// Where it ended.
        found: &'static str,
    },
    /// Not an address.
    #[error("`{address}` is no web address")]
    Address {
        /// What was found.
        address: String,
    },
    /// The owner of a site asks machines to keep away.
    #[error("the robots.txt of `{host}` asks to leave `{path}` alone")]
    Robots {
        /// The host.
        host: String,
        /// What was to be read.
        path: String,
    },
    /// An answer that is not what it should be.
    #[error("`{host}` answers with {found}, expected {expected}")]
    Answer {
        /// The host.
        host: String,
        /// What came.
        found: String,
        /// What should have come.
        expected: &'static str,
    },
    /// The money meant for a source is spent.
    #[error("the budget of {budget_usd:.2} USD is used up: {spent_usd:.2} USD were charged")]
    Budget {
        /// What was allowed.
        budget_usd: f64,
        /// What was charged.
        spent_usd: f64,
    },
    /// A paid run that did not end well.
    #[error("the run `{run}` ended as {status}")]
    Run {
        /// Its id.
        run: String,
        /// How it ended.
        status: String,
    },
    /// A key that is not there.
    #[error("there is no `{name}` in the environment")]
    Secret {
        /// The variable.
        name: &'static str,
    },
    /// A program of the user's that cannot be run or fails.
    #[error("`{program}` {why}")]
    Program {
        /// What was run.
        program: String,
        /// What went wrong.
        why: String,
    },
    /// Somebody pressed Ctrl-C.
    #[error("stopped; the same command goes on from here")]
    Interrupted,
    /// The books could not be written or read.
    #[error(transparent)]
    Ledger(#[from] penname_ledger::Error),
}

impl Fault {
    /// Whether the whole work ends with it, not only the source.
    pub(super) fn ends_all(&self) -> bool {
        matches!(self, Self::Interrupted | Self::Ledger(_))
    }

    /// What the reader can do; may be empty.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => {
                "check the connection, the proxy and the clock, then run the same command again"
            }
            Self::Server { .. } | Self::Cut { .. } => {
                "it may be over later: the same command goes on from here"
            }
            Self::Limited { .. } => {
                "the same command goes on from here once that time has come; `corpus.network.max_wait_minutes` says how long to wait"
            }
            Self::Unauthorized { .. } => "log in again and put the new key into the environment",
            Self::Payment { .. } => {
                "what was bought so far is kept; the same command goes on once there is credit"
            }
            Self::Budget { .. } => "what was bought so far is kept; raise `budget_usd` to go on",
            Self::Run { .. } => {
                "what it gave is kept; `penname prepare --fetch` starts another one, which is charged"
            }
            Self::Secret { .. } => "keys are read from the environment only",
            Self::Robots { .. } => "ask the owner of the site, or save the pages yourself",
            _ => "",
        }
    }
}
