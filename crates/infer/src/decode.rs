//! From prompts to answers, one id at a time.
//!
//! [`generate`] answers a list; [`Batch`] is for those who get prompts one by one, such as a server.

use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::sample::Sampler;
use crate::session::{Decoder, check_ids};
use crate::stop::{Control, Finish, Stop};
use penname_engine::Device;

/// What is to be continued, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    /// The ids to continue; at least one.
    pub ids: Vec<u32>,
    /// How the next id is chosen.
    pub sampler: Sampler,
    /// Which of several answers to the same request this is: each has its own random stream.
    pub choice: u64,
    /// The most ids to write.
    pub max_new: usize,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// The ids written, without the one that ended it.
    pub ids: Vec<u32>,
    /// Natural logarithm of the probability of each under the model, whatever the sampler did to it.
    pub log_probs: Vec<f32>,
    /// Why it is over. A prompt that leaves no room in the context gives no ids and
    /// [`Finish::Length`].
    pub finish: Finish,
}

/// Answers all prompts, as many at a time as there are slots, and calls `on_id` with the index of
/// the prompt and each id as it is written.
///
/// # Errors
/// When a prompt is empty, has ids outside the vocabulary or sampler settings outside their ranges,
/// or the device fails.
///
/// # Determinism
/// An answer depends on its prompt and the decoder's room alone, to the last bit: not on the other
/// prompts, nor on how many there are. Ids that a slot holds because they were written there, as in
/// a chat that goes on, are rounded as described in [`crate::session`].
pub fn generate(
    decoder: &mut Decoder,
    device: &mut dyn Device,
    prompts: &[Prompt],
    stop: &Stop<'_>,
    on_id: &mut dyn FnMut(usize, u32) -> Control,
) -> Result<Vec<Completion>> {
    prompts.iter().try_for_each(|prompt| prompt.check(decoder.vocabulary()))?;
    let mut done: Vec<Option<Completion>> = vec![None; prompts.len()];
    let mut waiting = prompts.iter().enumerate();
    let mut batch = Batch::default();
    loop {
        let n_free = decoder.room().slots.saturating_sub(batch.len());
        for (tag, prompt) in waiting.by_ref().take(n_free) {
            batch.admit(decoder, tag, prompt)?;
        }
        if batch.is_empty() {
            break;
        }
        for (tag, completion) in batch.step(decoder, device, stop, on_id)? {
            done[tag] = Some(completion);
        }
    }
    Ok(done.into_iter().flatten().collect())
}

impl Prompt {
    /// Checks everything that does not depend on the room there is.
    pub(crate) fn check(&self, vocabulary: usize) -> Result<()> {
        self.sampler.check()?;
        if self.ids.is_empty() {
            return Err(Error::NoTokens { what: "a prompt" });
        }
        check_ids(&self.ids, vocabulary)
    }
}
