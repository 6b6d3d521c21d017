//! Long work holds nobody up: it is done in slices, or on a thread that may be blocked.
//!
//! What is counted is where work runs and how much of it at a time, because times on a busy machine say nothing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};

use cache_ai::{AiRequest, AiSettings, Chat, Control, Generated, Loaded, OperationPolicy, Replay};
use cache_testkit::FakeClock;
use common::{Model, acme, private, shared};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

/// So much of a text is read at a time: a BLAKE3 pass over it takes 40 µs on a slow machine.
const AT_A_TIME: usize = 128 << 10;
const LARGE: usize = 8 << 20;

/// How often a future that nobody wakes has to be polled until it is done.
fn polls<T>(future: impl Future<Output = T>) -> usize {
    let (mut future, mut polls) = (pin!(future), 0);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        polls += 1;
        if let Poll::Ready(_done) = future.as_mut().poll(&mut context) {
            return polls;
        }
    }
}

#[tokio::test]
async fn a_long_text_is_read_in_slices() {
    let cache = private(&FakeClock::new(), AiSettings::new());
    let guide = shared(&cache);
    for text in ["x".repeat(LARGE), "é☀".repeat(LARGE / 5)] {
        // Read once for its digest and once to count its characters.
        assert!(polls(guide.explain(&text, "qa", &())) >= 2 * LARGE / AT_A_TIME);
        let explained = guide.explain(&text, "qa", &()).await.unwrap();
        assert_eq!(explained.text_length, text.chars().count());
    }
    let request = AiRequest::new(acme(), "qa").message("user", "x".repeat(LARGE));
    let asked = cache.get_or_generate(&request, Control::only_if_cached(), Model::default().says("?"));
    assert!(polls(asked) >= LARGE / AT_A_TIME);
}

/// A body whose parts tell which thread reads them.
struct Parts(Arc<Mutex<Vec<ThreadId>>>);

const PART: usize = 1024;

impl serde::Serialize for Parts {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let part = "x".repeat(PART);
        serializer.collect_seq((0..LARGE / PART).map(|_| {
            self.0.lock().unwrap().push(thread::current().id());
            &*part
        }))
    }
}

#[tokio::test]
async fn a_large_body_is_read_on_a_thread_that_may_be_blocked() {
    let cache = private(&FakeClock::new(), AiSettings::new());
    let readers = Arc::new(Mutex::new(Vec::new()));
    let request = AiRequest::from_body(acme(), "qa", Parts(Arc::clone(&readers)));
    cache.get_or_generate(&request, Control::new(), Model::default().says("x")).await.unwrap();
    let readers = readers.lock().unwrap();
    let own = thread::current().id();
    let here = readers.iter().filter(|reader| **reader == own).count();
    assert!(here * PART <= AT_A_TIME + PART, "{here} KiB were read on the runtime's thread");
    assert!((readers.len() - here) * PART >= LARGE);
}

#[tokio::test]
async fn a_large_answer_is_judged_on_a_thread_that_may_be_blocked() {
    let judges = Arc::new(Mutex::new(Vec::new()));
    let own = Arc::clone(&judges);
    let policy = OperationPolicy::new().validator(move |_| {
        own.lock().unwrap().push(thread::current().id());
        Ok(())
    });
    let cache = private(&FakeClock::new(), AiSettings::new().operation("qa", policy));
    let here = thread::current().id();
    let judged = || judges.lock().unwrap().drain(..).map(|judge| judge == here).collect::<Vec<_>>();
    for (length, is_here) in [(100, true), (500_000, false)] {
        let text = "x".repeat(length);
        let request = AiRequest::new(acme(), "qa").message("user", length);
        let generated = text.clone();
        let generator = || async { Loaded::Ok(Generated::new(generated)) };
        cache.get_or_generate(&request, Control::new(), generator).await.unwrap();
        assert_eq!(judged(), [is_here], "{length}");
        let _ = shared(&cache).cache_response("x", "qa", &(), &json!(text)).await.unwrap();
        assert_eq!(judged(), [is_here], "{length}");
    }
    let chunk = |finish: Value| json!({"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": finish}]});
    let events = [chunk(Value::Null), chunk(json!("stop"))].map(Ok::<_, std::io::Error>);
    let request = AiRequest::new(acme(), "qa").message("user", "a stream");
    let live = cache
        .stream::<Chat, _, _, _, _>(&request, Control::new(), Replay::AtOnce, || async {
            Ok(stream::iter(events))
        })
        .await
        .unwrap();
    assert_eq!(live.count().await, 2);
    let is_kept = || cache.cache().stats().loads.in_flight == 0;
    cache_testkit::eventually(std::time::Duration::from_secs(5), "it is kept", is_kept).await.unwrap();
    assert_eq!(judged(), [false]);
}

#[tokio::test]
async fn others_run_while_a_long_text_is_named() {
    let cache = shared(&private(&FakeClock::new(), AiSettings::new()));
    let beats = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&beats);
    let heart = tokio::spawn(async move {
        loop {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
        }
    });
    let text = "x".repeat(LARGE);
    let _ = cache.cache_response(&text, "qa", &(), &json!("short")).await.unwrap();
    let beats = beats.load(Ordering::SeqCst);
    heart.abort();
    assert!(beats >= LARGE / AT_A_TIME, "{beats} turns while 8 MiB were read");
}
