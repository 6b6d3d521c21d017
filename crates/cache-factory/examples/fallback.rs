//! Redis goes and comes back, and the application goes on: `cargo run --example fallback`.
//!
//! Starts a server of its own, by whatever way this machine has. Ends with an error if a step is not as it should be.

mod places;

use std::time::{Duration, Instant};

use cache_factory::durations::{mins, secs};
use cache_factory::{Cache, CacheFactory, HealthStatus, Loaded};
use cache_testkit::redis::{Options, RedisServer};
use places::{Failure, check};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    println!("A Redis is started");
    let server = RedisServer::launch(&Options::new())?;
    println!("  {} ({:?})", server.version(), server.way());

    let setup = CacheFactory::new().for_web_app().redis_url(server.url()).connect_timeout(secs(5));
    let cache = setup.clone().fail_on_connection_error(true).await?;
    show(&cache, HealthStatus::Healthy).await?;
    cache.set("session:42", "ann", mins(30)).await?;
    read(&cache, "session:42", Some("ann")).await?;

    println!("It is stopped");
    server.shutdown()?;
    show(&cache, HealthStatus::Degraded).await?;

    println!("The application goes on");
    let start = Instant::now();
    let page = cache.get_or_load("page:/", mins(5), || async { Loaded::Ok("<html>".to_owned()) }).await?;
    println!("  a page is loaded: {page}");
    cache.set("session:43", "bob", mins(30)).await?;
    read(&cache, "session:43", Some("bob")).await?;
    let taken = start.elapsed();
    println!("  in {taken:.1?}");
    check(taken < secs(1), "calls are held up by a Redis that is away")?;

    println!("Another instance starts meanwhile");
    let late = setup.await?;
    show(&late, HealthStatus::Degraded).await?;

    println!("Redis is started again");
    server.restart()?;
    show(&cache, HealthStatus::Healthy).await?;
    show(&late, HealthStatus::Healthy).await?;
    cache.set("session:44", "eve", mins(30)).await?;
    read(&late, "session:44", Some("eve")).await?;
    println!("Healed");
    Ok(())
}

/// Waits until the cache is like this, for a few seconds at most, and prints it.
async fn show(cache: &Cache, expected: HealthStatus) -> Result<(), Failure> {
    let start = Instant::now();
    let health = loop {
        let health = cache.health().await;
        if health.status == expected || start.elapsed() > secs(5) {
            break health;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    println!("  {:?} after {:.0?}", health.status, start.elapsed());
    for reason in &health.reasons {
        println!("    because {reason}");
    }
    check(health.status == expected, &format!("the cache is not {expected:?}"))
}

async fn read(cache: &Cache, key: &str, expected: Option<&str>) -> Result<(), Failure> {
    let (value, receipt) = cache.get_with_receipt::<String>(key).await?;
    println!("  {key} is {:?}, from {:?}", value.as_deref(), receipt.tier);
    check(value.as_deref().map(String::as_str) == expected, &format!("{key} should be {expected:?}"))
}
