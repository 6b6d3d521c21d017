//! How a store is put together.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Clock, Error, FeedMode, Namespace, Problems, SystemClock};

use crate::address::Address;
use crate::store::RedisStore;
use crate::tls::Files;

/// Builds a [`RedisStore`]. `Debug` shows no credentials.
///
/// ```
/// use std::time::Duration;
/// use cache_redis::RedisStore;
///
/// # fn main() -> Result<(), cache_core::Error> {
/// let store = RedisStore::builder("redis://:secret@127.0.0.1:6379/2")
///     .connect_timeout(Duration::from_millis(500))
///     .build()?;
/// assert!(!format!("{store:?}").contains("secret"));
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct RedisStoreBuilder {
    url: String,
    password: Option<String>,
    files: Files,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) connect_timeout: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) lease: Duration,
    pub(crate) large_value: usize,
    pub(crate) feed: FeedMode,
    pub(crate) prefix: Option<Box<str>>,
}

impl RedisStoreBuilder {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            password: None,
            files: Files::default(),
            clock: Arc::new(SystemClock::new()),
            connect_timeout: Duration::from_secs(1),
            heartbeat: Duration::from_millis(250),
            lease: Duration::from_secs(1),
            large_value: 256 << 10,
            feed: FeedMode::Auto,
            prefix: None,
        }
    }

    /// The password, instead of one in the URL: both are an error.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// A file with the authorities that may have signed the server's certificate, in PEM, instead of those that the system trusts.
    /// For addresses that begin with `rediss://`. It is read for each connection anew, at most 1 MiB.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.ca = Some(path.into());
        self
    }

    /// Files with a certificate of one's own and its key, in PEM, for servers that want one. For addresses that begin with
    /// `rediss://`. They are read for each connection anew, so that a renewed certificate is taken.
    pub fn client_certificate(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.files.identity = Some((certificate.into(), key.into()));
        self
    }

    /// The clock whose moments are told to the feed: that of the cache in front, the system's by default.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The longest that an attempt to connect may take: 1 ms to 1 minute, 1 s by default. When half of it has
    /// passed, a second connection is tried beside the first.
    pub fn connect_timeout(mut self, connect_timeout: Duration) -> Self {
        self.connect_timeout = connect_timeout;
        self
    }

    /// How often to ask whether the server is there: 10 ms to 1 minute, 250 ms by default. Each answer is a sign of life for the
    /// feed, so it should come several times in the lease of the cache in front.
    pub fn heartbeat(mut self, heartbeat: Duration) -> Self {
        self.heartbeat = heartbeat;
        self
    }

    /// How long the server may leave a question unanswered before the connection is given up: at least twice the
    /// heartbeat, 10 minutes at most, 1 s by default. The connection for large values has five times as long.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Values longer than this, in bytes, go over a second connection, so that others need not wait behind them: 1 KiB
    /// to 64 MiB, 256 KiB by default. The second connection is opened when it is first needed.
    pub fn large_value(mut self, bytes: usize) -> Self {
        self.large_value = bytes;
        self
    }

    /// Which way to be told what others change: the best that works, by default. What is in use says
    /// [`link_state`](cache_core::Store::link_state).
    pub fn feed(mut self, feed: FeedMode) -> Self {
        self.feed = feed;
        self
    }

    /// The namespace below whose prefix the store keeps keys of its own, which no user's key can meet: for users of Redis
    /// who may use no others. By default a namespace that is [subscribed](cache_core::Store::subscribe) to when a
    /// connection is made, else `cache-redis`.
    pub fn namespace(mut self, namespace: &Namespace) -> Self {
        self.prefix = Some(namespace.prefix().into());
        self
    }

    /// The store. Opens nothing yet: the first call does, or [`RedisStore::connected`].
    ///
    /// # Errors
    /// [`Configuration`](cache_core::ErrorKind::Configuration), listing all that is wrong: a URL that cannot be read, or asks for
    /// TLS in a build without the feature `tls` (without the URL, which may hold a password), two passwords, files that cannot be read
    /// or have no effect, what is out of range.
    pub fn build(self) -> Result<RedisStore, Error> {
        let mut problems = Problems::default();
        let address = problems.take(Address::parse(&self.url, self.password.as_deref(), &self.files));
        let mut within = |name: &str, value: Duration, least: Duration, most: Duration| {
            problems.check(value >= least && value <= most, || {
                format!("{name} is {value:?}, {least:?} to {most:?} are allowed")
            });
        };
        let minute = Duration::from_secs(60);
        within("connect_timeout", self.connect_timeout, Duration::from_millis(1), minute);
        within("heartbeat", self.heartbeat, Duration::from_millis(10), minute);
        within("lease", self.lease, self.heartbeat.saturating_mul(2), minute * 10);
        problems.check((1 << 10..=RedisStore::MAX_VALUE).contains(&self.large_value), || {
            format!(
                "large_value is {} bytes, 1024 to {} are allowed",
                self.large_value,
                RedisStore::MAX_VALUE
            )
        });
        problems.configuration()?;
        match address {
            Some(address) => Ok(RedisStore::new(&address, &self)),
            None => Err(Error::new(cache_core::ErrorKind::Internal, "a bad URL was not refused")),
        }
    }
}

impl fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStoreBuilder")
            .field("connect_timeout", &self.connect_timeout)
            .field("heartbeat", &self.heartbeat)
            .field("lease", &self.lease)
            .field("large_value", &self.large_value)
            .field("feed", &self.feed)
            .finish_non_exhaustive()
    }
}
