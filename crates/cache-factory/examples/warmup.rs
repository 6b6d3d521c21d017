//! Filling a cache before anybody asks, looking into it, and emptying it: `cargo run --example warmup`.
//!
//! Runs in memory first and then on a Redis server of its own. Ends with an error if a step is not as it should be.

mod places;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cache_factory::durations::hours;
use cache_factory::{CacheSetup, Loaded, WarmOptions};
use places::{Failure, check, in_memory_and_on_redis};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    in_memory_and_on_redis(show).await
}

/// Stands for a database, in which one row is broken.
async fn load_from_database(key: String) -> Loaded<String> {
    if key == "user:profile:13" { Err("the row is broken".into()) } else { Ok(format!("row of {key}")) }
}

async fn show(setup: CacheSetup) -> Result<(), Failure> {
    let cache = setup.await?;

    println!("  Values that are at hand are stored");
    let flags = [("config:features:new_ui", true), ("config:features:beta", false)];
    cache.warm(flags, hours(1)).await?.into_result()?;
    println!("    new_ui is {:?}", cache.get::<bool>("config:features:new_ui").await?);

    println!("  What is hot is loaded, four at a time");
    let hot: Vec<String> = (1..=20).map(|id| format!("user:profile:{id}")).collect();
    let (most, at) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = {
        let (most, at) = (Arc::clone(&most), Arc::clone(&at));
        move |key| {
            let (most, at) = (Arc::clone(&most), Arc::clone(&at));
            async move {
                most.fetch_max(at.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                at.fetch_sub(1, Ordering::SeqCst);
                load_from_database(key).await
            }
        }
    };
    let options = WarmOptions::from(hours(1)).concurrency(4).on_progress(|progress| {
        if progress.done % 10 == 0 {
            println!(
                "    {} of {} done, {} failed",
                progress.done,
                progress.total.unwrap_or(0),
                progress.failed
            );
        }
    });
    let report = cache.preload(&hot, options, counted).await?;
    for (key, error) in &report.failed {
        println!("    {key}: {error}");
    }
    check(report.failed.len() == 1, "another number of rows failed")?;
    check(most.load(Ordering::SeqCst) == 4, "another number was loaded at a time")?;

    println!("  What is there");
    let keys = cache.keys("user:profile:?").await?;
    println!("    {}", keys.join(" "));
    check(keys.len() == 9, "other keys are there")?;

    println!("  And it is emptied");
    cache.clear().await?;
    check(cache.keys("*").await?.is_empty(), "something outlived the clear")?;
    println!("    nothing is there any more");
    Ok(())
}
