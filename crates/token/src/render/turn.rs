//! Where each answer stands in a rendered conversation.
//!
//! A template is a program; it may write a turn differently depending on what
//! follows. So nothing is assumed: for every answer the template is asked for
//! the *prompt* that would lead to it, and the answer begins where that prompt
//! ends, provided the conversation really begins with that prompt. It ends at
//! its `{% generation %}` mark if the template has marks, else where the
//! conversation that stops after this answer ends, provided again that the
//! whole begins with it. An answer that fails either test is not found: some
//! templates (Qwen3's, for one) drop the thoughts of earlier turns.

use std::ops::Range;

use crate::error::Result;
use crate::message::{Message, Role};
use crate::template::Rendered;
use crate::tokenizer::Tokenizer;
use crate::tokenizer::special::Piece;

/// One answer in a rendered text, in byte positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turn {
    /// Index of the message.
    pub(super) message: usize,
    /// Where the prompt that leads to it ends.
    pub(super) prompt_end: usize,
    /// What a model is to write: the answer and its end token.
    pub(super) trained: Range<usize>,
    /// The end token, if the template writes one.
    pub(super) end: Option<End>,
}

/// The token that closes an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    pub(super) id: u32,
    /// Where it begins.
    pub(super) at: usize,
}

/// A template, as something to ask: messages, and whether a prompt is wanted.
pub(super) type Ask<'t> = &'t dyn Fn(&[Message], bool) -> Result<Rendered>;

/// Finds every answer whose place does not depend on what comes after it.
pub(super) fn find(
    messages: &[Message],
    rendered: &Rendered,
    ask: Ask<'_>,
    tokenizer: &Tokenizer,
) -> Result<Vec<Turn>> {
    let mut turns: Vec<Turn> = Vec::new();
    let answers = messages.iter().enumerate().filter(|(_, m)| m.role == Role::Assistant);
    for (nth, (message, _)) in answers.enumerate() {
        let prompt = ask(&messages[..message], true)?.text;
        let after_last = turns.last().map_or(0, |turn| turn.trained.end);
        if prompt.len() < after_last || !rendered.text.starts_with(&prompt) {
            continue;
        }
        let Some(written) = written(messages, message, nth, rendered, ask)? else { continue };
        let region = written.start.max(prompt.len())..written.end.max(prompt.len());
        let (end, trained_end) = close(rendered, &region, tokenizer);
        let trained = region.start..trained_end;
        turns.push(Turn { message, prompt_end: prompt.len(), trained, end });
    }
    Ok(turns)
}

/// The text of one answer with whatever the template puts around it.
fn written(
    messages: &[Message],
    message: usize,
    nth: usize,
    rendered: &Rendered,
    ask: Ask<'_>,
) -> Result<Option<Range<usize>>> {
    if let Some(marked) = rendered.generated.get(nth) {
        return Ok(Some(marked.clone()));
    }
    let stopped = ask(&messages[..=message], false)?.text;
    Ok(rendered.text.starts_with(&stopped).then_some(0..stopped.len()))
}

/// The end token of an answer and where the loss stops: after the first token
/// that ends texts, else after the last control token, if only white space
/// follows it.
fn close(rendered: &Rendered, region: &Range<usize>, tokenizer: &Tokenizer) -> (Option<End>, usize) {
    let text = &rendered.text[region.clone()];
    let guards: Vec<usize> = rendered.guards_within(region);
    let pieces = tokenizer.specials().split(text, &guards);
    let controls = || {
        pieces.iter().filter_map(|piece| match piece {
            Piece::Control(id, range) => Some((*id, range.clone())),
            Piece::Text(_) => None,
        })
    };
    let closing = controls()
        .find(|(id, _)| tokenizer.eos_ids().contains(id))
        .or_else(|| controls().next_back().filter(|(_, range)| text[range.end..].trim().is_empty()));
    match closing {
        Some((id, range)) => (Some(End { id, at: region.start + range.start }), region.start + range.end),
        None => (None, region.end),
    }
}
