//! How old an answer is, when the store does not answer at once.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::time::Duration;

use cache_ai::{AiCache, AiSettings, Chat, Control, ErrorKind, Loaded, Replay, Source};
use cache_testkit::{FakeClock, Op, ReferenceServer};
use common::{Model, ask, process, tier2_alone};
use futures_util::{StreamExt, stream};
use serde_json::json;

const SECOND: Duration = Duration::from_secs(1);

async fn idle(cache: &AiCache) {
    let is_idle = || cache.cache().stats().loads.in_flight == 0;
    cache_testkit::eventually(5 * SECOND, "all is generated", is_idle).await.unwrap();
    cache_testkit::settle().await;
}

fn chat(text: &str) -> serde_json::Value {
    json!({"choices": [{"index": 0, "message": {"content": text}, "delta": {"content": text}, "finish_reason": "stop"}]})
}

async fn complete(cache: &AiCache, control: Control, text: &str) -> (String, Source, Option<Duration>) {
    let body = Chat(chat(text));
    let got = cache.complete(&ask("x"), control, || async { Loaded::Ok(body) }).await.unwrap();
    (got.text().to_owned(), got.meta().source, got.meta().age)
}

async fn streamed(cache: &AiCache, control: Control, text: &str) -> String {
    let events = [Loaded::Ok(chat(text))];
    let generator = || async { Loaded::Ok(stream::iter(events)) };
    let stream =
        cache.stream::<Chat, _, _, _, _>(&ask("x"), control, Replay::AtOnce, generator).await.unwrap();
    let text = |event: std::sync::Arc<serde_json::Value>| {
        event["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned()
    };
    stream.map(|event| text(event.unwrap())).collect::<Vec<_>>().await.concat()
}

/// The store stumbles at the first looks; then it has an answer that is too old.
#[tokio::test]
async fn max_age_holds_when_the_store_stumbles() {
    for stumbles in 0..4 {
        for streams in [false, true] {
            let clock = FakeClock::new();
            let server = ReferenceServer::new(clock.clone());
            for cache in
                [tier2_alone(&clock, &server, AiSettings::new()), process(&clock, &server, AiSettings::new())]
            {
                complete(&cache, Control::refresh(), "old").await;
                idle(&cache).await;
                clock.advance(1_000 * SECOND);
                server.fail_next(Op::Get, stumbles, ErrorKind::Unavailable);
                let control = Control::new().max_age(10 * SECOND);
                let got = if streams {
                    streamed(&cache, control, "new").await
                } else {
                    complete(&cache, control, "new").await.0
                };
                assert_eq!(got, "new", "{stumbles} times");
                idle(&cache).await;
                server.fail_next(Op::Get, 0, ErrorKind::Unavailable);
            }
        }
    }
}

#[tokio::test]
async fn an_answer_whose_age_is_not_known_is_not_called_new() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let cache = tier2_alone(&clock, &server, AiSettings::new());
    let model = Model::default();
    cache.get_or_generate(&ask("x"), Control::new(), model.says("old")).await.unwrap();
    idle(&cache).await;
    clock.advance(1_000 * SECOND);
    server.fail_next(Op::Get, 1, ErrorKind::Unavailable);
    let got = cache.get_or_generate(&ask("x"), Control::new(), model.says("new")).await.unwrap();
    assert_eq!((got.meta().age, got.meta().source, model.calls()), (None, Source::Joined, 1));
    let own = cache.get_or_generate(&ask("y"), Control::new(), model.says("y")).await.unwrap();
    assert_eq!((own.meta().age, own.meta().source), (Some(Duration::ZERO), Source::Generated));
}
