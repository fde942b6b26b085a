//! A review in progress, and what may be decided.

use std::path::Path;

use penname_ledger::journal::Journal;
use penname_ledger::{Lock, clock};
use penname_token::{Example, Message, Role};

use super::{Decision, FILE, FLAGS, Review, Verdict};
use crate::Error;

/// A review that goes on: what counts, and the record it is added to.
#[derive(Debug)]
pub struct Desk {
    review: Review,
    journal: Journal,
    reviewer: Option<String>,
    /// Nobody else adds to the record as long as this is held.
    _lock: Lock,
}

impl Desk {
    /// Opens the record of a folder, which is made if there is none. It is this desk's alone until it is
    /// dropped; reading it is free.
    ///
    /// # Errors
    /// When another desk has it, or the file system refuses.
    pub fn open(folder: &Path, reviewer: Option<String>) -> Result<Self, Error> {
        penname_ledger::write::folder(folder)?;
        let lock = Lock::acquire(folder)?;
        let journal = Journal::open(&folder.join(FILE))?;
        let reviewer = reviewer.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        Ok(Self { review: Review::read(folder)?, journal, reviewer, _lock: lock })
    }

    /// Who decides, where that was said.
    pub fn reviewer(&self) -> Option<&str> {
        self.reviewer.as_deref()
    }

    /// What counts.
    pub fn review(&self) -> &Review {
        &self.review
    }

    /// Decides about the example at `place` of its document. The line is on disk when this returns.
    ///
    /// # Errors
    /// When a change leaves nothing to learn, or other turns than there were, or names a flag that there
    /// is none of; when the file system refuses.
    pub fn decide(
        &mut self,
        example: &Example,
        place: usize,
        verdict: Verdict,
        flags: Vec<String>,
    ) -> Result<(), Error> {
        if let Verdict::Edit { messages } = &verdict {
            check(example, messages)?;
        }
        if let Some(unknown) = flags.iter().find(|flag| FLAGS.iter().all(|known| known.name != *flag)) {
            let known: Vec<&str> = FLAGS.iter().map(|flag| flag.name).collect();
            return Err(Error::Review {
                what: format!("`{unknown}` is no flag, expected {}", known.join(", ")),
            });
        }
        self.add(Decision {
            example: example.id.clone(),
            document: example.document.clone(),
            place,
            verdict,
            flags,
            reviewer: self.reviewer.clone(),
            at: clock::now(),
        })
    }

    /// Takes the reviewer's latest decision back and says which it was.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn undo(&mut self) -> Result<Option<Decision>, Error> {
        let Some(latest) = self.review.latest_of(self.reviewer()).cloned() else { return Ok(None) };
        // The line names whose decision it undoes, which is another's only where nobody has a name.
        let (flags, at) = (Vec::new(), clock::now());
        self.add(Decision { verdict: Verdict::Undo, flags, at, ..latest.clone() })?;
        Ok(Some(latest))
    }

    fn add(&mut self, decision: Decision) -> Result<(), Error> {
        self.journal.append(&decision)?;
        self.journal.sync()?;
        self.review.take(decision);
        Ok(())
    }
}

/// Changed turns have the roles they had, and something of the voice is left in them.
fn check(example: &Example, messages: &[Message]) -> Result<(), Error> {
    let roles = |messages: &[Message]| messages.iter().map(|message| message.role).collect::<Vec<Role>>();
    let wrong = |what: String| Err(Error::Review { what });
    if roles(messages) != roles(&example.messages) {
        return wrong(format!(
            "the change has {} turns in other roles than the {} there were",
            messages.len(),
            example.messages.len()
        ));
    }
    let is_trained = |(new, old): (&Message, &Message)| new.is_trained() == old.is_trained();
    if !messages.iter().zip(&example.messages).all(is_trained) {
        return wrong("the change makes other turns the voice's".to_owned());
    }
    if messages.iter().any(|message| message.content.trim().is_empty()) {
        return wrong("the change leaves a turn empty: drop the example instead".to_owned());
    }
    Ok(())
}
