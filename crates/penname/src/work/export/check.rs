//! An export held against its source: our own reader opens it, weights are compared one by one, and both
//! are asked the same.

use penname_engine::Precision;
use penname_engine::backend::cpu::Cpu;
use penname_infer::compare::{self, Distance, Trace};
use penname_infer::{Loading, Weights};
use penname_ledger::{Event, Manifest};
use penname_model::config::Unlike;
use penname_model::rounding::{self, Rounded};
use penname_model::{Checkpoint, Keeping, Storage};
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

/// How far logits may be apart, as a share of their spread, where no number was rounded: some times what
/// was seen with SmolLM2-135M tuned for ten steps, 6e-6, by pairs that are added to weights in one file and
/// to what they make in the other.
const UNROUNDED: f64 = 1e-4;

/// Fewer equal choices than these, of a hundred, are worth a word.
const MOSTLY: f64 = 0.95;

/// What was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checked {
    /// What storing did to the weights, where there are some.
    pub(crate) rounded: Option<Rounded>,
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
        if let Some(Rounded { n_values, relative, .. }) = self.rounded {
            manifest.measures.insert("relative rounding of weights".to_owned(), relative);
            manifest.counts.insert("weights compared".to_owned(), n_values);
        }
    }
}

/// Compares what was written with its source. Numbers may be rounded as their storage rounds them; what
/// that does to the logits is told and not judged, because it follows from the storage that was chosen.
///
/// # Errors
/// When it is something else, cannot be loaded, or memory runs out.
pub(super) fn check(
    desk: &Desk,
    source: &Source,
    opened: &Opened,
    storage: Storage,
) -> Result<Checked, Failure> {
    let rounded = opened.model.as_ref().map(|model| check_weights(source, model)).transpose()?;
    let (weights, mut device) = load(desk, source, &Opened::source(source))?;
    let trace = trace(source, &weights, &mut device, N_NEW)?;
    drop((weights, device));
    check_ids(source, opened, &trace)?;
    let (weights, mut device) = load(desk, source, opened)?;
    let distance = compare::replay(&weights.tuned(), &trace, &mut device)?;
    drop((weights, device));
    let trained = as_trained(desk, source, opened)?;
    check_logits(desk, &distance, storage)?;
    Ok(Checked { rounded, distance, trained })
}

/// The same maths with the same numbers, as they are rounded.
fn check_weights(source: &Source, model: &Checkpoint) -> Result<Rounded, Failure> {
    if let Some(Unlike { field, found, expected }) = source.config.unlike(&model.config()?) {
        return Err(another(&format!("its `{field}` is {found}, expected {expected}")));
    }
    rounding::compare(&source.whole()?, model).map_err(|error| another(&error.to_string()))
}

fn check_logits(desk: &Desk, distance: &Distance, storage: Storage) -> Result<(), Failure> {
    let told = format!(
        "logits at most {:.2e} and on average {:.2e} from the source, {} of {} greedy choices the same",
        distance.max, distance.mean, distance.n_agreed, distance.n_places
    );
    if !distance.max.is_finite() {
        return Err(another(&told));
    }
    if storage == Storage::F32 && distance.relative > UNROUNDED {
        let apart = distance.relative;
        return Err(another(&format!("{told}; {apart:.2e} of their spread, and no number was rounded")));
    }
    desk.screen.note(&told);
    if distance.agreement() < MOSTLY {
        let what = format!("as {storage} it often chooses another word than the voice");
        desk.witness().see(&Event::warning(what, "a wider `--storage` keeps more of it"));
    }
    Ok(())
}

fn another(why: &str) -> Failure {
    let failure = Failure::new(Kind::Claim, format!("the export is not what was exported: {why}"));
    failure.hint("nothing was put in place; please report it")
}

/// What weights write to the requests.
///
/// # Errors
/// When memory runs out.
pub(super) fn trace(
    source: &Source,
    weights: &Weights,
    device: &mut Cpu,
    n_new: usize,
) -> Result<Trace, Failure> {
    let prompts = prompts(source)?;
    let longest = prompts.iter().map(Vec::len).max().unwrap_or(0);
    let n_new = n_new.min(source.config.context.saturating_sub(longest)).max(1);
    Ok(compare::trace(&weights.tuned(), &prompts, n_new, device)?)
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
            let why =
                format!("its tokenizer or template makes {found:?} of {request:?}, expected {expected:?}");
            return Err(another(&why));
        }
    }
    Ok(())
}

/// What was opened, in f32.
///
/// # Errors
/// When it is not what it should be, or memory runs out.
pub(super) fn load(desk: &Desk, source: &Source, opened: &Opened) -> Result<(Weights, Cpu), Failure> {
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
