//! Admission, control and repetition of whole requests.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::time::Duration;

use cache_ai::{
    AiCache, AiRequest, AiSettings, Control, ErrorKind, Finish, Generated, Kept, Loaded, NotCached,
    OperationPolicy, PriceTable, Refused, Repeat, Source, Usage, Which,
};
use cache_testkit::{FakeClock, ReferenceServer};
use common::{Model, ask, private, process, shared};
use serde_json::{Value, json};
use tokio::sync::oneshot;

async fn text(cache: &AiCache, request: &AiRequest, control: Control, model: &Model, says: &str) -> String {
    (**cache.get_or_generate(request, control, model.says(says)).await.unwrap()).clone()
}

/// Waits until what was generated is where it is kept.
async fn stored(cache: &AiCache) {
    let is_idle = || cache.cache().stats().loads.in_flight == 0;
    cache_testkit::eventually(Duration::from_secs(5), "all is stored", is_idle).await.unwrap();
}

#[tokio::test]
async fn what_the_gate_refuses_goes_to_its_caller_and_is_not_kept() {
    let cache = private(&FakeClock::new(), AiSettings::new().max_answer_bytes(100));
    let table: [(Generated<String>, Refused); 7] = [
        (Generated::new("cut".into()).finish(Finish::Length), Refused::Length),
        (Generated::new("held back".into()).finish(Finish::ContentFilter), Refused::ContentFilter),
        (Generated::new("failed".into()).finish(Finish::Error), Refused::Error),
        (Generated::new("I cannot".into()).refusal(true), Refused::Refusal),
        (Generated::new(String::new()), Refused::Empty),
        (Generated::new("no JSON".into()).invalid("it is not"), Refused::Invalid),
        (Generated::new("x".repeat(101)), Refused::TooLarge),
    ];
    for (generated, reason) in table {
        let request = ask(reason.as_str());
        for _ in 0..2 {
            let (model, generated) = (Model::default(), generated.clone());
            let asked = model.clone();
            let answer = cache
                .get_or_generate(&request, Control::new(), || async move {
                    asked.one();
                    Loaded::Ok(generated)
                })
                .await
                .unwrap();
            assert_eq!((answer.meta().refused, model.calls()), (Some(reason), 1));
        }
        assert_eq!(cache.stats().operations["qa"].refused[reason.as_str()], 2);
    }
    let guide = shared(&cache);
    let kept = guide.cache_response("text", "qa", &(), &json!("")).await.unwrap();
    assert_eq!(kept, Kept::Refused(Refused::Empty));
    assert_eq!(cache.cache().stats().memory_usage.entries, 0);
}

#[tokio::test]
async fn an_operations_validator_decides() {
    let policy = OperationPolicy::new().validator(|answer| match answer {
        Value::String(text) if text.starts_with('{') => Ok(()),
        _ => Err("it is no object".into()),
    });
    let cache = private(&FakeClock::new(), AiSettings::new().operation("qa", policy));
    let model = Model::default();
    for (says, calls) in [("prose", 1), ("prose", 2), ("{}", 3), ("{}", 3)] {
        text(&cache, &ask("x"), Control::new(), &model, says).await;
        assert_eq!(model.calls(), calls, "{says}");
    }
}

#[tokio::test]
async fn errors_are_shared_by_those_who_wait_and_not_kept() {
    let cache = private(&FakeClock::new(), AiSettings::new());
    let fails = || async { Err::<Generated<String>, _>(std::io::Error::other("the model is down")) };
    for _ in 0..2 {
        let error = cache.get_or_generate(&ask("x"), Control::new(), fails).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Load);
        assert!(error.downcast_ref::<std::io::Error>().is_some());
    }
    assert_eq!(cache.cache().stats().loads.started, 2, "the second asks the model again");
    assert_eq!(text(&cache, &ask("x"), Control::new(), &Model::default(), "fine").await, "fine");
}

#[tokio::test]
async fn each_control_does_what_its_table_says() {
    let clock = FakeClock::new();
    let cache = private(&clock, AiSettings::new());
    let (model, request) = (Model::default(), ask("x"));
    let is_not_cached = async |control| {
        let error = cache.get_or_generate(&request, control, model.says("?")).await.unwrap_err();
        error.downcast_ref::<NotCached>().is_some()
    };
    assert!(is_not_cached(Control::only_if_cached()).await);
    assert_eq!(text(&cache, &request, Control::no_store(), &model, "unkept").await, "unkept");
    assert!(is_not_cached(Control::only_if_cached()).await, "no_store keeps nothing");
    assert_eq!(text(&cache, &request, Control::new(), &model, "one").await, "one");
    assert_eq!(text(&cache, &request, Control::no_store(), &model, "?").await, "one", "no_store reads");
    assert_eq!(text(&cache, &request, Control::only_if_cached(), &model, "?").await, "one");
    assert_eq!(text(&cache, &request, Control::no_cache(), &model, "two").await, "two");
    assert_eq!(text(&cache, &request, Control::new(), &model, "?").await, "two", "no_cache writes");
    assert_eq!(text(&cache, &request, Control::refresh(), &model, "three").await, "three");
    clock.advance(Duration::from_secs(60));
    let young = |secs| Control::new().max_age(Duration::from_secs(secs));
    assert_eq!(text(&cache, &request, young(61), &model, "?").await, "three");
    assert_eq!(text(&cache, &request, young(59), &model, "four").await, "four");
    assert_eq!(text(&cache, &request, Control::new(), &model, "?").await, "four", "max_age writes");
    let contradiction = Control::only_if_cached().and_no_store();
    let error = cache.get_or_generate(&request, contradiction, model.says("?")).await.unwrap_err();
    assert!(error.is_validation());
    assert_eq!(model.calls(), 5);
}

#[tokio::test]
async fn no_cache_does_not_join_a_flight_and_keeps_what_is_newer() {
    let cache = private(&FakeClock::new(), AiSettings::new());
    let (started, has_started) = oneshot::channel();
    let (finish, finished) = oneshot::channel::<()>();
    let slow = tokio::spawn({
        let cache = cache.clone();
        async move {
            let generator = || async move {
                started.send(()).unwrap();
                finished.await.unwrap();
                Loaded::Ok(Generated::new("old".to_owned()))
            };
            cache.get_or_generate(&ask("x"), Control::new(), generator).await
        }
    });
    has_started.await.unwrap();
    let model = Model::default();
    let asked = ask("x");
    let own = text(&cache, &asked, Control::no_cache(), &model, "new");
    let own = tokio::time::timeout(Duration::from_secs(5), own).await.expect("it waits for nobody");
    assert_eq!(own, "new");
    finish.send(()).unwrap();
    assert_eq!(&***slow.await.unwrap().unwrap(), "old", "who waited is answered");
    assert_eq!(text(&cache, &ask("x"), Control::new(), &model, "?").await, "new");
    assert_eq!(model.calls(), 1);
}

#[tokio::test]
async fn a_renewal_that_brings_nothing_to_keep_loses_nothing() {
    let (clock, model) = (FakeClock::new(), Model::default());
    let server = ReferenceServer::new(clock.clone());
    for cache in [private(&clock, AiSettings::new()), process(&clock, &server, AiSettings::new())] {
        assert_eq!(text(&cache, &ask("x"), Control::new(), &model, "old").await, "old");
        stored(&cache).await;
        clock.advance(Duration::from_secs(60));
        for control in
            [Control::refresh(), Control::no_cache(), Control::new().max_age(Duration::from_secs(1))]
        {
            let fails = || async { Err::<Generated<String>, _>(std::io::Error::other("the model is down")) };
            let error = cache.get_or_generate(&ask("x"), control, fails).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Load, "{control:?}");
            let cut = || async { Loaded::Ok(Generated::new("cut".to_owned()).finish(Finish::Length)) };
            let answer = cache.get_or_generate(&ask("x"), control, cut).await.unwrap();
            assert_eq!((&***answer, answer.meta().refused), ("cut", Some(Refused::Length)));
            let kept = text(&cache, &ask("x"), Control::only_if_cached(), &model, "?").await;
            assert_eq!(kept, "old", "{control:?}");
        }
        assert_eq!(text(&cache, &ask("x"), Control::refresh(), &model, "new").await, "new");
        stored(&cache).await;
        assert_eq!(text(&cache, &ask("x"), Control::only_if_cached(), &model, "?").await, "new");
    }
}

#[tokio::test]
async fn a_herd_asks_the_model_once() {
    let cache = private(&FakeClock::new(), AiSettings::new());
    let (model, (finish, finished)) = (Model::default(), oneshot::channel::<()>());
    let mut finished = Some(finished);
    let asked = (0..50).map(|_| {
        let (cache, model, finished) = (cache.clone(), model.clone(), finished.take());
        tokio::spawn(async move {
            let generator = move || async move {
                model.one();
                if let Some(finished) = finished {
                    finished.await.unwrap();
                }
                Loaded::Ok(Generated::new("one".to_owned()))
            };
            cache.get_or_generate(&ask("x"), Control::new(), generator).await.unwrap().meta().source
        })
    });
    let asked: Vec<_> = asked.collect();
    cache_testkit::eventually(Duration::from_secs(10), "all wait", || {
        cache.cache().stats().loads.joined == 49
    })
    .await
    .unwrap();
    finish.send(()).unwrap();
    let mut sources = Vec::new();
    for task in asked {
        sources.push(task.await.unwrap());
    }
    assert_eq!(sources.iter().filter(|source| **source == Source::Generated).count(), 1);
    assert_eq!((model.calls(), cache.stats().operations["qa"].joined), (1, 49));
}

#[tokio::test]
async fn an_operation_says_whether_its_answers_are_repeated() {
    let policies = AiSettings::new()
        .operation("never", OperationPolicy::new().repeat(Repeat::Never))
        .operation("exact", OperationPolicy::new().repeat(Repeat::DeterministicOnly))
        .operation("varied", OperationPolicy::new().repeat(Repeat::Samples(3)));
    let cache = private(&FakeClock::new(), policies);
    let calls = async |request: &AiRequest, times: usize| {
        let model = Model::default();
        for _ in 0..times {
            text(&cache, request, Control::new(), &model, "x").await;
        }
        model.calls()
    };
    let of = |operation: &str| AiRequest::new(common::acme(), operation).message("user", "x");
    assert_eq!(calls(&of("never"), 3).await, 3);
    assert_eq!(calls(&of("exact"), 3).await, 3, "absent is not 0");
    assert_eq!(calls(&of("exact").option("temperature", 0.7), 3).await, 3);
    assert_eq!(calls(&of("exact").option("temperature", 0), 3).await, 1);
    let body = |temperature: Value| {
        AiRequest::from_body(common::acme(), "exact", json!({"messages": [], "temperature": temperature}))
    };
    assert_eq!((calls(&body(json!(0.0)), 3).await, calls(&body(json!(null)), 3).await), (1, 3));

    let model = Model::default();
    let mut answers = Vec::new();
    for at in 0..9 {
        answers.push(text(&cache, &of("varied"), Control::new(), &model, &at.to_string()).await);
    }
    assert_eq!(answers, ["0", "1", "2", "0", "1", "2", "0", "1", "2"]);
    for seed in [4, 4, 7] {
        let sampled = text(&cache, &of("varied"), Control::new().sample(seed), &model, "?").await;
        assert_eq!(sampled, "1");
    }
    assert_eq!(model.calls(), 3);
}

#[tokio::test]
async fn the_ledger_counts_what_was_saved_and_spent() {
    let prices = PriceTable::new("USD").model("m-1", 2.0, 10.0);
    let cache = private(&FakeClock::new(), AiSettings::new().prices(prices));
    for _ in 0..3 {
        let generator =
            || async { Loaded::Ok(Generated::new("x".to_owned()).usage(Usage::new(500_000, 100_000))) };
        cache.get_or_generate(&ask("x"), Control::new(), generator).await.unwrap();
    }
    let ledger = cache.ledger();
    let line = &ledger.lines[0];
    assert_eq!((&*line.operation, line.model.as_deref(), &*line.tenant), ("qa", Some("m-1"), "acme"));
    assert_eq!((line.sums.calls_made, line.sums.calls_saved), (1, 2));
    assert_eq!((line.sums.input_tokens_saved, line.sums.output_tokens_saved), (1_000_000, 200_000));
    assert!((line.sums.money_saved - 4.0).abs() < 1e-9 && (line.sums.money_spent - 2.0).abs() < 1e-9);
    assert_eq!(ledger.total, line.sums);
    let operation = &cache.stats().operations["qa"];
    assert_eq!((operation.hits, operation.misses, operation.tier1_hits), (2, 1, 2));
}

#[tokio::test]
async fn invalidations_are_exact_and_can_be_counted_before() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let cache = process(&clock, &server, AiSettings::new());
    let (model, acme) = (Model::default(), common::acme());
    let of = |operation: &str| AiRequest::new(acme.clone(), operation).model("m").message("user", "x");
    let all = [
        of("qa"),
        of("qa_long"),
        of("qa").prompt_version("1").tag("doc:7"),
        of("qa").model("m-2"),
        AiRequest::from_body(acme.clone(), "body", json!({"model": "real", "messages": []})).model("alias"),
        AiRequest::from_body(acme.clone(), "body", json!({"model": "real", "messages": []})),
        AiRequest::new(cache_ai::Tenant::shared(), "qa").message("user", "x"),
    ];
    let fill = async || {
        for request in &all {
            text(&cache, request, Control::new(), &model, "x").await;
        }
    };
    let which = [
        (Which::Operation("qa".into()), 4),
        (Which::Operation("qa_long".into()), 1),
        (Which::Model("m".into()), 3),
        (Which::PromptVersion { operation: "qa".into(), version: "1".into() }, 1),
        (Which::PromptVersion { operation: "q".into(), version: "a:1".into() }, 0),
        (Which::Model("real".into()), 2),
        (Which::Model("alias".into()), 1),
        (Which::Tenant(acme.clone()), 6),
        (Which::Tag("doc:7".into()), 1),
        (Which::Tag("doc".into()), 0),
    ];
    for (which, count) in which {
        fill().await;
        assert_eq!(cache.count(&which).await.unwrap(), count, "{which:?}");
        let before = model.calls();
        cache.invalidate(&which).await.unwrap();
        assert_eq!(cache.count(&which).await.unwrap(), 0, "{which:?}");
        fill().await;
        assert_eq!((model.calls() - before) as u64, count, "{which:?}");
    }
}

#[tokio::test]
async fn answers_of_a_cache_in_production_go_only_if_that_was_confirmed() {
    let clock = FakeClock::new();
    let mut settings = cache_tiered::Settings::default();
    settings.production = true;
    let builder = AiCache::builder(cache_ai::Namespace::new("test").unwrap()).local(common::tier(&clock));
    let cache = builder.timer(clock.clone()).settings(settings).build().unwrap();
    let (model, which) = (Model::default(), Which::Operation("qa".into()));
    text(&cache, &ask("x"), Control::new(), &model, "x").await;

    assert!(cache.invalidate(&which).await.unwrap_err().is_validation());
    assert_eq!(cache.count(&which).await.unwrap(), 1);
    assert!(cache.confirmed(&cache_ai::Confirm::namespace("other")).is_err());
    let confirmed = cache.confirmed(&cache_ai::Confirm::namespace("test")).unwrap();
    confirmed.invalidate(&which).await.unwrap();
    assert_eq!(cache.count(&which).await.unwrap(), 0);
    assert!(cache.invalidate(&which).await.is_err(), "others still have to say so");
}
