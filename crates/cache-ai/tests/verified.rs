//! An answer goes to the request that it was made for, whatever name it has.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::sync::Arc;

use cache_ai::{AiCache, AiRequest, AiSettings, Control, EmbedSpec, Generated, Loaded, Source, Tenant};
use cache_testkit::{FakeClock, ReferenceServer};
use common::{Model, acme, ask, one_name, private, process, shared, tier2_alone};
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// Whatever the second asks about, it gets its own answer, and the first keeps its.
async fn neither_gets_the_others(cache: &AiCache, first: &AiRequest, second: &AiRequest) {
    let model = Model::default();
    let get = async |request: &AiRequest, text: &str| {
        (**cache.get_or_generate(request, Control::new(), model.says(text)).await.unwrap()).clone()
    };
    assert_eq!(get(first, "of the first").await, "of the first");
    assert_eq!(get(second, "of the second").await, "of the second");
    assert_eq!(get(first, "generated again").await, "of the first");
    assert_eq!(model.calls(), 2);
    let operation = cache.stats().operations.get("qa").cloned().unwrap();
    assert!(operation.verified_away >= 1, "{operation:?}");
}

#[tokio::test]
async fn requests_of_one_name_are_told_apart_in_both_tiers() {
    let clock = FakeClock::new();
    let settings = || AiSettings::new().name_bits(one_name);
    let (one, other) = (ask("what is this?"), ask("and that?"));
    neither_gets_the_others(&private(&clock, settings()), &one, &other).await;
    let server = ReferenceServer::new(clock.clone());
    neither_gets_the_others(&process(&clock, &server, settings()), &one, &other).await;
    let server = ReferenceServer::new(clock.clone());
    neither_gets_the_others(&tier2_alone(&clock, &server, settings()), &one, &other).await;
}

#[tokio::test]
async fn who_joins_a_flight_of_the_same_name_gets_its_own_answer() {
    let clock = FakeClock::new();
    let cache = private(&clock, AiSettings::new().name_bits(one_name));
    let (one, other) = (ask("what is this?"), ask("and that?"));
    let (started, has_started) = oneshot::channel();
    let (finish, finished) = oneshot::channel::<()>();
    let own = cache.clone();
    let first = tokio::spawn(async move {
        let slow = || async move {
            started.send(()).unwrap();
            finished.await.unwrap();
            Loaded::Ok(Generated::new("of the first".to_owned()))
        };
        own.get_or_generate(&one, Control::new(), slow).await
    });
    has_started.await.unwrap();
    let model = Model::default();
    let joining = tokio::spawn({
        let (cache, model) = (cache.clone(), model.clone());
        async move { cache.get_or_generate(&other, Control::new(), model.says("of the second")).await }
    });
    cache_testkit::eventually(std::time::Duration::from_secs(5), "it joins", || {
        cache.cache().stats().loads.joined == 1
    })
    .await
    .unwrap();
    finish.send(()).unwrap();
    let (first, second) = (first.await.unwrap().unwrap(), joining.await.unwrap().unwrap());
    assert_eq!((&***first, &***second), ("of the first", "of the second"));
    assert_eq!((second.meta().source, model.calls()), (Source::Generated, 1));
    assert_eq!(cache.stats().operations["qa"].verified_away, 1);
}

#[tokio::test]
async fn the_guides_calls_and_embeddings_verify_too() {
    let clock = FakeClock::new();
    let all = private(&clock, AiSettings::new().name_bits(one_name).text_hash_threshold(0));
    let cache = shared(&all);
    let _ = cache.cache_response("one text", "qa", &(), &json!("of the one")).await.unwrap();
    let found = async |text: &str| cache.get_cached_response::<Value>(text, "qa", &()).await.unwrap();
    assert!(found("another text").await.is_none());
    assert_eq!(**found("one text").await.unwrap(), json!("of the one"));
    assert_eq!(all.stats().operations["qa"].verified_away, 1);

    let spec = EmbedSpec::new(Tenant::shared(), "e-1");
    let embed = async |texts: &[&str]| {
        let vectors = all.embed_many(&spec, texts, |texts: Vec<String>| async move {
            Loaded::Ok(texts.iter().map(|text| vec![text.len() as f32]).collect::<Vec<_>>())
        });
        vectors.await.unwrap().iter().map(|vector| vector[0]).collect::<Vec<f32>>()
    };
    assert_eq!(embed(&["a", "bb", "ccc", "a"]).await, [1.0, 2.0, 3.0, 1.0]);
    assert_eq!(embed(&["ccc", "a"]).await, [3.0, 1.0]);
}

#[tokio::test]
async fn tenants_who_ask_the_same_at_once_are_answered_apart() {
    let clock = FakeClock::new();
    let cache = private(&clock, AiSettings::new());
    let model = Model::default();
    let of = |tenant: Tenant| AiRequest::new(tenant, "qa").message("user", "the same");
    let tenants = [acme(), Tenant::new("other").unwrap(), Tenant::shared()];
    let asked = tenants.iter().map(|tenant| {
        let (cache, model, request) = (cache.clone(), model.clone(), of(tenant.clone()));
        async move { cache.get_or_generate(&request, Control::new(), model.says("x")).await.unwrap() }
    });
    let answers = futures_util::future::join_all(asked).await;
    assert!(answers.iter().all(|answer| answer.meta().source == Source::Generated));
    assert_eq!((model.calls(), cache.cache().stats().loads.joined), (3, 0), "flights are not shared");
    let again = cache.get_or_generate(&of(acme()), Control::new(), model.says("x")).await.unwrap();
    assert!(again.meta().cache_hit && Arc::ptr_eq(&again.into_inner(), &answers[0].clone().into_inner()));
}
