//! Many keys in one call, and what that is in round trips: `cargo run --example batch`.
//!
//! Runs in memory first and then on a Redis server of its own. Ends with an error if a step is not as it should be.

mod places;

use std::collections::HashMap;
use std::sync::Arc;

use cache_factory::durations::hours;
use cache_factory::{CacheSetup, Loaded, PerformanceMonitor};
use places::{Failure, check, in_memory_and_on_redis};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct User {
    id: u32,
    name: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    in_memory_and_on_redis(show).await
}

async fn show(setup: CacheSetup) -> Result<(), Failure> {
    let setup = setup.l1_cache_size(1_000);
    let cache = setup.clone().await?;
    let keys: Vec<String> = (0..100).map(|id| format!("user:profile:{id}")).collect();

    println!("  90 users are stored");
    let users: Vec<(&str, User)> =
        keys[..90].iter().zip(0..).map(|(key, id)| (key.as_str(), user(id))).collect();
    let report = cache.set_many(&users, hours(1)).await?;
    for (key, error) in &report.failed {
        println!("    {key}: {error}");
    }
    report.into_result()?;

    println!("  100 are read, in order");
    let found = cache.get_many::<User>(&keys).await?;
    println!(
        "    {} were there, {} were not",
        found.iter().flatten().count(),
        found.iter().filter(|it| it.is_none()).count()
    );
    check(found[..90].iter().flatten().map(|user| user.id).eq(0..90), "the users are out of order")?;
    check(found[90..].iter().all(Option::is_none), "users that nobody stored were found")?;

    println!("  What is missing is loaded, in one question for all of it");
    let all = cache
        .get_many_or_load(&keys, hours(1), |missing: Vec<String>| async move {
            println!("    the database is asked for {} users", missing.len());
            let rows = missing.into_iter().map(|key| {
                let id = key.rsplit(':').next().unwrap_or_default().parse()?;
                Ok((key, user(id)))
            });
            Loaded::Ok(rows.collect::<Result<HashMap<_, _>, std::num::ParseIntError>>()?)
        })
        .await?;
    println!("    the last is {}", all.last().and_then(Option::as_ref).map_or("nobody", |user| &user.name));
    check(all.iter().flatten().count() == 100, "a user is still missing")?;

    if cache.stats().store.is_some() {
        println!("  Another process reads the 90");
        let monitor = PerformanceMonitor::new();
        let other = setup.performance_monitor(Arc::clone(&monitor)).await?;
        check(
            other.get_many::<User>(&keys[..90]).await?.iter().all(Option::is_some),
            "another process misses users",
        )?;
        let questions = round_trips(&monitor);
        println!("    in {questions} round trip");
        check(questions == 1, "a batch is several round trips")?;
    }

    println!("  And they are removed");
    cache.delete_many(&keys).await?.into_result()?;
    check(cache.get_many::<User>(&keys).await?.iter().all(Option::is_none), "a user outlived its removal")
}

fn user(id: u32) -> User {
    User { id, name: format!("User {id}") }
}

/// How often the store was asked for many values.
fn round_trips(monitor: &PerformanceMonitor) -> u64 {
    let caches = monitor.snapshot().caches;
    let calls = caches.iter().flat_map(|cache| &cache.store);
    calls.filter(|calls| calls.operation == "get_many").map(|calls| calls.count).sum()
}
