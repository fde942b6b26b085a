//! Front matter: the block between two `---` lines (YAML) or `+++` lines (TOML) that opens a post.
//!
//! Only a few fields are of interest. YAML that cannot be read is searched line by line for them,
//! and the post is kept either way.

use serde_json::Value;

use super::super::chars;
use crate::clean::lines;

/// What front matter says, and where the post begins.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Front {
    /// The byte at which the post begins.
    pub(super) body: usize,
    pub(super) title: Option<String>,
    pub(super) date: Option<String>,
    pub(super) author: Option<String>,
    pub(super) is_draft: bool,
    /// Characters of the readers' comments in it.
    pub(super) comment_chars: u64,
    /// The line and reason, when it cannot be read as it should.
    pub(super) broken: Option<(usize, String)>,
}

/// Where front matter stands.
#[derive(Debug, PartialEq)]
pub(super) struct Split<'a> {
    /// What is between its lines.
    pub(super) inner: &'a str,
    /// The byte at which the post begins.
    pub(super) body: usize,
    /// Whether both of its lines are there.
    pub(super) is_closed: bool,
}

/// Finds front matter. Without a closing line, the fields at the top are taken for it, up to the
/// first line that is none.
pub(super) fn split(text: &str) -> Split<'_> {
    let start = text.len() - text.trim_start().len();
    let fence = match &text[start..] {
        rest if rest.starts_with("---\n") => "---",
        rest if rest.starts_with("+++\n") => "+++",
        _ => return Split { inner: "", body: 0, is_closed: false },
    };
    let inner = start + fence.len() + 1;
    let closes = |line: &str| line.trim_end() == fence || (fence == "---" && line.trim_end() == "...");
    if let Some((at, line)) = lines(&text[inner..]).find(|(_, line)| closes(line)) {
        let body = (inner + at + line.len() + 1).min(text.len());
        return Split { inner: &text[inner..inner + at], body, is_closed: true };
    }
    let is_field = |line: &str| line.starts_with([' ', '-', '#']) || field(line).is_some();
    let end =
        lines(&text[inner..]).find(|(_, line)| !is_field(line)).map_or(text.len(), |(at, _)| inner + at);
    Split { inner: &text[inner..end], body: end, is_closed: false }
}

/// Reads the fields of interest.
pub(super) fn read(text: &str) -> Front {
    let found = split(text);
    let mut front = Front { body: found.body, comment_chars: comment_chars(found.inner), ..Front::default() };
    if found.body == 0 {
        return front;
    }
    let value = match serde_saphyr::from_str::<Value>(found.inner) {
        Ok(value @ (Value::Object(_) | Value::Null)) if found.is_closed => value,
        Ok(_) => by_line(found.inner),
        Err(error) => {
            let line = error.location().map_or(1, |at| at.line() as usize + 1);
            let is_toml = text.trim_start().starts_with("+++");
            front.broken =
                (!is_toml).then(|| (line, "front matter is not YAML; read line by line".to_owned()));
            by_line(found.inner)
        }
    };
    if !found.is_closed {
        front.broken = Some((1, "front matter has no closing line".to_owned()));
    }
    front.title = scalar(&value["title"]);
    front.date = scalar(&value["date"]);
    front.author = scalar(&value["author"]);
    front.is_draft = value["draft"] == Value::Bool(true) || value["published"] == Value::Bool(false);
    front
}

/// The fields of broken YAML, or of TOML, as far as they stand on one line.
fn by_line(inner: &str) -> Value {
    let fields = lines(inner).filter_map(|(_, line)| field(line));
    let value = |text: &str| match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        text => Value::String(text.trim_matches(['"', '\'']).to_owned()),
    };
    Value::Object(fields.map(|(name, text)| (name.to_owned(), value(text))).collect())
}

/// A line such as `title: Tea` or `title = "Tea"`.
fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once([':', '='])?;
    let name = name.trim_end();
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    is_name.then_some((name, value.trim()))
}

fn scalar(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// Characters of the `comments` field: from its line to the next one that is not indented.
fn comment_chars(inner: &str) -> u64 {
    let mut inside = false;
    let mut total = 0;
    for (_, line) in lines(inner) {
        if !line.starts_with([' ', '-', '\t']) && !line.is_empty() {
            inside = field(line).is_some_and(|(name, _)| name == "comments");
        }
        if inside {
            total += chars(line) + 1;
        }
    }
    total.min(chars(inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, body: &str, title: Option<&str>, broken: Option<usize>) {
        let front = read(text);
        assert_eq!(&text[front.body..], body);
        assert_eq!(front.title.as_deref(), title);
        assert_eq!(front.broken.map(|(line, _)| line), broken, "{text}");
    }

    #[test]
    fn front_matter_is_found_and_read() {
        check("---\ntitle: Tea\n---\nbody", "body", Some("Tea"), None);
        check("---\ntitle: 1984\n...\nbody", "body", Some("1984"), None);
        check("---\n---\nbody", "body", None, None);
        check("+++\ntitle = \"Tea\"\n+++\nbody", "body", Some("Tea"), None);
        check("body\n---\n", "body\n---\n", None, None);
    }

    #[test]
    fn broken_front_matter_keeps_the_post() {
        check("---\ntitle: a: b\n\tx: y\n---\nbody", "body", Some("a: b"), Some(2));
        check("---\ntitle: Tea\ntitle: Toast\n---\nbody", "body", Some("Toast"), Some(3));
        check("---\ntitle: Tea\n\nbody", "\nbody", Some("Tea"), Some(1));
        check("---\nDear diary\n", "Dear diary\n", None, Some(1));
    }

    #[test]
    fn comments_are_measured() {
        assert_eq!(comment_chars("a: 1\ncomments:\n  - b\n\n  c\nd: 2\n"), 21);
        assert_eq!(comment_chars("comments:\n- b"), 13);
    }
}
