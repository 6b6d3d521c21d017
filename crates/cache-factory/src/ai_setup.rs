//! The settings of an AI cache that is about to be built.

use std::future::{Future, IntoFuture};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use cache_ai::{AiCache, AiSettings};
use cache_core::{Error, FeedMode, Format, Observer, Problems, Store, Timer};
use cache_tiered::{BreakerSettings, OnStoreError};

use crate::assemble::Parts;
use crate::config::{AiConfig, CacheConfig};
use crate::environment::Environment;
use crate::presets::Preset;
use crate::redis_url::RedisUrl;
#[cfg(feature = "monitor")]
use crate::savings::Savings;
use crate::secret::Secret;
use crate::setup::CacheSetup;

/// An AI cache to be: set what differs from the preset, then `.await` it.
///
/// Takes all that a [`CacheSetup`] takes, and what is special about an AI cache by [`ai`](Self::ai). Other than there, a
/// `load_timeout` is 2 minutes by default, a `negative_window` 0, and tier 1 has 100 entries. What is wrong is said at once when it
/// is awaited.
#[derive(Clone, Debug)]
#[must_use = "a setup does nothing until it is awaited"]
pub struct AiSetup {
    setup: CacheSetup,
    operation: &'static str,
    /// The default TTL of operations that have none of their own, if one was said in code.
    default_ttl: Option<Duration>,
    /// What a configuration said of it.
    configured_ttl: Option<Duration>,
    changes: Vec<Change>,
}

/// What code says of an AI cache, over what a configuration says.
#[derive(Clone)]
struct Change(Arc<dyn Fn(AiSettings) -> AiSettings + Send + Sync>);

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Change")
    }
}

macro_rules! as_cache_setup {
    ($($name:ident($($argument:ident: $type:ty),*);)*) => {$(
        #[doc = concat!("As [`CacheSetup::", stringify!($name), "`].")]
        pub fn $name(mut self, $($argument: $type),*) -> Self {
            self.setup = self.setup.$name($($argument),*);
            self
        }
    )*};
}

impl AiSetup {
    pub(crate) fn new(operation: &'static str, preset: &'static Preset, config: CacheConfig) -> Self {
        let configured_ttl = config.default_ttl;
        let setup = CacheSetup::configured(operation, preset, config);
        Self { setup, operation, default_ttl: None, configured_ttl, changes: Vec::new() }
    }

    /// What is special about an AI cache: a function of the settings as they are so far.
    ///
    /// ```
    /// use cache_factory::CacheFactory;
    /// use cache_factory::ai::{OperationPolicy, PriceTable, Tenant};
    /// use cache_factory::durations::hours;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cache_factory::Error> {
    /// # #[cfg(feature = "memory")] {
    /// let cache = CacheFactory::new()
    ///     .for_ai_app()
    ///     .memory_only()
    ///     .operation_ttl("sentiment", hours(4))
    ///     .ai(|ai| ai.prices(PriceTable::new("USD").model("gpt-4o", 2.5, 10.0)))
    ///     .ai(|ai| ai.operation("classify", OperationPolicy::new().stable(true)))
    ///     .await?
    ///     .for_tenant(Tenant::shared());
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn ai(mut self, change: impl Fn(AiSettings) -> AiSettings + Send + Sync + 'static) -> Self {
        self.changes.push(Change(Arc::new(change)));
        self
    }

    /// How long answers are fresh whose operation has no TTL of its own: 1 ms to 365 days, 1 h by default.
    pub fn default_ttl(mut self, default_ttl: Duration) -> Self {
        self.default_ttl = Some(default_ttl);
        self.setup = self.setup.default_ttl(default_ttl);
        self
    }

    /// Texts of at most so many characters stand readable in keys: 0 (none) to 100 000, 500 by default.
    pub fn text_hash_threshold(self, characters: usize) -> Self {
        self.ai(move |ai| ai.text_hash_threshold(characters))
    }

    /// How long the answers of an operation are fresh: 1 ms to 365 days. Given ones stand over the defaults.
    pub fn operation_ttl(self, operation: impl Into<String>, ttl: Duration) -> Self {
        let operation = operation.into();
        self.ai(move |ai| ai.operation_ttl(operation.clone(), ttl))
    }

    /// The same for several.
    pub fn operation_ttls<N: Into<String>>(self, ttls: impl IntoIterator<Item = (N, Duration)>) -> Self {
        ttls.into_iter().fold(self, |it, (operation, ttl)| it.operation_ttl(operation, ttl))
    }

    as_cache_setup! {
        environment(environment: Environment);
        stale_for(stale_for: Duration);
        l1_cache_size(entries: usize);
        enable_l1_cache(enable: bool);
        l1_max_bytes(bytes: u64);
        compression_threshold(bytes: usize);
        compression_level(level: u8);
        max_value_bytes(bytes: usize);
        format(format: Format);
        load_timeout(load_timeout: Duration);
        negative_window(negative_window: Duration);
        namespace(name: impl Into<String>);
        redis_url(url: impl Into<RedisUrl>);
        redis_password(password: impl Into<Secret>);
        redis_ca_file(path: impl Into<PathBuf>);
        redis_client_certificate(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>);
        connect_timeout(connect_timeout: Duration);
        fail_on_connection_error(fail: bool);
        store_timeout(store_timeout: Duration);
        wait_for_write(wait: bool);
        claims(claims: bool);
        on_store_error(on_store_error: OnStoreError);
        lease(lease: Duration);
        disconnected_max_age(age: Duration);
        untracked_max_age(age: Duration);
        feed(feed: FeedMode);
        replay_queue(keys: usize);
        breaker(breaker: BreakerSettings);
        store(store: Arc<dyn Store>);
        memory_only();
        production(production: bool);
        debug_logging(log: bool);
        observer(observer: Arc<dyn Observer>);
        timer(timer: Arc<dyn Timer>);
    }

    /// As [`CacheSetup::performance_monitor`].
    #[cfg(feature = "monitor")]
    pub fn performance_monitor(mut self, monitor: Arc<cache_monitor::PerformanceMonitor>) -> Self {
        self.setup = self.setup.performance_monitor(monitor);
        self
    }

    /// As [`CacheSetup::monitor`].
    ///
    /// # Errors
    /// As there.
    #[cfg(feature = "monitor")]
    pub fn monitor(&mut self) -> Result<Option<Arc<cache_monitor::PerformanceMonitor>>, Error> {
        self.setup.monitor()
    }

    /// As [`CacheSetup::sealing`].
    #[cfg(feature = "seal")]
    pub fn sealing(mut self, keys: cache_tiered::Keyring) -> Self {
        self.setup = self.setup.sealing(keys);
        self
    }

    async fn build(self) -> Result<AiCache, Error> {
        let Self { setup, operation, default_ttl, configured_ttl, changes } = self;
        let mut settings = AiSettings::new();
        if let Some(ttl) = default_ttl.or(configured_ttl).or(setup.ttl_of_environment()) {
            settings = settings.default_ttl(ttl);
        }
        settings = configured(settings, setup.ai_config());
        settings = changes.iter().fold(settings, |settings, change| (change.0)(settings));
        let mut problems = Problems::default();
        settings.check(&mut problems);
        // What is wrong with the rest is said with it.
        problems.take(setup.check());
        problems.configuration().map_err(|error| error.in_operation(operation))?;
        #[cfg(feature = "monitor")]
        let mut setup = setup;
        #[cfg(feature = "monitor")]
        let monitor = setup.monitor()?;
        let parts = setup.parts().await?;
        let Parts { namespace, settings: engine, local, store, timer, observer, .. } = parts;
        #[cfg(feature = "monitor")]
        let name = namespace.clone();
        let mut builder = AiCache::builder(namespace).settings(engine).ai(settings).timer(timer);
        if let Some(local) = local {
            builder = builder.local(local);
        }
        if let Some(store) = store {
            builder = builder.store(store);
        }
        if let Some(observer) = observer {
            builder = builder.observer(observer);
        }
        let cache = builder.build()?;
        #[cfg(feature = "monitor")]
        if let Some(monitor) = monitor {
            let watched = cache.downgrade();
            monitor.add_section("ai", name.as_str(), move || Some(Savings::of(&watched.upgrade()?.ledger())));
        }
        Ok(cache)
    }
}

/// The settings with what a configuration says.
fn configured(mut settings: AiSettings, config: AiConfig) -> AiSettings {
    if let Some(characters) = config.text_hash_threshold {
        settings = settings.text_hash_threshold(characters);
    }
    for (operation, ttl) in config.operation_ttls.into_iter().flatten() {
        settings = settings.operation_ttl(operation, ttl);
    }
    if config.store_no_request_text == Some(true) {
        settings = settings.store_no_request_text();
    }
    settings.only_if_cached(config.only_if_cached.unwrap_or(false))
}

impl IntoFuture for AiSetup {
    type Output = Result<AiCache, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Builds the cache when it is polled. Dropping the future leaves nothing behind.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.build())
    }
}
