//! A small pool of threads that runs one job at a time.
//!
//! A job is a number of tasks and a function of the task's index. Tasks are
//! claimed from a counter, so a busy core slows nobody down; *what* a task
//! computes depends on its index alone, so results do not depend on how many
//! threads there are or which of them ran it.
//!
//! Workers that are asleep when a job starts may miss it entirely: the caller
//! works too, and waits only for workers that entered.

use std::cell::UnsafeCell;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, Thread};

/// Spins before a waiting thread goes to sleep: some tens of microseconds,
/// longer than the gap between two operations of a step.
const SPINS: u32 = 4_000;
const OPEN: usize = 1;
const ONE_ACTIVE: usize = 2;

type Task<'a> = &'a (dyn Fn(usize) + Sync);

struct Shared {
    /// Counts jobs; a change wakes the workers.
    epoch: AtomicU64,
    /// Bit 0: the job accepts workers. The rest: twice the number inside.
    state: AtomicUsize,
    next: AtomicUsize,
    /// Written only while `state` is zero, read only by those inside.
    job: UnsafeCell<(Option<Task<'static>>, usize)>,
    panicked: AtomicBool,
    stop: AtomicBool,
}

// SAFETY: `job` is written by the one caller while nobody is inside (`state` is
// zero) and read by workers only after they entered through `state`.
unsafe impl Sync for Shared {}

/// Threads that share the work of one operation.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    sleepers: Vec<Thread>,
    turn: Mutex<()>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("threads", &self.threads()).finish()
    }
}

impl Pool {
    /// A pool of `threads` threads, the caller counted in.
    pub fn new(threads: NonZeroUsize) -> Self {
        let shared = Arc::new(Shared {
            epoch: AtomicU64::new(0),
            state: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
            job: UnsafeCell::new((None, 0)),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let spawn = |idx: usize| {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name(format!("penname-{idx}")).spawn(move || work(&shared))
        };
        // A machine that refuses a thread still computes, with fewer.
        let workers: Vec<_> = (1..threads.get()).map_while(|idx| spawn(idx).ok()).collect();
        let sleepers = workers.iter().map(|w| w.thread().clone()).collect();
        Self { shared, workers, sleepers, turn: Mutex::new(()) }
    }

    /// Number of threads, the caller counted in.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs `task(0)` … `task(n_tasks - 1)`, in any order, and returns when all are done.
    ///
    /// # Panics
    /// If a task panics.
    pub fn run(&self, n_tasks: usize, task: impl Fn(usize) + Sync) {
        if n_tasks <= 1 || self.workers.is_empty() {
            (0..n_tasks).for_each(task);
            return;
        }
        let _turn = self.turn.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let shared = &*self.shared;
        // SAFETY: the borrow outlives its use: this function returns only after
        // the job is closed and every worker has left it.
        let task: Task<'static> = unsafe { std::mem::transmute::<Task<'_>, Task<'static>>(&task) };
        // SAFETY: `state` is zero, so nobody reads `job`.
        unsafe { *shared.job.get() = (Some(task), n_tasks) };
        shared.next.store(0, Ordering::Relaxed);
        shared.state.store(OPEN, Ordering::Release);
        shared.epoch.fetch_add(1, Ordering::Release);
        self.sleepers.iter().for_each(Thread::unpark);
        let close = Close(shared);
        claim(shared, task, n_tasks);
        drop(close);
        assert!(!shared.panicked.swap(false, Ordering::AcqRel), "a task of the thread pool panicked");
    }

    /// Splits `0..len` into chunks of at most `chunk` and runs `task` on each.
    ///
    /// The split depends on `len` and `chunk` only, never on the number of threads.
    pub fn for_chunks(&self, len: usize, chunk: usize, task: impl Fn(std::ops::Range<usize>) + Sync) {
        let chunk = chunk.max(1);
        self.run(len.div_ceil(chunk), |idx| task(idx * chunk..((idx + 1) * chunk).min(len)));
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.epoch.fetch_add(1, Ordering::Release);
        self.sleepers.iter().for_each(Thread::unpark);
        for worker in self.workers.drain(..) {
            // A worker catches the panics of its tasks, so joining cannot fail.
            let _ = worker.join();
        }
    }
}

/// Closes the job and waits for those inside, also when the caller's own task panics.
struct Close<'a>(&'a Shared);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.state.fetch_and(!OPEN, Ordering::AcqRel);
        let mut spins = 0;
        while self.0.state.load(Ordering::Acquire) != 0 {
            spins += 1;
            if spins < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
    }
}

fn claim(shared: &Shared, task: Task<'_>, n_tasks: usize) {
    loop {
        let idx = shared.next.fetch_add(1, Ordering::Relaxed);
        if idx >= n_tasks {
            return;
        }
        task(idx);
    }
}

fn enter(shared: &Shared) -> bool {
    let mut state = shared.state.load(Ordering::Acquire);
    while state & OPEN != 0 {
        match shared.state.compare_exchange_weak(
            state,
            state + ONE_ACTIVE,
            Ordering::AcqRel,
            Ordering::Acquire,
        ) {
            Ok(_) => return true,
            Err(now) => state = now,
        }
    }
    false
}

fn work(shared: &Shared) {
    let mut seen = 0;
    loop {
        seen = wait_for_news(shared, seen);
        if shared.stop.load(Ordering::Acquire) {
            return;
        }
        if !enter(shared) {
            continue;
        }
        // SAFETY: inside, so the job stays until this thread leaves.
        let (task, n_tasks) = unsafe { *shared.job.get() };
        if let Some(task) = task {
            let run = std::panic::AssertUnwindSafe(|| claim(shared, task, n_tasks));
            if std::panic::catch_unwind(run).is_err() {
                shared.panicked.store(true, Ordering::Release);
            }
        }
        shared.state.fetch_sub(ONE_ACTIVE, Ordering::AcqRel);
    }
}

fn wait_for_news(shared: &Shared, seen: u64) -> u64 {
    let mut spins = 0;
    loop {
        let now = shared.epoch.load(Ordering::Acquire);
        if now != seen {
            return now;
        }
        spins += 1;
        if spins < SPINS { std::hint::spin_loop() } else { std::thread::park() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(threads: usize) -> Pool {
        Pool::new(NonZeroUsize::new(threads).unwrap())
    }

    #[test]
    fn every_task_runs_once() {
        for threads in [1, 2, 5] {
            let pool = pool(threads);
            for n in [0, 1, 2, 7, 1000] {
                let hits: Vec<AtomicUsize> = (0..n).map(|_| AtomicUsize::new(0)).collect();
                pool.run(n, |idx| {
                    hits[idx].fetch_add(1, Ordering::Relaxed);
                });
                assert!(hits.iter().all(|h| h.load(Ordering::Relaxed) == 1), "{threads} threads, {n} tasks");
            }
        }
    }

    #[test]
    fn many_short_jobs_do_not_mix() {
        let pool = pool(4);
        for round in 0..2000_usize {
            let sum = AtomicUsize::new(0);
            pool.run(9, |idx| {
                sum.fetch_add(idx + round, Ordering::Relaxed);
            });
            assert_eq!(sum.into_inner(), 36 + 9 * round);
        }
    }

    #[test]
    fn chunks_cover_the_range() {
        let seen = Mutex::new(Vec::new());
        pool(3).for_chunks(10, 4, |range| seen.lock().unwrap().push(range));
        let mut seen = seen.into_inner().unwrap();
        seen.sort_by_key(|r| r.start);
        assert_eq!(seen, [0..4, 4..8, 8..10]);
    }

    #[test]
    fn a_panicking_task_reaches_the_caller_and_the_pool_survives() {
        let pool = pool(3);
        let run = std::panic::AssertUnwindSafe(|| pool.run(64, |idx| assert_ne!(idx, 40)));
        assert!(std::panic::catch_unwind(run).is_err());
        let count = AtomicUsize::new(0);
        pool.run(8, |_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.into_inner(), 8);
    }
}
