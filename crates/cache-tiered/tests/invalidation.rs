//! What is invalidated stays gone: whatever was being read or loaded, on every path that fills, in both tiers.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::HashMap;
use std::sync::Arc;

use cache_codec::Opened;
use cache_core::{Namespace, Ttl};
use cache_testkit::{FakeClock, Op, ReferenceServer, settle};
use cache_tiered::{Cache, ErrorKind, LoadOptions, LoadScope, Loaded, SetOptions, Status, Tier};
use common::{MINUTE, Process, Runs, SECOND, Staged, pass, private, process, process_with, staged};

type Step = (&'static str, fn(Cache) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>);

/// Everything that makes the value of `k`, which has the tag `t`, void.
const VOIDING: [Step; 5] = [
    ("delete", |cache| Box::pin(async move { cache.delete("k").await.unwrap() })),
    ("expire", |cache| Box::pin(async move { cache.expire("k").await.unwrap() })),
    ("invalidate_tag", |cache| Box::pin(async move { cache.invalidate_tag("t").await.unwrap() })),
    ("clear", |cache| Box::pin(async move { cache.clear().await.unwrap() })),
    ("delete_many", |cache| {
        Box::pin(async move { cache.delete_many(&["k"]).await.unwrap().into_result().unwrap() })
    }),
];

fn spawn_load(
    cache: &Cache,
    options: LoadOptions,
    loader: impl FnOnce() -> Staged<String> + Send + 'static,
) -> tokio::task::JoinHandle<Result<Arc<String>, cache_tiered::Error>> {
    let cache = cache.clone();
    tokio::spawn(async move { cache.get_or_load("k", options, loader).await })
}

type Setup = (&'static str, Arc<FakeClock>, Cache, Option<Arc<ReferenceServer>>);

/// The set-ups that every fence must hold in: memory alone, a store, a store without claims.
fn setups() -> Vec<Setup> {
    let mut all = Vec::new();
    let clock = FakeClock::new();
    all.push(("memory", clock.clone(), private(&clock), None));
    for (name, claims) in [("store", true), ("store without claims", false)] {
        let clock = FakeClock::new();
        let server = if claims {
            ReferenceServer::new(clock.clone())
        } else {
            ReferenceServer::builder(clock.clone()).without_claims().build()
        };
        all.push((name, clock.clone(), process(&clock, &server).cache, Some(server)));
    }
    all
}

fn stored_value(server: &Option<Arc<ReferenceServer>>) -> Option<String> {
    let stored = server.as_ref()?.raw_get("test:k")?;
    let key = Namespace::new("test").unwrap().key("k").unwrap();
    match cache_codec::open(&stored.bytes, &key, &Default::default()).unwrap() {
        Opened::Value(_, payload) => Some(cache_codec::decode(&payload).unwrap()),
        Opened::Lease(_) => None,
    }
}

#[tokio::test]
async fn an_invalidation_during_a_load_keeps_the_loaded_value_out_of_both_tiers() {
    for (step, void) in VOIDING {
        for (setup, _, cache, server) in setups() {
            let (stage, loader) = staged();
            let load = spawn_load(&cache, LoadOptions::ttl(MINUTE).tag("t"), loader);
            let running = stage.started().await;
            void(cache.clone()).await;
            running.bring("old".to_owned());
            assert_eq!(*load.await.unwrap().unwrap(), "old", "who asked before gets it");
            settle().await;
            assert_eq!(cache.get::<String>("k").await.unwrap(), None, "{step} in {setup}");
            if step != "invalidate_tag" && step != "clear" {
                assert_eq!(stored_value(&server), None, "{step} in {setup}");
            }
            let new =
                cache.get_or_load("k", MINUTE, || async { Loaded::Ok("new".to_owned()) }).await.unwrap();
            assert_eq!(*new, "new", "{step} in {setup}");
            settle().await;
            assert_eq!(*cache.get::<String>("k").await.unwrap().unwrap(), "new", "{step} in {setup}");
        }
    }
}

#[tokio::test]
async fn an_invalidation_during_a_background_refresh_keeps_the_refreshed_value_out() {
    for (step, void) in VOIDING {
        for (setup, clock, cache, _) in setups() {
            let options = LoadOptions::ttl(MINUTE).stale_for(10 * MINUTE).tag("t");
            cache.set("k", "first", options.entry.clone()).await.unwrap();
            clock.advance(2 * MINUTE);
            let (stage, loader) = staged();
            let stale = cache.get_or_load("k", options, loader).await.unwrap();
            assert_eq!(*stale, "first");
            let running = stage.started().await;
            void(cache.clone()).await;
            running.bring("second".to_owned());
            settle().await;
            assert_eq!(cache.get::<String>("k").await.unwrap(), None, "{step} in {setup}");
        }
    }
}

#[tokio::test]
async fn an_invalidation_during_a_batch_load_keeps_its_values_out() {
    for (step, void) in VOIDING {
        for (setup, _, cache, _) in setups() {
            let (go_on, wait) = tokio::sync::oneshot::channel::<()>();
            let batch = tokio::spawn({
                let cache = cache.clone();
                async move {
                    let loader = move |missing: Vec<String>| async move {
                        wait.await.ok();
                        Loaded::Ok(missing.into_iter().map(|key| (key, "old".to_owned())).collect())
                    };
                    cache.get_many_or_load(&["k", "other"], LoadOptions::ttl(MINUTE).tag("t"), loader).await
                }
            });
            settle().await;
            void(cache.clone()).await;
            go_on.send(()).unwrap();
            batch.await.unwrap().unwrap();
            settle().await;
            assert_eq!(cache.get::<String>("k").await.unwrap(), None, "{step} in {setup}");
        }
    }
}

#[tokio::test]
async fn a_tag_that_the_loader_names_only_afterwards_is_invalidated_all_the_same() {
    for (setup, _, cache, _) in setups() {
        let (go_on, wait) = tokio::sync::oneshot::channel::<()>();
        let load = tokio::spawn({
            let cache = cache.clone();
            async move {
                let loader = move |scope: LoadScope| async move {
                    wait.await.ok();
                    scope.tag("late");
                    Loaded::Ok(1u32)
                };
                cache.get_or_load("k", MINUTE, loader).await
            }
        });
        settle().await;
        cache.invalidate_tag("late").await.unwrap();
        go_on.send(()).unwrap();
        load.await.unwrap().unwrap();
        settle().await;
        assert_eq!(cache.get::<u32>("k").await.unwrap(), None, "{setup}");
    }
}

#[tokio::test]
async fn who_asks_after_an_invalidation_does_not_get_the_load_from_before_it() {
    for (step, void) in VOIDING {
        for (setup, _, cache, _) in setups() {
            let (stage, loader) = staged();
            let before = spawn_load(&cache, LoadOptions::ttl(MINUTE).tag("t"), loader);
            let running = stage.started().await;
            void(cache.clone()).await;
            let after = tokio::spawn({
                let cache = cache.clone();
                async move { cache.get_or_load("k", MINUTE, || async { Loaded::Ok("new".to_owned()) }).await }
            });
            settle().await;
            running.bring("old".to_owned());
            assert_eq!(*before.await.unwrap().unwrap(), "old");
            assert_eq!(*after.await.unwrap().unwrap(), "new", "{step} in {setup}");
        }
    }
}

#[tokio::test]
async fn a_second_invalidation_fences_a_load_that_the_first_one_detached() {
    let cache = private(&FakeClock::new());
    let (stage, loader) = staged();
    let first = spawn_load(&cache, LoadOptions::ttl(MINUTE), loader);
    let first_running = stage.started().await;
    cache.delete("k").await.unwrap();
    let (stage, loader) = staged();
    let second = spawn_load(&cache, LoadOptions::ttl(MINUTE), loader);
    let second_running = stage.started().await;
    cache.delete("k").await.unwrap();
    second_running.bring("second".to_owned());
    second.await.unwrap().unwrap();
    first_running.bring("first".to_owned());
    first.await.unwrap().unwrap();
    assert_eq!(cache.get::<String>("k").await.unwrap(), None);
    assert_eq!(cache.stats().loads.fenced, 2);
}

#[tokio::test]
async fn a_write_during_a_load_is_newer_and_wins() {
    for (setup, _, cache, server) in setups() {
        let (stage, loader) = staged();
        let load = spawn_load(&cache, LoadOptions::ttl(MINUTE), loader);
        let running = stage.started().await;
        cache.set("k", "written", MINUTE).await.unwrap();
        running.bring("loaded".to_owned());
        load.await.unwrap().unwrap();
        settle().await;
        assert_eq!(*cache.get::<String>("k").await.unwrap().unwrap(), "written", "{setup}");
        if server.is_some() {
            assert_eq!(stored_value(&server).as_deref(), Some("written"), "{setup}");
        }
    }
}

#[tokio::test]
async fn other_keys_of_the_same_stripe_do_not_keep_a_loaded_value_out() {
    // Tokens guard stripes that keys share; a load must not lose its value because of its neighbours.
    let clock = FakeClock::new();
    let tier = common::Meddled::new(&clock);
    let namespace = Namespace::new("test").unwrap();
    let cache = Cache::builder(namespace).local(tier.clone()).timer(clock).build().unwrap();
    tier.busy.store(3, std::sync::atomic::Ordering::SeqCst);
    cache.get_or_load("k", MINUTE, || async { Loaded::Ok("loaded".to_owned()) }).await.unwrap();
    assert_eq!(*cache.get::<String>("k").await.unwrap().unwrap(), "loaded");
}

#[tokio::test]
async fn a_tier_2_read_that_is_overtaken_by_an_invalidation_does_not_fill_tier_1() {
    for (step, void) in VOIDING {
        let clock = FakeClock::new();
        let server = ReferenceServer::new(clock.clone());
        let (here, there) = (process(&clock, &server), process(&clock, &server));
        there.cache.set("k", "old", SetOptions::ttl(MINUTE).tag("t")).await.unwrap();
        let gate = here.link.hold_reply(Op::Get);
        let read = tokio::spawn({
            let cache = here.cache.clone();
            async move { cache.get::<String>("k").await }
        });
        gate.reached().await;
        void(here.cache.clone()).await;
        gate.release();
        read.await.unwrap().unwrap();
        assert_eq!(here.cache.get::<String>("k").await.unwrap(), None, "{step}");
    }
}

#[tokio::test]
async fn a_push_that_comes_before_the_fill_of_an_older_reply_keeps_that_reply_out_of_tier_1() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (here, there) = (process(&clock, &server), process(&clock, &server));
    there.cache.set("k", "old", MINUTE).await.unwrap();
    let gate = here.link.hold_reply(Op::Get);
    let read = tokio::spawn({
        let cache = here.cache.clone();
        async move { cache.get::<String>("k").await }
    });
    gate.reached().await;
    there.cache.set("k", "new", MINUTE).await.unwrap();
    gate.release();
    read.await.unwrap().unwrap();
    assert_eq!(*here.cache.get::<String>("k").await.unwrap().unwrap(), "new");
}

#[tokio::test]
async fn who_reads_after_an_invalidation_does_not_get_what_was_read_before_it() {
    for (step, void) in VOIDING {
        let clock = FakeClock::new();
        let server = ReferenceServer::new(clock.clone());
        let Process { cache, link, .. } = process(&clock, &server);
        let options = SetOptions::ttl(MINUTE).tag("t");
        process(&clock, &server).cache.set("k", "old", options).await.unwrap();
        let gate = link.hold_reply(Op::Get);
        let before = tokio::spawn({
            let cache = cache.clone();
            async move { cache.get::<String>("k").await }
        });
        gate.reached().await;
        void(cache.clone()).await;
        let after = tokio::spawn({
            let cache = cache.clone();
            async move { cache.get::<String>("k").await }
        });
        settle().await;
        gate.release();
        before.await.unwrap().unwrap();
        assert_eq!(after.await.unwrap().unwrap(), None, "{step}");
        assert_eq!(cache.get::<String>("k").await.unwrap(), None, "{step}");
    }
}

/// The leader of a read has judged what it read, and its waiter has not been polled yet when the tag is invalidated.
#[tokio::test]
async fn what_a_readers_leader_judged_before_an_invalidation_is_judged_again() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let Process { cache, link, .. } = process(&clock, &server);
    // The tag is one that this process knows of, so that the leader judges without asking.
    cache.invalidate_tag("t").await.unwrap();
    process(&clock, &server).cache.set("k", "old", SetOptions::ttl(MINUTE).tag("t")).await.unwrap();
    let gate = link.hold_reply(Op::Get);
    let mut leader = Box::pin(cache.get::<String>("k"));
    while !gate.is_reached() {
        assert!(futures_util::poll!(&mut leader).is_pending());
    }
    let mut waiter = Box::pin(cache.get::<String>("k"));
    assert!(futures_util::poll!(&mut waiter).is_pending());
    gate.release();
    leader.await.unwrap();
    cache.invalidate_tag("t").await.unwrap();
    assert_eq!(waiter.await.unwrap(), None);
}

#[tokio::test]
async fn an_older_tier_2_read_never_overwrites_a_newer_local_write() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let Process { cache, link, .. } = process(&clock, &server);
    process(&clock, &server).cache.set("k", "old", MINUTE).await.unwrap();
    let gate = link.hold_reply(Op::Get);
    let read = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get::<String>("k").await }
    });
    gate.reached().await;
    cache.set("k", "new", MINUTE).await.unwrap();
    gate.release();
    read.await.unwrap().unwrap();
    assert_eq!(*cache.get::<String>("k").await.unwrap().unwrap(), "new");
}

#[tokio::test]
async fn two_writes_that_cross_leave_tier_1_with_what_the_store_has() {
    // The first is held before it takes effect, so the store takes it last; or its reply is, so the store took it first.
    for (held_before, last) in [(true, "first"), (false, "second")] {
        let clock = FakeClock::new();
        let server = ReferenceServer::new(clock.clone());
        let Process { cache, link, .. } = process(&clock, &server);
        let gate = if held_before { link.hold(Op::Put) } else { link.hold_reply(Op::Put) };
        let first = tokio::spawn({
            let cache = cache.clone();
            async move { cache.set("k", "first", MINUTE).await }
        });
        gate.reached().await;
        cache.set("k", "second", MINUTE).await.unwrap();
        gate.release();
        first.await.unwrap().unwrap();
        assert_eq!(*cache.get::<String>("k").await.unwrap().unwrap(), last);
        assert_eq!(stored_value(&Some(server)).as_deref(), Some(last));
    }
}

#[tokio::test]
async fn what_another_process_changes_is_seen_here() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (here, there) = (process(&clock, &server), process(&clock, &server));
    let value = |cache: &Cache| {
        let cache = cache.clone();
        async move { cache.get::<String>("k").await.unwrap().map(|value| (*value).clone()) }
    };
    here.cache.set("k", "one", SetOptions::ttl(MINUTE).tag("t")).await.unwrap();
    assert_eq!(value(&there.cache).await.as_deref(), Some("one"));
    there.cache.set("k", "two", SetOptions::ttl(MINUTE).tag("t")).await.unwrap();
    assert_eq!(value(&here.cache).await.as_deref(), Some("two"));
    assert_eq!(value(&there.cache).await.as_deref(), Some("two"));
    here.cache.invalidate_tag("t").await.unwrap();
    assert_eq!(value(&there.cache).await, None);
    there.cache.set("k", "three", MINUTE).await.unwrap();
    assert_eq!(value(&here.cache).await.as_deref(), Some("three"));
    there.cache.clear().await.unwrap();
    assert_eq!(value(&here.cache).await, None);
    there.cache.set("k", "four", MINUTE).await.unwrap();
    assert_eq!(value(&here.cache).await.as_deref(), Some("four"));
    there.cache.delete("k").await.unwrap();
    assert_eq!(value(&here.cache).await, None);
    there.cache.set("k", "five", SetOptions::ttl(MINUTE).stale_for(MINUTE)).await.unwrap();
    assert_eq!(value(&here.cache).await.as_deref(), Some("five"));
    there.cache.expire("k").await.unwrap();
    assert_eq!(value(&here.cache).await, None);
}

#[tokio::test]
async fn a_plain_delete_by_anybody_kills_the_lease_of_a_load() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let Process { cache, .. } = process(&clock, &server);
    let (stage, loader) = staged();
    let load = spawn_load(&cache, LoadOptions::ttl(MINUTE), loader);
    let running = stage.started().await;
    assert!(server.raw_del("test:k"), "the lease stands under the key itself");
    running.bring("old".to_owned());
    load.await.unwrap().unwrap();
    settle().await;
    assert_eq!(server.raw_get("test:k"), None);
    assert_eq!(cache.get::<String>("k").await.unwrap(), None);
}

#[tokio::test]
async fn one_process_of_several_loads_and_the_others_get_its_value() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (here, there) = (process(&clock, &server), process(&clock, &server));
    let (stage, loader) = staged();
    let first = spawn_load(&here.cache, LoadOptions::ttl(MINUTE), loader);
    let running = stage.started().await;
    let runs = Runs::default();
    let second = tokio::spawn({
        let (cache, runs) = (there.cache.clone(), runs.clone());
        async move { cache.get_or_load("k", MINUTE, runs.loader("second".to_owned())).await }
    });
    settle().await;
    assert!(!there.cache.exists("k").await.unwrap(), "a lease is no value");
    let (_, receipt) = there.cache.get_with_receipt::<String>("k").await.unwrap();
    assert_eq!(receipt.status, Status::Loading);
    running.bring("first".to_owned());
    assert_eq!(*first.await.unwrap().unwrap(), "first");
    assert_eq!(*second.await.unwrap().unwrap(), "first");
    assert_eq!(runs.count(), 0);
}

#[tokio::test]
async fn a_lease_whose_owner_died_runs_out_and_one_other_loads() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let dead = {
        let key = Namespace::new("test").unwrap().key("k").unwrap();
        cache_codec::lease(cache_core::VersionSource::new().lease(), &key)
    };
    server.raw_set("test:k", dead, Some(5 * SECOND));
    let processes: Vec<Process> = (0..3).map(|_| process(&clock, &server)).collect();
    let runs = Runs::default();
    let callers: Vec<_> = processes
        .iter()
        .map(|it| {
            let (cache, runs) = (it.cache.clone(), runs.clone());
            tokio::spawn(async move { cache.get_or_load("k", MINUTE, runs.loader(8u32)).await })
        })
        .collect();
    for _ in 0..60 {
        settle().await;
        clock.advance(SECOND / 10);
    }
    for caller in callers {
        assert_eq!(*caller.await.unwrap().unwrap(), 8);
    }
    assert_eq!(runs.count(), 1);
}

#[tokio::test]
async fn a_lease_is_prolonged_while_its_owner_loads() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let Process { cache, .. } = process(&clock, &server);
    let (stage, loader) = staged();
    let load = spawn_load(&cache, LoadOptions::ttl(MINUTE), loader);
    let running = stage.started().await;
    for _ in 0..20 {
        clock.advance(SECOND);
        settle().await;
    }
    assert!(server.raw_get("test:k").is_some(), "the lease lives longer than its first five seconds");
    running.bring("slow".to_owned());
    assert_eq!(*load.await.unwrap().unwrap(), "slow");
    settle().await;
    assert_eq!(stored_value(&Some(server)).as_deref(), Some("slow"));
}

#[tokio::test]
async fn a_failed_load_gives_its_lease_back() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let Process { cache, .. } = process(&clock, &server);
    for failing in 0..3 {
        let options = LoadOptions::ttl(MINUTE).load_timeout(SECOND);
        let caller = tokio::spawn({
            let cache = cache.clone();
            async move {
                let loader = move || async move {
                    match failing {
                        0 => Err("down"),
                        1 => panic!("on purpose"),
                        _ => std::future::pending::<Result<u32, &str>>().await,
                    }
                };
                cache.get_or_load("k", options, loader).await
            }
        });
        settle().await;
        clock.advance(SECOND);
        caller.await.unwrap().unwrap_err();
        settle().await;
        assert_eq!(server.raw_get("test:k"), None, "{failing}");
        clock.advance(2 * SECOND);
    }
}

#[tokio::test]
async fn lost_marks_void_everything_that_was_stored_under_them() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (here, there) = (process(&clock, &server), process(&clock, &server));
    here.cache.set("k", "value", SetOptions::ttl(MINUTE).tag("t")).await.unwrap();
    here.cache.invalidate_tag("t").await.unwrap();
    server.lose_marks();
    assert_eq!(
        there.cache.get::<String>("k").await.unwrap(),
        None,
        "what was voided does not come back to life"
    );
    there.cache.set("k", "new", SetOptions::ttl(MINUTE).tag("t")).await.unwrap();
    assert_eq!(*there.cache.get::<String>("k").await.unwrap().unwrap(), "new");
}

#[tokio::test]
async fn clear_of_one_namespace_leaves_those_whose_names_begin_alike() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let named = |name: &str| {
        Cache::builder(Namespace::new(name).unwrap())
            .local(common::tier(&clock))
            .store(Arc::new(server.connect()))
            .timer(clock.clone())
            .build()
            .unwrap()
    };
    let (users, users_abc) = (named("users"), named("usersAbc"));
    users.set("k", &1u32, MINUTE).await.unwrap();
    users_abc.set("k", &2u32, MINUTE).await.unwrap();
    users.clear().await.unwrap();
    assert_eq!(users.get::<u32>("k").await.unwrap(), None);
    assert_eq!(users_abc.get::<u32>("k").await.unwrap().as_deref(), Some(&2));
}

#[tokio::test]
async fn a_delete_that_the_store_did_not_hear_is_an_error_and_is_done_here() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let Process { cache, link, .. } = process(&clock, &server);
    cache.set("k", "value", SetOptions::ttl(MINUTE).tag("t")).await.unwrap();
    link.fail_next(Op::Remove, 1, ErrorKind::Unavailable);
    assert_eq!(cache.delete("k").await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(cache.stats().memory_usage.entries, 0);
    cache.set("k", "value", SetOptions::ttl(MINUTE).tag("t")).await.unwrap();
    link.fail_next(Op::BumpMark, 1, ErrorKind::Unavailable);
    assert!(cache.invalidate_tag("t").await.unwrap_err().is_infrastructure());
    assert_eq!(cache.stats().memory_usage.entries, 0);
}

#[tokio::test]
async fn a_clear_whose_answer_came_too_late_voids_nothing_that_is_written_afterwards() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (here, there) = (process(&clock, &server), process(&clock, &server));
    here.cache.set("k", "old", MINUTE).await.unwrap();
    let gate = here.link.hold_reply(Op::BumpMark);
    let clear = tokio::spawn({
        let cache = here.cache.clone();
        async move { cache.clear().await }
    });
    gate.reached().await;
    clock.advance(here.cache.settings().store_timeout);
    assert!(clear.await.unwrap().unwrap_err().is_queued(), "nobody knows whether it came");
    gate.release();
    assert_eq!(here.cache.get::<String>("k").await.unwrap(), None);
    settle().await;
    assert_eq!(here.cache.stats().queue.waiting, 0, "so it was made again");
    here.cache.set("k", "new", MINUTE).await.unwrap();
    assert_eq!(*there.cache.get::<String>("k").await.unwrap().unwrap(), "new");
}

#[tokio::test]
async fn tags_on_a_store_without_marks_are_refused_before_anything_is_done() {
    let clock = FakeClock::new();
    let server = ReferenceServer::builder(clock.clone()).without_marks().build();
    let Process { cache, .. } = process(&clock, &server);
    let tagged = SetOptions::ttl(MINUTE).tag("t");
    assert_eq!(cache.set("k", "v", tagged.clone()).await.unwrap_err().kind(), ErrorKind::Unsupported);
    let load = cache.get_or_load("k", tagged, || async { Loaded::Ok(1u8) }).await;
    assert_eq!(load.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(cache.invalidate_tag("t").await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(cache.clear().await.unwrap_err().kind(), ErrorKind::Unsupported);
    cache.set("k", "v", MINUTE).await.unwrap();
    assert_eq!(*cache.get::<String>("k").await.unwrap().unwrap(), "v");
}

#[tokio::test]
async fn without_a_feed_marks_are_read_with_the_value() {
    let clock = FakeClock::new();
    let server = ReferenceServer::builder(clock.clone()).feed(cache_core::Feed::None).build();
    let (here, there) = (process(&clock, &server), process(&clock, &server));
    let tagged = SetOptions::ttl(MINUTE).tag("t");
    there.cache.set("k", "value", tagged).await.unwrap();
    here.cache.invalidate_tag("t").await.unwrap();
    assert_eq!(here.cache.get::<String>("k").await.unwrap(), None);
    let fresh_process = process(&clock, &server);
    assert_eq!(fresh_process.cache.get::<String>("k").await.unwrap(), None);
}

#[tokio::test]
async fn a_refresh_does_not_overwrite_what_another_process_wrote_meanwhile() {
    for feed in [cache_core::Feed::Tracking, cache_core::Feed::None] {
        let clock = FakeClock::new();
        let server = ReferenceServer::builder(clock.clone()).feed(feed).build();
        let (here, there) = (process(&clock, &server), process(&clock, &server));
        let options = LoadOptions::ttl(MINUTE).stale_for(10 * MINUTE);
        here.cache.set("k", "first", options.entry.clone()).await.unwrap();
        clock.advance(2 * MINUTE);
        let (stage, loader) = staged();
        assert_eq!(*here.cache.get_or_load("k", options, loader).await.unwrap(), "first");
        let running = stage.started().await;
        there.cache.set("k", "written", MINUTE).await.unwrap();
        running.bring("refreshed".to_owned());
        settle().await;
        assert_eq!(stored_value(&Some(server)).as_deref(), Some("written"), "{feed:?}");
        assert_eq!(*here.cache.get::<String>("k").await.unwrap().unwrap(), "written", "{feed:?}");
    }
}

#[tokio::test]
async fn a_batch_of_keys_that_another_process_loads_does_not_wait_for_it() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (here, there) = (process(&clock, &server), process(&clock, &server));
    let (stage, loader) = staged();
    let slow = spawn_load(&here.cache, LoadOptions::ttl(MINUTE), loader);
    let running = stage.started().await;
    let loader = |missing: Vec<String>| async move {
        Loaded::Ok(missing.into_iter().map(|key| (key, "batch".to_owned())).collect::<HashMap<_, _>>())
    };
    let got = there.cache.get_many_or_load(&["k", "other"], MINUTE, loader).await.unwrap();
    assert_eq!(
        got.into_iter().map(|value| (*value.unwrap()).clone()).collect::<Vec<_>>(),
        ["batch", "batch"]
    );
    running.bring("slow".to_owned());
    slow.await.unwrap().unwrap();
    settle().await;
    assert_eq!(stored_value(&Some(server)).as_deref(), Some("slow"));
    assert_eq!(*there.cache.get::<String>("k").await.unwrap().unwrap(), "slow");
}

#[tokio::test]
async fn the_stores_failure_degrades_reads_and_loads_unless_the_settings_say_fail() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let Process { cache, link, .. } = process(&clock, &server);
    link.disconnect();
    assert_eq!(cache.get::<u32>("k").await.unwrap(), None);
    let (_, receipt) = cache.get_with_receipt::<u32>("k").await.unwrap();
    assert_eq!(receipt.status, Status::StoreUnavailable);
    assert_eq!(*cache.get_or_load("k", MINUTE, || async { Loaded::Ok(1u32) }).await.unwrap(), 1);
    settle().await;
    assert_eq!(cache.get::<u32>("k").await.unwrap().as_deref(), Some(&1), "kept here meanwhile");
    cache.set("w", &2u32, MINUTE).await.unwrap();
    assert_eq!(cache.get::<u32>("w").await.unwrap().as_deref(), Some(&2));
    assert!(cache.stats().store_errors > 0, "an outage is not hidden");

    let mut settings = cache_tiered::Settings::default();
    settings.on_store_error = cache_tiered::OnStoreError::Fail;
    let strict = process_with(&clock, &server, settings);
    strict.link.disconnect();
    assert!(strict.cache.get::<u32>("k").await.unwrap_err().is_infrastructure());
    assert!(strict.cache.set("k", &1u32, ()).await.unwrap_err().is_infrastructure());
}

#[tokio::test]
async fn a_store_that_does_not_answer_costs_its_time_bound_and_no_more() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let Process { cache, link, .. } = process(&clock, &server);
    let gate = link.hold(Op::Get);
    let read = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get::<u32>("k").await }
    });
    gate.reached().await;
    clock.advance(cache.settings().store_timeout);
    assert_eq!(read.await.unwrap().unwrap(), None);
    assert_eq!((cache.stats().store_errors, cache.stats().reads.in_flight), (1, 0));
    gate.release();
}

#[test]
fn a_ttl_of_the_widest_range_fits_the_envelope() {
    assert_eq!(Ttl::MAX.plus(Ttl::MAX.as_duration()), Ttl::MAX);
}

#[tokio::test]
async fn what_the_store_could_not_take_is_voided_by_its_tag_and_says_that_it_is_unsynced() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let Process { cache, link, .. } = process(&clock, &server);
    let tagged = SetOptions::ttl(100 * MINUTE).tag("t");
    cache.set("warm", &0u32, tagged.clone()).await.unwrap();
    // The store takes the mark and not the value.
    link.fail_next(Op::Put, 2, ErrorKind::Unavailable);
    cache.set("k", &1u32, tagged.clone()).await.unwrap();
    assert_eq!(cache.get::<u32>("k").await.unwrap().as_deref(), Some(&1));
    cache.invalidate_tag("t").await.unwrap();
    assert_eq!(cache.get::<u32>("k").await.unwrap(), None);
    settle().await;
    for loaded in [false, true] {
        link.disconnect();
        if loaded {
            cache.get_or_load("k", tagged.clone(), || async { Loaded::Ok(1u32) }).await.unwrap();
            settle().await;
        } else {
            cache.set("k", &1u32, tagged.clone()).await.unwrap();
        }
        let (value, receipt) = cache.get_with_receipt::<u32>("k").await.unwrap();
        assert_eq!((value.as_deref(), receipt.coherence), (Some(&1), cache_tiered::Coherence::Unsynced));
        assert!(cache.invalidate_tag("t").await.unwrap_err().is_queued());
        assert_eq!(cache.get::<u32>("k").await.unwrap(), None, "loaded: {loaded}");
        cache.set("k", &1u32, tagged.clone()).await.unwrap();
        clock.advance(MINUTE - std::time::Duration::from_nanos(1));
        assert_eq!(cache.get::<u32>("k").await.unwrap().as_deref(), Some(&1));
        clock.advance(std::time::Duration::from_nanos(1));
        assert_eq!(cache.get::<u32>("k").await.unwrap(), None, "it stays for a minute at most");
        link.reconnect();
        settle().await;
    }
}

#[tokio::test]
async fn a_load_whose_write_timed_out_is_not_kept_if_its_tag_was_invalidated_meanwhile() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let Process { cache, link, .. } = process(&clock, &server);
    let tagged = LoadOptions::ttl(MINUTE).tag("t");
    let gate = link.hold(Op::Put);
    cache.get_or_load("k", tagged.clone(), || async { Loaded::Ok(1u32) }).await.unwrap();
    gate.reached().await;
    cache.invalidate_tag("t").await.unwrap();
    let reads = server.calls(Op::Get);
    let second = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_load("k", tagged, || async { Loaded::Ok(2u32) }).await }
    });
    settle().await;
    assert!(server.calls(Op::Get) - reads < 5, "it does not ask again and again");
    clock.advance(cache.settings().store_timeout);
    settle().await;
    clock.advance(SECOND / 10);
    assert_eq!(*second.await.unwrap().unwrap(), 2, "as soon as the first has given its lease back");
}

#[tokio::test]
async fn what_is_read_while_an_own_write_is_under_way_does_not_outlive_it() {
    type Write = fn(Cache) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
    let writes: [(&str, Op, Write); 3] = [
        ("delete", Op::Remove, |cache| Box::pin(async move { cache.delete("k").await.unwrap() })),
        ("set", Op::Put, |cache| Box::pin(async move { cache.set("k", "mine", MINUTE).await.unwrap() })),
        ("expire", Op::Remove, |cache| Box::pin(async move { cache.expire("k").await.unwrap() })),
    ];
    for (name, op, write) in writes {
        for drop_it in [false, true] {
            let clock = FakeClock::new();
            let server = ReferenceServer::new(clock.clone());
            let (here, there) = (process(&clock, &server), process(&clock, &server));
            there.cache.set("k", "old", MINUTE).await.unwrap();
            let before = here.link.hold(op);
            let writing = tokio::spawn(write(here.cache.clone()));
            before.reached().await;
            here.cache.get::<String>("k").await.unwrap();
            let after = here.link.hold_reply(op);
            before.release();
            after.reached().await;
            if drop_it {
                writing.abort();
                settle().await;
            }
            there.cache.delete("k").await.unwrap();
            assert_eq!(here.cache.get::<String>("k").await.unwrap(), None, "{name}, dropped: {drop_it}");
            after.release();
            settle().await;
            assert_eq!(here.cache.get::<String>("k").await.unwrap(), None, "{name}, dropped: {drop_it}");
        }
    }
}

#[tokio::test]
async fn a_read_that_nobody_polls_holds_up_others_for_no_longer_than_the_store_may() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let Process { cache, link, .. } = process(&clock, &server);
    process(&clock, &server).cache.set("k", &5u32, MINUTE).await.unwrap();
    let gate = link.hold_reply(Op::Get);
    let mut held = Box::pin(cache.get::<u32>("k"));
    assert!(futures_util::poll!(&mut held).is_pending());
    while !gate.is_reached() {
        assert!(futures_util::poll!(&mut held).is_pending());
    }
    gate.release();
    // Whoever asks later has time left when the other's is over.
    let bound = cache.settings().store_timeout;
    clock.advance(bound / 5);
    let other = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get::<u32>("k").await }
    });
    settle().await;
    clock.advance(bound * 4 / 5);
    settle().await;
    assert!(other.is_finished());
    assert_eq!(other.await.unwrap().unwrap().as_deref(), Some(&5));
    drop(held);
}

#[tokio::test]
async fn a_callers_own_load_answers_him_whatever_became_of_the_marks() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (here, there) = (process(&clock, &server), process(&clock, &server));
    here.cache.set("warm", &0u32, SetOptions::ttl(MINUTE).tag("t")).await.unwrap();
    let (stage, loader) = staged();
    let load = spawn_load(&here.cache, LoadOptions::ttl(MINUTE).tag("t"), loader);
    let running = stage.started().await;
    server.lose_marks();
    there.cache.invalidate_tag("t").await.unwrap();
    running.bring("mine".to_owned());
    assert_eq!(*load.await.unwrap().unwrap(), "mine");
    settle().await;
    assert_eq!(here.cache.get::<String>("k").await.unwrap(), None, "and is not kept");
}

#[tokio::test]
async fn a_batch_that_meets_a_load_from_before_an_invalidation_loads_the_key_itself() {
    for keys in [&["k"][..], &["k", "other"]] {
        for (setup, _, cache, _) in setups() {
            let (stage, loader) = staged();
            let first = spawn_load(&cache, LoadOptions::ttl(MINUTE).tag("t"), loader);
            let running = stage.started().await;
            cache.invalidate_tag("t").await.unwrap();
            let batch = tokio::spawn({
                let cache = cache.clone();
                async move {
                    let loader = |missing: Vec<String>| async move {
                        Loaded::Ok(missing.into_iter().map(|key| (key, "new".to_owned())).collect())
                    };
                    cache.get_many_or_load(keys, MINUTE, loader).await
                }
            });
            settle().await;
            running.bring("old".to_owned());
            first.await.unwrap().unwrap();
            let values = batch.await.unwrap().unwrap();
            assert!(values.into_iter().all(|value| *value.unwrap() == "new"), "{setup}");
            settle().await;
            assert_eq!(cache.stats().loads.in_flight, 0);
        }
    }
}

#[tokio::test]
async fn a_value_that_panics_when_it_is_serialised_gives_its_lease_back() {
    #[derive(Debug, serde::Deserialize)]
    struct PanicsWhenWritten;
    impl serde::Serialize for PanicsWhenWritten {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            panic!("on purpose")
        }
    }
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let Process { cache, .. } = process(&clock, &server);
    let load = cache.get_or_load("k", MINUTE, || async { Loaded::Ok(PanicsWhenWritten) }).await;
    assert_eq!(load.unwrap_err().kind(), ErrorKind::Load);
    settle().await;
    assert_eq!((server.raw_get("test:k"), cache.stats().loads.failed), (None, 1));
}

#[tokio::test]
async fn a_load_that_ends_after_close_is_not_served_by_the_closed_cache() {
    for (setup, _, cache, _) in setups() {
        let (stage, loader) = staged();
        let load = spawn_load(&cache, LoadOptions::ttl(MINUTE), loader);
        let running = stage.started().await;
        cache.close();
        running.bring("late".to_owned());
        load.await.unwrap().unwrap();
        settle().await;
        assert_eq!(cache.get::<String>("k").await.unwrap_err().kind(), ErrorKind::Closed, "{setup}");
    }
}

#[tokio::test]
async fn an_invalidation_whose_answer_is_overtaken_by_another_ones_news_holds() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (here, there) = (process(&clock, &server), process(&clock, &server));
    // The tag is one that this process knows of.
    here.cache.invalidate_tag("t").await.unwrap();
    here.cache.set("k", "old", SetOptions::ttl(MINUTE).tag("t")).await.unwrap();
    let gate = here.link.hold_reply(Op::BumpMark);
    let first = tokio::spawn({
        let cache = here.cache.clone();
        async move { cache.invalidate_tag("t").await }
    });
    gate.reached().await;
    there.cache.invalidate_tag("other").await.unwrap();
    here.cache.get::<String>("k").await.unwrap();
    gate.release();
    first.await.unwrap().unwrap();
    assert_eq!(here.cache.get::<String>("k").await.unwrap(), None);
}

/// The ways to void many entries at once.
const MANY: [&str; 2] = ["clear", "invalidate_tag"];

async fn void_many(cache: &Cache, way: &str) -> Result<(), cache_tiered::Error> {
    if way == "clear" { cache.clear().await } else { cache.invalidate_tag("t").await }
}

#[tokio::test]
async fn what_was_missed_during_a_leased_load_is_not_filled_over() {
    for way in MANY {
        let clock = FakeClock::new();
        let server = ReferenceServer::new(clock.clone());
        let (here, there) = (process(&clock, &server), process(&clock, &server));
        pass(&clock, SECOND).await;
        // The marks are known.
        here.cache.set("warm", "x", SetOptions::ttl(60 * MINUTE).tag("t")).await.unwrap();
        let (stage, loader) = staged();
        let load = spawn_load(&here.cache, LoadOptions::ttl(60 * MINUTE).tag("t"), loader);
        let running = stage.started().await;
        here.link.disconnect();
        void_many(&there.cache, way).await.unwrap();
        here.link.reconnect();
        settle().await;
        // The lease outlived that.
        running.bring("old".to_owned());
        assert_eq!(*load.await.unwrap().unwrap(), "old", "who asked before may have it");
        settle().await;
        is_gone_for_all(&here, &there, way).await;
    }
}

/// What was invalidated in this way is there for neither.
async fn is_gone_for_all(here: &Process, there: &Process, way: &'static str) {
    for (name, process) in [("here", here), ("there", there)] {
        assert_eq!(process.cache.get::<String>("k").await.unwrap(), None, "{way}, {name}");
    }
}

/// Makes a mark in the store whose caller leaves before he hears of it.
async fn leave(here: &Process, way: &'static str) {
    let gate = here.link.hold_reply(Op::BumpMark);
    let cache = here.cache.clone();
    let call = tokio::spawn(async move { void_many(&cache, way).await });
    gate.reached().await;
    call.abort();
    settle().await;
}

#[tokio::test]
async fn an_invalidation_whose_caller_left_voids_what_was_being_loaded() {
    for way in MANY {
        let clock = FakeClock::new();
        let server = ReferenceServer::new(clock.clone());
        let (here, there) = (process(&clock, &server), process(&clock, &server));
        pass(&clock, SECOND).await;
        here.cache.set("warm", "x", SetOptions::ttl(60 * MINUTE).tag("t")).await.unwrap();
        let (stage, loader) = staged();
        let load = spawn_load(&here.cache, LoadOptions::ttl(60 * MINUTE).tag("t"), loader);
        let running = stage.started().await;
        leave(&here, way).await;
        running.bring("old".to_owned());
        load.await.unwrap().unwrap();
        settle().await;
        is_gone_for_all(&here, &there, way).await;
    }
}

#[tokio::test]
async fn a_read_under_way_does_not_outlive_an_invalidation_whose_caller_left() {
    for way in MANY {
        let clock = FakeClock::new();
        let server = ReferenceServer::new(clock.clone());
        let (here, there) = (process(&clock, &server), process(&clock, &server));
        pass(&clock, SECOND).await;
        there.cache.set("k", "old", SetOptions::ttl(60 * MINUTE).tag("t")).await.unwrap();
        // The clear is known here, the tag is not.
        there.cache.set("x", "x", MINUTE).await.unwrap();
        here.cache.get::<String>("x").await.unwrap().unwrap();
        let marks = here.link.hold_reply(Op::ReadMarks);
        let read = tokio::spawn({
            let cache = here.cache.clone();
            async move { cache.get::<String>("k").await.unwrap() }
        });
        marks.reached().await;
        leave(&here, way).await;
        marks.release();
        read.await.unwrap();
        pass(&clock, 5 * SECOND).await;
        is_gone_for_all(&here, &there, way).await;
    }
}

#[tokio::test]
async fn what_is_set_after_an_invalidation_whose_caller_left_is_there_for_all() {
    for way in MANY {
        let clock = FakeClock::new();
        let server = ReferenceServer::new(clock.clone());
        let (here, there) = (process(&clock, &server), process(&clock, &server));
        pass(&clock, SECOND).await;
        let tagged = || SetOptions::ttl(60 * MINUTE).tag("t");
        here.cache.set("k", "old", tagged()).await.unwrap();
        leave(&here, way).await;
        here.cache.set("k", "new", tagged()).await.unwrap();
        for (name, process) in [("here", &here), ("there", &there)] {
            let value = process.cache.get::<String>("k").await.unwrap();
            assert_eq!(value.as_deref().map(String::as_str), Some("new"), "{way}, {name}");
        }
    }
}

#[tokio::test]
async fn an_invalidation_that_fails_or_that_nobody_polls_lets_go_of_no_more_than_it_names() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let here = process(&clock, &server);
    pass(&clock, SECOND).await;
    here.cache.set("k", "tagged", SetOptions::ttl(60 * MINUTE).tag("t")).await.unwrap();
    here.cache.set("other", "x", SetOptions::ttl(60 * MINUTE).tag("u")).await.unwrap();
    let tier_of = async |key| here.cache.get_with_receipt::<String>(key).await.unwrap().1.tier;
    assert_eq!(
        (tier_of("k").await, tier_of("other").await),
        (Some(Tier::Store), Some(Tier::Store)),
        "tags are asked for"
    );
    drop(here.cache.invalidate_tag("t"));
    assert_eq!(tier_of("k").await, Some(Tier::Local), "the store was not asked");
    for kind in [ErrorKind::Configuration, ErrorKind::Timeout] {
        here.link.fail_next(Op::BumpMark, 1, kind);
        here.cache.invalidate_tag("t").await.unwrap_err();
        assert_eq!(tier_of("other").await, Some(Tier::Local), "{kind:?}");
    }
}
