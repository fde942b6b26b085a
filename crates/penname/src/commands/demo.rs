//! `penname demo`: a real model learns the voice of the bundled letters.

mod letters;

use std::path::PathBuf;

use penname_eval::report::Report;
use penname_ledger::{Run, write};

use super::{evaluate, make};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::project::{Project, SETTINGS};
use crate::screen::wrap::wrap;

/// Before-and-after replies that are shown.
const SHOWN: usize = 3;

const RECIPE: &str = "\
# The demo: eighty letters to an invented columnist, learned by the default base model.
voice:
  name: Ottoline Peck
train:
  epochs: 5
  batch_examples: 4
  learning_rate: 5e-4
evaluate:
  questions: 8
write:
  top_k: 50
  top_p: 0.95
  max_tokens: 180
";

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Fetches a small base model once, trains it on the letters that come with the program, and shows the same
held-out questions answered before and after. A second run finds everything done.

Examples:
  penname demo
  penname demo --folder ./demo-voice")]
pub(crate) struct Args {
    /// Where it all goes [default: the program's cache folder]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Trains and shows the demo.
///
/// # Errors
/// When the base cannot be had, or anything fails.
pub(crate) fn run(args: &Args, desk: &Desk) -> Result<(), Failure> {
    let folder = args.folder.clone().unwrap_or_else(|| desk.environment.cache_dir.value.join("demo"));
    lay_out(&folder)?;
    let project = Project::at(&folder)?;
    let settings = desk.settings_of(&project)?;
    let (run, report) = make::made(desk, &project, &settings)?;
    desk.screen.result("demo", &report, || told(desk, &report, &project, &run));
    Ok(())
}

/// Puts settings and letters into the folder, unless they are there.
fn lay_out(folder: &std::path::Path) -> Result<(), Failure> {
    let writing = folder.join("writing");
    write::folder(&writing)?;
    for (name, text) in letters::ALL {
        put(&writing.join(name), text)?;
    }
    put(&folder.join(SETTINGS), RECIPE)
}

fn put(path: &std::path::Path, text: &str) -> Result<(), Failure> {
    // What is there may have been changed by the person, who wants to see what comes of it.
    if path.exists() { Ok(()) } else { Ok(write::bytes(path, text.as_bytes())?) }
}

fn told(desk: &Desk, report: &Report, project: &Project, run: &Run) -> String {
    let columns = desk.screen.columns();
    let shown = report.examples.iter().take(SHOWN).flat_map(example_lines);
    let said = shown.map(|(who, words)| format!("{who}\n{}\n", wrap(&indented(&words), columns, 2)));
    let place = project.dir().display();
    let mut parts: Vec<String> = said.collect();
    parts.push(evaluate::told(report, columns));
    parts.push(format!(
        "where everything lies\n  letters    {place}/writing\n  voice      {}\n  report     {}\n",
        run.adapter().display(),
        run.report().join("report.md").display(),
    ));
    parts.push(format!(
        "what to type next\n  penname chat --project '{place}'\n      talk to the voice; /compare base asks the base model\n  penname new my-voice\n      begin with your own writing\n"
    ));
    parts.join("\n")
}

/// Every line of the text moved in by two.
fn indented(text: &str) -> String {
    let lines = text.trim().lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| format!("  {}", line.trim())).collect::<Vec<_>>().join("\n")
}

/// Question, base, voice and author, with headings.
fn example_lines(example: &penname_eval::report::Example) -> Vec<(&'static str, String)> {
    let mut lines = vec![("question", example.prompt.clone()), ("before (base model)", example.base.clone())];
    lines.push(("after (the voice)", example.tuned.clone()));
    if let Some(author) = &example.author {
        lines.push(("what the author wrote, unseen in training", author.clone()));
    }
    lines
}
