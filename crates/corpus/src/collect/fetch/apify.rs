//! Apify: an actor of the user's choice is started, watched and read, and paid for up to a limit.
//!
//! Money decides how this is built. The cap goes along with the start, so that it holds even when
//! nobody watches; the run's name is noted before anything else happens, and a start whose answer
//! was lost is looked for before another is made; a run that failed is not repeated unasked. What it
//! gave is read while it runs, page by page, and each page is kept.

mod account;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use self::account::{Account, Page, Seen};
use super::{Fault, Kind, Source, Visit};
use crate::collect::files::post::tweet;
use crate::rights::Rights;

/// Charges are known in full so long after the end of a run.
const SETTLES: Duration = Duration::from_secs(10);

pub(super) const KIND: Kind = Kind {
    name: "apify",
    about: "an actor on Apify, such as one that finds tweets; it is paid for",
    needs: "`APIFY_API_TOKEN`; `actor`, `input` and `budget_usd`",
    yields: "what the actor gives, one record a line",
    politely: "one run at a time, watched once a minute, its charge capped by `budget_usd`",
    otherwise: "tweets saved by other programs can be put into `writing`, and `kind: twscrape` costs nothing",
    every_seconds: 1.0,
    rights: Rights::PLATFORM,
    check: checked,
    fetch,
};

/// What the settings say of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    /// `user~name` or `user/name`.
    actor: String,
    #[serde(default)]
    input: Map<String, Value>,
    /// The most it may be charged, over all runs of a pass.
    budget_usd: f64,
    #[serde(default = "items")]
    max_items: u64,
    /// A second run that is given the tweets of the first, for their replies.
    #[serde(default)]
    replies: Option<Replies>,
    #[serde(default = "address")]
    address: String,
}

/// How the replies are asked for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Replies {
    #[serde(default)]
    actor: Option<String>,
    #[serde(default)]
    input: Map<String, Value>,
    /// The field of the input that takes a list of conversations.
    field: String,
    /// What stands in it; `{id}` is the conversation.
    #[serde(default = "term")]
    each: String,
    #[serde(default = "items")]
    max_items: u64,
}

fn items() -> u64 {
    1000
}

fn address() -> String {
    "https://api.apify.com/v2".to_owned()
}

fn term() -> String {
    "{id}".to_owned()
}

fn checked(source: &Source) -> Result<(), String> {
    let options: Options = source.options()?;
    match options {
        options if !(options.budget_usd > 0.0 && options.budget_usd < 1e6) => {
            Err("`budget_usd` is not more than 0".to_owned())
        }
        options if options.actor.trim().is_empty() => Err("`actor` is empty".to_owned()),
        _ => Ok(()),
    }
}

/// A run as it is noted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    id: String,
    dataset: String,
    status: String,
    /// Items that were read, those that were empty included.
    offset: u64,
    usd: f64,
    /// When a start was sent whose answer is not known yet.
    started_at: String,
}

impl Run {
    fn is_over(&self) -> bool {
        matches!(self.status.as_str(), "SUCCEEDED" | "FAILED" | "TIMED-OUT" | "ABORTED")
    }

    fn has_failed(&self) -> bool {
        self.is_over() && self.status != "SUCCEEDED"
    }
}

/// What is noted for the next start of the program.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Notes {
    runs: BTreeMap<String, Run>,
    /// Charged for runs that were given up.
    #[serde(default)]
    before_usd: f64,
}

impl Notes {
    fn spent(&self) -> f64 {
        self.before_usd + self.runs.values().map(|run| run.usd).sum::<f64>()
    }
}

/// One run to be made.
struct Wanted<'a> {
    stage: &'a str,
    actor: &'a str,
    input: Value,
    max_items: u64,
    budget_usd: f64,
}

fn fetch(visit: &mut Visit<'_, '_>) -> Result<(), Fault> {
    let Ok(options) = visit.source.options::<Options>() else { return Ok(()) };
    let account = Account::of(visit.order.secrets, &options.address)?;
    let capped = |n: u64| u64::try_from(visit.left()).unwrap_or(u64::MAX).min(n);
    let posts = Wanted {
        stage: "posts",
        actor: &options.actor,
        input: Value::Object(options.input.clone()),
        max_items: capped(options.max_items),
        budget_usd: options.budget_usd,
    };
    let most_replies = options.replies.as_ref().map_or(0, |replies| capped(replies.max_items));
    let found = make(visit, &account, &posts)?;
    let Some(replies) = &options.replies else { return Ok(()) };
    if found.is_empty() {
        return Ok(());
    }
    let mut input = replies.input.clone();
    let each = found.iter().map(|id| json!(replies.each.replace("{id}", id))).collect();
    input.insert(replies.field.clone(), Value::Array(each));
    let actor = replies.actor.as_deref().unwrap_or(&options.actor);
    let (input, max_items) = (Value::Object(input), most_replies);
    let wanted = Wanted { stage: "replies", actor, input, max_items, budget_usd: options.budget_usd };
    make(visit, &account, &wanted).map(|_| ())
}

/// Makes a run, or goes on with the one that was begun, and keeps what it gives. Returns the
/// conversations that it found.
fn make(
    visit: &mut Visit<'_, '_>,
    account: &Account,
    wanted: &Wanted<'_>,
) -> Result<BTreeSet<String>, Fault> {
    let mut run = begun(visit, account, wanted)?;
    let mut found = BTreeSet::new();
    loop {
        if !run.is_over() {
            account.watch(visit.polite, &mut run)?;
            note(visit, wanted.stage, &run)?;
        }
        // Asked before reading: what a run gave before its end was seen is read by then.
        let is_over = run.is_over();
        drain(visit, account, wanted, &mut run, &mut found)?;
        let spent = visit.shelf.notes::<Notes>().spent();
        if spent >= wanted.budget_usd && !is_over {
            account.abort(visit.polite, &mut run)?;
            note(visit, wanted.stage, &run)?;
            return Err(Fault::Budget { budget_usd: wanted.budget_usd, spent_usd: spent });
        }
        if is_over {
            break;
        }
    }
    settle(visit, account, wanted, run)?;
    Ok(found)
}

/// What a run cost in the end, and whether it ended well.
fn settle(
    visit: &mut Visit<'_, '_>,
    account: &Account,
    wanted: &Wanted<'_>,
    mut run: Run,
) -> Result<(), Fault> {
    let question = format!("settled {}", run.id);
    if visit.shelf.answered(&question).is_none() {
        visit.polite.rest(SETTLES)?;
        account.watch(visit.polite, &mut run)?;
        note(visit, wanted.stage, &run)?;
        visit.shelf.answer(&question, b"")?;
    }
    let spent_usd = visit.shelf.notes::<Notes>().spent();
    visit.order.witness.see(&penname_ledger::Event::note(format!(
        "{}: {} items, {:.2} of {:.2} USD charged so far",
        visit.source.id, run.offset, spent_usd, wanted.budget_usd
    )));
    match run.status.as_str() {
        "SUCCEEDED" => Ok(()),
        "ABORTED" if spent_usd >= wanted.budget_usd => {
            Err(Fault::Budget { budget_usd: wanted.budget_usd, spent_usd })
        }
        status => Err(Fault::Run { run: run.id.clone(), status: status.to_owned() }),
    }
}

/// The run that was begun, or a new one. One that failed is begun again only where that is asked.
fn begun(visit: &mut Visit<'_, '_>, account: &Account, wanted: &Wanted<'_>) -> Result<Run, Fault> {
    let mut notes: Notes = visit.shelf.notes();
    match notes.runs.get(wanted.stage) {
        Some(run) if run.has_failed() && visit.order.again => {
            notes.before_usd += run.usd;
            notes.runs.remove(wanted.stage);
            visit.shelf.note(&notes)?;
        }
        Some(run) if !run.id.is_empty() => return Ok(run.clone()),
        Some(run) => {
            // The answer to a start was lost: the run may be there all the same, and be charged.
            let started_at = run.started_at.clone();
            if let Some(run) = account.latest(visit.polite, wanted.actor, &started_at)? {
                note(visit, wanted.stage, &run)?;
                return Ok(run);
            }
        }
        None => {}
    }
    let left = wanted.budget_usd - visit.shelf.notes::<Notes>().spent();
    if left <= 0.0 {
        let (budget_usd, spent_usd) = (wanted.budget_usd, wanted.budget_usd - left);
        return Err(Fault::Budget { budget_usd, spent_usd });
    }
    let started_at = visit.polite.now().to_string();
    note(visit, wanted.stage, &Run { started_at, ..Run::default() })?;
    let run = account.start(visit.polite, wanted.actor, &wanted.input, wanted.max_items, left)?;
    note(visit, wanted.stage, &run)?;
    Ok(run)
}

fn note(visit: &mut Visit<'_, '_>, stage: &str, run: &Run) -> Result<(), Fault> {
    let mut notes: Notes = visit.shelf.notes();
    notes.runs.insert(stage.to_owned(), run.clone());
    visit.shelf.note(&notes)
}

/// Reads what there is of a run's items and keeps it, page by page.
fn drain(
    visit: &mut Visit<'_, '_>,
    account: &Account,
    wanted: &Wanted<'_>,
    run: &mut Run,
    found: &mut BTreeSet<String>,
) -> Result<(), Fault> {
    let mut offset = 0;
    loop {
        let question = format!("{} {offset}", run.id);
        let page = match visit.shelf.answered(&question).and_then(|kept| serde_json::from_slice(&kept).ok()) {
            Some(page) => page,
            None if offset >= wanted.max_items => break,
            None => match account.items(visit.polite, run, offset)? {
                Seen::Page(page) => page,
                Seen::Nothing { total } if run.is_over() && offset < total.min(wanted.max_items) => {
                    let host = account.host();
                    let found = format!("nothing after item {offset} of {total}");
                    return Err(Fault::Answer { host, found, expected: "the rest" });
                }
                Seen::Nothing { .. } => break,
            },
        };
        keep(visit, wanted.stage, run, &question, offset, &page)?;
        found.extend(tweet::conversations(&page.text, visit.order.settings.tweets));
        offset += page.count;
        if offset > run.offset {
            run.offset = offset;
            note(visit, wanted.stage, run)?;
        }
    }
    Ok(())
}

fn keep(
    visit: &mut Visit<'_, '_>,
    stage: &str,
    run: &Run,
    question: &str,
    offset: u64,
    page: &Page,
) -> Result<(), Fault> {
    if visit.shelf.answered(question).is_none() {
        visit.shelf.answer(question, json!(page).to_string().as_bytes())?;
    }
    let id = format!("{}/{offset}", run.id);
    if !visit.shelf.has(&id) {
        let now = visit.polite.now();
        let file = format!("{stage}-{}-{offset:07}.jsonl", run.id);
        visit.shelf.take(&[&id], &file, page.text.as_bytes(), now)?;
        visit.told("items");
    }
    Ok(())
}
