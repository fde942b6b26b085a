//! Answers in progress, side by side in one decoder.
//!
//! ```text
//! admit ─→ rows not yet read ─┐
//!                             ├─ one run ─→ logits ─→ sample ─→ id ─→ receiver: go on?
//! last id of every answer ────┘
//! ```
//!
//! Every run carries one row for each answer in progress, and fills the rest of the chunk with
//! prompts that are still to be read. So a long prompt never holds up the answers beside it by more
//! than one chunk, and cancelling takes effect after one run.
//!
//! A prompt is read in whole pieces of `PIECE` ids, counted from its beginning, and what is left
//! at its end in a run of its own; whoever else is in the run, the same rows go through the same
//! kernels. So the answer to a prompt does not depend on its company, to the last bit.

use crate::decode::{Completion, Prompt};
use crate::error::{Error, Result};
use crate::sample::{Draws, Sampler};
use crate::session::{Decoder, Feed, Room};
use crate::stop::{Control, Finish, Stop};
use penname_engine::Device;

/// Ids of a prompt that are read together. Enough for attention in tiles, and a prompt that waits
/// for its turn waits for no more rows than this.
const PIECE: usize = 64;

/// Answers in progress. One batch belongs to one decoder.
#[derive(Debug, Default)]
pub struct Batch {
    answers: Vec<Answer>,
}

/// One answer in progress.
#[derive(Debug)]
struct Answer {
    tag: usize,
    slot: usize,
    sampler: Sampler,
    draws: Draws,
    /// Prompt and answer.
    ids: Vec<u32>,
    /// How many of them have been read.
    n_read: usize,
    n_prompt: usize,
    max_new: usize,
    log_probs: Vec<f32>,
    finish: Option<Finish>,
}

impl Batch {
    /// Number of answers in progress.
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// Begins an answer, which will be known by `tag`, in the free slot that already holds most of
    /// the prompt.
    ///
    /// # Errors
    /// When all slots are taken, or the prompt is one that [`generate`](crate::generate) refuses.
    pub fn admit(&mut self, decoder: &mut Decoder, tag: usize, prompt: &Prompt) -> Result<()> {
        prompt.check(decoder.vocabulary())?;
        let slots = decoder.room().slots;
        let free = (0..slots).filter(|slot| self.answers.iter().all(|answer| answer.slot != *slot));
        // Among equals the one with the least to forget, so that the prefixes of others stay.
        let best =
            |slot: &usize| (decoder.shared(*slot, &prompt.ids), usize::MAX - decoder.held(*slot).len());
        let slot = free.max_by_key(best).ok_or(Error::NoSlot { slots })?;
        let fits = prompt.max_new > 0 && prompt.ids.len() <= decoder.room().context;
        let n_read = if fits { decoder.cut(slot, kept(decoder, slot, &prompt.ids)) } else { 0 };
        self.answers.push(Answer {
            tag,
            slot,
            sampler: prompt.sampler.clone(),
            draws: Draws::new(prompt.sampler.seed, prompt.choice),
            ids: prompt.ids.clone(),
            n_read,
            n_prompt: prompt.ids.len(),
            max_new: prompt.max_new,
            log_probs: Vec::new(),
            finish: (!fits).then_some(Finish::Length),
        });
        Ok(())
    }

    /// Runs the model once and returns the answers that are over, by tag.
    ///
    /// # Errors
    /// When the device fails or the model gives something other than numbers. The batch is then to
    /// be dropped.
    pub fn step(
        &mut self,
        decoder: &mut Decoder,
        device: &mut dyn Device,
        stop: &Stop<'_>,
        on_id: &mut dyn FnMut(usize, u32) -> Control,
    ) -> Result<Vec<(usize, Completion)>> {
        if stop.is_cancelled() {
            for answer in &mut self.answers {
                answer.finish.get_or_insert(Finish::Cancelled);
            }
        }
        let plan = self.plan(decoder.room());
        if !plan.is_empty() {
            let feed = |&(idx, n): &(usize, usize)| self.answers[idx].feed(n);
            let logits = decoder.run(device, &plan.iter().map(feed).collect::<Vec<_>>())?;
            let context = decoder.room().context;
            for (row, &(idx, n)) in plan.iter().enumerate() {
                let answer = &mut self.answers[idx];
                answer.n_read += n;
                if answer.n_read == answer.ids.len() {
                    answer.extend(logits.row(row), context, stop, on_id)?;
                }
            }
        }
        Ok(self.take_finished())
    }

    /// Which answers to feed with how many ids: first those that only need their last id read.
    fn plan(&self, room: Room) -> Vec<(usize, usize)> {
        let running = self.answers.iter().enumerate().filter(|(_, answer)| answer.finish.is_none());
        let (writing, reading): (Vec<_>, Vec<_>) = running.partition(|(_, answer)| answer.is_read());
        // What there is to read with even if all other slots were written to: somebody always reads.
        let piece = PIECE.min(room.chunk + 1 - room.slots);
        let mut left = room.chunk;
        let mut plan = Vec::new();
        for (idx, answer) in writing.into_iter().chain(reading) {
            let n = if answer.is_read() { 1 } else { answer.portion(left, piece) };
            if n > 0 && n <= left {
                plan.push((idx, n));
                left -= n;
            }
        }
        plan
    }

    fn take_finished(&mut self) -> Vec<(usize, Completion)> {
        let (finished, running) = std::mem::take(&mut self.answers)
            .into_iter()
            .partition(|answer: &Answer| answer.finish.is_some());
        self.answers = running;
        finished.into_iter().filter_map(Answer::into_completion).collect()
    }
}

/// How many ids of a prompt need not be read again: all that are there if a conversation goes on,
/// whole pieces if it begins like another one.
fn kept(decoder: &Decoder, slot: usize, ids: &[u32]) -> usize {
    let shared = decoder.shared(slot, ids);
    if shared == decoder.held(slot).len() { shared } else { shared - shared % PIECE }
}

impl Answer {
    /// Whether nothing but the last id is unread, of the prompt or of what was written.
    fn is_read(&self) -> bool {
        self.ids.len() - self.n_read == 1
    }

    /// How many ids to read next: as many whole pieces as fit into `left` rows, or the end. Pieces
    /// that had to be smaller come one at a time: together they might take another kernel.
    fn portion(&self, left: usize, piece: usize) -> usize {
        let unread = self.ids.len() - self.n_read;
        match unread < piece || piece < PIECE {
            true => unread.min(piece),
            false => unread.min(left) / piece * piece,
        }
    }

    fn feed(&self, n: usize) -> Feed<'_> {
        Feed { slot: self.slot, ids: &self.ids[self.n_read..][..n] }
    }

    /// Chooses the next id and decides whether it was the last.
    fn extend(
        &mut self,
        logits: &[f32],
        context: usize,
        stop: &Stop<'_>,
        on_id: &mut dyn FnMut(usize, u32) -> Control,
    ) -> Result<()> {
        let chosen = self.sampler.choose(logits, &self.ids, &mut self.draws)?;
        if stop.end_ids.contains(&chosen.id) {
            self.finish = Some(Finish::End { id: chosen.id, log_prob: chosen.log_prob });
            return Ok(());
        }
        self.ids.push(chosen.id);
        self.log_probs.push(chosen.log_prob);
        let full = self.log_probs.len() == self.max_new || self.ids.len() > context;
        self.finish = match on_id(self.tag, chosen.id) {
            Control::Stop => Some(Finish::Stop),
            Control::Cancel => Some(Finish::Cancelled),
            Control::Continue => full.then_some(Finish::Length),
        };
        Ok(())
    }

    fn into_completion(mut self) -> Option<(usize, Completion)> {
        let ids = self.ids.split_off(self.n_prompt);
        let finish = self.finish?;
        Some((self.tag, Completion { ids, log_probs: self.log_probs, finish }))
    }
}
