//! The reference store keeps the contract, as itself, behind pointers, and with less to offer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cache_core::{Feed, Store, SystemClock};
use cache_testkit::conformance::{Bed, Case, Need, Report, all, run_all};
use cache_testkit::{FakeClock, ReferenceBuilder, ReferenceServer, eventually};

async fn bed() -> Bed {
    Bed::reference()
}

cache_testkit::conformance_suite!(bed);

async fn run_on(lesser: impl Fn(ReferenceBuilder) -> ReferenceBuilder) -> Report {
    run_all(async || {
        let clock = FakeClock::new();
        Bed::on(&lesser(ReferenceServer::builder(clock.clone())).build(), clock)
    })
    .await
}

/// Every case that needs nothing else of what is missing ran, and no other.
fn assert_missing(report: &Report, missing: &[Need]) {
    let names = |is_gone: bool| -> Vec<&str> {
        let is_missing = |case: &&Case| case.needs.iter().any(|need| missing.contains(need)) == is_gone;
        all().iter().filter(is_missing).map(|case| case.name).collect()
    };
    assert_eq!(names(true).is_empty(), missing.is_empty());
    assert_eq!(report.not_applicable, names(true));
    assert_eq!(report.passed, names(false));
}

#[tokio::test]
async fn behind_an_arc_and_a_box() {
    let twice = |store: &Arc<dyn Store>| -> Arc<dyn Store> { Arc::new(Arc::clone(store)) };
    let boxed = |store: &Arc<dyn Store>| -> Arc<dyn Store> {
        let inner: Box<dyn Store> = Box::new(Arc::clone(store));
        Arc::new(inner)
    };
    let report = run_all(async || {
        let bed = Bed::reference();
        Bed { store: twice(&bed.store), other: boxed(&bed.other), ..bed }
    });
    assert_missing(&report.await, &[]);
    let report = run_all(async || {
        let bed = Bed::reference();
        Bed { store: boxed(&bed.store), other: twice(&bed.other), ..bed }
    });
    assert_missing(&report.await, &[]);
}

#[tokio::test]
async fn without_claims() {
    assert_missing(&run_on(ReferenceBuilder::without_claims).await, &[Need::Claims]);
}

#[tokio::test]
async fn without_marks() {
    assert_missing(&run_on(ReferenceBuilder::without_marks).await, &[Need::Marks]);
}

#[tokio::test]
async fn without_scan() {
    assert_missing(&run_on(ReferenceBuilder::without_scan).await, &[Need::Scan]);
}

#[tokio::test]
async fn without_a_feed() {
    assert_missing(&run_on(|all| all.feed(Feed::None)).await, &[Need::Feed, Need::Tracking]);
}

#[tokio::test]
async fn with_signs_of_life_alone() {
    assert_missing(&run_on(|all| all.feed(Feed::Polled)).await, &[Need::Feed, Need::Tracking]);
}

#[tokio::test]
async fn with_a_published_feed() {
    assert_missing(&run_on(|all| all.feed(Feed::PubSub)).await, &[Need::Tracking]);
}

#[tokio::test]
async fn unshared() {
    let report = run_on(ReferenceBuilder::unshared).await;
    assert_missing(&report, &[Need::Shared, Need::Feed, Need::Tracking]);
}

#[tokio::test]
async fn with_nothing_but_values() {
    let least = |all: ReferenceBuilder| all.without_claims().without_marks().without_scan().unshared();
    let report = run_on(least).await;
    assert!(report.passed.len() >= 20, "{report}");
}

#[tokio::test]
async fn with_short_values() {
    assert_missing(&run_on(|all| all.max_value(100_000)).await, &[]);
}

/// Waits until the system's clock has moved on by so much.
async fn pass(by: Duration) {
    let since = Instant::now();
    let passed = eventually(by + Duration::from_secs(10), "time passes", || since.elapsed() >= by).await;
    assert_eq!(passed, Ok(()));
}

#[tokio::test]
async fn on_a_clock_that_nobody_controls() {
    let report = run_all(async || {
        let server = ReferenceServer::new(Arc::new(SystemClock::new()));
        Bed {
            store: Arc::new(server.connect()),
            other: Arc::new(server.connect()),
            advance: Box::new(|by| Box::pin(pass(by))),
            exact_time: false,
            ..Bed::reference()
        }
    });
    assert_missing(&report.await, &[]);
}
