//! The questions there are, for those who make examples of them.

use std::path::Path;

use penname_ledger::Hash;
use penname_token::message::Asked;
use serde::{Deserialize, Serialize};

use super::books::{Books, Standing};
use super::settings::Ask;
use crate::Error;
use crate::document::Document;

/// Characters of a passage by which a reader knows it again.
const BEGINS: usize = 60;

/// What was asked and answered so far.
#[derive(Debug, Clone, Default)]
pub struct Questions {
    books: Books,
}

/// The questions for one passage, and who wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) questions: Vec<String>,
    pub(crate) asked: Asked,
}

/// A passage without questions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// What was, or will be, asked.
    pub task: String,
    /// The file it comes from.
    pub path: String,
    /// Its document.
    pub document: String,
    /// Which of the document's passages it is, from 1.
    pub passage: usize,
    /// Why there are none.
    pub reason: String,
    /// What was said about it; may be empty.
    pub said: String,
    /// Its first words.
    pub begins: String,
}

impl Questions {
    /// Reads those of a folder; a folder without any has none.
    ///
    /// # Errors
    /// When the record is there and cannot be read.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        Ok(Self { books: Books::read(folder)? })
    }

    /// Lines of the record that could not be read.
    pub fn n_unreadable(&self) -> usize {
        self.books.n_unreadable
    }

    /// What was charged for all of it, and the part of it that may not have been.
    pub fn spent_usd(&self) -> (f64, f64) {
        self.books.spent_usd()
    }

    /// The hash of all answers, if there are any.
    pub(crate) fn digest(&self) -> Option<Hash> {
        let parts: Vec<&str> = self.books.answers().flat_map(|(task, text)| [task, text]).collect();
        (!parts.is_empty()).then(|| Hash::of_parts(parts.iter().map(|part| part.as_bytes())))
    }

    /// The questions for a passage of a document, or why there are none.
    pub(crate) fn find(
        &self,
        ask: &Ask,
        document: &Document,
        (passage, text): (usize, &str),
    ) -> Result<Found, Box<Missing>> {
        let task = ask.task(text);
        let (reason, said) = match self.books.standing(ask, text, &task) {
            Standing::Done(questions) => {
                let last = self.books.last(&task);
                let provider = last.map_or("", |response| response.provider.name()).to_owned();
                let model = ask.model().to_owned();
                return Ok(Found {
                    questions,
                    asked: Asked { provider, model, prompt: ask.prompt_hash(), task },
                });
            }
            Standing::Gone(reason) => (reason.name.to_owned(), reason.said),
            Standing::Open(_) => match self.books.trouble(&task) {
                Some(last) => ("no answer yet".to_owned(), last.said.clone()),
                None => ("not asked yet".to_owned(), String::new()),
            },
        };
        let (path, begins) = (document.path.clone(), text.chars().take(BEGINS).collect());
        let document = document.uid.clone();
        Err(Box::new(Missing { task, path, document, passage, reason, said, begins }))
    }
}
