//! Reddit: posts of a subreddit with their comments, or what one account wrote with what it answers.
//!
//! Three ways lead there. With a key of one's own, the service's interface is asked as it wishes to
//! be. Without one, its pages have a form for programs, which it has refused to nearly everybody
//! since May 2026; that refusal is taken at the first word. An [`archive`] holds copies.
//!
//! The limits of the interface are the reader's to know: a listing ends after about a thousand posts,
//! and only the owner's data export (a file) holds all that an account wrote.

pub(super) mod archive;
mod login;
mod thread;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use self::login::Login;
use super::address::encoded;
use super::polite::Ask;
use super::{Fault, Kind, Source, Visit};
use crate::rights::Rights;

/// Posts of one page of a listing.
const PAGE: usize = 100;

const OTHERWISE: &str = "other ways: your own data export as files, `kind: reddit` with a key you already have, \
                         `kind: reddit-archive`";

pub(super) const WITH_KEY: Kind = Kind {
    name: "reddit",
    about: "Reddit with a key of your own: a subreddit's posts with their comments, or an account's words with what they answer",
    needs: "`REDDIT_CLIENT_ID`, and as the application needs `REDDIT_CLIENT_SECRET`, `REDDIT_REFRESH_TOKEN` or \
            `REDDIT_USERNAME` and `REDDIT_PASSWORD`; `subreddit` or `user`",
    yields: "posts and comments",
    politely: "a question a second at most, slower as the service's headers ask, one at a time",
    otherwise: OTHERWISE,
    every_seconds: 1.0,
    rights: Rights::PLATFORM,
    check: checked,
    fetch: |visit| fetch(visit, true),
};

pub(super) const WITHOUT_KEY: Kind = Kind {
    name: "reddit-public",
    about: "Reddit's pages as JSON, without a key; refused to most since May 2026",
    needs: "`subreddit` or `user`",
    yields: "posts and comments",
    politely: "a question every 6 seconds; a refusal ends it at once",
    otherwise: OTHERWISE,
    every_seconds: 6.0,
    rights: Rights::PLATFORM,
    check: checked,
    fetch: |visit| fetch(visit, false),
};

/// What the settings say of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Options {
    subreddit: Option<String>,
    user: Option<String>,
    sort: Sort,
    time: Option<String>,
    comments: bool,
    /// Questions spent on comments that a thread only names.
    more: usize,
    address: Option<String>,
    login: String,
}

/// The order of a listing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sort {
    #[default]
    New,
    Top,
    Hot,
    Rising,
}

impl Sort {
    fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Top => "top",
            Self::Hot => "hot",
            Self::Rising => "rising",
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            subreddit: None,
            user: None,
            sort: Sort::New,
            time: None,
            comments: true,
            more: 32,
            address: None,
            login: "https://www.reddit.com".to_owned(),
        }
    }
}

fn checked(source: &Source) -> Result<(), String> {
    let options: Options = source.options()?;
    match (options.subreddit, options.user) {
        (None, None) => Err("it names neither `subreddit` nor `user`".to_owned()),
        (Some(_), Some(_)) => Err("it names both `subreddit` and `user`; make two sources of it".to_owned()),
        _ => Ok(()),
    }
}

/// A way into the service.
struct Door {
    base: String,
    /// What stands at the end of a path.
    ending: &'static str,
    login: Option<Login>,
}

impl Door {
    fn of(visit: &Visit<'_, '_>, options: &Options, has_key: bool) -> Result<Self, Fault> {
        let usual = if has_key { "https://oauth.reddit.com" } else { "https://www.reddit.com" };
        let base = options.address.as_deref().unwrap_or(usual).trim_end_matches('/').to_owned();
        let login = match has_key {
            true => Some(Login::of(visit.order.secrets, &options.login)?),
            false => None,
        };
        Ok(Self { base, ending: if has_key { "" } else { ".json" }, login })
    }

    /// The answer to a question of this pass, as JSON.
    fn get(&mut self, visit: &mut Visit<'_, '_>, path: &str, query: &str) -> Result<Value, Fault> {
        let question = format!("{path}?{query}");
        let address = format!("{}{path}{}?raw_json=1&{query}", self.base, self.ending);
        let Visit { polite, shelf, .. } = visit;
        let bytes = shelf.once(&question, || {
            let mut ask = Ask::get(&address)?;
            let answer = match &mut self.login {
                None => polite.send(&ask)?,
                Some(login) => {
                    ask = ask.opened_by(login.key(polite)?);
                    match polite.send(&ask) {
                        // A key may be taken back before its time: one new one, then no more.
                        Err(Fault::Unauthorized { .. }) => {
                            login.forget();
                            let key = login.key(polite)?;
                            polite.send(&ask.opened_by(key))?
                        }
                        other => other?,
                    }
                }
            };
            parsed(&answer.body, &self.base)?;
            Ok(answer.body)
        })?;
        parsed(&bytes, &self.base)
    }
}

fn parsed(bytes: &[u8], base: &str) -> Result<Value, Fault> {
    serde_json::from_slice(bytes).map_err(|_| {
        let found = match bytes.trim_ascii_start().first() {
            Some(b'<') => "a page for people".to_owned(),
            None => "nothing".to_owned(),
            Some(_) => "something that is no JSON".to_owned(),
        };
        Fault::Answer { host: base.to_owned(), found, expected: "JSON" }
    })
}

fn fetch(visit: &mut Visit<'_, '_>, has_key: bool) -> Result<(), Fault> {
    let options: Options = visit.source.options().unwrap_or_default();
    let mut door = Door::of(visit, &options, has_key)?;
    match (&options.subreddit, &options.user) {
        (Some(subreddit), _) => {
            let subreddit = encoded(subreddit.trim_start_matches("r/").trim_start_matches("/r/"));
            let time = options.time.as_deref().unwrap_or("all");
            let path = format!("/r/{subreddit}/{}", options.sort.name());
            posts(visit, &mut door, &options, &path, &format!("t={}", encoded(time)))
        }
        (None, Some(user)) => {
            let user = encoded(user.trim_start_matches("u/").trim_start_matches("/u/"));
            posts(visit, &mut door, &options, &format!("/user/{user}/submitted"), "")?;
            said(visit, &mut door, &format!("/user/{user}/comments"))
        }
        (None, None) => Ok(()),
    }
}

/// Takes the posts of a listing, with their comments.
fn posts(
    visit: &mut Visit<'_, '_>,
    door: &mut Door,
    options: &Options,
    path: &str,
    query: &str,
) -> Result<(), Fault> {
    let mut listing = Listing::new(path, query);
    while visit.left() > 0
        && let Some(page) = listing.next(visit, door)?
    {
        let is_old = |post: &Value| visit.shelf.had(&name(post));
        // Newest first: a page of what an earlier pass took has nothing new behind it.
        if options.sort == Sort::New && !page.is_empty() && page.iter().all(is_old) {
            break;
        }
        for post in page {
            let id = name(&post);
            if visit.left() == 0 || visit.shelf.has(&id) {
                continue;
            }
            let whole = match options.comments {
                true => thread::whole(visit, door, &id, options.more)?,
                false => post,
            };
            let now = visit.polite.now();
            visit.shelf.take(&[&id], &format!("{id}.json"), whole.to_string().as_bytes(), now)?;
            visit.told("posts");
        }
    }
    Ok(())
}

/// Takes the comments of an account with what they answer, a file for each thread.
fn said(visit: &mut Visit<'_, '_>, door: &mut Door, path: &str) -> Result<(), Fault> {
    let mut threads: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut n_found = 0;
    let mut listing = Listing::new(path, "");
    while n_found < visit.left()
        && let Some(page) = listing.next(visit, door)?
    {
        for comment in page.iter().filter(|comment| !visit.shelf.has(&name(comment))) {
            let thread = comment["data"]["link_id"].as_str().unwrap_or_default().to_owned();
            if n_found < visit.left() && !thread.is_empty() {
                n_found += 1;
                threads.entry(thread).or_default().push(name(comment));
            }
        }
    }
    for (post, comments) in threads {
        let whole = thread::around(visit, door, &post, &comments)?;
        let ids: Vec<&str> = comments.iter().map(String::as_str).collect();
        let file = format!("{post}-{}.json", visit.shelf.pass());
        let now = visit.polite.now();
        visit.shelf.take(&ids, &file, whole.to_string().as_bytes(), now)?;
        visit.told("comments");
    }
    Ok(())
}

/// The name of a thing with its kind: `t3_abc`.
fn name(thing: &Value) -> String {
    let data = &thing["data"];
    let whole = data["name"].as_str().map(str::to_owned);
    let kind = thing["kind"].as_str().unwrap_or("t3");
    whole.unwrap_or_else(|| format!("{kind}_{}", data["id"].as_str().unwrap_or_default()))
}

/// A listing, page by page.
struct Listing {
    path: String,
    query: String,
    after: Option<String>,
    is_over: bool,
    cursors: BTreeSet<String>,
    seen: BTreeSet<String>,
}

impl Listing {
    fn new(path: &str, query: &str) -> Self {
        let (path, query) = (path.to_owned(), query.to_owned());
        let (cursors, seen) = (BTreeSet::new(), BTreeSet::new());
        Self { path, query, after: None, is_over: false, cursors, seen }
    }

    /// What the next page holds that earlier ones did not. A cursor that comes twice, and a page of
    /// nothing but what was there, end a listing: some servers give the same page for ever.
    fn next(&mut self, visit: &mut Visit<'_, '_>, door: &mut Door) -> Result<Option<Vec<Value>>, Fault> {
        if self.is_over {
            return Ok(None);
        }
        let after =
            self.after.as_ref().map_or_else(String::new, |after| format!("&after={}", encoded(after)));
        let page = door.get(visit, &self.path, &format!("limit={PAGE}&{}{after}", self.query))?;
        let Some(children) = page["data"]["children"].as_array() else {
            let (host, found) = (door.base.clone(), "JSON of another shape".to_owned());
            return Err(Fault::Answer { host, found, expected: "a listing" });
        };
        let new: Vec<Value> =
            children.iter().filter(|thing| self.seen.insert(name(thing))).cloned().collect();
        self.after = page["data"]["after"].as_str().map(str::to_owned);
        let is_stalled = self.after.clone().is_none_or(|after| !self.cursors.insert(after));
        self.is_over = is_stalled || new.is_empty();
        Ok(Some(new))
    }
}
