//! Wall clocks that disagree or jump, and times that are far away.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cache_core::{Clock, Moment, Sleep, Timer};
use cache_testkit::{FakeClock, ReferenceServer, settle};
use cache_tiered::{Cache, Namespace, SetOptions, TokioTimer};
use common::{MINUTE, pass, private, tier};

const DAY: Duration = Duration::from_secs(24 * 3600);
const TICK: Duration = Duration::from_millis(10);

/// The common clock as a machine sees it whose wall clock is off by so many milliseconds.
#[derive(Debug)]
struct Off {
    inner: Arc<FakeClock>,
    by: AtomicI64,
}

impl Clock for Off {
    fn now(&self) -> Moment {
        self.inner.now()
    }

    fn coarse(&self) -> Moment {
        self.inner.coarse()
    }

    fn coarse_error(&self) -> Duration {
        self.inner.coarse_error()
    }

    fn unix_millis(&self) -> u64 {
        self.inner.unix_millis().saturating_add_signed(self.by.load(Ordering::Relaxed))
    }

    fn suspended(&self) -> Duration {
        self.inner.suspended()
    }
}

impl Timer for Off {
    fn sleep_until(&self, at: Moment) -> Sleep {
        self.inner.sleep_until(at)
    }
}

/// A process on a machine whose wall clock is off by so many minutes.
fn process(clock: &Arc<FakeClock>, server: &Arc<ReferenceServer>, minutes: i64) -> (Cache, Arc<Off>) {
    server.beat_with(clock);
    let off = Arc::new(Off { inner: Arc::clone(clock), by: AtomicI64::new(minutes * 60_000) });
    let cache = Cache::builder(Namespace::new("test").unwrap())
        .local(tier(clock))
        .store(Arc::new(server.connect()))
        .timer(off.clone())
        .build()
        .unwrap();
    (cache, off)
}

async fn read(cache: &Cache, key: &str) -> Option<u32> {
    cache.get::<u32>(key).await.unwrap().map(|value| *value)
}

#[tokio::test]
async fn machines_whose_wall_clocks_are_a_quarter_of_an_hour_apart_agree() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (ahead, _) = process(&clock, &server, 15);
    let (behind, _) = process(&clock, &server, -15);
    pass(&clock, MINUTE).await;
    for (maker, other) in [(&ahead, &behind), (&behind, &ahead)] {
        maker.set("tagged", &1u32, SetOptions::ttl(MINUTE).tag("t")).await.unwrap();
        assert_eq!((read(maker, "tagged").await, read(other, "tagged").await), (Some(1), Some(1)));
        other.invalidate_tag("t").await.unwrap();
        settle().await;
        assert_eq!((read(maker, "tagged").await, read(other, "tagged").await), (None, None));
        maker.set("tagged", &2u32, SetOptions::ttl(MINUTE).tag("t")).await.unwrap();
        assert_eq!(read(other, "tagged").await, Some(2), "what came after the invalidation counts");

        maker.set("k", &1u32, MINUTE).await.unwrap();
        pass(&clock, MINUTE - TICK).await;
        assert_eq!((read(maker, "k").await, read(other, "k").await), (Some(1), Some(1)));
        pass(&clock, TICK).await;
        assert_eq!((read(maker, "k").await, read(other, "k").await), (None, None));
    }
}

#[tokio::test]
async fn a_wall_clock_that_jumps_ends_nothing_and_prolongs_nothing() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let ((here, wall), (there, _)) = (process(&clock, &server, 0), process(&clock, &server, 0));
    pass(&clock, MINUTE).await;
    there.set("k", &1u32, MINUTE).await.unwrap();
    for days in [400, -400] {
        wall.by.store(days * 86_400_000, Ordering::Relaxed);
        assert_eq!(read(&here, "k").await, Some(1));
    }
    pass(&clock, MINUTE).await;
    assert_eq!(read(&here, "k").await, None);
}

#[tokio::test]
async fn a_year_is_a_year() {
    let clock = FakeClock::new();
    let cache = private(&clock);
    cache.set("k", &1u32, DAY * 365).await.unwrap();
    // A timer that counts milliseconds in 31 bits is over after 25 days, one of 32 bits after 50.
    for day in [25, 50, 364] {
        clock.advance(DAY * day - clock.now().since(Moment::START));
        assert_eq!(read(&cache, "k").await, Some(1), "day {day}");
    }
    clock.advance(DAY);
    assert_eq!(read(&cache, "k").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_timer_for_a_far_day_does_not_end_at_once() {
    for days in [26, 51, 365] {
        // The runtime's time runs away from the system's here, so each begins anew.
        let timer = TokioTimer::new();
        let sleep = timer.sleep_until(timer.now() + DAY * days);
        let early = tokio::time::timeout(DAY * (days - 1), sleep).await;
        assert!(early.is_err(), "{days} days");
    }
}
