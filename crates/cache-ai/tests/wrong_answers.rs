//! What an outsider would try to be served, or to have kept, what is no answer to the question.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use cache_ai::{
    AiCache, AiRequest, AiSettings, Answer, AnswerStream, Chat, Control, EMBEDDING, EmbedSpec, ErrorKind,
    Generated, Kept, Loaded, OperationPolicy, Refused, Repeat, Replay, Responses, Source, Tenant, Usage,
    Which,
};
use cache_testkit::{FakeClock, ReferenceServer};
use common::{Model, acme, ask, private, process, shared, tier2_alone};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::oneshot;

const SECOND: Duration = Duration::from_secs(1);

/// In memory alone, in both tiers, and without a tier 1.
fn caches(clock: &Arc<FakeClock>, settings: impl Fn() -> AiSettings) -> [AiCache; 3] {
    let server = || ReferenceServer::new(clock.clone());
    [
        private(clock, settings()),
        process(clock, &server(), settings()),
        tier2_alone(clock, &server(), settings()),
    ]
}

async fn idle(cache: &AiCache) {
    let is_idle = || cache.cache().stats().loads.in_flight == 0;
    cache_testkit::eventually(5 * SECOND, "all is generated", is_idle).await.unwrap();
    // And is in the store before time goes on.
    cache_testkit::settle().await;
}

#[expect(clippy::needless_pass_by_value, reason = "what `json!` makes is a value")]
fn chunk(delta: Value, finish: Option<&str>) -> Value {
    json!({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
}

fn chat(text: &str) -> Chat {
    Chat(json!({"object": "chat.completion", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    ]}))
}

async fn complete(cache: &AiCache, request: &AiRequest, control: Control, text: &str) -> (String, Source) {
    let fresh = chat(text);
    let answer = cache.complete(request, control, || async { Loaded::Ok(fresh) }).await.unwrap();
    (answer.text().to_owned(), answer.meta().source)
}

async fn open(cache: &AiCache, request: &AiRequest, control: Control, text: &str) -> AnswerStream<Chat> {
    let events = [chunk(json!({"content": text}), None), chunk(json!({}), Some("stop"))];
    let generator = || async { Ok(stream::iter(events.map(Ok::<_, std::io::Error>))) };
    cache.stream(request, control, Replay::AtOnce, generator).await.unwrap()
}

async fn read(stream: AnswerStream<Chat>) -> String {
    let events: Vec<_> = stream.map(Result::unwrap).collect().await;
    let text = |event: &Value| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned);
    events.iter().filter_map(|event| text(event)).collect()
}

#[tokio::test]
async fn max_age_takes_no_stale_answer_either() {
    let clock = FakeClock::new();
    let policy = || OperationPolicy::new().ttl(100 * SECOND).stale_for(1000 * SECOND);
    for cache in caches(&clock, || AiSettings::new().operation("qa", policy())) {
        let model = Model::default();
        let get = async |control, says: &str| {
            (**cache.get_or_generate(&ask("x"), control, model.says(says)).await.unwrap()).clone()
        };
        for age in [0, 10, 500] {
            assert_eq!(get(Control::refresh(), "old").await, "old");
            idle(&cache).await;
            clock.advance(120 * SECOND);
            assert_eq!(get(Control::new().max_age(age * SECOND), "new").await, "new", "{age} s");
            assert_eq!(get(Control::new(), "?").await, "new", "it is kept");
        }
        assert_eq!(model.calls(), 6);
    }
}

#[tokio::test]
async fn an_error_that_is_passed_for_an_answer_is_not_kept() {
    let cache = private(&FakeClock::new(), AiSettings::new());
    let errors = [
        json!({"error": {"message": "Rate limit reached", "type": "requests", "code": "429"}}),
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
        json!({"error": "model not found"}),
    ];
    let answers = [
        json!({"error": null, "summary": "short"}),
        json!({"error": "", "summary": "short"}),
        json!({"error": {}, "summary": "short"}),
        json!({"error": 0.5, "precision": 0.2}),
        json!({"valid": false, "error": "a comma is missing"}),
        json!({"summary": {"error": {"message": "what it is about"}}}),
    ];
    let cases = errors.map(|it| (it, Some(Refused::Error))).into_iter().chain(answers.map(|it| (it, None)));
    for (at, (body, refused)) in cases.enumerate() {
        let (text, brought) = (at.to_string(), body.clone());
        let generator = || async { Loaded::Ok(Generated::new(brought)) };
        let answer = cache.get_or_generate(&ask(&text), Control::new(), generator).await.unwrap();
        assert_eq!((&**answer, answer.meta().refused), (&body, refused), "its caller gets it all the same");
        let unasked = || async { Loaded::Ok(Generated::new(json!("?"))) };
        let again = cache.get_or_generate(&ask(&text), Control::only_if_cached(), unasked).await;
        assert_eq!(again.is_ok(), refused.is_none(), "{body}");
        let kept = shared(&cache).cache_response(&text, "qa", &(), &body).await.unwrap();
        assert_eq!(kept, refused.map_or(Kept::Stored, Kept::Refused), "{body}");
    }
}

#[tokio::test]
async fn what_cannot_be_written_as_json_is_invalid_and_not_empty() {
    let cache = shared(&private(&FakeClock::new(), AiSettings::new()));
    let by_pair = std::collections::HashMap::from([((1u8, 2u8), 3u8)]);
    let kept = cache.cache_response("x", "qa", &(), &by_pair).await.unwrap();
    assert_eq!(kept, Kept::Refused(Refused::Invalid));
}

/// The message that a stream of these deltas makes.
fn folded(deltas: &[Value]) -> Option<Value> {
    let mut events: Vec<Value> = deltas.iter().map(|delta| chunk(delta.clone(), None)).collect();
    events.push(chunk(json!({}), Some("stop")));
    let whole = Chat::from_events(&events.iter().collect::<Vec<_>>())?;
    let again = whole.to_events(Some(1));
    assert_eq!(Chat::from_events(&again.iter().collect::<Vec<_>>()).as_ref(), Some(&whole), "it survives");
    Some(whole.0["choices"][0]["message"].clone())
}

#[test]
fn what_comes_in_pieces_is_put_together() {
    let call = folded(&[
        json!({"role": "assistant", "function_call": {"name": "f", "arguments": ""}}),
        json!({"function_call": {"arguments": "{\"a\":"}}),
        json!({"role": "assistant", "function_call": {"arguments": "1}"}}),
    ]);
    let call = call.unwrap();
    assert_eq!(call["function_call"], json!({"name": "f", "arguments": "{\"a\":1}"}));
    assert_eq!(call["role"], "assistant");
    let spoken = folded(&[
        json!({"audio": {"id": "a", "data": "QUJ", "transcript": "he"}}),
        json!({"audio": {"data": "DRA==", "transcript": "llo"}}),
        json!({"audio": {"expires_at": 7}}),
    ]);
    let expected = json!({"id": "a", "data": "QUJDRA==", "transcript": "hello", "expires_at": 7});
    assert_eq!(spoken.unwrap()["audio"], expected);
    let parts = folded(&[
        json!({"content": [{"type": "text", "text": "a"}]}),
        json!({"content": [{"type": "text", "text": "b"}]}),
    ]);
    assert_eq!(
        parts.unwrap()["content"],
        json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])
    );
}

#[test]
fn a_stream_that_nobody_knows_how_to_put_together_makes_no_answer() {
    // Of a text that nobody knows: was it to be added, or to be put in its place?
    assert_eq!(
        folded(&[json!({"thinking": "let "}), json!({"thinking": "me"}), json!({"content": "x"})]),
        None
    );
    assert_eq!(folded(&[json!({"content": [{"type": "thinking"}]}), json!({"content": "Hello"})]), None);
    let once = folded(&[json!({"thinking": "let me"}), json!({"content": "x"}), json!({"thinking": ""})]);
    assert_eq!(once.unwrap()["thinking"], "let me");
}

#[test]
fn what_is_known_of_a_choice_survives_a_stream() {
    let body = json!({"object": "chat.completion", "choices": [{
        "index": 0, "finish_reason": "stop", "content_filter_results": {"hate": {"filtered": false}},
        "message": {"role": "assistant", "content": [{"type": "text", "text": "in parts"}]},
    }]});
    let events = Chat(body.clone()).to_events(Some(2));
    assert_eq!(Chat::from_events(&events.iter().collect::<Vec<_>>()), Some(Chat(body)));
}

#[tokio::test]
async fn an_answer_of_another_kind_is_not_served() {
    let clock = FakeClock::new();
    for cache in caches(&clock, AiSettings::new) {
        let model = Model::default();
        cache.get_or_generate(&ask("x"), Control::new(), model.says("a text")).await.unwrap();
        idle(&cache).await;
        for _ in 0..2 {
            assert_eq!(
                complete(&cache, &ask("x"), Control::new(), "chat").await,
                ("chat".into(), Source::Generated)
            );
            let streamed = open(&cache, &ask("x"), Control::new(), "stream").await;
            assert_eq!(streamed.source(), Source::Generated, "a text has no events");
            assert_eq!(read(streamed).await, "stream");
        }
        let whole =
            cache.get_or_generate(&ask("x"), Control::only_if_cached(), model.says("?")).await.unwrap();
        assert_eq!(**whole, "a text", "whose it is, it stays");
        let body = json!({"status": "completed", "output": [{"type": "function_call"}]});
        let generator = || async { Loaded::Ok(Responses(body)) };
        complete(&cache, &ask("y"), Control::new(), "chat").await;
        idle(&cache).await;
        let other = cache.complete(&ask("y"), Control::new(), generator).await.unwrap();
        assert_eq!(other.0["status"], "completed");
    }
}

#[tokio::test]
async fn who_waits_for_an_answer_of_another_kind_gets_his_own() {
    let clock = FakeClock::new();
    for cache in caches(&clock, AiSettings::new) {
        let (started, has_started) = oneshot::channel();
        let (finish, finished) = oneshot::channel::<()>();
        let own = cache.clone();
        let text = tokio::spawn(async move {
            let generator = || async move {
                started.send(()).unwrap();
                finished.await.unwrap();
                Loaded::Ok(Generated::new("a text".to_owned()))
            };
            own.get_or_generate(&ask("x"), Control::new(), generator).await.unwrap()
        });
        has_started.await.unwrap();
        let (one, other) = (cache.clone(), cache.clone());
        let whole = tokio::spawn(async move { complete(&one, &ask("x"), Control::new(), "chat").await.0 });
        let streamed =
            tokio::spawn(async move { read(open(&other, &ask("x"), Control::new(), "stream").await).await });
        let both_wait = || cache.cache().stats().loads.joined == 2;
        cache_testkit::eventually(5 * SECOND, "both wait", both_wait).await.unwrap();
        finish.send(()).unwrap();
        assert_eq!((whole.await.unwrap(), streamed.await.unwrap()), ("chat".into(), "stream".into()));
        assert_eq!(**text.await.unwrap(), "a text");
    }
}

#[tokio::test]
async fn whole_readers_of_a_stream_share_one_answer() {
    let cache = private(&FakeClock::new(), AiSettings::new());
    read(open(&cache, &ask("x"), Control::new(), "streamed").await).await;
    idle(&cache).await;
    let whole = async || {
        let unasked = || async { Err::<Chat, _>(std::io::Error::other("asked")) };
        cache.complete(&ask("x"), Control::new(), unasked).await.unwrap().into_inner()
    };
    assert!(Arc::ptr_eq(&whole().await, &whole().await), "its events are put together once");
}

/// What is asked of the model for one caller alone, in every way.
fn alone() -> [(&'static str, Control); 3] {
    [("qa", Control::no_store()), ("qa", Control::refresh().and_no_store()), ("never", Control::new())]
}

fn never() -> AiSettings {
    AiSettings::new().operation("never", OperationPolicy::new().repeat(Repeat::Never))
}

#[tokio::test]
async fn who_asks_for_himself_is_not_held_up_by_a_hung_model() {
    let clock = FakeClock::new();
    let cache = private(&clock, never());
    for (operation, control) in alone() {
        let request = AiRequest::new(acme(), operation).text("x");
        let (own, asked) = (cache.clone(), request.clone());
        let plain = tokio::spawn(async move {
            let hung = || std::future::pending::<Loaded<Generated<String>>>();
            own.get_or_generate(&asked, control, hung).await.map(|_| ()).unwrap_err()
        });
        let own = cache.clone();
        let streamed = tokio::spawn(async move {
            type Events = stream::Iter<std::vec::IntoIter<Result<Value, std::io::Error>>>;
            let hung = || std::future::pending::<Result<Events, std::io::Error>>();
            let opened = own.stream::<Chat, _, _, _, _>(&request, control, Replay::AtOnce, hung);
            opened.await.map(|_| ()).unwrap_err()
        });
        let both_wait = || clock.sleepers() >= 2;
        cache_testkit::eventually(5 * SECOND, "both wait", both_wait).await.unwrap();
        clock.advance(120 * SECOND);
        for waiting in [plain, streamed] {
            let error = tokio::time::timeout(5 * SECOND, waiting).await.expect("it ends").unwrap();
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        }
    }
}

#[tokio::test]
async fn a_panic_of_the_callers_code_is_an_error_wherever_it_runs() {
    let policy = || OperationPolicy::new().validator(|_| panic!("the validator"));
    let settings = never().operation("strict", policy()).operation("never", policy());
    let cache = private(&FakeClock::new(), settings);
    let strict = [("strict", Control::new()), ("strict", Control::no_store())];
    for (operation, control) in alone().into_iter().chain(strict) {
        let request = AiRequest::new(acme(), operation).text("x");
        let panics = move || async move {
            assert!(operation == "strict", "the generator");
            Loaded::Ok(Generated::new("x".to_owned()))
        };
        let error = cache.get_or_generate(&request, control, panics).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Load, "{error}");
    }
}

#[tokio::test]
async fn embeddings_mind_their_operations_policy() {
    let embed = async |policy: OperationPolicy, temperature: Option<i32>| {
        let cache = private(&FakeClock::new(), AiSettings::new().operation(EMBEDDING, policy));
        let model = Model::default();
        for _ in 0..2 {
            let asked = model.clone();
            let embedder = move |texts: Vec<String>| {
                asked.one();
                async move { Loaded::Ok(vec![vec![1.0f32]; texts.len()]) }
            };
            let mut spec = EmbedSpec::new(Tenant::shared(), "e-1");
            if let Some(temperature) = temperature {
                spec = spec.option("temperature", temperature);
            }
            assert_eq!(cache.embed_many(&spec, &["a", "b", "a"], embedder).await.unwrap().len(), 3);
        }
        model.calls()
    };
    let exact = || OperationPolicy::new().repeat(Repeat::DeterministicOnly);
    assert_eq!((embed(exact(), None).await, embed(exact(), Some(0)).await), (2, 1));
}

#[tokio::test]
async fn usage_that_no_model_can_have_is_counted_without_overflow() {
    let cache = private(&FakeClock::new(), AiSettings::new());
    for at in 0..3 {
        let body = json!({
            "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": u64::MAX, "completion_tokens": u64::MAX},
        });
        let request = ask(&at.to_string());
        for _ in 0..2 {
            let body = Chat(body.clone());
            cache.complete(&request, Control::new(), || async { Loaded::Ok(body) }).await.unwrap();
        }
    }
    let total = cache.ledger().total;
    assert_eq!((total.calls_made, total.calls_saved), (3, 3));
    assert_eq!((total.input_tokens_spent, total.output_tokens_saved), (u64::MAX, u64::MAX));
    let embedder = |texts: Vec<String>| async move {
        let vectors = vec![vec![1.0f32]; texts.len()];
        let mut embedded = cache_ai::Embedded::from(vectors);
        embedded.usage = Usage::new(u64::MAX, 0);
        Loaded::Ok(embedded)
    };
    let spec = EmbedSpec::new(Tenant::shared(), "e-1");
    assert_eq!(cache.embed_many(&spec, &["a", "b", "c"], embedder).await.unwrap().len(), 3);
}

#[test]
fn prices_that_are_none_are_refused() {
    for price in [-1.0, f64::NAN, f64::INFINITY] {
        for (input, output) in [(price, 1.0), (1.0, price)] {
            let prices = cache_ai::PriceTable::new("USD").model("m-1", input, output);
            let clock = FakeClock::new();
            let builder =
                AiCache::builder(cache_ai::Namespace::new("t").unwrap()).local(common::tier(&clock));
            let error = builder.timer(clock).ai(AiSettings::new().prices(prices)).build().unwrap_err();
            assert!(error.message().contains("the price of `m-1`"), "{error}");
        }
    }
}

#[tokio::test]
async fn what_follows_the_end_of_an_import_is_not_lost_in_silence() {
    let clock = FakeClock::new();
    let recorded = async |text: &str| {
        let cache = private(&clock, AiSettings::new());
        cache.get_or_generate(&ask(text), Control::new(), Model::default().says("x")).await.unwrap();
        let mut file = Vec::new();
        cache.export(&mut file).await.unwrap();
        String::from_utf8(file).unwrap()
    };
    let (one, other) = (recorded("one").await, recorded("other").await);
    let cache = private(&clock, AiSettings::new());
    for file in [format!("{one}{other}"), format!("{one}x"), format!("{one}\n{{}}\n")] {
        let error = cache.import(file.as_bytes(), None).await.unwrap_err();
        assert!(error.is_validation() && error.message().contains("after the end"), "{error}");
        assert_eq!(cache.cache().stats().memory_usage.entries, 0);
    }
    assert_eq!(cache.import(format!("{one}\r\n\n").as_bytes(), None).await.unwrap().answers, 1);
}

#[tokio::test]
async fn credentials_are_no_tenants_and_are_not_shown() {
    let keys = [
        "AKIAIOSFODNN7EXAMPLE",
        "AIzaSyA-1234567890",
        "hf_abcdefghijkl",
        "github_pat_11A",
        " sk-live-1",
        "gsk_1",
        "eyJhbGciOiJIUzI1NiJ9.e30.c2ln",
        "xoxb-1234-abcd",
    ];
    for name in keys {
        let error = Tenant::new(name).unwrap_err();
        assert!(error.is_validation() && !error.to_string().contains(name), "{error}");
    }
    for name in ["acme", "sky", "hfx", "akia", "ann@example.com", "eyj", "Eyjafjord", "xox", "xoxo-cards"] {
        assert!(Tenant::new(name).is_ok(), "{name}");
    }
}

#[test]
fn a_cache_is_shown_in_a_few_words() {
    let clock = FakeClock::new();
    let cache = process(&clock, &ReferenceServer::new(clock.clone()), AiSettings::new());
    let shown = format!("{cache:?}");
    assert!(shown.len() < 2_000, "{} bytes: {}…", shown.len(), &shown[..500]);
}

/// Every way to void an answer, beside every way to generate one: what was asked before is served to nobody who asks after.
#[tokio::test]
async fn what_is_voided_while_it_is_generated_is_served_to_nobody_who_asks_later() {
    let clock = FakeClock::new();
    let request = || ask("x").prompt_version("1").tag("t");
    let all = [
        Some(Which::Operation("qa".into())),
        Some(Which::Model("m-1".into())),
        Some(Which::PromptVersion { operation: "qa".into(), version: "1".into() }),
        Some(Which::Tenant(acme())),
        Some(Which::Tag("t".into())),
        None,
    ];
    let void = async |cache: &AiCache, which: &Option<Which>| match which {
        Some(which) => cache.invalidate(which).await.unwrap(),
        None => cache.forget(&request()).await.unwrap(),
    };
    for (which, renews) in all.iter().flat_map(|which| [(which, false), (which, true)]) {
        for cache in caches(&clock, AiSettings::new) {
            let mut control = Control::new();
            if renews {
                complete(&cache, &request(), control, "first").await;
                idle(&cache).await;
                control = Control::refresh();
            }
            clock.advance(SECOND);
            let (started, has_started) = oneshot::channel();
            let (finish, finished) = oneshot::channel::<()>();
            let own = cache.clone();
            let running = tokio::spawn(async move {
                let generator = || async move {
                    started.send(()).unwrap();
                    finished.await.unwrap();
                    Loaded::Ok(chat("old"))
                };
                own.complete(&request(), control, generator).await.unwrap()
            });
            has_started.await.unwrap();
            void(&cache, which).await;
            let own = cache.clone();
            let late = tokio::spawn(async move { complete(&own, &request(), Control::new(), "new").await.0 });
            cache_testkit::settle().await;
            finish.send(()).unwrap();
            assert_eq!((running.await.unwrap().text(), &*late.await.unwrap()), ("old", "new"), "{which:?}");
            idle(&cache).await;
            assert_eq!(complete(&cache, &request(), Control::new(), "?").await.0, "new", "{which:?}");

            let mut live = open(&cache, &request(), Control::refresh(), "old").await;
            live.next().await.unwrap().unwrap();
            void(&cache, which).await;
            let own = cache.clone();
            let late =
                tokio::spawn(async move { complete(&own, &request(), Control::new(), "newer").await.0 });
            cache_testkit::settle().await;
            read(live).await;
            assert_eq!(late.await.unwrap(), "newer", "{which:?}");
            idle(&cache).await;
            assert_eq!(complete(&cache, &request(), Control::new(), "?").await.0, "newer", "{which:?}");
        }
    }
}
