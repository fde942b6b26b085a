//! Memory that one task needs and the next one uses again.
//!
//! Each thread keeps its buffers on a stack, so a routine that runs inside
//! another finds a buffer of its own, and finds the same one every time.

use std::cell::RefCell;

/// Words in a cache line.
const LINE: usize = 16;

/// Memory aligned to a cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line(pub(super) [u32; LINE]);

/// Zeroed lines that hold at least `words` words.
pub(super) fn lines(words: usize) -> Vec<Line> {
    vec![Line([0; LINE]); words.div_ceil(LINE)]
}

/// As [`lines`], or `None` if there is no memory for them.
pub(super) fn try_lines(words: usize) -> Option<Vec<Line>> {
    let mut lines = Vec::new();
    lines.try_reserve_exact(words.div_ceil(LINE)).ok()?;
    lines.resize(words.div_ceil(LINE), Line([0; LINE]));
    Some(lines)
}

thread_local! {
    static IDLE: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Calls `f` with `words` words of initialised but arbitrary memory.
pub(super) fn with<R>(words: usize, f: impl FnOnce(*mut u32) -> R) -> R {
    let mut buffer = IDLE.with_borrow_mut(Vec::pop).unwrap_or_default();
    if buffer.len() * LINE < words {
        buffer = lines(words);
    }
    let result = f(buffer.as_mut_ptr().cast());
    IDLE.with_borrow_mut(|idle| idle.push(buffer));
    result
}
