//! One application, three places to keep its values: this process's memory, Redis, and a store of one's own
//! (`store.rs`, which the test `own_store` runs the conformance suite on).
//!
//! `cargo run --example own_store`, or with `memory`, `redis` or `own` for one of them.

mod store;

use std::sync::Arc;

use cache_factory::durations::{mins, secs};
use cache_factory::{Cache, CacheFactory, CacheSetup, Error, Loaded};
use cache_testkit::redis::RedisServer;
use store::SharedMap;

/// The application. It does not know where its values are.
async fn application(cache: &Cache) -> Result<(), Error> {
    cache.set("session:42", "ann", mins(30)).await?;
    if let Some(user) = cache.get::<String>("session:42").await? {
        println!("  welcome back, {user}");
    }
    for _ in 0..2 {
        let loader = || async {
            println!("  the weather is looked up");
            Loaded::Ok("sunny".to_owned())
        };
        let weather = cache.get_or_load("weather:paris", mins(10), loader).await?;
        println!("  Paris: {weather}");
    }
    cache.delete("session:42").await?;
    println!("  what is left: {:?}", cache.keys("*").await?);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let only = std::env::args().nth(1);
    // The Redis of this example; yours has an address of its own.
    let server = RedisServer::shared_or_launch()?;
    let namespace = cache_testkit::fresh_namespace("own_store")?;
    let web = || CacheFactory::new().for_web_app().namespace(namespace.as_str());
    // What was loaded is listed at the end, so it has to be in the store by then.
    let stored = || web().wait_for_write(true);
    let places: [(&str, CacheSetup); 3] = [
        ("memory", web().memory_only()),
        ("redis", stored().redis_url(server.url()).connect_timeout(secs(5)).fail_on_connection_error(true)),
        ("own", stored().store(Arc::new(SharedMap::default()))),
    ];
    for (name, setup) in places {
        if only.as_deref().is_none_or(|only| only == name) {
            println!("{name}:");
            application(&setup.await?).await?;
        }
    }
    Ok(())
}
