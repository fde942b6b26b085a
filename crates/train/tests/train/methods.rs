//! Twenty steps of every method of training against PEFT and torch. `golden/methods/make.py` made the
//! numbers and says how.

use penname_engine::backend::cpu::Cpu;
use penname_engine::coding::dynamic::{BLOCK, SIGNED, UNSIGNED};
use penname_engine::{Extent, Keep, Precision};
use penname_ledger::seed::Seed;
use penname_model::adapter::Trainable;
use penname_model::peft::load_adapter;
use penname_model::{Checkpoint, Keeping, Method, Parameters, Purpose, Quantizer, Scorer, Setup, build};
use penname_train::settings::Optimizer;
use penname_train::step::{Trainer, packed};
use penname_train::{Error, Settings};
use serde_json::Value;

use crate::golden::{folder, numbers_of, packs};

/// Rows of a run: all documents at once.
const BUDGET: usize = 64;

/// What is trained, and how.
struct Case<'a> {
    /// The checkpoint, among the golden files.
    base: &'a str,
    /// The adapter, among the golden files; without one the weights are trained.
    adapter: Option<&'a str>,
    keeping: Keeping,
    settings: Settings,
    /// Share of the family's learning rate.
    pace: f64,
    /// Share by which a loss may be off.
    tolerance: f64,
}

impl<'a> Case<'a> {
    /// All weights of a checkpoint as it is.
    fn in_full(base: &'a str, settings: Settings) -> Self {
        Self { base, adapter: None, keeping: Keeping::Stored, settings, pace: 1.0, tolerance: 3e-3 }
    }

    fn method(&self) -> Method {
        let adapter = self.adapter.map(|adapter| load_adapter(&folder(adapter)).unwrap().0);
        adapter.map_or_else(|| Method::Full(Trainable::default()), Method::LowRank)
    }

    /// A trainer, and a scorer that reads the averages if there are some.
    fn begin(&self, device: &mut Cpu) -> Result<(Trainer, Scorer), Error> {
        let checkpoint = Checkpoint::open(folder(self.base)).unwrap();
        let (method, capacity) = (self.method(), Extent::tokens(BUDGET));
        let setup = Setup { method, precision: Precision::F32, capacity, purpose: Purpose::Loss };
        let network = build(&checkpoint.config().unwrap(), &setup).unwrap();
        let mut parameters = Parameters::load(&checkpoint, &network, self.keeping, device).unwrap();
        if let Some(adapter) = self.adapter {
            let (_, pairs) = load_adapter(&folder(adapter)).unwrap();
            parameters.add_pairs(&network, device, |slot| pairs[&slot.module].clone()).unwrap();
        }
        let mut scorer = Scorer::new(network.clone(), &parameters, device).unwrap();
        let trainer = Trainer::new(network, &parameters, &self.settings, Keep::All, device)?;
        trainer.averages().into_iter().for_each(|(name, buffer)| scorer.bind(&name, buffer));
        Ok((trainer, scorer))
    }

    /// Losses before each step, and after each step those that are measured.
    fn losses(&self) -> (Vec<f64>, Vec<f64>) {
        let device = &mut Cpu::new();
        let (mut trainer, mut scorer) = self.begin(device).unwrap();
        let numbers = numbers_of(self.base);
        let packs = packs(&numbers, BUDGET);
        let rate = self.pace * numbers["learning_rate"].as_f64().unwrap();
        let n_trained = packs.iter().map(|pack| pack.n_trained).sum::<usize>() as f64;
        let step = |step| {
            let report = trainer.step(device, &packs, step, rate, Seed(1)).unwrap();
            let after = packs.iter().flat_map(|pack| scorer.losses(device, packed(pack)).unwrap());
            (report.loss_nats, after.map(f64::from).sum::<f64>() / n_trained)
        };
        (0..20).map(step).unzip()
    }
}

/// The expected losses of a method.
fn expected(method: &str, family: &str) -> Vec<f64> {
    let all: Value = serde_json::from_slice(&std::fs::read(folder("methods/numbers.json")).unwrap()).unwrap();
    serde_json::from_value(all[method][family].clone()).unwrap()
}

/// The first step whose loss is off by more than a share.
fn off(found: &[f64], expected: &[f64], tolerance: f64) -> Option<String> {
    assert_eq!(found.len(), expected.len());
    let mut pairs = found.iter().zip(expected).enumerate();
    let (step, (found, expected)) = pairs.find(|(_, (a, b))| (*a / *b - 1.0).abs() > tolerance)?;
    Some(format!("step {step}: loss {found}, expected {expected}"))
}

fn plain() -> Settings {
    Settings { clip: 1.0, weight_decay: 0.0, ..Settings::default() }
}

#[test]
fn dora_follows_peft() {
    let shapes = [("llama", "tied"), ("gpt2", "tied"), ("qwen3", "tied")];
    // Beside experts, attention alone: PEFT has no lengths for parameters of three axes.
    let mixtures = [("qwen3_moe", "renormalised"), ("gpt_oss", "fused")];
    for (family, shape) in shapes.into_iter().chain(mixtures) {
        let (base, adapter) = (format!("{family}/{shape}"), format!("methods/{family}-dora/adapter"));
        let (keeping, settings) = (Keeping::Stored, plain());
        let case =
            Case { base: &base, adapter: Some(&adapter), keeping, settings, pace: 1.0, tolerance: 3e-3 };
        assert_eq!(off(&case.losses().0, &expected("dora", family), case.tolerance), None, "{family}");
    }
}

/// Models of random weights magnify whatever is rounded, so the rate is low: twenty steps stay together.
#[test]
fn a_base_in_bytes_follows_the_base_itself() {
    for family in ["llama", "qwen3"] {
        let (base, adapter) = (format!("methods/{family}-wide"), format!("methods/{family}-wide/adapter"));
        let losses = |keeping| {
            let (adapter, settings) = (Some(adapter.as_str()), plain());
            Case { base: &base, adapter, keeping, settings, pace: 0.1, tolerance: 0.0 }.losses().0
        };
        let (found, expected) = (losses(Keeping::Int8), losses(Keeping::Stored));
        assert_eq!(off(&found, &expected, 2e-2), None, "{family}");
        assert_ne!(found, expected, "{family}: nothing was rounded");
    }
}

#[test]
fn qlora_follows_peft_over_rounded_weights() {
    for family in ["llama", "qwen3", "qwen3_moe", "gpt_oss"] {
        let (base, adapter) = (format!("methods/{family}-wide"), format!("methods/{family}-wide/adapter"));
        let mut case = Case {
            base: &base,
            adapter: Some(&adapter),
            keeping: Keeping::Quantized(Quantizer::Nf4),
            settings: plain(),
            pace: 1.0,
            tolerance: 5e-3,
        };
        let expected = expected("qlora", family);
        assert_eq!(off(&case.losses().0, &expected, case.tolerance), None, "{family}");
        // Weights that were not rounded are off.
        case.keeping = Keeping::Stored;
        assert!(off(&case.losses().0, &expected, 2.0 * case.tolerance).is_some(), "{family}");
    }
}

#[test]
fn moments_of_a_byte_follow_bitsandbytes() {
    for family in ["llama", "qwen3"] {
        let base = format!("methods/{family}-wide");
        let settings = Settings { optimizer: Optimizer::AdamW8, ..plain() };
        // bitsandbytes does not always find the nearest code; a code is a few per cent.
        let case = Case { pace: 0.1, tolerance: 5e-3, ..Case::in_full(&base, settings) };
        let found = case.losses().0;
        assert_eq!(off(&found, &expected("adamw8", family), case.tolerance), None, "{family}");
        // Moments as numbers lose within one per cent of the same, and are not the same.
        let numbers = Case { settings: plain(), ..case }.losses().0;
        assert_eq!(off(&found, &numbers, 1e-2), None, "{family}");
        assert!(off(&found, &numbers, 1e-5).is_some(), "{family}");
    }
}

#[test]
fn the_code_book_is_that_of_bitsandbytes() {
    let file = Checkpoint::open(folder("methods/dynamic.safetensors")).unwrap();
    let read = |name: &str| {
        let mut values = Vec::new();
        file.read_f32(name, &mut values).unwrap();
        values
    };
    assert_eq!(read("signs"), SIGNED.numbers());
    assert_eq!(read("above"), UNSIGNED.numbers());
    let (x, codes, largest) = (read("x"), read("codes"), read("largest"));
    let mut n_other = 0;
    for ((block, codes), largest) in x.chunks(BLOCK).zip(codes.chunks(BLOCK)).zip(largest) {
        assert_eq!(block.iter().fold(0.0_f32, |top, x| top.max(x.abs())), largest);
        for (x, code) in block.iter().zip(codes) {
            let x = f64::from(x / largest);
            let (near, code) = (SIGNED.nearest(x), *code as u8);
            let off = |code: u8| (x - f64::from(SIGNED.numbers()[usize::from(code)])).abs();
            assert!(off(near) <= off(code), "{x} of the largest has code {near}, theirs is {code}");
            n_other += usize::from(near != code);
        }
    }
    // Their processor looks codes up by a table that is coarse near zero, where these spread to.
    assert!(n_other * 2 < x.len(), "{n_other} of {} codes are others", x.len());
}

#[test]
fn a_faster_b_follows_peft() {
    for family in ["llama", "qwen3"] {
        let (base, adapter) = (format!("{family}/tied"), format!("{family}/tied/adapter"));
        let settings = Settings { lora_plus: 4.0, ..plain() };
        let keeping = Keeping::Stored;
        let case =
            Case { base: &base, adapter: Some(&adapter), keeping, settings, pace: 1.0, tolerance: 5e-3 };
        assert_eq!(off(&case.losses().0, &expected("lora_plus", family), case.tolerance), None, "{family}");
        let even = Case { settings: plain(), ..case };
        assert!(off(&even.losses().0, &expected("lora_plus", family), 0.1).is_some(), "{family}");
    }
}

#[test]
fn decay_leaves_out_what_torch_leaves_out() {
    for family in ["llama", "qwen2"] {
        let base = format!("{family}/tied");
        let no_decay = ["norms", "biases", "embeddings"].map(str::to_owned).into();
        let settings = Settings { weight_decay: 0.5, no_decay, ..plain() };
        let case = Case::in_full(&base, settings);
        assert_eq!(off(&case.losses().0, &expected("decay", family), case.tolerance), None, "{family}");
        let all = Settings { no_decay: Vec::new(), ..case.settings.clone() };
        let everything = Case { settings: all, ..case };
        let found = everything.losses().0;
        assert!(off(&found, &expected("decay", family), everything.tolerance).is_some(), "{family}");
    }
}

#[test]
fn a_pattern_spares_what_it_fits_and_must_fit_something() {
    let of = |no_decay: &[&str]| {
        let no_decay = no_decay.iter().map(|word| (*word).to_owned()).collect();
        let settings = Settings { weight_decay: 0.5, no_decay, ..plain() };
        let (base, adapter) = ("llama/tied", Some("llama/tied/adapter"));
        let case = Case { base, adapter, keeping: Keeping::Stored, settings, pace: 1.0, tolerance: 0.0 };
        let decays = |trainer: &Trainer| trainer.update.weights.iter().filter(|w| w.decays).count();
        case.begin(&mut Cpu::new()).map(|(trainer, _)| (decays(&trainer), trainer.update.weights.len()))
    };
    assert_eq!(of(&[]).unwrap(), (28, 28));
    assert_eq!(of(&["*.lora_B"]).unwrap(), (14, 28));
    let error = of(&["normz"]).unwrap_err();
    assert!(matches!(&error, Error::NoSuchWeights { found, .. } if found == "normz"), "{error}");
}

#[test]
fn the_average_is_that_of_torch() {
    for family in ["llama", "qwen3"] {
        let base = format!("{family}/tied");
        let settings = Settings { ema: 0.8, ..plain() };
        let case = Case::in_full(&base, settings);
        let (_, after) = case.losses();
        assert_eq!(off(&after, &expected("ema", family), case.tolerance), None, "{family}");
    }
}
