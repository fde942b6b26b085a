//! Checks on real inputs: books, blogs, goldens of other programs, a real base model.
//!
//! They need what is not in the repository, so each says plainly when it was skipped and why. A
//! new check is a function from [`Inputs`] and its line in [`ALL`].

mod bard;
mod convert;
mod corpus;
mod export;
mod greedy;
mod harmony;
mod killed;
mod model;
mod network;
mod pieces;
mod random;
mod reference;
mod review;
mod sources;
mod story;
mod templates;
mod tokens;
mod voice;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::process::Command;

use penname_ledger::Stopwatch;

use crate::screen::{say, tell};
use crate::{Failure, Result, Told, base, root, shell};

/// Where the inputs are.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Leave out what needs another program to compare with.
    #[arg(long)]
    quick: bool,
    /// Run these checks only, by the beginning of their names.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The folder of real inputs; `../shared/kit` beside the checkout unless said.
    #[arg(long)]
    kit: Option<PathBuf>,
    /// The base model as GGUF; otherwise the one in the Python package.
    #[arg(long)]
    base: Option<PathBuf>,
    /// A Python with torch, transformers, peft, gguf, safetensors, sentencepiece, protobuf, tiktoken and xllamacpp.
    #[arg(long)]
    python: Option<PathBuf>,
    /// The `penname` that is looked at; unless said it is built, in release.
    #[arg(long)]
    program: Option<PathBuf>,
    /// Fetch nothing.
    #[arg(long)]
    offline: bool,
}

impl Options {
    /// The quick checks, with inputs where they are usually found.
    pub(crate) fn quick() -> Self {
        let (kit, base, python, program) = (None, None, None, None);
        Self { quick: true, only: Vec::new(), kit, base, python, program, offline: false }
    }
}

/// What a check may look at.
pub(super) struct Inputs {
    kit: PathBuf,
    base: std::result::Result<PathBuf, String>,
    python: Option<PathBuf>,
    program: OnceCell<PathBuf>,
}

/// Why a check did not pass.
pub(super) enum Stop {
    /// Something it needs is not here.
    Skipped(String),
    /// What it claims is not so.
    Failed(Failure),
}

impl<E> From<E> for Stop
where
    Failure: From<E>,
{
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// What a check found, in words.
pub(super) type Verdict = std::result::Result<String, Stop>;

struct Check {
    name: &'static str,
    /// Whether it needs no other program and is done in minutes.
    quick: bool,
    run: fn(&Inputs) -> Verdict,
}

/// Every check.
const ALL: &[Check] = &[
    Check { name: "tokenizer goldens", quick: true, run: tokens::goldens },
    Check { name: "Llama-2's pieces in two files", quick: true, run: pieces::two_files },
    Check { name: "a story in llama2.c's container", quick: true, run: story::told },
    Check { name: "the story trained on and exported", quick: true, run: story::trained_on },
    Check { name: "a model from nothing, exported and run", quick: true, run: bard::from_nothing },
    Check { name: "Harmony as its library writes it", quick: true, run: harmony::renderings },
    Check { name: "a columnist's book", quick: true, run: corpus::columnist },
    Check { name: "rooms of a chat", quick: true, run: sources::rooms },
    Check { name: "a blog and its readers", quick: true, run: sources::blog },
    Check { name: "trees and dialogues", quick: true, run: sources::dialogues },
    Check { name: "threads of Reddit", quick: true, run: sources::threads },
    Check { name: "Reddit's refusals", quick: true, run: network::refusals },
    Check { name: "a thread of Reddit taken whole", quick: true, run: network::thread },
    Check { name: "tweets and replies", quick: true, run: sources::tweets },
    Check { name: "books and odd files in PDF", quick: true, run: sources::pdfs },
    Check { name: "GGUF to folder and back", quick: true, run: convert::there_and_back },
    Check { name: "a review in a browser", quick: true, run: review::driven },
    Check { name: "greedy answers", quick: true, run: greedy::answers },
    Check { name: "killed and resumed", quick: true, run: killed::resumed },
    Check { name: "a columnist's voice", quick: true, run: voice::columnist },
    Check { name: "a review of many examples", quick: false, run: review::fluid },
    Check { name: "a base in bytes", quick: false, run: voice::in_bytes },
    Check { name: "GGUF against the reference decoder", quick: false, run: convert::against_reference },
    Check { name: "templates against transformers", quick: false, run: templates::ids },
    Check { name: "ids against sentencepiece", quick: false, run: pieces::against_library },
    Check { name: "logits against transformers", quick: false, run: reference::logits },
    Check { name: "losses against PEFT", quick: false, run: reference::losses },
    Check { name: "our adapter in PEFT", quick: false, run: reference::ours_there },
    Check { name: "PEFT's adapter here", quick: false, run: reference::theirs_here },
    Check { name: "a voice exported four ways", quick: false, run: export::voice },
    Check { name: "GPT-2's adapter elsewhere", quick: false, run: export::gpt2 },
    Check { name: "experts elsewhere", quick: false, run: export::experts },
    Check { name: "an adapter that changes nothing", quick: false, run: export::silent },
];

impl Inputs {
    fn new(options: &Options) -> Self {
        let beside = || root().parent().map_or_else(|| PathBuf::from("kit"), |dir| dir.join("shared/kit"));
        let base =
            base::find(options.base.as_deref(), options.offline).map_err(|failure| crate::chain(&*failure));
        let program = options.program.as_deref().map(|path| std::path::absolute(path).unwrap_or(path.into()));
        Self {
            kit: options.kit.clone().unwrap_or_else(beside),
            base,
            python: options.python.clone(),
            program: program.map_or_else(OnceCell::new, OnceCell::from),
        }
    }

    /// The program as it is published, run in a folder, with nothing to read.
    fn program(&self, folder: &Path, arguments: &[&str]) -> Result<Command> {
        let program = match self.program.get() {
            Some(program) => program,
            None => {
                shell::run(shell::cargo().args(["build", "--release", "--quiet", "--package", "penname"]))?;
                self.program.get_or_init(|| root().join("target/release/penname"))
            }
        };
        let mut command = shell::command(program);
        command.args(arguments).current_dir(folder);
        Ok(command)
    }

    /// A file of the kit.
    fn kit(&self, path: &str) -> std::result::Result<PathBuf, Stop> {
        let whole = self.kit.join(path);
        if whole.exists() { Ok(whole) } else { Err(Stop::Skipped(format!("the kit has no {path}"))) }
    }

    fn base(&self) -> std::result::Result<&Path, Stop> {
        self.base.as_deref().map_err(|why| Stop::Skipped(format!("no base model: {why}")))
    }

    fn python(&self) -> std::result::Result<&Path, Stop> {
        self.python.as_deref().ok_or_else(|| Stop::Skipped("no --python was given".to_owned()))
    }
}

/// Runs the checks, a line each, and closes with their number.
pub(crate) fn run(options: &Options) -> Result<()> {
    // What was named must be there; only what was looked for may be missing.
    if let Some(path) =
        [&options.kit, &options.base, &options.program].into_iter().flatten().find(|path| !path.exists())
    {
        return Err(format!("there is nothing at `{}`", path.display()).into());
    }
    if let Ok(program) = std::env::current_exe() {
        penname_corpus::collect::files::pdf::host(program, vec!["read-pdf".into()], Vec::new());
    }
    let inputs = Inputs::new(options);
    let (mut n_passed, mut n_failed, mut n_skipped) = (0, 0, 0);
    let is_wanted = |check: &&Check| {
        let named = |only: &String| check.name.starts_with(only.as_str());
        (check.quick || !options.quick) && (options.only.is_empty() || options.only.iter().any(named))
    };
    for check in ALL.iter().filter(is_wanted) {
        tell(&format!("running  {}", check.name));
        let watch = Stopwatch::start();
        let verdict = (check.run)(&inputs);
        let seconds = watch.seconds();
        let (word, detail) = match verdict {
            Ok(detail) => {
                n_passed += 1;
                ("passed", detail)
            }
            Err(Stop::Skipped(why)) => {
                n_skipped += 1;
                ("skipped", why)
            }
            Err(Stop::Failed(failure)) => {
                n_failed += 1;
                ("failed", crate::chain(&*failure))
            }
        };
        say(&format!("{word:<8} {}: {detail} ({seconds:.1} s)", check.name));
    }
    say(&format!("{n_passed} passed, {n_failed} failed, {n_skipped} skipped"));
    if n_failed == 0 { Ok(()) } else { Err(Told("a check on real inputs failed").into()) }
}
