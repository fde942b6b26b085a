//! A model with a cache of what it has read, cut into slots: one sequence each.
//!
//! A [`Decoder`] runs rows and nothing else. What to run, when to stop and which id to choose is
//! decided in [`crate::decode`]. It remembers which ids each slot holds, so a chat that goes on is
//! not read again from the start.
//!
//! # Determinism
//! A row's logits do not depend on the other rows of its run, to the last bit. But attention of a
//! few rows of one sequence goes through another kernel than that of many, so a sequence cut into
//! other runs may be rounded in another order: with f32 products logits then agree to about 1e-4,
//! with bf16 to about 0.2, which can turn a choice between two ids that are that close.
//! [`crate::batch`] cuts every prompt alike.

use crate::error::{Error, Result};
use crate::model::Model;
use penname_engine::program::Step;
use penname_engine::{Device, DeviceError, Extent, Section, Session};
use penname_model::{Network, Purpose};

/// How much a decoder holds and reads at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Sequences in the cache at one time.
    pub slots: usize,
    /// Tokens of each, prompt and answer together.
    pub context: usize,
    /// The most rows in one run: 256 are enough for products at full speed. At least `slots`.
    pub chunk: usize,
}

/// Ids to be added to a slot.
#[derive(Debug, Clone, Copy)]
pub struct Feed<'a> {
    /// The slot.
    pub slot: usize,
    /// What comes after the ids it holds; at least one.
    pub ids: &'a [u32],
}

/// Logits after the last id of each feed.
#[derive(Debug, Clone, PartialEq)]
pub struct Logits {
    values: Vec<f32>,
    vocabulary: usize,
}

impl Logits {
    /// The logits of one feed, (V).
    pub fn row(&self, feed_idx: usize) -> &[f32] {
        &self.values[feed_idx * self.vocabulary..][..self.vocabulary]
    }
}

/// A planned program, its cache, and what lies in it.
#[derive(Debug)]
pub struct Decoder {
    network: Network,
    session: Session,
    room: Room,
    vocabulary: usize,
    held: Vec<Vec<u32>>,
}

impl Decoder {
    /// Plans the program and gives it memory; the weights are shared.
    ///
    /// # Errors
    /// When the room makes no sense for this model or memory runs out.
    pub fn new(model: &Model<'_>, room: Room, device: &mut dyn Device) -> Result<Self> {
        room.check(model.config.context)?;
        let capacity = Extent { tokens: room.chunk, picked: room.slots };
        let purpose = Purpose::Generate { cache_rows: room.slots * room.context };
        let network = model.network(capacity, purpose)?;
        let session = model.parameters.session(network.program.clone(), device)?;
        let held = vec![Vec::new(); room.slots];
        Ok(Self { network, session, room, vocabulary: model.config.vocab_size, held })
    }

    /// How much it holds and reads at a time.
    pub fn room(&self) -> Room {
        self.room
    }

    /// V: how many token ids there are.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// The planned program: its memory, and which operations fell back to the reference.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The ids whose keys and values a slot holds.
    pub fn held(&self, slot: usize) -> &[u32] {
        self.held.get(slot).map_or(&[], Vec::as_slice)
    }

    /// Makes a slot ready for `ids`: keeps the longest common prefix, forgets what comes after it,
    /// and returns how many ids need not be fed again. The last id always must, for its logits.
    pub fn keep(&mut self, slot: usize, ids: &[u32]) -> usize {
        self.cut(slot, self.shared(slot, ids))
    }

    /// Forgets all but the first `n` ids of a slot; returns how many are left.
    pub(crate) fn cut(&mut self, slot: usize, n: usize) -> usize {
        let Some(held) = self.held.get_mut(slot) else { return 0 };
        held.truncate(n);
        held.len()
    }

    /// How many of `ids` a slot already holds, the last one never counted.
    pub(crate) fn shared(&self, slot: usize, ids: &[u32]) -> usize {
        let same = self.held(slot).iter().zip(ids).take_while(|(a, b)| a == b).count();
        same.min(ids.len().saturating_sub(1))
    }

    /// Reads `feeds` in one run.
    ///
    /// # Errors
    /// When they have more rows than a chunk, a slot is unknown, fed twice or too full, nothing is
    /// fed, or an id is outside the vocabulary. The slots then hold what they held before.
    pub fn run(&mut self, device: &mut dyn Device, feeds: &[Feed<'_>]) -> Result<Logits> {
        self.run_watched(device, feeds, &mut |_| {})
    }

    /// As [`Decoder::run`], and calls `after` when an operation is done.
    ///
    /// # Errors
    /// As [`Decoder::run`].
    pub fn run_watched(
        &mut self,
        device: &mut dyn Device,
        feeds: &[Feed<'_>],
        after: &mut dyn FnMut(&Step),
    ) -> Result<Logits> {
        self.check(feeds)?;
        let rows = self.rows(feeds);
        let extent = Extent { tokens: rows.tokens.len(), picked: rows.picked.len() };
        let inputs = self.network.inputs;
        self.session.write_ids(device, inputs.tokens, extent, &rows.tokens);
        self.session.write_ids(device, inputs.positions, extent, &rows.positions);
        let optional =
            [(inputs.first, &rows.first), (inputs.at, &rows.at), (Some(inputs.picked), &rows.picked)];
        for (input, ids) in optional {
            input.into_iter().for_each(|input| self.session.write_ids(device, input, extent, ids));
        }
        self.session.run_watched(device, Section::Forward, extent, after)?;
        for feed in feeds {
            self.held[feed.slot].extend(feed.ids);
        }
        let values = self.session.read(device, self.network.result, extent);
        Ok(Logits { values, vocabulary: self.vocabulary })
    }

    /// The logits after `ids`, read in chunks through a slot that keeps what it shares with them.
    ///
    /// # Errors
    /// As [`Decoder::run`].
    pub fn logits(&mut self, device: &mut dyn Device, slot: usize, ids: &[u32]) -> Result<Logits> {
        let n_kept = self.keep(slot, ids);
        let mut chunks = ids[n_kept..].chunks(self.room.chunk).peekable();
        loop {
            let logits = self.run(device, &[Feed { slot, ids: chunks.next().unwrap_or_default() }])?;
            if chunks.peek().is_none() {
                return Ok(logits);
            }
        }
    }

    /// Gives back all memory that is not a weight's.
    pub fn release(self, device: &mut dyn Device) {
        self.session.release(device);
    }

    fn check(&self, feeds: &[Feed<'_>]) -> Result<()> {
        let mut fed = vec![false; self.room.slots];
        for feed in feeds {
            match fed.get_mut(feed.slot) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err(Error::Slot { found: feed.slot, slots: self.room.slots }),
            }
            self.check_feed(feed)?;
        }
        let (found, capacity) = (feeds.iter().map(|feed| feed.ids.len()).sum(), self.room.chunk);
        match found {
            0 => Err(Error::NoTokens { what: "a run" }),
            _ if found > capacity => Err(DeviceError::TooManyRows { what: "token", found, capacity }.into()),
            _ => Ok(()),
        }
    }

    fn check_feed(&self, feed: &Feed<'_>) -> Result<()> {
        let (held, more, context) = (self.held[feed.slot].len(), feed.ids.len(), self.room.context);
        if more == 0 {
            return Err(Error::NoTokens { what: "a feed" });
        }
        if more > context - held {
            return Err(Error::ContextFull { slot: feed.slot, held, more, context });
        }
        check_ids(feed.ids, self.vocabulary)
    }

    fn rows(&self, feeds: &[Feed<'_>]) -> Rows {
        let mut rows = Rows::default();
        for feed in feeds {
            // Below 2^32 by `Room::check`.
            let first = (feed.slot * self.room.context) as u32;
            let held = self.held[feed.slot].len() as u32;
            for (position, &id) in (held..).zip(feed.ids) {
                rows.tokens.push(id);
                rows.positions.push(position);
                rows.first.push(first);
                rows.at.push(first + position);
            }
            rows.picked.push(rows.tokens.len() as u32 - 1);
        }
        rows
    }
}

/// The inputs of one run.
#[derive(Debug, Default)]
struct Rows {
    tokens: Vec<u32>,
    positions: Vec<u32>,
    first: Vec<u32>,
    at: Vec<u32>,
    picked: Vec<u32>,
}

impl Room {
    /// Whatever of this room a cache of `bytes` holds, but at least one slot.
    pub fn within(self, bytes: usize, model: &Model<'_>) -> Self {
        let slot_bytes = self.context.saturating_mul(model.cache_row_bytes()).max(1);
        Self { slots: self.slots.min(bytes / slot_bytes).max(1), ..self }
    }

    fn check(self, longest: usize) -> Result<()> {
        let Self { slots, context, chunk } = self;
        let refuse = |what, found, expected| Err(Error::Room { what, found, expected });
        if context == 0 || context > longest {
            return refuse("tokens a slot", context, format!("1 to {longest}"));
        }
        // Cache rows are numbered in 32 bits.
        let most = u32::MAX as usize / context;
        if slots == 0 || slots > most {
            return refuse("slots", slots, format!("1 to {most}"));
        }
        // Otherwise not every answer in progress could go on in every run.
        if chunk < slots {
            return refuse("rows a run", chunk, format!("at least {slots}"));
        }
        Ok(())
    }
}

/// Refuses ids that are in no vocabulary of this size.
pub(crate) fn check_ids(ids: &[u32], vocabulary: usize) -> Result<()> {
    match ids.iter().find(|id| **id as usize >= vocabulary) {
        Some(&found) => Err(Error::TokenId { found, vocabulary }),
        None => Ok(()),
    }
}
