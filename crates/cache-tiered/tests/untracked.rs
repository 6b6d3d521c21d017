//! Copies of what the store does not announce: how long they answer, and what is said of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cache_core::Feed;
use cache_testkit::{FakeClock, ReferenceServer, settle};
use cache_tiered::{Cache, Coherence, HealthStatus, LoadOptions, Loaded, Namespace, Settings, Tier};
use common::late::Told;
use common::{MINUTE, Process, Runs, SECOND, pass, process, process_with, staged, tier};

const TICK: Duration = Duration::from_millis(10);

fn server(clock: &Arc<FakeClock>, feed: Feed) -> Arc<ReferenceServer> {
    ReferenceServer::builder(clock.clone()).feed(feed).build()
}

async fn read(here: &Process) -> (Option<u32>, Option<Tier>, Coherence) {
    let (value, receipt) = here.cache.get_with_receipt::<u32>("k").await.unwrap();
    (value.map(|value| *value), receipt.tier, receipt.coherence)
}

#[tokio::test]
async fn a_copy_answers_for_its_most_after_the_question_and_no_longer() {
    for feed in [Feed::Polled, Feed::None] {
        let clock = FakeClock::new();
        let server = server(&clock, feed);
        let (here, there) = (process(&clock, &server), process(&clock, &server));
        pass(&clock, SECOND).await;
        there.cache.set("k", &1u32, MINUTE).await.unwrap();
        assert_eq!(read(&here).await, (Some(1), Some(Tier::Store), Coherence::TtlOnly), "{feed:?}");
        there.cache.set("k", &2u32, MINUTE).await.unwrap();
        pass(&clock, SECOND - TICK).await;
        assert_eq!(read(&here).await, (Some(1), Some(Tier::Local), Coherence::TtlOnly), "{feed:?}");
        pass(&clock, TICK).await;
        assert_eq!(read(&here).await, (Some(2), Some(Tier::Store), Coherence::TtlOnly), "{feed:?}");
        there.cache.delete("k").await.unwrap();
        pass(&clock, SECOND).await;
        assert_eq!(read(&here).await.0, None, "{feed:?}");
    }
}

#[tokio::test]
async fn own_writes_are_read_at_once_and_are_copies_like_others() {
    let clock = FakeClock::new();
    let server = server(&clock, Feed::Polled);
    let (here, there) = (process(&clock, &server), process(&clock, &server));
    pass(&clock, SECOND).await;
    for value in 0..10 {
        here.cache.set("k", &value, MINUTE).await.unwrap();
        assert_eq!(read(&here).await.0, Some(value));
    }
    assert_eq!(read(&here).await.1, Some(Tier::Local));
    there.cache.set("k", &99u32, MINUTE).await.unwrap();
    pass(&clock, SECOND).await;
    assert_eq!(read(&here).await.0, Some(99));
    here.cache.delete("k").await.unwrap();
    assert_eq!(read(&here).await.0, None);
}

#[tokio::test]
async fn a_shorter_life_stays_shorter_and_none_at_all_means_no_copy() {
    let clock = FakeClock::new();
    let server = server(&clock, Feed::Polled);
    let mut settings = Settings::default();
    settings.untracked_max_age = Duration::ZERO;
    let (here, none) = (process(&clock, &server), process_with(&clock, &server, settings));
    pass(&clock, SECOND).await;
    let half = SECOND / 2;
    here.cache.set("k", &1u32, half).await.unwrap();
    pass(&clock, half - TICK).await;
    assert_eq!(read(&here).await.1, Some(Tier::Local));
    assert_eq!(read(&none).await.1, Some(Tier::Store));
    assert_eq!(read(&none).await.1, Some(Tier::Store), "nothing was kept");
    pass(&clock, TICK).await;
    assert_eq!(read(&here).await.0, None);
}

#[tokio::test]
async fn what_is_over_is_not_served_stale_either() {
    let clock = FakeClock::new();
    let server = server(&clock, Feed::Polled);
    let (here, there) = (process(&clock, &server), process(&clock, &server));
    pass(&clock, SECOND).await;
    let options = LoadOptions::ttl(MINUTE).stale_for(MINUTE);
    let load = || async { Loaded::Ok(1u32) };
    assert_eq!(*here.cache.get_or_load("k", options.clone(), load).await.unwrap(), 1);
    settle().await;
    there.cache.delete("k").await.unwrap();
    pass(&clock, SECOND).await;
    // Nobody can be asked, and the lease is not over.
    here.link.disconnect();
    let load = || async { Loaded::Ok(2u32) };
    assert_eq!(*here.cache.get_or_load("k", options, load).await.unwrap(), 2, "it was deleted a second ago");
}

#[tokio::test]
async fn health_and_receipts_say_which_feed_it_is() {
    for (feed, coherence, status) in [
        (Feed::Tracking, Coherence::Feed, HealthStatus::Healthy),
        (Feed::PubSub, Coherence::PubSub, HealthStatus::Healthy),
        (Feed::Polled, Coherence::TtlOnly, HealthStatus::Degraded),
        (Feed::None, Coherence::TtlOnly, HealthStatus::Degraded),
    ] {
        let clock = FakeClock::new();
        let server = server(&clock, feed);
        let here = process(&clock, &server);
        pass(&clock, SECOND).await;
        let health = here.cache.health().await;
        assert_eq!((health.coherence, health.status), (coherence, status), "{feed:?}: {health:?}");
        here.cache.set("k", &1u32, MINUTE).await.unwrap();
        let (_, _, said) = read(&here).await;
        assert_eq!(said, coherence, "{feed:?}");
    }
}

type Beside = fn(Cache) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// The ways in which a process keeps a value beside what is in the store, which is not its own to replace.
const BESIDE: [(&str, bool, Beside); 2] = [
    ("a batch does not wait for another's load", true, |cache| {
        Box::pin(async move {
            let loader = |missing: Vec<String>| async move {
                Loaded::Ok(missing.into_iter().map(|key| (key, 1_u32)).collect::<HashMap<_, _>>())
            };
            cache.get_many_or_load::<u32, _, _, _>(&["k"], 60 * MINUTE, loader).await.unwrap();
        })
    }),
    ("nobody waits for another's load", false, |cache| {
        Box::pin(async move {
            cache.get_or_load("k", 60 * MINUTE, || async { Loaded::Ok(1_u32) }).await.unwrap();
        })
    }),
];

#[tokio::test]
async fn what_is_loaded_beside_another_is_a_copy_like_others() {
    for feed in [Feed::Tracking, Feed::PubSub, Feed::Polled, Feed::None] {
        for (name, claims, load) in BESIDE {
            let clock = FakeClock::new();
            let server = server(&clock, feed);
            let mut settings = Settings::default();
            settings.claims = claims;
            let (here, there) = (process_with(&clock, &server, settings), process(&clock, &server));
            pass(&clock, SECOND).await;
            let (stage, loader) = staged::<u32>();
            let theirs = tokio::spawn({
                let cache = there.cache.clone();
                async move { cache.get_or_load("k", 60 * MINUTE, loader).await }
            });
            let running = stage.started().await;
            load(here.cache.clone()).await;
            running.bring(2);
            theirs.await.unwrap().unwrap();
            settle().await;
            there.cache.set("k", &3_u32, 60 * MINUTE).await.unwrap();
            pass(&clock, SECOND).await;
            assert_eq!(read(&here).await.0, Some(3), "{feed:?}: {name}");
        }
    }
}

#[tokio::test]
async fn what_is_loaded_over_foreign_bytes_is_kept_as_long_as_their_change_would_be_told() {
    for (feed, tracks, kept) in [
        (Feed::Tracking, true, true),
        (Feed::PubSub, true, true),
        (Feed::PubSub, false, false),
        (Feed::Polled, false, false),
        (Feed::None, false, false),
    ] {
        let clock = FakeClock::new();
        let server = server(&clock, feed);
        server.beat_with(&clock);
        let here = Cache::builder(Namespace::new("test").unwrap())
            .local(tier(&clock))
            .store(Arc::new(Told { store: server.connect(), late: Arc::default(), tracks }))
            .timer(clock.clone())
            .build()
            .unwrap();
        pass(&clock, SECOND).await;
        server.raw_set("test:k", &b"of somebody else"[..], None);
        here.get_or_load("k", 60 * MINUTE, || async { Loaded::Ok(1_u32) }).await.unwrap();
        settle().await;
        pass(&clock, SECOND).await;
        let there = here.get::<u32>("k").await.unwrap().as_deref() == Some(&1);
        assert_eq!(there, kept, "{feed:?}, tracked: {tracks}");
    }
}

#[tokio::test]
async fn a_load_from_before_anothers_delete_is_joined_until_its_lease_is_missed_and_no_longer() {
    for batch in [false, true] {
        let clock = FakeClock::new();
        let server = server(&clock, Feed::Polled);
        let (here, there) = (process(&clock, &server), process(&clock, &server));
        pass(&clock, SECOND).await;
        let (stage, loader) = staged::<u32>();
        let cache = here.cache.clone();
        let slow = tokio::spawn(async move {
            if batch {
                let load = |missing: Vec<String>| async move {
                    let value = loader().await?;
                    Loaded::Ok(missing.into_iter().map(|key| (key, value)).collect::<HashMap<_, _>>())
                };
                cache.get_many_or_load::<u32, _, _, _>(&["k"], MINUTE, load).await.map(drop)
            } else {
                cache.get_or_load("k", MINUTE, loader).await.map(drop)
            }
        });
        let running = stage.started().await;
        there.cache.delete("k").await.unwrap();
        pass(&clock, here.cache.settings().claim_ttl.as_duration() / 3 + TICK).await;
        let asked = tokio::spawn({
            let cache = here.cache.clone();
            async move { cache.get_or_load("k", MINUTE, || async { Loaded::Ok(2_u32) }).await }
        });
        settle().await;
        running.bring(1);
        slow.await.unwrap().unwrap();
        assert_eq!(*asked.await.unwrap().unwrap(), 2, "batch: {batch}");
    }
}

#[tokio::test]
async fn a_load_that_lost_its_lease_takes_nothing_from_the_next_one() {
    let clock = FakeClock::new();
    let server = server(&clock, Feed::Polled);
    let here = process(&clock, &server);
    pass(&clock, SECOND).await;
    let (first, loader) = staged::<u32>();
    let cache = here.cache.clone();
    let old = tokio::spawn(async move { cache.get_or_load("k", MINUTE, loader).await });
    let old_runs = first.started().await;
    here.cache.delete("k").await.unwrap();
    let (second, loader) = staged::<u32>();
    let cache = here.cache.clone();
    let new = tokio::spawn(async move { cache.get_or_load("k", MINUTE, loader).await });
    let new_runs = second.started().await;
    // The first finds its lease gone.
    pass(&clock, here.cache.settings().claim_ttl.as_duration() / 3 + TICK).await;
    new_runs.fail();
    new.await.unwrap().unwrap_err();
    let runs = Runs::default();
    here.cache.get_or_load("k", MINUTE, runs.loader(3_u32)).await.unwrap_err();
    assert_eq!(runs.count(), 0, "the failure of the second is remembered for a moment");
    old_runs.bring(1);
    old.await.unwrap().unwrap();
    settle().await;
    assert_eq!(read(&here).await.0, None);
}
