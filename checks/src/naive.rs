//! What one would write without much thought: a map in front of Redis, whose entries go when the server says so.

use std::time::Duration;

use async_trait::async_trait;
use moka::sync::Cache;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, PushKind, Value};
use std::sync::Arc;
use tokio::sync::mpsc::unbounded_channel;

use crate::keys::NAMESPACE;
use crate::origin::Origin;
use crate::subject::{Answer, Change, Standing, Subject};
use crate::value::Stamped;

pub(crate) struct Naive {
    map: Cache<String, Arc<Stamped>>,
    connection: MultiplexedConnection,
    origin: Origin,
}

impl Naive {
    pub(crate) async fn new(url: &str, origin: Origin) -> Result<Self, String> {
        let connect = async {
            let client = redis::Client::open(format!("{url}?protocol=resp3"))?;
            let (sender, mut pushes) = unbounded_channel();
            let config = AsyncConnectionConfig::new()
                .set_push_sender(sender)
                .set_response_timeout(Some(Duration::from_millis(250)));
            let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
            redis::cmd("CLIENT").arg("TRACKING").arg("ON").exec_async(&mut connection).await?;
            let map = Cache::new(10_000);
            let told = map.clone();
            tokio::spawn(async move {
                while let Some(push) = pushes.recv().await {
                    if let (PushKind::Invalidate, [Value::Array(keys)]) = (push.kind, push.data.as_slice()) {
                        for key in keys {
                            if let Value::BulkString(key) = key {
                                told.invalidate(&String::from_utf8_lossy(key).into_owned());
                            }
                        }
                    }
                }
            });
            Ok::<_, redis::RedisError>(Self { map, connection, origin })
        };
        connect.await.map_err(|error| error.to_string())
    }

    async fn fetch(&self, full: &str) -> Option<Arc<Stamped>> {
        let mut connection = self.connection.clone();
        let bytes: Option<Vec<u8>> = redis::cmd("GET").arg(full).query_async(&mut connection).await.ok()?;
        let value = Arc::new(rmp_serde::from_slice::<Stamped>(&bytes?).ok()?);
        self.map.insert(full.to_owned(), Arc::clone(&value));
        Some(value)
    }

    async fn put(&self, full: &str, value: &Stamped) -> bool {
        let Ok(bytes) = rmp_serde::to_vec_named(value) else { return false };
        let mut connection = self.connection.clone();
        redis::cmd("SET").arg(full).arg(bytes).exec_async(&mut connection).await.is_ok()
    }
}

fn full(key: &str) -> String {
    format!("{NAMESPACE}:{key}")
}

fn answer(value: Arc<Stamped>) -> Answer {
    Answer { value, standing: Standing::InStep }
}

#[async_trait]
impl Subject for Naive {
    fn peek(&self, key: &str) -> Option<Answer> {
        self.map.get(&full(key)).map(answer)
    }

    async fn get(&self, key: &str) -> Option<Answer> {
        let full = full(key);
        match self.map.get(&full) {
            Some(value) => Some(answer(value)),
            None => self.fetch(&full).await.map(answer),
        }
    }

    async fn load(&self, key: usize, name: &str, _tag: Option<String>) -> Option<Answer> {
        if let Some(found) = self.get(name).await {
            return Some(found);
        }
        let value = self.origin.clone().load(key, name.to_owned()).await.ok()?;
        self.put(&full(name), &value).await;
        Some(answer(Arc::new(value)))
    }

    async fn set(&self, key: &str, value: &Stamped) -> Change {
        let full = full(key);
        if self.put(&full, value).await {
            self.map.insert(full, Arc::new(value.clone()));
            return Change::Done;
        }
        Change::Unknown
    }

    async fn delete(&self, key: &str) -> Change {
        let full = full(key);
        let mut connection = self.connection.clone();
        let deleted = redis::cmd("DEL").arg(&full).exec_async(&mut connection).await;
        self.map.invalidate(&full);
        if deleted.is_ok() { Change::Done } else { Change::Unknown }
    }

    async fn invalidate_tag(&self, tag: &str) -> Change {
        self.delete(tag.strip_prefix("tag-of-").unwrap_or(tag)).await
    }

    async fn reaches_store(&self) -> bool {
        let mut connection = self.connection.clone();
        redis::cmd("PING").exec_async(&mut connection).await.is_ok()
    }
}
