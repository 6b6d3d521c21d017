//! Sessions of a web application: signing in, coming back, signing out, and signing out everywhere:
//! `cargo run --example session`.
//!
//! Runs in memory first and then on a Redis server of its own. Ends with an error if a step is not as it should be.

mod places;

use cache_factory::durations::mins;
use cache_factory::{Cache, CacheSetup, SetOptions};
use places::{Failure, check, in_memory_and_on_redis};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Session {
    user_id: u64,
    role: String,
    theme: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    in_memory_and_on_redis(show).await
}

async fn show(setup: CacheSetup) -> Result<(), Failure> {
    let cache = setup.await?;
    let ann = Session { user_id: 123, role: "admin".into(), theme: "dark".into() };

    println!("  Ann signs in, on two devices");
    for id in ["3f9c", "77ab"] {
        keep(&cache, id, &ann).await?;
    }

    println!("  She comes back");
    let session = find(&cache, "3f9c").await?.ok_or("the session is not there")?;
    println!("    welcome back, user {} ({}, {} theme)", session.user_id, session.role, session.theme);
    check(find(&cache, "0000").await?.is_none(), "a session that nobody opened was found")?;

    println!("  Each visit begins the 30 minutes anew");
    keep(&cache, "3f9c", &session).await?;
    let left = cache.ttl("session:3f9c").await?.ok_or("the session has no time left")?;
    println!("    {:.0} minutes left", left.as_secs_f64() / 60.0);
    check(left > mins(29), "the time did not begin anew")?;

    println!("  She signs out on one of them");
    cache.delete("session:77ab").await?;
    check(find(&cache, "77ab").await?.is_none(), "a session outlived signing out")?;
    check(find(&cache, "3f9c").await?.is_some(), "the other session is gone too")?;
    println!("    that session is gone, the other is not");

    println!("  She changes her password: all her sessions end, in one step");
    keep(&cache, "90de", &Session { user_id: 124, ..ann.clone() }).await?;
    cache.invalidate_tag("user:123").await?;
    check(find(&cache, "3f9c").await?.is_none(), "a session outlived the change")?;
    check(find(&cache, "90de").await?.is_some(), "another user's session is gone too")?;
    println!("    hers are gone, those of others are not");
    Ok(())
}

async fn keep(cache: &Cache, id: &str, session: &Session) -> Result<(), cache_factory::Error> {
    let options = SetOptions::ttl(mins(30)).tag(format!("user:{}", session.user_id));
    cache.set(format!("session:{id}"), session, options).await
}

async fn find(cache: &Cache, id: &str) -> Result<Option<Session>, cache_factory::Error> {
    // A hit is an `Arc`: nobody can change what others read. Who wants to change it takes a clone.
    let found = cache.get::<Session>(format!("session:{id}")).await?;
    Ok(found.map(|session| (*session).clone()))
}
