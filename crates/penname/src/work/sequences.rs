//! Examples to sequences, with what could not be rendered counted by reason.

use std::collections::BTreeMap;

use penname_corpus::Prepared;
use penname_ledger::{Event, Hash, Witness};
use penname_token::render::TooLong;
use penname_token::{Example, Renderer, Sequence, Template};

use crate::failure::Failure;

/// What is trained on and what is measured on, in ids.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    /// To learn.
    pub(crate) train: Vec<Sequence>,
    /// To measure.
    pub(crate) held_out: Vec<Sequence>,
}

impl Sequences {
    /// The digest of every id.
    pub(crate) fn digest(&self) -> Hash {
        let bytes =
            |sequence: &Sequence| sequence.ids.iter().flat_map(|id| id.to_le_bytes()).collect::<Vec<u8>>();
        let parts: Vec<Vec<u8>> = self.train.iter().chain(&self.held_out).map(bytes).collect();
        Hash::of_parts(parts.iter().map(Vec::as_slice))
    }
}

/// A renderer that cuts answers to `n_tokens` and counts what it cut.
///
/// # Errors
/// When the template cannot be read a second time, which would be a fault of ours.
pub(crate) fn cutting(renderer: &Renderer, n_tokens: usize) -> Result<Renderer, Failure> {
    let template = Template::new(renderer.template().source(), renderer.tokenizer())?;
    Ok(Renderer::new(renderer.tokenizer().clone(), template).with_context(n_tokens, TooLong::CutAnswer))
}

/// Renders a corpus for sequences of at most `n_tokens`.
///
/// # Errors
/// As [`cutting`].
pub(crate) fn render(
    renderer: &Renderer,
    prepared: &Prepared,
    n_tokens: usize,
    witness: &dyn Witness,
) -> Result<Sequences, Failure> {
    let renderer = cutting(renderer, n_tokens)?;
    let train = render_all(&renderer, &prepared.train, "training", witness);
    let held_out = render_all(&renderer, &prepared.held_out, "held-out", witness);
    Ok(Sequences { train, held_out })
}

fn render_all(renderer: &Renderer, examples: &[Example], what: &str, witness: &dyn Witness) -> Vec<Sequence> {
    let mut refused: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut sequences = Vec::with_capacity(examples.len());
    for rendered in examples.iter().flat_map(|example| renderer.render_turns(example)) {
        match rendered {
            Ok(sequence) => sequences.push(sequence),
            Err(verdict) => *refused.entry(verdict.kind()).or_default() += 1,
        }
    }
    let n_cut = sequences.iter().filter(|sequence| sequence.n_cut > 0).count();
    if n_cut > 0 {
        let what =
            format!("{n_cut} of {} {what} answers are longer than a sequence and were cut", sequences.len());
        let hint = "a larger `train.batch_tokens` keeps them whole; a cut answer is not taught to end there";
        witness.see(&Event::warning(what, hint));
    }
    for (reason, n) in refused {
        witness.see(&Event::warning(format!("{n} {what} examples could not be rendered: {reason}"), ""));
    }
    sequences
}
