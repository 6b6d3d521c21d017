//! Many keys in one call: each gets what it would get alone, and none of them holds up or fails the others.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cache_testkit::{FakeClock, Op, ReferenceServer, settle};
use cache_tiered::{Cache, Error, ErrorKind, LoadOptions, Loaded, SetOptions};
use common::{MINUTE, Runs, SECOND, pass, private, process, staged};

/// Asks for these keys with a loader that brings 7 for each that it is asked for.
async fn sevens(cache: &Cache, runs: &Runs, keys: &[&str]) -> Result<Vec<Option<Arc<u64>>>, Error> {
    let runs = runs.clone();
    let loader = |missing: Vec<String>| async move {
        runs.one();
        Loaded::Ok(missing.into_iter().map(|key| (key, 7u64)).collect::<HashMap<_, _>>())
    };
    cache.get_many_or_load(keys, MINUTE, loader).await
}

#[tokio::test]
async fn the_marks_of_many_keys_are_asked_for_at_a_time() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (here, there) = (process(&clock, &server), process(&clock, &server));
    pass(&clock, SECOND).await;
    let keys: Vec<String> = (0..300).map(|i| format!("k{i}")).collect();
    for (i, key) in keys.iter().enumerate() {
        there.cache.set(key, &1u8, SetOptions::ttl(MINUTE).tag(format!("t{i}"))).await.unwrap();
    }
    let mut asked: Vec<_> = (0..300).map(|_| here.link.hold(Op::ReadMarks)).collect();
    let call = tokio::spawn({
        let cache = here.cache.clone();
        async move { cache.get_many::<u8>(&keys).await.unwrap() }
    });
    // The store takes a millisecond for each question, and has 250 for all of them.
    while !call.is_finished() {
        settle().await;
        clock.advance(Duration::from_millis(1));
        let before = asked.len();
        asked.retain(|question| !question.is_reached());
        assert!(before - asked.len() <= 64, "{} questions at a time", before - asked.len());
        settle().await;
    }
    assert_eq!(call.await.unwrap().iter().flatten().count(), 300);
    assert_eq!(here.cache.stats().store_errors, 0);
}

#[tokio::test]
async fn a_batch_may_be_asked_for_inside_any_task() {
    fn is_send(_: &impl Send) {}
    let cache = private(&FakeClock::new());
    is_send(&cache.get_many::<u64>(&["a"]));
    is_send(&sevens(&cache, &Runs::default(), &["a"]));
}

#[tokio::test]
async fn a_loader_that_asks_for_its_own_key_through_a_batch_is_told() {
    let cache = private(&FakeClock::new());
    let load = tokio::spawn(async move {
        let (outer, inner) = (cache.clone(), cache.clone());
        let batch = |_| async move {
            let a: Arc<u32> = inner.get_or_load("a", MINUTE, || async { Loaded::Ok(1u32) }).await?;
            Loaded::Ok(HashMap::from([("b".to_owned(), *a)]))
        };
        let loader = || async move {
            let b: Vec<Option<Arc<u32>>> = outer.get_many_or_load(&["b"], MINUTE, batch).await?;
            Loaded::Ok(b.into_iter().flatten().map(|b| *b).sum::<u32>())
        };
        cache.get_or_load("a", MINUTE, loader).await
    });
    settle().await;
    assert!(load.is_finished(), "it hangs until load_timeout");
    let error = load.await.unwrap().unwrap_err();
    assert!(format!("{error:?} {error}").contains("the key that it is loading"), "{error:?}");
}

#[tokio::test]
async fn a_batch_loads_for_itself_what_others_load_as_another_type() {
    // Beside a key that it loads anyway, and alone.
    for keys in [&["k", "other"][..], &["k", "other", "k"], &["k"], &["k", "k"]] {
        let cache = private(&FakeClock::new());
        let (stage, loader) = staged::<String>();
        let load = tokio::spawn({
            let cache = cache.clone();
            async move { cache.get_or_load("k", MINUTE, loader).await }
        });
        let running = stage.started().await;
        let runs = Runs::default();
        let batch = tokio::spawn({
            let (cache, runs) = (cache.clone(), runs.clone());
            async move { sevens(&cache, &runs, keys).await }
        });
        settle().await;
        running.bring("seven".to_owned());
        assert_eq!(*load.await.unwrap().unwrap(), "seven");
        let got = batch.await.unwrap().unwrap();
        assert!(got.iter().all(|it| it.as_deref() == Some(&7)), "{got:?}");
        assert_eq!((got.len(), runs.count()), (keys.len(), 1));
    }
}

#[tokio::test]
async fn a_batch_whose_loader_has_run_fails_for_what_others_loaded_too_early_and_says_why() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (here, there) = (process(&clock, &server), process(&clock, &server));
    pass(&clock, SECOND).await;
    there.cache.set("x", &1u64, SetOptions::ttl(MINUTE).tag("t")).await.unwrap();
    here.cache.get::<u64>("x").await.unwrap().unwrap();
    let (stage, loader) = staged::<u64>();
    let theirs = tokio::spawn({
        let cache = there.cache.clone();
        async move { cache.get_or_load("b", LoadOptions::ttl(MINUTE).tag("t"), loader).await }
    });
    let running = stage.started().await;
    there.cache.invalidate_tag("u").await.unwrap();
    settle().await;
    // Waits for the other process's load, and the batch waits for that.
    let waits = tokio::spawn({
        let cache = here.cache.clone();
        async move { cache.get_or_load("b", MINUTE, || async { Loaded::Ok(8u64) }).await }
    });
    settle().await;
    let runs = Runs::default();
    let mut batch = Box::pin(sevens(&here.cache, &runs, &["a", "b"]));
    for _ in 0..20 {
        assert!(futures_util::poll!(&mut batch).is_pending());
        settle().await;
    }
    running.bring(6);
    theirs.await.unwrap().unwrap();
    settle().await;
    waits.await.unwrap().unwrap();
    there.cache.invalidate_tag("t").await.unwrap();
    settle().await;
    let error = batch.await.unwrap_err();
    assert_eq!((error.kind(), runs.count()), (ErrorKind::Load, 1), "{error}");
    assert!(error.message().contains("ask again"), "{error}");
    let again = sevens(&here.cache, &runs, &["a", "b"]).await.unwrap();
    assert!(again.iter().all(|it| it.as_deref() == Some(&7)), "{again:?}");
}

#[tokio::test]
async fn a_batch_that_only_refreshes_inside_a_load_may_ask_for_what_that_load_brings() {
    let clock = FakeClock::new();
    let cache = private(&clock);
    let options = LoadOptions::ttl(MINUTE).stale_for(10 * MINUTE);
    cache.set("b", &1u64, options.entry.clone()).await.unwrap();
    clock.advance(2 * MINUTE);
    let (outer, inner) = (cache.clone(), cache.clone());
    let refresh = |_| async move {
        let a: Arc<u64> = inner.get_or_load("a", MINUTE, || async { Loaded::Ok(9u64) }).await?;
        Loaded::Ok(HashMap::from([("b".to_owned(), *a + 1)]))
    };
    let load = || async move {
        let b: Vec<Option<Arc<u64>>> = outer.get_many_or_load(&["b"], options, refresh).await?;
        // The refresh asks meanwhile.
        settle().await;
        Loaded::Ok(b.into_iter().flatten().map(|b| *b + 1).sum::<u64>())
    };
    assert_eq!(*cache.get_or_load("a", MINUTE, load).await.unwrap(), 2);
    settle().await;
    assert_eq!(cache.get::<u64>("b").await.unwrap().as_deref(), Some(&3));
}
