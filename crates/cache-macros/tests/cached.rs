//! `#[cached]` and `key!`, as an application uses them.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cache_factory::{Cache, CacheFactory, Error, LoadOptions, StaleMode, TtlPolicy, cached, key};
use cache_testkit::FakeClock;
use serde::{Deserialize, Serialize};

/// Counts how often the body of a function ran.
#[derive(Clone, Debug, Default)]
struct Runs(Arc<AtomicUsize>);

impl Runs {
    fn one(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
}

async fn memory() -> Cache {
    CacheFactory::new().for_web_app().memory_only().await.unwrap()
}

#[cached(cache = cache, key = "user:{id}:{locale}", ttl = "30m", tags = ["user:{id}", "users"], ignore = [runs])]
async fn greeting(cache: &Cache, runs: &Runs, id: u64, locale: &str) -> Result<String, Error> {
    Ok(format!("{locale} {id} {}", runs.one()))
}

#[tokio::test]
async fn a_function_runs_once_for_each_key_and_again_after_an_invalidation() {
    let (cache, runs) = (memory().await, Runs::default());
    for _ in 0..3 {
        assert_eq!(greeting(&cache, &runs, 7, "en").await.unwrap(), "en 7 1");
    }
    assert_eq!(greeting(&cache, &runs, 7, "fr").await.unwrap(), "fr 7 2");
    assert!(cache.exists("user:7:en").await.unwrap());
    cache.invalidate_tag("user:8").await.unwrap();
    assert_eq!(greeting(&cache, &runs, 7, "en").await.unwrap(), "en 7 1");
    cache.invalidate_tag("user:7").await.unwrap();
    assert_eq!(greeting(&cache, &runs, 7, "en").await.unwrap(), "en 7 3");
}

#[tokio::test]
async fn arguments_that_look_like_parts_of_a_key_do_not_meet() {
    #[cached(cache = cache, key = "pair:{a}:{b}")]
    async fn pair(cache: &Cache, a: &str, b: &str) -> Result<String, Error> {
        Ok(format!("{a} and {b}"))
    }
    let cache = memory().await;
    assert_eq!(pair(&cache, "x:y", "z").await.unwrap(), "x:y and z");
    assert_eq!(pair(&cache, "x", "y:z").await.unwrap(), "x and y:z");
    assert_eq!(pair(&cache, "x%3Ay", "z").await.unwrap(), "x%3Ay and z");
}

#[tokio::test]
async fn a_ttl_and_a_time_to_be_stale_are_those_that_were_written() {
    #[cached(cache = cache, key = "price", ttl = "10m", stale_for = "5m", ignore = [runs])]
    async fn price(cache: &Cache, runs: Runs) -> Result<usize, Error> {
        Ok(runs.one())
    }
    let clock = FakeClock::new();
    let cache = CacheFactory::new().for_web_app().memory_only().timer(clock.clone()).await.unwrap();
    let (runs, minute) = (Runs::default(), Duration::from_secs(60));
    assert_eq!(price(&cache, runs.clone()).await.unwrap(), 1);
    assert_eq!(cache.ttl("price").await.unwrap(), Some(10 * minute));
    clock.advance(14 * minute);
    assert_eq!(price(&cache, runs.clone()).await.unwrap(), 1, "stale, and loaded anew meanwhile");
    cache_testkit::settle().await;
    assert_eq!(price(&cache, runs.clone()).await.unwrap(), 2);
    clock.advance(16 * minute);
    assert_eq!(price(&cache, runs.clone()).await.unwrap(), 3, "it was stale for 5 minutes at the most");
}

#[tokio::test]
async fn a_ttl_may_be_any_expression_that_options_are_made_from() {
    #[cached(cache = cache, key = "a", ttl = policy.for_type("session")?, ignore = [policy])]
    async fn by_policy(cache: &Cache, policy: &TtlPolicy) -> Result<u8, Error> {
        Ok(1)
    }
    #[cached(cache = cache, key = "b", ttl = LoadOptions::ttl(Duration::from_secs(500)).stale(StaleMode::OnError), stale_for = Duration::ZERO)]
    async fn by_options(cache: &Cache) -> Result<u8, Error> {
        Ok(1)
    }
    let cache = memory().await;
    by_policy(&cache, &TtlPolicy::by_data_type()).await.unwrap();
    by_options(&cache).await.unwrap();
    for (key, seconds) in [("a", 1800), ("b", 500)] {
        let left = cache.ttl(key).await.unwrap().unwrap();
        let said = Duration::from_secs(seconds);
        assert!(left <= said && left + Duration::from_secs(60) > said, "{key}: {left:?}");
    }
}

#[derive(Clone, Debug, PartialEq)]
enum AppError {
    NotFound(u64),
    Cache(String),
}

impl std::fmt::Display for AppError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for AppError {}

impl From<Error> for AppError {
    fn from(error: Error) -> Self {
        error.downcast_ref::<Self>().cloned().unwrap_or_else(|| Self::Cache(error.to_string()))
    }
}

#[derive(Clone, Debug)]
struct Users {
    cache: Cache,
    tenant: String,
    runs: Runs,
}

impl Users {
    /// A user, who may not be there.
    #[cached(cache = self.cache, key = "{self.tenant}:user:{id}", ttl = "1h")]
    pub async fn find(&self, id: u64) -> Result<Arc<User>, AppError> {
        self.runs.one();
        if id == 0 { Err(AppError::NotFound(id)) } else { Ok(Arc::new(User { name: self.name_of(id) })) }
    }

    #[cached(cache = &self.cache, key = "shared:{id}", ttl = "1h", ignore = [self])]
    async fn through_an_arc(self: &Arc<Self>, mut id: u64) -> Result<u64, AppError> {
        id += self.runs.one() as u64;
        Ok(id)
    }

    fn name_of(&self, id: u64) -> String {
        format!("{} {id}", self.tenant)
    }
}

async fn users() -> Users {
    // No negative window: a failed load is tried again at once.
    let setup = CacheFactory::new().for_web_app().memory_only().negative_window(Duration::ZERO);
    Users { cache: setup.await.unwrap(), tenant: "acme".into(), runs: Runs::default() }
}

#[tokio::test]
async fn a_method_is_cached_by_its_receivers_cache_and_shares_what_it_answers() {
    let users = users().await;
    let (one, two) = (users.find(7).await.unwrap(), users.find(7).await.unwrap());
    assert_eq!((one.name.as_str(), users.runs.count()), ("acme 7", 1));
    assert!(Arc::ptr_eq(&one, &two), "an `Arc` is cloned and not what is in it");
    let other = Users { tenant: "other".into(), ..users.clone() };
    assert_eq!(other.find(7).await.unwrap().name, "other 7");
    let (shared, other) = (Arc::new(users), Arc::new(other));
    let answer = shared.through_an_arc(1).await.unwrap();
    assert_eq!(shared.through_an_arc(1).await.unwrap(), answer);
    assert_eq!(
        other.through_an_arc(1).await.unwrap(),
        answer,
        "receivers that are ignored share what they answer"
    );
}

#[tokio::test]
async fn an_argument_that_holds_the_cache_may_be_in_the_key_by_a_field() {
    #[cached(cache = users.cache, key = "{users.tenant}:name:{id}")]
    async fn name(users: &Users, id: u64) -> Result<String, AppError> {
        Ok(users.name_of(id))
    }
    let one = users().await;
    let other = Users { tenant: "other".into(), ..one.clone() };
    assert_eq!(
        (name(&one, 7).await.unwrap(), name(&other, 7).await.unwrap()),
        ("acme 7".into(), "other 7".into())
    );
}

#[tokio::test]
async fn an_error_is_the_functions_own_and_not_cached() {
    let users = users().await;
    for runs in 1..=3 {
        assert_eq!(users.find(0).await, Err(AppError::NotFound(0)));
        assert_eq!(users.runs.count(), runs);
    }
    users.cache.close();
    assert!(matches!(users.find(1).await, Err(AppError::Cache(message)) if message.contains("closed")));
}

#[tokio::test]
async fn callers_at_a_time_share_one_run() {
    let (cache, runs) = (memory().await, Runs::default());
    let calls = (0..8).map(|_| {
        let (cache, runs) = (cache.clone(), runs.clone());
        tokio::spawn(async move { greeting(&cache, &runs, 1, "de").await.unwrap() })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), "de 1 1");
    }
}

#[tokio::test]
async fn names_of_the_functions_arguments_do_not_meet_ours() {
    #[cached(cache = options, key = "odd:{key}:{this}:{cache}", ttl = "1m", tags = ["t:{this}"], ignore = [body])]
    async fn odd(options: &Cache, key: &str, this: u8, cache: bool, body: &[u8]) -> Result<String, Error> {
        Ok(format!("{key} {this} {cache} {}", body.len()))
    }
    let cache = memory().await;
    assert_eq!(odd(&cache, "k", 1, true, b"xy").await.unwrap(), "k 1 true 2");
}

#[tokio::test]
async fn named_lifetimes_lints_and_documentation_are_kept() {
    /// Documented.
    #[cached(cache = cache, key = "len:{text}")]
    #[allow(clippy::needless_lifetimes, reason = "what is tested")]
    async fn length<'a>(
        cache: &Cache,
        text: &'a str,
    ) -> Result<usize, Box<dyn std::error::Error + Send + Sync>> {
        Ok(text.len())
    }
    assert_eq!(length(&memory().await, "four").await.unwrap(), 4);
}

mod elsewhere {
    pub(crate) use cache_factory as renamed;
}

#[tokio::test]
async fn the_factory_may_have_another_name() {
    #[elsewhere::renamed::cached(crate = elsewhere::renamed, cache = cache, key = "x")]
    async fn answer(cache: &Cache) -> Result<u8, Error> {
        Ok(42)
    }
    assert_eq!(answer(&memory().await).await.unwrap(), 42);
}

#[test]
fn a_key_by_hand_is_that_of_the_attribute() {
    let (id, user) = (7, ("a:b", 1));
    assert_eq!(key!("user:profile:{id}"), "user:profile:7");
    assert_eq!(key!("v2/{user.0}:{user.1}"), "v2/a%3Ab:1");
    assert_eq!(key!("plain"), "plain");
}
