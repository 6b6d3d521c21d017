//! Tier 1 for the engine: the same map, with entries that may be stale, vouched for and marked.

use std::fmt;
use std::sync::Arc;

use cache_core::{
    Clock, Error, Fill, FillToken, Filled, LocalEntry, LocalTier, LocalUsage, Moment, Problems, Value,
    Version,
};

use crate::engine::{After, Engine, Plan};
use crate::entry::Entry;
use crate::hash::Hashed;
use crate::limits;
use crate::shard::New;
use crate::walk::Walk;

/// A [`LocalTier`] in this process.
///
/// ```
/// use std::sync::Arc;
/// use cache_core::{LocalTier, Moment, SystemClock};
/// use cache_memory::MemoryTier;
///
/// let tier = MemoryTier::new(10_000, 100 << 20, Arc::new(SystemClock::new()))?;
/// assert!(tier.get_fresh(42, "session:1", Moment::START, 0).is_none());
/// # Ok::<(), cache_core::Error>(())
/// ```
pub struct MemoryTier {
    engine: Engine<Box<str>, Held>,
    clock: Arc<dyn Clock>,
}

struct Held {
    entry: LocalEntry,
    /// No mark up to here concerns the entry.
    vouched: u64,
}

impl Held {
    fn is_valid(&self, marks: u64) -> bool {
        let meta = &self.entry.meta;
        meta.tags.is_none() || meta.stamp.seq.max(self.vouched) >= marks
    }
}

impl MemoryTier {
    /// A tier of at most so many entries and so much weight in bytes, whose clock is the one of the engine.
    ///
    /// # Errors
    /// [`ErrorKind::Validation`](cache_core::ErrorKind::Validation) unless `max_entries` is 1 to
    /// [`MAX_ENTRIES`](crate::MAX_ENTRIES) and `max_weight` is at least 1.
    pub fn new(max_entries: usize, max_weight: u64, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let mut problems = Problems::default();
        limits::check(max_entries, max_weight, &mut problems);
        problems.validation()?;
        let shards = limits::shards(max_entries);
        let plan = Plan { max_entries, max_weight, shards, idle: None, listener: None };
        Ok(Self { engine: Engine::new(plan), clock })
    }

    /// Changes the entry under the lock, if it is of this version.
    fn edit_version<R>(
        &self,
        hash: u64,
        key: &str,
        version: &Version,
        change: impl FnOnce(&mut Held) -> R,
    ) -> Option<R> {
        let change = |held: &mut Held| {
            let done = (held.entry.meta.version == *version).then(|| change(held));
            (done, After::Keep)
        };
        self.engine.edit(Hashed(hash), is(key), false, change).flatten()
    }
}

fn alive_at(now: Moment) -> impl FnOnce(Moment) -> Option<Moment> {
    move |dead_at| (now < dead_at).then_some(now)
}

fn is(key: &str) -> impl Fn(&Box<str>) -> bool {
    move |held| **held == *key
}

impl LocalTier for MemoryTier {
    #[inline]
    fn get_fresh(&self, hash: u64, key: &str, now: Moment, marks: u64) -> Option<Value> {
        let pick = |held: &Held| {
            let fresh = now < held.entry.meta.fresh_until && held.is_valid(marks);
            fresh.then(|| held.entry.value.clone())
        };
        self.engine.read(Hashed(hash), is(key), alive_at(now), pick)
    }

    fn get(&self, hash: u64, key: &str, now: Moment) -> Option<LocalEntry> {
        let pick = |held: &Held| Some(held.entry.clone());
        self.engine.read(Hashed(hash), is(key), alive_at(now), pick)
    }

    fn token(&self, hash: u64) -> FillToken {
        self.engine.token(Hashed(hash))
    }

    fn insert(&self, hash: u64, key: &str, entry: LocalEntry, fill: Fill) -> Filled {
        let (expires, weight) = (entry.meta.dead_at, entry.weight);
        let new = New { key: key.into(), value: Held { entry, vouched: 0 }, expires, weight };
        self.engine.insert(Hashed(hash), new, fill, self.clock.coarse())
    }

    fn replace_value(&self, hash: u64, key: &str, version: &Version, value: Value) {
        // Swapped, so that whichever of the two is not needed is dropped after the lock is released.
        let mut value = value;
        self.edit_version(hash, key, version, |held| std::mem::swap(&mut held.entry.value, &mut value));
        drop(value);
    }

    fn vouch(&self, hash: u64, key: &str, version: &Version, marks: u64) {
        self.edit_version(hash, key, version, |held| held.vouched = held.vouched.max(marks));
    }

    fn expire(&self, hash: u64, key: &str, now: Moment) -> bool {
        let change = |held: &mut Held| {
            let meta = &mut held.entry.meta;
            let was_fresh = now < meta.fresh_until && now < meta.dead_at;
            if was_fresh {
                // Its stale time counts from the moment at which it stops being fresh.
                meta.dead_at = now + meta.dead_at.since(meta.fresh_until);
                // Past for every clock: a reader's coarse one may lag behind `now`.
                meta.fresh_until = Moment::START;
            }
            (was_fresh, if meta.dead_at <= now { After::Remove } else { After::KeepUntil(meta.dead_at) })
        };
        self.engine.edit(Hashed(hash), is(key), true, change).unwrap_or(false)
    }

    fn remove(&self, hash: u64, key: &str) -> bool {
        let now = self.clock.now();
        self.engine.remove(Hashed(hash), is(key), now).is_some_and(|entry| !entry.is_dead(now))
    }

    fn retire(&self) -> u64 {
        self.engine.retire()
    }

    fn for_each(&self, now: Moment, visit: &mut dyn FnMut(&str, &LocalEntry)) {
        let live = |held: &Entry<Box<str>, Held>| {
            (!held.is_dead(now)).then(|| (held.key.clone(), held.value.entry.clone()))
        };
        for (_, (key, entry)) in Walk::new(&self.engine, live) {
            visit(&key, &entry);
        }
    }

    fn usage(&self) -> LocalUsage {
        let counts = self.engine.counts();
        LocalUsage {
            entries: self.engine.len() as u64,
            max_entries: self.engine.budget().max().entries,
            weight: self.engine.budget().weight(),
            max_weight: self.engine.budget().max().weight,
            evicted: counts.evicted,
            expired: counts.expired,
        }
    }
}

impl fmt::Debug for MemoryTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTier").field("usage", &self.usage()).finish_non_exhaustive()
    }
}
