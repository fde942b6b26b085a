//! Reddit as files: saved listings and threads (JSON as the service answers), and the owner's own data
//! export (`comments.csv`, `posts.csv`), which holds no words of others.

use serde_json::{Map, Value};

use super::super::json::records;
use super::super::table::{self, Table};
use super::super::{Claim, Format, Reading, Source, chars, claim, extension};
use super::{Gathered, Node, Pairs, Posts, read_alone};
use crate::document::Reception;
use crate::issue::{Code, Issue, Severity};
use crate::when;

/// Texts that stand where a text was taken away.
const GONE: &[&str] = &["[deleted]", "[removed]", "[ Removed by Reddit ]", "[removed by reddit]"];
/// Authors that are machines.
const MACHINES: &[&str] = &["AutoModerator", "reddit", "RemindMeBot", "sneakpeekbot"];

pub(in super::super) const FORMAT: Format = Format {
    name: "reddit",
    about: "saved listings and threads of Reddit as JSON, dumps of posts as JSON lines, and `comments.csv` and \
            `posts.csv` of the owner's data export",
    needs: "`corpus.voice` (`*` pairs each post with its best comment); nothing for a data export",
    yields: "posts and comments",
    plain: false,
    decodes_entities: true,
    claims,
    read,
};

/// Columns of the data export.
const COLUMNS: &[&str] = &["permalink", "subreddit", "body"];
/// Fields of an answer.
const ANSWER: &[&str] = &["\"kind\"", "\"data\""];
/// Fields of a dump.
const DUMP: &[&str] = &["\"subreddit\"", "\"author\""];
/// Words by which files of Reddit are known: all of a row.
pub(super) const FIELDS: &[&[&str]] = &[COLUMNS, ANSWER, DUMP];

fn claims(source: &Source<'_>) -> Option<Claim> {
    let head: String = source.text.chars().take(4096).collect();
    let has = |words: &[&str]| words.iter().all(|word| head.contains(word));
    let first = head.lines().next().unwrap_or_default();
    let is_table = COLUMNS.iter().all(|name| first.contains(name));
    let is_dump = has(DUMP) && (head.contains("\"selftext\"") || head.contains("\"link_id\""));
    match () {
        () if is_table && extension(source.path) == "csv" => {
            claim(110, "its columns are those of Reddit's data export")
        }
        () if has(ANSWER)
            && (head.contains("\"Listing\"") || head.contains("\"t1\"") || head.contains("\"t3\"")) =>
        {
            claim(110, "it is an answer of Reddit")
        }
        () if is_dump => claim(110, "its fields are those of Reddit"),
        () => None,
    }
}

fn read(source: &Source<'_>) -> Reading {
    read_alone(source, gathered)
}

/// The posts and comments of a file.
pub(super) fn gathered(source: &Source<'_>) -> Gathered {
    let mut reading = Reading::default();
    let n_chars = chars(source.text);
    if !source.text.trim_start().starts_with(['{', '[']) {
        let nodes = own(source, &mut reading);
        let held = nodes.iter().map(|node| chars(&node.text) + node.title.as_deref().map_or(0, chars)).sum();
        reading.tally.settle(table::MARKUP, n_chars, held);
        return Gathered { posts: Posts::Nodes(nodes, Pairs::Each), reading, n_chars };
    }
    let mut found = Found::default();
    for record in records(source.text) {
        match &record.value {
            Ok(value) => found.look(value),
            Err(why) => {
                reading.tally.drop("unreadable json", chars(&source.text[record.range.clone()]));
                let issue = Issue::new(source.path, Code::Json, Severity::Part, why.as_str());
                reading.issues.push(issue.at(record.line));
            }
        }
    }
    if found.n_more > 0 {
        let detail = format!("{} comments are only named in it (\"load more\"), not there", found.n_more);
        reading.issues.push(Issue::new(source.path, Code::More, Severity::Note, detail));
    }
    Gathered { posts: Posts::Nodes(found.nodes, Pairs::Best), reading, n_chars }
}

/// What was found in an answer.
#[derive(Default)]
struct Found {
    nodes: Vec<Node>,
    n_more: u64,
}

impl Found {
    /// Looks through an answer for things, however deep; without recursion, because replies nest.
    fn look(&mut self, value: &Value) {
        let mut open = vec![value];
        while let Some(value) = open.pop() {
            match value {
                Value::Array(list) => open.extend(list.iter().rev()),
                Value::Object(fields) => open.extend(self.fields(value, fields)),
                _ => {}
            }
        }
    }

    /// Takes what an object is, and says where to look on.
    fn fields<'a>(&mut self, value: &'a Value, fields: &'a Map<String, Value>) -> Vec<&'a Value> {
        let inner = match (fields.get("kind").and_then(Value::as_str), fields.get("data")) {
            (Some("t1" | "t3"), Some(data)) => {
                self.thing(data);
                data.as_object().unwrap_or(fields)
            }
            (Some("more"), Some(data)) => {
                self.n_more += data["count"].as_u64().unwrap_or(0);
                return Vec::new();
            }
            (None, _) if fields.contains_key("subreddit") && fields.contains_key("author") => {
                self.thing(value);
                fields
            }
            _ => fields,
        };
        inner.values().rev().filter(|value| value.is_object() || value.is_array()).collect()
    }

    fn thing(&mut self, data: &Value) {
        let text = |name: &str| data[name].as_str().unwrap_or_default();
        let is_post = data.get("title").is_some();
        let words = if is_post { text("selftext") } else { text("body") };
        let author = text("author");
        let aside = match () {
            () if GONE.contains(&words.trim()) => Some("texts that were taken away"),
            () if MACHINES.contains(&author) => Some("messages of machines"),
            // Whose words they were, nobody knows any more: others may answer them, no more.
            () if author == "[deleted]" || author.is_empty() => Some("texts without an author"),
            () => None,
        };
        let is_gone = aside == Some("texts that were taken away");
        self.nodes.push(Node {
            file: 0,
            id: format!("{}{}", if is_post { "t3_" } else { "t1_" }, text("id")),
            parent: data["parent_id"].as_str().map(str::to_owned),
            who: author.to_owned(),
            also: Vec::new(),
            is_own: false,
            at: data["created_utc"].as_f64().and_then(when::from_number),
            collected_at: None,
            title: is_post.then(|| text("title").to_owned()),
            text: if is_gone { String::new() } else { words.to_owned() },
            reception: Reception {
                score: data["score"].as_i64().or_else(|| data["ups"].as_i64()),
                replies: data["num_comments"].as_u64(),
                ..Reception::default()
            },
            account: data["author_fullname"].as_str().map(str::to_owned),
            thread: data["link_id"].as_str().map(str::to_owned),
            url: data["permalink"].as_str().map(|path| format!("https://www.reddit.com{path}")),
            aside,
        });
    }
}

/// The owner's export: all of it is the owner's. Comments stand without what they answer.
fn own(source: &Source<'_>, reading: &mut Reading) -> Vec<Node> {
    let table = Table::of(source.text);
    table::notes(source, &table, reading);
    let (body, title) = (table.column(&["body"]), table.column(&["title"]));
    let (id, date) = (table.column(&["id"]), table.column(&["date"]));
    let nodes = table.rows.iter().map(|(line, row)| {
        let field = |idx: Option<usize>| idx.and_then(|idx| row.get(idx)).cloned().unwrap_or_default();
        let text = field(body);
        let is_gone = GONE.contains(&text.trim());
        Node {
            id: match field(id) {
                id if id.is_empty() => format!("line {line}"),
                id => id,
            },
            is_own: true,
            at: when::parse(&field(date)),
            title: title.map(|idx| field(Some(idx))),
            text: if is_gone { String::new() } else { text },
            aside: is_gone.then_some("texts that were taken away"),
            ..Node::default()
        }
    });
    nodes.collect()
}
