//! `get` and what else only reads.

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Error, ReadResult, Status, check_key};

use crate::cache::Cache;
use crate::data::Data;
use crate::engine::Engine;
use crate::find::Found;
use crate::receipt::Receipt;
use crate::settings::OnStoreError;
use crate::trace;

impl Cache {
    /// The fresh value of `key`, or `None` for a miss. Never runs or waits for a loader.
    ///
    /// A hit in tier 1 is answered at the first poll and allocates nothing. What cannot be read as `T` is a counted
    /// miss. Dropping the future at any time does no harm.
    ///
    /// ```
    /// # use cache_tiered::{Cache, Error};
    /// # use std::sync::Arc;
    /// # async fn example(cache: &Cache) -> Result<(), Error> {
    /// if let Some(name) = cache.get::<String>("user:42:name").await? {
    ///     println!("{name}");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Validation`](cache_core::ErrorKind::Validation) or [`TooLarge`](cache_core::ErrorKind::TooLarge) for a bad key,
    /// [`Closed`](cache_core::ErrorKind::Closed); a failing store is a miss unless [`OnStoreError::Fail`] is set, and then its error,
    /// [`Unavailable`](cache_core::ErrorKind::Unavailable) or [`Timeout`](cache_core::ErrorKind::Timeout) as a rule.
    pub async fn get<T: Data>(&self, key: impl AsRef<str> + Send) -> Result<Option<Arc<T>>, Error> {
        let key = key.as_ref();
        check_key(key)?;
        let hash = self.engine.seed.hash(key);
        if trace::is_on() {
            return Box::pin(self.engine.traced("get", key, self.engine.get_traced(hash, key))).await;
        }
        if let Some(value) = self.engine.peek(hash, key, "get") {
            return Ok(Some(value));
        }
        let (value, _) = Box::pin(self.engine.read::<T>(hash, key)).await?;
        Ok(value)
    }

    /// As [`Cache::get`], with a [`Receipt`] that says where the answer came from, how old it is, or why there is none. It allocates
    /// also for a hit in tier 1.
    ///
    /// # Errors
    /// As [`Cache::get`].
    #[doc(alias = "debug_cache_operations")]
    pub async fn get_with_receipt<T: Data>(
        &self,
        key: impl AsRef<str> + Send,
    ) -> Result<(Option<Arc<T>>, Receipt), Error> {
        let key = key.as_ref();
        check_key(key)?;
        let hash = self.engine.seed.hash(key);
        let reading = self.engine.traced("get_with_receipt", key, self.engine.read::<T>(hash, key));
        let (value, found) = Box::pin(reading).await?;
        Ok((value, self.engine.receipt(&found)))
    }

    /// The fresh value of `key`, or `default`: for a miss, and also if the cache cannot say, for whatever reason. For values
    /// that one can do without; an error of the caller's own (a bad key) is logged as a warning. `default` is not stored.
    ///
    /// ```
    /// # use cache_tiered::Cache;
    /// # async fn example(cache: &Cache) {
    /// let limit = cache.get_or_default("config:rate_limit", 100_u32).await;
    /// # }
    /// ```
    #[doc(alias = "robust_cache_get")]
    pub async fn get_or_default<T: Data>(&self, key: impl AsRef<str> + Send, default: T) -> Arc<T> {
        match self.get(key).await {
            Ok(Some(value)) => value,
            Ok(None) => Arc::new(default),
            Err(error) => {
                if !error.is_infrastructure() {
                    tracing::warn!(cache = self.namespace().as_str(), %error, "answered with a default");
                }
                Arc::new(default)
            }
        }
    }

    /// Whether there is a fresh value, of whatever type. Not counted as a read.
    ///
    /// # Errors
    /// As [`Cache::get`].
    pub async fn exists(&self, key: impl AsRef<str> + Send) -> Result<bool, Error> {
        Ok(self.ttl(key).await?.is_some())
    }

    /// How much longer the value is fresh; `None` if there is no fresh value. Not counted as a read.
    ///
    /// # Errors
    /// As [`Cache::get`].
    pub async fn ttl(&self, key: impl AsRef<str> + Send) -> Result<Option<Duration>, Error> {
        let key = key.as_ref();
        check_key(key)?;
        let hash = self.engine.seed.hash(key);
        self.engine.check_open()?;
        let found = Box::pin(self.engine.traced("ttl", key, self.engine.find(hash, key))).await;
        self.engine.may_degrade(&found)?;
        Ok(self.engine.fresh_for(&found))
    }
}

impl Engine {
    async fn get_traced<T: Data>(&self, hash: u64, key: &str) -> Result<Option<Arc<T>>, Error> {
        match self.peek_traced(hash, key, "get") {
            Some(value) => Ok(Some(value)),
            None => self.read(hash, key).await.map(|(value, _)| value),
        }
    }

    /// The slow path of a read: both tiers, without a loader.
    async fn read<T: Data>(&self, hash: u64, key: &str) -> Result<(Option<Arc<T>>, Found), Error> {
        self.check_open()?;
        let reading = self.reading("get");
        let mut found = self.find(hash, key).await;
        self.may_degrade(&found)?;
        let value = self.fresh_as(hash, key, &mut found).await;
        let tier = found.entry.as_ref().filter(|_| value.is_some()).map(|(_, tier)| *tier);
        let result = if value.is_some() { ReadResult::Hit } else { ReadResult::Miss };
        self.count_read(tier, result);
        self.tell_read(key, reading, tier, result, &found);
        Ok((value, found))
    }

    /// The value of what was found, if it is fresh and a `T`; else `found` says why not.
    pub(crate) async fn fresh_as<T: Data>(&self, hash: u64, key: &str, found: &mut Found) -> Option<Arc<T>> {
        if found.status != Status::Fresh {
            return None;
        }
        let (entry, _) = found.entry.as_ref()?;
        let value = self.read_as(hash, key, entry.clone()).await.ok();
        if value.is_none() {
            found.status = Status::Refused;
        }
        value
    }

    /// # Errors
    /// The store's, if it failed and the settings say that reads are to fail then.
    pub(crate) fn may_degrade(&self, found: &Found) -> Result<(), Error> {
        match &found.error {
            Some(error) if self.settings.on_store_error == OnStoreError::Fail => Err(error.clone()),
            _ => Ok(()),
        }
    }
}
