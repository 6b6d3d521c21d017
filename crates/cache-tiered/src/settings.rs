//! The policy of a cache.

use std::time::Duration;

use cache_codec::{Compression, Limits};
use cache_core::{Format, LoadOptions, Problems, Ttl};

use crate::breaker::BreakerSettings;

/// The most that `store_timeout` may be. Who has not ended a call of the store by then does not poll it.
pub(crate) const LONGEST_STORE_TIMEOUT: Duration = Duration::from_secs(60);

/// What reads and `set` do when the store fails. Loads go on without it in either case, and invalidations are queued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnStoreError {
    /// Go on with what this process has: a read misses, what is set is served here and written later. The failure is counted.
    #[default]
    Degrade,
    /// Fail with the store's error; what was to be set is kept nowhere.
    Fail,
}

/// The policy of a cache. All of it is checked when the cache is built: what is out of range is an error, never rounded.
///
/// ```
/// use std::time::Duration;
/// use cache_tiered::{Compression, Settings, Ttl};
///
/// let mut settings = Settings::default();
/// settings.default_ttl = Ttl::new(Duration::from_secs(1800))?;
/// settings.stale_for = Duration::from_secs(600);
/// settings.compression = Compression::off();
/// # Ok::<(), cache_tiered::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// How long an entry is fresh when the caller does not say: 1 ms to 365 days, 1 h by default.
    pub default_ttl: Ttl,
    /// How long after that it may be served stale when the caller does not say: 0 (not at all, the default) to 365 days. An entry
    /// ends 365 days after it was made at the latest.
    pub stale_for: Duration,
    /// How values are serialised: MessagePack by default, or JSON. bincode is an error, because it needs a schema for each type.
    pub format: Format,
    /// Whether and how stored values are compressed: by LZ4 above 1000 bytes by default. Tier 1 holds them as they are.
    pub compression: Compression,
    /// How large values may be, in bytes: when serialised 8 MiB by default, at least 1 and at most what they may come to when
    /// decompressed, 64 MiB by default. What is longer cannot be set, and is passed over when it is found.
    pub limits: Limits,
    /// The longest that a call of the store may take: 1 ms to 1 minute, 250 ms by default. It bounds all that one write asks of
    /// the store together.
    pub store_timeout: Duration,
    /// The longest that a load may take: 1 ms to 1 day, 30 s by default. All who wait for it are freed then, with a `Timeout`.
    pub load_timeout: Duration,
    /// How long a claim to load lasts unless its owner prolongs it: 10 ms to 5 minutes, 5 s by default.
    pub claim_ttl: Ttl,
    /// How long after a failed load its error answers at once: 0 (not at all) to 1 hour, 1 s by default.
    pub negative_window: Duration,
    /// What reads and `set` do when the store fails: go on without it by default.
    pub on_store_error: OnStoreError,
    /// How long after the last sign of life of the link to the store tier 1 goes on answering as if it were told of every
    /// change: 100 ms to 1 minute, 1 s by default. The link is asked for one every 250 ms.
    pub lease: Duration,
    /// How long after that tier 1 goes on answering when the store cannot be asked, with receipts that say so: 0 (not
    /// at all, the default) to 1 day.
    pub disconnected_max_age: Duration,
    /// How long a copy answers whose later changes the store does not announce, counted from when the store was asked: 0
    /// (none is kept) to 1 hour, 1 s by default, which is what a lease allows too.
    pub untracked_max_age: Duration,
    /// When the store is left alone because it fails: after 5 failures in a row, for 30 s, by default.
    pub breaker: BreakerSettings,
    /// The most keys and tags for which something is kept to be told to the store when it is back: 1 to 100 000,
    /// 10 000 by default. What is too much becomes one clear of the namespace. Of values that are loaded meanwhile as many are
    /// held besides, and no more are kept.
    pub replay_queue: usize,
    /// Whether a key is loaded by one process at a time, where the store can see to it. On by default. Off, each process
    /// loads for itself at once, and only the first of them has the store keep what it loaded. (On a store without claims
    /// a delete by another process that comes during a load, and finds nothing to remove, does not reach it.)
    pub claims: bool,
    /// Whether `get_or_load` waits until the store has what was loaded. Off by default.
    pub wait_for_write: bool,
    /// Whether what is stored is of importance: [`clear`](crate::Cache::clear) and
    /// [`invalidate_tag`](crate::Cache::invalidate_tag) are refused then, unless they are
    /// [`confirmed`](crate::Cache::confirmed). Off by default.
    pub production: bool,
    /// The keys that stored values are sealed with; none by default. With them values that are not sealed are refused, and
    /// removed.
    #[cfg(feature = "seal")]
    pub sealing: Option<cache_codec::Keyring>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            default_ttl: Ttl::clamped(Duration::from_secs(3600)),
            stale_for: Duration::ZERO,
            format: Format::default(),
            compression: Compression::default(),
            limits: Limits::default(),
            store_timeout: Duration::from_millis(250),
            load_timeout: Duration::from_secs(30),
            claim_ttl: Ttl::clamped(Duration::from_secs(5)),
            negative_window: Duration::from_secs(1),
            on_store_error: OnStoreError::default(),
            lease: Duration::from_secs(1),
            disconnected_max_age: Duration::ZERO,
            untracked_max_age: Duration::from_secs(1),
            breaker: BreakerSettings::default(),
            replay_queue: 10_000,
            claims: true,
            wait_for_write: false,
            production: false,
            #[cfg(feature = "seal")]
            sealing: None,
        }
    }
}

impl Settings {
    /// Adds what is wrong with these settings to `problems`, as [`CacheBuilder::build`](crate::CacheBuilder::build) does.
    pub fn check(&self, problems: &mut Problems) {
        let mut within = |name: &str, value: Duration, least: Duration, most: Duration| {
            problems.check(value >= least && value <= most, || {
                format!("{name} is {value:?}, {least:?} to {most:?} are allowed")
            });
        };
        let millisecond = Ttl::MIN.as_duration();
        within("stale_for", self.stale_for, Duration::ZERO, Ttl::MAX.as_duration());
        within("store_timeout", self.store_timeout, millisecond, LONGEST_STORE_TIMEOUT);
        within("load_timeout", self.load_timeout, millisecond, LoadOptions::MAX_LOAD_TIMEOUT);
        within(
            "claim_ttl",
            self.claim_ttl.as_duration(),
            Duration::from_millis(10),
            Duration::from_secs(300),
        );
        within("negative_window", self.negative_window, Duration::ZERO, Duration::from_secs(3600));
        within("lease", self.lease, Duration::from_millis(100), Duration::from_secs(60));
        within(
            "disconnected_max_age",
            self.disconnected_max_age,
            Duration::ZERO,
            Duration::from_secs(86_400),
        );
        within("untracked_max_age", self.untracked_max_age, Duration::ZERO, Duration::from_secs(3600));
        self.breaker.check(problems);
        problems.check((1..=100_000).contains(&self.replay_queue), || {
            format!("replay_queue is {}, 1 to 100000 are allowed", self.replay_queue)
        });
        let Limits { value, decoded } = self.limits;
        problems.check(value > 0 && value <= decoded, || {
            format!("the longest value is {value} bytes, 1 to {decoded} (the longest decompressed value) are allowed")
        });
        problems.check(self.format != Format::Json || cfg!(feature = "json"), || {
            "format: this build does not have JSON, enable the feature `json` or use MessagePack".to_owned()
        });
        problems.check(self.format != Format::Bincode, || {
            "bincode cannot serialise a cache of any type: it needs a schema declared for each".to_owned()
        });
    }
}
