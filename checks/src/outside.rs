//! Writes with plain commands, past all caches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cache_codec::{Compression, Header, encode, seal};
use cache_core::{Format, Mark, Namespace, Store, VersionSource};
use cache_redis::RedisStore;
use cache_testkit::redis::{Connection, RedisServer};
use tokio::runtime::Handle;

use crate::clock::now;
use crate::keys::{KeySpec, Kind, NAMESPACE, Writer};
use crate::log::Write;
use crate::random::Random;
use crate::value::Stamped;

const TTL: Duration = Duration::from_secs(3_600);

/// How a value looks to those who read it.
pub(crate) enum Form {
    /// As the caches of the project store it; the store says where the namespace's sequence stands.
    Envelope(RedisStore),
    /// As the naive cache does.
    Bare,
}

/// The writer of the keys that no cache writes.
pub(crate) struct Outside {
    pub(crate) server: Arc<RedisServer>,
    pub(crate) origin: Connection,
    pub(crate) keys: Vec<KeySpec>,
    pub(crate) form: Form,
    pub(crate) runtime: Handle,
    pub(crate) ended: Arc<AtomicBool>,
}

impl Outside {
    /// Writes until `until`, and returns what it was told.
    pub(crate) fn run(mut self, until: u64, mut random: Random) -> Result<Vec<Write>, String> {
        let namespace = Namespace::new(NAMESPACE).map_err(|error| error.to_string())?;
        let source = VersionSource::new();
        let own: Vec<usize> =
            (0..self.keys.len()).filter(|key| self.keys[*key].writer == Writer::Outside).collect();
        if own.is_empty() {
            return Ok(Vec::new());
        }
        let (mut versions, mut writes) = (vec![0; self.keys.len()], Vec::new());
        let mut connection = None;
        let mut first = own.iter().copied();
        while now() < until && !self.ended.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_micros(random.within(500, 5_000)));
            let Some(link) = connection.as_mut() else {
                connection = self.server.connect().ok();
                continue;
            };
            let key = first.next().unwrap_or_else(|| own[random.below(own.len())]);
            let KeySpec { name, kind, .. } = &self.keys[key];
            let full = format!("{NAMESPACE}:{name}");
            let gone = *kind == Kind::Written && random.once_in(6);
            let sent = now();
            let mut write = Write { key, version: versions[key] + 1, gone, sent, ..Write::default() };
            let command = if *kind == Kind::Written && !gone {
                let value = Stamped::new(name, write.version, sent);
                let Some(bytes) = self.bytes(&namespace, &source, name, &value) else { continue };
                vec![b"SET".to_vec(), full.into(), bytes, b"PX".to_vec(), TTL.as_millis().to_string().into()]
            } else {
                vec![b"DEL".to_vec(), full.into()]
            };
            versions[key] += 1;
            if *kind != Kind::Written {
                let news = format!("{} {sent}", write.version);
                self.origin.command(&["SET", name, &news]).map_err(|error| format!("the origin: {error}"))?;
            }
            match link.command(&command) {
                Ok(_) => write.acked = now(),
                // A refusal is none of our concern; a connection without an answer is of no use any more.
                Err(cache_testkit::redis::ServerError::Refused(_)) => {}
                Err(_) => connection = None,
            }
            writes.push(write);
        }
        Ok(writes)
    }

    fn bytes(
        &self,
        namespace: &Namespace,
        source: &VersionSource,
        name: &str,
        value: &Stamped,
    ) -> Option<Vec<u8>> {
        let Form::Envelope(store) = &self.form else { return rmp_serde::to_vec_named(value).ok() };
        let marks = [Mark::Clear];
        let asked = async {
            tokio::time::timeout(Duration::from_millis(250), store.read_marks(namespace, &marks)).await
        };
        let stamp = self.runtime.block_on(asked).ok()?.ok()?.now;
        let header = Header {
            version: source.value(),
            format: Format::Msgpack,
            fresh: TTL,
            total: TTL,
            cost: Duration::ZERO,
            stamp,
            tags: None,
            schema: None,
            created_unix_ms: 0,
        };
        let payload = encode(Format::Msgpack, value, 1 << 20).ok()?;
        let key = namespace.key(name).ok()?;
        seal(&header, &key, &payload, &Compression::default()).ok().map(|bytes| bytes.to_vec())
    }
}
