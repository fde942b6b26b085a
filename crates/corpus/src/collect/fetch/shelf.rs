//! What a source gave, on disk: nothing is fetched twice, whatever happens in between.
//!
//! ```text
//! pages/       what readers read: a file for each post, thread, page or batch
//! answers/     every answer of the pass that is going on, by the question; gone when it ends
//! kept/        answers that may be asked for again only if they have changed
//! log.jsonl    what was taken, by its own name, so that the next pass takes only what is new
//! state.json   which pass it is, whether it ended, and what the source notes for itself
//! ```
//!
//! A *pass* asks a source once through. One that was interrupted is gone on with; one that ended is
//! not begun again unless that is asked for, or the source is set up differently.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use penname_ledger::{Hash, Journal, Timestamp, journal, write};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Fault;

/// Name of the folder that readers read.
pub(in super::super) const PAGES: &str = "pages";

/// Something that was taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Row {
    /// Its name at the source.
    id: String,
    /// The pass that took it.
    pass: u64,
    /// When.
    at: Timestamp,
    /// The file it is in.
    file: String,
}

/// Where a source stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct State {
    pass: u64,
    is_done: bool,
    /// How the source was set up.
    order: String,
    /// What the source notes for itself.
    #[serde(default)]
    notes: Value,
    /// Why it stopped before its end.
    #[serde(default)]
    fault: Option<String>,
}

/// Whether a source that is set up as `order` says was asked to its end.
pub(super) fn is_done(dir: &Path, order: &Value) -> bool {
    kept(dir).is_some_and(|state| state.is_done && state.order == digest(order))
}

fn kept(dir: &Path) -> Option<State> {
    serde_json::from_slice(&fs::read(dir.join("state.json")).ok()?).ok()
}

fn digest(order: &Value) -> String {
    Hash::of(order.to_string().as_bytes()).to_string()
}

/// Why the pass at `dir` stopped before its end, if it did.
pub(super) fn unfinished(dir: &Path) -> Option<String> {
    let state = kept(dir)?;
    let why = state.fault.unwrap_or_else(|| "it was interrupted".to_owned());
    (!state.is_done).then_some(why)
}

/// The shelf of one source.
pub(super) struct Shelf {
    dir: PathBuf,
    state: State,
    log: Journal,
    /// What was taken: the pass that took it first, and the file it is in.
    taken: BTreeMap<String, (u64, String)>,
    n_taken: usize,
    /// Taken in this pass before this start of the program.
    n_before: usize,
}

impl Shelf {
    /// Opens the shelf at `dir`, whose source is set up as `order` says.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(super) fn open(dir: &Path, order: &Value, again: bool) -> Result<Self, Fault> {
        write::folder(&dir.join(PAGES))?;
        write::folder(&dir.join("answers"))?;
        let order = digest(order);
        let log = Journal::open(&dir.join("log.jsonl"))?;
        let (rows, _torn) = journal::read_all::<Row>(&dir.join("log.jsonl"))?;
        let state = kept(dir).unwrap_or_default();
        let mut shelf = Self {
            dir: dir.to_owned(),
            log,
            n_taken: 0,
            n_before: rows.iter().filter(|row| row.pass == state.pass && !row.file.is_empty()).count(),
            taken: BTreeMap::new(),
            state,
        };
        for row in rows {
            shelf.taken.entry(row.id).or_insert((row.pass, row.file));
        }
        let is_other = shelf.state.order != order;
        if shelf.state.pass == 0 || (shelf.state.is_done && (again || is_other)) {
            shelf.begin(order)?;
        } else if is_other {
            shelf.state.order = order;
            shelf.keep_state()?;
        }
        Ok(shelf)
    }

    /// Begins the next pass.
    fn begin(&mut self, order: String) -> Result<(), Fault> {
        write::remove_folder(&self.dir.join("answers"))?;
        write::folder(&self.dir.join("answers"))?;
        self.n_before = 0;
        self.state = State { pass: self.state.pass + 1, is_done: false, order, ..State::default() };
        self.keep_state()
    }

    /// Whether there is nothing left to ask.
    pub(super) fn is_done(&self) -> bool {
        self.state.is_done
    }

    /// The number of the pass, from 1.
    pub(super) fn pass(&self) -> u64 {
        self.state.pass
    }

    /// How much this start of the program took.
    pub(super) fn n_taken(&self) -> usize {
        self.n_taken
    }

    /// How much this pass took.
    pub(super) fn n_in_pass(&self) -> usize {
        self.n_before + self.n_taken
    }

    /// Ends the pass; its answers are in the pages by now.
    pub(super) fn finish(&mut self) -> Result<(), Fault> {
        self.state.is_done = true;
        self.state.fault = None;
        self.keep_state()?;
        write::remove_folder(&self.dir.join("answers"))?;
        Ok(write::folder(&self.dir.join("answers"))?)
    }

    /// Notes why the pass stopped before its end.
    pub(super) fn stopped(&mut self, fault: &str) -> Result<(), Fault> {
        self.state.fault = Some(fault.to_owned());
        self.keep_state()
    }

    /// The answer to a question, which is asked only where this pass has not asked it yet.
    ///
    /// # Errors
    /// When asking fails, and then nothing is kept.
    pub(super) fn once(
        &self,
        question: &str,
        ask: impl FnOnce() -> Result<Vec<u8>, Fault>,
    ) -> Result<Vec<u8>, Fault> {
        if let Some(answer) = self.answered(question) {
            return Ok(answer);
        }
        let answer = ask()?;
        self.answer(question, &answer)?;
        Ok(answer)
    }

    /// What a question of this pass was answered.
    pub(super) fn answered(&self, question: &str) -> Option<Vec<u8>> {
        // A file under its own name is whole: it was renamed to it.
        fs::read(self.dir.join("answers").join(hex(question))).ok()
    }

    /// Keeps an answer for this pass.
    pub(super) fn answer(&self, question: &str, answer: &[u8]) -> Result<(), Fault> {
        Ok(write::bytes(&self.dir.join("answers").join(hex(question)), answer)?)
    }

    /// What is kept of an address beyond a pass, to ask whether it has changed.
    pub(super) fn kept<T: for<'a> Deserialize<'a>>(&self, question: &str) -> Option<T> {
        serde_json::from_slice(&fs::read(self.dir.join("kept").join(hex(question))).ok()?).ok()
    }

    /// Keeps it.
    pub(super) fn keep(&self, question: &str, kept: &impl Serialize) -> Result<(), Fault> {
        write::folder(&self.dir.join("kept"))?;
        Ok(write::json(&self.dir.join("kept").join(hex(question)), kept)?)
    }

    /// Whether something was taken before, in this pass or an earlier one.
    pub(super) fn has(&self, id: &str) -> bool {
        self.taken.contains_key(id)
    }

    /// Whether something was taken by an earlier pass.
    pub(super) fn had(&self, id: &str) -> bool {
        self.taken.get(id).is_some_and(|(pass, _)| *pass < self.state.pass)
    }

    /// The page in which something is that was taken.
    pub(super) fn page(&self, id: &str) -> Option<Vec<u8>> {
        let (_, file) = self.taken.get(id).filter(|(_, file)| !file.is_empty())?;
        fs::read(self.dir.join(PAGES).join(file)).ok()
    }

    /// Keeps a page and notes what is in it.
    pub(super) fn take(&mut self, ids: &[&str], file: &str, page: &[u8], at: Timestamp) -> Result<(), Fault> {
        let file = safe(file);
        write::bytes(&self.dir.join(PAGES).join(&file), page)?;
        for id in ids.iter().filter(|id| !self.taken.contains_key(**id)) {
            self.log.append(&Row { id: (*id).to_owned(), pass: self.state.pass, at, file: file.clone() })?;
        }
        self.log.sync()?;
        self.n_taken += ids.len();
        for id in ids {
            self.taken.entry((*id).to_owned()).or_insert((self.state.pass, file.clone()));
        }
        Ok(())
    }

    /// Notes that something was looked at and is not kept.
    pub(super) fn pass_over(&mut self, id: &str, at: Timestamp) -> Result<(), Fault> {
        if !self.has(id) {
            self.taken.insert(id.to_owned(), (self.state.pass, String::new()));
            self.log.append(&Row { id: id.to_owned(), pass: self.state.pass, at, file: String::new() })?;
        }
        Ok(())
    }

    /// What the source noted for itself.
    pub(super) fn notes<T: for<'a> Deserialize<'a> + Default>(&self) -> T {
        serde_json::from_value(self.state.notes.clone()).unwrap_or_default()
    }

    /// Notes something for the next start of the program.
    pub(super) fn note(&mut self, notes: &impl Serialize) -> Result<(), Fault> {
        self.state.notes = serde_json::json!(notes);
        self.keep_state()
    }

    fn keep_state(&self) -> Result<(), Fault> {
        Ok(write::json(&self.dir.join("state.json"), &self.state)?)
    }
}

/// A question as the name of a file.
pub(super) fn hex(question: &str) -> String {
    let mut name = Hash::of(question.as_bytes()).to_string();
    name.truncate(32);
    name
}

/// A name as the name of a file: everything odd goes, and what is long is cut and told apart.
fn safe(name: &str) -> String {
    const MAX_CHARS: usize = 100;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let kept: String = name.chars().map(|c| if plain(c) { c } else { '-' }).collect();
    if kept == name && name.len() <= MAX_CHARS && !name.starts_with('.') {
        return kept;
    }
    let (stem, extension) = kept.rsplit_once('.').unwrap_or((&kept, ""));
    let stem: String = stem.trim_matches(['.', '-']).chars().take(MAX_CHARS - 40).collect();
    let tail = if extension.is_empty() { String::new() } else { format!(".{extension}") };
    format!("{stem}-{}{tail}", &hex(name)[..8])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shelf(dir: &Path, again: bool) -> Shelf {
        Shelf::open(dir, &json!({"a": 1}), again).unwrap()
    }

    #[test]
    fn a_question_is_asked_once_in_a_pass() {
        let dir = tempfile::tempdir().unwrap();
        let mut asked = 0;
        let mut ask = |shelf: &Shelf| {
            shelf.once("q", || {
                asked += 1;
                Ok(asked.to_string().into_bytes())
            })
        };
        assert_eq!(ask(&shelf(dir.path(), false)).unwrap(), b"1");
        assert_eq!(ask(&shelf(dir.path(), true)).unwrap(), b"1", "the pass has not ended");
        shelf(dir.path(), false).finish().unwrap();
        assert!(shelf(dir.path(), false).is_done());
        let next = shelf(dir.path(), true);
        assert_eq!((next.pass(), next.is_done()), (2, false));
        assert_eq!(ask(&next).unwrap(), b"2");
        let failed = next.once("other", || Err(Fault::Interrupted));
        assert!(failed.is_err());
        assert_eq!(next.once("other", || Ok(b"x".to_vec())).unwrap(), b"x");
    }

    #[test]
    fn what_was_taken_is_known_and_a_new_order_begins_a_pass() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = shelf(dir.path(), false);
        first.take(&["t3_a"], "t3_a.json", b"{}", Timestamp::from_ms(0)).unwrap();
        first.note(&json!({"run": "r"})).unwrap();
        drop(first);
        let mut second = shelf(dir.path(), false);
        assert!(second.has("t3_a") && !second.has("t3_b"));
        assert_eq!(second.notes::<Value>(), json!({"run": "r"}));
        second.finish().unwrap();
        let other = Shelf::open(dir.path(), &json!({"a": 2}), false).unwrap();
        assert_eq!((other.pass(), other.is_done(), other.has("t3_a")), (2, false, true));
        assert_eq!(other.notes::<Value>(), Value::Null);
    }

    #[test]
    fn names_of_files_are_harmless_and_different() {
        assert_eq!(safe("t3_abc.json"), "t3_abc.json");
        assert_eq!(safe("../a/b.html"), "a-b-d3b54f97.html".replace("d3b54f97", &hex("../a/b.html")[..8]));
        assert_ne!(safe("a/b"), safe("a?b"));
        assert!(safe(&"é".repeat(400)).len() <= 100);
        assert!(!safe(".hidden").starts_with('.'));
    }
}
