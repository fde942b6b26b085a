//! JSON without what is forgotten: whose object it is, and which of its words go.

use serde_json::{Map, Value};

use super::super::{Forgotten, What, key};
use penname_ledger::Hash;

/// Ends of the names of fields that say who wrote an object, without `_` and case.
const AUTHORS: &[&str] = &["author", "username", "screenname", "handle", "nickname", "displayname"];
/// The same, whole.
const WHOLE: &[&str] = &["who", "from", "sender", "user", "name", "speaker", "authorname", "creator"];
/// Fields that are an object's own id.
const IDS: &[&str] = &["id", "idstr", "restid", "name", "tweetid", "nativeid", "postid", "commentid"];
/// Fields with the number of its writer's account.
const ACCOUNTS: &[&str] = &["authorid", "userid", "useridstr", "authorfullname", "accountid"];
/// Fields that are an object's own address.
const URLS: &[&str] = &["url", "permalink", "twitterurl", "link", "guid"];
/// Objects inside an object that are its writer.
const PEOPLE: &[&str] =
    &["author", "user", "core", "userresults", "result", "legacy", "account", "from", "sender"];
/// Texts that hold an object together and are nobody's words.
const BONES: &[&str] = &[
    "id",
    "idstr",
    "restid",
    "tweetid",
    "parentid",
    "linkid",
    "kind",
    "type",
    "conversationid",
    "conversationidstr",
    "inreplytostatusid",
    "inreplytostatusidstr",
    "createdat",
    "created",
    "createdutc",
    "subreddit",
    "typename",
    "lang",
];
/// Objects and lists inside an object that are other people's.
const OTHERS: &[&str] = &[
    "replies",
    "children",
    "comments",
    "items",
    "data",
    "quotedstatus",
    "retweetedstatus",
    "quotedstatusresult",
    "retweetedstatusresult",
    "quotedtweet",
    "retweetedtweet",
    "inreplytotweet",
    "includes",
    "tweets",
    "posts",
    "messages",
    "entries",
    "instructions",
    "timeline",
];
/// Depth beyond which JSON is not gone into.
const MAX_DEPTH: usize = 200;

/// The text of JSON, or of lines of it, without what is forgotten, and the number of objects that lost
/// words. Nothing where it is no JSON.
pub(super) fn redacted(text: &str, forgotten: &Forgotten) -> Option<(String, usize)> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    if let Ok(mut value) = serde_json::from_str::<Value>(text) {
        let n = Redaction::of(&value, forgotten).run(&mut value);
        return Some((value.to_string(), n));
    }
    let (mut out, mut total) = (String::with_capacity(text.len()), 0);
    for line in text.split('\n') {
        if !line.trim().is_empty() {
            let mut value = serde_json::from_str::<Value>(line).ok()?;
            let n = Redaction::of(&value, forgotten).run(&mut value);
            total += n;
            out.push_str(&if n > 0 { value.to_string() } else { line.to_owned() });
        }
        out.push('\n');
    }
    out.pop();
    Some((out, total))
}

struct Redaction<'a> {
    forgotten: &'a Forgotten,
    /// Accounts that belong to a forgotten name, where names stand apart from what was written.
    accounts: Vec<Hash>,
    n: usize,
}

impl<'a> Redaction<'a> {
    fn of(value: &Value, forgotten: &'a Forgotten) -> Self {
        let mut redaction = Self { forgotten, accounts: Vec::new(), n: 0 };
        redaction.look_for_accounts(value, 0);
        redaction
    }

    fn look_for_accounts(&mut self, value: &Value, depth: usize) {
        match value {
            Value::Object(fields) if depth < MAX_DEPTH => {
                if self.is_by_name(fields) && !has_words(fields) {
                    let ids = fields.iter().filter(|(name, _)| IDS.contains(&plain(name).as_str()));
                    let keys: Vec<Hash> =
                        ids.filter_map(|(_, id)| Some(key(What::Id, &scalar(id)?))).collect();
                    self.accounts.extend(keys);
                }
                fields.values().for_each(|inner| self.look_for_accounts(inner, depth + 1));
            }
            Value::Array(list) if depth < MAX_DEPTH => {
                list.iter().for_each(|inner| self.look_for_accounts(inner, depth + 1));
            }
            _ => {}
        }
    }

    fn run(mut self, value: &mut Value) -> usize {
        self.walk(value, 0);
        self.n
    }

    fn walk(&mut self, value: &mut Value, depth: usize) {
        if depth >= MAX_DEPTH {
            return;
        }
        match value {
            Value::Object(fields) if self.is_theirs(fields, depth) => {
                self.n += 1;
                for (name, inner) in fields.iter_mut() {
                    let name = plain(name);
                    match inner {
                        Value::String(text) if !BONES.contains(&name.as_str()) => text.clear(),
                        Value::Object(_) | Value::Array(_) if OTHERS.contains(&name.as_str()) => {
                            self.walk(inner, depth + 1);
                        }
                        Value::Object(person) => person.clear(),
                        Value::Array(list) => list.clear(),
                        Value::Number(_) if ACCOUNTS.contains(&name.as_str()) => *inner = Value::Null,
                        _ => {}
                    }
                }
            }
            Value::Object(fields) => fields.values_mut().for_each(|inner| self.walk(inner, depth + 1)),
            Value::Array(list) => list.iter_mut().for_each(|inner| self.walk(inner, depth + 1)),
            Value::String(text) if self.forgotten.fits_text(&super::plain(text)).is_some() => {
                self.n += 1;
                text.clear();
            }
            _ => {}
        }
    }

    /// Whether an object is forgotten: who wrote it, its id, its address.
    fn is_theirs(&self, fields: &Map<String, Value>, depth: usize) -> bool {
        let is = |names: &[&str], what: What| {
            let of = fields.iter().filter(|(name, _)| names.contains(&plain(name).as_str()));
            of.filter_map(|(_, value)| scalar(value)).any(|value| self.forgotten.has(what, &value))
        };
        let is_account = |(name, value): (&String, &Value)| {
            ACCOUNTS.contains(&plain(name).as_str())
                && scalar(value).is_some_and(|id| self.accounts.contains(&key(What::Id, &id)))
        };
        self.is_by_name(fields)
            || is(IDS, What::Id)
            || is(ACCOUNTS, What::Id)
            || is(URLS, What::Url)
            || fields.iter().any(is_account)
            || fields.iter().any(|(name, inner)| self.is_their_person(name, inner, depth + 1))
    }

    /// Whether what stands in an object is its writer, and forgotten.
    fn is_their_person(&self, name: &str, value: &Value, depth: usize) -> bool {
        let Value::Object(fields) = value else { return false };
        depth < MAX_DEPTH && PEOPLE.contains(&plain(name).as_str()) && self.is_theirs(fields, depth)
    }

    fn is_by_name(&self, fields: &Map<String, Value>) -> bool {
        fields.iter().any(|(name, value)| {
            let (name, text) = (plain(name), value.as_str().unwrap_or_default());
            let says_who = WHOLE.contains(&name.as_str()) || AUTHORS.iter().any(|end| name.ends_with(end));
            says_who && !text.is_empty() && self.forgotten.has_author(text)
        })
    }
}

/// Whether an object says something, rather than being somebody.
fn has_words(fields: &Map<String, Value>) -> bool {
    const WORDS: &[&str] = &["text", "fulltext", "body", "selftext", "rawcontent", "content", "message"];
    fields.keys().any(|name| WORDS.contains(&plain(name).as_str()))
}

/// The name of a field without case and `_`.
fn plain(name: &str) -> String {
    name.chars().filter(|c| *c != '_' && *c != '-').flat_map(char::to_lowercase).collect()
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
