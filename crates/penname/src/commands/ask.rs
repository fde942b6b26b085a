//! `penname ask`: a model writes questions that the author's passages answer.

use std::collections::BTreeMap;

use penname_corpus::ask::{self, Missing, Order, Passage, Plan, Provider, Questions, Respondent, Stop};
use penname_corpus::collect::fetch::System;
use penname_corpus::{Document, Settings as Corpus};
use serde_json::json;

use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::project::Project;
use crate::screen::number;
use crate::settings::Settings;
use crate::work::asking::{self, Local, Progress, accepting};
use crate::work::corpus::{self, Again, Folders, Wanted};

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The answers are always the author's own words; only questions are written. `corpus.ask` says by whom. What a service
is sent, and what that is likely to cost, is said first. Every answer is kept in `asked` and paid for once: the same
command goes on where it was stopped. Keys: ANTHROPIC_API_KEY, OPENAI_API_KEY. Exit code 6 when the budget is used up.

Examples:
  penname ask --estimate
  penname ask --budget 2
  penname ask --set corpus.ask.provider=local
  penname ask --again")]
pub(crate) struct Args {
    /// Say what would be sent and what it would cost, and send nothing
    #[arg(long)]
    estimate: bool,
    /// What all questions of this voice may cost, from the first one on, in US dollars
    #[arg(long, value_name = "USD")]
    budget: Option<f64>,
    /// Ask again where answers could not be used
    #[arg(long)]
    again: bool,
    /// Ask a model whose price is not known
    #[arg(long)]
    allow_unpriced: bool,
    /// End well without questions for so many of the passages: 10%
    #[arg(long, value_name = "SHARE")]
    accept_missing: Option<String>,
}

/// Asks for the questions that are missing.
///
/// # Errors
/// When it cannot begin, is stopped, or leaves more passages without questions than may be.
pub(crate) fn run(args: &Args, desk: &Desk) -> Result<(), Failure> {
    let (project, settings) = desk.open()?;
    let settings = typed(args, settings)?;
    let corpus = &settings.corpus;
    let Some(provider) = corpus.ask.provider else {
        return Err(Failure::new(Kind::Usage, "nobody is named who could write questions").hint(
            "set `corpus.ask.provider` to anthropic, openai or local, and `corpus.ask.model`; docs/guide/ask.md",
        ));
    };
    let documents = documents(desk, &project, &settings)?;
    let passages = ask::passages(&documents, corpus);
    let plan = ask::plan(corpus, &passages, &project.asked())?;
    if args.estimate {
        let value = json!({
            "passages": plan.n_passages, "open": plan.n_open, "words": plan.n_words, "host": plan.host,
            "leaves_this_machine": plan.is_away, "low_usd": plan.estimate.low_usd, "high_usd": plan.estimate.high_usd,
            "spent_usd": plan.spent_usd.0, "budget_usd": corpus.ask.budget_usd, "priced_by": plan.priced_by,
        });
        desk.screen.result("estimate", &value, || told(&plan, corpus));
        return Ok(());
    }
    let mut stop = None;
    if plan.n_open > 0 || args.again {
        if provider != Provider::Local && desk.is_offline() {
            let message = format!("`{}` cannot be asked, because the network may not be used", plan.host);
            return Err(Failure::new(Kind::Usage, message).hint(
                "without `--offline` the same command asks; `corpus.ask.provider: local` asks nobody else",
            ));
        }
        desk.screen.note(told(&plan, corpus).trim_end());
        stop = asked(args, desk, (&project, &settings, provider), &passages)?;
    }
    end(desk, &project, corpus, (&documents, passages.len()), stop)
}

/// The settings, with what was typed.
fn typed(args: &Args, settings: Settings) -> Result<Settings, Failure> {
    let mut settings = accepting(settings, args.accept_missing.as_deref())?;
    if let Some(budget) = args.budget {
        settings = settings.with("corpus.ask.budget_usd", &budget.to_string(), "--budget")?;
    }
    if args.allow_unpriced {
        settings = settings.with("corpus.ask.allow_unpriced", "true", "--allow-unpriced")?;
    }
    Ok(settings)
}

/// The documents as preparing sees them, whether or not there are questions.
fn documents(desk: &Desk, project: &Project, settings: &Settings) -> Result<Vec<Document>, Failure> {
    let (folders, folder) = (Folders::of(project)?, project.fetched());
    let wanted = Wanted { folder: &folder, corpus: &settings.corpus, seed: settings.seed, again: Again::No };
    corpus::fetched(desk, project, &wanted)?;
    let mut lenient = settings.corpus.clone();
    lenient.ask = asking::lenient(&lenient.ask);
    let witness = Progress(desk.witness());
    Ok(penname_corpus::prepare(folders.places(), &lenient, settings.seed, &witness)?.documents)
}

/// What would be sent, to whom, and what it costs.
fn told(plan: &Plan, corpus: &Corpus) -> String {
    let (ask, n) = (&corpus.ask, number::of(plan.n_passages as u64, "passage", "passages"));
    let words = number::count(plan.n_words as u64);
    let open = number::count(plan.n_open as u64);
    let mut lines = vec![format!(
        "{n}, {open} of them to be asked about: {words} words, {} questions each",
        ask.questions
    )];
    let model = ask.model.as_deref().unwrap_or_default();
    lines.push(match (ask.provider, plan.is_away) {
        (Some(Provider::Local) | None, _) => format!("{model} reads them on this machine; nothing is sent"),
        (_, false) => format!("they go to `{}`, here or in the house, to be read by {model}", plan.host),
        (_, true) => {
            format!("they leave this machine: `{}` is sent all of them, to be read by {model}", plan.host)
        }
    });
    let (low, high) = (plan.estimate.low_usd, plan.estimate.high_usd);
    let cost = match high > 0.0 {
        true => format!("likely to cost {low:.2} to {high:.2} USD"),
        false => "no cost is known".to_owned(),
    };
    let (budget, spent) = (ask.budget_usd, plan.spent_usd.0);
    lines.push(format!("{cost} ({}); {budget:.2} USD may be spent, {spent:.4} are", plan.priced_by));
    if spent + high > budget && high > 0.0 {
        lines.push("the budget may end it before all are asked about; what is paid for is kept".to_owned());
    }
    lines.join("\n") + "\n"
}

/// Asks, and says why it stopped before its end, if it did.
fn asked(
    args: &Args,
    desk: &Desk,
    (project, settings, provider): (&Project, &Settings, Provider),
    passages: &[Passage],
) -> Result<Option<Stop>, Failure> {
    let order = Order {
        settings: &settings.corpus,
        folder: &project.asked(),
        secrets: &desk.environment.secrets,
        proxy: desk.environment.proxy.value.as_deref(),
        clock: &System,
        witness: desk.witness(),
        stop: desk.stop(),
        seed: settings.seed,
        again: args.again,
    };
    let mut local = match provider {
        Provider::Local => Some(Local::open(desk, settings)?),
        Provider::Anthropic | Provider::Openai => None,
    };
    let respondent = local.as_mut().map(|local| local as &mut dyn Respondent);
    Ok(ask::ask(&order, passages, respondent)?)
}

/// Says what there is now, and lists what is missing.
fn end(
    desk: &Desk,
    project: &Project,
    corpus: &Corpus,
    (documents, n_passages): (&[Document], usize),
    stop: Option<Stop>,
) -> Result<(), Failure> {
    let questions = Questions::read(&project.asked())?;
    let missing = ask::missing(documents, corpus, &questions);
    let list = asking::list(project, &missing)?;
    let (spent, unsure) = questions.spent_usd();
    let reasons = reasons(&missing);
    let value = json!({
        "passages": n_passages, "with_questions": n_passages - missing.len(), "missing": reasons,
        "list": list, "spent_usd": spent, "unsure_usd": unsure, "model": corpus.ask.model,
    });
    desk.screen.result("ask", &value, || {
        let (with, all) =
            (number::count((n_passages - missing.len()) as u64), number::count(n_passages as u64));
        let mut lines = vec![format!("{with} of {all} passages have questions")];
        lines.extend(reasons.iter().map(|(reason, n)| format!("  {n:>6}  {reason}")));
        lines.extend(list.iter().map(|path| format!("each is listed in {}", path.display())));
        if spent > 0.0 {
            let unsure = if unsure > 0.0 {
                format!(", {unsure:.4} of it for answers that never came and may not have been charged")
            } else {
                String::new()
            };
            lines.push(format!("{spent:.4} USD spent in all{unsure}"));
        }
        lines.join("\n")
    });
    judged(corpus, n_passages, missing, stop)
}

/// How many are missing, by reason.
fn reasons(missing: &[Missing]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    missing.iter().for_each(|one| *counts.entry(one.reason.as_str()).or_default() += 1);
    counts
}

/// Whether it ended well.
fn judged(
    corpus: &Corpus,
    n_passages: usize,
    missing: Vec<Missing>,
    stop: Option<Stop>,
) -> Result<(), Failure> {
    let (budget, allowed) = (corpus.ask.budget_usd, corpus.ask.accept_missing);
    match stop {
        Some(Stop::Capped) => {
            let message = format!("the rest of the budget of {budget:.2} USD does not cover another request");
            Err(Failure::new(Kind::Budget, message).hint(
                "what was paid for is kept: the same command with a larger `--budget` goes on from here",
            ))
        }
        Some(Stop::Fault(fault)) => {
            Err(Failure::from(fault).hint("what was paid for is kept: the same command goes on from here"))
        }
        None if missing.len() as f64 > allowed * n_passages as f64 => {
            let error = penname_corpus::Error::Unasked { n_passages, allowed, missing };
            Err(Failure::of(Kind::Input, &error)
                .hint("`penname ask --again` asks once more; `--accept-missing 10%` is content with fewer"))
        }
        None => Ok(()),
    }
}
