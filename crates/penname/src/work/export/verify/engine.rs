//! The program on the other side: a Python, a script of ours, and what it says.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use penname_infer::compare::Trace;
use penname_ledger::write;
use serde_json::json;

use super::Answers;
use crate::failure::{self, Failure};

/// Which program reads a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// transformers, and PEFT where pairs lie beside the base.
    Transformers,
    /// llama.cpp, as a module of Python or as a server of its own.
    Llama,
}

impl Kind {
    fn script(self) -> &'static str {
        match self {
            Self::Transformers => include_str!("transformers.py"),
            Self::Llama => include_str!("llama.py"),
        }
    }

    /// What it is called, and what a Python that cannot ask it is without.
    fn told(self) -> [&'static str; 2] {
        match self {
            Self::Transformers => ["transformers", "torch, transformers or peft"],
            Self::Llama => ["llama.cpp", "xllamacpp, and no `llama-server` is on the path"],
        }
    }

    /// How it is got.
    fn hint(self) -> &'static str {
        match self {
            Self::Transformers => "`pip install torch transformers peft`, or name a Python with `--python`",
            Self::Llama => {
                "`pip install xllamacpp`, put llama.cpp's `llama-server` on the path, or name a Python with \
                 `--python`"
            }
        }
    }

    /// A program that fails in a Python that lacks it.
    fn trial(self) -> &'static str {
        match self {
            Self::Transformers => {
                "import sys, importlib.util as u; \
                 sys.exit(any(u.find_spec(m) is None for m in ('torch', 'transformers', 'peft')))"
            }
            Self::Llama => {
                "import sys, shutil, importlib.util as u; \
                 sys.exit(u.find_spec('xllamacpp') is None and shutil.which('llama-server') is None)"
            }
        }
    }
}

/// A Python to run it in.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    /// The one that was named; otherwise the first that has what is needed.
    pub(crate) python: Option<PathBuf>,
    /// Threads it may use.
    pub(crate) n_threads: usize,
}

/// What is asked.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) model: &'a Path,
    pub(super) adapter: Option<&'a Path>,
    pub(super) trace: &'a Trace,
    pub(super) top: usize,
}

impl Engine {
    /// Asks; `room` holds the files that go there.
    ///
    /// # Errors
    /// When there is no such program, it fails, or it says something that is no answer.
    pub(super) fn ask(&self, kind: Kind, asked: &Asked<'_>, room: &Path) -> Result<Answers, Failure> {
        let python = self.find(kind)?;
        let request = room.join("request.json");
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let value = json!({
            "model": absolute(asked.model),
            "adapter": asked.adapter.map(absolute),
            "prompts": asked.trace.prompts,
            "expected": asked.trace.written,
            "n_new": asked.trace.written.iter().map(Vec::len).max().unwrap_or(0),
            "top": asked.top,
            "threads": self.n_threads,
        });
        write::json(&request, &value)?;
        let mut command = Command::new(&python);
        command.arg("-c").arg(kind.script()).arg(&request).stdin(Stdio::null());
        let output = command.output().map_err(|error| failed(&python, &error.to_string()))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let last = said.lines().last().unwrap_or_default();
        match serde_json::from_str(last) {
            Ok(answers) if output.status.success() => Ok(answers),
            _ => {
                let complaint = String::from_utf8_lossy(&output.stderr);
                let lines: Vec<&str> = complaint.lines().rev().take(6).collect();
                Err(failed(&python, &lines.into_iter().rev().collect::<Vec<_>>().join("\n")))
            }
        }
    }

    /// A Python that has what is needed: the one that was named, or the first of those on the path.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn find(&self, kind: Kind) -> Result<OsString, Failure> {
        let has = |python: &&OsString| {
            let mut trial = Command::new(python);
            trial.arg("-c").arg(kind.trial());
            trial.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            trial.status().is_ok_and(|status| status.success())
        };
        let (tried, who) = match &self.python {
            Some(python) => (vec![python.clone().into_os_string()], format!("`{}`", python.display())),
            None => (["python3", "python"].map(OsString::from).to_vec(), "every Python here".to_owned()),
        };
        tried.iter().find(has).cloned().ok_or_else(|| {
            let [name, missing] = kind.told();
            let message = format!("there is no {name} to verify with: {who} is without {missing}");
            Failure::new(failure::Kind::Usage, message).hint(kind.hint())
        })
    }
}

fn failed(python: &std::ffi::OsStr, why: &str) -> Failure {
    let message = format!("`{}` could not be asked", Path::new(python).display());
    Failure::new(failure::Kind::Input, why.to_owned()).while_doing(message)
}
