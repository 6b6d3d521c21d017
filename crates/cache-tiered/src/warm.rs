//! `warm` and `preload`: fill the cache before somebody asks.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use cache_core::{BoxError, Error, ErrorKind, LoadOptions, Problems};
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde::Serialize;

use crate::batch::BatchReport;
use crate::cache::Cache;
use crate::data::Data;

/// How a cache is filled. Whatever says how a value is to be kept says that here too; the rest are its own settings.
///
/// ```
/// use std::time::Duration;
/// use cache_tiered::WarmOptions;
///
/// let hour = Duration::from_secs(3600);
/// let options = WarmOptions::from(hour).concurrency(32).on_progress(|progress| println!("{}", progress.done));
/// ```
#[derive(Clone)]
pub struct WarmOptions {
    load: LoadOptions,
    concurrency: usize,
    progress: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
}

/// How far a [`warm`](Cache::warm) or [`preload`](Cache::preload) is, in keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Keys that are done, those that failed included.
    pub done: usize,
    /// Keys that failed.
    pub failed: usize,
    /// How many there are, if that is known.
    pub total: Option<usize>,
}

impl WarmOptions {
    /// The most keys under way at a time.
    pub const MAX_CONCURRENCY: usize = 1000;

    /// How many keys are under way at a time: 1 to 1000, 8 by default.
    #[must_use]
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// Calls this after each key, in the task that fills. Be quick.
    #[must_use]
    pub fn on_progress(mut self, progress: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(progress));
        self
    }

    /// What these options do not say of entries and loads is taken from `others`.
    pub(crate) fn or(mut self, others: &LoadOptions) -> Self {
        self.load = self.load.or(others);
        self
    }

    fn validate(&self) -> Result<(), Error> {
        let mut problems = Problems::default();
        problems.take(self.load.validate());
        problems.check((1..=Self::MAX_CONCURRENCY).contains(&self.concurrency), || {
            format!("concurrency is {}, 1 to {} are allowed", self.concurrency, Self::MAX_CONCURRENCY)
        });
        problems.validation()
    }
}

impl<T: Into<LoadOptions>> From<T> for WarmOptions {
    fn from(load: T) -> Self {
        Self { load: load.into(), concurrency: 8, progress: None }
    }
}

impl fmt::Debug for WarmOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WarmOptions")
            .field("load", &self.load)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

impl Cache {
    /// Stores every value of `items`, some at a time, and takes the next from `items` only when there is room for it.
    /// Dropping the future leaves those done that are done.
    ///
    /// ```
    /// # use cache_tiered::{Cache, Error};
    /// # use std::time::Duration;
    /// # async fn example(cache: &Cache) -> Result<(), Error> {
    /// let flags = [("config:new_ui", true), ("config:beta", false)];
    /// cache.warm(flags, Duration::from_secs(3600)).await?.into_result()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Validation`] for bad options, before anything is stored, also for a `stale` mode or a `load_timeout`,
    /// which nothing here uses; [`ErrorKind::Closed`]. What [`Cache::set`] says of a key is in the report.
    #[doc(alias = "cache_warmup")]
    pub async fn warm<K, T>(
        &self,
        items: impl IntoIterator<Item = (K, T), IntoIter: Send> + Send,
        options: impl Into<WarmOptions> + Send,
    ) -> Result<BatchReport, Error>
    where
        K: AsRef<str> + Send + Sync,
        T: Serialize + Send + Sync,
    {
        let options = options.into();
        options.validate()?;
        if options.load != LoadOptions::from(options.load.entry.clone()) {
            let message =
                "`warm` loads nothing: a stale mode and a load_timeout have no effect, leave them out";
            return Err(Error::new(ErrorKind::Validation, message));
        }
        let entry = &options.load.entry;
        let store = |(key, value): (K, T)| async move {
            let result = self.set(key.as_ref(), &value, entry.clone()).await;
            (key, result)
        };
        Box::pin(self.fill("warm", items.into_iter(), &options, store)).await
    }

    /// Loads what is not there of `keys`, some at a time: as many [`get_or_load`](Cache::get_or_load)s, so a key that is
    /// being loaded already is waited for, and one that is there is not loaded. Dropping the future begins no further load; those
    /// under way go on.
    ///
    /// ```
    /// # use cache_tiered::{Cache, Error, Loaded, WarmOptions};
    /// # use std::time::Duration;
    /// # async fn load_from_database(key: &str) -> Loaded<String> { Ok(key.to_owned()) }
    /// # async fn example(cache: &Cache) -> Result<(), Error> {
    /// let hot = ["config:feature_flags", "config:rate_limits", "user:profile:active_admin"];
    /// let options = WarmOptions::from(Duration::from_secs(3600)).concurrency(4);
    /// let report = cache.preload(hot, options, |key| async move { load_from_database(&key).await }).await?;
    /// for (key, error) in report.failed {
    ///     eprintln!("{key} will be loaded when somebody asks: {error}");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Validation`] for bad options, before anything is loaded; [`ErrorKind::Closed`]. What
    /// [`Cache::get_or_load`] says of a key is in the report.
    #[doc(alias = "preload_hot_data")]
    pub async fn preload<K, T, F, Fut, E>(
        &self,
        keys: impl IntoIterator<Item = K, IntoIter: Send> + Send,
        options: impl Into<WarmOptions> + Send,
        loader: F,
    ) -> Result<BatchReport, Error>
    where
        K: AsRef<str> + Send + Sync,
        T: Data,
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let options = options.into();
        options.validate()?;
        let (loader, load) = (Arc::new(loader), &options.load);
        let ask = |key: K| {
            let (loader, of) = (Arc::clone(&loader), key.as_ref().to_owned());
            async move {
                let result = self.get_or_load(key.as_ref(), load.clone(), move || loader(of)).await;
                (key, result.map(drop))
            }
        };
        Box::pin(self.fill("preload", keys.into_iter(), &options, ask)).await
    }

    async fn fill<I, K, Fut>(
        &self,
        operation: &'static str,
        items: impl Iterator<Item = I> + Send,
        options: &WarmOptions,
        each: impl Fn(I) -> Fut + Send,
    ) -> Result<BatchReport, Error>
    where
        K: AsRef<str>,
        Fut: Future<Output = (K, Result<(), Error>)> + Send,
    {
        self.engine.check_open()?;
        let total = match items.size_hint() {
            (least, Some(most)) if least == most => Some(most),
            _ => None,
        };
        let filling = async {
            let (mut items, mut under_way) = (items, FuturesUnordered::new());
            let (mut done, mut report) = (0, BatchReport::default());
            loop {
                while under_way.len() < options.concurrency
                    && let Some(item) = items.next()
                {
                    under_way.push(each(item));
                }
                let Some((key, result)) = under_way.next().await else { return report };
                done += 1;
                if let Err(error) = result {
                    report.failed.push((key.as_ref().to_owned(), error));
                }
                if let Some(progress) = &options.progress {
                    progress(Progress { done, failed: report.failed.len(), total });
                }
            }
        };
        Ok(self.engine.traced(operation, "", filling).await)
    }
}
