//! Which places of the code an input reached, told by counters that the compiler put there.
//!
//! `cargo xtask fuzz` builds the driver and everything below it with LLVM's pass for coverage, which
//! the stable compiler has; it keeps a byte for every edge between two blocks and hands all of them
//! over before `main`. Built without the pass, there are none: inputs are changed blindly then.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// The counters, eight in a word; the few at the ends of a section that fill none are left out.
static COUNTERS: Mutex<Vec<&'static [AtomicU64]>> = Mutex::new(Vec::new());

/// What the instrumented code calls, once for each of its modules, mostly with the same section.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_8bit_counters_init(start: *const AtomicU8, stop: *const AtomicU8) {
    let n_bytes = (stop as usize).saturating_sub(start as usize);
    let Ok(mut all) = COUNTERS.lock() else { return };
    if n_bytes == 0 {
        return;
    }
    // SAFETY: the compiler hands over the bounds of a section of this program that lives as long as it
    // does, and any bytes are numbers. They are changed by plain code, on the one thread that reads inputs.
    let (_, words, _) = unsafe { std::slice::from_raw_parts(start, n_bytes).align_to::<AtomicU64>() };
    if !all.iter().any(|known| std::ptr::eq(*known, words)) {
        all.push(words);
    }
}

/// Every edge that any input took, and about how often one input took it.
pub(crate) struct Coverage {
    counters: Vec<&'static [AtomicU64]>,
    seen: Vec<[u8; 8]>,
}

impl Coverage {
    /// Nothing seen yet.
    pub(crate) fn new() -> Self {
        let counters = COUNTERS.lock().map(|all| all.clone()).unwrap_or_default();
        let n = counters.iter().map(|words| words.len()).sum();
        Self { counters, seen: vec![[0; 8]; n] }
    }

    /// Edges taken so far; none where they are not counted.
    pub(crate) fn n_edges(&self) -> usize {
        self.seen.iter().flatten().filter(|seen| **seen != 0).count()
    }

    /// Forgets what was counted, before an input is read.
    pub(crate) fn clear(&self) {
        self.counters.iter().copied().flatten().for_each(|word| word.store(0, Ordering::Relaxed));
    }

    /// Whether the input that was just read took an edge, or took one as often, as none did before.
    pub(crate) fn is_new(&mut self) -> bool {
        let mut new = false;
        for (word, seen) in self.counters.iter().copied().flatten().zip(&mut self.seen) {
            let counts = word.load(Ordering::Relaxed);
            if counts == 0 {
                continue;
            }
            for (count, seen) in counts.to_ne_bytes().into_iter().zip(seen) {
                let bit = magnitude(count);
                new |= bit & !*seen != 0;
                *seen |= bit;
            }
        }
        new
    }
}

/// A bit for about how often: never is none of them.
fn magnitude(count: u8) -> u8 {
    match count {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 4,
        4..=7 => 8,
        8..=15 => 16,
        16..=31 => 32,
        32..=127 => 64,
        _ => 128,
    }
}
