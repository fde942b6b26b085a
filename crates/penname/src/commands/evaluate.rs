//! `penname evaluate`: base and voice on the author's unseen writing.

use penname_eval::gate::{Claim, Outcome};
use penname_eval::report::{Report, Summary};
use penname_ledger::{Event, Run};

use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::project::Project;
use crate::screen::table::{Align, Table};
use crate::screen::wrap::wrap;
use crate::settings::Settings;
use crate::work::voice::Voice;
use crate::work::{corpus, measure};

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Both models score the held-out text and answer the same held-out questions. The report lies in the run's
folder as report.md and report.json. Exit code 1 when a claim is not met.

Examples:
  penname evaluate
  penname evaluate run-2 --set evaluate.questions=50")]
pub(crate) struct Args {
    /// Name of the run [default: the newest that is finished]
    run: Option<String>,
}

/// Measures a voice.
///
/// # Errors
/// When there is none, a claim is not met, or anything fails.
pub(crate) fn run(args: &Args, desk: &Desk) -> Result<(), Failure> {
    let (project, settings) = desk.open()?;
    let (run, report) = evaluated(desk, &project, &settings, args.run.as_deref())?;
    desk.screen.result("evaluate", &report, || told(&report, desk.screen.columns()));
    desk.screen.note(&format!("the whole report: {}", run.report().join("report.md").display()));
    judge(&report)
}

/// Opens a voice and measures it.
///
/// # Errors
/// As [`run`], but for claims.
pub(crate) fn evaluated(
    desk: &Desk,
    project: &Project,
    settings: &Settings,
    run: Option<&str>,
) -> Result<(Run, Report), Failure> {
    let prepared = corpus::prepared(desk, project, settings)?;
    let (run, mut voice) = Voice::open(desk, project, settings, run)?;
    desk.witness().see(&Event::Started { stage: "evaluate".into() });
    let watch = penname_ledger::Stopwatch::start();
    let report = measure::report(desk, (&run, &mut voice), &prepared, settings)?;
    desk.witness().see(&Event::Finished { stage: "evaluate".into(), seconds: watch.seconds() });
    Ok((run, report))
}

/// Fails if a claim is not met.
///
/// # Errors
/// Names the claims.
pub(crate) fn judge(report: &Report) -> Result<(), Failure> {
    let failed: Vec<&str> = report
        .verdict
        .claims
        .iter()
        .filter(|c| c.outcome == Outcome::NotMet)
        .map(|c| c.name.as_str())
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Kind::Claim, format!("not met: {}", failed.join("; ")))
        .hint("the report says what each number means"))
}

/// The finding, the measures as a table, the claims, and what the numbers cannot say, in lines of
/// `columns`.
pub(crate) fn told(report: &Report, columns: usize) -> String {
    let summary = report.summary();
    let paragraph = |text: &String| wrap(text, columns, 0) + "\n";
    let claims: String = report.verdict.claims.iter().map(|one| claim(one, columns)).collect();
    let power: String = summary.power.iter().map(paragraph).collect();
    [paragraph(&summary.headline), measures(&summary).to_string(), claims, power].join("\n")
}

fn measures(summary: &Summary) -> Table {
    let heads = ["author", "base", "voice", "difference"].map(|head| (head, Align::Right));
    let mut table = Table::new(&[&[("", Align::Left)], &heads[..], &[("", Align::Left)]].concat());
    for row in &summary.rows {
        let cells = row.brief();
        table.row([row.label, &cells.author, &cells.base, &cells.tuned, &cells.difference, row.unit]);
    }
    table
}

/// A claim that is met in a line; one that is not, with what was expected and what follows.
fn claim(claim: &Claim, columns: usize) -> String {
    const INDENT: usize = 11;
    let line = format!("{:<INDENT$}{}: {}", claim.outcome.label(), claim.name, claim.found);
    let text = match claim.outcome {
        Outcome::Met => line,
        _ => format!("{line}, expected {}. {}", claim.expected, claim.consequence),
    };
    wrap(&text, columns, INDENT) + "\n"
}
