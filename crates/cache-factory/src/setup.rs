//! The settings of a cache that is about to be built.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Clock, Error, Format, LocalTier, Observer, Store, Timer};
use cache_memory::MemoryTier;
use cache_tiered::{Cache, TokioTimer};

use crate::presets::Preset;
use crate::resolve::{Plan, resolve};

/// A cache to be: set what differs from the preset, then `.await` it.
///
/// Values are looked at when it is awaited, all at once: one
/// [`Configuration`](cache_core::ErrorKind::Configuration) error lists all that is out of range, contradictory or
/// without effect, and what is allowed. A clone can be awaited too and makes another cache with a tier 1 of its own.
///
/// ```
/// use cache_factory::{CacheFactory, durations::secs};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let wrong = CacheFactory::new().for_web_app().default_ttl(secs(0)).l1_cache_size(0).await.unwrap_err();
/// assert!(wrong.to_string().starts_with("for_web_app: 2 problems: default_ttl: a TTL of 0ns was given, 1 ms to"));
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a setup does nothing until it is awaited"]
pub struct CacheSetup {
    preset: &'static Preset,
    chosen: Chosen,
}

/// What the application said; `None` is left to the preset.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chosen {
    pub(crate) namespace: Option<String>,
    pub(crate) default_ttl: Option<Duration>,
    pub(crate) stale_for: Option<Duration>,
    pub(crate) load_timeout: Option<Duration>,
    pub(crate) negative_window: Option<Duration>,
    pub(crate) l1_cache_size: Option<usize>,
    pub(crate) l1_max_bytes: Option<u64>,
    pub(crate) max_value_bytes: Option<usize>,
    pub(crate) compression_threshold: Option<usize>,
    pub(crate) compression_level: Option<u8>,
    pub(crate) format: Option<Format>,
    pub(crate) memory_only: bool,
    pub(crate) store: Option<Arc<dyn Store>>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) timer: Option<Arc<dyn Timer>>,
}

impl CacheSetup {
    pub(crate) fn new(preset: &'static Preset) -> Self {
        Self { preset, chosen: Chosen::default() }
    }

    /// How long an entry is fresh when the caller does not say: 1 ms to 365 days.
    #[doc(alias = "ttl")]
    pub fn default_ttl(mut self, default_ttl: Duration) -> Self {
        self.chosen.default_ttl = Some(default_ttl);
        self
    }

    /// How long after that `get_or_load` may serve it stale: 0 to 365 days, 0 by default.
    pub fn stale_for(mut self, stale_for: Duration) -> Self {
        self.chosen.stale_for = Some(stale_for);
        self
    }

    /// Most entries in tier 1: 0 to 100 000 000. 0 switches tier 1 off, which is an error without a store behind it.
    #[doc(alias = "enable_l1_cache")]
    #[doc(alias = "max_size")]
    pub fn l1_cache_size(mut self, entries: usize) -> Self {
        self.chosen.l1_cache_size = Some(entries);
        self
    }

    /// Most memory that tier 1 may take, in bytes: 64 KiB to 1 TiB, 64 MiB by default.
    ///
    /// Counted are serialised lengths, keys and a fixed overhead each; what the process really takes differs.
    pub fn l1_max_bytes(mut self, bytes: u64) -> Self {
        self.chosen.l1_max_bytes = Some(bytes);
        self
    }

    /// Values that are longer than this when serialised, in bytes, are compressed in the store: 0 to 1 MiB.
    ///
    /// An error without a store, because tier 1 holds values as they are.
    pub fn compression_threshold(mut self, bytes: usize) -> Self {
        self.chosen.compression_threshold = Some(bytes);
        self
    }

    /// How hard to compress: 1 to 3 are LZ4 (feature `lz4`), 4 to 9 are zstd (feature `zstd`). 1 by default.
    ///
    /// An error without a store, because tier 1 holds values as they are.
    pub fn compression_level(mut self, level: u8) -> Self {
        self.chosen.compression_level = Some(level);
        self
    }

    /// The longest value, in bytes when serialised: 1 to 64 Mi, 8 Mi by default. Longer ones are refused.
    pub fn max_value_bytes(mut self, bytes: usize) -> Self {
        self.chosen.max_value_bytes = Some(bytes);
        self
    }

    /// How values are serialised: MessagePack by default, or JSON (feature `json`).
    pub fn format(mut self, format: Format) -> Self {
        self.chosen.format = Some(format);
        self
    }

    /// The longest that a load may take: 1 ms to 1 day, 30 s by default. All who wait for it are freed then.
    pub fn load_timeout(mut self, load_timeout: Duration) -> Self {
        self.chosen.load_timeout = Some(load_timeout);
        self
    }

    /// How long after a failed load its error answers at once: 0 (not at all) to 1 hour, 1 s by default.
    pub fn negative_window(mut self, negative_window: Duration) -> Self {
        self.chosen.negative_window = Some(negative_window);
        self
    }

    /// The name that sets this cache's keys apart from others in a shared store, and in statistics: 1 to 128 bytes when
    /// escaped, `app` by default.
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.chosen.namespace = Some(name.into());
        self
    }

    /// A store of your own as tier 2, shared with other processes as far as it can be.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.chosen.store = Some(store);
        self
    }

    /// Insists on a cache of this process alone: with this, a store is an error.
    #[doc(alias = "use_memory_cache")]
    pub fn memory_only(mut self) -> Self {
        self.chosen.memory_only = true;
        self
    }

    /// Who is told what happens.
    #[doc(alias = "performance_monitor")]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.chosen.observer = Some(observer);
        self
    }

    /// The clock of both the engine and tier 1, and the way to wait: the system's and tokio's by default. For tests.
    pub fn timer(mut self, timer: Arc<dyn Timer>) -> Self {
        self.chosen.timer = Some(timer);
        self
    }

    fn build(self) -> Result<Cache, Error> {
        let Self { preset, chosen } = self;
        let Plan { namespace, settings, tier1 } =
            resolve(preset, &chosen).map_err(|error| error.in_operation(preset.name))?;
        let timer = chosen.timer.unwrap_or_else(|| Arc::new(TokioTimer::new()));
        let mut builder = Cache::builder(namespace).settings(settings);
        if let Some(size) = tier1 {
            let clock: Arc<dyn Clock> = timer.clone();
            let tier: Arc<dyn LocalTier> = Arc::new(MemoryTier::new(size.entries, size.bytes, clock)?);
            builder = builder.local(tier);
        }
        if let Some(store) = chosen.store {
            builder = builder.store(store);
        }
        if let Some(observer) = chosen.observer {
            builder = builder.observer(observer);
        }
        builder.timer(timer).build()
    }
}

impl IntoFuture for CacheSetup {
    type Output = Result<Cache, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Builds the cache when it is polled. Dropping the future leaves nothing behind.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.build() })
    }
}
