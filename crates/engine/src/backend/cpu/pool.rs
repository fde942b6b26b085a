//! A small pool of threads that runs one job at a time.
//!
//! ```text
//!             tasks 0 ‥ n                        seat 0: the caller
//!  ┌───────────┬───────────┬───────────┐         seat 1, 2, …: workers
//!  │ share 0   │ share 1   │ share 2   │
//!  └───────────┴───────────┴───────────┘   each seat takes its own share first,
//!    next ──→    next ──→    next ──→      then helps with what others left
//! ```
//!
//! A job is a number of tasks and a function of the task's index. *What* a task
//! computes depends on its index alone, so results do not depend on how many
//! threads there are or which of them ran it. *Who* computes it is mostly the
//! same from job to job: what a thread has in its cache it finds again, and a
//! counter that nobody else touches costs nothing. A thread that the system
//! has put aside slows nobody down, because the others help.
//!
//! A job is handed over by one store that waiting workers see within a few
//! hundred cycles; decoding hands over some four hundred of them for every
//! token. Nothing is allocated. Workers look out for the next job for some tens
//! of microseconds and then sleep, so a program that waits for a person burns
//! nothing. A worker that is asleep when a job opens is woken, and may miss it:
//! the caller works too, and waits only for workers that came in.

use std::cell::UnsafeCell;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, Thread};

/// Looks at the board before a waiting thread goes to sleep: some tens of
/// microseconds, longer than the gap between two operations of a step.
const SPINS: u32 = 4_000;
/// Low bits of the board: how many seats the open job has shares for, zero between jobs.
const SHARES: u32 = 16;
/// The most seats there are.
const MOST: usize = (1 << SHARES) - 1;

type Task<'a> = &'a (dyn Fn(usize) + Sync);

/// What one thread writes, on cache lines of its own (processors fetch them in pairs).
#[repr(align(128))]
#[derive(Default)]
struct Seat {
    /// The next task of this seat's share.
    next: AtomicUsize,
    /// Whether the worker may be looking at the job.
    inside: AtomicBool,
    /// Whether the worker sleeps, or is about to.
    asleep: AtomicBool,
}

/// The open job.
#[derive(Clone, Copy)]
struct Job {
    task: Task<'static>,
    n_tasks: usize,
}

struct Shared {
    /// Changes when a job opens or closes: a count, and below it the number of shares.
    board: AtomicU64,
    /// Written only while no job is open and nobody is inside.
    job: UnsafeCell<Option<Job>>,
    seats: Box<[Seat]>,
    n_asleep: AtomicUsize,
    panicked: AtomicBool,
    stop: AtomicBool,
}

// SAFETY: `job` is written by the one caller while nobody is inside, and read by
// workers only while they are inside and have seen that a job is open.
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
        let n_seats = threads.get().min(MOST);
        let shared = Arc::new(Shared {
            board: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            seats: (0..n_seats).map(|_| Seat::default()).collect(),
            n_asleep: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let spawn = |seat: usize| {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name(format!("penname-{seat}")).spawn(move || shared.work(seat))
        };
        // A machine that refuses a thread still computes, with fewer.
        let workers: Vec<_> = (1..n_seats).map_while(|seat| spawn(seat).ok()).collect();
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
        // SAFETY: the borrow outlives its use: this function returns only after
        // the job is closed and every worker has left it.
        let task: Task<'static> = unsafe { std::mem::transmute::<Task<'_>, Task<'static>>(&task) };
        let job = Job { task, n_tasks };
        let shares = self.threads().min(n_tasks);
        let close = self.open(job, shares);
        self.shared.take_part(job, 0, shares);
        drop(close);
        let panicked = self.shared.panicked.swap(false, Ordering::AcqRel);
        assert!(!panicked, "a task of the thread pool panicked");
    }

    /// Puts a job on the board; it is closed when the result is dropped.
    fn open(&self, job: Job, shares: usize) -> Close<'_> {
        let shared = &*self.shared;
        // SAFETY: no job is open and the last one waited for everybody inside.
        unsafe { *shared.job.get() = Some(job) };
        for (seat, place) in shared.seats[..shares].iter().enumerate() {
            place.next.store(share(job.n_tasks, shares, seat).start, Ordering::Relaxed);
        }
        let count = (shared.board.load(Ordering::Relaxed) >> SHARES) + 1;
        // In one order with what workers do before they sleep and when they come in.
        shared.board.store(count << SHARES | shares as u64, Ordering::SeqCst);
        if shared.n_asleep.load(Ordering::SeqCst) > 0 {
            let places = shared.seats[1..shares].iter().zip(&self.sleepers);
            places.filter(|(seat, _)| seat.asleep.load(Ordering::Relaxed)).for_each(|(_, one)| one.unpark());
        }
        Close { shared, shares }
    }

    /// Splits `0..len` into chunks of at most `chunk` and runs `task` on each.
    ///
    /// The split depends on `len` and `chunk` only, never on the number of threads.
    pub fn for_chunks(&self, len: usize, chunk: usize, task: impl Fn(Range<usize>) + Sync) {
        let chunk = chunk.max(1);
        self.run(len.div_ceil(chunk), |idx| task(idx * chunk..((idx + 1) * chunk).min(len)));
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.board.fetch_add(1 << SHARES, Ordering::SeqCst);
        self.sleepers.iter().for_each(Thread::unpark);
        for worker in self.workers.drain(..) {
            // A worker catches the panics of its tasks, so joining cannot fail.
            let _ = worker.join();
        }
    }
}

/// Closes the job and waits for those inside, also when the caller's own task panics.
struct Close<'a> {
    shared: &'a Shared,
    shares: usize,
}

impl Drop for Close<'_> {
    fn drop(&mut self) {
        let board = self.shared.board.load(Ordering::Relaxed);
        // A worker is inside before it looks at the board: either it sees that
        // the job is closed, or it is seen here.
        self.shared.board.store(((board >> SHARES) + 1) << SHARES, Ordering::SeqCst);
        for seat in &self.shared.seats[1..self.shares] {
            let mut spins = 0;
            while seat.inside.load(Ordering::SeqCst) {
                spins += 1;
                if spins < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
            }
        }
    }
}

/// The tasks that are a seat's own.
fn share(n_tasks: usize, shares: usize, seat: usize) -> Range<usize> {
    n_tasks * seat / shares..n_tasks * (seat + 1) / shares
}

impl Shared {
    /// Does a seat's own share, then what is left of the others'.
    fn take_part(&self, job: Job, seat: usize, shares: usize) {
        for other in (seat..shares).chain(0..seat) {
            let end = share(job.n_tasks, shares, other).end;
            let next = &self.seats[other].next;
            // Looking before taking leaves the counter of a share that is done in everybody's cache.
            while next.load(Ordering::Relaxed) < end {
                let idx = next.fetch_add(1, Ordering::Relaxed);
                if idx < end {
                    (job.task)(idx);
                }
            }
        }
    }

    fn work(&self, seat: usize) {
        let (mut seen, mut spins) = (0, 0);
        while !self.stop.load(Ordering::Acquire) {
            let now = self.board.load(Ordering::Acquire);
            if now == seen {
                spins += 1;
                if spins < SPINS {
                    std::hint::spin_loop();
                } else {
                    self.sleep(seat, seen);
                    // Woken too late for one job is in time for the next.
                    spins = 0;
                }
                continue;
            }
            seen = now;
            // A worker that has no share for long goes to sleep as if there were no jobs.
            if seat < shares_of(now) && self.come_in(seat) {
                spins = 0;
            }
        }
    }

    /// Takes part in the open job, if there is one by then and it has a share for this seat.
    fn come_in(&self, seat: usize) -> bool {
        let inside = &self.seats[seat].inside;
        inside.store(true, Ordering::SeqCst);
        let shares = shares_of(self.board.load(Ordering::SeqCst));
        let has_share = seat < shares;
        if has_share {
            // SAFETY: inside and a job is open, so it stays until this thread leaves.
            let job = unsafe { *self.job.get() };
            let run = || job.into_iter().for_each(|job| self.take_part(job, seat, shares));
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err() {
                self.panicked.store(true, Ordering::Release);
            }
        }
        inside.store(false, Ordering::Release);
        has_share
    }

    /// Sleeps until woken, unless the board changed since it was `seen`.
    fn sleep(&self, seat: usize, seen: u64) {
        self.seats[seat].asleep.store(true, Ordering::Relaxed);
        self.n_asleep.fetch_add(1, Ordering::SeqCst);
        // Whoever opens a job after this look sees that somebody sleeps.
        if self.board.load(Ordering::SeqCst) == seen {
            std::thread::park();
        }
        self.n_asleep.fetch_sub(1, Ordering::SeqCst);
        self.seats[seat].asleep.store(false, Ordering::Relaxed);
    }
}

/// How many seats have a share of the job on the board.
fn shares_of(board: u64) -> usize {
    board as usize & MOST
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
    fn those_who_sleep_are_woken() {
        let pool = pool(3);
        for _ in 0..3 {
            while pool.shared.n_asleep.load(Ordering::SeqCst) < 2 {
                std::thread::yield_now();
            }
            // No thread can do two of these: each waits for the others.
            let meeting = std::sync::Barrier::new(3);
            pool.run(3, |_| {
                meeting.wait();
            });
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
