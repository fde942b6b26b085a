//! Asking for memory before it is needed.
//!
//! Processors foresee that what is read in order goes on, one page at a time and
//! one stream for each place. They do not foresee the next row of a matrix, the
//! next stretch of a panel, or that a line which is about to be written must be
//! fetched first; where several threads keep memory busy, waiting for those
//! takes longer than the work. What is asked for arrives while something else
//! is computed.

/// Asks for `n_bytes` at `from`, which are read or written soon; any address will do.
#[inline(always)]
pub(super) fn ask_for(from: *const u8, n_bytes: usize) {
    #[cfg(target_arch = "x86_64")]
    for at in (0..n_bytes).step_by(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: asking for memory changes nothing but speed, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(at).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (from, n_bytes);
}
