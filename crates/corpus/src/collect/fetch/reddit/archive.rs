//! Archives of Reddit that answer without a key: Arctic Shift, and PullPush with its older shapes.
//!
//! They are kept by few people with little money and hold what was there at one moment: votes are
//! those of that moment, and what was taken away later may still be in it. Newest posts first, page
//! by page with a second of overlap, because many posts share one.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::address::encoded;
use super::super::polite::Ask;
use super::super::{Fault, Kind, Source, Visit};
use super::parsed;
use crate::rights::Rights;

pub(in super::super) const KIND: Kind = Kind {
    name: "reddit-archive",
    about: "an archive of Reddit without a key: Arctic Shift, or PullPush with `shape: pullpush`",
    needs: "`subreddit`, `user` or both",
    yields: "posts and comments",
    politely: "a question every 2 seconds, one at a time: archives are run by volunteers",
    otherwise: "the other archive may have it: `shape: pullpush` or `shape: arctic-shift`",
    every_seconds: 2.0,
    rights: Rights::PLATFORM,
    check: checked,
    fetch,
};

/// What the settings say of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    subreddit: Option<String>,
    /// The account whose posts are wanted.
    user: Option<String>,
    shape: Shape,
    /// Only posts from this moment on, in seconds since 1970 or as a date.
    after: Option<String>,
    address: Option<String>,
}

/// Whose archive it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Shape {
    #[default]
    ArcticShift,
    Pullpush,
}

fn checked(source: &Source) -> Result<(), String> {
    let options: Options = source.options()?;
    match (options.subreddit, options.user) {
        (None, None) => Err("it names neither `subreddit` nor `user`".to_owned()),
        _ => Ok(()),
    }
}

impl Options {
    fn base(&self) -> &str {
        let usual = match self.shape {
            Shape::ArcticShift => "https://arctic-shift.photon-reddit.com",
            Shape::Pullpush => "https://api.pullpush.io",
        };
        self.address.as_deref().unwrap_or(usual).trim_end_matches('/')
    }

    /// A page of posts older than a moment.
    fn posts(&self, before: Option<i64>) -> String {
        let mut query = match self.shape {
            Shape::ArcticShift => "/api/posts/search?sort=desc&limit=100".to_owned(),
            Shape::Pullpush => {
                "/reddit/search/submission/?sort=desc&sort_type=created_utc&size=100".to_owned()
            }
        };
        let fields = [("subreddit", &self.subreddit), ("author", &self.user), ("after", &self.after)];
        for (name, value) in fields {
            query += &value.as_ref().map_or_else(String::new, |value| format!("&{name}={}", encoded(value)));
        }
        query + &before.map_or_else(String::new, |before| format!("&before={before}"))
    }
}

fn fetch(visit: &mut Visit<'_, '_>) -> Result<(), Fault> {
    let options: Options = visit.source.options().unwrap_or_default();
    let (mut before, mut seen) = (None, BTreeSet::new());
    while visit.left() > 0 {
        let page = rows(&ask(visit, &options, &options.posts(before))?, options.base())?;
        let new: Vec<Value> = page.into_iter().filter(|post| seen.insert(post["id"].to_string())).collect();
        let oldest = new.iter().filter_map(|post| post["created_utc"].as_f64()).map(|at| at as i64).min();
        let Some(oldest) = oldest else { break };
        // A second of overlap: what was made in the same second may be on either page.
        before = Some(oldest.saturating_add(1));
        if new.iter().all(|post| visit.shelf.had(&name(post))) {
            break;
        }
        for post in new {
            take(visit, &options, post)?;
        }
    }
    Ok(())
}

fn name(post: &Value) -> String {
    format!("t3_{}", post["id"].as_str().unwrap_or_default())
}

fn take(visit: &mut Visit<'_, '_>, options: &Options, post: Value) -> Result<(), Fault> {
    let id = name(&post);
    if visit.left() == 0 || visit.shelf.has(&id) {
        return Ok(());
    }
    let comments = match options.shape {
        Shape::ArcticShift => {
            let tree = format!("/api/comments/tree?link_id={}&limit=9999", encoded(&id));
            rows(&ask(visit, options, &tree)?, options.base())?
        }
        Shape::Pullpush => listed(visit, options, &id)?,
    };
    let whole = json!([{"kind": "t3", "data": post}, comments]);
    let now = visit.polite.now();
    visit.shelf.take(&[&id], &format!("{id}.json"), whole.to_string().as_bytes(), now)?;
    visit.told("posts");
    Ok(())
}

/// The comments of a post where they come as a list in pages, oldest first.
fn listed(visit: &mut Visit<'_, '_>, options: &Options, id: &str) -> Result<Vec<Value>, Fault> {
    let (mut found, mut seen, mut after) = (Vec::new(), BTreeSet::new(), String::new());
    loop {
        let link = encoded(id.trim_start_matches("t3_"));
        let query =
            format!("/reddit/search/comment/?sort=asc&sort_type=created_utc&size=100&link_id={link}{after}");
        let page = rows(&ask(visit, options, &query)?, options.base())?;
        let new: Vec<Value> = page.into_iter().filter(|one| seen.insert(one["id"].to_string())).collect();
        let latest = new.iter().filter_map(|one| one["created_utc"].as_f64()).map(|at| at as i64).max();
        found.extend(new);
        match latest {
            Some(latest) => after = format!("&after={}", latest.saturating_sub(1)),
            None => return Ok(found),
        }
    }
}

fn ask(visit: &mut Visit<'_, '_>, options: &Options, path: &str) -> Result<Value, Fault> {
    let base = options.base();
    let Visit { polite, shelf, .. } = visit;
    let bytes = shelf.once(path, || {
        let answer = polite.send(&Ask::get(&format!("{base}{path}"))?)?;
        rows(&parsed(&answer.body, base)?, base)?;
        Ok(answer.body)
    })?;
    parsed(&bytes, base)
}

/// The rows of an answer; one that reports an error is none.
fn rows(answer: &Value, base: &str) -> Result<Vec<Value>, Fault> {
    if let Some(rows) = answer["data"].as_array() {
        return Ok(rows.clone());
    }
    let said = answer["error"].as_str().or_else(|| answer["message"].as_str());
    let found = said.map_or_else(|| "JSON of another shape".to_owned(), |said| format!("the error `{said}`"));
    Err(Fault::Answer { host: base.to_owned(), found, expected: "a list of rows" })
}
