//! The store: every call of the trait as commands.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{
    Capability, Claim, Error, ErrorKind, Feed, FeedMode, FeedSink, Key, LinkId, LinkState, Mark, Marks,
    Namespace, Page, PutIf, Read, RemoveIf, Stamp, Store, Ttl, Version, Written,
};
use redis::{Pipeline, Value};

use crate::address::Address;
use crate::builder::RedisStoreBuilder;
use crate::client::{Claimed, Client};
use crate::fault::{Cause, Fault};
use crate::server::RedisServer;
use crate::{marks, reply, value};

/// How many keys are asked for in one round trip.
const KEYS_AT_ONCE: usize = 1_000;

/// Redis (6.2 or later) or Valkey as the tier that all processes share.
///
/// One connection carries reads, writes and what the server tells of others' changes; a second one carries large
/// values. Both are kept up in the background: while there is no connection every call fails at once with
/// [`Unavailable`](ErrorKind::Unavailable), and goes on when the server is back. Calls have no time bound of their own,
/// but none outlives its connection, which is given up when the server leaves a question unanswered for the
/// [`lease`](RedisStoreBuilder::lease) (five times that on the connection for large values).
///
/// Needs a tokio runtime with I/O and time enabled. Cloning is cheap; the connections are closed with the last clone.
#[derive(Clone)]
pub struct RedisStore {
    client: Arc<Client>,
}

impl RedisStore {
    /// The longest value in bytes: 64 MiB.
    pub const MAX_VALUE: usize = 64 << 20;

    /// Builds a store on the server of this URL: `redis://[user:password@]host[:port][/database]`, or
    /// `unix:///path[?db=database&user=…&pass=…]`. Without them the port is 6379 and the database 0; `valkey://` says the same as
    /// `redis://`.
    pub fn builder(url: impl Into<String>) -> RedisStoreBuilder {
        RedisStoreBuilder::new(url.into())
    }

    pub(crate) fn new(address: &Address, builder: &RedisStoreBuilder) -> Self {
        Self { client: Arc::new(Client::new(address, builder)) }
    }

    /// Ends when the first attempt to connect has ended, after `connect_timeout` at the latest; at once if there was
    /// one before. Whatever it says, and also if the future is dropped, the store goes on trying in the background.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) or [`Timeout`](ErrorKind::Timeout) if the server cannot be reached,
    /// [`Configuration`](ErrorKind::Configuration) if it refuses the password, the database or a command.
    pub async fn connected(&self) -> Result<(), Error> {
        self.client.main.attempted().await.map(drop)
    }

    /// The server itself, for tools that look after it.
    pub fn server(&self) -> RedisServer {
        RedisServer { client: Arc::clone(&self.client) }
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.client.main.address().to_string();
        f.debug_struct("RedisStore").field("address", &address).field("link", &self.link_state()).finish()
    }
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
            feed: match self.client.mode {
                FeedMode::TtlOnly => Feed::Polled,
                FeedMode::PubSub => Feed::PubSub,
                _ => Feed::Tracking,
            },
            max_value: Self::MAX_VALUE,
        }
    }

    fn link_state(&self) -> LinkState {
        let main = &self.client.main;
        let (status, mut reason) = main.status();
        let mut feed = main.feed();
        if feed == Feed::PubSub && self.client.feed.is_anybody_behind(main.link()) {
            feed = Feed::Polled;
            reason = Some("others change things without publishing it".into());
        }
        LinkState { link: main.link(), status, feed, alive_at: main.alive_at(), reason }
    }

    fn subscribe(&self, namespace: &Namespace, sink: Weak<dyn FeedSink>) {
        self.client.feed.subscribe(namespace, &sink);
    }

    fn suspect(&self, link: LinkId) {
        let reason = || Error::new(ErrorKind::Unavailable, "a reply did not belong to its question");
        self.client.main.suspect(link, reason());
        // A large value may have come over the other one, which has numbers of its own.
        self.client.large.suspect(self.client.large.link(), reason());
    }

    async fn get(&self, key: &Key) -> Result<Read, Error> {
        let conn = self.client.conn().await?;
        let mut pipeline = Pipeline::with_capacity(2);
        value::ask(&mut pipeline, key, self.client.large_value);
        let replies = conn.many(&pipeline).await.map_err(|fault| conn.error(fault))?;
        let look = value::take(&mut replies.into_iter(), self.client.large_value)
            .map_err(|fault| conn.error(fault))?;
        let found = self.client.follow(&conn, key, look).await?;
        Ok(self.client.read(&conn, key, found))
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Read, Error>> {
        let mut reads = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(KEYS_AT_ONCE) {
            match self.client.get_chunk(chunk).await {
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
        let main = self.client.conn_to_change(key.prefix()).await?;
        match self.client.put_over(&main, key, &bytes, ttl, condition).await {
            Ok(stored) => {
                // What goes over the other connection is not registered on the tracked one.
                let tracked = bytes.len() <= self.client.large_value && self.client.is_tracked(&main, key);
                Ok(Written { stored, link: main.link, tracked })
            }
            Err((conn, fault)) => {
                if fault.cause == Cause::OutOfMemory && condition == PutIf::Always {
                    // The older value must not live on; if this fails too, nothing more can be done here.
                    self.client.remove(&main, key).await.ok();
                }
                Err(conn.error(fault))
            }
        }
    }

    async fn remove(&self, key: &Key, condition: RemoveIf) -> Result<bool, Error> {
        let conn = self.client.conn_to_change(key.prefix()).await?;
        let (scripts, writer) = (&self.client.scripts, conn.writer());
        let removed = match &condition {
            RemoveIf::Always => self.client.remove(&conn, key).await,
            RemoveIf::Version(version) => {
                let call = scripts.remove_version.on(key.as_bytes(), key.prefix(), writer);
                conn.script(&call.arg(&version.as_bytes()[..]).whole()).await
            }
            RemoveIf::Bytes(bytes) => {
                let conn = self.client.conn_for(&conn, bytes.len()).await?;
                let call = scripts.remove_bytes.on(key.as_bytes(), key.prefix(), writer);
                conn.script(&call.arg(&bytes[..]).whole()).await
            }
        };
        let removed = removed.and_then(|reply| reply::int(Some(reply))).map_err(|fault| conn.error(fault))?;
        Ok(removed > 0)
    }

    async fn claim(&self, key: &Key, lease: Bytes, ttl: Ttl, over: Option<Version>) -> Result<Claim, Error> {
        let conn = self.client.conn_to_change(key.prefix()).await?;
        let call = self.client.scripts.claim.on(key.as_bytes(), key.prefix(), None);
        let over = over.map(|version| version.as_bytes().to_vec()).unwrap_or_default();
        let call = call.arg(&lease[..]).arg(ttl.as_millis()).arg(over);
        let call = call.arg(&self.client.lease_magic[..]).arg(self.client.large_value);
        let reply = conn.script(&call.whole()).await;
        let claimed = reply.and_then(|reply| self.client.claimed(&conn, key, &lease, ttl, reply));
        match claimed.map_err(|fault| conn.error(fault))? {
            Claimed::Answer(claim) => Ok(claim),
            Claimed::Large => match self.client.fetch_large(key).await? {
                Some(stored) => Ok(Claim::Hit(self.client.read(&conn, key, Some(stored)))),
                // It went away meanwhile: whoever asks again soon gets it.
                None => Ok(Claim::Held { remaining: Duration::ZERO }),
            },
        }
    }

    async fn read_marks(&self, namespace: &Namespace, marks: &[Mark]) -> Result<Marks, Error> {
        let conn = self.client.conn().await?;
        let standing = marks::read(&conn, &self.client.scripts, &self.client.seen, namespace, marks).await;
        let standing = standing.map_err(|fault| conn.error(fault))?;
        self.client.feed.marks_are_known(namespace, standing.now);
        Ok(Marks { now: standing.now, seqs: standing.seqs })
    }

    async fn bump_mark(&self, namespace: &Namespace, mark: &Mark) -> Result<Stamp, Error> {
        let conn = self.client.conn().await?;
        conn.say_silent(namespace.prefix()).await.map_err(|fault| conn.error(fault))?;
        let _told = self.client.feed.will_mark(namespace);
        marks::bump(&conn, &self.client.scripts, &self.client.seen, namespace, mark)
            .await
            .map_err(|fault| conn.error(fault))
    }

    async fn scan(&self, namespace: &Namespace, cursor: u64, count: usize) -> Result<Page, Error> {
        let conn = self.client.conn().await?;
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
