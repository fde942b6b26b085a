//! `penname show issues`: what was wrong with the writing.

use std::collections::BTreeMap;

use penname_corpus::Issue;
use penname_corpus::issue::Severity;
use serde::Serialize;

use crate::desk::Desk;
use crate::failure::Failure;
use crate::screen::{Align, Table, harmless, number};

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also list files that were passed over because they are no writing
    #[arg(long)]
    all: bool,
}

/// Lists the issues of the prepared corpus.
///
/// # Errors
/// When nothing was prepared yet.
pub(super) fn run(args: &Args, desk: &Desk) -> Result<(), Failure> {
    let (project, settings) = desk.open()?;
    let issues = super::prepared(desk, &project, &settings)?.issues;
    let is_shown = |issue: &&Issue| args.all || issue.severity != Severity::Skipped;
    let shown: Vec<&Issue> = issues.iter().filter(is_shown).collect();
    desk.screen.result("issues", &shown, || {
        if issues.is_empty() {
            return "nothing was wrong with the writing".to_owned();
        }
        format!("{}\n{}", listed(&shown), counts(&issues))
    });
    Ok(())
}

fn listed(issues: &[&Issue]) -> Table {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left), ("", Align::Left)]);
    for issue in issues {
        let line = issue.line.map_or_else(String::new, |line| format!(":{line}"));
        table.row([
            word(&issue.severity),
            harmless(&format!("{}{line}", issue.path)),
            harmless(&issue.detail),
        ]);
    }
    table
}

/// How many of each sort there are, worst first.
pub(crate) fn counts(issues: &[Issue]) -> Table {
    let mut sorts: BTreeMap<_, u64> = BTreeMap::new();
    for issue in issues {
        *sorts.entry((issue.severity, issue.code)).or_default() += 1;
    }
    let mut table = Table::new(&[("", Align::Left), ("", Align::Right), ("", Align::Left)]);
    for ((severity, code), n) in sorts.iter().rev() {
        table.row([word(severity), number::count(*n), word(code)]);
    }
    table
}

/// The word a value is stored as.
fn word(value: &impl Serialize) -> String {
    let word = serde_json::to_value(value).ok();
    word.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().replace('_', " ")
}
