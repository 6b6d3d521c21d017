//! Values of one type, under keys of one group.

use std::collections::HashMap;
use std::fmt::{self, Display};
use std::future::Future;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{BoxError, Error, KeySpace, LoadOptions, SetOptions};

use crate::batch::BatchReport;
use crate::cache::Cache;
use crate::data::Data;
use crate::loader::Loader;
use crate::receipt::Receipt;
use crate::warm::WarmOptions;

/// A view of a cache: its values of one type, named by what tells them apart.
///
/// Ids become the last part of the key, escaped as [`KeySpace`] says. Otherwise each call does what that of [`Cache`] of the
/// same name does; what the options of a call do not say is taken from those of the view. Cheap to clone. The value can
/// still be had from the cache by its whole key.
///
/// ```
/// # use cache_tiered::{Cache, Error, Loaded, TypedCache};
/// # use std::time::Duration;
/// # #[derive(serde::Serialize, serde::Deserialize)] struct User { name: String }
/// # async fn fetch(id: u64) -> Loaded<User> { Ok(User { name: id.to_string() }) }
/// # async fn example(cache: &Cache) -> Result<(), Error> {
/// let users: TypedCache<User> = cache.typed("user:profile").options(Duration::from_secs(3600)).schema("user", 2);
///
/// users.set(42, &User { name: "Ann".into() }, ()).await?;
/// let user = users.get_or_load(42, (), || fetch(42)).await?;
/// users.delete(42).await?;
/// # Ok(()) }
/// ```
pub struct TypedCache<T> {
    cache: Cache,
    space: KeySpace,
    options: LoadOptions,
    of: PhantomData<fn() -> T>,
}

impl Cache {
    /// A view of the values of type `T` whose keys start with `space`: a text such as `user:profile`, or a [`KeySpace`].
    pub fn typed<T: Data>(&self, space: impl Into<KeySpace>) -> TypedCache<T> {
        TypedCache {
            cache: self.clone(),
            space: space.into(),
            options: LoadOptions::default(),
            of: PhantomData,
        }
    }
}

impl<T: Data> TypedCache<T> {
    /// What is meant where a call's options say nothing: a TTL, or any [`LoadOptions`]; nothing by default. Checked by each call.
    #[must_use]
    #[doc(alias = "ttl")]
    pub fn options(mut self, options: impl Into<LoadOptions>) -> Self {
        self.options = options.into();
        self
    }

    /// For values of this schema alone. A program that knows another version has keys of its own, so the two never meet,
    /// and the older values end by their TTL. Raise the version when `T` changes in a way that serde would not notice.
    #[must_use]
    pub fn schema(mut self, name: &str, version: u32) -> Self {
        self.space = self.space.schema(name, version);
        self
    }

    /// The cache that this is a view of.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The whole key of an id, as the cache knows it.
    pub fn key(&self, id: impl Display) -> String {
        self.space.key(id)
    }

    /// As [`Cache::get`].
    ///
    /// # Errors
    /// As [`Cache::get`].
    pub async fn get(&self, id: impl Display + Send) -> Result<Option<Arc<T>>, Error> {
        self.cache.get(self.key(id)).await
    }

    /// As [`Cache::get_with_receipt`].
    ///
    /// # Errors
    /// As [`Cache::get`].
    pub async fn get_with_receipt(
        &self,
        id: impl Display + Send,
    ) -> Result<(Option<Arc<T>>, Receipt), Error> {
        self.cache.get_with_receipt(self.key(id)).await
    }

    /// As [`Cache::get_or_default`].
    pub async fn get_or_default(&self, id: impl Display + Send, default: T) -> Arc<T> {
        self.cache.get_or_default(self.key(id), default).await
    }

    /// As [`Cache::exists`].
    ///
    /// # Errors
    /// As [`Cache::get`].
    pub async fn exists(&self, id: impl Display + Send) -> Result<bool, Error> {
        self.cache.exists(self.key(id)).await
    }

    /// As [`Cache::ttl`].
    ///
    /// # Errors
    /// As [`Cache::get`].
    pub async fn ttl(&self, id: impl Display + Send) -> Result<Option<Duration>, Error> {
        self.cache.ttl(self.key(id)).await
    }

    /// As [`Cache::set`].
    ///
    /// # Errors
    /// As [`Cache::set`].
    pub async fn set(
        &self,
        id: impl Display + Send,
        value: &T,
        options: impl Into<SetOptions> + Send,
    ) -> Result<(), Error> {
        self.cache.set(self.key(id), value, options.into().or(&self.options.entry)).await
    }

    /// As [`Cache::delete`].
    ///
    /// # Errors
    /// As [`Cache::delete`].
    pub async fn delete(&self, id: impl Display + Send) -> Result<(), Error> {
        self.cache.delete(self.key(id)).await
    }

    /// As [`Cache::expire`].
    ///
    /// # Errors
    /// As [`Cache::expire`].
    pub async fn expire(&self, id: impl Display + Send) -> Result<(), Error> {
        self.cache.expire(self.key(id)).await
    }

    /// As [`Cache::get_or_load`].
    ///
    /// # Errors
    /// As [`Cache::get_or_load`].
    pub async fn get_or_load<Kind: 'static>(
        &self,
        id: impl Display + Send,
        options: impl Into<LoadOptions> + Send,
        loader: impl Loader<T, Kind>,
    ) -> Result<Arc<T>, Error> {
        self.cache.get_or_load(self.key(id), options.into().or(&self.options), loader).await
    }

    /// As [`Cache::reload`].
    ///
    /// # Errors
    /// As [`Cache::reload`].
    pub async fn reload<Kind: 'static>(
        &self,
        id: impl Display + Send,
        options: impl Into<LoadOptions> + Send,
        loader: impl Loader<T, Kind>,
    ) -> Result<Arc<T>, Error> {
        self.cache.reload(self.key(id), options.into().or(&self.options), loader).await
    }

    /// As [`Cache::get_many`].
    ///
    /// # Errors
    /// As [`Cache::get_many`].
    pub async fn get_many(&self, ids: &[impl Display + Sync]) -> Result<Vec<Option<Arc<T>>>, Error> {
        self.cache.get_many(&self.keys_of(ids)).await
    }

    /// As [`Cache::set_many`]. The report has whole keys.
    ///
    /// # Errors
    /// As [`Cache::set_many`].
    pub async fn set_many(
        &self,
        items: &[(impl Display + Sync, T)],
        options: impl Into<SetOptions> + Send,
    ) -> Result<BatchReport, Error> {
        let items: Vec<(String, &T)> = items.iter().map(|(id, value)| (self.key(id), value)).collect();
        self.cache.set_many(&items, options.into().or(&self.options.entry)).await
    }

    /// As [`Cache::delete_many`]. The report has whole keys.
    ///
    /// # Errors
    /// As [`Cache::delete_many`].
    pub async fn delete_many(&self, ids: &[impl Display + Sync]) -> Result<BatchReport, Error> {
        self.cache.delete_many(&self.keys_of(ids)).await
    }

    /// As [`Cache::get_many_or_load`]; the loader gets ids and answers with ids.
    ///
    /// # Errors
    /// As [`Cache::get_many_or_load`].
    pub async fn get_many_or_load<Id, F, Fut, E>(
        &self,
        ids: &[Id],
        options: impl Into<LoadOptions> + Send,
        loader: F,
    ) -> Result<Vec<Option<Arc<T>>>, Error>
    where
        Id: Display + Clone + Eq + Hash + Send + Sync + 'static,
        F: FnOnce(Vec<Id>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<HashMap<Id, T>, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let keys = self.keys_of(ids);
        let by_key: HashMap<String, Id> = keys.iter().cloned().zip(ids.iter().cloned()).collect();
        let load = move |missing: Vec<String>| async move {
            let missing: Vec<(String, Id)> =
                missing.into_iter().filter_map(|key| by_key.get(&key).cloned().map(|id| (key, id))).collect();
            let mut values = loader(missing.iter().map(|(_, id)| id.clone()).collect()).await?;
            Ok::<_, E>(missing.into_iter().filter_map(|(key, id)| Some((key, values.remove(&id)?))).collect())
        };
        self.cache.get_many_or_load(&keys, options.into().or(&self.options), load).await
    }

    /// As [`Cache::warm`]. The report has whole keys.
    ///
    /// # Errors
    /// As [`Cache::warm`].
    pub async fn warm(
        &self,
        items: impl IntoIterator<Item = (impl Display, T), IntoIter: Send> + Send,
        options: impl Into<WarmOptions> + Send,
    ) -> Result<BatchReport, Error> {
        let entry = LoadOptions::from(self.options.entry.clone());
        let items = items.into_iter().map(|(id, value)| (self.key(id), value));
        self.cache.warm(items, options.into().or(&entry)).await
    }

    /// As [`Cache::preload`]; the loader gets an id. The report has whole keys.
    ///
    /// # Errors
    /// As [`Cache::preload`].
    pub async fn preload<Id, F, Fut, E>(
        &self,
        ids: &[Id],
        options: impl Into<WarmOptions> + Send,
        loader: F,
    ) -> Result<BatchReport, Error>
    where
        Id: Display + Clone + Send + Sync + 'static,
        F: Fn(Id) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        E: Into<BoxError> + Send + 'static,
    {
        let keys = self.keys_of(ids);
        let by_key: HashMap<String, Id> = keys.iter().cloned().zip(ids.iter().cloned()).collect();
        let load = move |key: String| {
            let loading = by_key.get(&key).cloned().map(&loader);
            async move {
                match loading {
                    Some(loading) => loading.await.map_err(Into::into),
                    None => Err(BoxError::from("a key was asked for that was not given")),
                }
            }
        };
        self.cache.preload(keys, options.into().or(&self.options), load).await
    }

    fn keys_of(&self, ids: &[impl Display]) -> Vec<String> {
        ids.iter().map(|id| self.key(id)).collect()
    }
}

impl<T> Clone for TypedCache<T> {
    fn clone(&self) -> Self {
        let Self { cache, space, options, of } = self;
        Self { cache: cache.clone(), space: space.clone(), options: options.clone(), of: *of }
    }
}

impl<T> fmt::Debug for TypedCache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedCache")
            .field("space", &self.space)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
