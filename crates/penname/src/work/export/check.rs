//! An export held against its source: our own reader opens it, and both are asked the same.

use penname_engine::Precision;
use penname_engine::backend::cpu::Cpu;
use penname_infer::compare::{self, Distance, Trace};
use penname_infer::{Loading, Weights};
use penname_ledger::Manifest;
use penname_model::{Keeping, Storage};
use penname_train::settings::Base as Kept;

use super::Opened;
use super::source::Source;
use crate::desk::Desk;
use crate::failure::{Failure, Kind};

/// What is asked. Any text would do: both sides get the same ids.
pub(super) const REQUESTS: [&str; 10] = [
    "My neighbour plays the trumpet at night. What can I do?",
    "How do I write a letter of thanks?",
    "What is the best way to make tea?",
    "Tell me about the sea.",
    "My daughter will not eat her vegetables.",
    "Should I take the new position in another town?",
    "Why do people keep diaries?",
    "I have quarrelled with my oldest friend.",
    "How should one dress for a winter walk?",
    "What did you learn this year?",
];

/// Ids written to each request.
const N_NEW: usize = 16;

/// What was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checked {
    /// The export against its source, both in f32.
    pub(crate) distance: Distance,
    /// The export against the voice as it was trained, where the base was quantized for that.
    pub(crate) trained: Option<Distance>,
}

impl Checked {
    /// Writes it into a record.
    pub(super) fn record(&self, manifest: &mut Manifest) {
        let mut add = |prefix: &str, distance: &Distance| {
            let measures = [
                ("max logit difference", distance.max),
                ("mean logit difference", distance.mean),
                ("relative logit difference", distance.relative),
                ("greedy agreement", distance.agreement()),
            ];
            for (name, value) in measures {
                manifest.measures.insert(format!("{prefix}{name}"), value);
            }
        };
        add("", &self.distance);
        self.trained.iter().for_each(|distance| add("as trained: ", distance));
        manifest.counts.insert("places compared".to_owned(), self.distance.n_places as u64);
    }
}

/// How far logits may be apart, as a share of their spread, through rounding alone: some times what was
/// seen with SmolLM2-135M tuned for ten steps, where F32 gave 6e-6, F16 2e-3, BF16 0.03 and Q8_0 0.04.
/// Q4_0 of weights that were four bits already, in other blocks, gave 1: only nonsense is told by it.
fn explained_by(storage: Storage) -> f64 {
    match storage {
        Storage::F32 => 1e-4,
        Storage::F16 => 1e-2,
        Storage::BF16 => 0.15,
        Storage::Q8_0 => 0.15,
        _ => 1.5,
    }
}

/// Compares; what differs more than its storage explains is an error.
///
/// # Errors
/// When it differs, cannot be loaded, or memory runs out.
pub(super) fn check(
    desk: &Desk,
    source: &Source,
    opened: &Opened,
    storage: Storage,
) -> Result<Checked, Failure> {
    let trace = trace(desk, source, &Opened::source(source), N_NEW)?;
    check_ids(source, opened, &trace)?;
    let (weights, mut device) = load(desk, source, opened)?;
    let distance = compare::replay(&weights.tuned(), &trace, &mut device)?;
    drop((weights, device));
    let trained = as_trained(desk, source, opened)?;
    let told = format!(
        "logits at most {:.2e} and on average {:.2e} from the source, {} of {} greedy choices the same",
        distance.max, distance.mean, distance.n_agreed, distance.n_places
    );
    let limit = explained_by(storage);
    if distance.relative.is_nan() || distance.relative > limit {
        let message = format!(
            "the export is not what was exported: {told}; {:.2e} of their spread, {storage} explains {limit:.0e}",
            distance.relative
        );
        return Err(Failure::new(Kind::Claim, message).hint("nothing was put in place; please report it"));
    }
    desk.screen.note(&told);
    Ok(Checked { distance, trained })
}

/// What was opened, asked in f32.
///
/// # Errors
/// When it cannot be loaded.
pub(super) fn trace(desk: &Desk, source: &Source, opened: &Opened, n_new: usize) -> Result<Trace, Failure> {
    let prompts = prompts(source)?;
    let longest = prompts.iter().map(Vec::len).max().unwrap_or(0);
    let n_new = n_new.min(source.config.context.saturating_sub(longest)).max(1);
    let (weights, mut device) = load(desk, source, opened)?;
    Ok(compare::trace(&weights.tuned(), &prompts, n_new, &mut device)?)
}

/// The requests as the voice was trained to read them.
///
/// # Errors
/// When the template refuses them.
pub(super) fn prompts(source: &Source) -> Result<Vec<Vec<u32>>, Failure> {
    let prompt = |request: &&str| Ok(source.renderer.prompt(&source.conversation(request))?);
    let context = source.config.context;
    let prompts: Vec<Vec<u32>> = REQUESTS.iter().map(prompt).collect::<Result<_, Failure>>()?;
    // A context that holds no request is filled with the end of one.
    Ok(prompts.into_iter().map(|ids| ids[ids.len().saturating_sub(context / 2)..].to_vec()).collect())
}

/// An export with text of its own must make the same ids of it.
fn check_ids(source: &Source, opened: &Opened, trace: &Trace) -> Result<(), Failure> {
    let Some(renderer) = &opened.renderer else { return Ok(()) };
    for (request, expected) in REQUESTS.iter().zip(&trace.prompts) {
        let found = renderer.prompt(&source.conversation(request))?;
        if !found.ends_with(expected) {
            let message = format!(
                "the tokenizer or the template of the export is not that of the voice: {:?} became {found:?}, \
                 expected {expected:?}",
                request
            );
            return Err(Failure::new(Kind::Claim, message).hint("nothing was put in place; please report it"));
        }
    }
    Ok(())
}

fn load(desk: &Desk, source: &Source, opened: &Opened) -> Result<(Weights, Cpu), Failure> {
    let mut device = desk.device();
    let (checkpoint, adapter) = match &opened.model {
        Some(checkpoint) => (checkpoint, None),
        None => (&source.checkpoint, opened.adapter.as_ref()),
    };
    let loading = Loading { precision: Precision::F32, keeping: Keeping::Stored };
    Ok((Weights::load(checkpoint, adapter, loading, &mut device)?, device))
}

/// Beside a base that was quantized for training, pairs learned to make up for what that did to it;
/// beside the base as published they are a little off, and here is how much.
fn as_trained(desk: &Desk, source: &Source, opened: &Opened) -> Result<Option<Distance>, Failure> {
    if matches!(source.base_weights, Kept::Stored | Kept::Rounded) || source.adapter.is_none() {
        return Ok(None);
    }
    let mut device = desk.device();
    let loading = Loading { precision: Precision::F32, keeping: source.base_weights.into() };
    let weights = Weights::load(&source.checkpoint, source.adapter.as_ref(), loading, &mut device)?;
    let trace = compare::trace(&weights.tuned(), &prompts(source)?, N_NEW, &mut device)?;
    drop((weights, device));
    let (weights, mut device) = load(desk, source, opened)?;
    let distance = compare::replay(&weights.tuned(), &trace, &mut device)?;
    let what = format!(
        "the voice was trained beside a base quantized to {:?}; exported beside the base as published its \
         logits move by {:.2e} on average, and {} of {} greedy choices stay",
        source.base_weights, distance.mean, distance.n_agreed, distance.n_places
    );
    desk.screen.note(&what);
    Ok(Some(distance))
}
