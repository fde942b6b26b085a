//! Runs the binary and looks at what it said.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A place to work in: an empty home, and a folder to stand in.
pub(crate) struct Bench {
    root: TempDir,
    /// Where the binary is run.
    pub(crate) here: PathBuf,
    env: Vec<(String, String)>,
}

/// What a run said.
#[derive(Debug)]
pub(crate) struct Said {
    /// The exit code.
    pub(crate) code: i32,
    /// Stdout.
    pub(crate) out: String,
    /// Stderr.
    pub(crate) err: String,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let here = root.path().join("work");
        penname_ledger::write::folder(&here).unwrap();
        penname_ledger::write::folder(&root.path().join("home")).unwrap();
        Self { root, here, env: Vec::new() }
    }

    /// A bench whose folder holds a voice with this writing, by file name.
    pub(crate) fn with_writing(files: &[(&str, &str)]) -> Self {
        let mut bench = Self::new();
        assert_eq!(bench.run(&["new", "my-voice"]).code, 0);
        bench.here = bench.here.join("my-voice");
        for (name, text) in files {
            bench.write(&format!("writing/{name}"), text);
        }
        bench
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// Sets a variable for every run from now on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.here.join(name);
        penname_ledger::write::folder(path.parent().unwrap()).unwrap();
        penname_ledger::write::bytes(&path, text.as_bytes()).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_penname"));
        command.args(args).current_dir(&self.here).stdin(Stdio::null()).env_clear();
        command.env("HOME", self.home()).env("PATH", "/usr/bin:/bin").envs(self.env.iter().cloned());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        let output = self.command(args).output().unwrap();
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            text.replace(self.root.path().to_str().unwrap(), "ROOT")
        };
        Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs with `--json`: the objects on stdout, all of which must be JSON with an `event`.
    pub(crate) fn json(&self, args: &[&str]) -> (i32, Vec<Value>) {
        let said = self.run(&[args, &["--json"]].concat());
        let object = |line: &str| -> Value { serde_json::from_str(line).unwrap() };
        let objects: Vec<Value> = said.out.lines().map(object).collect();
        assert!(objects.iter().all(|object| object["event"].is_string()), "{said:?}");
        (said.code, objects)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.here.join(Path::new(name))
    }
}

/// The value of the one result among the objects.
pub(crate) fn result(objects: &[Value]) -> &Value {
    let mut results = objects.iter().filter(|object| object["event"] == "result");
    let result = results.next().unwrap();
    assert!(results.next().is_none());
    &result["value"]
}

/// Writing enough for a few examples, in as many files.
pub(crate) fn letters(n: usize) -> Vec<(String, String)> {
    let letter = |i: usize| {
        let text = format!(
            "Q: My kettle number {i} sings out of tune. What shall I do about it?\n\n\
             A: Dear friend, kettle {i} wants descaling with vinegar and patience. Boil it {} times, pour \
             slowly, and never scold it before breakfast.\n",
            i * 3 + 2
        );
        (format!("letter-{i:02}.txt"), text)
    };
    (0..n).map(letter).collect()
}
