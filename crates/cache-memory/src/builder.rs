//! The settings of a cache.

use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Clock, Error, Problems, Ttl};

use crate::cache::{MemoryCache, Settings};
use crate::engine::{Engine, Plan};
use crate::entry::Entry;
use crate::garbage::{Listener, RemovalCause};
use crate::hasher::KeyHasher;
use crate::limits;
use crate::slab::Slab;
use crate::time::Time;

const DEFAULT_MAX_ENTRIES: usize = 1000;
const DEFAULT_TTL: Duration = Duration::from_secs(3600);
const DEFAULT_MAX_WEIGHT: u64 = 100 << 20;
/// What index and ghosts keep of an entry beside its slot, in bytes: about, because an index that has just grown takes
/// twice what a full one does, and that is eight.
const INDEX_WEIGHT: u64 = 16;

pub(crate) type Weigher<K, V> = Box<dyn Fn(&K, &V) -> u64 + Send + Sync>;

/// Settings of a [`MemoryCache`]; each has a default. Made by [`MemoryCache::builder`].
///
/// ```
/// use std::time::Duration;
/// use cache_memory::MemoryCache;
///
/// let builder = MemoryCache::<u32, String>::builder()
///     .max_entries(10_000)
///     .max_weight(8 << 20)
///     .weigher(|_, text| text.capacity() as u64 + 60)
///     .default_ttl(Duration::from_secs(300));
/// assert_eq!(builder.build()?.capacity(), 10_000);
///
/// let wrong = MemoryCache::<u32, String>::builder().max_entries(0).max_weight(0).build();
/// assert!(wrong.unwrap_err().message().starts_with("2 problems: "));
/// # Ok::<(), cache_core::Error>(())
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct MemoryCacheBuilder<K, V> {
    max_entries: usize,
    max_weight: Option<u64>,
    weigher: Option<Weigher<K, V>>,
    default_ttl: Duration,
    clock: Option<Arc<dyn Clock>>,
    hasher: KeyHasher,
    shards: Option<usize>,
    time_to_idle: Option<Duration>,
    listener: Option<Listener<K, V>>,
    types: PhantomData<fn(K) -> V>,
}

impl<K: Hash + Eq, V> MemoryCacheBuilder<K, V> {
    pub(crate) fn new() -> Self {
        Self {
            max_entries: DEFAULT_MAX_ENTRIES,
            max_weight: None,
            weigher: None,
            default_ttl: DEFAULT_TTL,
            clock: None,
            hasher: KeyHasher::random(),
            shards: None,
            time_to_idle: None,
            listener: None,
            types: PhantomData,
        }
    }

    /// Most entries, 1 to [`MAX_ENTRIES`](crate::MAX_ENTRIES); 1000 by default.
    pub fn max_entries(mut self, max_entries: usize) -> Self {
        self.max_entries = max_entries;
        self
    }

    /// Most weight, in the weigher's unit (bytes): 1 and up.
    ///
    /// By default 100 MiB or, if that is more, what `max_entries` entries weigh without what they point to.
    pub fn max_weight(mut self, max_weight: u64) -> Self {
        self.max_weight = Some(max_weight);
        self
    }

    /// Tells the weight of an entry in bytes: an estimate of all the memory it takes. Called once an insert, with no
    /// lock held; use saturating sums. 0 is allowed: such an entry is bounded by `max_entries` alone.
    ///
    /// By default an entry weighs what it takes in the map itself. That leaves out the heap that keys and values point
    /// to, so give a weigher where they are not all alike.
    pub fn weigher(mut self, weigher: impl Fn(&K, &V) -> u64 + Send + Sync + 'static) -> Self {
        self.weigher = Some(Box::new(weigher));
        self
    }

    /// The TTL of entries that are inserted without one, 1 ms to 365 days; one hour by default.
    pub fn default_ttl(mut self, default_ttl: Duration) -> Self {
        self.default_ttl = default_ttl;
        self
    }

    /// Where the time comes from; the system's clock by default.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Hashes keys from this start value, so that a test sees the same evictions again. Random by default, so that
    /// nobody can aim keys at one place.
    pub fn seed(mut self, seed: u64) -> Self {
        self.hasher = KeyHasher::fixed(seed);
        self
    }

    /// Divides the entries among this many locks, a power of two from 1 to `max_entries`. By default one for each 125 entries
    /// and at most four for each core. `max_entries` is one bound for all of them.
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = Some(shards);
        self
    }

    /// Ends entries that nobody has read for so long, 1 ms to 365 days, even if their TTL is not over. Off by default,
    /// because every hit then writes to its entry.
    ///
    /// Idle time is measured by the clock's coarse side: a read can count as earlier than it was by up to
    /// [`Clock::coarse_error`], mostly a few milliseconds.
    pub fn time_to_idle(mut self, time_to_idle: Duration) -> Self {
        self.time_to_idle = Some(time_to_idle);
        self
    }

    /// Told of every entry that is no longer held, and why: after the fact, in the thread of the call that let it go,
    /// with no lock held, so it may call the cache. Of an entry that expired or was retired it is told when its memory is
    /// given back: by inserts that come upon it, by `remove_expired` or `clear`.
    /// Entries that are held or retired when the cache itself is dropped are not told of.
    ///
    /// Do not answer an eviction by an insert into the same cache: that evicts the next entry, of which the listener is
    /// told inside itself, and so on until the stack is full.
    ///
    /// A panic in it is caught and has no effect on the call or on the next telling.
    pub fn on_removal(mut self, listener: impl Fn(&K, &V, RemovalCause) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    /// Makes the cache.
    ///
    /// # Errors
    /// [`ErrorKind::Validation`](cache_core::ErrorKind::Validation) that lists every setting that is out of range.
    pub fn build(self) -> Result<MemoryCache<K, V>, Error> {
        let own_weight = Slab::<Entry<K, V>>::SLOT as u64 + INDEX_WEIGHT;
        let max_weight = self
            .max_weight
            .unwrap_or_else(|| DEFAULT_MAX_WEIGHT.max(own_weight.saturating_mul(self.max_entries as u64)));
        let mut problems = Problems::default();
        limits::check(self.max_entries, max_weight, &mut problems);
        let default_ttl = problems.take(Ttl::new(self.default_ttl)).unwrap_or(Ttl::MAX);
        if let Some(Err(_)) = self.time_to_idle.map(Ttl::new) {
            problems.check(false, || {
                format!(
                    "time_to_idle: {:?} given, 1 ms to 365 days allowed",
                    self.time_to_idle.unwrap_or_default()
                )
            });
        }
        if let Some(shards) = self.shards {
            problems.check(shards.is_power_of_two() && shards <= self.max_entries, || {
                format!("shards: {shards} given, a power of two up to max_entries allowed")
            });
        }
        problems.validation()?;
        let shards = self.shards.unwrap_or_else(|| limits::shards(self.max_entries));
        let settings = Settings {
            clock: Time::new(self.clock),
            default_ttl,
            weigher: self.weigher.unwrap_or_else(|| Box::new(move |_, _| own_weight)),
            hasher: self.hasher,
        };
        let plan = Plan {
            max_entries: self.max_entries,
            max_weight,
            shards,
            idle: self.time_to_idle,
            listener: self.listener,
        };
        Ok(MemoryCache::from_parts(Engine::new(plan), settings))
    }
}

impl<K, V> fmt::Debug for MemoryCacheBuilder<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCacheBuilder")
            .field("max_entries", &self.max_entries)
            .field("max_weight", &self.max_weight)
            .field("default_ttl", &self.default_ttl)
            .field("shards", &self.shards)
            .field("time_to_idle", &self.time_to_idle)
            .finish_non_exhaustive()
    }
}
