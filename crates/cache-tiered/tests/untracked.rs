//! Copies of what the store does not announce: how long they answer, and what is said of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use cache_core::Feed;
use cache_testkit::{FakeClock, ReferenceServer, settle};
use cache_tiered::{Coherence, HealthStatus, LoadOptions, Loaded, Settings, Tier};
use common::{MINUTE, Process, SECOND, pass, process, process_with};

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
