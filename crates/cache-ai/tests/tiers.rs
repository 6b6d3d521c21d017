//! Tier 1 takes in what the size of the text allows.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use cache_ai::{
    AdmissionPolicy, AiCache, AiSettings, Control, Generated, Loaded, Namespace, PriceTable, TenantCache,
    TextTier, Tier, Usage,
};
use cache_memory::MemoryTier;
use cache_testkit::{FakeClock, ReferenceServer};
use common::{Model, ask, private, process, shared};
use serde_json::{Value, json};

/// Which tier answers each of so many reads, after one that may still be the store's.
async fn tiers(cache: &TenantCache, text: &str, operation: &str, reads: usize) -> Vec<Tier> {
    cache.get_cached_response::<Value>(text, operation, &()).await.unwrap().unwrap();
    let mut tiers = Vec::new();
    for _ in 0..reads {
        let answer = cache.get_cached_response::<Value>(text, operation, &()).await.unwrap().unwrap();
        tiers.push(answer.meta().tier.unwrap());
    }
    tiers
}

#[tokio::test]
async fn the_size_of_the_text_decides_what_tier_1_takes_in() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let all = process(&clock, &server, AiSettings::new());
    let cache = shared(&all);
    let (local, store) = (Tier::Local, Tier::Store);
    let ten_then_local: Vec<Tier> = [vec![store; 9], vec![local; 3]].concat();
    let table = [
        (499, "qa", vec![local; 12]),
        (500, "qa", ten_then_local),
        (500, "summarize", vec![local; 12]),
        (5_000, "qa", vec![store; 12]),
        (5_000, "summarize", vec![local; 12]),
        (50_000, "summarize", vec![store; 12]),
    ];
    for (characters, operation, expected) in table {
        let text = "x".repeat(characters);
        let _ = cache.cache_response(&text, operation, &(), &json!("short")).await.unwrap();
        assert_eq!(tiers(&cache, &text, operation, 12).await, expected, "{characters} {operation}");
    }
    let seen = all.stats().admission;
    assert!(seen.refused[1] >= 9 && seen.refused[2] >= 12 && seen.refused[3] >= 12, "{seen:?}");
    assert!(seen.admitted[0] >= 1 && seen.refused[0] == 0, "{seen:?}");
    let operation = &all.stats().operations["qa"];
    assert_eq!((operation.tier1_hits, operation.tier2_hits), (15, 24));
}

#[tokio::test]
async fn a_newer_answer_that_is_not_let_in_is_not_hidden_by_an_older_one() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let cache = shared(&process(&clock, &server, AiSettings::new()));
    let text = "x".repeat(600);
    let _ = cache.cache_response(&text, "qa", &(), &json!("old")).await.unwrap();
    tiers(&cache, &text, "qa", 11).await;
    let _ = cache.cache_response(&text, "qa", &(), &json!("new")).await.unwrap();
    let answer = cache.get_cached_response::<Value>(&text, "qa", &()).await.unwrap().unwrap();
    assert_eq!(**answer, json!("new"));
}

#[tokio::test]
async fn without_a_store_tier_1_takes_in_all() {
    let cache = shared(&private(&FakeClock::new(), AiSettings::new()));
    let text = "x".repeat(60_000);
    let _ = cache.cache_response(&text, "qa", &(), &json!("short")).await.unwrap();
    let answer = cache.get_cached_response::<Value>(&text, "qa", &()).await.unwrap().unwrap();
    let meta = answer.meta();
    assert_eq!((meta.text_length, meta.text_tier, meta.tier), (60_000, TextTier::XLarge, Some(Tier::Local)));
}

#[tokio::test]
async fn the_policy_can_be_another_and_the_metadata_is_the_guides() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let settings = AiSettings::new().admission(AdmissionPolicy::all());
    let cache = shared(&process(&clock, &server, settings));
    let text = "x".repeat(60_000);
    let _ = cache.cache_response(&text, "qa", &json!({"n": 1}), &json!({"a": [1, 2.5]})).await.unwrap();
    cache.get_cached_response::<Value>(&text, "qa", &json!({"n": 1})).await.unwrap().unwrap();
    clock.advance(Duration::from_secs(7));
    let answer = cache.get_cached_response::<Value>(&text, "qa", &json!({"n": 1.0})).await.unwrap().unwrap();
    assert_eq!(**answer, json!({"a": [1, 2.5]}), "exactly as it was stored");
    let meta = serde_json::to_value(answer.meta()).unwrap();
    assert_eq!(
        (&meta["cache_hit"], &meta["operation"], &meta["tier"], &meta["text_tier"], &meta["age"]["secs"]),
        (&json!(true), &json!("qa"), &json!("tier1"), &json!("xlarge"), &json!(7))
    );
    clock.advance(Duration::from_secs(1793));
    assert!(cache.get_cached_response::<Value>(&text, "qa", &json!({"n": 1})).await.unwrap().is_none());
}

/// How many of 20 answers that save much come from a tier 1 of 40 entries, which 180 answers that save little want as well.
/// Much is either time or money.
async fn costly_in_tier_1(settings: AiSettings, costly: (Duration, Usage), with_store: bool) -> usize {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    server.beat_with(&clock);
    let tier = MemoryTier::new(40, 64 << 20, clock.clone()).unwrap();
    let mut builder = AiCache::builder(Namespace::new("test").unwrap()).local(Arc::new(tier));
    if with_store {
        builder = builder.store(Arc::new(server.connect()));
    }
    let cache = builder.timer(clock.clone()).ai(settings).build().unwrap();
    let mut from_tier_1 = 0;
    for round in 0..3 {
        for at in 0..200 {
            let is_costly = at % 10 == 0;
            let (took, usage) =
                if is_costly { costly } else { (Duration::from_millis(1), Usage::new(100, 10)) };
            let clock = clock.clone();
            let generator = move || async move {
                clock.advance(took);
                Loaded::Ok(Generated::new("answer".to_owned()).usage(usage))
            };
            let request = ask(&at.to_string());
            let answer = cache.get_or_generate(&request, Control::new(), generator).await.unwrap();
            let is_local = answer.meta().tier == Some(Tier::Local);
            from_tier_1 += usize::from(round == 2 && is_costly && is_local);
            let is_idle = || cache.cache().stats().loads.in_flight == 0;
            cache_testkit::eventually(Duration::from_secs(5), "it is stored", is_idle).await.unwrap();
        }
    }
    from_tier_1
}

#[tokio::test]
async fn a_full_tier_1_keeps_what_saves_most_if_that_is_wanted() {
    let prices = || AiSettings::new().prices(PriceTable::new("USD").model("m-1", 1_000.0, 1_000.0));
    let slow = (Duration::from_millis(200), Usage::new(100, 10));
    let dear = (Duration::from_millis(1), Usage::new(100_000, 10_000));
    for (costly, with_store) in [(slow, false), (slow, true), (dear, false)] {
        let with = costly_in_tier_1(prices().keep_by_worth(100.0), costly, with_store).await;
        let without = costly_in_tier_1(prices(), costly, with_store).await;
        assert!(with == 20 && without < 10, "{with} with, {without} without");
    }
}

#[tokio::test]
async fn what_a_second_is_worth_is_checked() {
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let builder = AiCache::builder(Namespace::new("test").unwrap());
        let error = builder.ai(AiSettings::new().keep_by_worth(bad)).build().unwrap_err();
        assert!(error.message().contains("keep_by_worth"), "{error}");
    }
}

#[tokio::test]
async fn answers_of_worth_stay_beside_other_values_that_fill_tier_1() {
    let clock = FakeClock::new();
    // The bound of entries, and that of bytes.
    for (entries, bytes, value) in [(100_u64, 64 << 20, 10), (10_000, 200_000, 2000)] {
        let tier =
            Arc::new(MemoryTier::new(usize::try_from(entries).unwrap(), bytes, clock.clone()).unwrap());
        let settings = AiSettings::new().keep_by_worth(1.0);
        let builder = AiCache::builder(Namespace::new("test").unwrap()).local(tier).timer(clock.clone());
        let cache = builder.ai(settings).build().unwrap();
        let is_full = || {
            let usage = cache.cache().stats().memory_usage;
            usage.entries * 100 > entries * 91 || usage.bytes * 100 > bytes * 91
        };
        for n in 0.. {
            cache
                .cache()
                .set(format!("user:{n}"), &"x".repeat(value), Duration::from_secs(1000))
                .await
                .unwrap();
            if is_full() {
                break;
            }
        }
        let model = Model::default();
        for _ in 0..20 {
            cache.get_or_generate(&ask("x"), Control::new(), model.says("a")).await.unwrap();
        }
        assert_eq!(model.calls(), 1, "the only answer is asked for again and again");
    }
}
