//! How an application tests what it caches: in memory, with a clock that is turned, with a store that fails, and on a real
//! Redis: `cargo run --example testing`.
//!
//! Each function is what would be a test of its own. Ends with an error if one of them does not hold.

mod places;

use std::sync::Arc;

use cache_factory::durations::{mins, secs};
use cache_factory::{Cache, CacheFactory, Error, Loaded};
use cache_testkit::{
    FakeClock, RedisFixture, ReferenceServer, assert_cache_hit, assert_cache_miss, populate,
};
use places::{Failure, check};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
}

/// What is tested: an application's own code, which is given a cache.
struct Users {
    cache: Cache,
}

impl Users {
    async fn find(&self, id: u64) -> Result<Arc<User>, Error> {
        let load = move || async move { Loaded::Ok(User { id, name: format!("User {id}") }) };
        self.cache.get_or_load(format!("user:profile:{id}"), mins(30), load).await
    }

    async fn rename(&self, user: &User) -> Result<(), Error> {
        // Here the database is told first.
        self.cache.delete(format!("user:profile:{}", user.id)).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    a_user_is_loaded_once_and_kept().await?;
    println!("a user is loaded once and kept ... ok");
    a_user_is_forgotten_after_half_an_hour().await?;
    println!("a user is forgotten after half an hour ... ok");
    an_outage_is_not_in_the_way().await?;
    println!("an outage is not in the way ... ok");
    two_processes_see_the_same().await?;
    println!("two processes see the same ... ok");
    Ok(())
}

async fn a_user_is_loaded_once_and_kept() -> Result<(), Failure> {
    let users = Users { cache: CacheFactory::new().for_testing().memory_only().await? };
    let ann = User { id: 123, name: "Ann".into() };
    populate(&users.cache, [("user:profile:123", &ann)]).await;

    check(*users.find(123).await? == ann, "what is cached was loaded anew")?;
    users.find(7).await?;
    assert_cache_hit!(users.cache, "user:profile:7", User { id: 7, name: "User 7".into() });
    assert_cache_miss!(users.cache, "user:profile:999");

    users.rename(&ann).await?;
    assert_cache_miss!(users.cache, "user:profile:123");
    Ok(())
}

async fn a_user_is_forgotten_after_half_an_hour() -> Result<(), Failure> {
    let clock = FakeClock::new();
    let cache = CacheFactory::new().for_testing().memory_only().timer(clock.clone()).await?;
    let users = Users { cache };
    users.find(7).await?;
    clock.advance(mins(29));
    assert_cache_hit!(users.cache, "user:profile:7");
    clock.advance(mins(1));
    assert_cache_miss!(users.cache, "user:profile:7");
    Ok(())
}

async fn an_outage_is_not_in_the_way() -> Result<(), Failure> {
    let clock = FakeClock::new();
    let store = ReferenceServer::new(clock.clone()).connect();
    let cache = CacheFactory::new().for_web_app().store(Arc::new(store.clone())).timer(clock).await?;
    let users = Users { cache };
    store.disconnect();
    let user = users.find(7).await?;
    check(user.name == "User 7", "another user was loaded")?;
    let told = users.rename(&user).await;
    check(
        told.is_err_and(|error| error.is_queued()),
        "a change that others were not told of was reported as done",
    )
}

async fn two_processes_see_the_same() -> Result<(), Failure> {
    let redis = RedisFixture::launch("two_processes")?;
    let setup =
        CacheFactory::new().for_testing().redis_url(redis.url()).namespace(redis.namespace().as_str());
    let setup = setup.connect_timeout(secs(5)).store_timeout(secs(2)).fail_on_connection_error(true);
    let (one, two) = (Users { cache: setup.clone().await? }, Users { cache: setup.await? });
    populate(&one.cache, [("user:profile:123", User { id: 123, name: "Ann".into() })]).await;
    check(two.find(123).await?.name == "Ann", "another process loads what is there")?;
    two.rename(&User { id: 123, name: "Anna".into() }).await?;
    assert_cache_miss!(one.cache, "user:profile:123");
    Ok(())
}
