//! Messages in, text out, as it is written.

use penname_engine::Device;
use penname_infer::{Control, Decoder, Finish, Model, Prompt, Room, Sampler, Stop, generate};
use penname_token::stream::TextStream;
use penname_token::{Message, Renderer};
use std::sync::atomic::AtomicBool;

use crate::failure::Failure;

/// Rows that are read at one time: products run at full speed from here on.
const CHUNK: usize = 256;

/// The most memory for keys and values of all conversations that are answered at one time.
const CACHE_BYTES: usize = 512 << 20;

/// One who answers.
#[derive(Debug)]
pub(crate) struct Speaker {
    decoder: Decoder,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// What was written.
    pub(crate) text: String,
    /// Why it ended.
    pub(crate) finish: Finish,
    /// Tokens written.
    pub(crate) n_tokens: usize,
}

impl Speaker {
    /// Answers up to `slots` conversations, fewer than [`CHUNK`] and no more than memory allows, of up to `context` tokens at a time.
    ///
    /// # Errors
    /// When memory runs out.
    pub(crate) fn new(
        model: &Model<'_>,
        slots: usize,
        context: usize,
        device: &mut dyn Device,
    ) -> Result<Self, Failure> {
        let context = context.min(model.config.context);
        let room = Room { slots, context, chunk: CHUNK }.within(CACHE_BYTES, model);
        Ok(Self { decoder: Decoder::new(model, room, device)? })
    }

    /// Gives back the memory of its conversations.
    pub(crate) fn release(self, device: &mut dyn Device) {
        self.decoder.release(device);
    }

    /// Answers one conversation and hands every piece of text to `hear` as it is certain.
    ///
    /// # Errors
    /// When the template refuses the messages or the device fails.
    pub(crate) fn answer(
        &mut self,
        device: &mut dyn Device,
        renderer: &Renderer,
        messages: &[Message],
        how: &How<'_>,
        hear: &mut dyn FnMut(&str),
    ) -> Result<Answer, Failure> {
        let mut pieces = Pieces::new(renderer, how.stops);
        let mut text = String::new();
        let prompt = how.prompt(renderer.prompt(messages)?, 0);
        let stop = Stop { end_ids: how.end_ids, cancelled: how.cancelled };
        let done = generate(&mut self.decoder, device, &[prompt], &stop, &mut |_, id| {
            let piece = pieces.push(id);
            hear(&piece);
            text.push_str(&piece);
            pieces.control()
        })?;
        let rest = pieces.finish();
        hear(&rest);
        text.push_str(&rest);
        let (finish, n_tokens) = done.first().map_or((Finish::Cancelled, 0), |c| (c.finish, c.ids.len()));
        Ok(Answer { text, finish, n_tokens })
    }

    /// Answers many conversations at a time.
    ///
    /// # Errors
    /// When the template refuses messages or the device fails.
    pub(crate) fn answer_all(
        &mut self,
        device: &mut dyn Device,
        renderer: &Renderer,
        conversations: &[Vec<Message>],
        how: &How<'_>,
        mut done_one: impl FnMut(),
    ) -> Result<Vec<Answer>, Failure> {
        let prompts = conversations
            .iter()
            .zip(0..)
            .map(|(messages, choice)| Ok(how.prompt(renderer.prompt(messages)?, choice)));
        let prompts: Vec<Prompt> = prompts.collect::<Result<_, Failure>>()?;
        let stop = Stop { end_ids: how.end_ids, cancelled: how.cancelled };
        let mut seen = vec![false; prompts.len()];
        let completions = generate(&mut self.decoder, device, &prompts, &stop, &mut |idx, _| {
            if !std::mem::replace(&mut seen[idx], true) {
                done_one();
            }
            Control::Continue
        })?;
        let answer = |completion: penname_infer::Completion| {
            let mut pieces = Pieces::new(renderer, how.stops);
            let mut text: String = completion.ids.iter().map(|&id| pieces.push(id)).collect();
            text.push_str(&pieces.finish());
            Answer { text, finish: completion.finish, n_tokens: completion.ids.len() }
        };
        Ok(completions.into_iter().map(answer).collect())
    }
}

/// How answers are drawn and when they end.
#[derive(Debug, Clone)]
pub(crate) struct How<'a> {
    /// How the next token is drawn.
    pub(crate) sampler: Sampler,
    /// The most tokens of an answer.
    pub(crate) max_tokens: usize,
    /// Tokens that end an answer.
    pub(crate) end_ids: &'a [u32],
    /// Texts that end an answer.
    pub(crate) stops: &'a [String],
    /// Ends all answers when set.
    pub(crate) cancelled: Option<&'a AtomicBool>,
}

impl How<'_> {
    fn prompt(&self, ids: Vec<u32>, choice: u64) -> Prompt {
        Prompt { ids, sampler: self.sampler.clone(), choice, max_new: self.max_tokens }
    }
}

/// Ids to text, without what the template writes before the first letter.
struct Pieces<'r> {
    stream: TextStream<'r>,
    lead: &'r str,
    held: String,
}

impl<'r> Pieces<'r> {
    fn new(renderer: &'r Renderer, stops: &[String]) -> Self {
        let stream = TextStream::new(renderer.tokenizer(), stops.iter().cloned());
        Self { stream, lead: renderer.lead(), held: String::new() }
    }

    fn push(&mut self, id: u32) -> String {
        let piece = self.stream.push(id);
        self.after_lead(piece)
    }

    fn finish(&mut self) -> String {
        let piece = self.stream.finish();
        let rest = self.after_lead(piece);
        // An answer shorter than the lead is not the lead.
        std::mem::take(&mut self.held) + &rest
    }

    fn control(&self) -> Control {
        if self.stream.stopped().is_some() { Control::Stop } else { Control::Continue }
    }

    /// Holds text back until it is longer than the lead, then gives it without.
    fn after_lead(&mut self, piece: String) -> String {
        if self.lead.is_empty() {
            return piece;
        }
        self.held.push_str(&piece);
        if self.held.len() < self.lead.len() && self.lead.starts_with(&self.held) {
            return String::new();
        }
        let text = std::mem::take(&mut self.held);
        let lead = std::mem::take(&mut self.lead);
        text.strip_prefix(lead).unwrap_or(&text).to_owned()
    }
}
