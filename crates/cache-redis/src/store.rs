//! The store: every call of the trait as commands.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{
    Capability, Claim, Error, ErrorKind, Feed as FeedKind, FeedSink, Key, LinkId, LinkState, Mark, Marks,
    Namespace, Page, PutIf, Read, RemoveIf, Stamp, Store, Stored, Ttl, Version, VersionSource, Written,
};
use futures_util::future::join_all;
use redis::{Pipeline, Value};

use crate::address::Address;
use crate::builder::RedisStoreBuilder;
use crate::conn::Conn;
use crate::fault::{Cause, Fault};
use crate::feed::Feed;
use crate::link::{Link, Wiring};
use crate::marks;
use crate::reply::{self, Left};
use crate::scripts::Scripts;
use crate::value::{self, Look};

/// How many keys are asked for in one round trip.
const KEYS_AT_ONCE: usize = 1_000;

/// Redis (6.2 or later) or Valkey as the tier that all processes share.
///
/// One connection carries reads, writes and what the server tells of others' changes; a second one carries large
/// values. Both are kept up in the background: while there is no connection every call fails at once with
/// [`Unavailable`](ErrorKind::Unavailable), and goes on when the server is back. Calls have no time bound of their own,
/// but none outlives its connection, which is given up when the server leaves a question unanswered for the
/// [`lease`](RedisStoreBuilder::lease).
///
/// Needs a tokio runtime with I/O and time enabled. Cloning is cheap; the connections are closed with the last clone.
#[derive(Clone)]
pub struct RedisStore {
    inner: Arc<Inner>,
}

struct Inner {
    main: Link,
    large: Link,
    feed: Arc<Feed>,
    scripts: Scripts,
    large_value: usize,
    /// The first bytes of every lease.
    lease_magic: [u8; 4],
}

impl RedisStore {
    /// The longest value in bytes: 64 MiB.
    pub const MAX_VALUE: usize = 64 << 20;

    /// Builds a store on the server of this URL: `redis://[user:password@]host[:port][/database]`, or
    /// `unix:///path[?db=database&user=…&pass=…]`.
    pub fn builder(url: impl Into<String>) -> RedisStoreBuilder {
        RedisStoreBuilder::new(url.into())
    }

    pub(crate) fn new(address: &Address, builder: &RedisStoreBuilder) -> Self {
        let feed = Arc::new(Feed::default());
        let wiring = |purpose, patience, feed| Wiring {
            address: address.clone(),
            clock: Arc::clone(&builder.clock),
            connect_timeout: builder.connect_timeout,
            heartbeat: builder.heartbeat,
            patience,
            feed,
            purpose,
        };
        let [a, b, c, d, ..] = *VersionSource::new().lease().as_bytes();
        let inner = Inner {
            main: Link::new(wiring("cache", builder.lease, Some(Arc::clone(&feed)))),
            // Its answers wait behind large values.
            large: Link::new(wiring("large values", builder.lease * 5, None)),
            feed,
            scripts: Scripts::new(),
            large_value: builder.large_value,
            lease_magic: [a, b, c, d],
        };
        Self { inner: Arc::new(inner) }
    }

    /// Ends when the first attempt to connect has ended, after `connect_timeout` at the latest; at once if there was
    /// one before. Whatever it says, the store goes on trying in the background.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) or [`Timeout`](ErrorKind::Timeout) if the server cannot be reached,
    /// [`Configuration`](ErrorKind::Configuration) if it refuses the password, the database or a command.
    pub async fn connected(&self) -> Result<(), Error> {
        self.inner.main.conn().await.map(drop)
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.inner.main.address().to_string();
        f.debug_struct("RedisStore").field("address", &address).field("link", &self.link_state()).finish()
    }
}

impl Inner {
    async fn conn(&self) -> Result<Arc<Conn>, Error> {
        self.main.conn().await
    }

    /// The connection for a value of this length, given the main one.
    async fn conn_for(&self, main: &Arc<Conn>, length: usize) -> Result<Arc<Conn>, Error> {
        if length > self.large_value { self.large.conn().await } else { Ok(Arc::clone(main)) }
    }

    fn is_tracked(&self, conn: &Conn, key: &Key) -> bool {
        conn.tracking && self.feed.is_sole(key.prefix())
    }

    fn read(&self, conn: &Conn, key: &Key, found: Option<Stored>) -> Read {
        Read { found, link: conn.link, tracked: self.is_tracked(conn, key) }
    }

    /// What is stored, after a first look at it over the tracked connection.
    async fn follow(&self, conn: &Conn, key: &Key, look: Look) -> Result<Option<Stored>, Error> {
        match look {
            Look::Nothing => Ok(None),
            Look::Whole(stored) => Ok(Some(stored)),
            Look::Unclear => value::look_again(conn, key).await.map_err(|fault| conn.error(fault)),
            // The first look has registered the key, so a change since then is told.
            Look::Longer => self.fetch_large(key).await,
        }
    }

    async fn fetch_large(&self, key: &Key) -> Result<Option<Stored>, Error> {
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

    async fn get_chunk(&self, keys: &[Key]) -> Result<Vec<Result<Read, Error>>, Error> {
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

    async fn put(
        &self,
        conn: &Conn,
        key: &Key,
        bytes: &[u8],
        ttl: Ttl,
        condition: PutIf,
    ) -> Result<bool, Fault> {
        let (absent, over) = match condition {
            PutIf::Version(over) => (false, Some(over)),
            PutIf::Absent => (true, None),
            PutIf::Always => (false, None),
        };
        if let Some(over) = over {
            let mut call = self.scripts.put_over.key(key.as_bytes());
            call.arg(bytes).arg(ttl.as_millis()).arg(&over.as_bytes()[..]);
            return Ok(reply::int(Some(conn.script(&call).await?))? == 1);
        }
        let mut pipeline = Pipeline::with_capacity(2);
        pipeline.cmd("SET").arg(key.as_bytes()).arg(bytes).arg("PX").arg(ttl.as_millis());
        if absent {
            pipeline.arg("NX");
        }
        // A read in the same step: the next change by somebody else is told, this one is not.
        pipeline.cmd("PTTL").arg(key.as_bytes());
        let mut replies = conn.atomic(&mut pipeline).await?.into_iter();
        reply::stored(replies.next())
    }

    fn claimed(
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

/// What came of a claim.
enum Claimed {
    Answer(Claim),
    /// A value that is too large for the connection that was asked.
    Large,
}

#[async_trait]
impl Store for RedisStore {
    fn capability(&self) -> Capability {
        Capability {
            name: "redis",
            shared: true,
            claims: true,
            marks: true,
            scan: true,
            feed: FeedKind::Tracking,
            max_value: Self::MAX_VALUE,
        }
    }

    fn link_state(&self) -> LinkState {
        let main = &self.inner.main;
        let (status, reason) = main.status();
        let feed = if main.tracking() { FeedKind::Tracking } else { FeedKind::None };
        LinkState { link: main.link(), status, feed, alive_at: main.alive_at(), reason }
    }

    fn subscribe(&self, namespace: &Namespace, sink: Weak<dyn FeedSink>) {
        self.inner.feed.subscribe(namespace, &sink);
    }

    fn suspect(&self, link: LinkId) {
        let reason = || Error::new(ErrorKind::Unavailable, "a reply did not belong to its question");
        self.inner.main.suspect(link, reason());
        // A large value may have come over the other one, which has numbers of its own.
        self.inner.large.suspect(self.inner.large.link(), reason());
    }

    async fn get(&self, key: &Key) -> Result<Read, Error> {
        let conn = self.inner.conn().await?;
        let mut pipeline = Pipeline::with_capacity(2);
        value::ask(&mut pipeline, key, self.inner.large_value);
        let replies = conn.many(&pipeline).await.map_err(|fault| conn.error(fault))?;
        let look = value::take(&mut replies.into_iter(), self.inner.large_value)
            .map_err(|fault| conn.error(fault))?;
        let found = self.inner.follow(&conn, key, look).await?;
        Ok(self.inner.read(&conn, key, found))
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Read, Error>> {
        let mut reads = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(KEYS_AT_ONCE) {
            match self.inner.get_chunk(chunk).await {
                Ok(answers) => reads.extend(answers),
                Err(error) => reads.extend(chunk.iter().map(|_| Err(error.clone()))),
            }
        }
        reads
    }

    async fn put(&self, key: &Key, bytes: Bytes, ttl: Ttl, condition: PutIf) -> Result<Written, Error> {
        if bytes.len() > Self::MAX_VALUE {
            let message =
                format!("{} bytes are to be stored, {} at most are allowed", bytes.len(), Self::MAX_VALUE);
            return Err(Error::new(ErrorKind::TooLarge, message).for_key(key.user()));
        }
        let main = self.inner.conn().await?;
        let conn = self.inner.conn_for(&main, bytes.len()).await?;
        match self.inner.put(&conn, key, &bytes, ttl, condition).await {
            Ok(stored) => {
                // What goes over the other connection is not registered on the tracked one.
                let tracked = bytes.len() <= self.inner.large_value && self.inner.is_tracked(&main, key);
                Ok(Written { stored, link: main.link, tracked })
            }
            Err(fault) => {
                if fault.cause == Cause::OutOfMemory && condition == PutIf::Always {
                    // The older value must not live on; if this fails too, nothing more can be done here.
                    conn.one(redis::cmd("UNLINK").arg(key.as_bytes())).await.ok();
                }
                Err(conn.error(fault))
            }
        }
    }

    async fn remove(&self, key: &Key, condition: RemoveIf) -> Result<bool, Error> {
        let conn = self.inner.conn().await?;
        let scripts = &self.inner.scripts;
        let removed = match &condition {
            RemoveIf::Always => conn.one(redis::cmd("UNLINK").arg(key.as_bytes())).await,
            RemoveIf::Version(version) => {
                conn.script(scripts.remove_version.key(key.as_bytes()).arg(&version.as_bytes()[..])).await
            }
            RemoveIf::Bytes(bytes) => {
                let conn = self.inner.conn_for(&conn, bytes.len()).await?;
                conn.script(scripts.remove_bytes.key(key.as_bytes()).arg(&bytes[..])).await
            }
        };
        let removed = removed.and_then(|reply| reply::int(Some(reply))).map_err(|fault| conn.error(fault))?;
        Ok(removed > 0)
    }

    async fn claim(&self, key: &Key, lease: Bytes, ttl: Ttl, over: Option<Version>) -> Result<Claim, Error> {
        let conn = self.inner.conn().await?;
        let mut call = self.inner.scripts.claim.key(key.as_bytes());
        let over = over.map(|version| version.as_bytes().to_vec()).unwrap_or_default();
        call.arg(&lease[..]).arg(ttl.as_millis()).arg(over);
        call.arg(&self.inner.lease_magic[..]).arg(self.inner.large_value);
        let reply = conn.script(&call).await;
        let claimed = reply.and_then(|reply| self.inner.claimed(&conn, key, &lease, ttl, reply));
        match claimed.map_err(|fault| conn.error(fault))? {
            Claimed::Answer(claim) => Ok(claim),
            Claimed::Large => match self.inner.fetch_large(key).await? {
                Some(stored) => Ok(Claim::Hit(self.inner.read(&conn, key, Some(stored)))),
                // It went away meanwhile: whoever asks again soon gets it.
                None => Ok(Claim::Held { remaining: Duration::ZERO }),
            },
        }
    }

    async fn read_marks(&self, namespace: &Namespace, marks: &[Mark]) -> Result<Marks, Error> {
        let conn = self.inner.conn().await?;
        let standing = marks::read(&conn, &self.inner.scripts, namespace, marks).await;
        let standing = standing.map_err(|fault| conn.error(fault))?;
        self.inner.feed.marks_are_known(namespace, standing.now);
        Ok(Marks { now: standing.now, seqs: standing.seqs })
    }

    async fn bump_mark(&self, namespace: &Namespace, mark: &Mark) -> Result<Stamp, Error> {
        let conn = self.inner.conn().await?;
        let _told = self.inner.feed.will_mark(namespace);
        marks::bump(&conn, &self.inner.scripts, namespace, mark).await.map_err(|fault| conn.error(fault))
    }

    async fn scan(&self, namespace: &Namespace, cursor: u64, count: usize) -> Result<Page, Error> {
        let conn = self.inner.conn().await?;
        let mut command = redis::cmd("SCAN");
        // A namespace is escaped, so the pattern holds no other special character.
        command
            .arg(cursor)
            .arg("MATCH")
            .arg(format!("{}*", namespace.prefix()))
            .arg("COUNT")
            .arg(count.max(1));
        let page = async { page(namespace, reply::array(conn.one(&command).await?)?) };
        page.await.map_err(|fault| conn.error(fault))
    }
}

fn page(namespace: &Namespace, reply: Vec<Value>) -> Result<Page, Fault> {
    let mut reply = reply.into_iter();
    let cursor = reply::bytes(reply.next())?.unwrap_or_default();
    let cursor = std::str::from_utf8(&cursor).ok().and_then(|cursor| cursor.parse::<u64>().ok());
    let mut keys = Vec::new();
    for key in reply::array(reply.next().unwrap_or_default())? {
        let key = reply::bytes(Some(key))?.unwrap_or_default();
        // What is not UTF-8 is not ours, and the prefix alone is where the marks are.
        if namespace.strip(&key).is_some() {
            keys.extend(String::from_utf8(key));
        }
    }
    Ok(Page { keys, next: Some(cursor.ok_or_else(reply::odd)?).filter(|&cursor| cursor != 0) })
}
