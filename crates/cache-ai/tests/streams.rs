//! Streams are handed on, recorded, and replayed; what is not whole is not kept.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cache_ai::{
    AiCache, AiRequest, AiSettings, Answer, AnswerStream, Chat, Control, Replay, Responses, Source,
};
use cache_testkit::{FakeClock, ReferenceServer};
use common::{acme, private, process};
use futures_util::{Stream, StreamExt, stream};
use proptest::prelude::*;
use serde_json::{Value, json};

#[expect(clippy::needless_pass_by_value, reason = "what `json!` makes is a value")]
fn chunk(choices: Value) -> Value {
    json!({"id": "c-1", "object": "chat.completion.chunk", "created": 7, "model": "m-1", "choices": choices})
}

#[expect(clippy::needless_pass_by_value, reason = "what `json!` makes is a value")]
fn delta(delta: Value) -> Value {
    chunk(json!([{"index": 0, "delta": delta, "finish_reason": null}]))
}

/// Reasoning, text, a tool call in pieces, an end, and what it cost.
fn chunks() -> Vec<Value> {
    let mut usage = chunk(json!([]));
    usage["usage"] = json!({"prompt_tokens": 9, "completion_tokens": 5});
    vec![
        delta(json!({"role": "assistant", "content": ""})),
        delta(json!({"reasoning_content": "Let me "})),
        delta(json!({"reasoning_content": "think."})),
        delta(json!({"content": "It is "})),
        delta(json!({"content": "sunny — ☀️"})),
        delta(json!({"tool_calls": [
            {"index": 0, "id": "t-1", "type": "function", "function": {"name": "weather", "arguments": ""}}
        ]})),
        delta(json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"city\":"}}]})),
        delta(json!({"tool_calls": [{"index": 0, "function": {"arguments": "\"Paris\"}"}}]})),
        chunk(json!([{"index": 0, "delta": {}, "finish_reason": "tool_calls"}])),
        usage,
    ]
}

fn whole() -> Value {
    json!({
        "id": "c-1", "object": "chat.completion", "created": 7, "model": "m-1",
        "usage": {"prompt_tokens": 9, "completion_tokens": 5},
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": "It is sunny — ☀️", "reasoning_content": "Let me think.",
            "tool_calls": [{"id": "t-1", "type": "function",
                "function": {"name": "weather", "arguments": "{\"city\":\"Paris\"}"}}],
        }}],
    })
}

fn request() -> AiRequest {
    AiRequest::from_body(
        acme(),
        "chat",
        json!({"model": "m-1", "messages": [{"role": "user", "content": "hi"}]}),
    )
}

type Event = Result<Value, std::io::Error>;

async fn open(
    cache: &AiCache,
    replay: Replay,
    calls: &Arc<AtomicUsize>,
    events: Vec<Event>,
) -> AnswerStream<Chat> {
    let calls = Arc::clone(calls);
    let generator = || async move {
        calls.fetch_add(1, Ordering::SeqCst);
        Ok::<_, std::io::Error>(stream::iter(events))
    };
    cache.stream(&request(), Control::new(), replay, generator).await.unwrap()
}

fn fine() -> Vec<Event> {
    chunks().into_iter().map(Ok).collect()
}

async fn all(stream: impl Stream<Item = Result<Arc<Value>, cache_ai::Error>>) -> Vec<Value> {
    stream.map(|event| (*event.unwrap()).clone()).collect().await
}

/// Waits until what was read to its end is in the cache.
async fn kept(cache: &AiCache) {
    cache_testkit::eventually(Duration::from_secs(5), "it is kept", || {
        cache.cache().stats().loads.in_flight == 0
    })
    .await
    .unwrap();
}

fn folded(events: &[Value]) -> Option<Value> {
    Chat::from_events(&events.iter().collect::<Vec<_>>()).map(|chat| chat.0)
}

#[tokio::test]
async fn one_entry_serves_streamed_and_plain_readers() {
    let (clock, calls) = (FakeClock::new(), Arc::new(AtomicUsize::new(0)));
    let server = ReferenceServer::new(clock.clone());
    for cache in [private(&clock, AiSettings::new()), process(&clock, &server, AiSettings::new())] {
        calls.store(0, Ordering::SeqCst);
        let live = open(&cache, Replay::AtOnce, &calls, fine()).await;
        assert_eq!(live.source(), Source::Generated);
        assert_eq!(all(live).await, chunks());
        kept(&cache).await;
        let again = open(&cache, Replay::AtOnce, &calls, fine()).await;
        assert_eq!(again.source(), Source::Cache);
        assert_eq!(all(again).await, chunks(), "reasoning and tool calls survive");
        let plain = cache
            .complete::<Chat, _, _, _>(&request(), Control::only_if_cached(), || async {
                Err::<Chat, _>(std::io::Error::other("not asked"))
            })
            .await
            .unwrap();
        assert_eq!(plain.0, whole());
        assert_eq!((plain.meta().usage.input, plain.meta().usage.output), (9, 5));
        let three = Replay::Rechunked { characters: 3, every: Duration::ZERO };
        let short = all(open(&cache, three, &calls, fine()).await).await;
        assert!(short.len() > chunks().len());
        assert_eq!(folded(&short), Some(whole()));
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert_eq!(cache.ledger().total.calls_saved, 3);
    }
}

#[tokio::test]
async fn a_plain_answer_is_streamed_too() {
    let (clock, calls) = (FakeClock::new(), Arc::new(AtomicUsize::new(0)));
    let cache = private(&clock, AiSettings::new());
    let generator = || async { Ok::<_, std::io::Error>(Chat(whole())) };
    cache.complete(&request(), Control::new(), generator).await.unwrap();
    let events = all(open(&cache, Replay::AtOnce, &calls, fine()).await).await;
    assert_eq!((folded(&events), calls.load(Ordering::SeqCst)), (Some(whole()), 0));
}

#[tokio::test]
async fn a_stream_that_is_cut_anywhere_is_not_kept() {
    // Up to its finish reason, which is the ninth event.
    for cut in 0..9 {
        for how in ["ends", "fails", "is left"] {
            let (clock, calls) = (FakeClock::new(), Arc::new(AtomicUsize::new(0)));
            let cache = private(&clock, AiSettings::new());
            let mut events: Vec<Event> = chunks().into_iter().take(cut).map(Ok).collect();
            match how {
                "ends" => {}
                "fails" => events.push(Err(std::io::Error::other("connection lost"))),
                _ => events = fine(),
            }
            let live = open(&cache, Replay::AtOnce, &calls, events).await;
            let seen: Vec<_> = live.take(if how == "is left" { cut } else { usize::MAX }).collect().await;
            let (fine_ones, errors): (Vec<_>, Vec<_>) = seen.into_iter().partition(Result::is_ok);
            assert_eq!((fine_ones.len(), errors.len()), (cut, usize::from(how == "fails")));
            kept(&cache).await;
            assert_eq!(cache.cache().stats().memory_usage.entries, 0, "cut at {cut}: {how}");
            let reason = match how {
                "ends" => "truncated",
                "fails" => "error",
                _ => "cancelled",
            };
            assert_eq!(cache.stats().operations["chat"].refused.get(reason), Some(&1), "cut at {cut}");
            assert_eq!(all(open(&cache, Replay::AtOnce, &calls, fine()).await).await, chunks());
            assert_eq!(calls.load(Ordering::SeqCst), 2);
        }
    }
}

#[tokio::test]
async fn a_renewed_stream_takes_the_place_of_the_old_answer_if_it_is_whole() {
    let (clock, calls) = (FakeClock::new(), Arc::new(AtomicUsize::new(0)));
    let server = ReferenceServer::new(clock.clone());
    let newer = [delta(json!({"content": "newer"})), chunk(json!([{"index": 0, "finish_reason": "stop"}]))];
    for cache in [private(&clock, AiSettings::new()), process(&clock, &server, AiSettings::new())] {
        all(open(&cache, Replay::AtOnce, &calls, fine()).await).await;
        kept(&cache).await;
        for (events, expected) in [(&newer[..1], &chunks()[..]), (&newer[..], &newer[..])] {
            let events: Vec<Event> = events.iter().cloned().map(Ok).collect();
            let (request, generator) = (request(), || async { Ok(stream::iter(events)) });
            let live =
                cache.stream::<Chat, _, _, _, _>(&request, Control::refresh(), Replay::AtOnce, generator);
            let live = live.await.unwrap();
            assert_eq!(live.source(), Source::Generated);
            all(live).await;
            kept(&cache).await;
            assert_eq!(all(open(&cache, Replay::AtOnce, &calls, fine()).await).await, expected);
        }
    }
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_stream_that_ends_between_two_answers_to_choose_from_is_not_kept() {
    let body = json!({"model": "m-1", "n": 2, "messages": []});
    let of = |index: usize| {
        let delta = json!({"content": format!("answer {index}")});
        chunk(json!([{"index": index, "delta": delta, "finish_reason": "stop"}]))
    };
    for (events, entries) in [(vec![of(0)], 0), (vec![of(1)], 0), (vec![of(1), of(0)], 1)] {
        let cache = private(&FakeClock::new(), AiSettings::new());
        let request = AiRequest::from_body(acme(), "chat", body.clone());
        let events: Vec<Event> = events.into_iter().map(Ok).collect();
        let generator = || async { Ok(stream::iter(events)) };
        let live = cache.stream::<Chat, _, _, _, _>(&request, Control::new(), Replay::AtOnce, generator);
        all(live.await.unwrap()).await;
        kept(&cache).await;
        assert_eq!(cache.cache().stats().memory_usage.entries, entries);
    }
}

#[tokio::test]
async fn who_waits_for_a_stream_asks_for_himself_when_its_reader_leaves() {
    let (clock, calls) = (FakeClock::new(), Arc::new(AtomicUsize::new(0)));
    let cache = private(&clock, AiSettings::new());
    let mut leader = open(&cache, Replay::AtOnce, &calls, fine()).await;
    leader.next().await.unwrap().unwrap();
    let plain = tokio::spawn({
        let cache = cache.clone();
        async move {
            let generator = || async { Ok::<_, std::io::Error>(Chat(whole())) };
            cache.complete(&request(), Control::new(), generator).await
        }
    });
    let streamed = tokio::spawn({
        let (cache, calls) = (cache.clone(), Arc::clone(&calls));
        async move { all(open(&cache, Replay::AtOnce, &calls, fine()).await).await }
    });
    cache_testkit::eventually(Duration::from_secs(5), "both wait", || {
        cache.cache().stats().loads.joined == 2
    })
    .await
    .unwrap();
    drop(leader);
    assert_eq!(plain.await.unwrap().unwrap().0, whole());
    assert_eq!(folded(&streamed.await.unwrap()), Some(whole()));
}

#[tokio::test]
async fn who_waits_for_a_stream_gets_what_it_brought() {
    let (clock, calls) = (FakeClock::new(), Arc::new(AtomicUsize::new(0)));
    let cache = private(&clock, AiSettings::new());
    let mut leader = open(&cache, Replay::AtOnce, &calls, fine()).await;
    leader.next().await.unwrap().unwrap();
    let plain = tokio::spawn({
        let cache = cache.clone();
        async move {
            let generator = || async { Err::<Chat, _>(std::io::Error::other("not asked")) };
            cache.complete(&request(), Control::new(), generator).await
        }
    });
    cache_testkit::eventually(Duration::from_secs(5), "it waits", || cache.cache().stats().loads.joined == 1)
        .await
        .unwrap();
    while leader.next().await.is_some() {}
    let answer = plain.await.unwrap().unwrap();
    assert_eq!((answer.0.clone(), answer.meta().source), (whole(), Source::Joined));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_is_invalidated_while_it_is_streamed_is_not_kept() {
    let (clock, calls) = (FakeClock::new(), Arc::new(AtomicUsize::new(0)));
    let cache = private(&clock, AiSettings::new());
    let mut live = open(&cache, Replay::AtOnce, &calls, fine()).await;
    live.next().await.unwrap().unwrap();
    cache.invalidate(&cache_ai::Which::Operation("chat".into())).await.unwrap();
    while live.next().await.is_some() {}
    kept(&cache).await;
    assert_eq!(open(&cache, Replay::AtOnce, &calls, fine()).await.source(), Source::Generated);
}

#[tokio::test]
async fn the_readers_pace_is_the_models() {
    let clock = FakeClock::new();
    let cache = private(&clock, AiSettings::new());
    let polled = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&polled);
    let generator = move || async move {
        let events = stream::iter(chunks()).map(move |chunk| {
            count.fetch_add(1, Ordering::SeqCst);
            Ok::<_, std::io::Error>(chunk)
        });
        Ok(events)
    };
    let mut live = cache
        .stream::<Chat, _, _, _, _>(&request(), Control::new(), Replay::AtOnce, generator)
        .await
        .unwrap();
    for read in 0..4 {
        assert_eq!(polled.load(Ordering::SeqCst), read, "nothing is read ahead");
        live.next().await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_replay_in_its_rhythm_waits_for_each_event() {
    let (clock, calls) = (FakeClock::new(), Arc::new(AtomicUsize::new(0)));
    let cache = private(&clock, AiSettings::new());
    let mut live = open(&cache, Replay::AtOnce, &calls, fine()).await;
    while live.next().await.is_some() {
        clock.advance(Duration::from_millis(100));
    }
    kept(&cache).await;
    let mut paced = open(&cache, Replay::AsRecorded, &calls, fine()).await;
    assert!(futures_util::poll!(paced.next()).is_ready());
    for _ in 1..chunks().len() {
        assert!(futures_util::poll!(paced.next()).is_pending());
        clock.advance(Duration::from_millis(100));
        assert!(futures_util::poll!(paced.next()).is_ready());
    }
    assert!(matches!(futures_util::poll!(paced.next()), std::task::Poll::Ready(None)));
}

#[test]
fn responses_are_whole_with_their_last_event() {
    let body = json!({
        "id": "r-1", "status": "completed", "usage": {"input_tokens": 3, "output_tokens": 4},
        "output": [
            {"id": "i-0", "type": "reasoning", "summary": [{"type": "summary_text", "text": "thinking"}]},
            {"id": "i-1", "type": "message", "content": [{"type": "output_text", "text": "hello there"}]},
            {"id": "i-2", "type": "function_call", "name": "f", "arguments": "{}"},
        ],
    });
    let whole = Responses(body);
    for characters in [None, Some(4)] {
        let events = whole.to_events(characters);
        let seen: Vec<&Value> = events.iter().collect();
        assert_eq!(Responses::from_events(&seen), Some(whole.clone()));
        assert_eq!(Responses::from_events(&seen[..seen.len() - 1]), None);
    }
    assert!(
        !whole.outcome().is_empty
            && Responses(json!({"status": "completed", "output": []})).outcome().is_empty
    );
}

proptest! {
    #[test]
    fn a_chat_answer_in_pieces_is_the_answer(
        content in prop::option::of("[a-zé☀ ]{0,20}"),
        reasoning in prop::option::of("[a-z ]{1,20}"),
        arguments in prop::collection::vec("[a-z{}\":]{0,12}", 0..3),
        characters in prop::option::of(1usize..6),
    ) {
        let mut message = json!({"role": "assistant", "content": content.filter(|text| !text.is_empty())});
        if let Some(reasoning) = reasoning {
            message["reasoning_content"] = json!(reasoning);
        }
        let calls: Vec<Value> = arguments.iter().enumerate().map(|(at, arguments)| {
            json!({"id": at.to_string(), "type": "function", "function": {"name": "f", "arguments": arguments}})
        }).collect();
        if !calls.is_empty() {
            message["tool_calls"] = json!(calls);
        }
        let body = json!({
            "id": "c", "object": "chat.completion", "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        });
        prop_assert_eq!(folded(&Chat(body.clone()).to_events(characters)), Some(body));
    }
}
