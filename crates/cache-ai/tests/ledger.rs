//! The ledger and the statistics hold what models were asked for, whoever got it, and what was spared.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache_ai::{
    AiCache, AiSettings, Chat, Control, EMBEDDING, EmbedSpec, Embedded, Error, ErrorKind, Finish, Generated,
    Loaded, OperationPolicy, OperationStats, PriceTable, Replay, Source, Sums, Tenant, Usage,
};
use cache_testkit::{FakeClock, eventually, settle};
use common::{Model, ask, one_name, private};
use futures_util::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::oneshot;

const SECOND: Duration = Duration::from_secs(1);
const MILLION: u64 = 1_000_000;

fn priced() -> AiSettings {
    AiSettings::new().prices(PriceTable::new("EUR").model("m-1", 1.0, 1.0).model("e-1", 1.0, 1.0))
}

async fn idle(cache: &AiCache) {
    eventually(5 * SECOND, "idle", || cache.cache().stats().loads.in_flight == 0).await.unwrap();
    settle().await;
}

fn total(cache: &AiCache) -> Sums {
    cache.ledger().total
}

fn seen(cache: &AiCache, operation: &str) -> OperationStats {
    cache.stats().operations.get(operation).cloned().unwrap_or_default()
}

/// Waits until so many requests of `qa` are counted: that is done after the end of a stream.
async fn counted(cache: &AiCache, requests: u64) {
    let is_counted = || seen(cache, "qa").hits + seen(cache, "qa").misses >= requests;
    eventually(5 * SECOND, "it is counted", is_counted).await.unwrap();
    idle(cache).await;
}

/// An answer of a million tokens.
fn dear() -> Generated<String> {
    Generated::new("x".to_owned()).usage(Usage::new(MILLION, 0)).finish(Finish::Stop)
}

/// A generator of dear answers, which counts.
fn asks(model: &Model) -> impl FnOnce() -> std::future::Ready<Loaded<Generated<String>>> + Send + 'static {
    let model = model.clone();
    move || {
        model.one();
        std::future::ready(Ok(dear()))
    }
}

fn piece(text: &str, end: Option<&str>) -> Value {
    json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": end}]})
}

/// The events of an answer of a million tokens.
fn dear_events() -> [Value; 2] {
    let mut last = piece("b", Some("stop"));
    last["usage"] = json!({"prompt_tokens": MILLION, "completion_tokens": 0});
    [piece("a", None), last]
}

type Event = Result<Value, std::io::Error>;

async fn open<S: Stream<Item = Event> + Send + 'static>(
    cache: &AiCache,
    control: Control,
    events: Result<S, std::io::Error>,
) -> Result<cache_ai::AnswerStream<Chat>, Error> {
    cache.stream(&ask("x"), control, Replay::AtOnce, || async { events }).await
}

fn some(
    events: impl IntoIterator<Item = Value>,
) -> Result<stream::Iter<std::vec::IntoIter<Event>>, std::io::Error> {
    Ok(stream::iter(events.into_iter().map(Ok).collect::<Vec<_>>()))
}

fn e_1() -> EmbedSpec {
    EmbedSpec::new(Tenant::shared(), "e-1")
}

/// A model that takes its time for a batch, and so many tokens.
fn embedder(
    clock: &Arc<FakeClock>,
    took: Duration,
    dimensions: usize,
    tokens: u64,
) -> impl Fn(Vec<String>) -> std::future::Ready<Loaded<Embedded>> + Send + Sync + 'static {
    let clock = Arc::clone(clock);
    move |texts| {
        clock.advance(took);
        let vectors = vec![vec![1.0; dimensions]; texts.len()];
        std::future::ready(Ok(Embedded { vectors, usage: Usage::new(tokens, 0) }))
    }
}

#[tokio::test]
async fn what_a_caller_left_behind_was_spent() {
    let cache = private(&FakeClock::new(), priced());
    let (open, gate) = oneshot::channel::<()>();
    let own = cache.clone();
    let asking = tokio::spawn(async move {
        let generator = || async {
            gate.await.unwrap();
            Loaded::Ok(dear())
        };
        own.get_or_generate(&ask("x"), Control::new(), generator).await.unwrap();
    });
    settle().await;
    asking.abort();
    settle().await;
    open.send(()).unwrap();
    idle(&cache).await;
    assert_eq!((total(&cache).calls_made, total(&cache).money_spent), (1, 1.0));
}

#[tokio::test]
async fn each_generation_is_spent_once_whoever_it_was_for() {
    let clock = FakeClock::new();
    let policy = OperationPolicy::new().ttl(100 * SECOND).stale_for(1000 * SECOND);
    let settings = [priced(), priced().name_bits(one_name)];
    for settings in settings {
        let cache = private(&clock, settings.operation("qa", policy.clone()));
        let model = Model::default();
        let controls = [Control::new(), Control::no_cache(), Control::no_store(), Control::refresh()];
        for control in controls.iter().cycle().take(12) {
            // Two at a time, of two questions, and renewals of what is stale.
            let (x, y) = (ask("x"), ask("y"));
            let asked = [&x, &x, &y].map(|it| cache.get_or_generate(it, *control, asks(&model)));
            for answer in futures_util::future::join_all(asked).await {
                answer.unwrap();
            }
            idle(&cache).await;
            clock.advance(150 * SECOND);
        }
        for control in controls {
            let live = open(&cache, control, some(dear_events())).await.unwrap();
            let before = seen(&cache, "qa").hits + seen(&cache, "qa").misses;
            let is_live = live.source() == Source::Generated;
            if is_live {
                model.one();
            }
            assert_eq!(live.count().await, 2);
            counted(&cache, before + u64::from(is_live)).await;
            clock.advance(2000 * SECOND);
        }
        let total = total(&cache);
        assert_eq!(
            (total.calls_made, total.input_tokens_spent),
            (model.calls() as u64, model.calls() as u64 * MILLION)
        );
    }
}

#[tokio::test]
async fn a_stream_that_was_waited_for_too_long_and_read_to_its_end_was_spent() {
    let clock = FakeClock::new();
    let cache = private(&clock, priced());
    let own = Arc::clone(&clock);
    let events = stream::iter(dear_events()).then(move |event| {
        let clock = Arc::clone(&own);
        async move {
            clock.advance(500 * SECOND);
            settle().await;
            Ok(event)
        }
    });
    let live = open(&cache, Control::new(), Ok(Box::pin(events))).await.unwrap();
    assert!(live.collect::<Vec<_>>().await.iter().all(Result::is_ok));
    counted(&cache, 1).await;
    assert_eq!((total(&cache).calls_made, total(&cache).input_tokens_spent), (1, MILLION));
    assert_eq!((seen(&cache, "qa").misses, seen(&cache, "qa").text_tiers), (1, [1, 0, 0, 0]));
    let left = open(&cache, Control::only_if_cached(), some(dear_events())).await;
    assert_eq!(left.unwrap_err().kind(), ErrorKind::Load, "nobody waits for it any more, and it is not kept");
}

#[tokio::test]
async fn what_failed_was_cut_or_was_left_was_a_miss() {
    let clock = FakeClock::new();
    let cache = private(&clock, priced());
    let failing = || async { Err::<Generated<String>, _>(std::io::Error::other("no")) };
    cache.get_or_generate(&ask("x"), Control::new(), failing).await.unwrap_err();
    assert_eq!(seen(&cache, "qa").misses, 1);
    for control in [Control::new(), Control::no_store()] {
        let before = seen(&cache, "qa").misses;
        let unopened = Err::<stream::Empty<Event>, _>(std::io::Error::other("no"));
        open(&cache, control, unopened).await.unwrap_err();
        counted(&cache, before + 1).await;
        assert_eq!(open(&cache, control, some([piece("cut", None)])).await.unwrap().count().await, 1);
        counted(&cache, before + 2).await;
        let broken = stream::iter([Ok(piece("a", None)), Err(std::io::Error::other("no"))]);
        assert_eq!(open(&cache, control, Ok(broken)).await.unwrap().count().await, 2);
        counted(&cache, before + 3).await;
        drop(open(&cache, control, some(dear_events())).await.unwrap());
        counted(&cache, before + 4).await;
        assert_eq!(seen(&cache, "qa").misses - before, 4);
    }
    let fails = |_| async { Err::<Vec<Vec<f32>>, _>(std::io::Error::other("no")) };
    cache.embed_many(&e_1(), &["a", "b"], fails).await.unwrap_err();
    for (operation, misses) in [("qa", 9), (EMBEDDING, 2)] {
        let seen = seen(&cache, operation);
        assert_eq!((seen.hits, seen.misses, seen.text_tiers), (0, misses, [misses, 0, 0, 0]), "{operation}");
    }
    assert_eq!(total(&cache), Sums::default());
}

#[tokio::test]
async fn a_stale_answer_to_a_stream_that_cannot_be_opened_is_stale() {
    let clock = FakeClock::new();
    let policy = OperationPolicy::new().ttl(100 * SECOND).stale_for(1000 * SECOND);
    let cache = private(&clock, priced().operation("qa", policy));
    assert_eq!(open(&cache, Control::new(), some(dear_events())).await.unwrap().count().await, 2);
    idle(&cache).await;
    clock.advance(150 * SECOND);
    let failing = Err::<stream::Empty<Event>, _>(std::io::Error::other("no"));
    let stale = open(&cache, Control::new(), failing).await.unwrap();
    assert_eq!((stale.source(), stale.meta().unwrap().source), (Source::Stale, Source::Stale));
    let counted = seen(&cache, "qa");
    assert_eq!((counted.hits, counted.stale_hits, counted.misses, counted.joined), (1, 1, 1, 0));
    // Who waits for another's stream joins it, although there is a stale answer.
    let (send, sent) = tokio::sync::mpsc::unbounded_channel::<Value>();
    let events = stream::unfold(sent, |mut sent| async { Some((Ok(sent.recv().await?), sent)) });
    let live = open(&cache, Control::new(), Ok(Box::pin(events))).await.unwrap();
    let reading = tokio::spawn(live.count());
    let (own, other) = (cache.clone(), some(dear_events()));
    let waiting = tokio::spawn(async move { open(&own, Control::new(), other).await.unwrap().source() });
    settle().await;
    dear_events().into_iter().for_each(|event| send.send(event).unwrap());
    drop(send);
    assert_eq!((reading.await.unwrap(), waiting.await.unwrap()), (2, Source::Joined));
}

#[tokio::test]
async fn the_time_that_a_reader_takes_is_not_the_models() {
    let clock = FakeClock::new();
    let cache = private(&clock, priced());
    let own = Arc::clone(&clock);
    // Two seconds for each event, and as long for their end.
    let events = stream::iter(dear_events()).then(move |event| {
        own.advance(2 * SECOND);
        std::future::ready(Ok(event))
    });
    let mut live = open(&cache, Control::new(), Ok(events)).await.unwrap();
    while live.next().await.is_some() {
        clock.advance(60 * SECOND);
        settle().await;
    }
    idle(&cache).await;
    let took = seen(&cache, "qa").generation_latency.p50;
    assert!((3_900_000..4_100_000).contains(&took), "{took} µs");
    cache
        .complete(&ask("x"), Control::only_if_cached(), || async { Loaded::Ok(Chat::default()) })
        .await
        .unwrap();
    assert_eq!(total(&cache).milliseconds_saved, 4000);
}

#[tokio::test]
async fn a_batch_costs_and_saves_what_it_took_and_no_more() {
    let clock = FakeClock::new();
    let cache = private(&clock, priced());
    let texts: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    for _ in 0..2 {
        cache.embed_many(&e_1(), &texts, embedder(&clock, SECOND, 2, 101)).await.unwrap();
    }
    let total = total(&cache);
    assert_eq!((total.input_tokens_spent, total.input_tokens_saved), (101, 101));
    assert_eq!(total.milliseconds_saved, 1000);
}

#[tokio::test]
async fn a_batch_that_is_an_error_was_spent_all_the_same() {
    let clock = FakeClock::new();
    let cache = private(&clock, priced());
    cache.embed_many(&e_1(), &["a"], embedder(&clock, SECOND, 2, 100)).await.unwrap();
    cache.embed_many(&e_1(), &["a", "b"], embedder(&clock, SECOND, 3, 50)).await.unwrap_err();
    assert_eq!((total(&cache).input_tokens_spent, total(&cache).calls_saved), (150, 0));
    assert_eq!((seen(&cache, EMBEDDING).hits, seen(&cache, EMBEDDING).misses), (0, 2));
}

#[tokio::test]
async fn a_hit_in_a_batch_does_not_take_as_long_as_the_model() {
    let clock = FakeClock::new();
    let cache = private(&clock, priced());
    cache.embed_many(&e_1(), &["a"], embedder(&clock, SECOND, 2, 1)).await.unwrap();
    cache.embed_many(&e_1(), &["a", "b"], embedder(&clock, 30 * SECOND, 2, 1)).await.unwrap();
    let seen = seen(&cache, EMBEDDING);
    assert_eq!((seen.hits, seen.misses), (1, 2));
    assert!(seen.hit_latency.p99 < 1000 && seen.generation_latency.p99 > 29_000_000, "{seen:?}");
    assert_eq!(total(&cache).milliseconds_saved, 1000);
}

#[tokio::test]
async fn a_vector_that_another_batch_brings_is_joined() {
    let clock = FakeClock::new();
    let cache = private(&clock, priced());
    cache.embed_many(&e_1(), &["there"], embedder(&clock, SECOND, 1, 1)).await.unwrap();
    let (open, gate) = oneshot::channel::<()>();
    let gate = Mutex::new(Some(gate));
    let own = cache.clone();
    let first = tokio::spawn(async move {
        let embedder = move |texts: Vec<String>| {
            let gate = gate.lock().unwrap().take().unwrap();
            async move {
                gate.await.unwrap();
                Loaded::Ok(vec![vec![1.0]; texts.len()])
            }
        };
        own.embed_many(&e_1(), &["a"], embedder).await.unwrap();
    });
    settle().await;
    let own = cache.clone();
    let second = tokio::spawn(async move {
        let unasked = |_: Vec<String>| async { Err::<Vec<Vec<f32>>, _>(std::io::Error::other("no")) };
        own.embed_many(&e_1(), &["a", "there"], unasked).await.unwrap();
    });
    settle().await;
    clock.advance(20 * SECOND);
    open.send(()).unwrap();
    first.await.unwrap();
    second.await.unwrap();
    let seen = seen(&cache, EMBEDDING);
    assert_eq!((seen.hits, seen.misses, seen.joined), (1, 3, 1), "{seen:?}");
    assert_eq!(seen.hit_latency.p99, 0, "nobody knows how long the hit took");
}

#[tokio::test]
async fn prices_are_such_that_sums_of_them_are_numbers() {
    for price in [-0.1, 1_000_000.1, f64::MAX, f64::INFINITY, f64::NAN] {
        let builder = AiCache::builder(cache_ai::Namespace::new("test").unwrap())
            .local(common::tier(&FakeClock::new()));
        let settings = AiSettings::new().prices(PriceTable::new("EUR").model("m-1", 1.0, price));
        let error = builder.ai(settings).build().unwrap_err();
        assert!(error.message().contains("0 to 1000000 are allowed"), "{error}");
    }
    let settings = AiSettings::new().prices(PriceTable::new("EUR").model("m-1", 1e6, 1e6));
    let cache = private(&FakeClock::new(), settings);
    for _ in 0..3 {
        let generator =
            || async { Loaded::Ok(Generated::new("x".to_owned()).usage(Usage::new(u64::MAX, u64::MAX))) };
        cache.get_or_generate(&ask("x"), Control::new(), generator).await.unwrap();
    }
    assert!(total(&cache).money_saved.is_finite() && total(&cache).money_saved > 1e19);
}
