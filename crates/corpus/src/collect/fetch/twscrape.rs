//! twscrape: the user's own installation, with the user's own accounts, as a program that is run.
//!
//! It changes every few weeks, because the service it reads does. What is asked of it here is little
//! and stays: `search` with a query and a limit, one tweet in JSON a line. Its accounts, their limits
//! and its waits are its own business; it may be silent for as long as the settings let a host be.
//! Replies are found by a search for the conversation.

mod child;

use serde::Deserialize;

use super::{Fault, Kind, Source, Visit};
use crate::collect::files::post::tweet;
use crate::rights::Rights;

pub(super) const KIND: Kind = Kind {
    name: "twscrape",
    about: "tweets and their replies through the twscrape that you have installed, with your accounts in it",
    needs: "`twscrape` on the path or `program`; `queries`",
    yields: "tweets",
    politely: "one search at a time; twscrape keeps to the limits of its accounts",
    otherwise: "`twscrape accounts` shows which accounts may ask; tweets saved by other programs can be put into `writing`",
    every_seconds: 0.0,
    rights: Rights::PLATFORM,
    check: checked,
    fetch,
};

/// What the settings say of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    queries: Vec<String>,
    /// Tweets of one query.
    #[serde(default = "tweets")]
    tweets: usize,
    /// Replies of one tweet; none asks for none.
    #[serde(default = "replies")]
    replies: usize,
    #[serde(default = "program")]
    program: String,
    /// Its file of accounts.
    #[serde(default)]
    database: Option<String>,
}

fn tweets() -> usize {
    100
}

fn replies() -> usize {
    50
}

fn program() -> String {
    "twscrape".to_owned()
}

fn checked(source: &Source) -> Result<(), String> {
    let options: Options = source.options()?;
    if options.queries.is_empty() { Err("`queries` is empty".to_owned()) } else { Ok(()) }
}

fn fetch(visit: &mut Visit<'_, '_>) -> Result<(), Fault> {
    let Ok(options) = visit.source.options::<Options>() else { return Ok(()) };
    let mut conversations = Vec::new();
    for query in &options.queries {
        let most = options.tweets.min(visit.left());
        if most == 0 {
            break;
        }
        let text = search(visit, &options, query, most, "search")?;
        for id in tweet::conversations(&text, visit.order.settings.tweets) {
            if !conversations.contains(&id) {
                conversations.push(id);
            }
        }
    }
    for id in conversations.iter().filter(|_| options.replies > 0) {
        if visit.shelf.has(&format!("replies:{id}")) {
            continue;
        }
        search(visit, &options, &format!("conversation_id:{id}"), options.replies, "replies")?;
        let now = visit.polite.now();
        visit.shelf.pass_over(&format!("replies:{id}"), now)?;
    }
    Ok(())
}

/// What a search gives, kept. What it gave before it failed is kept too, and asked for again.
fn search(
    visit: &mut Visit<'_, '_>,
    options: &Options,
    query: &str,
    most: usize,
    stage: &str,
) -> Result<String, Fault> {
    let question = format!("{stage} {most} {query}");
    let file = format!("{stage}-{}-{query}.jsonl", visit.shelf.pass());
    let (text, fault) = match visit.shelf.answered(&question) {
        Some(kept) => (String::from_utf8_lossy(&kept).into_owned(), None),
        None => {
            let child = child::Child {
                program: &options.program,
                database: options.database.as_deref(),
                query,
                most,
                silent_minutes: visit.order.settings.network.max_wait_minutes,
            };
            child.run(|| visit.polite.is_stopped())
        }
    };
    match fault {
        None => visit.shelf.answer(&question, text.as_bytes())?,
        Some(fault) if text.is_empty() => return Err(fault),
        Some(_) => {}
    }
    let ids = tweet::names(&text);
    let new: Vec<&str> = ids.iter().map(String::as_str).filter(|id| !visit.shelf.has(id)).collect();
    let now = visit.polite.now();
    visit.shelf.take(&new, &file, text.as_bytes(), now)?;
    visit.told("tweets");
    fault.map_or(Ok(text), Err)
}
