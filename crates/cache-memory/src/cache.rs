//! The map as its users see it.

use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use cache_core::{Error, ErrorKind, Fill, FillToken, Filled, Moment, Tally, Ttl};

use crate::builder::{MemoryCacheBuilder, Weigher};
use crate::engine::Engine;
use crate::flight::Flights;
use crate::hash::Hashed;
use crate::hasher::KeyHasher;
use crate::options::EntryOptions;
use crate::shard::New;
use crate::stats::MemoryStats;
use crate::time::Time;

const HIT: usize = 0;
const MISS: usize = 1;

/// A bounded, concurrent map whose entries have a TTL and a weight.
///
/// It never holds more entries or more weight than it was made for, and never serves an entry whose time is over.
/// When it is full, two queues whose border moves decide what goes. Share it by reference or in an
/// [`Arc`](std::sync::Arc); every method takes `&self` and does no I/O, and what concerns one key is quick. Locks are held for the
/// time of one look-up, never while a value or key of yours is dropped.
///
/// ```
/// use std::time::Duration;
/// use cache_memory::MemoryCache;
///
/// let cache: MemoryCache<String, u64> = MemoryCache::new(1000)?;
/// cache.insert("visits".to_owned(), 1, Duration::from_secs(60))?;
/// assert_eq!(cache.get("visits"), Some(1));
/// assert_eq!(cache.remove("visits"), Some(1));
/// # Ok::<(), cache_core::Error>(())
/// ```
///
/// A panic in your code (`Hash`, `Eq`, `Clone`, `Drop`, the weigher, a closure) passes through and leaves the map whole.
pub struct MemoryCache<K, V> {
    pub(crate) engine: Engine<K, V>,
    pub(crate) settings: Settings<K, V>,
    pub(crate) flights: Flights<K, V>,
    /// Hits and misses.
    reads: Tally<2>,
}

pub(crate) struct Settings<K, V> {
    pub(crate) clock: Time,
    pub(crate) default_ttl: Ttl,
    pub(crate) weigher: Weigher<K, V>,
    pub(crate) hasher: KeyHasher,
}

impl<K: Hash + Eq, V> MemoryCache<K, V> {
    /// A cache of at most this many entries, with a default TTL of one hour and otherwise the defaults of the
    /// [builder](MemoryCache::builder).
    ///
    /// # Errors
    /// [`ErrorKind::Validation`] unless it is 1 to [`MAX_ENTRIES`](crate::MAX_ENTRIES).
    pub fn new(max_entries: usize) -> Result<Self, Error> {
        Self::builder().max_entries(max_entries).build()
    }

    /// Settings for a cache, each with a default.
    pub fn builder() -> MemoryCacheBuilder<K, V> {
        MemoryCacheBuilder::new()
    }

    pub(crate) fn from_parts(engine: Engine<K, V>, settings: Settings<K, V>) -> Self {
        Self { engine, settings, flights: Flights::new(), reads: Tally::default() }
    }

    /// A clone of the key's value, if it is held and its time is not over. Make `V` an [`Arc`](std::sync::Arc) where cloning is dear:
    /// `clone` runs under the lock of the key's shard.
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        V: Clone,
    {
        self.get_with(key, V::clone)
    }

    /// What `read` makes of the key's value, if it is held and its time is not over.
    ///
    /// `read` runs under the lock of the key's shard: keep it short. It must not call this cache; that would wait for
    /// ever.
    #[inline]
    pub fn get_with<Q, R>(&self, key: &Q, read: impl FnOnce(&V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let alive = self.alive();
        let found =
            self.engine.read(self.hash(key), |held| held.borrow() == key, alive, |value| Some(read(value)));
        if found.is_some() {
            self.reads.own().one(HIT);
        } else {
            self.reads.own().one(MISS);
        }
        found
    }

    /// As [`get`](MemoryCache::get), but counted neither as a read nor in the entry's favour.
    pub(crate) fn peek(&self, key: &K) -> Option<V>
    where
        V: Clone,
    {
        self.engine.look(self.hash(key), |held| held == key, self.alive(), V::clone)
    }

    /// Whether the key is held and its time is not over. Not counted as a read.
    pub fn contains<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.ttl(key).is_some()
    }

    /// How much longer the key will be served, if it is held: more than zero, to the nanosecond of the clock. Not counted as a
    /// read.
    pub fn ttl<Q>(&self, key: &Q) -> Option<Duration>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let expires = self.engine.expiry(self.hash(key), |held| held.borrow() == key)?;
        let left = expires.since(self.settings.clock.now());
        (!left.is_zero()).then_some(left)
    }

    /// Holds `value` under `key`, in place of an older value. `options` is a TTL as a `Duration`, `()` for the
    /// defaults, or [`EntryOptions`].
    ///
    /// Overwriting takes no other entry's place, unless the new value is heavier and the weight does not allow it.
    ///
    /// # Errors
    /// [`ErrorKind::Validation`] for a TTL below 1 ms or above 365 days; nothing has changed then.
    /// [`ErrorKind::TooLarge`] if the entry is heavier than the whole cache may be; the key's older value is gone then,
    /// because it is no longer what the caller wants to be read.
    pub fn insert(&self, key: K, value: V, options: impl Into<EntryOptions>) -> Result<(), Error> {
        self.put(key, value, options.into(), Fill::Write, |_| true).map(|_| ())
    }

    /// Holds `value`, which was read or computed after `token` was taken, unless the key was written or removed
    /// meanwhile. Returns whether it is held.
    ///
    /// Use it wherever a value comes from elsewhere, so that a slow load cannot bring back what was removed while it
    /// ran:
    ///
    /// ```
    /// # use cache_memory::MemoryCache;
    /// let cache: MemoryCache<u32, String> = MemoryCache::new(100)?;
    /// let token = cache.token(&7);
    /// let loaded = String::from("as the database had it");
    /// cache.remove(&7); // somebody changed it in the meantime
    /// assert!(!cache.fill(7, loaded, (), token)?);
    /// assert_eq!(cache.get(&7), None);
    /// # Ok::<(), cache_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`insert`](MemoryCache::insert).
    pub fn fill(
        &self,
        key: K,
        value: V,
        options: impl Into<EntryOptions>,
        token: FillToken,
    ) -> Result<bool, Error> {
        self.put(key, value, options.into(), Fill::Load(token), |_| true)
            .map(|filled| filled == Filled::Stored)
    }

    /// A token for [`fill`](MemoryCache::fill). Take it before the value is asked for.
    ///
    /// Keys share tokens in groups, so a fill can be refused because of another key, but is never accepted wrongly.
    pub fn token<Q>(&self, key: &Q) -> FillToken
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.engine.token(self.hash(key))
    }

    /// As [`insert`](MemoryCache::insert), but only if `condition` says yes to the value held, or to there being none:
    /// what it decides on does not change in between. Returns whether the new value is held.
    ///
    /// ```
    /// # use cache_memory::MemoryCache;
    /// let cache: MemoryCache<&str, u32> = MemoryCache::new(100)?;
    /// assert!(cache.insert_if("best", 7, (), |held| held.is_none())?, "there was none");
    /// assert!(!cache.insert_if("best", 5, (), |held| held < Some(&5))?, "7 is better");
    /// # Ok::<(), cache_core::Error>(())
    /// ```
    ///
    /// `condition` runs under the lock of the key's shard, more than once if room has to be made: keep it short. It
    /// must not call this cache; that would wait for ever.
    ///
    /// # Errors
    /// As [`insert`](MemoryCache::insert).
    pub fn insert_if(
        &self,
        key: K,
        value: V,
        options: impl Into<EntryOptions>,
        condition: impl FnMut(Option<&V>) -> bool,
    ) -> Result<bool, Error> {
        self.put(key, value, options.into(), Fill::Write, condition).map(|filled| filled == Filled::Stored)
    }

    /// Removes the key and hands out its value, unless its time was over. Fences older tokens in any case.
    pub fn remove<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let now = self.settings.clock.now();
        let removed = self.engine.remove(self.hash(key), |held| held.borrow() == key, now)?;
        (!removed.is_dead(now)).then_some(removed.value)
    }

    /// Removes all entries and gives their memory back before it returns, which takes time by their number. Fences all older
    /// tokens.
    pub fn clear(&self) {
        self.engine.clear();
    }

    /// Makes all entries and all older tokens void at once, in O(1); the memory is given back by later inserts, which also
    /// tell the listener of what they come upon.
    pub fn retire(&self) {
        self.engine.retire();
    }

    /// Removes everything whose time is over and drops it; returns how many entries that were.
    ///
    /// Inserts do this bit by bit. Call it where a cache may rest for long with large values in it. The slots that keys and
    /// values lay in, without what they point to, are kept for later entries; [`clear`](MemoryCache::clear) gives them
    /// back too.
    pub fn remove_expired(&self) -> usize {
        self.engine.sweep_all(self.settings.clock.now())
    }

    /// Entries held, those among them whose time is over and which no insert has swept away yet.
    pub fn len(&self) -> usize {
        self.engine.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Weight held, in bytes, with that of retired entries whose memory was not given back yet.
    pub fn weight(&self) -> u64 {
        self.engine.budget().weight()
    }

    /// Most entries allowed: `max_entries`, whatever they weigh.
    pub fn capacity(&self) -> usize {
        usize::try_from(self.engine.budget().max().entries).unwrap_or(usize::MAX)
    }

    /// What was counted since the start, and what is held.
    pub fn stats(&self) -> MemoryStats {
        let counts = self.engine.counts();
        let [hits, misses] = self.reads.sums();
        MemoryStats {
            hits,
            misses,
            evicted: counts.evicted,
            expired: counts.expired,
            entries: self.engine.len() as u64,
            max_entries: self.engine.budget().max().entries,
            weight: self.engine.budget().weight(),
            max_weight: self.engine.budget().max().weight,
        }
    }

    pub(crate) fn put(
        &self,
        key: K,
        value: V,
        options: EntryOptions,
        fill: Fill,
        when: impl FnMut(Option<&V>) -> bool,
    ) -> Result<Filled, Error> {
        let ttl = options.ttl.map_or(Ok(self.settings.default_ttl), Ttl::new)?;
        let weight = options.weight.unwrap_or_else(|| (self.settings.weigher)(&key, &value));
        let hash = self.hash(&key);
        let now = self.settings.clock.now();
        let new = New { key, value, expires: now + ttl, weight };
        match self.engine.insert_if(hash, new, fill, now, when) {
            Filled::TooLarge => Err(too_large(weight, self.engine.budget().max().weight)),
            filled => Ok(filled),
        }
    }

    pub(crate) fn hash<Q: Hash + ?Sized>(&self, key: &Q) -> Hashed {
        self.settings.hasher.hash(key)
    }

    #[inline]
    fn alive(&self) -> impl FnOnce(Moment) -> Option<Moment> {
        move |expires| self.settings.clock.before(expires)
    }
}

#[cold]
fn too_large(weight: u64, max: u64) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!("the entry weighs {weight}, the cache may hold {max} altogether; it is not kept, nor what was there"),
    )
    .in_operation("insert")
}

impl<K: Hash + Eq, V> fmt::Debug for MemoryCache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCache").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
