//! Zeroed memory on cache lines, in huge pages where the system gives them.
//!
//! An arena is a gigabyte that operations walk through in strides. In pages of
//! 4 KiB every row is another page, and looking up where it lies costs more than
//! reading it, twice so in a virtual machine. Memory must be asked for in huge
//! pages before it is touched: an allocator that clears what it hands out has
//! touched it already, so large pieces come from the system itself, which clears
//! a page when somebody first writes to it, on the core that does.

use memmap2::MmapMut;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes of a huge page; from this size on memory is mapped.
const HUGE: usize = 2 << 20;
/// Bytes of a cache line.
const LINE: usize = 64;

/// Bytes that stay where they are.
#[derive(Debug)]
pub(super) struct Memory {
    ptr: NonNull<u8>,
    len: usize,
    /// What `ptr` points into if it was mapped; otherwise it was allocated by itself.
    map: Option<MmapMut>,
    /// Whether what is here counts as zeros, though nobody has written them yet.
    counts_as_zeros: AtomicBool,
}

// SAFETY: plain bytes; who may touch them when is the device's business.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// `bytes` zeros, or `None` if the system refuses.
    pub(super) fn zeroed(bytes: usize) -> Option<Self> {
        if bytes < HUGE { Self::allocated(bytes.max(LINE)) } else { Self::mapped(bytes) }
    }

    fn layout(bytes: usize) -> Option<Layout> {
        Layout::from_size_align(bytes, LINE).ok()
    }

    fn allocated(len: usize) -> Option<Self> {
        // SAFETY: the size is not zero.
        let ptr = NonNull::new(unsafe { alloc_zeroed(Self::layout(len)?) })?;
        Some(Self { ptr, len, map: None, counts_as_zeros: AtomicBool::new(false) })
    }

    fn mapped(len: usize) -> Option<Self> {
        // Pages that nobody touches take no room: what is cut off before the first huge page is free.
        let mut map = MmapMut::map_anon(len.checked_add(HUGE)?).ok()?;
        let start = map.as_ptr().align_offset(HUGE);
        // The end that does not fill a huge page stays in small ones. A refusal only costs speed.
        #[cfg(target_os = "linux")]
        let _ = map.advise_range(memmap2::Advice::HugePage, start, len / HUGE * HUGE);
        let ptr = NonNull::new(map.as_mut_ptr().wrapping_add(start))?;
        Some(Self { ptr, len, map: Some(map), counts_as_zeros: AtomicBool::new(false) })
    }

    /// Number of bytes.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// From here on all of it counts as zeros. They are written when somebody looks, unless what comes
    /// first is a sum, which then starts from nothing and asks with [`Memory::take_zeros`]:
    /// gradients of a whole model are half a gigabyte that would be written and read for nothing.
    ///
    /// False if the memory is too small to be worth it, and then nothing has changed.
    pub(super) fn count_as_zeros(&self) -> bool {
        self.counts_as_zeros.store(self.map.is_some(), Ordering::Relaxed);
        self.map.is_some()
    }

    /// Whether this counted as zeros until now. From here on it does not: who asks writes all of it.
    pub(super) fn take_zeros(&self) -> bool {
        self.counts_as_zeros.swap(false, Ordering::Relaxed)
    }

    /// Address of byte `at`.
    ///
    /// # Panics
    /// If `at..at + bytes` is not inside.
    pub(super) fn at(&self, at: usize, bytes: usize) -> *mut u8 {
        if self.take_zeros() {
            // SAFETY: the whole of it is ours, and one operation runs at a time.
            unsafe { self.ptr.as_ptr().write_bytes(0, self.len) };
        }
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
        if let (None, Some(layout)) = (&self.map, Self::layout(self.len)) {
            // SAFETY: allocated with this layout.
            unsafe { dealloc(self.ptr.as_ptr(), layout) }
        }
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
