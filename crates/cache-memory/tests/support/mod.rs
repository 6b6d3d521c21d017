//! A clock that stands still until it is told to go on, and entries of tier 1.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    reason = "each test file uses a part of it"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cache_core::{Clock, LocalEntry, Meta, Moment, Stamp, Value, VersionSource};

/// The coarse time lags behind by [`LAG`], as far as it says that it may, or not at all.
#[derive(Debug, Default)]
pub struct TestClock {
    nanos: AtomicU64,
    is_sharp: bool,
}

pub const LAG: Duration = Duration::from_millis(4);

impl TestClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { nanos: AtomicU64::new(1_000_000_000), is_sharp: false })
    }

    /// A clock whose coarse time is exact, although it does not promise that.
    pub fn sharp() -> Arc<Self> {
        Arc::new(Self { nanos: AtomicU64::new(1_000_000_000), is_sharp: true })
    }

    pub fn advance(&self, by: Duration) {
        self.nanos.fetch_add(u64::try_from(by.as_nanos()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Moment {
        Moment::from_nanos(self.nanos.load(Ordering::SeqCst))
    }

    fn coarse(&self) -> Moment {
        if self.is_sharp { self.now() } else { self.now().before(LAG) }
    }

    fn coarse_error(&self) -> Duration {
        LAG
    }

    fn unix_millis(&self) -> u64 {
        0
    }

    fn suspended(&self) -> Duration {
        Duration::ZERO
    }
}

/// An entry that is fresh and alive until these moments.
pub fn entry(value: u64, fresh_until: Moment, dead_at: Moment) -> LocalEntry {
    LocalEntry {
        value: Value::typed(Arc::new(value)),
        meta: Meta {
            fresh_until,
            dead_at,
            made_at: Moment::START,
            stamp: Stamp::default(),
            tags: None,
            version: VersionSource::new().value(),
            schema: None,
            cost: Duration::ZERO,
            local_only: false,
        },
        weight: 100,
    }
}

pub fn number(value: Value) -> u64 {
    *value.downcast::<u64>().unwrap()
}

/// Runs `act` on a thread of its own and panics if it does not end: a lock waits for ever, a test must not.
pub fn within_bounds(act: impl FnOnce() + Send + 'static) {
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        act();
        done.send(()).unwrap();
    });
    ended.recv_timeout(Duration::from_secs(30)).expect("it panicked, or a lock was held");
}
