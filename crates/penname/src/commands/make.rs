//! `penname make`: every stage, to the first closed gate.

use penname_eval::report::Report;
use penname_ledger::{Event, Run};

use super::{evaluate, prepare, train};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::project::Project;
use crate::settings::Settings;
use crate::work::asking::accepting;
use crate::work::corpus;
use crate::work::run::Work;

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Prepares the writing, trains, and measures. What is there already is not made again; a run that was
interrupted goes on. Exit code 1 when a claim is not met.

Examples:
  penname make
  penname make --effort quick")]
pub(crate) struct Args {
    /// Go on without questions for so many of the passages: 10%
    #[arg(long, value_name = "SHARE")]
    accept_missing: Option<String>,
}

/// Makes a voice.
///
/// # Errors
/// When a stage fails or a claim is not met.
pub(crate) fn run(args: &Args, desk: &Desk) -> Result<(), Failure> {
    let (project, settings) = desk.open()?;
    let settings = accepting(settings, args.accept_missing.as_deref())?;
    let (run, report) = made(desk, &project, &settings)?;
    desk.screen.result("make", &report, || evaluate::told(&report, desk.screen.columns()));
    let next = format!(
        "the voice lies in {}\nthe report is {}\nnext: penname chat",
        run.adapter().display(),
        run.report().join("report.md").display()
    );
    desk.screen.note(&next);
    evaluate::judge(&report)
}

/// Brings a project to a measured voice.
///
/// # Errors
/// When a stage fails.
pub(crate) fn made(desk: &Desk, project: &Project, settings: &Settings) -> Result<(Run, Report), Failure> {
    let prepared = corpus::prepared(desk, project, settings)?;
    desk.screen.note(prepare::told(&prepared).trim_end());
    let work = Work::new(desk, project, settings, &prepared)?;
    let run = match (work.found()?, work.unfinished()?) {
        (Some(run), _) => {
            let reason = format!("run `{}` was made from the same writing, settings and base", run.name());
            desk.witness().see(&Event::Skipped { stage: "train".into(), reason });
            run
        }
        (None, unfinished) => {
            let (run, outcome) = match unfinished {
                Some(run) => work.resume(run)?,
                None => work.begin(None)?,
            };
            desk.screen.note(&train::told(&run, &outcome));
            run
        }
    };
    if let Some(report) = found(&run) {
        let reason = format!("its report is {}", run.report().join("report.md").display());
        desk.witness().see(&Event::Skipped { stage: "evaluate".into(), reason });
        return Ok((run, report));
    }
    let (_, report) = evaluate::evaluated(desk, project, settings, Some(run.name()))?;
    Ok((run, report))
}

fn found(run: &Run) -> Option<Report> {
    let text = std::fs::read_to_string(run.report().join("report.json")).ok()?;
    Report::from_json(&text).ok()
}
