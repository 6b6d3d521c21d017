//! `keys`: which keys have a value.

use std::collections::BTreeSet;

use cache_core::{Error, ErrorKind, Status, Store, check_key};

use crate::cache::Cache;
use crate::engine::Engine;
use crate::glob;

/// Keys that the store looks at for one answer.
const PAGE: usize = 512;
/// Keys whose values are asked for at a time: even large ones arrive within `store_timeout`.
const BATCH: usize = 16;

impl Cache {
    /// The keys that have a fresh value and match a glob pattern (`*`, `?`, `[a-c]`, `[^a]`, `\` before what is meant as it
    /// is), each once, in order. What expired, was invalidated or is only being loaded is not among them.
    ///
    /// For development and for tools: every key of the namespace is looked at, page by page, and every value that
    /// matches is read, which takes time and holds all that is found in memory. It does not stand in anybody's way, and
    /// nothing is kept in tier 1 by it. What others change meanwhile may be seen or not. Dropping the future does no harm.
    ///
    /// ```
    /// # use cache_tiered::{Cache, Error};
    /// # async fn example(cache: &Cache) -> Result<(), Error> {
    /// for key in cache.keys("user:profile:*").await? {
    ///     println!("{key}");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The store's, if it fails, whatever the settings say ([`ErrorKind::Unavailable`], [`ErrorKind::Timeout`] for a page that takes
    /// longer than `store_timeout`); [`ErrorKind::Unsupported`] if it cannot list keys;
    /// [`ErrorKind::Closed`].
    #[doc(alias = "get_active_keys")]
    #[doc(alias = "inspect_cache_keys")]
    #[doc(alias = "fnmatch")]
    #[doc(alias = "DevCacheUtils")]
    pub async fn keys(&self, pattern: impl AsRef<str> + Send) -> Result<Vec<String>, Error> {
        let pattern = pattern.as_ref();
        self.engine.traced("keys", pattern, self.engine.keys(pattern)).await
    }
}

impl Engine {
    async fn keys(&self, pattern: &str) -> Result<Vec<String>, Error> {
        self.check_open()?;
        let mut matching = BTreeSet::new();
        let mut consider = |key: &str| {
            if glob::matches(pattern, key) && check_key(key).is_ok() {
                matching.insert(key.to_owned());
            }
        };
        self.local.for_each(self.timer.now(), &mut |key, _| consider(key));
        if let Some(store) = &self.store {
            self.scan(&**store, &mut consider).await?;
        }
        let matching: Vec<String> = matching.into_iter().collect();
        let mut fresh = Vec::new();
        for batch in matching.chunks(BATCH) {
            let keys: Vec<&str> = batch.iter().map(String::as_str).collect();
            for (key, found) in batch.iter().zip(self.find_many(&keys, false).await?) {
                match found.error {
                    Some(error) => return Err(error.in_operation("keys")),
                    None if found.status == Status::Fresh => fresh.push(key.clone()),
                    None => {}
                }
            }
        }
        Ok(fresh)
    }

    /// Shows every key of the store that is this cache's, some more than once.
    async fn scan(&self, store: &dyn Store, visit: &mut (dyn FnMut(&str) + Send)) -> Result<(), Error> {
        let name = store.capability().name;
        if !store.capability().scan {
            let message = format!("the store `{name}` cannot list its keys");
            return Err(Error::new(ErrorKind::Unsupported, message).in_operation("keys"));
        }
        let mut cursor = Some(0);
        while let Some(at) = cursor {
            let page = self.timed("scan", store.scan(&self.namespace, at, PAGE)).await;
            let page = page.map_err(|error| error.in_operation("keys"))?;
            page.keys.iter().filter_map(|key| self.namespace.strip(key.as_bytes())).for_each(&mut *visit);
            cursor = page.next;
        }
        Ok(())
    }
}
