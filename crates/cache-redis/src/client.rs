//! What the calls of the store have in common: which connection they take, and how they read what it brings.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use cache_core::{Claim, Error, FeedMode, Key, PutIf, Read, Stored, Ttl, Version, VersionSource};
use futures_util::future::join_all;
use parking_lot::Mutex;
use redis::{Pipeline, Value};

use crate::address::Address;
use crate::builder::RedisStoreBuilder;
use crate::conn::{Conn, Identity};
use crate::fault::{Cause, Fault};
use crate::feed::Feed;
use crate::link::{Link, Wiring};
use crate::marks::Seen;
use crate::reply::{self, Left};
use crate::scripts::Scripts;
use crate::store::RedisStore;
use crate::value::{self, Look};

/// Both links to the server, and what is sent over them.
pub(crate) struct Client {
    pub(crate) main: Link,
    pub(crate) large: Link,
    pub(crate) feed: Arc<Feed>,
    /// What was asked for, which may be more than what is in use.
    pub(crate) mode: FeedMode,
    pub(crate) scripts: Arc<Scripts>,
    pub(crate) seen: Seen,
    pub(crate) large_value: usize,
    /// Connections for large values over which a change was sent that was not answered.
    pub(crate) unanswered: Mutex<Vec<Identity>>,
    /// Whether large values share the first connection.
    pub(crate) one_line: AtomicBool,
    /// The first bytes of every lease.
    pub(crate) lease_magic: [u8; 4],
}

/// What came of a claim.
pub(crate) enum Claimed {
    Answer(Claim),
    /// A value that is too large for the connection that was asked.
    Large,
}

/// A change that was sent over the connection for large values. If it ends without an answer, or its caller leaves, it may
/// still be carried out, later than what is sent over the first connection.
struct OnItsWay<'a> {
    client: &'a Client,
    conn: &'a Conn,
    counts: bool,
}

impl OnItsWay<'_> {
    fn ended(mut self, answered: bool) {
        self.counts &= !answered;
    }
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        let mut unanswered = self.client.unanswered.lock();
        if self.counts && !unanswered.contains(&self.conn.identity) {
            unanswered.push(self.conn.identity.clone());
        }
    }
}

impl Client {
    pub(crate) fn new(address: &Address, builder: &RedisStoreBuilder) -> Self {
        let (feed, scripts) = (Arc::new(Feed::default()), Arc::new(Scripts::new()));
        let wiring = |purpose, patience, feed| Wiring {
            address: address.clone(),
            clock: Arc::clone(&builder.clock),
            connect_timeout: builder.connect_timeout,
            heartbeat: builder.heartbeat,
            patience,
            feed,
            mode: builder.feed,
            prefix: builder.prefix.clone(),
            scripts: Arc::clone(&scripts),
            purpose,
        };
        let [a, b, c, d, ..] = *VersionSource::new().lease().as_bytes();
        Self {
            main: Link::new(wiring("cache", builder.lease, Some(Arc::clone(&feed)))),
            // Its answers wait behind large values.
            large: Link::new(wiring("large values", builder.lease * 5, None)),
            feed,
            mode: builder.feed,
            scripts,
            seen: Seen::default(),
            unanswered: Mutex::default(),
            one_line: AtomicBool::new(false),
            large_value: builder.large_value,
            lease_magic: [a, b, c, d],
        }
    }

    /// The connection that is tracked.
    pub(crate) async fn conn(&self) -> Result<Arc<Conn>, Error> {
        self.main.conn().await
    }

    /// The connection for a value of this length, given the main one.
    pub(crate) async fn conn_for(&self, main: &Arc<Conn>, length: usize) -> Result<Arc<Conn>, Error> {
        let large = length > self.large_value && !self.one_line.load(Ordering::Acquire);
        if large { self.large.conn().await } else { Ok(Arc::clone(main)) }
    }

    pub(crate) fn is_tracked(&self, conn: &Conn, key: &Key) -> bool {
        self.feed.tells(conn, key.prefix())
    }

    pub(crate) fn read(&self, conn: &Conn, key: &Key, found: Option<Stored>) -> Read {
        Read { found, link: conn.link, tracked: self.is_tracked(conn, key) }
    }

    /// The connection for a change below this prefix, before which everything is carried out or given up that was sent over the
    /// other one and not answered.
    pub(crate) async fn conn_to_change(&self, prefix: &str) -> Result<Arc<Conn>, Error> {
        let conn = self.conn().await?;
        conn.say_silent(prefix).await.map_err(|fault| conn.error(fault))?;
        loop {
            let Some(identity) = self.unanswered.lock().last().cloned() else { return Ok(conn) };
            let certain = conn.shut_out(&identity).await.map_err(|fault| conn.error(fault))?;
            if !certain {
                // Then large values wait in line with all others from now on, where the order is certain.
                self.one_line.store(true, Ordering::Release);
                tracing::warn!(
                    "the server does not let us close our own connections: large values share the first one"
                );
            }
            self.unanswered.lock().retain(|it| *it != identity);
        }
    }

    /// What is stored, after a first look at it over the tracked connection.
    pub(crate) async fn follow(&self, conn: &Conn, key: &Key, look: Look) -> Result<Option<Stored>, Error> {
        match look {
            Look::Nothing => Ok(None),
            Look::Whole(stored) => Ok(Some(stored)),
            Look::Unclear => value::look_again(conn, key).await.map_err(|fault| conn.error(fault)),
            // The first look has registered the key, so a change since then is told.
            Look::Longer => self.fetch_large(key).await,
        }
    }

    pub(crate) async fn fetch_large(&self, key: &Key) -> Result<Option<Stored>, Error> {
        let (large, most) = (self.large.conn().await?, RedisStore::MAX_VALUE);
        let look = async {
            let mut pipeline = Pipeline::with_capacity(2);
            value::ask(&mut pipeline, key, most);
            match value::take(&mut large.many(&pipeline).await?.into_iter(), most)? {
                Look::Unclear => {
                    value::look_again(&large, key).await.map(|found| found.map_or(Look::Nothing, Look::Whole))
                }
                look => Ok(look),
            }
        };
        match look.await.map_err(|fault| large.error(fault))? {
            Look::Whole(stored) => Ok(Some(stored)),
            Look::Longer => Err(value::too_large(key, most)),
            Look::Nothing | Look::Unclear => Ok(None),
        }
    }

    pub(crate) async fn get_chunk(&self, keys: &[Key]) -> Result<Vec<Result<Read, Error>>, Error> {
        let conn = self.conn().await?;
        let mut pipeline = Pipeline::with_capacity(2 * keys.len());
        for key in keys {
            value::ask(&mut pipeline, key, self.large_value);
        }
        let mut replies = conn.many(&pipeline).await.map_err(|fault| conn.error(fault))?.into_iter();
        let looks: Vec<_> =
            keys.iter().map(|key| (key, value::take(&mut replies, self.large_value))).collect();
        let reads = looks.into_iter().map(|(key, look)| async {
            let look = look.map_err(|fault| conn.error(fault))?;
            Ok(self.read(&conn, key, self.follow(&conn, key, look).await?))
        });
        Ok(join_all(reads).await)
    }

    /// Stores bytes over the connection that is meant for them.
    pub(crate) async fn put_over(
        &self,
        main: &Arc<Conn>,
        key: &Key,
        bytes: &[u8],
        ttl: Ttl,
        condition: PutIf,
    ) -> Result<bool, (Arc<Conn>, Fault)> {
        let conn = self
            .conn_for(main, bytes.len())
            .await
            .map_err(|error| (Arc::clone(main), Fault { error, cause: Cause::Other }))?;
        let on_its_way = OnItsWay { client: self, conn: &conn, counts: !Arc::ptr_eq(&conn, main) };
        let result = self.put(&conn, main.writer(), key, bytes, ttl, condition).await;
        // A refusal is an answer, too.
        let answered = result.as_ref().map_or_else(|fault| fault.cause != Cause::Broken, |_| true);
        on_its_way.ended(answered);
        result.map_err(|fault| (conn, fault))
    }

    pub(crate) async fn put(
        &self,
        conn: &Conn,
        writer: Option<u64>,
        key: &Key,
        bytes: &[u8],
        ttl: Ttl,
        condition: PutIf,
    ) -> Result<bool, Fault> {
        let absent = condition == PutIf::Absent;
        let call = match condition {
            PutIf::Version(over) => {
                let call = self.scripts.put_over.on(key.as_bytes(), key.prefix(), writer);
                Some(call.arg(bytes).arg(ttl.as_millis()).arg(&over.as_bytes()[..]))
            }
            PutIf::Always | PutIf::Absent if writer.is_some() => {
                let call = self.scripts.put.on(key.as_bytes(), key.prefix(), writer);
                Some(call.arg(bytes).arg(ttl.as_millis()).arg(if absent { "NX" } else { "" }))
            }
            PutIf::Always | PutIf::Absent => None,
        };
        if let Some(call) = call {
            return Ok(reply::int(Some(conn.script(&call.whole()).await?))? == 1);
        }
        let commands = |step: &mut Pipeline| {
            step.cmd("SET").arg(key.as_bytes()).arg(bytes).arg("PX").arg(ttl.as_millis());
            if absent {
                step.arg("NX");
            }
            // A read in the same step: the next change by somebody else is told, this one is not.
            step.cmd("PTTL").arg(key.as_bytes());
        };
        let mut replies = conn.atomic(commands).await?.into_iter();
        reply::stored(replies.next())
    }

    /// Removes a key, whatever is there. Returns how many were removed.
    pub(crate) async fn remove(&self, conn: &Conn, key: &Key) -> Result<Value, Fault> {
        match conn.writer() {
            None => conn.one(redis::cmd("UNLINK").arg(key.as_bytes())).await,
            writer => {
                let call = self.scripts.remove.on(key.as_bytes(), key.prefix(), writer);
                conn.script(&call.whole()).await
            }
        }
    }

    pub(crate) fn claimed(
        &self,
        conn: &Conn,
        key: &Key,
        lease: &Bytes,
        ttl: Ttl,
        reply: Value,
    ) -> Result<Claimed, Fault> {
        match reply::checked(reply)? {
            Value::Okay => {
                Version::of(lease).map(|token| Claimed::Answer(Claim::Granted(token))).ok_or_else(reply::odd)
            }
            Value::Array(items) => {
                let mut items = items.into_iter();
                let left = Left::of(items.next())?;
                let Some(bytes) = items.next() else { return Ok(Claimed::Large) };
                let bytes = reply::bytes(Some(bytes))?.ok_or_else(reply::odd)?;
                let stored = Stored { bytes: bytes.into(), remaining: left.remaining() };
                Ok(Claimed::Answer(Claim::Hit(self.read(conn, key, Some(stored)))))
            }
            held => {
                // A lease that does not end was not made here; it counts as one that was just made.
                let remaining = Left::of(Some(held))?.remaining().unwrap_or(ttl.as_duration());
                Ok(Claimed::Answer(Claim::Held { remaining }))
            }
        }
    }
}
