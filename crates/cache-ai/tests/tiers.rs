//! Tier 1 takes in what the size of the text allows.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::time::Duration;

use cache_ai::{AdmissionPolicy, AiSettings, TenantCache, TextTier, Tier};
use cache_testkit::{FakeClock, ReferenceServer};
use common::{private, process, shared};
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
