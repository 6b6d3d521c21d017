//! One load for all who ask: herds, hangs, failures, panics, and loaders that ask for themselves.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use cache_core::Feed;
use cache_testkit::{FakeClock, Op, ReferenceServer, eventually, settle};
use cache_tiered::{Cache, ErrorKind, LoadOptions, LoadScope, Loaded, Settings};
use common::{MINUTE, Runs, SECOND, pass, private, private_with, process, process_with, staged};

fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings::default();
    change(&mut settings);
    settings
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_callers_of_one_key_run_one_load() {
    let cache = private(&FakeClock::new());
    let runs = Runs::default();
    let callers: Vec<_> = (0..10_000)
        .map(|_| {
            let (cache, runs) = (cache.clone(), runs.clone());
            tokio::spawn(async move {
                let loader = move || async move {
                    runs.one();
                    tokio::task::yield_now().await;
                    Loaded::Ok(7u32)
                };
                *cache.get_or_load("k", MINUTE, loader).await.unwrap()
            })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), 7);
    }
    assert_eq!(runs.count(), 1);
    let stats = cache.stats();
    assert_eq!((stats.loads.started, stats.loads.in_flight), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_caller_that_comes_when_the_load_has_just_ended_does_not_load_again() {
    // The slot of a flight is given back only after its value can be seen, whenever a caller looks.
    for round in 0..300 {
        let cache = private(&FakeClock::new());
        let runs = Runs::default();
        let callers: Vec<_> = (0..8)
            .map(|_| {
                let (cache, runs) = (cache.clone(), runs.clone());
                tokio::spawn(async move { cache.get_or_load("k", MINUTE, runs.loader(1u8)).await.unwrap() })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
        assert_eq!(runs.count(), 1, "round {round}");
    }
}

#[tokio::test]
async fn a_caller_that_looked_just_before_a_load_ended_takes_its_value() {
    let clock = FakeClock::new();
    let tier = common::Meddled::new(&clock);
    let namespace = cache_tiered::Namespace::new("test").unwrap();
    let cache = Cache::builder(namespace).local(tier.clone()).timer(clock).build().unwrap();
    cache.get_or_load("k", MINUTE, || async { Loaded::Ok(1u32) }).await.unwrap();
    tier.blind.store(2, std::sync::atomic::Ordering::SeqCst);
    let runs = Runs::default();
    assert_eq!(*cache.get_or_load("k", MINUTE, runs.loader(2u32)).await.unwrap(), 1);
    assert_eq!(runs.count(), 0);
}

#[tokio::test]
async fn the_leader_may_leave_and_the_load_goes_on() {
    let cache = private(&FakeClock::new());
    let (stage, loader) = staged::<u32>();
    let leader = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_load("k", MINUTE, loader).await }
    });
    let running = stage.started().await;
    let runs = Runs::default();
    let waiter = tokio::spawn({
        let (cache, runs) = (cache.clone(), runs.clone());
        async move { cache.get_or_load("k", MINUTE, runs.loader(0)).await }
    });
    settle().await;
    leader.abort();
    settle().await;
    running.bring(5);
    assert_eq!(*waiter.await.unwrap().unwrap(), 5);
    assert_eq!(runs.count(), 0);
}

#[tokio::test]
async fn a_load_that_everybody_left_still_fills_the_cache() {
    let cache = private(&FakeClock::new());
    let (stage, loader) = staged::<u32>();
    let only = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_load("k", MINUTE, loader).await }
    });
    let running = stage.started().await;
    only.abort();
    settle().await;
    running.bring(5);
    settle().await;
    assert_eq!(cache.get::<u32>("k").await.unwrap().as_deref(), Some(&5));
}

#[tokio::test]
async fn a_failing_loader_answers_all_present_with_one_shared_error() {
    let cache = private(&FakeClock::new());
    let (stage, loader) = staged::<u32>();
    let runs = Runs::default();
    let mut callers = vec![tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_load("k", MINUTE, loader).await }
    })];
    let running = stage.started().await;
    for _ in 0..100 {
        let (cache, runs) = (cache.clone(), runs.clone());
        callers.push(tokio::spawn(async move { cache.get_or_load("k", MINUTE, runs.loader(1)).await }));
    }
    settle().await;
    running.fail();
    for caller in callers {
        let error = caller.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Load);
        assert_eq!(error.downcast_ref::<std::io::Error>().unwrap().to_string(), "the source is down");
    }
    assert_eq!(runs.count(), 0, "nobody loads again, one after another");
}

#[tokio::test]
async fn after_a_failure_a_short_window_answers_with_the_error_and_then_it_is_tried_again() {
    let clock = FakeClock::new();
    let cache = private_with(&clock, settings(|it| it.negative_window = SECOND));
    let failing = || async { Err::<u32, _>(std::io::Error::other("down")) };
    cache.get_or_load("k", MINUTE, failing).await.unwrap_err();
    let runs = Runs::default();
    let error = cache.get_or_load("k", MINUTE, runs.loader(1u32)).await.unwrap_err();
    assert_eq!(error.downcast_ref::<std::io::Error>().unwrap().to_string(), "down");
    clock.advance(SECOND);
    assert_eq!(*cache.get_or_load("k", MINUTE, runs.loader(1u32)).await.unwrap(), 1);
    assert_eq!((runs.count(), cache.stats().loads.refused), (1, 1));
}

#[tokio::test]
async fn a_write_or_an_invalidation_ends_the_window_of_a_failure() {
    let cache = private(&FakeClock::new());
    for (round, step) in ["set", "delete", "expire", "clear"].into_iter().enumerate() {
        let key = format!("k{round}");
        cache.get_or_load(&key, (), || async { Err::<u32, _>("down") }).await.unwrap_err();
        match step {
            "set" => cache.set(&key, &9, ()).await.unwrap(),
            "delete" => cache.delete(&key).await.unwrap(),
            "expire" => cache.expire(&key).await.unwrap(),
            _ => cache.clear().await.unwrap(),
        }
        assert_eq!(*cache.get_or_load(&key, (), || async { Loaded::Ok(9u32) }).await.unwrap(), 9, "{step}");
    }
}

#[tokio::test]
async fn a_failure_that_comes_while_a_set_waits_for_the_store_does_not_outlive_the_set() {
    let clock = FakeClock::new();
    // Nothing is announced, so a set asks where the marks stand before anything else.
    let server = ReferenceServer::builder(clock.clone()).feed(Feed::None).build();
    let here = process_with(&clock, &server, settings(|it| it.negative_window = 60 * MINUTE));
    let (stage, loader) = staged::<u32>();
    let load = tokio::spawn({
        let cache = here.cache.clone();
        async move { cache.get_or_load("k", MINUTE, loader).await }
    });
    let running = stage.started().await;
    let gate = here.link.hold(Op::ReadMarks);
    let set = tokio::spawn({
        let cache = here.cache.clone();
        async move { cache.set("k", &1u32, SECOND).await }
    });
    gate.reached().await;
    running.fail();
    load.await.unwrap().unwrap_err();
    gate.release();
    set.await.unwrap().unwrap();
    pass(&clock, 2 * SECOND).await;
    let got = here.cache.get_or_load("k", MINUTE, || async { Loaded::Ok(2u32) }).await;
    assert_eq!(*got.unwrap(), 2);
}

#[tokio::test]
async fn a_panicking_loader_is_an_error_for_all_and_the_key_is_usable_after_the_window() {
    let clock = FakeClock::new();
    let cache = private(&clock);
    let panicking = || async {
        tokio::task::yield_now().await;
        if true {
            panic!("on purpose");
        }
        Loaded::Ok(1u32)
    };
    let (a, b) = tokio::join!(
        cache.get_or_load("k", MINUTE, panicking),
        cache.get_or_load("k", MINUTE, || async { Loaded::Ok(2u32) })
    );
    for error in [a.unwrap_err(), b.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Load);
        assert!(error.message().contains("panicked"), "{error}");
    }
    let runs = Runs::default();
    cache.get_or_load("k", MINUTE, runs.loader(3u32)).await.unwrap_err();
    assert_eq!(runs.count(), 0, "a panic opens the window of a failure too");
    clock.advance(SECOND);
    assert_eq!(*cache.get_or_load("k", MINUTE, runs.loader(3u32)).await.unwrap(), 3);
    assert_eq!(cache.stats().loads.in_flight, 0);
}

#[tokio::test]
async fn a_loader_that_panics_when_it_is_called_is_an_error_too() {
    let cache = private(&FakeClock::new());
    let panicking = || {
        if true {
            panic!("on purpose");
        }
        std::future::ready(Loaded::Ok(1u32))
    };
    let error = cache.get_or_load("k", MINUTE, panicking).await.unwrap_err();
    assert!(error.message().contains("panicked"), "{error}");
}

#[derive(Debug, serde::Deserialize)]
struct PanicsWhenWritten;

impl serde::Serialize for PanicsWhenWritten {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("on purpose")
    }
}

#[tokio::test]
async fn a_value_that_panics_when_it_is_serialised_hangs_nobody() {
    let clock = FakeClock::new();
    let cache = private(&clock);
    let loader = || async { Loaded::Ok(PanicsWhenWritten) };
    let error = cache.get_or_load("k", MINUTE, loader).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Load);
    clock.advance(SECOND);
    assert_eq!(*cache.get_or_load("k", MINUTE, || async { Loaded::Ok(3u32) }).await.unwrap(), 3);
}

#[tokio::test]
async fn a_hung_loader_frees_all_its_waiters_at_load_timeout_and_the_key_with_them() {
    let clock = FakeClock::new();
    let cache = private_with(&clock, settings(|it| it.load_timeout = 10 * SECOND));
    let hung = std::future::pending::<Loaded<u32>>;
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { cache.get_or_load("k", MINUTE, hung).await })
        })
        .collect();
    settle().await;
    clock.advance(10 * SECOND - Duration::from_millis(1));
    settle().await;
    assert_eq!(cache.stats().loads.in_flight, 1, "not before its time");
    clock.advance(Duration::from_millis(1));
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
    }
    settle().await;
    assert_eq!((cache.stats().loads.in_flight, clock.sleepers()), (0, 0));
    clock.advance(SECOND);
    assert_eq!(*cache.get_or_load("k", MINUTE, || async { Loaded::Ok(3u32) }).await.unwrap(), 3);
}

#[tokio::test]
async fn a_hung_load_that_everybody_left_ends_at_load_timeout() {
    let clock = FakeClock::new();
    let cache = private(&clock);
    let canary = Arc::new(());
    let held = canary.clone();
    let hung = move || async move {
        std::future::pending::<()>().await;
        drop(held);
        Loaded::Ok(1u32)
    };
    let only = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_load("k", LoadOptions::ttl(MINUTE).load_timeout(SECOND), hung).await }
    });
    settle().await;
    only.abort();
    settle().await;
    assert_eq!(cache.stats().loads.in_flight, 1);
    clock.advance(SECOND);
    settle().await;
    assert_eq!((cache.stats().loads.in_flight, clock.sleepers(), Arc::strong_count(&canary)), (0, 0, 1));
}

#[tokio::test]
async fn the_callers_own_load_timeout_is_obeyed() {
    let clock = FakeClock::new();
    let cache = private(&clock);
    let options = LoadOptions::ttl(MINUTE).load_timeout(SECOND);
    let caller = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_load("k", options, std::future::pending::<Loaded<u32>>).await }
    });
    settle().await;
    clock.advance(SECOND);
    assert_eq!(caller.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loader_that_blocks_its_thread_frees_its_waiters_and_its_late_result_is_not_kept() {
    let clock = FakeClock::new();
    let cache = private_with(&clock, settings(|it| it.negative_window = Duration::ZERO));
    let (go_on, blocked) = mpsc::channel::<()>();
    let blocking = move || async move {
        blocked.recv().ok();
        Loaded::Ok("late".to_owned())
    };
    let caller = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_load("k", LoadOptions::ttl(MINUTE).load_timeout(SECOND), blocking).await }
    });
    eventually(10 * SECOND, "the waiter sleeps", || clock.sleepers() > 0).await.unwrap();
    clock.advance(SECOND);
    assert_eq!(caller.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
    let second = cache.get_or_load("k", MINUTE, || async { Loaded::Ok("new".to_owned()) }).await.unwrap();
    assert_eq!(*second, "new");
    go_on.send(()).unwrap();
    eventually(10 * SECOND, "the late result was refused", || cache.stats().loads.fenced == 1).await.unwrap();
    assert_eq!(*cache.get::<String>("k").await.unwrap().unwrap(), "new");
}

#[tokio::test]
async fn a_loader_that_asks_for_its_own_key_gets_an_error_not_a_hang() {
    let cache = private(&FakeClock::new());
    let inner = cache.clone();
    let asks_itself = move || async move {
        let value = inner.get_or_load("k", MINUTE, || async { Loaded::Ok(1u32) }).await?;
        Loaded::Ok(*value)
    };
    let error = cache.get_or_load("k", MINUTE, asks_itself).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Load);
    assert!(error.to_string().contains("asked for the key that it is loading"), "{error}");
}

#[tokio::test]
async fn a_loader_that_asks_for_its_own_key_through_another_gets_an_error_too() {
    let cache = private(&FakeClock::new());
    let (c1, c2) = (cache.clone(), cache.clone());
    let a_asks_b = move || async move {
        let b_asks_a = move || async move {
            let a = c2.get_or_load("a", MINUTE, || async { Loaded::Ok(1u32) }).await?;
            Loaded::Ok(*a)
        };
        let b = c1.get_or_load("b", MINUTE, b_asks_a).await?;
        Loaded::Ok(*b)
    };
    assert_eq!(cache.get_or_load("a", MINUTE, a_asks_b).await.unwrap_err().kind(), ErrorKind::Load);
}

#[tokio::test]
async fn a_loader_may_ask_for_other_keys_and_read_its_own() {
    let cache = private(&FakeClock::new());
    let inner = cache.clone();
    let loader = move || async move {
        assert_eq!(inner.get::<u32>("k").await?, None);
        let other = inner.get_or_load("other", MINUTE, || async { Loaded::Ok(20u32) }).await?;
        Loaded::Ok(*other + 1)
    };
    assert_eq!(*cache.get_or_load("k", MINUTE, loader).await.unwrap(), 21);
}

#[tokio::test]
async fn callers_with_different_error_types_share_one_load() {
    let cache = private(&FakeClock::new());
    let (stage, loader) = staged::<u32>();
    let a = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_load("k", MINUTE, loader).await }
    });
    let running = stage.started().await;
    let b = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_load("k", MINUTE, || async { Err::<u32, _>("never run") }).await }
    });
    settle().await;
    running.bring(4);
    assert_eq!(*a.await.unwrap().unwrap(), 4);
    assert_eq!(*b.await.unwrap().unwrap(), 4);
    assert_eq!(cache.stats().loads.started, 1);
}

#[tokio::test]
async fn a_waiter_that_wants_another_type_gets_its_own_load_in_the_end() {
    let cache = private(&FakeClock::new());
    let (stage, loader) = staged::<u32>();
    let a = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_load("k", MINUTE, loader).await }
    });
    let running = stage.started().await;
    let b = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_load("k", MINUTE, || async { Loaded::Ok(vec!["text".to_owned()]) }).await }
    });
    settle().await;
    running.bring(4);
    assert_eq!(*a.await.unwrap().unwrap(), 4);
    assert_eq!(*b.await.unwrap().unwrap(), ["text"]);
}

#[tokio::test]
async fn what_cannot_be_kept_is_answered_all_the_same() {
    let cache = private_with(&FakeClock::new(), settings(|it| it.limits.value = 100));
    let big = || async { Loaded::Ok("x".repeat(1000)) };
    assert_eq!(cache.get_or_load("k", MINUTE, big).await.unwrap().len(), 1000);
    assert_eq!(cache.get::<String>("k").await.unwrap(), None);
    let stats = cache.stats();
    assert_eq!((stats.loads.not_kept, stats.loads.in_flight), (1, 0));
}

#[tokio::test]
async fn a_loader_can_say_how_its_value_is_to_be_kept() {
    let clock = FakeClock::new();
    let cache = private(&clock);
    let brief = |scope: LoadScope| async move {
        scope.ttl(SECOND);
        Loaded::Ok(1u32)
    };
    cache.get_or_load("brief", MINUTE, brief).await.unwrap();
    assert_eq!(cache.ttl("brief").await.unwrap(), Some(SECOND));
    let unkept = |scope: LoadScope| async move {
        scope.do_not_store();
        Loaded::Ok(1u32)
    };
    cache.get_or_load("unkept", MINUTE, unkept).await.unwrap();
    assert!(!cache.exists("unkept").await.unwrap());
    let bad = |scope: LoadScope| async move {
        scope.ttl(Duration::ZERO);
        Loaded::Ok(1u32)
    };
    assert_eq!(cache.get_or_load("bad", MINUTE, bad).await.unwrap_err().kind(), ErrorKind::Validation);
}

#[test]
fn a_runtime_that_ends_mid_load_leaves_the_key_usable_on_another() {
    let cache = private(&FakeClock::new());
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    let first = runtime();
    let (stage, loader) = staged::<u32>();
    first.block_on(async {
        let cache = cache.clone();
        tokio::spawn(async move { cache.get_or_load("k", MINUTE, loader).await });
        stage.started().await
    });
    drop(first);
    let value = runtime().block_on(cache.get_or_load("k", MINUTE, || async { Loaded::Ok(2u32) }));
    assert_eq!(*value.unwrap(), 2);
}

#[test]
fn loading_without_a_runtime_is_an_error_and_not_a_panic() {
    let cache = private(&FakeClock::new());
    let future = cache.get_or_load("k", MINUTE, || async { Loaded::Ok(2u32) });
    let error = futures_util::FutureExt::now_or_never(future).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert_eq!(cache.stats().loads.in_flight, 0);
}

#[tokio::test]
async fn a_closed_cache_answers_with_an_error_and_frees_those_who_wait() {
    let cache = private(&FakeClock::new());
    cache.set("kept", &1, ()).await.unwrap();
    let (stage, loader) = staged::<u32>();
    let waiter = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_load("k", MINUTE, loader).await }
    });
    let running = stage.started().await;
    cache.close();
    running.bring(1);
    assert_eq!(*waiter.await.unwrap().unwrap(), 1, "it asked before");
    let closed =
        |result: Result<(), cache_tiered::Error>| assert_eq!(result.unwrap_err().kind(), ErrorKind::Closed);
    closed(cache.get::<u32>("kept").await.map(drop));
    closed(cache.set("kept", &1, ()).await);
    closed(cache.delete("kept").await);
    closed(cache.get_or_load("k", (), || async { Loaded::Ok(1u32) }).await.map(drop));
    closed(cache.get_many::<u32>(&["k"]).await.map(drop));
    assert_eq!(cache.stats().memory_usage.entries, 0);
}

#[tokio::test]
async fn a_batch_loads_each_missing_key_once_and_answers_in_order() {
    let cache = private(&FakeClock::new());
    cache.set("b", &20u32, ()).await.unwrap();
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = asked.clone();
    let loader = move |missing: Vec<String>| async move {
        log.lock().unwrap().extend(missing.iter().cloned());
        Loaded::Ok(missing.into_iter().filter(|key| key != "none").map(|key| (key, 1u32)).collect())
    };
    let got = cache.get_many_or_load(&["a", "b", "a", "none", "c"], MINUTE, loader).await.unwrap();
    let got: Vec<Option<u32>> = got.into_iter().map(|value| value.map(|it| *it)).collect();
    assert_eq!(got, [Some(1), Some(20), Some(1), None, Some(1)]);
    assert_eq!(*asked.lock().unwrap(), ["a", "none", "c"]);
    assert_eq!(cache.get::<u32>("c").await.unwrap().as_deref(), Some(&1));
    assert_eq!(cache.stats().loads.in_flight, 0);
}

#[tokio::test]
async fn a_batch_joins_loads_that_are_under_way_and_is_joined() {
    let cache = private(&FakeClock::new());
    let (stage, loader) = staged::<u32>();
    let single = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_load("a", MINUTE, loader).await }
    });
    let running = stage.started().await;
    let (go_on, wait) = tokio::sync::oneshot::channel::<()>();
    let batch = tokio::spawn({
        let cache = cache.clone();
        async move {
            let loader = move |missing: Vec<String>| async move {
                wait.await.ok();
                assert_eq!(missing, ["b"]);
                Loaded::Ok(missing.into_iter().map(|key| (key, 2u32)).collect())
            };
            cache.get_many_or_load(&["a", "b"], MINUTE, loader).await
        }
    });
    settle().await;
    let joiner = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_load("b", MINUTE, || async { Loaded::Ok(99u32) }).await }
    });
    settle().await;
    running.bring(1);
    go_on.send(()).unwrap();
    let values: Vec<u32> = batch.await.unwrap().unwrap().into_iter().map(|value| *value.unwrap()).collect();
    assert_eq!(values, [1, 2]);
    assert_eq!(*single.await.unwrap().unwrap(), 1);
    assert_eq!(*joiner.await.unwrap().unwrap(), 2);
}

#[tokio::test]
async fn a_failing_batch_fails_its_callers_and_frees_its_keys() {
    let clock = FakeClock::new();
    let cache = private(&clock);
    let failing = |_: Vec<String>| async { Err::<std::collections::HashMap<String, u32>, _>("down") };
    assert_eq!(cache.get_many_or_load(&["a", "b"], (), failing).await.unwrap_err().kind(), ErrorKind::Load);
    clock.advance(SECOND);
    assert_eq!(*cache.get_or_load("a", (), || async { Loaded::Ok(1u32) }).await.unwrap(), 1);
    let hung = |_: Vec<String>| std::future::pending::<Loaded<std::collections::HashMap<String, u32>>>();
    let caller = tokio::spawn({
        let cache = cache.clone();
        async move {
            cache.get_many_or_load(&["c", "d"], LoadOptions::ttl(MINUTE).load_timeout(SECOND), hung).await
        }
    });
    settle().await;
    clock.advance(SECOND);
    assert_eq!(caller.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
    settle().await;
    assert_eq!((cache.stats().loads.in_flight, clock.sleepers()), (0, 0));
}

#[tokio::test]
async fn a_refused_key_of_a_batch_does_not_harm_the_others() {
    let cache = private(&FakeClock::new());
    cache.get_or_load("bad", (), || async { Err::<u32, _>("down") }).await.unwrap_err();
    let loader = |missing: Vec<String>| async move {
        Loaded::Ok(missing.into_iter().map(|key| (key, 1u32)).collect())
    };
    assert!(cache.get_many_or_load(&["good", "bad"], (), loader).await.is_err());
    settle().await;
    assert_eq!(cache.get::<u32>("good").await.unwrap().as_deref(), Some(&1), "what was loaded is kept");
    assert_eq!(cache.stats().loads.in_flight, 0);
}

#[test]
fn public_futures_can_be_sent_to_another_thread() {
    fn sendable<T: Send>(_: T) {}
    fn check(cache: &Cache) {
        sendable(cache.get::<String>("k"));
        sendable(cache.get_with_receipt::<String>(String::from("k")));
        sendable(cache.set("k", "v", ()));
        sendable(cache.delete("k"));
        sendable(cache.expire("k"));
        sendable(cache.get_or_load("k", (), || async { Loaded::Ok(1u8) }));
        sendable(cache.get_many::<String>(&["k"]));
        sendable(cache.set_many(&[("k", 1)], ()));
        sendable(cache.delete_many(&["k"]));
        sendable(cache.invalidate_tag("t"));
        sendable(cache.clear());
        sendable(cache.health());
    }
    check(&private(&FakeClock::new()));
}

/// What is not to be kept answers those who waited for it, and nobody who comes later.
#[tokio::test]
async fn what_is_not_kept_is_joined_by_nobody_who_asks_after_its_end() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let cache = process(&clock, &server).cache;
    let remove = server.hold(Op::Remove);
    let unkept = |scope: LoadScope| async move {
        scope.do_not_store();
        Loaded::Ok(1u32)
    };
    assert_eq!(*cache.get_or_load("k", MINUTE, unkept).await.unwrap(), 1);
    remove.reached().await;
    let next = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_load("k", MINUTE, || async { Loaded::Ok(2u32) }).await.map(|it| *it) }
    });
    settle().await;
    remove.release();
    assert_eq!(next.await.unwrap().unwrap(), 2);
}
