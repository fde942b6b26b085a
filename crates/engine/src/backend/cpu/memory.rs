//! Zeroed memory on cache lines, in huge pages where the system gives them.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

/// From this size on, memory is aligned to huge pages and asks for them.
const HUGE: usize = 2 << 20;

/// Bytes that stay where they are.
#[derive(Debug)]
pub(super) struct Memory {
    ptr: NonNull<u8>,
    layout: Layout,
}

// SAFETY: plain bytes; who may touch them when is the device's business.
unsafe impl Send for Memory {}

impl Memory {
    /// `bytes` zeros, or `None` if the system refuses.
    pub(super) fn zeroed(bytes: usize) -> Option<Self> {
        let align = if bytes >= HUGE { HUGE } else { 64 };
        let layout = Layout::from_size_align(bytes.max(64), align).ok()?;
        // SAFETY: the size is not zero.
        let ptr = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        #[cfg(target_os = "linux")]
        if bytes >= HUGE {
            // SAFETY: the range is ours. A refusal only costs speed.
            unsafe { libc::madvise(ptr.as_ptr().cast(), bytes, libc::MADV_HUGEPAGE) };
        }
        Some(Self { ptr, layout })
    }

    /// Number of bytes.
    pub(super) fn len(&self) -> usize {
        self.layout.size()
    }

    /// Address of byte `at`.
    ///
    /// # Panics
    /// If `at..at + bytes` is not inside.
    pub(super) fn at(&self, at: usize, bytes: usize) -> *mut u8 {
        assert!(
            at.checked_add(bytes).is_some_and(|end| end <= self.len()),
            "{bytes} bytes at {at} of {}",
            self.len()
        );
        self.ptr.as_ptr().wrapping_add(at)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.ptr.as_ptr(), self.layout) }
    }
}

/// Bytes the system could still give without swapping, if it says.
pub(super) fn free_bytes() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
    line.split_whitespace().nth(1)?.parse::<usize>().ok()?.checked_mul(1024)
}

/// Bytes of memory this process occupies now, if the system says.
pub fn resident_bytes() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages = text.split_whitespace().nth(1)?.parse::<usize>().ok()?;
    // SAFETY: asks for a constant of the system.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    pages.checked_mul(usize::try_from(page).ok()?)
}
