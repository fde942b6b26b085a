//! A run that is killed outright, again and again, ends with the weights of one that was not.
//!
//! The base is a tiny one, so that this runs everywhere. `PENNAME_TEST_BASE` names a real
//! one; `cargo xtask kit` does that.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use penname_ledger::{Seed, Stopwatch};

use crate::bench::{Bench, letters};
use crate::tiny;

const N_KILLS: u32 = 5;
/// Seconds that a run may take to its next checkpoint before the test gives up on it.
const PATIENCE: f64 = 300.0;

#[test]
fn a_run_killed_at_five_random_moments_ends_bit_equal() {
    let whole = prepared();
    let watch = Stopwatch::start();
    assert!(start(&whole, "train").wait().unwrap().success());
    // Five of these and five times a checkpoint's way are well short of the whole run.
    let longest = watch.seconds() / 8.0;

    let killed = prepared();
    // Other moments each time: the duration just measured differs in its last digits.
    let mut moments = Seed(longest.to_bits()).stream("moments of the kills");
    let mut verb = "train";
    for kill in 1..=N_KILLS {
        let mut child = start(&killed, verb);
        wait_for_a_new_checkpoint(&killed);
        let moment = Duration::from_secs_f64(longest * moments.unit_f64());
        sleep(moment);
        assert!(child.try_wait().unwrap().is_none(), "the run ended before kill {kill}");
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
        println!("kill {kill}: {moment:?} after {}", checkpoints(&killed).pop().unwrap().display());
        verb = "resume";
    }
    assert!(start(&killed, verb).wait().unwrap().success());
    assert!(adapter(&killed) == adapter(&whole), "the weights differ after the kills above");
}

/// A project whose examples are prepared, with settings that write a checkpoint often.
fn prepared() -> Bench {
    let bench = Bench::with_writing(&[]);
    let letters = if real_base().is_some() { sample() } else { letters(24) };
    letters.iter().for_each(|(name, text)| bench.write(&format!("writing/{name}"), text));
    let text: String = letters.into_iter().map(|(_, text)| text).collect();
    let (base, steps) = match real_base() {
        Some(path) => (path.display().to_string(), 40),
        None => ("tiny".to_owned(), 600),
    };
    tiny::write_taught_base(&bench.path("tiny"), &text);
    let every = steps / 20;
    let train = format!(
        "{{steps: {steps}, checkpoint_every: {every}, evaluate_every: {every}, patience: 0, batch_examples: 2, \
         dropout: 0.1}}"
    );
    bench.write("penname.yaml", &format!("base: {base}\ntrain: {train}\n"));
    assert_eq!(bench.run(&["prepare"]).code, 0);
    bench
}

/// The letters of the demo: a real base knows the language they are in.
fn sample() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/letters");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let texts = paths.filter(|path| path.extension().is_some_and(|end| end == "txt"));
    texts.map(|path| (name(&path), std::fs::read_to_string(&path).unwrap())).collect()
}

#[expect(clippy::disallowed_methods, reason = "a test is told where a real base lies")]
fn real_base() -> Option<PathBuf> {
    std::env::var_os("PENNAME_TEST_BASE").map(PathBuf::from)
}

fn start(bench: &Bench, verb: &str) -> Child {
    let mut command = bench.command(&[verb, "--offline", "--quiet"]);
    command.stdout(Stdio::null()).spawn().unwrap()
}

/// Waits until the run has got further than it was when this was called.
fn wait_for_a_new_checkpoint(bench: &Bench) {
    let (before, watch) = (checkpoints(bench), Stopwatch::start());
    while checkpoints(bench).last() <= before.last() {
        assert!(watch.seconds() < PATIENCE, "no checkpoint after {before:?}");
        sleep(Duration::from_millis(1));
    }
}

/// The checkpoints of the one run, oldest first.
fn checkpoints(bench: &Bench) -> Vec<PathBuf> {
    let Some(run) = only_run(bench) else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir(run.join("checkpoints")) else { return Vec::new() };
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut steps: Vec<_> = paths.filter(|path| name(path).starts_with("step-")).collect();
    steps.sort();
    steps
}

fn adapter(bench: &Bench) -> Vec<u8> {
    std::fs::read(only_run(bench).unwrap().join("adapter/adapter_model.safetensors")).unwrap()
}

fn only_run(bench: &Bench) -> Option<PathBuf> {
    let mut runs = std::fs::read_dir(bench.path("runs")).ok()?.filter_map(|entry| entry.ok());
    let run = runs.next()?.path();
    assert!(runs.next().is_none(), "more than one run");
    Some(run)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}
