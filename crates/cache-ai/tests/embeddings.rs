//! A batch of embeddings is what the model would have said, text by text.
#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_precision_loss, reason = "a test fails by a panic")]

mod common;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache_ai::{
    AiCache, AiSettings, EMBEDDING, EmbedSpec, Loaded, OperationPolicy, OptionSchema, Tenant, TextTiers,
};
use cache_testkit::{FakeClock, ReferenceServer};
use common::{private, process};
use proptest::prelude::*;

/// What the model says of a text.
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    (0..dimensions)
        .map(|at| text.bytes().fold(at as f32 + 0.1, |sum, byte| sum * 31.7 + f32::from(byte)) / 1e9)
        .collect()
}

type Asked = Arc<Mutex<Vec<Vec<String>>>>;

async fn embed(cache: &AiCache, dimensions: usize, texts: &[String], asked: &Asked) -> Vec<Vec<f32>> {
    let spec = EmbedSpec::new(Tenant::shared(), "e-1").dimensions(dimensions);
    let asked = Arc::clone(asked);
    let embedder = move |texts: Vec<String>| {
        asked.lock().unwrap().push(texts.clone());
        async move { Loaded::Ok(texts.iter().map(|text| vector(text, dimensions)).collect::<Vec<_>>()) }
    };
    let vectors = cache.embed_many(&spec, texts, embedder).await.unwrap();
    vectors.iter().map(|vector| vector.0.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn batches_with_any_overlap_are_what_the_model_says(
        batches in prop::collection::vec((1usize..3, prop::collection::vec("[a-e]{0,2}", 0..12)), 1..8),
        with_store in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let clock = FakeClock::new();
            let server = ReferenceServer::new(clock.clone());
            let cache = if with_store {
                process(&clock, &server, AiSettings::new())
            } else {
                private(&clock, AiSettings::new())
            };
            let (asked, mut known) = (Asked::default(), HashSet::new());
            for (dimensions, texts) in batches {
                let uncached: Vec<_> = texts.iter().map(|text| vector(text, dimensions)).collect();
                assert_eq!(embed(&cache, dimensions, &texts, &asked).await, uncached);
                let missing: HashSet<_> =
                    texts.iter().filter(|text| known.insert((dimensions, (*text).clone()))).cloned().collect();
                let calls: Vec<_> = asked.lock().unwrap().drain(..).collect();
                assert!(calls.len() <= 1, "one question for all that is missing");
                let now: Vec<String> = calls.into_iter().flatten().collect();
                assert_eq!(now.len(), missing.len(), "each text once");
                assert_eq!(now.into_iter().collect::<HashSet<_>>(), missing);
            }
        });
    }
}

#[tokio::test]
async fn another_number_of_vectors_or_dimensions_is_an_error_and_nothing_is_kept() {
    let cache = private(&FakeClock::new(), AiSettings::new());
    let texts = ["a", "b"];
    let spec = || EmbedSpec::new(Tenant::shared(), "e-1").dimensions(2);
    let bad: [Vec<Vec<f32>>; 4] =
        [vec![], vec![vec![1.0, 2.0]], vec![vec![1.0, 2.0]; 3], vec![vec![1.0, 2.0], vec![1.0]]];
    for vectors in bad {
        let embedder = move |_| {
            let vectors = vectors.clone();
            async move { Loaded::Ok(vectors) }
        };
        assert!(cache.embed_many(&spec(), &texts, embedder).await.is_err());
    }
    assert_eq!(cache.cache().stats().memory_usage.entries, 0);
    let asked = Asked::default();
    embed(&cache, 2, &["a".to_owned()], &asked).await;
    let other = EmbedSpec::new(Tenant::new("acme").unwrap(), "e-1").dimensions(2);
    let fails = |_| async { Err::<Vec<Vec<f32>>, _>(std::io::Error::other("asked")) };
    assert!(cache.embed_many(&other, &["a"], fails).await.is_err(), "another tenant's is not taken");
    assert!(cache.embed_many(&spec().task("query"), &["a"], fails).await.is_err(), "nor another task's");
    assert!(cache.embed_many(&spec(), &["a"], fails).await.is_ok());
}

/// Short texts may be kept for 10 000 s, longer ones for 100 s.
#[tokio::test]
async fn no_text_of_a_batch_is_kept_longer_than_it_may_be() {
    let clock = FakeClock::new();
    let policy = OperationPolicy::new().ttl(Duration::from_secs(100)).ttl_by_tier([100.0, 1.0, 1.0, 1.0]);
    let cache = private(
        &clock,
        AiSettings::new().text_tiers(TextTiers::new(2, 10, 100)).operation(EMBEDDING, policy),
    );
    let (short, long, asked) = ("a".to_owned(), "long".to_owned(), Asked::default());
    embed(&cache, 1, &[short.clone(), long.clone()], &asked).await;
    clock.advance(Duration::from_secs(101));
    embed(&cache, 1, &[short.clone(), long.clone()], &asked).await;
    assert_eq!(asked.lock().unwrap().last(), Some(&vec![short.clone(), long]), "one time for all of them");
    clock.advance(Duration::from_secs(101));
    for _ in 0..2 {
        embed(&cache, 1, std::slice::from_ref(&short), &asked).await;
        clock.advance(Duration::from_secs(9_000));
    }
    assert_eq!(asked.lock().unwrap().len(), 3, "a text alone has its own");
}

#[tokio::test]
async fn texts_that_a_schema_makes_one_are_asked_for_once() {
    let policy = OperationPolicy::new().schema(
        OptionSchema::new()
            .option("dimensions", cache_ai::OptionKind::Integer)
            .normalise_text_by(str::to_lowercase),
    );
    let cache = private(&FakeClock::new(), AiSettings::new().operation(EMBEDDING, policy));
    let asked = Asked::default();
    let texts = ["B", "A", "b", "a", "A"].map(str::to_owned);
    for _ in 0..2 {
        let vectors = embed(&cache, 1, &texts, &asked).await;
        assert_eq!(vectors, ["B", "A", "B", "A", "A"].map(|text| vector(text, 1)));
    }
    assert_eq!(*asked.lock().unwrap(), [["B", "A"]], "in the writing that came first");
}
