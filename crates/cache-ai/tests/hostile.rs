//! Many who ask at once, in every way that there is: everybody gets the answer to his own question.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache_ai::{
    AiCache, AiRequest, AiSettings, Chat, Control, Digest, EmbedSpec, Finish, Generated, Loaded, Namespace,
    OperationPolicy, PriceTable, Repeat, Replay, Sums, Tenant, Usage,
};
use cache_memory::MemoryTier;
use cache_testkit::{FakeClock, ReferenceServer, eventually};
use cache_tiered::TokioTimer;
use common::{Model, acme, ask, one_name, private};
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

const WAIT: Duration = Duration::from_secs(10);

/// In memory alone, and in front of a store; by the system's clock, because who waits for another looks again by it.
fn both(settings: impl Fn() -> AiSettings) -> [AiCache; 2] {
    let timer = Arc::new(TokioTimer::new());
    let server = ReferenceServer::new(timer.clone());
    tokio::spawn(server.keep_alive(timer.clone(), Duration::from_millis(50)));
    let builder = || {
        let tier = Arc::new(MemoryTier::new(10_000, 64 << 20, timer.clone()).unwrap());
        AiCache::builder(Namespace::new("test").unwrap()).local(tier).timer(timer.clone()).ai(settings())
    };
    [builder().build().unwrap(), builder().store(Arc::new(server.connect())).build().unwrap()]
}

async fn is_idle(cache: &AiCache) {
    eventually(WAIT, "nothing is under way", || cache.cache().stats().loads.in_flight == 0).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_request_as_two_plain_types_at_once_is_answered_in_both() {
    for cache in both(AiSettings::new) {
        for round in 0..40 {
            let asking = (0..12).map(|caller| {
                let (cache, request) = (cache.clone(), ask(&round.to_string()));
                let control = [Control::new(), Control::refresh(), Control::no_cache()][caller / 2 % 3];
                tokio::spawn(async move {
                    if caller % 2 == 0 {
                        let say = || async { Loaded::Ok(Generated::new("seven".to_owned())) };
                        let answer = cache.get_or_generate(&request, control, say).await.unwrap();
                        assert_eq!(**answer, "seven");
                    } else {
                        let say = || async { Loaded::Ok(Generated::new(vec![7u32])) };
                        let answer = cache.get_or_generate(&request, control, say).await.unwrap();
                        assert_eq!(**answer, [7]);
                    }
                })
            });
            for answered in join_all(asking.collect::<Vec<_>>()).await {
                answered.unwrap();
            }
        }
        is_idle(&cache).await;
    }
}

/// Requests of which no two are the same question.
fn all_apart() -> Vec<AiRequest> {
    let mut all = Vec::new();
    for tenant in ["a", "a:b", "A"] {
        for (operation, model) in [("qa", "m-1"), ("qa_long", "m-1"), ("b:qa", "m-1"), ("qa", "m-2")] {
            let plain = || {
                AiRequest::new(Tenant::new(tenant).unwrap(), operation).model(model).message("user", "Where?")
            };
            all.extend([
                plain(),
                plain().option("temperature", 0),
                plain().option("temperature", 0.1),
                plain().option("extra", json!({"deep": [1, "1"]})),
                plain().option("extra", json!({"deep": ["1", 1]})),
                plain().tool(json!({"name": "f"})),
                plain().tool(json!({"name": "f"})).tool(json!({"name": "g"})),
                plain().tool(json!({"name": "g"})).tool(json!({"name": "f"})),
                plain().attachment(Digest::of(b"an image")),
                plain().attachment(Digest::of(b"another")),
                plain().guard("words"),
                plain().system("Where?"),
                plain().prompt_version("1"),
                plain().snapshot("1"),
                plain().provider("1"),
                plain().response_format(json!("1")),
                plain().text("Where?"),
            ]);
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_that_differ_in_anything_are_answered_apart_however_many_ask_at_once() {
    for cache in both(AiSettings::new) {
        let requests = all_apart();
        let model = Model::default();
        let asking = (0..3).flat_map(|_| requests.iter().cloned().enumerate()).map(|(number, request)| {
            let (cache, model) = (cache.clone(), model.clone());
            tokio::spawn(async move {
                let answer =
                    cache.get_or_generate(&request, Control::new(), model.says(&number.to_string())).await;
                assert_eq!(**answer.unwrap(), number.to_string(), "{request:?}");
            })
        });
        for answered in join_all(asking.collect::<Vec<_>>()).await {
            answered.unwrap();
        }
        assert_eq!(model.calls(), requests.len());
        let total = cache.ledger().total;
        assert_eq!((total.calls_made, total.calls_saved), (requests.len() as u64, 2 * requests.len() as u64));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_one_name_all_are_answered_apart_in_every_way() {
    for cache in both(|| AiSettings::new().name_bits(one_name)) {
        let asking = (0..60).map(|at| {
            let (cache, request) = (cache.clone(), ask(&(at % 6).to_string()));
            let control = [Control::new(), Control::refresh(), Control::no_store()][at % 3];
            tokio::spawn(async move {
                let said = (at % 6).to_string();
                let answer = cache.get_or_generate(&request, control, Model::default().says(&said)).await;
                assert_eq!(**answer.unwrap(), said);
            })
        });
        for answered in join_all(asking.collect::<Vec<_>>()).await {
            answered.unwrap();
        }
    }
}

fn chunk(delta: &Value, end: Option<&str>) -> Value {
    json!({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": end}]})
}

fn chunks() -> Vec<Value> {
    let mut all: Vec<Value> =
        ["It ", "is ", "sunny."].map(|word| chunk(&json!({"content": word}), None)).into();
    all.insert(0, chunk(&json!({"role": "assistant", "reasoning_content": "Hm."}), None));
    all.push(chunk(&json!({}), Some("stop")));
    all
}

async fn stream_of(cache: &AiCache, model: &Model, control: Control) -> cache_ai::AnswerStream<Chat> {
    let model = model.clone();
    let generator = || async move {
        model.one();
        // Not all in one go, so that others come in between.
        Ok::<_, std::io::Error>(stream::iter(chunks()).then(|event| async {
            tokio::task::yield_now().await;
            Ok(event)
        }))
    };
    cache.stream(&ask("x"), control, Replay::AtOnce, generator).await.unwrap()
}

async fn read(stream: cache_ai::AnswerStream<Chat>) -> String {
    let events: Vec<Arc<Value>> = stream.map(Result::unwrap).collect().await;
    let events: Vec<&Value> = events.iter().map(|event| &**event).collect();
    text_of(&cache_ai::Answer::from_events(&events).unwrap())
}

fn text_of(chat: &Chat) -> String {
    let message = &chat.0["choices"][0]["message"];
    format!("{}|{}", message["reasoning_content"].as_str().unwrap(), message["content"].as_str().unwrap())
}

async fn whole(cache: &AiCache, model: &Model, control: Control) -> String {
    let model = model.clone();
    let generator = || async move {
        model.one();
        let message = json!({"role": "assistant", "content": "It is sunny.", "reasoning_content": "Hm."});
        Ok::<_, std::io::Error>(Chat(
            json!({"choices": [{"index": 0, "finish_reason": "stop", "message": message}]}),
        ))
    };
    text_of(&cache.complete(&ask("x"), control, generator).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_leader_that_leaves_at_any_event_hands_over_to_one_of_those_who_wait() {
    for cache in both(AiSettings::new) {
        for after in 0..=chunks().len() {
            cache.invalidate(&cache_ai::Which::Tenant(acme())).await.unwrap();
            let (model, joined) = (Model::default(), cache.cache().stats().loads.joined);
            let mut leader = stream_of(&cache, &model, Control::new()).await;
            for _ in 0..after {
                leader.next().await.unwrap().unwrap();
            }
            let waiting = (0..6).map(|at| {
                let (cache, model) = (cache.clone(), model.clone());
                tokio::spawn(async move {
                    if at % 2 == 0 {
                        read(stream_of(&cache, &model, Control::new()).await).await
                    } else {
                        whole(&cache, &model, Control::new()).await
                    }
                })
            });
            let waiting: Vec<_> = waiting.collect();
            eventually(WAIT, "all wait", || cache.cache().stats().loads.joined - joined >= 6).await.unwrap();
            drop(leader);
            for answer in join_all(waiting).await {
                assert_eq!(answer.unwrap(), "Hm.|It is sunny.", "after {after}");
            }
            assert_eq!(model.calls(), 2, "the one who left, and one for all others: after {after}");
            is_idle(&cache).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_of_every_kind_at_once_all_get_the_whole_answer() {
    for cache in both(AiSettings::new) {
        for round in 0..20 {
            let model = Model::default();
            let reading = (0..16).map(|at| {
                let (cache, model) = (cache.clone(), model.clone());
                tokio::spawn(async move {
                    let controls = [
                        Control::new(),
                        Control::new(),
                        Control::refresh(),
                        Control::no_cache(),
                        Control::no_store(),
                    ];
                    let control = controls[(at + round) % controls.len()];
                    match at % 4 {
                        0 => whole(&cache, &model, control).await,
                        1 if at > 8 => {
                            // Leaves in the middle.
                            let mut stream = stream_of(&cache, &model, control).await;
                            stream.next().await.unwrap().unwrap();
                            "Hm.|It is sunny.".into()
                        }
                        _ => read(stream_of(&cache, &model, control).await).await,
                    }
                })
            });
            for answer in join_all(reading.collect::<Vec<_>>()).await {
                assert_eq!(answer.unwrap(), "Hm.|It is sunny.");
            }
            is_idle(&cache).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn samples_are_generated_once_each_and_served_in_turn_however_many_ask_at_once() {
    for cache in both(|| AiSettings::new().operation("qa", OperationPolicy::new().repeat(Repeat::Samples(3))))
    {
        let made = Arc::new(Mutex::new(0));
        let asking = (0..30).map(|_| {
            let (cache, made) = (cache.clone(), Arc::clone(&made));
            tokio::spawn(async move {
                let generator = move || async move {
                    tokio::task::yield_now().await;
                    let mut made = made.lock().unwrap();
                    *made += 1;
                    Loaded::Ok(Generated::new(made.to_string()))
                };
                let answer = cache.get_or_generate(&ask("x"), Control::new(), generator).await.unwrap();
                (**answer).clone()
            })
        });
        let mut served = BTreeMap::new();
        for answer in join_all(asking.collect::<Vec<_>>()).await {
            *served.entry(answer.unwrap()).or_insert(0) += 1;
        }
        assert_eq!(
            served.into_iter().collect::<Vec<_>>(),
            [("1", 10), ("2", 10), ("3", 10)].map(|(a, n)| (a.to_owned(), n))
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_cache_beside_a_flight_is_what_is_kept() {
    for cache in both(AiSettings::new) {
        let (finish, finished) = tokio::sync::oneshot::channel::<()>();
        let (begin, begun) = tokio::sync::oneshot::channel::<()>();
        let old = tokio::spawn({
            let cache = cache.clone();
            async move {
                let generator = || async {
                    begin.send(()).unwrap();
                    finished.await.unwrap();
                    Loaded::Ok(Generated::new("old".to_owned()))
                };
                (**cache.get_or_generate(&ask("x"), Control::new(), generator).await.unwrap()).clone()
            }
        });
        begun.await.unwrap();
        let model = Model::default();
        for said in ["newer", "newest"] {
            let answer =
                cache.get_or_generate(&ask("x"), Control::no_cache(), model.says(said)).await.unwrap();
            assert_eq!(**answer, said);
        }
        finish.send(()).unwrap();
        assert_eq!(old.await.unwrap(), "old");
        is_idle(&cache).await;
        let kept = cache.get_or_generate(&ask("x"), Control::new(), model.says("?")).await.unwrap();
        assert_eq!((&***kept, model.calls()), ("newest", 2));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn vectors_of_batches_at_once_are_their_texts_with_every_overlap() {
    let vector = |text: &str| vec![text.len() as f32, text.bytes().map(f32::from).sum::<f32>() + 0.5];
    for cache in both(AiSettings::new) {
        for round in 0..20u32 {
            let asked = Arc::new(Mutex::new(Vec::new()));
            let batches = (0..6u32).map(|batch| {
                let (cache, asked) = (cache.clone(), Arc::clone(&asked));
                tokio::spawn(async move {
                    let texts: Vec<String> = (0..12u32)
                        .map(|at| format!("{round}:{}", (at * 7 + batch * 3) % (5 + batch)))
                        .collect();
                    let embedder = move |texts: Vec<String>| {
                        let asked = Arc::clone(&asked);
                        async move {
                            tokio::task::yield_now().await;
                            asked.lock().unwrap().extend(texts.clone());
                            Loaded::Ok(texts.iter().map(|text| vector(text)).collect::<Vec<_>>())
                        }
                    };
                    let spec = EmbedSpec::new(Tenant::shared(), "e-1").dimensions(2);
                    let vectors = cache.embed_many(&spec, &texts, embedder).await.unwrap();
                    for (text, got) in texts.iter().zip(vectors) {
                        assert_eq!(got.0, vector(text), "{text}");
                    }
                })
            });
            for done in join_all(batches.collect::<Vec<_>>()).await {
                done.unwrap();
            }
            let asked = asked.lock().unwrap();
            let once: HashSet<&String> = asked.iter().collect();
            assert_eq!(once.len(), 10);
            assert_eq!(asked.len(), once.len(), "each text once, whoever asked first: {asked:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_ledger_adds_up_whatever_happens_at_once() {
    let prices = || PriceTable::new("EUR").model("m-0", 1.0, 2.0).model("m-1", 10.0, 20.0);
    for cache in both(|| AiSettings::new().prices(prices())) {
        let asking = (0..120u64).map(|at| {
            let cache = cache.clone();
            tokio::spawn(async move {
                let (model, tenant) = (at % 3, at % 2);
                let tenant = Tenant::new(&format!("t-{tenant}")).unwrap();
                let request = AiRequest::new(tenant, "qa")
                    .model(format!("m-{model}"))
                    .message("user", (at % 5).to_string());
                let control = if at % 10 == 9 { Control::no_cache() } else { Control::new() };
                let generator = move || async move {
                    tokio::task::yield_now().await;
                    let usage = Usage::new(1_000_000, 500_000);
                    Loaded::Ok(Generated::new("x".to_owned()).usage(usage).finish(Finish::Stop))
                };
                cache.get_or_generate(&request, control, generator).await.unwrap().meta().source
            })
        });
        let mut by_source = HashMap::new();
        for source in join_all(asking.collect::<Vec<_>>()).await {
            *by_source.entry(source.unwrap()).or_insert(0u64) += 1;
        }
        let ledger = cache.ledger();
        let made = by_source[&cache_ai::Source::Generated];
        assert_eq!((ledger.total.calls_made, ledger.total.calls_saved), (made, 120 - made), "{by_source:?}");
        let mut sums = Sums::default();
        for line in &ledger.lines {
            let price = match line.model.as_deref() {
                Some("m-0") => 2.0,
                Some("m-1") => 20.0,
                _ => 0.0,
            };
            let is = |money: f64, calls: u64| (money - price * calls as f64).abs() < 1e-6;
            assert!(is(line.sums.money_saved, line.sums.calls_saved), "{line:?}");
            assert!(is(line.sums.money_spent, line.sums.calls_made), "{line:?}");
            assert_eq!(line.sums.input_tokens_saved, 1_000_000 * line.sums.calls_saved);
            assert_eq!(line.sums.output_tokens_spent, 500_000 * line.sums.calls_made);
            sums.calls_saved += line.sums.calls_saved;
            sums.calls_made += line.sums.calls_made;
        }
        assert_eq!((sums.calls_saved, sums.calls_made), (120 - made, made));
        assert_eq!(ledger.lines.len(), 6);
        let stats = &cache.stats().operations["qa"];
        assert_eq!((stats.hits + stats.misses, stats.misses - stats.joined), (120, made));
    }
}

#[tokio::test]
async fn the_guides_calls_and_whole_requests_are_different_questions() {
    let cache = private(&FakeClock::new(), AiSettings::new());
    let tenant = cache.for_tenant(acme());
    let _ = tenant.cache_response("Where?", "qa", &(), &"guide".to_owned()).await.unwrap();
    let request = AiRequest::new(acme(), "qa").text("Where?");
    let answer =
        cache.get_or_generate(&request, Control::new(), Model::default().says("whole")).await.unwrap();
    assert_eq!(**answer, "whole");
    let guide = tenant.get_cached_response::<String>("Where?", "qa", &json!({})).await.unwrap().unwrap();
    assert_eq!(**guide, "guide");
}
