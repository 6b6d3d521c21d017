//! The settings of a cache that is about to be built.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{FeedMode, Format, Observer, Store, Timer};
use cache_tiered::{BreakerSettings, OnStoreError};

use crate::config::{BreakerConfig, CacheConfig, CacheType, RedisConfig};
use crate::environment::Environment;
use crate::presets::Preset;
use crate::redis_url::RedisUrl;
use crate::secret::Secret;
#[cfg(feature = "monitor")]
use crate::watching;

/// A cache to be: set what differs from the preset, then `.await` it.
///
/// Values are looked at when it is awaited, all at once: one
/// [`Configuration`](cache_core::ErrorKind::Configuration) error lists all that is out of range, contradictory or
/// without effect, and what is allowed. A clone can be awaited too and makes another cache with a tier 1 of its own.
///
/// If there is a Redis to it, awaiting waits until the first attempt to connect has ended, for
/// [`connect_timeout`](Self::connect_timeout) at most. A Redis that cannot be reached is done without until it can,
/// unless [`fail_on_connection_error`](Self::fail_on_connection_error) is set. Anything else that is wrong with it is
/// an error in any case: a wrong password, a database that is not there.
///
/// ```
/// use cache_factory::{CacheFactory, durations::secs};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # #[cfg(feature = "memory")] {
/// let setup = CacheFactory::new().for_web_app().memory_only();
/// let wrong = setup.default_ttl(secs(0)).stale_for(secs(u64::MAX)).await.unwrap_err();
/// assert!(wrong.to_string().starts_with("for_web_app: 2 problems: default_ttl: a TTL of 0ns was given, 1 ms to"));
/// # }
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a setup does nothing until it is awaited"]
pub struct CacheSetup {
    pub(crate) operation: &'static str,
    pub(crate) preset: &'static Preset,
    /// What a configuration said.
    pub(crate) config: CacheConfig,
    /// What the application said, which wins.
    pub(crate) code: CacheConfig,
    pub(crate) store: Option<Arc<dyn Store>>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) timer: Option<Arc<dyn Timer>>,
    #[cfg(feature = "monitor")]
    pub(crate) monitor: Option<Arc<cache_monitor::PerformanceMonitor>>,
    #[cfg(feature = "seal")]
    pub(crate) sealing: Option<cache_tiered::Keyring>,
}

impl CacheSetup {
    pub(crate) fn new(preset: &'static Preset) -> Self {
        Self::configured(preset.name, preset, CacheConfig::default())
    }

    /// `operation` is what errors name.
    pub(crate) fn configured(operation: &'static str, preset: &'static Preset, config: CacheConfig) -> Self {
        let code = CacheConfig::default();
        Self {
            operation,
            preset,
            config,
            code,
            store: None,
            observer: None,
            timer: None,
            #[cfg(feature = "monitor")]
            monitor: None,
            #[cfg(feature = "seal")]
            sealing: None,
        }
    }

    /// How long an entry is fresh when the caller does not say: 1 ms to 365 days. By default 30 minutes for `for_web_app`, 1 minute
    /// for `for_testing`, 1 hour for the others, or what the environment says.
    #[doc(alias = "ttl")]
    pub fn default_ttl(mut self, default_ttl: Duration) -> Self {
        self.code.default_ttl = Some(default_ttl);
        self
    }

    /// How long after that `get_or_load` may serve it stale: 0 (not at all, the default) to 365 days.
    pub fn stale_for(mut self, stale_for: Duration) -> Self {
        self.code.stale_for = Some(stale_for);
        self
    }

    /// The environment whose defaults hold for what is not said otherwise, over those of the preset. None by default.
    ///
    /// ```
    /// use cache_factory::{CacheFactory, Confirm, Environment};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cache_factory::Error> {
    /// # #[cfg(feature = "memory")] {
    /// let setup = CacheFactory::new().for_web_app().environment(Environment::Production).namespace("shop");
    /// let cache = setup.memory_only().await?;
    /// assert_eq!(cache.stats().memory_usage.max_entries, 500);
    /// assert!(cache.clear().await.is_err());
    /// cache.confirmed(&Confirm::namespace("shop"))?.clear().await?;
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn environment(mut self, environment: Environment) -> Self {
        self.code.environment = Some(environment);
        self
    }

    /// Whether what is stored is of importance: [`clear`](crate::Cache::clear) and [`invalidate_tag`](crate::Cache::invalidate_tag) are
    /// refused then unless they are [`confirmed`](crate::Cache::confirmed). `false` unless the environment says otherwise.
    pub fn production(mut self, production: bool) -> Self {
        self.code.production = Some(production);
        self
    }

    /// Whether each thing that happens in the cache is logged by `tracing`, at the level `debug`, keys redacted; of hits in tier 1
    /// a sample, one of 256. `false` by default.
    pub fn debug_logging(mut self, log: bool) -> Self {
        self.code.debug_logging = Some(log);
        self
    }

    /// Whether there is a tier 1, of the size that is said or usual. `true` by default, and `false` beside a store with
    /// `for_testing`. `false` is an error without a store.
    pub fn enable_l1_cache(mut self, enable: bool) -> Self {
        self.code.enable_l1_cache = Some(enable);
        self
    }

    /// Most entries in tier 1: 0 to 100 000 000. 0 switches tier 1 off, which is an error without a store behind it. By default 200
    /// for `for_web_app`, 50 for `for_testing`, 100 for the others, or what the environment says.
    #[doc(alias = "max_size")]
    pub fn l1_cache_size(mut self, entries: usize) -> Self {
        self.code.l1_cache_size = Some(entries);
        self
    }

    /// Most memory that tier 1 may take, in bytes: 64 KiB to 1 TiB, 64 MiB by default.
    ///
    /// Counted are serialised lengths, keys and a fixed overhead each; what the process really takes differs.
    pub fn l1_max_bytes(mut self, bytes: u64) -> Self {
        self.code.l1_max_bytes = Some(bytes);
        self
    }

    /// Values that are longer than this when serialised, in bytes, are compressed in the store: 0 to 1 MiB. By default 2000 for
    /// `for_web_app`, 1000 for the others, or what the environment says.
    ///
    /// An error without a store, because tier 1 holds values as they are.
    pub fn compression_threshold(mut self, bytes: usize) -> Self {
        self.code.compression_threshold = Some(bytes);
        self
    }

    /// How hard to compress: 1 to 3 are LZ4 (feature `lz4`), 4 to 9 are zstd (feature `zstd`). 1 by default, or what the environment
    /// says.
    ///
    /// An error without a store, because tier 1 holds values as they are.
    pub fn compression_level(mut self, level: u8) -> Self {
        self.code.compression_level = Some(level);
        self
    }

    /// The longest value, in bytes when serialised: 1 to 64 Mi, 8 Mi by default. Longer ones are refused.
    pub fn max_value_bytes(mut self, bytes: usize) -> Self {
        self.code.max_value_bytes = Some(bytes);
        self
    }

    /// How values are serialised: MessagePack by default, or JSON (feature `json`).
    pub fn format(mut self, format: Format) -> Self {
        self.code.format = Some(format);
        self
    }

    /// The longest that a load may take: 1 ms to 1 day; 30 s by default, 2 minutes for AI caches. All who wait for it are freed then.
    pub fn load_timeout(mut self, load_timeout: Duration) -> Self {
        self.code.load_timeout = Some(load_timeout);
        self
    }

    /// How long after a failed load its error answers at once: 0 (not at all) to 1 hour; 1 s by default, 0 for AI caches.
    pub fn negative_window(mut self, negative_window: Duration) -> Self {
        self.code.negative_window = Some(negative_window);
        self
    }

    /// The name that sets this cache's keys apart from others in a shared store, and in statistics: 1 to 128 bytes when
    /// escaped, `app` by default.
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.code.namespace = Some(name.into());
        self
    }

    /// The Redis behind it: `redis://user:password@host:port/database`, `unix:///path` or `redis+unix:///path?db=0`; with TLS
    /// `rediss://…` (feature `tls`).
    /// For presets the one on this machine by default; `for_testing` takes its database 15, the environment `development` database 1.
    ///
    /// An error in a build without the feature `redis`.
    pub fn redis_url(mut self, url: impl Into<RedisUrl>) -> Self {
        self.redis().url = Some(url.into());
        self
    }

    /// The password of Redis, instead of one in its address: both are an error.
    pub fn redis_password(mut self, password: impl Into<Secret>) -> Self {
        self.redis().password = Some(password.into());
        self
    }

    /// A file with the authorities that may have signed the certificate of Redis, in PEM, instead of those that the system trusts.
    /// It is read for each connection anew, at most 1 MiB. An error unless the address begins with `rediss://`.
    pub fn redis_ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.redis().ca_file = Some(path.into());
        self
    }

    /// Files with a certificate of one's own and its key, in PEM, for a Redis that wants one. They are read for each connection
    /// anew, so that a renewed certificate is taken. An error unless the address begins with `rediss://`.
    pub fn redis_client_certificate(
        mut self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        let redis = self.redis();
        (redis.cert_file, redis.key_file) = (Some(certificate.into()), Some(key.into()));
        self
    }

    /// How long to wait for an attempt to connect to Redis: 1 ms to 1 minute, 1 s by default.
    #[doc(alias = "connect")]
    pub fn connect_timeout(mut self, connect_timeout: Duration) -> Self {
        self.redis().connect_timeout = Some(connect_timeout);
        self
    }

    /// Whether a Redis that cannot be reached is an error when the setup is awaited. `false` by default: the cache then
    /// goes on without it, and heals when it is there. `true` in the environments `staging` and `production`.
    pub fn fail_on_connection_error(mut self, fail: bool) -> Self {
        self.redis().fail_on_connection_error = Some(fail);
        self
    }

    /// The longest that a call of the store may take: 1 ms to 1 minute, 250 ms by default.
    pub fn store_timeout(mut self, store_timeout: Duration) -> Self {
        self.code.store_timeout = Some(store_timeout);
        self
    }

    /// Whether `get_or_load` waits until the store has what was loaded. `false` by default.
    pub fn wait_for_write(mut self, wait: bool) -> Self {
        self.code.wait_for_write = Some(wait);
        self
    }

    /// Whether a key is loaded by one process at a time, where the store can see to it. `true` by default.
    pub fn claims(mut self, claims: bool) -> Self {
        self.code.claims = Some(claims);
        self
    }

    /// What reads and `set` do when the store fails: go on without it by default.
    pub fn on_store_error(mut self, on_store_error: OnStoreError) -> Self {
        self.code.on_store_error = Some(on_store_error);
        self
    }

    /// How long after the last sign of life of the store tier 1 answers as if it were told of every change: 100 ms to 1
    /// minute, 1 s by default. A hit in tier 1 is never staler than that while the store can be reached.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.code.lease = Some(lease);
        self
    }

    /// How long after that tier 1 goes on answering while the store cannot be asked: 0 (not at all) to 1 day; 1 minute
    /// for `for_web_app` and `for_ai_app`, 0 for the others.
    pub fn disconnected_max_age(mut self, age: Duration) -> Self {
        self.code.disconnected_max_age = Some(age);
        self
    }

    /// How long a copy in tier 1 answers whose later changes the store does not announce: 0 (none is kept) to 1 hour; 1 s
    /// by default, or the lease if that is less. Of importance only while there is no feed that announces; `health` and receipts say so.
    pub fn untracked_max_age(mut self, age: Duration) -> Self {
        self.code.untracked_max_age = Some(age);
        self
    }

    /// How this process is told what others change in Redis: by the best way that works, by default. Forcing one is for
    /// those whose processes are not all let to do the same.
    pub fn feed(mut self, feed: FeedMode) -> Self {
        self.redis().feed = Some(feed);
        self
    }

    /// The most keys and tags that are kept to be told to the store when it is back: 1 to 100 000, 10 000 by default. What is too
    /// much becomes one clear of the namespace.
    pub fn replay_queue(mut self, keys: usize) -> Self {
        self.code.replay_queue = Some(keys);
        self
    }

    /// When a store that fails is left alone, and for how long: after 5 failures in a row, or half of 20 calls, for 30 s, by default.
    #[doc(alias = "circuit_breaker")]
    pub fn breaker(mut self, breaker: BreakerSettings) -> Self {
        let BreakerSettings { failures, window, open_for, .. } = breaker;
        self.code.breaker =
            Some(BreakerConfig { failures: Some(failures), window: Some(window), open_for: Some(open_for) });
        self
    }

    /// A store of your own as tier 2 instead of Redis, shared with other processes as far as it can be.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Insists on a cache of this process alone: with this, a store or an address of Redis is an error.
    #[doc(alias = "use_memory_cache")]
    pub fn memory_only(mut self) -> Self {
        self.code.r#type = Some(CacheType::Memory);
        self
    }

    /// Seals what is stored with these keys: encrypted, and bound to its header and key. Stored values that are not
    /// sealed are refused, and removed. An error without a store, because nothing leaves this process then.
    #[cfg(feature = "seal")]
    pub fn sealing(mut self, keys: cache_tiered::Keyring) -> Self {
        self.sealing = Some(keys);
        self
    }

    /// The monitor that watches this cache, and maybe others, instead of one that is configured; none by default. Its thresholds are
    /// judged every 10 seconds if the setup is awaited on a tokio runtime; elsewhere call [`check`](cache_monitor::PerformanceMonitor::check).
    ///
    /// ```
    /// use cache_factory::{CacheFactory, PerformanceMonitor, Thresholds, durations::secs};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cache_factory::Error> {
    /// # #[cfg(feature = "memory")] {
    /// let monitor = PerformanceMonitor::new();
    /// monitor.configure_thresholds(Thresholds { operation_slow: secs(1), ..Thresholds::default() })?;
    /// let cache = CacheFactory::new().for_web_app().memory_only().performance_monitor(monitor.clone()).await?;
    /// # cache.get::<String>("user:1").await?;
    /// # assert_eq!(monitor.snapshot().caches[0].stats.reads.misses, 1);
    /// # }
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "monitor")]
    pub fn performance_monitor(mut self, monitor: Arc<cache_monitor::PerformanceMonitor>) -> Self {
        self.monitor = Some(monitor);
        self
    }

    /// The monitor that watches the cache: the given one, or the one that the configuration asks for by its table
    /// `performance_monitor`, which is made when it is first asked for. `None` if there is to be none.
    ///
    /// ```
    /// use cache_factory::CacheFactory;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cache_factory::Error> {
    /// # #[cfg(feature = "memory")] {
    /// let variables = [("CACHE_TYPE", "memory"), ("CACHE_PERFORMANCE_MONITOR_HIT_RATIO_WARNING", "0.8")];
    /// let mut setup = CacheFactory::from_variables(variables)?;
    /// let monitor = setup.monitor()?.expect("one is configured");
    /// assert_eq!(monitor.thresholds().hit_ratio_warning, 0.8);
    /// let cache = setup.await?;
    /// # cache.get::<String>("user:1").await?;
    /// # assert_eq!(monitor.snapshot().caches[0].stats.reads.misses, 1);
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Configuration`](cache_core::ErrorKind::Configuration), listing all that is wrong with the setup.
    #[cfg(feature = "monitor")]
    pub fn monitor(&mut self) -> Result<Option<Arc<cache_monitor::PerformanceMonitor>>, cache_core::Error> {
        if self.monitor.is_none() {
            let plan = self.plan().map_err(|error| error.in_operation(self.operation))?;
            self.monitor = watching::made(&plan, self.timer.as_ref())?;
        }
        Ok(self.monitor.clone())
    }

    /// Who is told what happens; nobody by default. An error beside a monitor, which is such a one.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The clock of both the engine and tier 1, and the way to wait: the system's and tokio's by default. For tests.
    pub fn timer(mut self, timer: Arc<dyn Timer>) -> Self {
        self.timer = Some(timer);
        self
    }

    fn redis(&mut self) -> &mut RedisConfig {
        self.code.redis.get_or_insert_default()
    }
}
