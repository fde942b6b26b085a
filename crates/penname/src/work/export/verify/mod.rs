//! The program an export is made for, asked the same: whether it computes what penname computes.
//!
//! It is run in a Python that the person names, or the first that has what is needed; for llama.cpp any
//! Python will do where its `llama-server` is on the path. Both sides write
//! greedily to the same prompts. They must write the same, or part where the two choices are as good as
//! equal; and where pairs lie beside a base, the program must be moved by them as penname is, because
//! engines have been known to load an adapter and leave it out.

mod answer;
mod engine;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use penname_infer::compare::Trace;
use penname_infer::{Loading, Weights, compare};
use penname_ledger::Manifest;
use penname_ledger::write::Staged;
use penname_model::{Config, Keeping, RopeScaling, Storage};
use serde::Serialize;

use super::source::Source;
use super::{Opened, check, gguf, gguf_lora, merged};
use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use answer::{Answers, Difference};
pub(crate) use engine::Engine;

/// Ids written to each request.
const N_NEW: usize = 64;
/// Likeliest ids whose log-probabilities are compared at every place.
const TOP: usize = 20;
/// Two choices closer than this are as good as equal, in nats: programs that add in another order
/// may take either.
const TIE_NATS: f64 = 0.01;

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Verified {
    /// The program, with its version.
    pub(crate) engine: String,
    /// Requests both answered.
    pub(crate) n_requests: usize,
    /// Ids both wrote before they parted, all requests together.
    pub(crate) n_same: usize,
    /// Requests to which both wrote the same to the end.
    pub(crate) n_equal: usize,
    /// The largest difference of two log-probabilities as long as they wrote the same, in nats.
    pub(crate) max_nats: f64,
    /// Where they parted.
    pub(crate) differences: Vec<Difference>,
    /// How far the pairs move the program's first log-probabilities, and how far penname's.
    pub(crate) moved_nats: Option<[f64; 2]>,
}

impl Verified {
    /// Writes it into a record.
    pub(super) fn record(&self, manifest: &mut Manifest) {
        let reason = format!("{} of {} answers the same to the end", self.n_equal, self.n_requests);
        manifest.choices.push(penname_ledger::Choice::new("verified with", &self.engine, reason));
        manifest
            .measures
            .insert("verified: max log-probability difference in nats".to_owned(), self.max_nats);
        manifest.counts.insert("verified: answers the same".to_owned(), self.n_equal as u64);
    }

    /// In words.
    pub(crate) fn told(&self) -> String {
        let mut text = format!(
            "{}: {} of {} answers of {N_NEW} ids the same to the end, log-probabilities at most {:.1e} nats apart",
            self.engine, self.n_equal, self.n_requests, self.max_nats
        );
        for part in &self.differences {
            let _infallible = write!(
                text,
                "\n  request {}, id {}: {:?} here and {:?} there, {:.4} nats apart",
                part.request + 1,
                part.at + 1,
                part.ours,
                part.theirs,
                part.gap_nats
            );
        }
        if let Some([theirs, ours]) = self.moved_nats {
            let _infallible =
                write!(text, "\n  the adapter moves it by up to {theirs:.2} nats, and penname by {ours:.2}");
        }
        text
    }
}

/// How far log-probabilities may be apart, in nats. The engine adds in another order, and multiplies
/// quantized weights with activations that it quantizes as well.
fn explained_by(storage: Storage) -> f64 {
    match storage {
        Storage::F32 => 0.01,
        Storage::F16 => 0.05,
        Storage::BF16 => 0.2,
        Storage::Q8_0 => 0.5,
        _ => 2.0,
    }
}

/// An export to ask about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    /// The name of its format.
    pub(super) format: &'static str,
    /// How its numbers are stored.
    pub(super) storage: Storage,
    /// Where it lies.
    pub(super) dir: &'a Path,
    /// Opened by our own reader.
    pub(super) opened: &'a Opened,
}

/// The program that reads a format.
fn kind_of(format: &str) -> Result<engine::Kind, Failure> {
    match format {
        "peft" | "merged" => Ok(engine::Kind::Transformers),
        "gguf" | "gguf-lora" | "ollama" => Ok(engine::Kind::Llama),
        other => {
            let message = format!("there is no program here that could be asked about `{other}`");
            Err(Failure::new(Kind::Usage, message))
        }
    }
}

/// Refuses, before anything is made, what could not be verified.
///
/// # Errors
/// When the program that reads the format is not here.
pub(super) fn check_ready(format: &str, engine: &Engine) -> Result<(), Failure> {
    engine.find(kind_of(format)?).map(|_| ())
}

/// Asks the program that reads an export's format.
///
/// # Errors
/// When the program is not here or fails, computes something else, or is not moved by the adapter.
pub(super) fn verify(
    desk: &Desk,
    source: &Source,
    subject: Subject<'_>,
    engine: &Engine,
) -> Result<Verified, Failure> {
    // Whatever is made for the asking is gone with this folder.
    let room = Staged::create(&desk.environment.cache_dir.value.join("verify"))?;
    let Files { kind, model, adapter } = files(desk, source, subject, room.dir())?;
    if rule_of_its_own(kind, &source.config).is_some() {
        desk.screen
            .note("llama.cpp rounds the bounds of YaRN and this model does not; it is compared as if it did");
    }
    let (weights, mut device) = check::load(desk, source, subject.opened)?;
    let weights = as_used_by(kind, weights);
    let trace = check::trace(source, &weights, &mut device, N_NEW)?;
    drop((weights, device));
    let asked = engine::Asked { model: &model, adapter: adapter.as_deref(), trace: &trace, top: TOP };
    let answers = engine.ask(kind, &asked, room.dir())?;
    let tokenizer = source.renderer.tokenizer();
    let spell = |id: u32| tokenizer.decode(&[id]);
    let bare =
        source.adapter.is_some().then(|| first_logits_of_base(desk, source, kind, &trace)).transpose()?;
    let verified = answers.compare(&trace, &source.stop_ids, bare.as_deref(), &spell);
    judge(&verified, subject.storage)?;
    Ok(verified)
}

/// What the program reads.
struct Files {
    kind: engine::Kind,
    model: PathBuf,
    adapter: Option<PathBuf>,
}

/// A base that the program cannot read is written for it, in f32.
fn files(desk: &Desk, source: &Source, subject: Subject<'_>, room: &Path) -> Result<Files, Failure> {
    let Subject { format, dir, .. } = subject;
    let (kind, base) = (kind_of(format)?, source.checkpoint.path());
    let whole = |model: PathBuf| Ok(Files { kind, model, adapter: None });
    let beside = |model: PathBuf, adapter: PathBuf| Ok(Files { kind, model, adapter: Some(adapter) });
    let note = "the base is written in f32 for the program that is asked";
    match format {
        "merged" => whole(dir.to_path_buf()),
        "gguf" | "ollama" => whole(dir.join(gguf::FILE)),
        "peft" if base.is_dir() => beside(base.to_path_buf(), dir.to_path_buf()),
        "peft" => {
            desk.screen.note(note);
            (merged::FORMAT.write)(&source.base()?, Storage::F32, room)?;
            beside(room.to_path_buf(), dir.to_path_buf())
        }
        _ => {
            desk.screen.note(note);
            gguf::write_file(&source.base()?, Storage::F32, &room.join(gguf::FILE))?;
            beside(room.join(gguf::FILE), dir.join(gguf_lora::FILE))
        }
    }
}

/// Where the program has a rule for positions that is not the model's. llama.cpp makes the places whole
/// where YaRN's blending begins and ends (`ggml_rope_yarn_corr_dims`); gpt-oss says that they are not.
fn rule_of_its_own(kind: engine::Kind, config: &Config) -> Option<RopeScaling> {
    let mut scaling = config.rope_scaling.clone();
    match &mut scaling {
        RopeScaling::Yarn { truncate, .. } if kind == engine::Kind::Llama && !*truncate => *truncate = true,
        _ => return None,
    }
    Some(scaling)
}

/// Weights as the program uses them.
fn as_used_by(kind: engine::Kind, weights: Weights) -> Weights {
    match rule_of_its_own(kind, weights.config()) {
        Some(scaling) => weights.with_rope_scaling(scaling),
        None => weights,
    }
}

/// The logits after each prompt, without the pairs.
fn first_logits_of_base(
    desk: &Desk,
    source: &Source,
    kind: engine::Kind,
    trace: &Trace,
) -> Result<Vec<Vec<f32>>, Failure> {
    let mut device = desk.device();
    let loading = Loading { precision: penname_engine::Precision::F32, keeping: Keeping::Stored };
    let weights = Weights::load(&source.checkpoint, None, loading, &mut device)?;
    let weights = as_used_by(kind, weights);
    let first = compare::trace(&weights.base(), &trace.prompts, 1, &mut device)?;
    Ok(first.logits.into_iter().filter_map(|rows| rows.into_iter().next()).collect())
}

/// What is too far, and what is not moved, is an error.
fn judge(verified: &Verified, storage: Storage) -> Result<(), Failure> {
    let limit = explained_by(storage);
    let failed = |why: &str| {
        let failure = Failure::new(Kind::Claim, format!("{why}; {}", verified.told()));
        Err(failure.hint("try a newer version of that program, and report it if it stays so"))
    };
    if let Some([theirs, ours]) = verified.moved_nats {
        if ours < 1e-3 {
            return failed("the adapter changes nothing");
        }
        if theirs < ours / 2.0 {
            return failed("the program leaves the adapter out");
        }
    }
    if verified.max_nats.is_nan() || verified.max_nats > limit {
        return failed(&format!("the program computes something else, {storage} explains {limit} nats"));
    }
    match verified.differences.iter().find(|part| part.gap_nats > TIE_NATS.max(limit)) {
        Some(_) => failed("the program writes something else, and not because two choices were equal"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verified() -> Verified {
        Verified {
            engine: "another".to_owned(),
            n_requests: 1,
            n_same: 3,
            n_equal: 0,
            max_nats: 0.001,
            differences: Vec::new(),
            moved_nats: Some([1.0, 1.0]),
        }
    }

    fn parted(gap_nats: f64) -> Vec<Difference> {
        vec![Difference { request: 0, at: 3, ours: "a".to_owned(), theirs: "b".to_owned(), gap_nats }]
    }

    #[test]
    fn what_is_too_far_or_not_moved_is_told() {
        let check = |verified: Verified, storage, expected: Option<&str>| {
            let told = judge(&verified, storage).err().map(|failure| failure.report().message);
            match (&told, expected) {
                (None, None) => {}
                (Some(told), Some(expected)) => assert!(told.contains(expected), "{told}"),
                _ => panic!("{told:?}, expected {expected:?}"),
            }
        };
        let f32 = Storage::F32;
        check(verified(), f32, None);
        check(Verified { differences: parted(0.009), ..verified() }, f32, None);
        check(Verified { differences: parted(0.02), ..verified() }, f32, Some("writes something else"));
        check(Verified { differences: parted(0.02), ..verified() }, Storage::F16, None);
        check(Verified { max_nats: 0.02, ..verified() }, f32, Some("computes something else"));
        check(Verified { max_nats: f64::NAN, ..verified() }, f32, Some("computes something else"));
        check(Verified { moved_nats: Some([0.0, 1.0]), ..verified() }, f32, Some("leaves the adapter out"));
        check(Verified { moved_nats: Some([0.0, 0.0]), ..verified() }, f32, Some("adapter changes nothing"));
        check(Verified { moved_nats: None, ..verified() }, f32, None);
    }

    #[test]
    fn only_llama_cpp_rounds_the_bounds_of_yarn() {
        let check = |shape: &str, kind, expected: bool| {
            let config = penname_model::shape::find(shape).unwrap().config().unwrap();
            let rule = rule_of_its_own(kind, &config);
            assert_eq!(matches!(rule, Some(RopeScaling::Yarn { truncate: true, .. })), expected, "{shape}");
        };
        check("gpt-oss-20b", engine::Kind::Llama, true);
        check("gpt-oss-20b", engine::Kind::Transformers, false);
        check("qwen3-0.6b", engine::Kind::Llama, false);
    }

    #[test]
    fn every_format_has_a_program_or_says_that_it_has_none() {
        let without: Vec<&str> = super::super::ALL
            .iter()
            .map(|format| format.name)
            .filter(|name| kind_of(name).is_err())
            .collect();
        assert_eq!(without, ["llama2c", "llama2c-v1"]);
    }
}
