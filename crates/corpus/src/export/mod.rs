//! A prepared corpus in the shapes that other programs and older projects read.
//!
//! ```text
//! Prepared ─shape→ train.jsonl, val.jsonl …
//! ```
//!
//! A shape is a file of this folder and a line in [`ALL`]. Most of them write a record for each example,
//! those that are trained into one file and those that are held out into another. Not every shape has a
//! place for everything: what one cannot hold without saying something else is left out, and counted under
//! its reason.
//!
//! Nothing is decided here: what is learned and what is held out was decided by [`crate::prepare()`].

mod answers;
mod record;
mod tweets;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Write;

use penname_ledger::event::Silent;
use penname_ledger::write::Staged;
use penname_token::{Example, Message};

use crate::collect::{Places, collect};
use crate::document::Document;
use crate::settings::Clean;
use crate::{Error, Prepared, Settings, clean};

/// Writes a conversation as one text, as the template of the voice has it; or says why it cannot.
pub type Render<'a> = &'a dyn Fn(&[Message]) -> Result<String, String>;

/// What a shape may draw on.
#[derive(Clone, Copy)]
pub struct Material<'a> {
    /// The corpus.
    pub prepared: &'a Prepared,
    /// Its documents before anything was cleaned, for shapes that hold both.
    pub raw: &'a [Document],
    /// When it was prepared: `2026-11-28T12:30:00Z`.
    pub prepared_at: &'a str,
    /// The template of the voice, for shapes that hold finished text.
    pub render: Option<Render<'a>>,
}

/// A shape data can take.
#[derive(Debug)]
pub struct Shape {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What a record looks like and who reads it, in one line.
    pub about: &'static str,
    form: Form,
}

impl Shape {
    /// Whether it holds finished text, and so needs [`Material::render`].
    pub fn needs_template(&self) -> bool {
        matches!(self.form, Form::Text)
    }

    /// Whether it needs [`Material::raw`].
    pub fn needs_raw(&self) -> bool {
        matches!(self.form, Form::Tweets)
    }
}

/// How a shape becomes files.
#[derive(Debug)]
enum Form {
    /// Records made of an example alone.
    Records(Records),
    /// A record for each example, of its text as the template of the voice has it.
    Text,
    /// A record for each document that is a reply to one post.
    Tweets,
}

/// A shape of one record after the other.
#[derive(Debug)]
struct Records {
    /// The end of its files' names.
    extension: &'static str,
    /// What stands before the first record.
    head: &'static str,
    /// What stands between two records.
    between: &'static str,
    /// What stands behind the last one.
    tail: &'static str,
    /// The records of an example, or why there are none.
    of: fn(&Example) -> Result<Vec<String>, String>,
}

/// Every shape, in the order in which they are shown.
pub const ALL: &[Shape] = &[
    record::MESSAGES,
    record::DIALOGUES,
    record::SHARE_GPT,
    record::ALPACA,
    record::COMPLETION,
    record::TEXT,
    answers::LONG,
    answers::SHORT,
    answers::TABLE,
    tweets::PAIRS,
];

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Records, by the name of their file.
    pub records: BTreeMap<String, u64>,
    /// What has no place in the shape, by reason.
    pub left_out: BTreeMap<String, u64>,
}

/// The shape of a name.
///
/// # Errors
/// When there is none; the error lists them.
pub fn find(name: &str) -> Result<&'static Shape, Error> {
    ALL.iter().find(|shape| shape.name == name).ok_or_else(|| {
        let names: Vec<&str> = ALL.iter().map(|shape| shape.name).collect();
        Error::UnknownName { setting: "--as", found: name.to_owned(), expected: names.join(", ") }
    })
}

/// Writes a corpus in a shape into a folder that is being made.
///
/// # Errors
/// When the file system refuses.
pub fn write(shape: &Shape, material: &Material<'_>, folder: &Staged) -> Result<Written, Error> {
    let mut written = Written::default();
    match &shape.form {
        Form::Records(records) => halves(material, folder, records, records.of, &mut written)?,
        Form::Text => {
            let of = |example: &Example| record::text(example, material.render);
            halves(material, folder, &LINES, of, &mut written)?;
        }
        Form::Tweets => tweets::write(material, folder, &mut written)?,
    }
    Ok(written)
}

/// What is trained into one file, what is held out into another.
fn halves(
    material: &Material<'_>,
    folder: &Staged,
    form: &Records,
    of: impl Fn(&Example) -> Result<Vec<String>, String>,
    written: &mut Written,
) -> Result<(), Error> {
    for (name, examples) in [("train", &material.prepared.train), ("val", &material.prepared.held_out)] {
        let name = format!("{name}.{}", form.extension);
        let all = examples.iter().flat_map(|example| match of(example) {
            Ok(records) => records.into_iter().map(Ok).collect(),
            Err(reason) => vec![Err(reason)],
        });
        file(folder, &name, form, all, written)?;
    }
    Ok(())
}

/// The documents as they are read, before anything is cleaned.
///
/// # Errors
/// As [`collect`].
pub fn raw<'a>(places: impl Into<Places<'a>>, settings: &Settings) -> Result<Vec<Document>, Error> {
    let mut settings = settings.clone();
    settings.clean = Clean {
        disable: clean::ALL.iter().map(|cleaner| cleaner.name.to_owned()).collect(),
        ..Clean::default()
    };
    Ok(collect(places, &settings, &Silent)?.documents)
}

/// Lines of JSON: what most shapes are.
const LINES: Records =
    Records { extension: "jsonl", head: "", between: "\n", tail: "\n", of: |_| Ok(Vec::new()) };

/// Writes records, and counts them.
fn file(
    folder: &Staged,
    name: &str,
    form: &Records,
    records: impl Iterator<Item = Result<String, String>>,
    written: &mut Written,
) -> Result<(), Error> {
    let mut file = folder.file(name)?;
    // A failed write is remembered by the file and told by `commit`.
    let mut put = |text: &str| {
        let _kept = file.write_all(text.as_bytes());
    };
    put(form.head);
    let mut n_records = 0;
    for record in records {
        match record {
            Ok(record) => {
                if n_records > 0 {
                    put(form.between);
                }
                put(&record);
                n_records += 1;
            }
            Err(reason) => *written.left_out.entry(reason).or_default() += 1,
        }
    }
    if n_records > 0 {
        put(form.tail);
    }
    file.commit()?;
    written.records.insert(name.to_owned(), n_records);
    Ok(())
}
