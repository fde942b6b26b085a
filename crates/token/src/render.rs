//! The one renderer: messages in, ids and a loss mask out.
//!
//! Training, scoring, chat and serving all come through here, which is what
//! makes the central law possible: **the ids before an answer in a training
//! sequence are exactly the ids [`Renderer::prompt`] gives at inference.** The
//! text is tokenised in stretches, cut where a prompt ends and where an answer
//! ends, so that no token ever joins the two.
//!
//! The mask is never found by searching for a marker. Where an answer begins
//! is where the template, asked for a prompt, stops; where it ends is at the
//! end token the template writes after it. So what the prompt
//! supplies is not learned, the end is, and the line break after it is not.

mod pen;
mod trial;
mod turn;

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::message::{Example, Message, Role};
use crate::sequence::Sequence;
use crate::template::{Rendered, Template};
use crate::tokenizer::Tokenizer;
use crate::verdict::Verdict;
use pen::Pen;
use turn::Turn;

/// What to do with a sequence that is longer than the context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TooLong {
    /// Refuse it, with a verdict.
    #[default]
    Refuse,
    /// Keep what fits. An answer that was cut has no end token in the loss,
    /// so nobody learns to stop in the middle.
    CutAnswer,
}

/// Turns conversations into ids. See the [module](self) for its law.
#[derive(Debug)]
pub struct Renderer {
    tokenizer: Arc<Tokenizer>,
    template: Template,
    context: Option<usize>,
    too_long: TooLong,
    stop_ids: Vec<u32>,
    lead: String,
}

impl Renderer {
    /// Joins a tokenizer and a template, and tries the template once to learn
    /// how it ends a turn.
    pub fn new(tokenizer: impl Into<Arc<Tokenizer>>, template: Template) -> Self {
        let tokenizer = tokenizer.into();
        let stop_ids = tokenizer.eos_ids().to_vec();
        let mut renderer = Self {
            tokenizer,
            template,
            context: None,
            too_long: TooLong::Refuse,
            stop_ids,
            lead: String::new(),
        };
        renderer.learn_ends();
        renderer.learn_lead();
        renderer
    }

    /// Sets the longest sequence, in tokens, and what becomes of longer ones.
    pub fn with_context(mut self, n_tokens: usize, too_long: TooLong) -> Self {
        self.context = Some(n_tokens);
        self.too_long = too_long;
        self
    }

    /// The tokenizer in use.
    pub fn tokenizer(&self) -> &Arc<Tokenizer> {
        &self.tokenizer
    }

    /// The template in use.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// Every token at which generation stops: the tokenizer's ends and those
    /// with which this template closes an answer.
    pub fn stop_ids(&self) -> &[u32] {
        &self.stop_ids
    }

    /// What this template writes between the end of a prompt and the first
    /// letter of the answer, often nothing or one space. A reply begins with
    /// it and is shown without it.
    pub fn lead(&self) -> &str {
        &self.lead
    }

    /// The ids a model is given to answer these messages.
    ///
    /// # Errors
    /// The template fails on them, or the tokenizer does.
    pub fn prompt(&self, messages: &[Message]) -> Result<Vec<u32>> {
        let rendered = self.text(messages, true)?;
        let turns = self.turns(messages, &rendered)?;
        Ok(self.tokenise(&rendered, &turns, messages)?.ids)
    }

    /// One example as ids with a loss mask.
    ///
    /// Turns after the last trained one are left out: nothing is learned from
    /// them. Where the template writes an earlier answer differently once the
    /// conversation goes on, only later turns are trained and
    /// [`Sequence::n_turns_skipped`] counts the others;
    /// [`Renderer::render_turns`] trains those too.
    ///
    /// # Errors
    /// A [`Verdict`] that says why this example cannot be learned from.
    pub fn render(&self, example: &Example) -> std::result::Result<Sequence, Verdict> {
        let last = last_trained(&example.messages)?;
        let messages = &example.messages[..=last];
        let rendered = self.text(messages, false).map_err(verdict)?;
        let turns = self.turns(messages, &rendered).map_err(verdict)?;
        self.check_marks(messages, &rendered)?;
        let n_found = turns.iter().filter(|turn| messages[turn.message].is_trained()).count();
        match turns.last() {
            Some(turn) if turn.message == last => {}
            _ => return Err(Verdict::PromptDiffers { turn: last }),
        }
        for turn in turns.iter().filter(|turn| messages[turn.message].is_trained()) {
            self.check_turn(&rendered, turn)?;
        }
        let mut sequence = self.tokenise(&rendered, &turns, messages).map_err(verdict)?;
        sequence.example.clone_from(&example.id);
        sequence.document.clone_from(&example.document);
        sequence.n_lost = self.tokenizer.n_lost(&rendered.text);
        sequence.n_turns_skipped = messages.iter().filter(|m| m.is_trained()).count() - n_found;
        self.fit(sequence)
    }

    /// One example as as many sequences as its template needs: one if all its
    /// answers can be trained in one text, else one per trained answer, each
    /// with the history exactly as inference would show it.
    pub fn render_turns(&self, example: &Example) -> Vec<std::result::Result<Sequence, Verdict>> {
        let whole = self.render(example);
        if whole.as_ref().is_ok_and(|sequence| sequence.n_turns_skipped == 0) || whole.is_err() {
            return vec![whole];
        }
        let trained = (0..example.messages.len()).filter(|&i| example.messages[i].is_trained());
        trained.map(|last| self.render(&ending_at(example, last))).collect()
    }

    fn text(&self, messages: &[Message], add_generation_prompt: bool) -> Result<Rendered> {
        self.template.render_marked(messages, add_generation_prompt, self.tokenizer.specials())
    }

    fn turns(&self, messages: &[Message], rendered: &Rendered) -> Result<Vec<Turn>> {
        turn::find(messages, rendered, &|messages, prompt| self.text(messages, prompt), &self.tokenizer)
    }

    fn check_marks(&self, messages: &[Message], rendered: &Rendered) -> std::result::Result<(), Verdict> {
        let turns = messages.iter().filter(|m| m.role == Role::Assistant).count();
        match rendered.generated.len() {
            0 => Ok(()),
            marks if marks == turns => Ok(()),
            marks => Err(Verdict::Marks { marks, turns }),
        }
    }

    fn check_turn(&self, rendered: &Rendered, turn: &Turn) -> std::result::Result<(), Verdict> {
        match &turn.end {
            Some(end) if self.stop_ids.contains(&end.id) => {
                match rendered.text[turn.trained.start..end.at].trim().is_empty() {
                    true => Err(Verdict::EmptyAnswer { turn: turn.message }),
                    false => Ok(()),
                }
            }
            _ => Err(Verdict::EndOutsideMask { turn: turn.message }),
        }
    }

    fn tokenise(&self, rendered: &Rendered, turns: &[Turn], messages: &[Message]) -> Result<Sequence> {
        let mut pen = Pen::new(&self.tokenizer, rendered);
        for turn in turns {
            pen.write_to(turn.prompt_end, false)?;
            pen.write_to(turn.trained.start, false)?;
            pen.write_to(turn.trained.end, messages[turn.message].is_trained())?;
        }
        pen.write_to(rendered.text.len(), false)?;
        Ok(pen.finish())
    }

    fn fit(&self, mut sequence: Sequence) -> std::result::Result<Sequence, Verdict> {
        let Some(first) = sequence.mask.iter().position(|&trained| trained) else {
            return Err(Verdict::NoTrainedToken);
        };
        let Some(limit) = self.context.filter(|&limit| limit < sequence.len()) else { return Ok(sequence) };
        let n_tokens = sequence.mask.iter().rposition(|&trained| trained).map_or(0, |at| at + 1);
        if n_tokens > limit && self.too_long == TooLong::Refuse {
            return Err(Verdict::TooLong { n_tokens, limit });
        }
        if first >= limit {
            return Err(Verdict::PromptTooLong { n_tokens: first, limit });
        }
        sequence.truncate(limit);
        Ok(sequence)
    }
}

/// Index of the last trained turn, if the example is one to learn from.
fn last_trained(messages: &[Message]) -> std::result::Result<usize, Verdict> {
    let mut last = None;
    for (turn, message) in messages.iter().enumerate().filter(|(_, m)| m.is_trained()) {
        if message.role != Role::Assistant {
            return Err(Verdict::TrainedRole { turn, role: message.role.name() });
        }
        if message.content.trim().is_empty() {
            return Err(Verdict::EmptyAnswer { turn });
        }
        last = Some(turn);
    }
    last.ok_or(Verdict::NoTrainedToken)
}

/// The same example up to one turn, and with only that turn trained.
fn ending_at(example: &Example, last: usize) -> Example {
    let mut part = example.clone();
    part.messages.truncate(last + 1);
    for message in &mut part.messages[..last] {
        message.train = Some(false);
    }
    part
}

fn verdict(error: Error) -> Verdict {
    match error {
        Error::Encode { .. } => Verdict::Encode(error.to_string()),
        _ => Verdict::Template(error.to_string()),
    }
}
