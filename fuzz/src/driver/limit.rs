//! What reading one input may take.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cpu_time::ProcessTime;
use peak_alloc::PeakAlloc;
use penname_fuzz::{Reached, Target};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Bytes that reading may take whatever the input is: tables of letters, a compiled pattern.
const MEMORY_ALWAYS: usize = 48 << 20;
/// And for every byte of the input: a tokenizer keeps a token several times.
const MEMORY_EARNED: usize = 512;
/// Seconds of the processor for one input.
const SECONDS: f64 = 5.0;
/// How often it is looked whether an input is still being read.
const TICK: Duration = Duration::from_millis(100);
/// Ticks after which one that waits for something will not end. They are counted rather than timed, so
/// that a process that is made to wait by others is not blamed.
const TICKS: u32 = 1200;

/// Where the last panic was.
static PANIC: Mutex<String> = Mutex::new(String::new());
/// Inputs begun.
static N_BEGUN: AtomicU64 = AtomicU64::new(0);

/// Keeps panics quiet and their places, and ends the process when an input does not end.
pub(super) fn guard() {
    std::panic::set_hook(Box::new(|panic| {
        if let (Ok(mut last), Some(place)) = (PANIC.lock(), panic.location()) {
            *last = place.to_string();
        }
    }));
    #[expect(clippy::disallowed_methods, reason = "nobody else can watch an input that does not end")]
    std::thread::spawn(|| {
        let (mut n_begun, mut n_ticks, mut since) = (0, 0, ProcessTime::now());
        loop {
            std::thread::sleep(TICK);
            if N_BEGUN.load(Ordering::Relaxed) != n_begun {
                (n_begun, n_ticks, since) = (N_BEGUN.load(Ordering::Relaxed), 0, ProcessTime::now());
                continue;
            }
            n_ticks += 1;
            // Well more than an input may take, so that a slow one ends by itself and says so.
            if since.elapsed().as_secs_f64() > 4.0 * SECONDS || n_ticks > TICKS {
                eprintln!("does not end");
                #[expect(clippy::disallowed_methods, reason = "the input holds the other thread")]
                std::process::exit(1);
            }
        }
    });
}

/// Reads one input within its limits.
pub(super) fn read(target: &Target, data: &[u8]) -> Result<Reached, String> {
    N_BEGUN.fetch_add(1, Ordering::Relaxed);
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let watch = ProcessTime::now();
    let read = catch_unwind(AssertUnwindSafe(|| (target.run)(data)));
    let (seconds, bytes) = (watch.elapsed().as_secs_f64(), MEMORY.peak_usage().saturating_sub(before));
    let earned = MEMORY_ALWAYS + MEMORY_EARNED * data.len();
    match read {
        Err(panic) => {
            let told = panic.downcast_ref::<String>().map(String::as_str);
            let told = told.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
            let place = PANIC.lock().map(|place| place.clone()).unwrap_or_default();
            Err(format!("panicked at {place}: {told}"))
        }
        Ok(_) if seconds > SECONDS => Err(format!("took {seconds:.1} s, expected at most {SECONDS} s")),
        Ok(_) if bytes > earned => {
            Err(format!("allocated {bytes} bytes for {}, expected at most {earned}", data.len()))
        }
        Ok(reached) => Ok(reached),
    }
}
