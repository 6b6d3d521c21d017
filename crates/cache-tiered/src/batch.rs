//! Many keys in one call.

use std::fmt;
use std::sync::Arc;

use cache_core::{Error, Key, Read, ReadResult, SetOptions, Status, Store, check_key};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use serde::Serialize;

use crate::cache::Cache;
use crate::data::Data;
use crate::engine::Engine;
use crate::find::{Found, Question};

/// How many keys' answers are taken in at a time.
const AT_ONCE: usize = 64;

/// What became of a write of many keys: those that failed, each with its error. The others are done.
#[derive(Clone, Default)]
#[must_use = "keys may have failed"]
pub struct BatchReport {
    /// The failed keys as they were given, in that order.
    pub failed: Vec<(String, Error)>,
}

impl fmt::Debug for BatchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Each error names its key, redacted.
        f.debug_list().entries(self.failed.iter().map(|(_, error)| error)).finish()
    }
}

impl BatchReport {
    /// # Errors
    /// The first key's error, if any failed.
    pub fn into_result(self) -> Result<(), Error> {
        self.failed.into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
    }

    fn of(keys: impl Iterator<Item = String>, results: Vec<Result<(), Error>>) -> Self {
        let failed = keys.zip(results).filter_map(|(key, result)| Some((key, result.err()?))).collect();
        Self { failed }
    }
}

/// Checks all keys. The error says which one is bad, because the key itself may show nothing.
fn check_keys(keys: &[impl AsRef<str>]) -> Result<(), Error> {
    keys.iter()
        .enumerate()
        .try_for_each(|(i, key)| check_key(key.as_ref()).map_err(|error| error.at(format_args!("keys[{i}]"))))
}

impl Cache {
    /// The fresh values of many keys, in their order, `None` for a miss; of no keys, none. What tier 1 lacks is asked of the store
    /// in one round trip (one for each 1000 keys with Redis). Dropping the future does no harm.
    ///
    /// # Errors
    /// As [`Cache::get`]; a bad key fails the call before anything is read.
    #[doc(alias = "get_multiple_cached")]
    #[doc(alias = "gather")]
    pub async fn get_many<T: Data>(
        &self,
        keys: &[impl AsRef<str> + Sync],
    ) -> Result<Vec<Option<Arc<T>>>, Error> {
        let keys: Vec<&str> = keys.iter().map(AsRef::as_ref).collect();
        Box::pin(self.engine.traced("get_many", "", self.engine.get_many(&keys))).await
    }

    /// Stores many values with the same options, as concurrent [`Cache::set`]s, which share the store's round trips. Dropping the
    /// future leaves some stored and some not.
    ///
    /// # Errors
    /// Options, keys and values are checked first, as [`Cache::set`] does: if any is bad nothing is stored. What fails later is in
    /// the report.
    #[doc(alias = "cache_multiple_users")]
    pub async fn set_many<T: Serialize + Sync>(
        &self,
        items: &[(impl AsRef<str> + Sync, T)],
        options: impl Into<SetOptions> + Send,
    ) -> Result<BatchReport, Error> {
        let options = options.into();
        let mut prepared = Vec::with_capacity(items.len());
        for (i, (key, value)) in items.iter().enumerate() {
            let item = self.engine.prepare(key.as_ref(), value, &options);
            prepared.push(item.map_err(|error| error.at(format_args!("items[{i}]")))?);
        }
        let writes = items
            .iter()
            .zip(prepared)
            .map(|((key, _), (encoded, keep))| self.engine.write(key.as_ref(), encoded, keep));
        let results = Box::pin(self.engine.traced("set_many", "", join_all(writes))).await;
        Ok(BatchReport::of(items.iter().map(|(key, _)| key.as_ref().to_owned()), results))
    }

    /// Removes many keys, as concurrent [`Cache::delete`]s. Dropping the future leaves some removed and some not.
    ///
    /// # Errors
    /// [`Validation`](cache_core::ErrorKind::Validation) or [`TooLarge`](cache_core::ErrorKind::TooLarge) for a bad key, before
    /// anything is removed; [`Closed`](cache_core::ErrorKind::Closed). What fails later is in the report.
    pub async fn delete_many(&self, keys: &[impl AsRef<str> + Sync]) -> Result<BatchReport, Error> {
        self.engine.check_open()?;
        check_keys(keys)?;
        let deletes = join_all(keys.iter().map(|key| self.engine.delete(key.as_ref())));
        let results = Box::pin(self.engine.traced("delete_many", "", deletes)).await;
        Ok(BatchReport::of(keys.iter().map(|key| key.as_ref().to_owned()), results))
    }
}

impl Engine {
    async fn get_many<T: Data>(&self, keys: &[&str]) -> Result<Vec<Option<Arc<T>>>, Error> {
        self.check_open()?;
        check_keys(keys)?;
        let reading = self.reading_many("get_many");
        let found = self.find_many(keys, true).await?;
        let mut values = Vec::with_capacity(keys.len());
        for (&key, mut found) in keys.iter().zip(found) {
            self.may_degrade(&found)?;
            let hash = self.seed.hash(key);
            let value = self.fresh_as(hash, key, &mut found).await;
            let tier = found.entry.as_ref().filter(|_| value.is_some()).map(|(_, tier)| *tier);
            let result = if value.is_some() { ReadResult::Hit } else { ReadResult::Miss };
            self.count_read(tier, result);
            self.tell_read(key, reading, tier, result, &found);
            values.push(value);
        }
        Ok(values)
    }

    /// What both tiers hold of these keys, in their order. Tier 1 gets `copies` of what the store has, or none.
    pub(crate) async fn find_many(&self, keys: &[&str], copies: bool) -> Result<Vec<Found>, Error> {
        for key in keys {
            check_key(key)?;
        }
        let mut found: Vec<Option<Found>> =
            keys.iter().map(|key| self.find_local(self.seed.hash(key), key)).collect();
        if let Some(store) = &self.store {
            let missing: Vec<usize> = found
                .iter()
                .enumerate()
                .filter(|(_, found)| found.as_ref().is_none_or(|found| found.status != Status::Fresh))
                .map(|(at, _)| at)
                .collect();
            let full =
                missing.iter().map(|&at| self.namespace.key(keys[at])).collect::<Result<Vec<_>, _>>()?;
            for (at, stored) in missing.into_iter().zip(self.fetch_many(&**store, &full, copies).await) {
                found[at] = Some(self.or_held(self.seed.hash(keys[at]), keys[at], stored));
            }
        }
        let absent = || Found::nothing(Status::Absent, crate::find::Seen::Nothing);
        Ok(found.into_iter().map(|found| found.unwrap_or_else(absent)).collect())
    }

    async fn fetch_many(&self, store: &dyn Store, keys: &[Key], copies: bool) -> Vec<Found> {
        if keys.is_empty() {
            return Vec::new();
        }
        let hashes: Vec<u64> = keys.iter().map(|key| self.seed.hash(key.user())).collect();
        let now = self.timer.now();
        let mut asked: Vec<_> =
            keys.iter().zip(&hashes).map(|(key, &hash)| self.question(hash, key.user(), now)).collect();
        asked.iter_mut().for_each(|question| question.copies = copies);
        let asking = async {
            let answers = store.get_many(keys).await;
            // A call all of whose answers are errors failed as a whole.
            match answers.iter().find(|answer| answer.is_ok()) {
                Some(_) => Ok(answers),
                None => match answers.iter().find_map(|answer| answer.as_ref().err()) {
                    Some(error) => Err(error.clone()),
                    None => Ok(answers),
                },
            }
        };
        let answers = match self.timed("get_many", asking).await {
            Ok(answers) => answers,
            Err(error) => return keys.iter().map(|_| Found::failed(error.clone())).collect(),
        };
        // Many at once, because each may have to ask for its marks, and all share one deadline. Not all at once, because
        // what one asked for the next ones know.
        let admitted = answers
            .into_iter()
            .enumerate()
            .map(|(i, answer)| self.admit_answer(store, &keys[i], hashes[i], answer, asked[i]));
        stream::iter(admitted).buffered(AT_ONCE).collect().await
    }

    async fn admit_answer(
        &self,
        store: &dyn Store,
        key: &Key,
        hash: u64,
        answer: Result<Read, Error>,
        asked: Question,
    ) -> Found {
        match answer {
            Ok(read) => self.admit(store, key, hash, read, asked).await,
            Err(error) => Found::failed(self.store_failed(error.in_operation("get_many"))),
        }
    }
}
