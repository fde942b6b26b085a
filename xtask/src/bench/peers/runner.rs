//! One way to do the work, in a process of its own.

use std::ffi::OsString;
use std::path::PathBuf;

use serde_json::Value;

use crate::{Result, shell};

/// A program that prints its figures as one line of JSON.
#[derive(Debug)]
pub(crate) struct Runner {
    /// What tables call it.
    pub(crate) name: String,
    /// Takes its turn in the first round only, because a turn is long.
    pub(crate) once: bool,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Vec<(&'static str, OsString)>,
}

impl Runner {
    /// A runner of this name.
    pub(crate) fn new(name: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            once: false,
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// With these arguments after the ones it has.
    pub(crate) fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// With a variable of its environment set.
    pub(crate) fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// In the first round only.
    pub(crate) fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// Runs it and reads its last line of figures.
    ///
    /// # Errors
    /// When it cannot be started, fails, or prints no figures.
    pub(crate) fn run(&self) -> Result<Value> {
        let mut command = shell::command(&self.program);
        command.args(&self.arguments).envs(self.environment.iter().map(|(name, value)| (*name, value)));
        let output = shell::capture(&mut command)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().rev().find(|line| line.starts_with('{'));
        Ok(serde_json::from_str(line.ok_or_else(|| format!("{} printed no figures", self.name))?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_figures_counts() {
        let print = "echo '{\"tokens_per_s\":1}'; echo '{\"tokens_per_s\":2}'; echo done";
        let figures = Runner::new("two", "sh").args(["-c", print]).run().unwrap();
        assert_eq!(figures["tokens_per_s"], 2);
        assert!(Runner::new("silent", "sh").args(["-c", "true"]).run().is_err());
    }
}
