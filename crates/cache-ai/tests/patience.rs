//! Who waits for a stream waits as long as it lives, and no longer.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use cache_ai::{
    AiCache, AiCacheBuilder, AiRequest, Answered, Chat, Control, Error, ErrorKind, Namespace, Replay, Source,
};
use cache_testkit::{FakeClock, ReferenceServer, eventually, settle};
use common::{acme, tier};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

const SECOND: Duration = Duration::from_secs(1);

fn request() -> AiRequest {
    AiRequest::new(acme(), "chat").model("m-1").message("user", "hi")
}

fn chunk(text: &str, end: Option<&str>) -> Value {
    json!({"object": "chat.completion.chunk", "choices": [
        {"index": 0, "delta": {"content": text}, "finish_reason": end}
    ]})
}

/// Generators have two seconds.
fn caches() -> (Arc<FakeClock>, [AiCache; 2]) {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    server.beat_with(&clock);
    let builder = || {
        let mut settings = AiCacheBuilder::settings_by_default();
        settings.load_timeout = 2 * SECOND;
        let builder = AiCache::builder(Namespace::new("test").unwrap()).settings(settings);
        builder.timer(clock.clone()).local(tier(&clock))
    };
    let caches = [builder().build().unwrap(), builder().store(Arc::new(server.connect())).build().unwrap()];
    (clock, caches)
}

async fn pass(clock: &FakeClock, time: Duration) {
    for _ in 0..time.as_millis() / 250 {
        clock.advance(Duration::from_millis(250));
        settle().await;
    }
}

/// A reader of a stream, and what the model sends him.
async fn reader(cache: &AiCache) -> (UnboundedSender<Value>, JoinHandle<usize>) {
    let (send, sent) = unbounded_channel();
    let generator = || async {
        Ok::<_, std::io::Error>(stream::unfold(sent, |mut sent| async {
            let event: Value = sent.recv().await?;
            Some((Ok::<_, std::io::Error>(event), sent))
        }))
    };
    let stream =
        cache.stream::<Chat, _, _, _, _>(&request(), Control::new(), Replay::AtOnce, generator).await;
    let stream = stream.unwrap();
    assert_eq!(stream.source(), Source::Generated);
    (send, tokio::spawn(stream.map(Result::unwrap).count()))
}

/// One who wants the whole answer, and one who wants its events.
async fn waiting(
    cache: &AiCache,
) -> (JoinHandle<Result<Answered<Chat>, Error>>, JoinHandle<Result<usize, Error>>) {
    let failed = || std::io::Error::other("not asked");
    let plain = tokio::spawn({
        let cache = cache.clone();
        let generator = move || async move { Err::<Chat, _>(failed()) };
        async move { cache.complete(&request(), Control::new(), generator).await }
    });
    let streamed = tokio::spawn({
        let cache = cache.clone();
        let generator =
            move || async move { Err::<stream::Empty<Result<Value, std::io::Error>>, _>(failed()) };
        async move {
            let stream = cache
                .stream::<Chat, _, _, _, _>(&request(), Control::new(), Replay::AtOnce, generator)
                .await?;
            Ok(stream.map(Result::unwrap).count().await)
        }
    });
    eventually(5 * SECOND, "both wait", || cache.cache().stats().loads.joined == 2).await.unwrap();
    (plain, streamed)
}

#[tokio::test]
async fn a_stream_that_lives_is_waited_for_however_long_it_is() {
    let (clock, caches) = caches();
    for cache in caches {
        let (send, read) = reader(&cache).await;
        let (plain, streamed) = waiting(&cache).await;
        for word in ["One ", "two ", "three ", "four "] {
            pass(&clock, Duration::from_millis(1_750)).await;
            send.send(chunk(word, None)).unwrap();
            settle().await;
        }
        send.send(chunk("five.", Some("stop"))).unwrap();
        drop(send);
        assert_eq!(read.await.unwrap(), 5);
        let plain = plain.await.unwrap().unwrap();
        assert_eq!(plain.0["choices"][0]["message"]["content"], "One two three four five.");
        assert_eq!(streamed.await.unwrap().unwrap(), 5);
        eventually(5 * SECOND, "it is kept", || cache.cache().stats().loads.in_flight == 0).await.unwrap();
        let not_asked = || async { Err::<Chat, _>(std::io::Error::other("not asked")) };
        let again = cache.complete(&request(), Control::only_if_cached(), not_asked).await;
        assert!(again.unwrap().meta().cache_hit);
    }
}

#[tokio::test]
async fn a_stream_that_hangs_frees_who_waits_and_stays_its_readers() {
    let (clock, caches) = caches();
    for cache in caches {
        let (send, read) = reader(&cache).await;
        let (plain, streamed) = waiting(&cache).await;
        pass(&clock, SECOND).await;
        send.send(chunk("One ", None)).unwrap();
        settle().await;
        pass(&clock, Duration::from_millis(1_750)).await;
        assert!(!plain.is_finished() && !streamed.is_finished(), "it was alive a moment ago");
        pass(&clock, Duration::from_millis(500)).await;
        assert_eq!(plain.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(streamed.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
        let answer = || async {
            Ok::<_, std::io::Error>(Chat(json!({"choices": [
                {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "new"}}
            ]})))
        };
        let next = cache.complete(&request(), Control::new(), answer).await.unwrap();
        assert_eq!(next.meta().source, Source::Generated, "the key is free");
        send.send(chunk("two.", Some("stop"))).unwrap();
        drop(send);
        assert_eq!(read.await.unwrap(), 2, "its reader gets it all");
        settle().await;
        let kept = cache.complete(&request(), Control::new(), answer).await.unwrap();
        assert_eq!(kept.0["choices"][0]["message"]["content"], "new", "and nothing newer is undone");
    }
}
