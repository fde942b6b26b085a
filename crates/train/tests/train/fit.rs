//! From sequences and a base to an adapter, uninterrupted, interrupted and killed.

use crate::tiny;
use penname_ledger::event::{Event, Recorder, Silent, Witness};
use penname_ledger::run::Parent;
use penname_ledger::seed::Seed;
use penname_ledger::{Hash, Run};
use penname_model::{Checkpoint, Config, Residence, Shelf};
use penname_token::Sequence;
use penname_train::settings::{Base, Optimizer, Rounding, Settings, Way};
use penname_train::{Ending, Error, Outcome, Task, finetune, resume};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A base, data, and a folder for runs.
struct Room {
    folder: tempfile::TempDir,
    shelf: Shelf,
    checkpoint: Checkpoint,
    config: Config,
    train: Vec<Sequence>,
    held_out: Vec<Sequence>,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = tiny::base(folder.path());
        let config = checkpoint.config().unwrap();
        let (train, held_out) = tiny::dialect();
        let shelf = Shelf::new(folder.path().join("packed"), Hash::of(b"tiny"));
        Self { folder, shelf, checkpoint, config, train, held_out }
    }

    fn run(&self, name: &str) -> Run {
        let parent = Parent::Base { name: "tiny".into(), hash: Hash::of(b"tiny") };
        Run::create(&self.folder.path().join("runs"), name, parent).unwrap()
    }

    fn task<'a>(&'a self, run: &'a Run, settings: &'a Settings) -> Task<'a> {
        Task {
            checkpoint: &self.checkpoint,
            config: &self.config,
            base: "tiny",
            train: &self.train,
            held_out: &self.held_out,
            end_ids: &[tiny::END],
            settings,
            seed: Seed(5),
            run,
            shelf: &self.shelf,
        }
    }

    fn train(&self, run: &Run, settings: &Settings, witness: &dyn Witness) -> Result<Outcome, Error> {
        finetune(&self.task(run, settings), &mut tiny::device(), witness, &AtomicBool::new(false))
    }

    fn resume(&self, run: &Run, settings: &Settings) -> Result<Outcome, Error> {
        resume(&self.task(run, settings), &mut tiny::device(), &Silent, &AtomicBool::new(false))
    }
}

fn result(run: &Run) -> Vec<u8> {
    std::fs::read(run.adapter().join("adapter_model.safetensors")).unwrap()
}

fn rows(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut rows: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // Speed is the one thing that two equal runs do not share.
    rows.iter_mut().for_each(|row| drop(row.as_object_mut().unwrap().remove("tokens_per_s")));
    rows
}

/// Stops the thread it is called on when training reaches a step, as a kill would.
struct Kill {
    at: u64,
}

impl Witness for Kill {
    fn see(&self, event: &Event) {
        if let Event::Progress { done, .. } = event {
            assert!(*done < self.at, "killed on purpose");
        }
    }
}

/// Asks for a stop when training reaches a step, as Ctrl-C would.
pub(crate) struct Interrupt<'a> {
    pub(crate) at: u64,
    pub(crate) stop: &'a AtomicBool,
    pub(crate) seen: AtomicU64,
}

impl Witness for Interrupt<'_> {
    fn see(&self, event: &Event) {
        if let Event::Progress { done, .. } = event {
            self.seen.store(*done, Ordering::Relaxed);
            self.stop.store(*done >= self.at, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_run_learns_and_passes_its_gates() {
    let room = Room::new();
    let (run, recorder) = (room.run("good"), Recorder::default());
    let outcome = room.train(&run, &tiny::settings(), &recorder).unwrap();
    assert_eq!(outcome.ending, Ending::Finished);
    let best = outcome.state.watch.best_nats.unwrap();
    assert!(best < 0.8 * outcome.state.base_nats, "held-out loss {best}, base {}", outcome.state.base_nats);
    assert!(outcome.gates.len() >= 9 && outcome.gates.iter().all(|gate| gate.passed));
    let (config, pairs) = penname_model::peft::load_adapter(&run.adapter()).unwrap();
    assert_eq!((config.rank, pairs.len()), (4, 14));
    assert!(matches!(
        room.train(&run, &tiny::settings(), &Silent),
        Err(Error::AlreadyBegun { step: 24, .. })
    ));
}

#[test]
fn a_killed_run_resumes_to_the_same_bits() {
    let room = Room::new();
    let settings = tiny::settings();
    let whole = room.run("whole");
    room.train(&whole, &settings, &Silent).unwrap();
    for at in [6, 10, 13, 20, 23] {
        let run = room.run(&format!("killed-{at}"));
        let killed = std::panic::AssertUnwindSafe(|| room.train(&run, &settings, &Kill { at }).map(drop));
        assert!(std::panic::catch_unwind(killed).is_err());
        let outcome = room.resume(&run, &settings).unwrap();
        assert_eq!(outcome.ending, Ending::Finished);
        assert!(result(&run) == result(&whole), "killed at step {at}");
        assert_eq!(rows(&run.metrics()), rows(&whole.metrics()), "metrics of the run killed at step {at}");
    }
}

/// One setting of every method beside plain LoRA.
fn methods() -> [(&'static str, Settings); 4] {
    let no_decay = vec!["*.lora_A".to_owned()];
    [
        ("dora", Settings { dora: true, ..tiny::settings() }),
        ("lora-plus", Settings { lora_plus: 4.0, weight_decay: 0.1, no_decay, ..tiny::settings() }),
        ("noise", Settings { neftune: 5.0, ..tiny::settings() }),
        ("average", Settings { ema: 0.7, ..tiny::settings() }),
    ]
}

#[test]
fn every_method_learns_and_resumes_to_the_same_bits() {
    let room = Room::new();
    let plain = room.run("plain");
    room.train(&plain, &tiny::settings(), &Silent).unwrap();
    for (name, settings) in methods() {
        let whole = room.run(name);
        let outcome = room.train(&whole, &settings, &Silent).unwrap();
        assert!(outcome.state.watch.best_nats.unwrap() < outcome.state.base_nats, "{name}");
        assert!(result(&whole) != result(&plain), "{name} changes nothing");
        let run = room.run(&format!("{name}-killed"));
        let killed = std::panic::AssertUnwindSafe(|| room.train(&run, &settings, &Kill { at: 13 }).map(drop));
        assert!(std::panic::catch_unwind(killed).is_err());
        room.resume(&run, &settings).unwrap();
        assert!(result(&run) == result(&whole), "{name}");
        assert_eq!(rows(&run.metrics()), rows(&whole.metrics()), "{name}");
    }
}

/// Noise is on what is trained, and on nothing that is measured: the base is as good as ever, and the
/// first loss another.
#[test]
fn noise_belongs_to_training() {
    let room = Room::new();
    let first = |name: &str, neftune: f64| {
        let run = room.run(name);
        let outcome = room.train(&run, &Settings { neftune, ..tiny::settings() }, &Silent).unwrap();
        let loss = rows(&run.metrics())[0]["loss"].as_f64().unwrap();
        (outcome.state.base_nats, loss)
    };
    let [quiet, noisy] = [first("quiet", 0.0), first("noisy", 0.3)];
    assert_eq!(quiet.0, noisy.0);
    let change = (noisy.1 / quiet.1 - 1.0).abs();
    assert!((1e-4..0.5).contains(&change), "the first loss changed by {change}");
}

#[test]
fn an_interrupted_run_saves_and_resumes_to_the_same_bits() {
    let room = Room::new();
    let settings = tiny::settings();
    let whole = room.run("whole");
    room.train(&whole, &settings, &Silent).unwrap();
    let (run, stop) = (room.run("interrupted"), AtomicBool::new(false));
    let interrupt = Interrupt { at: 8, stop: &stop, seen: AtomicU64::new(0) };
    let outcome = finetune(&room.task(&run, &settings), &mut tiny::device(), &interrupt, &stop).unwrap();
    assert_eq!((outcome.ending, outcome.state.step), (Ending::Interrupted, 8));
    room.resume(&run, &settings).unwrap();
    assert!(result(&run) == result(&whole));
}

#[test]
fn finetune_and_resume_cannot_be_confused() {
    let room = Room::new();
    let settings = tiny::settings();
    let run = room.run("new");
    assert!(matches!(room.resume(&run, &settings), Err(Error::NothingToResume { .. })));
    room.train(&run, &settings, &Silent).unwrap();
    let other = Settings { learning_rate: 1e-3, ..settings };
    assert!(matches!(room.resume(&run, &other), Err(Error::OtherInputs { .. })));
}

#[test]
fn patience_ends_a_run_that_no_longer_improves() {
    let room = Room::new();
    // A rate that soon does harm: the first evaluations are the best.
    let settings =
        Settings { learning_rate: 0.2, steps: 400, patience: 3, evaluate_every: 1, ..tiny::settings() };
    let run = room.run("impatient");
    match room.train(&run, &settings, &Silent) {
        Ok(outcome) => assert_eq!(outcome.ending, Ending::Patience),
        Err(error) => assert!(matches!(error, Error::GateClosed { .. } | Error::Diverged { .. }), "{error}"),
    }
}

/// Settings of full training in either rounding.
fn full(precision: Rounding) -> Settings {
    Settings { method: Way::Full, learning_rate: 3e-3, dropout: 0.0, precision, ..tiny::settings() }
}

#[test]
fn full_training_gives_a_model_that_opens() {
    let room = Room::new();
    for (name, precision) in [("full-f32", Rounding::F32), ("full-bf16", Rounding::Bf16)] {
        let run = room.run(name);
        let outcome = room.train(&run, &full(precision), &Silent).unwrap();
        assert!(outcome.state.watch.best_nats.unwrap() < outcome.state.base_nats, "{name}");
        let model = Checkpoint::open(run.adapter()).unwrap();
        assert_eq!(model.config().unwrap(), room.config);
        let norm = "model.norm.weight";
        assert_ne!(model.bytes(norm).unwrap(), room.checkpoint.bytes(norm).unwrap(), "{name}");
    }
}

#[test]
fn a_killed_run_of_full_training_resumes_to_the_same_bits() {
    let (room, settings) = (Room::new(), full(Rounding::Bf16));
    let whole = room.run("whole");
    room.train(&whole, &settings, &Silent).unwrap();
    let run = room.run("killed");
    let killed = std::panic::AssertUnwindSafe(|| room.train(&run, &settings, &Kill { at: 13 }).map(drop));
    assert!(std::panic::catch_unwind(killed).is_err());
    room.resume(&run, &settings).unwrap();
    let [resumed, whole] = [&run, &whole].map(|run| Checkpoint::open(run.adapter()).unwrap());
    for name in whole.names() {
        assert!(resumed.bytes(name).unwrap() == whole.bytes(name).unwrap(), "{name}");
    }
}

/// Pairs of a rank so high that most halves are not too small for codes.
#[test]
fn moments_of_a_byte_learn_and_resume_to_the_same_bits() {
    let room = Room::new();
    let numbers = Settings { rank: 128, ..tiny::settings() };
    let settings = Settings { optimizer: Optimizer::AdamW8, ..numbers.clone() };
    let [plain, whole] = ["numbers", "codes"].map(|name| room.run(name));
    room.train(&plain, &numbers, &Silent).unwrap();
    let outcome = room.train(&whole, &settings, &Silent).unwrap();
    assert!(outcome.state.watch.best_nats.unwrap() < outcome.state.base_nats);
    assert_ne!(rows(&plain.metrics()), rows(&whole.metrics()), "codes change nothing");
    let run = room.run("killed");
    let killed = std::panic::AssertUnwindSafe(|| room.train(&run, &settings, &Kill { at: 13 }).map(drop));
    assert!(std::panic::catch_unwind(killed).is_err());
    room.resume(&run, &settings).unwrap();
    assert!(result(&run) == result(&whole));
    assert_eq!(rows(&run.metrics()), rows(&whole.metrics()));
}

/// A base on disk is the same base, to the last bit, whatever it is kept as.
#[test]
fn a_base_on_disk_trains_to_the_same_bits() {
    let room = Room::new();
    for base in [Base::Rounded, Base::Q8, Base::Nf4] {
        for precision in [Rounding::F32, Rounding::Bf16] {
            let settings = Settings { base, precision, ..tiny::settings() };
            let on_disk = Settings { residence: Residence::Disk, ..settings.clone() };
            let [memory, disk] =
                ["memory", "disk"].map(|name| room.run(&format!("{name}-{base:?}-{precision:?}")));
            room.train(&memory, &settings, &Silent).unwrap();
            room.train(&disk, &on_disk, &Silent).unwrap();
            assert!(result(&disk) == result(&memory), "{base:?} {precision:?}");
            assert_eq!(rows(&disk.metrics()), rows(&memory.metrics()), "{base:?} {precision:?}");
        }
    }
    // What it is made from does not depend on where it lies, so a run may go on elsewhere.
    let (run, settings) = (room.run("moved"), tiny::settings());
    let killed = std::panic::AssertUnwindSafe(|| room.train(&run, &settings, &Kill { at: 13 }).map(drop));
    assert!(std::panic::catch_unwind(killed).is_err());
    room.resume(&run, &Settings { residence: Residence::Disk, ..settings }).unwrap();
    // Weights that are trained cannot lie on disk.
    let trained = Settings { residence: Residence::Disk, ..full(Rounding::F32) };
    let refused = room.train(&room.run("refused"), &trained, &Silent);
    assert!(matches!(refused, Err(Error::Setting { name: "base_place", .. })), "{refused:?}");
}

/// A base in bytes resumes to the same bits, and is refused beside what it cannot serve.
#[test]
fn a_base_in_bytes_trains_and_resumes_and_is_refused_by_name() {
    let room = Room::new();
    let settings = Settings { base: Base::Int8, ..tiny::settings() };
    let whole = room.run("whole");
    let outcome = room.train(&whole, &settings, &Silent).unwrap();
    assert!(outcome.state.watch.best_nats.unwrap() < outcome.state.base_nats);
    let run = room.run("killed");
    let killed = std::panic::AssertUnwindSafe(|| room.train(&run, &settings, &Kill { at: 13 }).map(drop));
    assert!(std::panic::catch_unwind(killed).is_err());
    room.resume(&run, &settings).unwrap();
    assert!(result(&run) == result(&whole));
    let beside = [
        Settings { residence: Residence::Disk, ..settings.clone() },
        Settings { dora: true, ..settings.clone() },
        Settings { base: Base::Int8, ..full(Rounding::F32) },
    ];
    for (idx, settings) in beside.iter().enumerate() {
        let refused = room.train(&room.run(&format!("refused-{idx}")), settings, &Silent);
        assert!(matches!(refused, Err(Error::NotTogether { name: "base_weights", .. })), "{refused:?}");
    }
}

fn closed(result: Result<Outcome, Error>, gate: &str) {
    match result {
        Err(Error::GateClosed { name, .. }) => assert_eq!(name, gate),
        other => panic!("expected gate `{gate}` closed, got {other:?}"),
    }
}

#[test]
fn seeded_faults_stop_the_run_and_name_their_cause() {
    let mut room = Room::new();
    let settings = tiny::settings();
    let good = (room.train.clone(), room.held_out.clone());

    room.train[3].mask.fill(false);
    closed(room.train(&room.run("empty-mask"), &settings, &Silent), "every example teaches");
    room.train.clone_from(&good.0);

    room.train[2].mask[5] = false;
    closed(room.train(&room.run("no-end"), &settings, &Silent), "the end is inside the loss");
    room.train.clone_from(&good.0);

    room.held_out.push(room.train[7].clone());
    closed(room.train(&room.run("leak"), &settings, &Silent), "the held-out text is unseen");
    room.held_out.clone_from(&good.1);

    // Labels already shifted by the caller are shifted again by the packing.
    for sequence in room.train.iter_mut().chain(&mut room.held_out) {
        let end = sequence.ids.len() - 1;
        sequence.ids[2..end].rotate_left(1);
    }
    closed(room.train(&room.run("shifted"), &settings, &Silent), "the base knows the language");
    (room.train, room.held_out) = good;

    let none = Settings { steps: 0, ..settings };
    assert!(matches!(
        room.train(&room.run("no-steps"), &none, &Silent),
        Err(Error::Setting { name: "steps", .. })
    ));
}

#[test]
fn a_tensor_that_is_not_there_is_named() {
    let room = Room::new();
    let folder = tempfile::tempdir().unwrap();
    let config = room.checkpoint.path().join("config.json");
    let config = std::fs::read(config).unwrap();
    penname_ledger::write::bytes(&folder.path().join("config.json"), &config).unwrap();
    let values = vec![1.0; 32];
    let one = penname_model::weights::Outgoing::from_values(
        "model.norm.weight",
        [32],
        penname_model::Storage::F32,
        &values,
    );
    let path = folder.path().join("model.safetensors");
    penname_model::weights::write_safetensors(&path, vec![one], &std::collections::BTreeMap::new()).unwrap();
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let (run, settings) = (room.run("torn"), tiny::settings());
    let task = Task { checkpoint: &checkpoint, ..room.task(&run, &settings) };
    let error = finetune(&task, &mut tiny::device(), &Silent, &AtomicBool::new(false)).unwrap_err();
    assert!(error.to_string().contains("model.embed_tokens.weight"), "{error}");
}
