//! The words of the reference model: entries, marks, flights, and the plain rules about them.

use cache_core::ErrorKind;
use cache_tiered::Status;

use crate::op::{Ending, Handle, Keep, Key, Wish};

pub(crate) const DEFAULT_TTL: u64 = 30_000;
pub(crate) const NEGATIVE_WINDOW: u64 = 1_000;
/// The first load's; every later one has a millisecond more, so that no two loads end by time-out at one moment.
pub(crate) const LOAD_TIMEOUT: u64 = 20_000;

pub(crate) type CallId = usize;
pub(crate) type FlightId = usize;
pub(crate) type LoadId = usize;

/// Which tiers there are, and how many processes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) local: bool,
    pub(crate) store: bool,
    pub(crate) handles: usize,
}

/// What a call with a loader answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    One(Result<u64, ErrorKind>),
    Many(Result<Vec<Option<u64>>, ErrorKind>),
}

/// The value that the `n`th operation writes or loads for this key: no two are alike.
pub(crate) fn value_of(n: usize, key: Key) -> u64 {
    (n * 16 + key) as u64
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Which write it is.
    pub(crate) version: usize,
    pub(crate) value: u64,
    pub(crate) made_at: u64,
    pub(crate) fresh_until: u64,
    pub(crate) dead_at: u64,
    pub(crate) tags: u8,
    pub(crate) stamp: u64,
}

impl Entry {
    pub(crate) fn new(version: usize, value: u64, keep: &Keep, now: u64, stamp: u64) -> Self {
        let fresh_until = now + keep.fresh.unwrap_or(DEFAULT_TTL);
        let (dead_at, tags) = (fresh_until + keep.stale, keep.tags);
        Self { version, value, made_at: now, fresh_until, dead_at, tags, stamp }
    }
}

/// What is kept under a key.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Value(Entry),
    /// A load has claimed the key, in a store.
    Lease(FlightId),
}

#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) status: Status,
    /// Fresh or stale, and sound.
    pub(crate) entry: Option<Entry>,
}

/// The invalidations by tag and clear, all of them, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Marks(Vec<(u64, u8)>);

impl Marks {
    /// Every entry.
    pub(crate) const CLEAR: u8 = 0;

    pub(crate) fn now(&self) -> u64 {
        self.0.len() as u64
    }

    pub(crate) fn add(&mut self, mark: u8) {
        self.0.push((self.now() + 1, mark));
    }

    /// Whether a mark that came after `stamp`, and at `until` at the latest, concerns these tags.
    pub(crate) fn void(&self, tags: u8, stamp: u64, until: u64) -> bool {
        let concerns = |mark: u8| mark == Self::CLEAR || mark & tags != 0;
        self.0.iter().any(|&(at, mark)| at > stamp && at <= until && concerns(mark))
    }
}

/// A failed load that is remembered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub(crate) until: u64,
    pub(crate) kind: ErrorKind,
}

/// On what terms a flight's value is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Permit {
    /// None yet: another process has the lease.
    Waiting,
    /// If nobody invalidated the key.
    Local,
    /// If the lease is still there.
    Leased,
    /// If this version is still there.
    Over(usize),
}

/// A key that is being loaded by a process.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    pub(crate) handle: Handle,
    pub(crate) key: Key,
    pub(crate) load: LoadId,
    /// Whether callers join it.
    pub(crate) registered: bool,
    /// Whether the key was invalidated since it began.
    pub(crate) fenced: bool,
    /// It waited for another process's lease, during which the key was changed: whether it counts as fenced is open.
    pub(crate) waited: bool,
    pub(crate) permit: Permit,
    pub(crate) stamp: u64,
    pub(crate) waiters: Vec<Waiter>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiter {
    pub(crate) call: CallId,
    /// Which of the call's keys it waits for.
    pub(crate) part: usize,
    /// Where the marks stood when it asked.
    pub(crate) as_of: u64,
}

/// A run of a loader, for one key or for several.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// Whose loader it is.
    pub(crate) call: CallId,
    pub(crate) members: Vec<FlightId>,
    pub(crate) deadline: u64,
    pub(crate) started: bool,
    pub(crate) ending: Option<Ending>,
}

/// A call with a loader.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) handle: Handle,
    pub(crate) keys: Vec<Key>,
    pub(crate) batch: bool,
    pub(crate) wish: Wish,
    pub(crate) timeout: u64,
    /// What is known of its keys.
    pub(crate) parts: Vec<Option<Result<Option<u64>, ErrorKind>>>,
}

/// What comes of a flight.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Loaded(Entry),
    NotFound,
    Failed(ErrorKind),
}

/// What a process counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    pub(crate) hits: u64,
    pub(crate) stale: u64,
    pub(crate) misses: u64,
    pub(crate) started: u64,
    pub(crate) failed: u64,
    pub(crate) fenced: u64,
}
