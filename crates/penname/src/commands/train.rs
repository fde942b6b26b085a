//! `penname train` and `penname resume`: change the weights.

use penname_ledger::{Event, Run};
use penname_train::{Ending, Outcome};
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::screen::number;
use crate::work::corpus;
use crate::work::run::Work;

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Training starts from the base model. A run made from the same writing and settings is found, not made again.

Examples:
  penname train
  penname train --run bolder --set train.epochs=5
  penname train --effort quick")]
pub(crate) struct Args {
    /// Name of the run [default: run-1, run-2 …]
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
}

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A run that was interrupted or killed goes on from its newest checkpoint and ends as if nothing had happened.

Examples:
  penname resume
  penname resume run-2")]
pub(crate) struct ResumeArgs {
    /// Name of the run [default: the newest that is not finished]
    run: Option<String>,
}

/// Trains a run from the base.
///
/// # Errors
/// When there is nothing to learn from, a gate closes, or anything fails.
pub(crate) fn run(args: &Args, desk: &Desk) -> Result<(), Failure> {
    let (project, settings) = desk.open()?;
    let prepared = corpus::prepared(desk, &project, &settings)?;
    let work = Work::new(desk, &project, &settings, &prepared)?;
    if args.run.is_none() {
        if let Some(run) = work.found()? {
            let reason = format!("run `{}` was made from the same writing, settings and base", run.name());
            desk.witness().see(&Event::Skipped { stage: "train".into(), reason });
            return Ok(());
        }
        if let Some(run) = work.unfinished()? {
            let message =
                format!("run `{}` was begun with the same writing and settings and not finished", run.name());
            return Err(Failure::new(Kind::Usage, message)
                .hint("`penname resume` goes on with it; `penname train --run NAME` begins another"));
        }
    }
    let (run, outcome) = work.begin(args.run.as_deref())?;
    desk.screen.result("train", &summary(&run, &outcome), || told(&run, &outcome));
    Ok(())
}

/// Goes on with a run.
///
/// # Errors
/// When there is none to go on with, its inputs were others, or anything fails.
pub(crate) fn resume(args: &ResumeArgs, desk: &Desk) -> Result<(), Failure> {
    let (project, settings) = desk.open()?;
    let prepared = corpus::prepared(desk, &project, &settings)?;
    let work = Work::new(desk, &project, &settings, &prepared)?;
    let run = match &args.run {
        Some(name) => Run::open(&project.runs(), name)?,
        None => work.unfinished()?.ok_or_else(|| {
            Failure::new(
                Kind::Usage,
                "no run was begun with this writing and these settings and left unfinished",
            )
            .hint("`penname train` begins one; `penname resume NAME` names one")
        })?,
    };
    let (run, outcome) = work.resume(run)?;
    desk.screen.result("resume", &summary(&run, &outcome), || told(&run, &outcome));
    Ok(())
}

/// What a run came to, in words.
pub(crate) fn told(run: &Run, outcome: &Outcome) -> String {
    let state = &outcome.state;
    let best = state.watch.best_nats.unwrap_or(f64::NAN);
    let ending = match outcome.ending {
        Ending::Patience => ", ended early because the held-out loss no longer fell",
        Ending::Finished | Ending::Interrupted => "",
    };
    format!(
        "trained {} in {}{ending}\nheld-out loss {:.3} before, {best:.3} after (nats per token, best at step {})\nthe voice lies in {}\n",
        number::of(state.step, "step", "steps"),
        number::duration(state.seconds),
        state.base_nats,
        state.watch.best_step,
        run.adapter().display(),
    )
}

fn summary(run: &Run, outcome: &Outcome) -> Value {
    json!({
        "run": run.name(),
        "adapter": run.adapter(),
        "ending": format!("{:?}", outcome.ending).to_lowercase(),
        "steps": outcome.state.step,
        "seconds": outcome.state.seconds,
        "base_loss_nats": outcome.state.base_nats,
        "best_loss_nats": outcome.state.watch.best_nats,
        "best_step": outcome.state.watch.best_step,
        "trained_tokens": outcome.state.n_trained,
    })
}
