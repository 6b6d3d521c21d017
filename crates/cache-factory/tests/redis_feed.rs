//! How an application is told what others change, by the way that was chosen for it or found.
#![cfg(all(feature = "memory", feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::time::{Duration, Instant};

use cache_factory::durations::{mins, secs};
use cache_factory::{
    Cache, CacheConfig, CacheFactory, Coherence, FeedMode, HealthStatus, LoadOptions, Loaded, SetOptions,
    Tier,
};
use cache_testkit::redis::Options;
use common::{healed, own, shared, web};

const SOON: Duration = Duration::from_secs(10);

async fn value(cache: &Cache) -> Option<String> {
    cache.get::<String>("k").await.unwrap().map(|value| (*value).clone())
}

/// Reads until tier 1 answers in step with others in this way, which takes a moment when a cache has just been built.
async fn copied(cache: &Cache, coherence: Coherence) {
    let began = Instant::now();
    loop {
        let (_, receipt) = cache.get_with_receipt::<String>("k").await.unwrap();
        if receipt.tier == Some(Tier::Local) && receipt.coherence == coherence {
            return;
        }
        assert!(began.elapsed() < SOON, "no such copy is kept: {receipt:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_every_feed_what_others_change_is_seen_within_the_lease() {
    for (mode, coherence) in [
        (FeedMode::Auto, Coherence::Feed),
        (FeedMode::Tracking, Coherence::Feed),
        (FeedMode::PubSub, Coherence::PubSub),
        (FeedMode::TtlOnly, Coherence::TtlOnly),
    ] {
        let setup = web(&shared().url(), "feed").feed(mode);
        let (ours, theirs) = (setup.clone().await.unwrap(), setup.await.unwrap());
        for round in 0..6 {
            let text = format!("{round}");
            let tagged = SetOptions::ttl(mins(5)).tag("t");
            ours.set("k", &text, tagged.clone()).await.unwrap();
            let seen = || async { value(&theirs).await.as_deref() == Some(&text) };
            let began = Instant::now();
            while !seen().await {
                assert!(began.elapsed() < secs(1) + secs(2), "{mode:?} {round}: an older value");
                tokio::task::yield_now().await;
            }
            copied(&theirs, coherence).await;
            match round % 3 {
                0 => ours.delete("k").await.unwrap(),
                1 => ours.invalidate_tag("t").await.unwrap(),
                _ => ours.clear().await.unwrap(),
            }
            assert_eq!(value(&ours).await, None, "{mode:?} {round}: at once for who did it");
            let began = Instant::now();
            while value(&theirs).await.is_some() {
                assert!(began.elapsed() < secs(1) + secs(2), "{mode:?} {round}: it is gone");
                tokio::task::yield_now().await;
            }
        }
        let health = theirs.health().await;
        let expected = if mode == FeedMode::TtlOnly { HealthStatus::Degraded } else { HealthStatus::Healthy };
        assert_eq!((health.status, health.coherence), (expected, coherence), "{health:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_can_be_chosen_in_a_configuration() {
    let server = own(&Options::new());
    for (word, coherence) in
        [("auto", Coherence::Feed), ("pubsub", Coherence::PubSub), ("ttl_only", Coherence::TtlOnly)]
    {
        // Each in a namespace of its own: those who publish would notice those who do not.
        let text = format!("namespace = '{word}'\n[redis]\nurl = '{}'\nfeed = '{word}'", server.url());
        let cache = CacheFactory::new().from_config(CacheConfig::from_toml(&text).unwrap()).await.unwrap();
        cache.set("k", "v", ()).await.unwrap();
        copied(&cache, coherence).await;
    }
    let error = CacheConfig::from_toml("[redis]\nfeed = 'loud'").unwrap_err();
    assert!(error.to_string().contains("`auto`, `tracking`, `pubsub` or `ttl_only`"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_use_its_namespace_alone_is_told() {
    let server = own(&Options::new());
    server.command(&["ACL", "SETUSER", "shop", "on", ">pw", "~shop:*", "&shop:*", "+@all"]).unwrap();
    let url = format!("redis://shop:pw@127.0.0.1:{}", server.addr().port());
    let setup = CacheFactory::new().for_web_app().redis_url(url).namespace("shop");
    let cache = setup.fail_on_connection_error(true).await.unwrap();
    cache.set("k", "v", ()).await.unwrap();
    copied(&cache, Coherence::Feed).await;
    healed(&cache, SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_is_less_than_it_could_be_is_said_to_be() {
    let server = own(&Options::new().arguments(["--rename-command", "HELLO", ""]));
    let (ours, theirs) = {
        let setup = web(&format!("redis://127.0.0.1:{}", server.addr().port()), "less");
        (setup.clone().await.unwrap(), setup.await.unwrap())
    };
    let load = || async { Loaded::Ok("loaded".to_owned()) };
    assert_eq!(*ours.get_or_load("k", LoadOptions::ttl(mins(5)), load).await.unwrap(), "loaded");
    let there = async {
        while value(&theirs).await.is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, there).await.unwrap();
    copied(&theirs, Coherence::PubSub).await;
    let health = theirs.health().await;
    assert_eq!(health.status, HealthStatus::Degraded);
    assert!(health.reasons.iter().any(|reason| reason.contains("RESP2")), "{health:?}");
    ours.delete("k").await.unwrap();
    let began = Instant::now();
    while value(&theirs).await.is_some() {
        assert!(began.elapsed() < SOON);
        tokio::task::yield_now().await;
    }
}
