//! Every order in which the reply to a read, the announcement of a change and the filling of tier 1 can come: in none of
//! them tier 1 ends with the older value. The reader's future is polled by hand, so each order is made, not met.
#![cfg(all(feature = "memory", feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use cache_factory::durations::{mins, secs};
use cache_factory::{Cache, Error};
use cache_testkit::eventually;
use cache_testkit::proxy::{Direction, Fault, FaultProxy};
use cache_testkit::redis::RedisServer;
use common::{parts, web};
use futures_util::poll;

const SOON: Duration = secs(5);
const KEY: &str = "k";

type Reading<'a> = Pin<Box<dyn Future<Output = Result<Option<Arc<u32>>, Error>> + Send + 'a>>;

/// A process whose bytes can be held back, and another that writes.
struct World {
    server: RedisServer,
    proxy: FaultProxy,
    here: Cache,
    there: Cache,
}

impl World {
    async fn new(test: &str) -> Self {
        let (server, proxy, namespace) = parts(test);
        let setup = |url: &str| web(url, test).namespace(namespace.clone());
        let (here, there) = (setup(&proxy.url()).await.unwrap(), setup(&server.url()).await.unwrap());
        // Both links are up, and both know where the marks stand.
        there.set("other", &0u32, mins(5)).await.unwrap();
        here.get::<u32>("other").await.unwrap();
        there.set(KEY, &1u32, mins(5)).await.unwrap();
        Self { server, proxy, here, there }
    }

    /// How many reads the server has carried out.
    fn reads(&self) -> u64 {
        let stats = self.server.command(&["INFO", "commandstats"]).unwrap().text();
        let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_getrange:calls="));
        line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
    }

    /// Begins a read that the server has carried out when this returns.
    async fn begin(&self) -> Reading<'_> {
        let before = self.reads();
        let mut reading: Reading<'_> = Box::pin(self.here.get::<u32>(KEY));
        assert!(poll!(&mut reading).is_pending());
        eventually(SOON, "the server has read it", || self.reads() > before).await.unwrap();
        reading
    }

    /// Returns when everything that the server has said so far was taken in: replies come in its order.
    async fn taken_in(&self) {
        self.here.get::<u32>("never-there").await.unwrap();
    }

    fn hold(&self, direction: Direction) {
        self.proxy.set_direction(direction, Fault::Hold);
    }

    fn let_go(&self) {
        self.proxy.set(Fault::Pass);
    }

    /// What tier 1 answers at once.
    async fn held(&self) -> Option<u32> {
        let mut reading: Reading<'_> = Box::pin(self.here.get::<u32>(KEY));
        match poll!(&mut reading) {
            std::task::Poll::Ready(value) => value.unwrap().as_deref().copied(),
            std::task::Poll::Pending => None,
        }
    }

    /// Whoever asks gets this, now and after one more change.
    async fn ends_with(&self, value: u32) {
        assert!([None, Some(value)].contains(&self.held().await), "tier 1 keeps {:?}", self.held().await);
        assert_eq!(self.here.get::<u32>(KEY).await.unwrap().as_deref(), Some(&value));
        self.there.set(KEY, &99u32, mins(5)).await.unwrap();
        self.taken_in().await;
        assert!([None, Some(99)].contains(&self.held().await), "tier 1 keeps {:?}", self.held().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reply_push_fill_in_one_piece() {
    let world = World::new("one-piece").await;
    world.hold(Direction::ToClient);
    let reading = world.begin().await;
    world.there.set(KEY, &2u32, mins(5)).await.unwrap();
    world.let_go();
    world.taken_in().await;
    assert_eq!(reading.await.unwrap().as_deref(), Some(&1), "asked for before the change");
    world.ends_with(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reply_push_fill_one_after_the_other() {
    let world = World::new("apart").await;
    let reading = world.begin().await;
    world.taken_in().await;
    world.there.set(KEY, &2u32, mins(5)).await.unwrap();
    world.taken_in().await;
    assert_eq!(reading.await.unwrap().as_deref(), Some(&1), "asked for before the change");
    world.ends_with(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reply_fill_push() {
    let world = World::new("fill-first").await;
    assert_eq!(world.here.get::<u32>(KEY).await.unwrap().as_deref(), Some(&1));
    assert_eq!(world.held().await, Some(1), "filled");
    world.there.set(KEY, &2u32, mins(5)).await.unwrap();
    world.taken_in().await;
    world.ends_with(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn push_reply_fill() {
    let world = World::new("push-first").await;
    // The server is asked for the key before it is there, and so tells when it comes.
    world.there.delete(KEY).await.unwrap();
    assert_eq!(world.here.get::<u32>(KEY).await.unwrap(), None);
    world.hold(Direction::ToServer);
    let mut reading: Reading<'_> = Box::pin(world.here.get::<u32>(KEY));
    assert!(poll!(&mut reading).is_pending());
    world.there.set(KEY, &2u32, mins(5)).await.unwrap();
    world.let_go();
    world.taken_in().await;
    assert_eq!(reading.await.unwrap().as_deref(), Some(&2));
    world.ends_with(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reply_flush_fill() {
    let world = World::new("flushed").await;
    world.hold(Direction::ToClient);
    let reading = world.begin().await;
    world.server.command(&["FLUSHALL"]).unwrap();
    // Whoever writes knows of it, else what he writes is void as well.
    world.there.get::<u32>("never-there").await.unwrap();
    world.there.set(KEY, &2u32, mins(5)).await.unwrap();
    world.let_go();
    world.taken_in().await;
    assert!([Some(&1), None].contains(&reading.await.unwrap().as_deref()));
    world.ends_with(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reply_new_link_fill() {
    let world = World::new("new-link").await;
    let reading = world.begin().await;
    world.taken_in().await;
    let before = world.proxy.counters().accepted.len();
    world.proxy.cut_all();
    eventually(SOON, "there is a new link", || world.proxy.counters().accepted.len() > before).await.unwrap();
    common::healed(&world.here, SOON).await;
    // Nothing is told of it: over the new link the key was not read.
    world.there.set(KEY, &2u32, mins(5)).await.unwrap();
    world.taken_in().await;
    assert!([Some(&1), None].contains(&reading.await.unwrap().as_deref()));
    world.ends_with(2).await;
}
