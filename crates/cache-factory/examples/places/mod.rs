//! Where the examples run: in memory, and on a Redis server that they start by whatever way this machine has.

#![allow(dead_code, reason = "each example uses a part")]

use cache_factory::durations::secs;
use cache_factory::{CacheFactory, CacheSetup};
use cache_testkit::redis::{Options, RedisServer};

pub(crate) type Failure = Box<dyn std::error::Error>;

/// Shows something twice: with a cache of this process alone, and with one that is shared through Redis.
pub(crate) async fn in_memory_and_on_redis(
    show: impl AsyncFn(CacheSetup) -> Result<(), Failure>,
) -> Result<(), Failure> {
    println!("In memory");
    show(CacheFactory::new().for_web_app().memory_only()).await?;

    let server = RedisServer::launch(&Options::new())?;
    println!("On Redis {} ({:?})", server.version(), server.way());
    show(on(&server)).await
}

/// A web application's cache on this server, which it insists on.
pub(crate) fn on(server: &RedisServer) -> CacheSetup {
    // A busy machine is no outage.
    let setup = CacheFactory::new().for_web_app().redis_url(server.url());
    setup.connect_timeout(secs(5)).store_timeout(secs(2)).fail_on_connection_error(true)
}

/// An example is its own test: it ends with an error if a step is not as it should be.
pub(crate) fn check(holds: bool, otherwise: &str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}
