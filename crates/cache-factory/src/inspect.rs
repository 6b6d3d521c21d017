//! The store of a cache without the cache: for tools that look at what is stored.

use std::sync::Arc;

use cache_core::{Error, ErrorKind, Namespace, SystemClock};
use cache_redis::RedisStore;
use cache_tiered::Settings;

use crate::config::CacheConfig;
use crate::connect;
use crate::factory::CacheFactory;
use crate::presets::{self, Preset};
use crate::redis_url::RedisUrl;
use crate::resolve::resolve;

/// Where a cache would keep what it holds, and by which settings.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// What sets its keys apart.
    pub namespace: Namespace,
    /// Its policy.
    pub settings: Settings,
    /// Where its Redis is, for people: shown without its password.
    pub url: RedisUrl,
    /// Its Redis.
    pub store: RedisStore,
}

impl CacheFactory {
    /// Connects to the Redis that a cache of this configuration would have. No cache is made, and nothing is done without
    /// a server that cannot be reached. Waits for `connect_timeout` at most, 1 s by default. The connection ends with the last clone of
    /// the store, or with the future if that is dropped.
    ///
    /// ```no_run
    /// use cache_factory::{CacheConfig, CacheFactory, Store};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cache_factory::Error> {
    /// let config = CacheConfig::from_toml("namespace = 'shop'\n [redis]\n url = 'redis://127.0.0.1:6379'")?;
    /// let found = CacheFactory::new().inspect(config).await?;
    /// let page = found.store.scan(&found.namespace, 0, 100).await?;
    /// println!("{}: {:?}", found.url, page.keys);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Configuration`](ErrorKind::Configuration) for what is wrong with the configuration, one without Redis, and what the
    /// server refuses; [`Unavailable`](ErrorKind::Unavailable) or [`Timeout`](ErrorKind::Timeout) if it cannot be reached.
    pub async fn inspect(&self, config: CacheConfig) -> Result<Inspection, Error> {
        let named = |error: Error| error.in_operation("inspect");
        // Whatever cache it is.
        let preset = Preset { is_ai: true, ..presets::CONFIG };
        let plan = resolve(&preset, CacheConfig::default(), config, false).map_err(named)?;
        let Some(mut server) = plan.redis else {
            let message = "the configuration names no Redis, and a cache in memory is its process's own";
            return Err(named(Error::new(ErrorKind::Configuration, message)));
        };
        server.fail_on_connection_error = true;
        let found = connect::connect(&server, Arc::new(SystemClock::new())).await.map_err(named)?;
        Ok(Inspection {
            namespace: plan.namespace,
            settings: plan.settings,
            url: server.url,
            store: found.store,
        })
    }
}
