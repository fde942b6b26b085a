//! Settings as a person says them, to settings with which a run can begin.

use penname_engine::{Device, Precision};
use penname_infer::Loading;
use penname_ledger::{Choice, Event, Witness};
use penname_model::Residence;
use penname_token::Sequence;
use penname_train::settings::{Base, Learn, Optimizer, Rounding, Shape, Way};
use penname_train::{Settings as Resolved, dial};

use crate::failure::{Failure, Kind};
use crate::settings::meant::{Auto, Effort, Train};
use crate::settings::{Origin as From, Settings};

/// Evaluations a run has at least, so that early stopping can fire and the best can be kept.
const EVALUATIONS: u64 = 12;
/// Times an example is seen before it is worth a word.
const MOST_EPOCHS: f64 = 16.0;
/// Steps between two evaluations at least: fewer change little that could be measured.
const FEWEST_STEPS: u64 = 4;

/// Times a text is read at most by a new model, by effort.
const REPEATS: [(Effort, f64); 3] = [(Effort::Quick, 4.0), (Effort::Normal, 16.0), (Effort::Thorough, 32.0)];

/// What of the text is learned.
///
/// # Errors
/// When the word is none of those known, or shards are named that nothing would learn.
pub(crate) fn learn(settings: &Settings) -> Result<Learn, Failure> {
    let learn = match &settings.train.learn {
        Auto::Is(word) if word == "answers" => Learn::Answers,
        Auto::Is(word) if word == "text" => Learn::Text,
        Auto::Is(word) => return Err(unknown("train.learn", word, "answers, text or auto")),
        Auto::Auto if settings.is_scratch() => Learn::Text,
        Auto::Auto => Learn::Answers,
    };
    if learn == Learn::Answers && !settings.train.shards.is_empty() {
        return Err(Failure::new(Kind::Usage, "`train.shards` is set, but only answers are learned")
            .hint("shards are running text: `train.learn: text` learns it"));
    }
    Ok(learn)
}

/// How long a new model is trained, where nobody said: by its weights and the text there is.
pub(crate) fn budget(
    settings: &Settings,
    wanted: &mut Train,
    n_weights: u64,
    train: &[Sequence],
    witness: &dyn Witness,
) {
    let is_derived = matches!(settings.origin("train.epochs"), From::BuiltIn | From::Effort(_));
    if wanted.steps.is_some() || !is_derived {
        return;
    }
    let n_tokens: u64 = train.iter().map(|sequence| sequence.n_trained as u64).sum();
    let repeats = REPEATS.iter().find(|(effort, _)| *effort == settings.effort).map_or(16.0, |(_, n)| *n);
    let (epochs, reason) = dial::epochs(n_weights, n_tokens, repeats);
    let value = format!("{epochs:.1} passes, {:.1} million tokens", epochs * n_tokens as f64 / 1e6);
    witness.see(&Event::choice("budget", value, reason));
    wanted.epochs = epochs;
}

/// Decides what is automatic and says why.
///
/// # Errors
/// When a word is none of those known.
pub(crate) fn resolve(
    train: &Train,
    n_sequences: usize,
    device: &dyn Device,
    witness: &dyn Witness,
) -> Result<Resolved, Failure> {
    let per_epoch = n_sequences.div_ceil(train.batch_examples.max(1)).max(1) as u64;
    let steps = train.steps.unwrap_or_else(|| (train.epochs * per_epoch as f64).round().max(1.0) as u64);
    let evaluate_every = automatic(train.evaluate_every, (steps / EVALUATIONS).max(FEWEST_STEPS));
    let settings = Resolved {
        method: way(&train.method)?,
        rank: train.rank,
        alpha: train.alpha,
        dropout: train.dropout,
        rslora: train.rslora,
        dora: train.dora,
        lora_plus: train.lora_plus,
        targets: train.targets.clone(),
        optimizer: optimizer(&train.optimizer)?,
        learning_rate: train.learning_rate,
        warmup: train.warmup,
        schedule: shape(&train.schedule)?,
        steps,
        batch_examples: train.batch_examples,
        batch_tokens: train.batch_tokens,
        weight_decay: train.weight_decay,
        no_decay: train.no_decay.clone(),
        neftune: train.neftune,
        ema: train.ema,
        clip: train.clip,
        beta1: train.beta1,
        beta2: train.beta2,
        evaluate_every,
        patience: train.patience,
        checkpoint_every: automatic(train.checkpoint_every, evaluate_every),
        precision: precision(&train.precision, device, witness)?,
        base: base(train, device, witness)?,
        residence: residence(&train.base_place)?,
        ..Resolved::default()
    };
    announce(&settings, per_epoch, n_sequences, witness);
    Ok(settings)
}

fn announce(settings: &Resolved, per_epoch: u64, n_sequences: usize, witness: &dyn Witness) {
    let epochs = settings.steps as f64 / per_epoch as f64;
    let reason = format!(
        "{n_sequences} examples in batches of {}, each seen {epochs:.1} times",
        settings.batch_examples
    );
    witness.see(&Event::Choice(Choice::new("steps", settings.steps, reason)));
    let n = settings.steps.div_ceil(settings.evaluate_every.max(1));
    let reason = format!("{n} evaluations in the run, the best weights are kept");
    witness.see(&Event::Choice(Choice::new(
        "evaluate every",
        format!("{} steps", settings.evaluate_every),
        reason,
    )));
    if epochs > MOST_EPOCHS {
        let what = format!(
            "every example is seen {epochs:.0} times; beyond {MOST_EPOCHS:.0} a model recites rather than learns"
        );
        witness.see(&Event::warning(what, "fewer `train.epochs`, or look at the copied share in the report"));
    }
    if settings.patience > 0 && settings.patience * settings.evaluate_every >= settings.steps {
        let what = format!(
            "early stopping cannot fire: {} evaluations of patience, {n} in the run",
            settings.patience
        );
        witness.see(&Event::warning(what, "lower `train.patience`, or evaluate more often"));
    }
}

fn automatic(value: Auto<u64>, otherwise: u64) -> u64 {
    match value {
        Auto::Is(value) => value,
        Auto::Auto => otherwise,
    }
}

/// How frozen weights are kept in memory.
///
/// # Errors
/// When the word is none of those known.
pub(crate) fn base(train: &Train, device: &dyn Device, witness: &dyn Witness) -> Result<Base, Failure> {
    let word = match &train.base_weights {
        Auto::Is(word) => word.as_str(),
        Auto::Auto if train.method == "full" => {
            witness.see(&Event::choice("base weights", "rounded", "the weights themselves are trained"));
            "rounded"
        }
        Auto::Auto => "stored",
    };
    match word {
        "stored" => Ok(Base::Stored),
        "rounded" => Ok(Base::Rounded),
        "nf4" => Ok(Base::Nf4),
        "q8_0" => Ok(Base::Q8),
        "q4_0" => Ok(Base::Q4),
        "int8" if device.probe().multiplies_int8 => Ok(Base::Int8),
        "int8" => Err(no_int8(&device.probe().name)),
        _ => Err(unknown("train.base_weights", word, "stored, rounded, nf4, q8_0, q4_0, int8 or auto")),
    }
}

/// Bytes without instructions for them are slower than anything else.
fn no_int8(device: &str) -> Failure {
    let found =
        format!("`train.base_weights` is `int8`, and {device} has no instruction that multiplies bytes");
    Failure::new(Kind::Usage, found)
        .hint("leave it `auto`; processors with AVX-VNNI or AVX-512 VNNI have one")
}

/// Where frozen weights lie.
///
/// # Errors
/// When the word is none of those known.
pub(crate) fn residence(word: &str) -> Result<Residence, Failure> {
    match word {
        "memory" => Ok(Residence::Memory),
        "disk" => Ok(Residence::Disk),
        _ => Err(unknown("train.base_place", word, "memory or disk")),
    }
}

/// What products round their inputs to.
///
/// # Errors
/// When the word is none of those known.
pub(crate) fn precision(
    wanted: &Auto<String>,
    device: &dyn Device,
    witness: &dyn Witness,
) -> Result<Rounding, Failure> {
    let probe = device.probe();
    match wanted {
        Auto::Is(word) if word == "bf16" => Ok(Rounding::Bf16),
        Auto::Is(word) if word == "f32" => Ok(Rounding::F32),
        Auto::Is(word) => Err(unknown("train.precision", word, "bf16, f32 or auto")),
        Auto::Auto => {
            let (word, rounding) =
                if probe.prefers_bf16 { ("bf16", Rounding::Bf16) } else { ("f32", Rounding::F32) };
            witness.see(&Event::choice("precision", word, format!("{}, the fastest here", probe.products)));
            Ok(rounding)
        }
    }
}

/// How weights are loaded that are only used: kept as said, multiplied as training would here.
///
/// # Errors
/// When the word is none of those known.
pub(crate) fn loading(
    keeping: Base,
    train: &Train,
    device: &dyn Device,
    witness: &dyn Witness,
) -> Result<Loading, Failure> {
    let precision = match precision(&train.precision, device, witness)? {
        Rounding::Bf16 => Precision::Bf16,
        Rounding::F32 => Precision::F32,
    };
    Ok(Loading { precision, keeping: keeping.into() })
}

fn way(word: &str) -> Result<Way, Failure> {
    match word {
        "lora" => Ok(Way::Lora),
        "full" => Ok(Way::Full),
        _ => Err(unknown("train.method", word, "lora or full")),
    }
}

fn optimizer(word: &str) -> Result<Optimizer, Failure> {
    match word {
        "adamw" => Ok(Optimizer::AdamW),
        "adamw_8bit" => Ok(Optimizer::AdamW8),
        _ => Err(unknown("train.optimizer", word, "adamw or adamw_8bit")),
    }
}

fn shape(word: &str) -> Result<Shape, Failure> {
    match word {
        "cosine" => Ok(Shape::Cosine),
        "linear" => Ok(Shape::Linear),
        "constant" => Ok(Shape::Constant),
        _ => Err(unknown("train.schedule", word, "cosine, linear or constant")),
    }
}

fn unknown(name: &str, found: &str, expected: &str) -> Failure {
    Failure::new(Kind::Usage, format!("`{name}` is `{found}`, expected {expected}"))
}
