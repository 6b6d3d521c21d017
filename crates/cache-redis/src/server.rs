//! The server itself, for people and tools that look after it. The cache needs none of this.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cache_core::Error;
use redis::{Cmd, Value};

use crate::client::Client;
use crate::fault::Fault;
use crate::{info, reply};

/// The server behind a [`RedisStore`](crate::RedisStore): what it says of itself and of what it holds.
///
/// Goes over the store's own connection and changes nothing. What this user may not ask, or the server does not know, is `None`,
/// not an error. Dropping a future does no harm. Made by [`RedisStore::server`](crate::RedisStore::server).
///
/// ```no_run
/// use cache_redis::RedisStore;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cache_core::Error> {
/// let server = RedisStore::builder("redis://127.0.0.1:6379").build()?.server();
/// server.ping().await?;
/// println!("{:?}", server.setting("maxmemory-policy").await?);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisServer {
    pub(crate) client: Arc<Client>,
}

/// A page of [`RedisServer::scan`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawPage {
    /// Keys as the server has them, of any bytes. A key may come twice.
    pub keys: Vec<Vec<u8>>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<u64>,
}

impl RedisServer {
    /// One round trip.
    ///
    /// # Errors
    /// [`Unavailable`](cache_core::ErrorKind::Unavailable) or [`Timeout`](cache_core::ErrorKind::Timeout) if the server cannot be reached, does not let us in,
    /// or the connection is given up before it has answered.
    pub async fn ping(&self) -> Result<(), Error> {
        self.ask(&redis::cmd("PING")).await.map(drop)
    }

    /// The fields of the default sections of `INFO` by name.
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub async fn info(&self) -> Result<Option<BTreeMap<String, String>>, Error> {
        let conn = self.client.conn().await?;
        let text = info::section(&conn, "default").await.map_err(|fault| conn.error(fault))?;
        let field = |line: &str| line.split_once(':').map(|(name, value)| (name.into(), value.trim().into()));
        Ok(text.map(|text| text.lines().filter_map(field).collect()))
    }

    /// The value of a setting of the server, such as `maxmemory-policy`.
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub async fn setting(&self, name: &str) -> Result<Option<String>, Error> {
        let answer = match self.allowed(redis::cmd("CONFIG").arg("GET").arg(name)).await? {
            Some(Value::Map(pairs)) => pairs.into_iter().next().map(|(_, value)| value),
            Some(Value::Array(flat)) => flat.into_iter().nth(1),
            _ => None,
        };
        Ok(answer.and_then(text))
    }

    /// The server's wall clock, to the microsecond.
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub async fn time(&self) -> Result<Option<SystemTime>, Error> {
        let Some(Value::Array(parts)) = self.allowed(&redis::cmd("TIME")).await? else { return Ok(None) };
        let parts: Vec<u64> = parts.into_iter().filter_map(|part| text(part)?.parse().ok()).collect();
        Ok(match parts[..] {
            [seconds, micros] => SystemTime::UNIX_EPOCH
                .checked_add(Duration::from_secs(seconds) + Duration::from_micros(micros.min(1_000_000))),
            _ => None,
        })
    }

    /// The user that the server takes us for.
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub async fn user(&self) -> Result<Option<String>, Error> {
        Ok(self.allowed(redis::cmd("ACL").arg("WHOAMI")).await?.and_then(text))
    }

    /// Whether this user may run this command, which is not run. Redis 7 and later know.
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub async fn may(&self, user: &str, command: &[&str]) -> Result<Option<bool>, Error> {
        Ok(match self.allowed(redis::cmd("ACL").arg("DRYRUN").arg(user).arg(command)).await? {
            Some(Value::Okay) => Some(true),
            Some(Value::SimpleString(_) | Value::BulkString(_)) => Some(false),
            _ => None,
        })
    }

    /// What kind of thing is stored under a key: `string`, `hash` and so on, `none` for nothing.
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub async fn kind(&self, key: &[u8]) -> Result<Option<String>, Error> {
        Ok(self.allowed(redis::cmd("TYPE").arg(key)).await?.and_then(text))
    }

    /// The bytes of memory that a key takes up, its value included.
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub async fn memory(&self, key: &[u8]) -> Result<Option<u64>, Error> {
        self.number(redis::cmd("MEMORY").arg("USAGE").arg(key)).await
    }

    /// How long nobody has read or written a key, in whole seconds. The server does not know under an LFU policy.
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub async fn idle(&self, key: &[u8]) -> Result<Option<Duration>, Error> {
        Ok(self.number(redis::cmd("OBJECT").arg("IDLETIME").arg(key)).await?.map(Duration::from_secs))
    }

    /// A page of about `count` keys (0 counts as 1) of the store's database that match the glob pattern, from `cursor` (0 to start).
    /// A page may be empty and not the last.
    ///
    /// # Errors
    /// As [`ping`](Self::ping), and [`Configuration`](cache_core::ErrorKind::Configuration) if this user may not scan.
    pub async fn scan(&self, pattern: &[u8], cursor: u64, count: usize) -> Result<RawPage, Error> {
        let mut command = redis::cmd("SCAN");
        command.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(count.max(1));
        let conn = self.client.conn().await?;
        let page = async {
            let mut parts = reply::array(conn.one(&command).await?)?.into_iter();
            let cursor = parts.next().and_then(text).and_then(|cursor| cursor.parse::<u64>().ok());
            let keys = reply::array(parts.next().unwrap_or_default())?.into_iter();
            let keys = keys.map(|key| reply::bytes(Some(key)).map(Option::unwrap_or_default));
            let next = Some(cursor.ok_or_else(reply::odd)?).filter(|&cursor| cursor != 0);
            Ok::<_, Fault>(RawPage { keys: keys.collect::<Result<_, _>>()?, next })
        };
        page.await.map_err(|fault| conn.error(fault))
    }

    async fn number(&self, command: &Cmd) -> Result<Option<u64>, Error> {
        match self.allowed(command).await? {
            Some(Value::Int(number)) => Ok(u64::try_from(number).ok()),
            _ => Ok(None),
        }
    }

    /// The answer, or `None` if the server does not give it to us.
    async fn allowed(&self, command: &Cmd) -> Result<Option<Value>, Error> {
        match self.ask(command).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.is_retryable() => Err(error),
            Err(_) => Ok(None),
        }
    }

    async fn ask(&self, command: &Cmd) -> Result<Value, Error> {
        let conn = self.client.conn().await?;
        conn.one(command).await.map_err(|fault| conn.error(fault))
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text),
        _ => None,
    }
}

impl fmt::Debug for RedisServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisServer")
            .field("address", &self.client.main.address().to_string())
            .finish_non_exhaustive()
    }
}
