//! What the AI cache costs beside one BLAKE3 pass over the same text, and beside the older system's figures on a machine of
//! the same kind: naming a text, a verified hit in tier 1, recording and replaying a stream.
//!
//! Contenders take turns within each round; medians over rounds. Times are those for which the thread ran, so that other
//! programs on the machine show little. With `--json` one object a line. Ends with an error if a
//! bound is not kept; `--no-bounds` for a machine that is busy with other things.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark fails by a panic")]

use std::future::Future;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use benches::cpu_time::cpu_time;
use benches::machine::machine;
use cache_ai::{AiCache, AiRequest, Chat, Control, Generated, Loaded, Namespace, Replay, Tenant};
use cache_core::SystemClock;
use cache_memory::MemoryTier;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

const ROUNDS: usize = 31;

fn main() -> ExitCode {
    let given = |name: &str| std::env::args().any(|argument| argument == name);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let rows = runtime.block_on(async {
        let mut rows = keys().await;
        rows.push(longest_poll_of_a_text(8 << 20));
        rows.push(longest_poll_of_a_body(8 << 20));
        rows.push(hit().await);
        rows.extend(streams().await);
        rows
    });
    let mut kept = true;
    if given("--json") {
        println!("{}", machine());
    }
    for row in &rows {
        kept &= row.is_kept();
        if given("--json") { println!("{}", row.json()) } else { println!("{}", row.text()) }
    }
    if kept || given("--no-bounds") { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A figure, its bound, and what it is compared with.
#[derive(Default)]
struct Row {
    bench: &'static str,
    bytes: usize,
    ns: f64,
    bound_ns: f64,
    ratio_to_blake3: Option<f64>,
    older_ns: Option<f64>,
}

impl Row {
    fn is_kept(&self) -> bool {
        self.ns <= self.bound_ns
    }

    fn json(&self) -> Value {
        json!({
            "bench": self.bench, "bytes": self.bytes, "ns": self.ns, "bound_ns": self.bound_ns,
            "kept": self.is_kept(), "ratio_to_blake3": self.ratio_to_blake3,
            "ratio_to_older": self.older_ns.map(|older| self.ns / older),
        })
    }

    fn text(&self) -> String {
        let ratio = |ratio: Option<f64>| ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.4}"));
        format!(
            "{:<26} {:>9} B {:>12.0} ns, at most {:>9.0}{} | to BLAKE3 {:>9} | to the older system {:>9}",
            self.bench,
            self.bytes,
            self.ns,
            self.bound_ns,
            if self.is_kept() { "  " } else { " !" },
            ratio(self.ratio_to_blake3),
            ratio(self.older_ns.map(|older| self.ns / older)),
        )
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn cache() -> AiCache {
    let tier = MemoryTier::new(10_000, 256 << 20, Arc::new(SystemClock::new())).unwrap();
    AiCache::builder(Namespace::new("bench").unwrap()).local(Arc::new(tier)).build().unwrap()
}

/// Nanoseconds an operation, of so many.
async fn timed<F: Future>(times: usize, mut operation: impl FnMut() -> F) -> f64 {
    let start = cpu_time();
    for _ in 0..times {
        black_box(operation().await);
    }
    (cpu_time() - start).as_nanos() as f64 / times as f64
}

/// Naming texts of three lengths.
async fn keys() -> Vec<Row> {
    let cache = cache().for_tenant(Tenant::shared());
    let options = json!({"max_length": 100, "style": "plain"});
    let mut rows = Vec::new();
    for (bytes, bound_ns, older_ns, times) in
        [(100, 1e3, 1_800.0, 2_000), (10_000, 15e3, 49_000.0, 400), (1_000_000, 1e6, 9_600_000.0, 8)]
    {
        let text = "all work and no play. ".repeat(bytes / 22 + 1)[..bytes].to_owned();
        let (mut explained, mut named, mut hashed) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            explained.push(
                timed(times, async || cache.explain(&text, "summarize", &options).await.unwrap().key.len())
                    .await,
            );
            named.push(
                timed(times, async || {
                    cache.get_cached_response::<Value>(&text, "summarize", &options).await.unwrap().is_none()
                })
                .await,
            );
            hashed.push(timed(times, async || blake3::hash(black_box(text.as_bytes()))).await);
        }
        let ratio = |of: &[f64]| median(of.iter().zip(&hashed).map(|(one, hash)| one / hash).collect());
        let row = |bench, values: Vec<f64>, bound_ns, older_ns| Row {
            bench,
            bytes,
            ratio_to_blake3: Some(ratio(&values)),
            ns: median(values),
            bound_ns,
            older_ns,
        };
        rows.push(row("explain", explained, bound_ns, Some(older_ns)));
        rows.push(row("key_and_miss", named, f64::INFINITY, None));
        rows.push(Row {
            bench: "blake3",
            bytes,
            ns: median(hashed.clone()),
            bound_ns: f64::INFINITY,
            ..Row::default()
        });
    }
    rows
}

/// The longest that naming a large text holds its thread at a time.
fn longest_poll_of_a_text(bytes: usize) -> Row {
    let cache = cache().for_tenant(Tenant::shared());
    let text = "x".repeat(bytes);
    let rounds = (0..ROUNDS).map(|_| longest_poll(cache.explain(&text, "summarize", &()))).collect();
    Row { bench: "longest_poll_text", bytes, ns: median(rounds), bound_ns: 200e3, ..Row::default() }
}

/// The same for a body of many messages, which is read on another thread.
fn longest_poll_of_a_body(bytes: usize) -> Row {
    let cache = cache();
    let message = json!({"role": "user", "content": "x".repeat(1_000)});
    let body = Arc::new(json!({"model": "m", "messages": vec![message; bytes / 1_024]}));
    let ask = || async { Loaded::Ok(Generated::new(json!("never asked"))) };
    let rounds = (0..ROUNDS).map(|_| {
        let request = AiRequest::from_body(Tenant::shared(), "qa", Body(Arc::clone(&body)));
        longest_poll(cache.get_or_generate(&request, Control::only_if_cached(), ask))
    });
    Row { bench: "longest_poll_body", bytes, ns: median(rounds.collect()), bound_ns: 200e3, ..Row::default() }
}

/// A body that many requests share.
struct Body(Arc<Value>);

impl serde::Serialize for Body {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// The longest that one poll of a future takes, in nanoseconds.
fn longest_poll<T>(future: impl Future<Output = T>) -> f64 {
    let mut future = Box::pin(future);
    let mut context = Context::from_waker(Waker::noop());
    let mut longest = Duration::ZERO;
    loop {
        let start = cpu_time();
        let polled = future.as_mut().poll(&mut context);
        longest = longest.max(cpu_time() - start);
        if let Poll::Ready(done) = polled {
            black_box(&done);
            return longest.as_nanos() as f64;
        }
        std::thread::yield_now();
    }
}

/// A hit in tier 1 for a request of 10 KB, its name included.
async fn hit() -> Row {
    let cache = cache();
    let text = "all work and no play. ".repeat(500)[..10_000].to_owned();
    let request =
        AiRequest::new(Tenant::shared(), "qa").model("m").system("Be brief.").message("user", &text);
    let answer = || async { Loaded::Ok(Generated::new(json!({"text": "short"}))) };
    cache.get_or_generate(&request, Control::new(), answer).await.unwrap();
    let (mut hits, mut hashed) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        hits.push(
            timed(500, async || cache.get_or_generate(&request, Control::new(), answer).await.unwrap()).await,
        );
        hashed.push(timed(500, async || blake3::hash(black_box(text.as_bytes()))).await);
    }
    let ratio = median(hits.iter().zip(&hashed).map(|(hit, hash)| hit / hash).collect());
    Row {
        bench: "verified_hit",
        bytes: text.len(),
        ns: median(hits),
        bound_ns: 20e3,
        ratio_to_blake3: Some(ratio),
        older_ns: Some(58_000.0),
    }
}

/// What recording and replaying add to an event.
async fn streams() -> Vec<Row> {
    const EVENTS: usize = 1_000;
    let cache = cache();
    let chunk = |delta: Value, finish: Value| json!({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
    let mut chunks = vec![chunk(json!({"content": "word "}), Value::Null); EVENTS];
    chunks.push(chunk(json!({}), json!("stop")));
    let request = AiRequest::new(Tenant::shared(), "qa").message("user", "x");
    let (mut recorded, mut replayed, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let per_event = |start: Duration| (cpu_time() - start).as_nanos() as f64 / EVENTS as f64;
        let raw: Vec<Result<Value, std::io::Error>> = chunks.iter().cloned().map(Ok).collect();
        let mut raw = Box::pin(stream::iter(raw));
        let start = cpu_time();
        // Kept as they are when they are recorded: what it takes to let go of them comes later.
        let mut kept = Vec::with_capacity(EVENTS + 1);
        while let Some(event) = raw.next().await {
            kept.push(event.unwrap());
        }
        bare.push(per_event(start));
        drop(black_box(kept));
        let events: Vec<Result<Value, std::io::Error>> = chunks.iter().cloned().map(Ok).collect();
        let open = |control, events: Vec<_>| {
            cache.stream::<Chat, _, _, _, _>(&request, control, Replay::AtOnce, || async {
                Ok(stream::iter(events))
            })
        };
        let mut live = open(Control::refresh(), events).await.unwrap();
        let start = cpu_time();
        while let Some(event) = live.next().await {
            black_box(event.unwrap());
        }
        recorded.push(per_event(start));
        while cache.cache().stats().loads.in_flight > 0 {
            tokio::task::yield_now().await;
        }
        let mut again = open(Control::new(), Vec::new()).await.unwrap();
        let start = cpu_time();
        while let Some(event) = again.next().await {
            black_box(event.unwrap());
        }
        replayed.push(per_event(start));
    }
    let over =
        |values: &[f64]| median(values.iter().zip(&bare).map(|(one, bare)| (one - bare).max(0.0)).collect());
    let row = |bench, ns| Row { bench, bytes: EVENTS, ns, bound_ns: 1e3, ..Row::default() };
    vec![row("record_event_overhead", over(&recorded)), row("replay_event", median(replayed))]
}
