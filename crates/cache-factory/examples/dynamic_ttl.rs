//! How long things live, said in one place: by kind of data, by key, by age: `cargo run --example dynamic_ttl`.
//!
//! Runs in memory first and then on a Redis server of its own. Ends with an error if a step is not as it should be.

mod places;

use std::time::Duration;

use cache_factory::durations::{days, hours, mins};
use cache_factory::{Aged, CacheSetup, LoadScope, Loaded, TtlPolicy};
use places::{Failure, check, in_memory_and_on_redis};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    in_memory_and_on_redis(show).await
}

/// Said once, used everywhere. What was last changed long ago is looked at again sooner.
fn policy() -> Result<TtlPolicy, cache_factory::Error> {
    TtlPolicy::builder(mins(30))
        .data_type("user_profile", hours(1))
        .data_type("api_response", mins(30))
        .data_type("static_content", days(1))
        .prefix("page:", mins(5))
        .older_than(hours(6), Aged::Part(0.5))
        .older_than(hours(24), Aged::AtMost(mins(5)))
        .build()
}

async fn show(setup: CacheSetup) -> Result<(), Failure> {
    let (cache, ttls) = (setup.await?, policy()?);

    println!("  changed             1 h ago     7 h ago    25 h ago");
    for kind in ["user_profile", "api_response", "static_content"] {
        let of = |age: Duration| -> Result<u64, Failure> {
            Ok(Duration::from(ttls.for_type(kind)?.age(age)).as_secs() / 60)
        };
        println!("  {kind:<15} {:>10} min {:>7} min {:>7} min", of(hours(1))?, of(hours(7))?, of(hours(25))?);
    }

    println!("  By it a profile that was changed 7 hours ago is stored");
    cache.set("user:profile:42", "Ann", ttls.for_type("user_profile")?.age(hours(7))).await?;
    let left = cache.ttl("user:profile:42").await?.ok_or("the profile is not there")?;
    println!("    {:.0} minutes left", left.as_secs_f64() / 60.0);
    check(left > mins(29) && left <= mins(30), "the policy was not heard")?;

    println!("  A page goes by its key");
    cache.set("page:/", "<html>", ttls.for_key("page:/")).await?;
    let left = cache.ttl("page:/").await?.ok_or("the page is not there")?;
    println!("    {:.0} minutes left", left.as_secs_f64() / 60.0);
    check(left > mins(4) && left <= mins(5), "the prefix was not heard")?;

    println!("  A kind of data that nobody declared is an error");
    let error = ttls.for_type("user_profil").err().ok_or("a misspelt kind was taken")?;
    println!("    {error}");

    println!("  A loader that learns the time with the value says it then");
    let load = |scope: LoadScope| async move {
        scope.ttl(mins(2));
        Loaded::Ok("rates of today".to_owned())
    };
    cache.get_or_load("rates", (), load).await?;
    // Who waits for a load is answered before the store has the value.
    let left = loop {
        match cache.ttl("rates").await? {
            Some(left) => break left,
            None => tokio::task::yield_now().await,
        }
    };
    println!("    {:.0} minutes left", left.as_secs_f64() / 60.0);
    check(left > mins(1) && left <= mins(2), "the loader was not heard")
}
