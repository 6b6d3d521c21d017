//! `set`, `delete` and `expire`.

use std::sync::Arc;
use std::time::Duration;

use cache_codec::{Header, Opened};
use cache_core::{
    Encoded, Error, ErrorKind, Event, Fill, Filled, Key, LocalEntry, Meta, Moment, PutIf, RemoveIf,
    SetOptions, Stamp, Store, Ttl, Value, Version, WriteResult, check_key,
};
use serde::Serialize;

use crate::cache::Cache;
use crate::decide;
use crate::engine::{Engine, Keep};
use crate::outbox::{Before, LocalWrite};
use crate::replay::is_away;
use crate::settings::OnStoreError;
use crate::watched::Wrote;
use crate::writing::Write;

impl Cache {
    /// Stores a value under `key`, in place of what is there. A `Duration` as options is the TTL (1 ms to 365 days), `()` means the
    /// cache's defaults.
    ///
    /// The value is serialised once, here. When this returns, no read of any process that is in step with the store
    /// gets an older value. Dropping the future leaves either the old or the new value, and queues nothing for a store that is
    /// away.
    ///
    /// ```
    /// # use cache_tiered::{Cache, Error, SetOptions};
    /// # use std::time::Duration;
    /// # async fn example(cache: &Cache) -> Result<(), Error> {
    /// cache.set("session:42", &("ann", 7), Duration::from_secs(1800)).await?;
    /// cache.set("greeting", "hello", ()).await?;
    /// cache.set("user:42", &vec![1, 2], SetOptions::default().tag("team:7")).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Validation`] for a bad key or options (nothing is stored), [`ErrorKind::TooLarge`] and
    /// [`ErrorKind::Codec`] for a value that cannot be kept, [`ErrorKind::Unsupported`] for tags on a store without
    /// marks, [`ErrorKind::Closed`]. What the store refuses for what it is (too large for it, not allowed) is the store's
    /// error, and what was there before stays there. A failing store is an error only with [`OnStoreError::Fail`] (or if not
    /// even a clear could be queued); else the value is served by this process, and written to the store when it is back. It is
    /// not, and gone then, if somebody else changed the key, or if a mark of a tag of it or a clear is made until then; so it is if
    /// this process's own [`invalidate_tag`](Cache::invalidate_tag) or [`clear`](Cache::clear) was waiting for the store already.
    #[doc(alias = "robust_cache_set")]
    pub async fn set<T: Serialize + Sync + ?Sized>(
        &self,
        key: impl AsRef<str> + Send,
        value: &T,
        options: impl Into<SetOptions> + Send,
    ) -> Result<(), Error> {
        let key = key.as_ref();
        let (encoded, keep) = self.engine.prepare(key, value, &options.into())?;
        Box::pin(self.engine.traced("set", key, self.engine.write(key, encoded, keep))).await
    }

    /// Removes the value of `key`: it is gone, also as a stale one, and what is being loaded for it is not kept. That nothing was
    /// there is no error.
    ///
    /// A future that is dropped while it waits has let go of the value in this process. Whether the store has, is not known, and
    /// nothing is queued: delete again.
    ///
    /// ```
    /// # use cache_tiered::{Cache, Error};
    /// # async fn example(cache: &Cache) -> Result<(), Error> {
    /// match cache.delete("user:42").await {
    ///     // The store is away: the value is gone here, and there as soon as it is back.
    ///     Err(error) if error.is_queued() => println!("{error}"),
    ///     other => other?,
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Validation`] or [`ErrorKind::TooLarge`] for a bad key, [`ErrorKind::Closed`]; if the store is away,
    /// [`ErrorKind::Unavailable`] with [`Error::is_queued`] and the store's error as its source: this process has let go of the
    /// value, and the store will be told as soon as it is back. Any other error of the store's is handed on as it is, and nothing
    /// is queued.
    #[doc(alias = "invalidate")]
    pub async fn delete(&self, key: impl AsRef<str> + Send) -> Result<(), Error> {
        let key = key.as_ref();
        check_key(key)?;
        Box::pin(self.engine.traced("delete", key, self.engine.delete(key))).await
    }

    /// Makes the value of `key` stale: `get` misses from now on, and `get_or_load` may serve it while it loads a new
    /// one, for as long as its `stale_for` says, counted from now. Without a `stale_for` it is gone. With a store that is two round
    /// trips or more, in all no longer than `store_timeout`; a future that is dropped is as with [`Cache::delete`].
    ///
    /// # Errors
    /// As [`Cache::delete`].
    pub async fn expire(&self, key: impl AsRef<str> + Send) -> Result<(), Error> {
        let key = key.as_ref();
        check_key(key)?;
        Box::pin(self.engine.traced("expire", key, self.engine.expire(key))).await
    }
}

impl Engine {
    /// Checks a write and serialises its value.
    pub(crate) fn prepare<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
        options: &SetOptions,
    ) -> Result<(Encoded, Keep), Error> {
        let checked = self.check_open().and(check_key(key)).and_then(|()| options.validate());
        checked
            .and_then(|()| self.check_tags(!options.tags.is_empty()))
            .map_err(|error| error.in_operation("set"))?;
        let (format, began) = (self.settings.format, self.watched_since());
        let bytes = cache_codec::encode(format, value, self.value_limit())
            .map_err(|error| error.in_operation("set").for_key(key))?;
        self.tell_work("serialize", bytes.len(), began);
        Ok((Encoded { format, bytes }, self.keep(options)))
    }

    pub(crate) async fn write(&self, key: &str, encoded: Encoded, keep: Keep) -> Result<(), Error> {
        let began = self.timer.now();
        let hash = self.seed.hash(key);
        self.counters.sets.one();
        let (bytes, fresh_for) = (encoded.bytes.len(), keep.fresh.as_duration());
        let wrote = |result, stored| {
            self.tell_write(&Wrote { key, operation: "set", result, bytes, stored, fresh_for, began });
        };
        let known = self.marks.known();
        let deadline = self.store_deadline();
        let stamp = self.stamp_by(deadline).await;
        let mut entry = LocalEntry {
            weight: Self::weight(key, bytes),
            meta: Meta {
                fresh_until: began + keep.fresh.as_duration(),
                dead_at: began + keep.total.as_duration(),
                made_at: began,
                stamp: stamp.as_ref().copied().unwrap_or_default(),
                tags: keep.tags.clone(),
                version: self.versions.value(),
                schema: None,
                cost: Duration::ZERO,
                local_only: false,
            },
            value: Value::Encoded(Arc::new(encoded.clone())),
        };
        let Some(store) = &self.store else {
            self.fence(hash, key);
            self.negative.clear(key);
            let filled = self.local.insert(hash, key, entry, Fill::Write);
            return match filled {
                Filled::TooLarge => {
                    wrote(WriteResult::Failed, None);
                    Err(self.too_large(key, bytes))
                }
                Filled::Stored | Filled::Fenced => {
                    wrote(WriteResult::Stored, None);
                    Ok(())
                }
            };
        };
        let full = self.namespace.key(key)?;
        let header = header_of(&entry.meta, &keep, &encoded, self.timer.unix_millis());
        let sealed = self
            .seal(&header, &full, &encoded.bytes)
            .await
            .map_err(|error| error.in_operation("set").for_key(key))?;
        let stored = sealed.len();
        let over = self.known_version(hash, key);
        let queued_before = self.outbox.position();
        let write = Write::begin(self, hash, key);
        // After the fence: a load that fails from now on opens no window.
        self.negative.clear(key);
        // Held until what waits for the key is settled.
        let turn = self.turn(key, deadline).await;
        let put = async {
            turn.as_ref().map_err(Error::clone)?;
            stamp?;
            self.timed_by(deadline, "put", store.put(&full, sealed, keep.total, PutIf::Always)).await
        };
        let mut kept = WriteResult::Stored;
        let result = match put.await {
            Ok(written) => {
                self.outbox.settle(key, queued_before);
                self.keep_written(write, hash, key, &entry, written.tracked, began);
                Ok(())
            }
            Err(error) if self.settings.on_store_error == OnStoreError::Fail => {
                Err(error.in_operation("set").for_key(key))
            }
            Err(error) if is_away(&error) => {
                stay_local(&mut entry.meta, began, known.seq, self.local_only_for());
                self.local.insert(hash, key, entry.clone(), Fill::Write);
                // Queued after it is served: what ends the queueing also ends the serving.
                if self.outbox.write(key, LocalWrite { entry, encoded, keep, known, over }) {
                    write.kept();
                    kept = WriteResult::Waiting;
                    Ok(())
                } else {
                    Err(error.in_operation("set").for_key(key))
                }
            }
            // The store will never take it.
            Err(error) => Err(error.in_operation("set").for_key(key)),
        };
        wrote(if result.is_ok() { kept } else { WriteResult::Failed }, Some(stored));
        result
    }

    fn too_large(&self, key: &str, bytes: usize) -> Error {
        let most = self.local.usage().max_weight;
        Error::new(
            ErrorKind::TooLarge,
            format!(
                "the value is {bytes} bytes long when serialised, and tier 1 may hold {most} bytes in all"
            ),
        )
        .in_operation("set")
        .for_key(key)
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<(), Error> {
        self.check_open()?;
        let hash = self.seed.hash(key);
        self.counters.deletes.one();
        self.tell(|| Event::Invalidate { operation: "delete", key: Some(key) });
        let Some(store) = &self.store else {
            self.void(hash, key);
            self.negative.clear(key);
            return Ok(());
        };
        let full = self.namespace.key(key)?;
        let queued_before = self.outbox.position();
        let _write = Write::begin(self, hash, key);
        self.negative.clear(key);
        let deadline = self.store_deadline();
        let turn = self.turn(key, deadline).await;
        let removed = match &turn {
            Ok(_) => self.timed_by(deadline, "remove", store.remove(&full, RemoveIf::Always)).await,
            Err(error) => Err(error.clone()),
        };
        match removed {
            Ok(_) => {
                self.outbox.settle(key, queued_before);
                Ok(())
            }
            Err(error) => {
                let error = self.queued(error, |outbox| outbox.invalidate(key, Before::Remove));
                Err(error.in_operation("delete").for_key(key))
            }
        }
    }

    /// How long a value is served at the most which the store could not take; without a bound if there never was a store
    /// to be out of step with.
    pub(crate) fn local_only_for(&self) -> Option<Duration> {
        self.lease.was_up().then(|| self.settings.disconnected_max_age.max(LOCAL_ONLY_FOR))
    }

    /// The version that the store has under the key, as far as tier 1 knows.
    fn known_version(&self, hash: u64, key: &str) -> Option<Version> {
        let meta = self.local.get(hash, key, self.timer.now())?.meta;
        (!meta.local_only).then_some(meta.version)
    }

    async fn expire(&self, key: &str) -> Result<(), Error> {
        self.check_open()?;
        let hash = self.seed.hash(key);
        self.counters.expires.one();
        self.tell(|| Event::Invalidate { operation: "expire", key: Some(key) });
        let Some(store) = &self.store else {
            self.fence(hash, key);
            self.negative.clear(key);
            self.local.expire(hash, key, self.timer.now());
            return Ok(());
        };
        let full = self.namespace.key(key)?;
        let deadline = self.store_deadline();
        self.write_what_waits(&**store, key, deadline).await;
        let queued_before = self.outbox.position();
        let _write = Write::begin(self, hash, key);
        self.negative.clear(key);
        let turn = self.turn(key, deadline).await;
        let expired = match &turn {
            Ok(_) => self.expire_stored(&**store, &full, deadline).await,
            Err(error) => Err(error.clone()),
        };
        match expired {
            Ok(()) => {
                self.outbox.settle(key, queued_before);
                Ok(())
            }
            Err(error) => {
                let error = self.queued(error, |outbox| outbox.invalidate(key, Before::Expire));
                Err(error.in_operation("expire").for_key(key))
            }
        }
    }

    /// Writes the value that waits for the key, if the store takes it by then, so that it can become stale there. What
    /// is left midway goes on waiting.
    async fn write_what_waits(&self, store: &dyn Store, key: &str, deadline: Moment) {
        let writing = async {
            while let Some(pending) = self.outbox.writing(key) {
                // Another who is at the key writes it, or does what makes it void.
                if self.replay_key(store, key, &pending).await.is_err()
                    || self.outbox.is_waiting(key, pending.ticket)
                {
                    return;
                }
            }
        };
        tokio::select! {
            () = writing => {}
            () = self.timer.sleep_until(deadline) => {}
        }
    }

    /// Writes what is stored anew as an entry that is no longer fresh, or removes it if it may not be served stale.
    pub(crate) async fn expire_stored(
        &self,
        store: &dyn Store,
        key: &Key,
        deadline: Moment,
    ) -> Result<(), Error> {
        loop {
            let sent_at = self.timer.now();
            let Some(stored) = self.timed_by(deadline, "get", store.get(key)).await?.found else {
                return Ok(());
            };
            let (mut header, payload) = match self.open(&stored.bytes, key).await {
                Ok(Opened::Value(header, payload)) => (header, payload),
                Ok(Opened::Lease(lease)) => {
                    // A load is under way; without its lease what it brings is not kept.
                    if self.timed_by(deadline, "remove", store.remove(key, RemoveIf::Version(lease))).await? {
                        return Ok(());
                    }
                    continue;
                }
                Err(_) => return Ok(()),
            };
            let old = header.version;
            let span = decide::place(header.fresh, header.total, stored.remaining, sent_at);
            if sent_at < span.fresh_until {
                let stale_for = header.total.saturating_sub(header.fresh);
                header.fresh = sent_at.since(span.made_at);
                header.total = header.fresh + stale_for;
            }
            // What was stale before gets a new version all the same, so that a refresh under way is not kept.
            header.version = self.versions.value();
            let end = span.dead_at.min(sent_at + header.total.saturating_sub(header.fresh));
            let done = match Ttl::new(end.since(sent_at)) {
                Err(_) => {
                    self.timed_by(deadline, "remove", store.remove(key, RemoveIf::Version(old))).await?
                }
                Ok(left) => {
                    let sealed = self.seal(&header, key, &payload.bytes).await?;
                    self.timed_by(deadline, "put", store.put(key, sealed, left, PutIf::Version(old)))
                        .await?
                        .stored
                }
            };
            if done {
                return Ok(());
            }
        }
    }
}

/// How long a value is served at least which the store could not take, if it is fresh for so long.
const LOCAL_ONLY_FOR: Duration = Duration::from_secs(60);

/// The entry, which the store could not take, stays in this process, from `now` for `most` at the most, and is judged by
/// the marks that this process knows. They stood at `known` before the value was made.
pub(crate) fn stay_local(meta: &mut Meta, now: Moment, known: u64, most: Option<Duration>) {
    meta.local_only = true;
    meta.stamp = Stamp { nonce: 0, seq: known };
    if let Some(most) = most {
        meta.dead_at = meta.dead_at.min(now + most);
        meta.fresh_until = meta.fresh_until.min(meta.dead_at);
    }
}

/// The header of an entry that is to be stored.
pub(crate) fn header_of(meta: &Meta, keep: &Keep, encoded: &Encoded, created_unix_ms: u64) -> Header {
    Header {
        version: meta.version,
        format: encoded.format,
        fresh: keep.fresh.as_duration(),
        total: keep.total.as_duration(),
        cost: meta.cost,
        stamp: meta.stamp,
        tags: keep.tags.clone(),
        schema: meta.schema,
        created_unix_ms,
    }
}
