//! Changes inputs and watches what the readers do: `driver TARGET --minutes N --seed S`.
//!
//! The watched process is a child, so that one that is ended by the system or does not end at all is a
//! finding too and not the end of the watch. It writes every input to a file before it reads it; that
//! file is the finding.

mod mutate;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use peak_alloc::PeakAlloc;
use penname_fuzz::{Target, target};
use penname_ledger::{Hash, Seed, Stopwatch, write};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Bytes that reading may take whatever the input is: tables of letters, a compiled pattern.
const MEMORY_ALWAYS: usize = 48 << 20;
/// And for every byte of the input: a tokenizer keeps a token several times.
const MEMORY_EARNED: usize = 512;
/// Seconds for one input.
const SECONDS: f64 = 5.0;
/// Inputs a child reads before another takes its place.
const BATCH: u64 = 20_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, otherwise: u64| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(otherwise)
    };
    let Some(target) =
        target::ALL.iter().find(|target| Some(target.name) == arguments.first().map(String::as_str))
    else {
        let known: Vec<&str> = target::ALL.iter().map(|target| target.name).collect();
        eprintln!("usage: driver TARGET [--seconds N] [--seed S]; targets: {}", known.join(", "));
        return ExitCode::from(2);
    };
    let work = std::env::current_dir().unwrap_or_default().join("target/fuzz").join(target.name);
    if write::folder(&work).is_err() {
        return ExitCode::from(2);
    }
    if let Some(input) = arguments.iter().position(|a| a == "--input").and_then(|at| arguments.get(at + 1)) {
        let data = std::fs::read(input).unwrap_or_default();
        return verdict(read(target, &data));
    }
    if arguments.iter().any(|argument| argument == "--child") {
        return verdict(batch(target, &work, number("--seed", 1), number("--skip", 0)));
    }
    watch(target, &work, number("--seed", 1), number("--seconds", 60))
}

fn verdict(found: Result<(), String>) -> ExitCode {
    match found {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// One batch of inputs, each written down before it is read.
fn batch(target: &Target, work: &Path, seed: u64, skip: u64) -> Result<(), String> {
    std::panic::set_hook(Box::new(|_| {}));
    let seeds = (target.seeds)();
    if seeds.is_empty() {
        return Err("there is nothing to begin with".to_owned());
    }
    for seed in &seeds {
        read(target, seed)?;
    }
    let mut stream = Seed(seed).stream(&format!("fuzz/{}/{skip}", target.name));
    for _ in 0..BATCH {
        let data = mutate::changed(&seeds, target.is_json, &mut stream);
        put(&work.join("current"), &data).map_err(|error| error.to_string())?;
        read(target, &data)?;
    }
    Ok(())
}

/// Writes an input down; a disk that is waited for would be most of the time.
#[expect(clippy::disallowed_methods, reason = "gone with the process, and written a thousand times a second")]
fn put(path: &Path, data: &[u8]) -> std::io::Result<()> {
    std::fs::write(path, data)
}

/// Reads one input within its limits.
fn read(target: &Target, data: &[u8]) -> Result<(), String> {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let watch = Stopwatch::start();
    let read = catch_unwind(AssertUnwindSafe(|| (target.run)(data)));
    let (seconds, bytes) = (watch.seconds(), MEMORY.peak_usage().saturating_sub(before));
    let earned = MEMORY_ALWAYS + MEMORY_EARNED * data.len();
    match read {
        Err(panic) => {
            let told = panic.downcast_ref::<String>().map(String::as_str);
            let told = told.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
            Err(format!("panicked: {told}"))
        }
        Ok(()) if seconds > SECONDS => Err(format!("took {seconds:.1} s, expected at most {SECONDS} s")),
        Ok(()) if bytes > earned => {
            Err(format!("allocated {bytes} bytes for {}, expected at most {earned}", data.len()))
        }
        Ok(()) => Ok(()),
    }
}

/// Batches until the time is up; says what was found.
fn watch(target: &Target, work: &Path, seed: u64, seconds: u64) -> ExitCode {
    let whole = Stopwatch::start();
    let (mut n_batches, mut n_findings) = (0, 0);
    while whole.seconds() < seconds as f64 {
        let left = seconds as f64 - whole.seconds();
        match child(target, seed, n_batches).and_then(|child| end(child, left, work)) {
            End::Done | End::TimeUp => n_batches += 1,
            End::Finding(why) => {
                n_findings += 1;
                n_batches += 1;
                eprintln!("{}: {why}\n  {}", target.name, keep(work).display());
            }
        }
        if n_findings >= 10 {
            break;
        }
    }
    let minutes = whole.seconds() / 60.0;
    println!(
        "{}: {n_findings} findings in {minutes:.1} minutes, about {n_batches} × {BATCH} inputs",
        target.name
    );
    if n_findings == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How a child ended.
enum End {
    Done,
    TimeUp,
    Finding(String),
}

impl From<std::io::Result<Child>> for End {
    fn from(failed: std::io::Result<Child>) -> Self {
        End::Finding(failed.err().map_or_else(String::new, |error| error.to_string()))
    }
}

struct Started(std::io::Result<Child>);

impl Started {
    fn and_then(self, then: impl FnOnce(Child) -> End) -> End {
        match self.0 {
            Ok(child) => then(child),
            failed => failed.into(),
        }
    }
}

fn child(target: &Target, seed: u64, skip: u64) -> Started {
    let program = std::env::current_exe();
    Started(program.and_then(|program| {
        let mut command = Command::new(program);
        command.args([target.name, "--child", "--seed", &seed.to_string(), "--skip", &skip.to_string()]);
        command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn()
    }))
}

/// Waits for a child; one that reads the same input for too long is ended.
fn end(mut child: Child, left: f64, work: &Path) -> End {
    let (whole, mut since, mut last) = (Stopwatch::start(), Stopwatch::start(), None);
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return End::Done,
            Ok(Some(status)) => {
                let mut told = String::new();
                if let Some(mut stderr) = child.stderr.take() {
                    let _partial = std::io::Read::read_to_string(&mut stderr, &mut told);
                }
                return End::Finding(format!("{status}: {}", told.trim()));
            }
            Ok(None) => {}
            Err(error) => return End::Finding(error.to_string()),
        }
        let now = std::fs::metadata(work.join("current")).and_then(|meta| meta.modified()).ok();
        if now != last {
            (last, since) = (now, Stopwatch::start());
        }
        // Twice what an input may take, so that a slow one ends by itself and says so.
        let hangs = since.seconds() > 4.0 * SECONDS;
        if hangs || whole.seconds() > left {
            let _gone = child.kill();
            let _gone = child.wait();
            return if hangs { End::Finding("does not end".to_owned()) } else { End::TimeUp };
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Keeps the input that was being read.
fn keep(work: &Path) -> PathBuf {
    let data = std::fs::read(work.join("current")).unwrap_or_default();
    let path = work.join(format!("finding-{}", &Hash::of(&data).to_string()[..12]));
    let _told_by_absence = write::bytes(&path, &data);
    path
}
