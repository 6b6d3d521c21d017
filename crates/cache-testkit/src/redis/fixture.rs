//! A place on a real server for one test, which is empty before and after it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use cache_core::Namespace;

use super::{LaunchError, RedisServer, ServerError};
use crate::fresh_namespace;
use crate::resp::Reply;

/// Keys that are looked at for one answer.
const PAGE: &str = "512";

/// A server and a namespace on it that no other test uses. When it is dropped, what was stored there is removed; a server
/// that was launched for it ends.
///
/// ```no_run
/// use cache_testkit::RedisFixture;
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let redis = RedisFixture::launch("users_are_cached")?;
/// // for_testing().redis_url(redis.url()).namespace(redis.namespace().as_str())
/// assert!(redis.keys()?.is_empty());
/// # Ok(()) }
/// ```
pub struct RedisFixture {
    server: Arc<RedisServer>,
    namespace: Namespace,
}

impl RedisFixture {
    /// A place on the server that `CACHE_TEST_REDIS_URL` names, or on one of its own. Blocks until that answers.
    ///
    /// # Errors
    /// As [`RedisServer::shared_or_launch`], and if `test` cannot be part of a namespace.
    pub fn launch(test: &str) -> Result<Self, LaunchError> {
        Self::on(Arc::new(RedisServer::shared_or_launch()?), test)
    }

    /// A place on this server, which several tests of a process may share.
    ///
    /// # Errors
    /// If `test` cannot be part of a namespace.
    pub fn on(server: Arc<RedisServer>, test: &str) -> Result<Self, LaunchError> {
        let namespace = fresh_namespace(test).map_err(|error| LaunchError::setting(error.to_string()))?;
        Ok(Self { server, namespace })
    }

    /// The server's address, for the cache under test.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The namespace, for the cache under test.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The server, to stop, freeze or ask it.
    pub fn server(&self) -> &RedisServer {
        &self.server
    }

    /// What is stored in the namespace, as the server names it, in order. What a cache keeps for itself is among it, in bytes
    /// that are no text.
    ///
    /// # Errors
    /// [`ServerError`], if the server does not answer.
    pub fn keys(&self) -> Result<Vec<String>, ServerError> {
        Ok(self.raw_keys()?.iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect())
    }

    /// Removes what is stored in the namespace.
    ///
    /// # Errors
    /// [`ServerError`], if the server does not answer.
    pub fn clean(&self) -> Result<(), ServerError> {
        let mut connection = self.server.connect()?;
        for key in self.raw_keys()? {
            connection.command(&[b"UNLINK".as_slice(), &key])?;
        }
        Ok(())
    }

    fn raw_keys(&self) -> Result<BTreeSet<Vec<u8>>, ServerError> {
        let mut connection = self.server.connect()?;
        // A namespace is escaped: it has no character that means something in a pattern.
        let pattern = format!("{}*", self.namespace.prefix());
        let (mut cursor, mut found) = ("0".to_owned(), BTreeSet::new());
        loop {
            let page = connection.command(&["SCAN", &cursor, "MATCH", &pattern, "COUNT", PAGE])?;
            let Reply::List(parts) = page else { return Ok(found) };
            let [next, Reply::List(keys)] = parts.as_slice() else { return Ok(found) };
            for key in keys {
                if let Reply::Bytes(key) = key {
                    found.insert(key.clone());
                }
            }
            cursor = next.text();
            if cursor == "0" {
                return Ok(found);
            }
        }
    }
}

impl Drop for RedisFixture {
    fn drop(&mut self) {
        // A server that the test has ended has nothing to remove.
        drop(self.clean());
    }
}

impl fmt::Debug for RedisFixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisFixture")
            .field("server", &self.server)
            .field("namespace", &self.namespace)
            .finish()
    }
}
