//! One time for all processes of a machine, and what the machine does to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use cache_core::{Clock, Moment, Sleep, SystemClock, Timer};
use cache_factory::TokioTimer;
use cache_testkit::redis::{Connection, RedisServer};
use parking_lot::Mutex;

use crate::log::Span;

const PACE: Duration = Duration::from_millis(1);
/// What a thread may be late without it being called a stall: nanoseconds.
const LATE: u64 = 1_000_000;

/// Nanoseconds of the system's monotonic clock, which all processes share.
pub(crate) fn now() -> u64 {
    SystemClock::new().now().as_nanos()
}

/// A duration in nanoseconds.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Sleeps until a time of [`now`], on this thread.
pub(crate) fn sleep_until(at: u64) {
    thread::sleep(Duration::from_nanos(at.saturating_sub(now())));
}

/// A thread that does nothing but look whether it is let run, and whether the kernel's coarse clock keeps up.
pub(crate) struct Control {
    ended: Arc<AtomicBool>,
    stalls: Arc<Mutex<Vec<Span>>>,
    coarse_lag: Arc<AtomicU64>,
}

impl Control {
    pub(crate) fn start() -> Self {
        let control = Self { ended: Arc::default(), stalls: Arc::default(), coarse_lag: Arc::default() };
        let (ended, stalls) = (Arc::clone(&control.ended), Arc::clone(&control.stalls));
        let lag = Arc::clone(&control.coarse_lag);
        thread::spawn(move || {
            let clock = SystemClock::new();
            while !ended.load(Ordering::Relaxed) {
                let due = now() + nanos(PACE);
                thread::sleep(PACE);
                let coarse = clock.coarse().as_nanos();
                let woke = now();
                lag.fetch_max(woke.saturating_sub(coarse), Ordering::Relaxed);
                if woke > due + LATE {
                    stalls.lock().push(Span { from: due, to: woke });
                }
            }
        });
        control
    }

    /// When this process did not run although it wanted to, and how far the coarse clock lagged at most.
    pub(crate) fn end(self) -> (Vec<Span>, u64) {
        self.ended.store(true, Ordering::Relaxed);
        (std::mem::take(&mut self.stalls.lock()), self.coarse_lag.load(Ordering::Relaxed))
    }
}

/// A thread that asks the server directly, again and again, and notes when it was kept waiting: the server is a process of
/// this machine, too.
pub(crate) struct Pinging {
    ended: Arc<AtomicBool>,
    waits: Arc<Mutex<Vec<Span>>>,
}

impl Pinging {
    pub(crate) fn start(server: Arc<RedisServer>) -> Self {
        let pinging = Self { ended: Arc::default(), waits: Arc::default() };
        let (ended, waits) = (Arc::clone(&pinging.ended), Arc::clone(&pinging.waits));
        thread::spawn(move || {
            let mut connection = None;
            while !ended.load(Ordering::Relaxed) {
                thread::sleep(PACE);
                let from = now();
                let answered = match connection.as_mut() {
                    Some(link) => Connection::command(link, &["PING"]).is_ok(),
                    None => false,
                };
                if !answered {
                    connection = server.connect().ok();
                }
                let to = now();
                if to > from + LATE {
                    waits.lock().push(Span { from, to });
                }
            }
        });
        pinging
    }

    pub(crate) fn end(self) -> Vec<Span> {
        self.ended.store(true, Ordering::Relaxed);
        std::mem::take(&mut self.waits.lock())
    }
}

/// A timer whose wall clock jumps by up to a day, forth and back, at each look. Its monotonic clock is the system's.
#[derive(Debug)]
pub(crate) struct Jumping {
    inner: TokioTimer,
    state: AtomicI64,
}

impl Jumping {
    pub(crate) fn new() -> Self {
        Self { inner: TokioTimer::new(), state: AtomicI64::new(1) }
    }
}

impl Clock for Jumping {
    fn now(&self) -> Moment {
        self.inner.now()
    }

    fn coarse(&self) -> Moment {
        self.inner.coarse()
    }

    fn coarse_error(&self) -> Duration {
        self.inner.coarse_error()
    }

    fn unix_millis(&self) -> u64 {
        const DAY: i64 = 86_400_000;
        let step = self.state.fetch_add(7_919, Ordering::Relaxed).wrapping_mul(104_729) % DAY;
        self.inner.unix_millis().saturating_add_signed(if step % 2 == 0 { step } else { -step })
    }

    fn suspended(&self) -> Duration {
        self.inner.suspended()
    }
}

impl Timer for Jumping {
    fn sleep_until(&self, at: Moment) -> Sleep {
        self.inner.sleep_until(at)
    }
}
