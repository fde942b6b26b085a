//! `penname worker`: one of many that prepare a corpus together.

use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};

use penname_corpus::shard::{self, Made, Order, Plan};
use penname_corpus::store;
use penname_ledger::{Stopwatch, write};
use serde_json::json;

use super::prepare;
use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::project::Project;
use crate::screen::number;
use crate::work::corpus::{self, Folders};

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A plan is frozen once; then each shard is made by a worker, anywhere the folder of the voice can be seen, and
one join makes of them what `penname prepare` makes alone. A worker that was stopped goes on where it was.
Exit codes: 0 done, 3 the plan or a setting cannot be used, 5 stopped before the end, 75 somebody else has it.

Examples:
  penname worker --freeze plan.json --shards 64
  penname worker plan.json --shard 17
  penname worker plan.json --status
  penname worker plan.json --join
  penname worker plan.json --stdin < documents.jsonl > judged.jsonl")]
pub(crate) struct Args {
    /// The plan
    #[arg(required_unless_present = "freeze")]
    plan: Option<PathBuf>,
    /// Freeze what would be prepared now into a plan
    #[arg(long, value_name = "FILE", requires = "shards", conflicts_with = "plan")]
    freeze: Option<PathBuf>,
    /// Into how many shards: a power of two up to 4096
    #[arg(long, value_name = "N", requires = "freeze")]
    shards: Option<usize>,
    /// Make this shard, from 0
    #[arg(long, value_name = "I")]
    shard: Option<usize>,
    /// Take documents from standard input, and write them to standard output
    #[arg(long, conflicts_with_all = ["join", "status", "freeze"])]
    stdin: bool,
    /// Make the corpus of all shards
    #[arg(long, conflicts_with_all = ["shard", "status", "freeze"])]
    join: bool,
    /// Say which shards are missing
    #[arg(long, conflicts_with_all = ["shard", "freeze"])]
    status: bool,
    /// Folder of the shards [default: `data/shards` in the folder of the voice]
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// Take the shard from a worker on another machine that is dead
    #[arg(long, requires = "shard")]
    take_over: bool,
}

/// Freezes, works, or joins.
///
/// # Errors
/// When the plan cannot be used, the work was stopped, or somebody else has the shard.
pub(crate) fn run(args: &Args, desk: &Desk) -> Result<(), Failure> {
    if let Some(path) = &args.freeze {
        return freeze(desk, path, args.shards.unwrap_or(1));
    }
    let plan = Plan::read(args.plan.as_deref().unwrap_or_else(|| Path::new("plan.json")))?;
    if args.stdin {
        return pipe(desk, &plan, args.shard);
    }
    let project = desk.project()?;
    let folder = args.to.clone().unwrap_or_else(|| folder(&project, &plan));
    match args.shard {
        Some(shard) => work(args, desk, (&project, &plan, &folder), shard),
        None if args.join => join(desk, &project, &plan, &folder),
        None if args.status => {
            status(desk, &plan, &folder);
            Ok(())
        }
        None => Err(Failure::new(Kind::Usage, "what is to be done with the plan?")
            .hint("`--shard I` makes a shard, `--join` the corpus, `--status` says what is missing")),
    }
}

/// Where the shards of a plan lie: those of another plan are no part of it.
fn folder(project: &Project, plan: &Plan) -> PathBuf {
    project.data().join("shards").join(plan.digest.key12())
}

fn freeze(desk: &Desk, path: &Path, shards: usize) -> Result<(), Failure> {
    let (project, settings) = desk.open()?;
    let folders = Folders::of(&project)?;
    let plan = Plan::freeze(folders.places(), &settings.corpus, settings.seed, shards)?;
    plan.save(path)?;
    let value = json!({ "plan": path, "shards": plan.shards, "units": plan.units, "digest": plan.digest });
    desk.screen.result("plan", &value, || {
        let units = number::of(plan.units as u64, "part", "parts");
        let shards = number::of(plan.shards as u64, "shard", "shards");
        format!("{}: {units} of the writing in {shards}", path.display())
    });
    Ok(())
}

fn work(
    args: &Args,
    desk: &Desk,
    (project, plan, folder): (&Project, &Plan, &Path),
    shard: usize,
) -> Result<(), Failure> {
    let folders = Folders::of(project)?;
    write::folder(folder)?;
    let made = shard::work(&Order {
        plan,
        places: folders.places(),
        folder,
        shard,
        jobs: desk.n_threads(),
        seize: args.take_over,
        stop: desk.stop(),
        witness: desk.witness(),
    })?;
    let (done, before) = match made {
        Made::Done(done) => (done, ""),
        Made::Found(done) => (done, " before"),
        Made::Partial(n, all) => {
            let message = format!("shard {shard} was stopped after {n} of {all} parts; everything is saved");
            return Err(Failure::new(Kind::Partial, message).hint("the same command goes on"));
        }
        Made::Taken(who) => {
            return Err(Failure::new(Kind::TryAgain, format!("shard {shard} is taken: {who}"))
                .hint("`--take-over` if that machine is dead"));
        }
    };
    desk.screen.result("shard", &done, || {
        let documents = number::of(done.documents as u64, "document", "documents");
        let rejected = number::count(done.rejected as u64);
        format!("shard {shard} done{before}: {documents}, {rejected} rejected")
    });
    Ok(())
}

fn join(desk: &Desk, project: &Project, plan: &Plan, folder: &Path) -> Result<(), Failure> {
    let watch = Stopwatch::start();
    let (folders, review) = (Folders::of(project)?, corpus::decisions(desk, project)?);
    let places = folders.places();
    let prepared = shard::join(plan, places, folder, &review, desk.witness())?;
    let order = store::order(places, &plan.settings, plan.seed, &review)?;
    store::save(&prepared, order, watch.seconds(), &project.corpus())?;
    desk.screen.result("prepare", &prepare::summary(&prepared), || prepare::told(&prepared));
    Ok(())
}

fn status(desk: &Desk, plan: &Plan, folder: &Path) {
    let missing = shard::missing(plan, folder);
    let value = json!({ "shards": plan.shards, "missing": missing });
    desk.screen.result("shards", &value, || {
        let done = plan.shards - missing.len();
        let named: Vec<String> = missing.iter().take(20).map(usize::to_string).collect();
        let more = if missing.len() > named.len() { " …" } else { "" };
        let left =
            if missing.is_empty() { String::new() } else { format!("; missing: {}{more}", named.join(" ")) };
        format!("{done} of {} shards are done{left}", plan.shards)
    });
}

/// Lines in, lines out. Nothing else may stand on standard output, so what there is to say goes beside it.
fn pipe(desk: &Desk, plan: &Plan, shard: Option<usize>) -> Result<(), Failure> {
    let (from, to) = (BufReader::new(io::stdin().lock()), BufWriter::new(io::stdout().lock()));
    let counts = shard::pipe(plan, shard, from, to)?;
    if !desk.screen.is_json() {
        let documents = number::of(counts.documents as u64, "document", "documents");
        desk.screen
            .note(&format!("{documents}, {} rejected, {} lines are none", counts.rejected, counts.bad));
    }
    Ok(())
}
