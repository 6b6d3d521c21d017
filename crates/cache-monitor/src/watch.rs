//! What is noted of one cache. Events come from the paths of its operations: no lock here is held for long, and none is
//! shared by all events.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use cache_core::{
    Clock, Event, LinkStatus, LoadResult, Moment, Observer, ReadResult, Stats, Tier, Watched, WriteResult,
};
use parking_lot::Mutex;

use crate::history::{CacheHistory, Now, Totals, Track};
use crate::largest::Largest;
use crate::latency::{Latency, Measured};
use crate::memory::{Hashed, Memory};
use crate::sketch::Sketch;
use crate::slots::Slots;

/// Most series of a cache: kinds, operations, tiers and results that are measured apart.
pub(crate) const SERIES: usize = 48;
/// Most words that one kind of event is counted by.
const WORDS: usize = 16;

/// What a series is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    Store,
    Load,
    Write,
    Work,
}

/// Which series an event belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Series {
    pub(crate) kind: Kind,
    pub(crate) operation: &'static str,
    /// Empty where there is none.
    pub(crate) tier: &'static str,
    pub(crate) result: &'static str,
}

pub(crate) type Words = Slots<&'static str, AtomicU64>;

/// What is noted of one cache.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) name: String,
    pub(crate) attached_at: Moment,
    cache: Option<Weak<dyn Watched>>,
    /// The last that the cache said of itself, for when it is gone.
    stats: Mutex<Stats>,
    clock: Arc<dyn Clock>,
    slow_above: Arc<AtomicU64>,
    pub(crate) series: Slots<Series, Latency>,
    pub(crate) staleness: Latency,
    pub(crate) written: Written,
    pub(crate) invalidations: Words,
    pub(crate) refusals: Words,
    pub(crate) degradations: Words,
    pub(crate) misses: Words,
    pub(crate) first_misses: AtomicU64,
    pub(crate) links: AtomicU64,
    /// How long after they were stored expired keys were wanted again. In milliseconds where others have nanoseconds.
    pub(crate) wanted_after: Latency,
    pub(crate) memory: Memory,
    pub(crate) hot: Sketch,
    pub(crate) large: Largest,
    track: Mutex<Track>,
}

/// Sizes of what was written.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) values: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) stored_bytes: AtomicU64,
    pub(crate) compressed: AtomicU64,
    pub(crate) compressed_from: AtomicU64,
    pub(crate) compressed_to: AtomicU64,
}

/// How a watch is made.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) slow_above: Arc<AtomicU64>,
    pub(crate) keys: usize,
    pub(crate) shows_keys: bool,
}

impl Watch {
    pub(crate) fn new(name: String, cache: Option<Weak<dyn Watched>>, plan: &Plan) -> Self {
        let mut stats = Stats::default();
        stats.namespace.clone_from(&name);
        Self {
            name,
            attached_at: plan.clock.now(),
            cache,
            stats: Mutex::new(stats),
            clock: plan.clock.clone(),
            slow_above: plan.slow_above.clone(),
            series: Slots::new(SERIES),
            staleness: Latency::default(),
            written: Written::default(),
            invalidations: Slots::new(WORDS),
            refusals: Slots::new(WORDS),
            degradations: Slots::new(WORDS),
            misses: Slots::new(WORDS),
            first_misses: AtomicU64::new(0),
            links: AtomicU64::new(0),
            wanted_after: Latency::default(),
            memory: Memory::new(plan.keys),
            hot: Sketch::new(plan.shows_keys),
            large: Largest::new(plan.shows_keys),
            track: Mutex::new(Track::new(plan.clock.now())),
        }
    }

    /// The cache, if it still is there.
    pub(crate) fn cache(&self) -> Option<Arc<dyn Watched>> {
        self.cache.as_ref()?.upgrade()
    }

    /// What the cache says of itself, or said last.
    pub(crate) fn stats(&self) -> Stats {
        let now = self.cache().map(|cache| cache.stats());
        let mut last = self.stats.lock();
        if let Some(now) = now {
            *last = now;
        }
        last.clone()
    }

    /// Ends the step under way of its history, if it is time.
    pub(crate) fn end_step(&self, now: Now) {
        let mut track = self.track.lock();
        if track.is_due(now) {
            track.end_step(now, self.totals());
        }
    }

    pub(crate) fn history(&self, now: Now, after_unix_ms: u64) -> CacheHistory {
        self.end_step(now);
        let totals = self.totals();
        let track = self.track.lock();
        let (points, now) = (track.after(after_unix_ms), track.under_way(now, &totals));
        CacheHistory { cache: self.name.clone(), points, now }
    }

    fn totals(&self) -> Totals {
        let of = |is_wanted: fn(&Series) -> bool| {
            let mut sum = Measured::default();
            let series = self.series.iter().filter(|(series, _)| is_wanted(series));
            series.for_each(|(_, latency)| latency.add_to(&mut sum));
            sum
        };
        Totals {
            stats: self.stats(),
            in_memory: of(|series| series.kind == Kind::Read && series.tier == tier_word(Tier::Local)),
            past_memory: of(|series| series.kind == Kind::Read && series.tier != tier_word(Tier::Local)),
            store: of(|series| series.kind == Kind::Store),
        }
    }

    fn measure(
        &self,
        kind: Kind,
        operation: &'static str,
        tier: &'static str,
        result: &'static str,
    ) -> &Latency {
        self.series.get(Series { kind, operation, tier, result })
    }

    fn slow_above(&self) -> Duration {
        Duration::from_nanos(self.slow_above.load(Ordering::Relaxed))
    }

    fn read(&self, key: &str, status: cache_core::Status, result: ReadResult, stands_for: u32) {
        let (now, key) = (self.clock.coarse(), self.memory.hashed(key));
        self.hot.count(key.hash, key.key, stands_for);
        if result != ReadResult::Miss {
            return self.memory.found(key, now);
        }
        let missed = self.memory.missed(key, status, now);
        one(&self.misses, missed.reason.as_str());
        if missed.is_first {
            self.first_misses.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(after) = missed.wanted_after {
            let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            self.wanted_after.record(Duration::from_nanos(millis), 1, Duration::MAX);
        }
    }

    fn wrote(&self, key: Hashed<'_>, bytes: usize, stored: Option<usize>) {
        let add = |count: &AtomicU64, n: usize| count.fetch_add(n as u64, Ordering::Relaxed);
        add(&self.written.values, 1);
        add(&self.written.bytes, bytes);
        if let Some(stored) = stored {
            add(&self.written.stored_bytes, stored);
            // What is stored has a header as well, so it is only shorter if it was compressed.
            if stored < bytes {
                add(&self.written.compressed, 1);
                add(&self.written.compressed_from, bytes);
                add(&self.written.compressed_to, stored);
            }
        }
        self.large.written(key.hash, key.key, bytes as u64);
    }
}

fn one(words: &Words, word: &'static str) {
    words.get(word).fetch_add(1, Ordering::Relaxed);
}

impl Observer for Watch {
    fn event(&self, event: &Event<'_>) {
        match *event {
            Event::Read { key, operation, tier, result, status, stale_by, took, stands_for } => {
                let series = self.measure(Kind::Read, operation, tier_word(tier), read_word(result));
                series.record(took, stands_for, self.slow_above());
                if let Some(stale_by) = stale_by {
                    self.staleness.record(stale_by, 1, Duration::MAX);
                }
                self.read(key, status, result, stands_for);
            }
            Event::Load { result, took, .. } => {
                let result = match result {
                    LoadResult::Stored => "stored",
                    LoadResult::Fenced => "fenced",
                    LoadResult::NotKept => "not_kept",
                    LoadResult::Failed(_) => "failed",
                    _ => "other",
                };
                // A loader takes the time that its source takes, so it is not counted as slow.
                self.measure(Kind::Load, "load", "", result).record(took, 1, Duration::MAX);
            }
            Event::Write { key, operation, result, bytes, stored, fresh_for, took } => {
                self.measure(Kind::Write, operation, "", write_word(result)).record(
                    took,
                    1,
                    self.slow_above(),
                );
                let key = self.memory.hashed(key);
                if result != WriteResult::Failed {
                    self.wrote(key, bytes, stored);
                }
                self.memory.wrote(key, result, fresh_for, self.clock.coarse());
            }
            Event::Invalidate { operation, key } => {
                one(&self.invalidations, operation);
                self.memory.invalidated(
                    key.map(|key| self.memory.hashed(key)),
                    operation,
                    self.clock.coarse(),
                );
            }
            Event::Refused { key, reason } => {
                one(&self.refusals, reason);
                self.memory.refused(self.memory.hashed(key), reason, self.clock.coarse());
            }
            Event::Store { operation, took, error } => {
                let result = error.map_or("ok", cache_core::ErrorKind::as_str);
                self.measure(Kind::Store, operation, "", result).record(took, 1, self.slow_above());
            }
            Event::Degraded { operation, .. } => one(&self.degradations, operation),
            Event::Link { status: LinkStatus::Up } => {
                self.links.fetch_add(1, Ordering::Relaxed);
            }
            Event::Work { what, took, .. } => {
                self.measure(Kind::Work, what, "", "").record(took, 1, Duration::MAX);
            }
            _ => {}
        }
    }
}

fn tier_word(tier: Tier) -> &'static str {
    match tier {
        Tier::Local => "memory",
        Tier::Store => "store",
        Tier::Loader => "loader",
        _ => "other",
    }
}

fn read_word(result: ReadResult) -> &'static str {
    match result {
        ReadResult::Hit => "hit",
        ReadResult::Stale => "stale",
        ReadResult::Miss => "miss",
        _ => "other",
    }
}

fn write_word(result: WriteResult) -> &'static str {
    match result {
        WriteResult::Stored => "stored",
        WriteResult::Waiting => "waiting",
        WriteResult::Failed => "failed",
        _ => "other",
    }
}
