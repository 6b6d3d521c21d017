//! Pieces of a stream are put together only where they say what they are of; events that make no whole answer are served to nobody.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::time::Duration;

use cache_ai::{
    AiCache, AiSettings, Answer, AnswerStream, Chat, Control, Finish, Loaded, NotCached, Outcome, Refused,
    Replay, Source,
};
use cache_testkit::FakeClock;
use common::{Model, ask, private};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

type Failure = std::io::Error;

async fn idle(cache: &AiCache) {
    let is_idle = || cache.cache().stats().loads.in_flight == 0;
    cache_testkit::eventually(Duration::from_secs(5), "all is generated", is_idle).await.unwrap();
    cache_testkit::settle().await;
}

/// The calls of the message that these pieces of calls make; `None` if nobody knows.
fn calls(pieces: &[Value]) -> Option<Value> {
    let chunk =
        |delta: Value, end: Value| json!({"choices": [{"index": 0, "delta": delta, "finish_reason": end}]});
    let mut events: Vec<Value> =
        pieces.iter().map(|piece| chunk(json!({"tool_calls": [piece]}), Value::Null)).collect();
    events.push(chunk(json!({}), json!("tool_calls")));
    let whole = Chat::from_events(&events.iter().collect::<Vec<_>>())?;
    Some(whole.0["choices"][0]["message"]["tool_calls"].clone())
}

#[test]
fn pieces_of_a_call_say_which_it_is() {
    let head = json!({"id": "a", "type": "function", "function": {"name": "pay", "arguments": "{\"eur\":"}});
    let rest = json!({"function": {"arguments": "1}"}});
    let one =
        json!([{"id": "a", "type": "function", "function": {"name": "pay", "arguments": "{\"eur\":1}"}}]);
    let with = |piece: &Value, name: &str, value: Value| {
        let mut piece = piece.clone();
        piece[name] = value;
        piece
    };
    let at = |piece: &Value, index: u64| with(piece, "index", json!(index));
    assert_eq!(calls(&[at(&head, 0), at(&rest, 0)]), Some(one.clone()), "by its index");
    assert_eq!(calls(&[head.clone(), with(&rest, "id", json!("a"))]), Some(one), "by its id");
    assert_eq!(calls(&[head.clone(), rest.clone()]), None, "by nothing");
    let whole =
        |id: &str| json!({"id": id, "type": "function", "function": {"name": "pay", "arguments": "{}"}});
    assert_eq!(calls(&[whole("a"), whole("b")]), Some(json!([whole("a"), whole("b")])), "each begins one");
    assert_eq!(calls(&[at(&whole("a"), 0), at(&whole("b"), 0)]), None, "two calls of one index");
}

#[test]
fn a_name_in_pieces_is_not_its_last_piece() {
    let piece = |name: &str| json!({"index": 0, "id": "t", "function": {"name": name, "arguments": ""}});
    assert_eq!(calls(&[piece("dry_run_"), piece("delete_all")]), None);
    let again = calls(&[piece("delete_all"), piece("delete_all"), piece("")]).unwrap();
    assert_eq!(again[0]["function"]["name"], "delete_all");
}

#[test]
fn odd_calls_are_handed_on_as_they_are() {
    for odd in
        [json!("x"), json!(7), json!([]), Value::Null, json!({"function": "f"}), json!({"function": null})]
    {
        let message = json!({"role": "assistant", "content": "hi", "tool_calls": [odd]});
        let body = json!({"choices": [{"index": 0, "finish_reason": "stop", "message": message}]});
        for characters in [None, Some(1)] {
            let events = Chat(body.clone()).to_events(characters);
            let brought = |event: &Value| event["choices"][0]["delta"]["tool_calls"][0].clone();
            let mut call = events.iter().map(brought).find(|call| !call.is_null()).unwrap_or_default();
            if let Some(call) = call.as_object_mut() {
                call.remove("index");
            }
            assert_eq!(call, odd);
        }
    }
}

#[test]
fn choices_that_do_not_say_which_they_are_stay_apart() {
    let choice =
        |text: &str| json!({"message": {"role": "assistant", "content": text}, "finish_reason": "stop"});
    let events = Chat(json!({"choices": [choice("A"), choice("B")]})).to_events(None);
    let whole = Chat::from_events(&events.iter().collect::<Vec<_>>()).unwrap();
    let texts: Vec<_> =
        whole.0["choices"].as_array().unwrap().iter().map(|it| &it["message"]["content"]).collect();
    assert_eq!(texts, ["A", "B"]);
}

/// An answer of any texts.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Loose(String);

impl Answer for Loose {
    type Event = String;

    fn outcome(&self) -> Outcome {
        Outcome::of(Finish::Stop)
    }

    fn from_events(events: &[&String]) -> Option<Self> {
        Some(Self(events.iter().map(|event| event.as_str()).collect()))
    }

    fn to_events(&self, _: Option<usize>) -> Vec<String> {
        vec![self.0.clone()]
    }
}

/// An answer of texts with an end.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Marked(String);

impl Answer for Marked {
    type Event = String;

    fn outcome(&self) -> Outcome {
        Outcome::of(Finish::Stop)
    }

    fn from_events(events: &[&String]) -> Option<Self> {
        let whole = Loose::from_events(events)?.0;
        whole.strip_suffix("[DONE]").map(|text| Self(text.to_owned()))
    }

    fn to_events(&self, _: Option<usize>) -> Vec<String> {
        vec![self.0.clone(), "[DONE]".into()]
    }
}

async fn open<A: Answer<Event = String>>(
    cache: &AiCache,
    control: Control,
    texts: &[&str],
    model: &Model,
) -> Result<AnswerStream<A>, cache_ai::Error> {
    let texts: Vec<_> = texts.iter().map(|text| Ok::<String, Failure>((*text).to_owned())).collect();
    let model = model.clone();
    let generator = || async move {
        model.one();
        Ok::<_, Failure>(stream::iter(texts))
    };
    cache.stream(&ask("x"), control, Replay::AtOnce, generator).await
}

async fn texts<A: Answer<Event = String>>(stream: AnswerStream<A>) -> String {
    let all: Vec<_> = stream.map(|event| (*event.unwrap()).clone()).collect().await;
    all.concat()
}

async fn whole(cache: &AiCache, control: Control, model: &Model) -> Result<String, cache_ai::Error> {
    let model = model.clone();
    let generator = || async move {
        model.one();
        Ok::<_, Failure>(Marked("whole".into()))
    };
    cache.complete(&ask("x"), control, generator).await.map(|answer| answer.0.clone())
}

#[tokio::test]
async fn events_that_make_no_answer_are_none() {
    for control in [Control::new(), Control::no_store(), Control::only_if_cached()] {
        let only = control == Control::only_if_cached();
        for streams in [false, true] {
            let cache = private(&FakeClock::new(), AiSettings::new());
            texts(open::<Loose>(&cache, Control::new(), &["half"], &Model::default()).await.unwrap()).await;
            idle(&cache).await;
            let model = Model::default();
            let got = if streams {
                match open::<Marked>(&cache, control, &["whole", "[DONE]"], &model).await {
                    Ok(stream) => Ok(texts(stream).await),
                    Err(error) => Err(error),
                }
            } else {
                whole(&cache, control, &model).await
            };
            idle(&cache).await;
            match got {
                Ok(text) => {
                    assert!(!only && text.starts_with("whole") && model.calls() == 1, "{control:?} {text}");
                }
                Err(error) => assert!(only && error.downcast_ref::<NotCached>().is_some(), "{error}"),
            }
            assert_eq!(model.calls(), usize::from(!only), "{control:?}");
            let unasked = || async { Err::<Loose, _>(Failure::other("asked")) };
            let kept = cache.complete(&ask("x"), Control::only_if_cached(), unasked).await.unwrap();
            let is_old = kept.0 == "half";
            assert_eq!(is_old, control != Control::new(), "{control:?}: nothing of it is kept: {}", kept.0);
        }
    }
}

#[tokio::test]
async fn who_waits_for_events_that_make_no_answer_asks_for_himself() {
    let cache = private(&FakeClock::new(), AiSettings::new());
    let mut live = open::<Loose>(&cache, Control::new(), &["half"], &Model::default()).await.unwrap();
    live.next().await.unwrap().unwrap();
    let (one, other) = (cache.clone(), cache.clone());
    let waiting = tokio::spawn(async move { whole(&one, Control::new(), &Model::default()).await.unwrap() });
    let streaming = tokio::spawn(async move {
        let model = Model::default();
        let stream = open::<Marked>(&other, Control::new(), &["streamed", "[DONE]"], &model).await.unwrap();
        assert_eq!(stream.source(), Source::Generated);
        texts(stream).await
    });
    let both_wait = || cache.cache().stats().loads.joined == 2;
    cache_testkit::eventually(Duration::from_secs(5), "both wait", both_wait).await.unwrap();
    assert!(live.next().await.is_none());
    assert_eq!((&*waiting.await.unwrap(), &*streaming.await.unwrap()), ("whole", "streamed[DONE]"));
}

#[tokio::test]
async fn no_more_is_held_of_a_stream_than_may_be_kept() {
    let pad = "p".repeat(1_000);
    for (count, control, kept) in
        [(900, Control::new(), false), (900, Control::no_store(), false), (20, Control::new(), true)]
    {
        let cache = private(&FakeClock::new(), AiSettings::new().max_answer_bytes(2_000));
        let chunk = |text: &str, end: Value| json!({"x": pad, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": end}]});
        let mut chunks: Vec<_> = (0..count).map(|_| chunk("x", Value::Null)).collect();
        chunks.push(json!({"x": "", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}));
        let events =
            || async move { Ok::<_, Failure>(stream::iter(chunks.into_iter().map(Ok::<_, Failure>))) };
        let stream =
            cache.stream::<Chat, _, _, _, _>(&ask("x"), control, Replay::AtOnce, events).await.unwrap();
        let mut seen = Vec::new();
        let mut stream = std::pin::pin!(stream);
        while let Some(event) = stream.next().await {
            seen.push(std::sync::Arc::downgrade(&event.unwrap()));
        }
        assert_eq!(seen.len(), count + 1, "its reader gets all of it");
        idle(&cache).await;
        let held = seen.iter().filter(|event| event.strong_count() > 0).count();
        assert_eq!(held, if kept { count + 1 } else { 0 });
        let operation = &cache.stats().operations["qa"];
        let refused = operation.refused.get(Refused::TooLarge.as_str()).copied().unwrap_or_default();
        assert_eq!(refused, u64::from(!kept && control == Control::new()));
        assert_eq!(cache.ledger().total.calls_made, 1, "a model was asked");
        let body = json!({"choices": [{"message": {"content": "new"}, "finish_reason": "stop"}]});
        let again =
            cache.complete(&ask("x"), Control::new(), || async { Loaded::Ok(Chat(body)) }).await.unwrap();
        assert_eq!(again.meta().cache_hit, kept);
    }
}

#[tokio::test]
async fn a_stream_that_became_too_long_holds_nobody_up() {
    let cache = private(&FakeClock::new(), AiSettings::new().max_answer_bytes(10));
    let long = "x".repeat(100);
    let mut live =
        open::<Loose>(&cache, Control::new(), &[&long, &long, &long], &Model::default()).await.unwrap();
    live.next().await.unwrap().unwrap();
    let own = cache.clone();
    let waiting = tokio::spawn(async move { whole(&own, Control::new(), &Model::default()).await.unwrap() });
    let waits = || cache.cache().stats().loads.joined == 1;
    cache_testkit::eventually(Duration::from_secs(5), "one waits", waits).await.unwrap();
    live.next().await.unwrap().unwrap();
    let waited = tokio::time::timeout(Duration::from_secs(5), waiting).await;
    assert_eq!(waited.unwrap().unwrap(), "whole", "though the stream is not at its end");
    live.next().await.unwrap().unwrap();
    assert!(live.next().await.is_none());
}
