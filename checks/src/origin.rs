//! Where loaded values come from: a second server, to which nothing happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;

use crate::random::Random;
use crate::value::Stamped;

/// The origin as one process sees it. Clones share one connection.
#[derive(Clone)]
pub(crate) struct Origin {
    connection: MultiplexedConnection,
    /// How often each key was loaded here.
    loads: Arc<[AtomicU32]>,
    /// How long a load takes beside the question to the origin, at most.
    delay: Duration,
    random: Arc<parking_lot::Mutex<Random>>,
}

impl Origin {
    pub(crate) async fn connect(url: &str, keys: usize, delay: Duration, seed: u64) -> Result<Self, String> {
        let client = redis::Client::open(url).map_err(|error| format!("the origin: {error}"))?;
        let connection = client.get_multiplexed_async_connection().await;
        let connection = connection.map_err(|error| format!("the origin: {error}"))?;
        let loads = (0..keys).map(|_| AtomicU32::new(0)).collect();
        Ok(Self { connection, loads, delay, random: Arc::new(parking_lot::Mutex::new(Random::new(seed))) })
    }

    /// Changes what the origin has. Whether it took it.
    pub(crate) async fn put(&self, key: &str, version: u32, sent: u64) -> bool {
        let mut connection = self.connection.clone();
        let news = format!("{version} {sent}");
        redis::cmd("SET").arg(key).arg(news).exec_async(&mut connection).await.is_ok()
    }

    /// Loads a key's value.
    pub(crate) async fn load(self, key: usize, name: String) -> Result<Stamped, String> {
        if let Some(count) = self.loads.get(key) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let mut connection = self.connection.clone();
        let found: Option<String> = redis::cmd("GET")
            .arg(&name)
            .query_async(&mut connection)
            .await
            .map_err(|error| error.to_string())?;
        // The value is old by the time that it comes, as it is when a database is slow.
        if !self.delay.is_zero() {
            let micros = self.random.lock().within(0, self.delay.as_micros().try_into().unwrap_or(u64::MAX));
            tokio::time::sleep(Duration::from_micros(micros)).await;
        }
        let found = found.ok_or("the origin has nothing yet")?;
        let (version, sent) = found.split_once(' ').ok_or("the origin has nonsense")?;
        match (version.parse(), sent.parse()) {
            (Ok(version), Ok(sent)) => Ok(Stamped::new(&name, version, sent)),
            _ => Err("the origin has nonsense".into()),
        }
    }

    pub(crate) fn loads(&self) -> Vec<u32> {
        self.loads.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }
}
