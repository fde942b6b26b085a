//! Memory that one task needs and the next one uses again.
//!
//! Each thread keeps its buffers on a stack, so a routine that runs inside
//! another finds a buffer of its own, and finds the same one every time.

use crate::backend::Lent;
use std::cell::RefCell;
use std::sync::Arc;

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

/// Lines that stay as they are: one's own, or somebody else's.
#[derive(Debug)]
pub(super) enum Lines {
    Own(Vec<Line>),
    Lent(Arc<dyn Lent>),
}

impl Lines {
    pub(super) fn as_ptr(&self) -> *const u8 {
        match self {
            Self::Own(lines) => lines.as_ptr().cast(),
            Self::Lent(lent) => lent.bytes().as_ptr(),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            // SAFETY: lines are words, of which any byte may be read.
            Self::Own(lines) => unsafe {
                std::slice::from_raw_parts(lines.as_ptr().cast(), size_of_val(lines.as_slice()))
            },
            Self::Lent(lent) => lent.bytes(),
        }
    }
}

/// A pointer to words of which tasks write disjoint parts.
#[derive(Clone, Copy)]
pub(in crate::backend::cpu) struct Target(pub(in crate::backend::cpu) *mut u32);

// SAFETY: whoever writes through it says that the part is its own.
unsafe impl Sync for Target {}

impl Target {
    /// Word `words` of it.
    pub(in crate::backend::cpu) fn at(self, words: usize) -> *mut u32 {
        self.0.wrapping_add(words)
    }
}

thread_local! {
    static IDLE: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Memory that its thread finds again when this is dropped.
pub(in crate::backend::cpu) struct Held(Vec<Line>);

impl Held {
    /// At least `words` words, initialised but arbitrary.
    pub(in crate::backend::cpu) fn new(words: usize) -> Self {
        let mut buffer = IDLE.with_borrow_mut(Vec::pop).unwrap_or_default();
        if buffer.len() * LINE < words {
            buffer = lines(words);
        }
        Self(buffer)
    }

    pub(in crate::backend::cpu) fn as_ptr(&self) -> *const u32 {
        self.0.as_ptr().cast()
    }

    /// Its first `n` words as numbers.
    pub(in crate::backend::cpu) fn floats(&self, n: usize) -> &[f32] {
        assert!(n <= self.0.len() * LINE, "{n} numbers in {} words", self.0.len() * LINE);
        // SAFETY: the words exist and are initialised; any word is an f32.
        unsafe { std::slice::from_raw_parts(self.as_ptr().cast(), n) }
    }

    /// As [`Held::floats`], to write.
    pub(in crate::backend::cpu) fn floats_mut(&mut self, n: usize) -> &mut [f32] {
        assert!(n <= self.0.len() * LINE, "{n} numbers in {} words", self.0.len() * LINE);
        // SAFETY: as in `floats`, and nobody else has it.
        unsafe { std::slice::from_raw_parts_mut(self.as_mut_ptr().cast(), n) }
    }

    pub(in crate::backend::cpu) fn as_mut_ptr(&mut self) -> *mut u32 {
        self.0.as_mut_ptr().cast()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.0);
        // A thread that is ending keeps nothing.
        let _ = IDLE.try_with(|idle| idle.borrow_mut().push(buffer));
    }
}

/// Calls `f` with `words` words of initialised but arbitrary memory.
pub(in crate::backend::cpu) fn with<R>(words: usize, f: impl FnOnce(*mut u32) -> R) -> R {
    f(Held::new(words).as_mut_ptr())
}
