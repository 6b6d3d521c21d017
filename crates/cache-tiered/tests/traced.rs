//! What is seen of operations at debug level, and that nothing is at any other.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod common;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use cache_core::ErrorKind;
use cache_testkit::{FakeClock, Op, ReferenceServer};
use common::{MINUTE, Runs, private, process};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_core::span::Current;

type Fields = BTreeMap<String, String>;

/// Keeps spans and events of the target `cache` up to a level.
#[derive(Clone)]
struct Watcher {
    level: Level,
    seen: Arc<Mutex<Seen>>,
    next: Arc<AtomicU64>,
}

#[derive(Default)]
struct Seen {
    spans: BTreeMap<u64, Fields>,
    entered: Vec<u64>,
    /// Each with the operation of the span that it was in.
    events: Vec<(Option<String>, Fields)>,
    metadata: BTreeMap<u64, &'static Metadata<'static>>,
}

impl Watcher {
    fn new(level: Level) -> Self {
        Self { level, seen: Arc::default(), next: Arc::new(AtomicU64::new(1)) }
    }

    fn span(&self, operation: &str) -> Fields {
        let seen = self.seen.lock().unwrap();
        let found = seen.spans.values().rev().find(|fields| fields["operation"] == operation);
        found.cloned().unwrap_or_default()
    }

    fn events(&self) -> Vec<(Option<String>, Fields)> {
        std::mem::take(&mut self.seen.lock().unwrap().events)
    }
}

struct Keep<'a>(&'a mut Fields);

impl Visit for Keep<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().into(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

impl Subscriber for Watcher {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level && metadata.target() == "cache"
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let id = self.next.fetch_add(1, Ordering::SeqCst);
        let mut fields = Fields::new();
        attributes.record(&mut Keep(&mut fields));
        let mut seen = self.seen.lock().unwrap();
        seen.spans.insert(id, fields);
        seen.metadata.insert(id, attributes.metadata());
        Id::from_u64(id)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        let mut seen = self.seen.lock().unwrap();
        values.record(&mut Keep(seen.spans.get_mut(&id.into_u64()).unwrap()));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::new();
        event.record(&mut Keep(&mut fields));
        let mut seen = self.seen.lock().unwrap();
        let within = seen.entered.last().map(|id| seen.spans[id]["operation"].clone());
        seen.events.push((within, fields));
    }

    fn enter(&self, id: &Id) {
        self.seen.lock().unwrap().entered.push(id.into_u64());
    }

    fn exit(&self, _: &Id) {
        self.seen.lock().unwrap().entered.pop();
    }

    fn current_span(&self) -> Current {
        let seen = self.seen.lock().unwrap();
        match seen.entered.last() {
            Some(id) => Current::new(Id::from_u64(*id), seen.metadata[id]),
            None => Current::none(),
        }
    }
}

fn of<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).map_or("", String::as_str)
}

#[tokio::test]
async fn each_read_is_a_span_with_its_result_tier_and_duration() {
    let watcher = Watcher::new(Level::DEBUG);
    let _guard = tracing::subscriber::set_default(watcher.clone());
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (one, two) = (process(&clock, &server), process(&clock, &server));

    assert!(one.cache.get::<u32>("user:SECRET").await.unwrap().is_none());
    let missed = watcher.span("get");
    assert_eq!((of(&missed, "result"), of(&missed, "status")), ("miss", "absent"));
    assert_eq!((of(&missed, "cache"), of(&missed, "tier")), ("test", "store"));
    assert!(missed.contains_key("took_us"), "{missed:?}");

    one.cache.set("user:SECRET", &7_u32, MINUTE).await.unwrap();
    assert_eq!(of(&watcher.span("set"), "operation"), "set");
    for (cache, tier) in [(&one.cache, "memory"), (&two.cache, "store"), (&two.cache, "memory")] {
        assert_eq!(*cache.get::<u32>("user:SECRET").await.unwrap().unwrap(), 7);
        let hit = watcher.span("get");
        assert_eq!((of(&hit, "result"), of(&hit, "tier")), ("hit", tier));
    }
    let events = watcher.events();
    let reads: Vec<_> = events
        .iter()
        .filter(|(_, fields)| of(fields, "message") == "read")
        .map(|(within, fields)| (within.as_deref(), of(fields, "result"), of(fields, "tier")))
        .collect();
    let get = Some("get");
    assert_eq!(
        reads,
        [(get, "miss", "store"), (get, "hit", "memory"), (get, "hit", "store"), (get, "hit", "memory")]
    );
    assert!(events.iter().any(|(within, fields)| within.as_deref() == Some("set")
        && of(fields, "message") == "write"
        && of(fields, "result") == "Stored"));
    let seen = watcher.seen.lock().unwrap();
    let all = format!("{:?} {events:?}", seen.spans);
    assert!(all.contains("user:…") && !all.contains("SECRET"), "{all}");
}

#[tokio::test]
async fn every_hit_is_told_and_not_a_sample_of_them() {
    let watcher = Watcher::new(Level::DEBUG);
    let _guard = tracing::subscriber::set_default(watcher.clone());
    let cache = private(&FakeClock::new());
    cache.set("k", &1, MINUTE).await.unwrap();
    cache.get::<i32>("k").await.unwrap();
    watcher.events();
    for _ in 0..600 {
        cache.get::<i32>("k").await.unwrap();
        cache.get_or_load("k", (), Runs::default().loader(2)).await.unwrap();
    }
    let events = watcher.events();
    assert_eq!(events.len(), 1200);
    assert!(events.iter().all(|(within, fields)| within.as_deref() == Some(of(fields, "operation"))));
}

#[tokio::test]
async fn every_operation_has_a_span_and_a_load_belongs_to_its_own() {
    let watcher = Watcher::new(Level::DEBUG);
    let _guard = tracing::subscriber::set_default(watcher.clone());
    let cache = private(&FakeClock::new());
    cache.get_or_load("k", MINUTE, Runs::default().loader(1)).await.unwrap();
    let load = watcher.events().into_iter().find(|(_, fields)| of(fields, "message") == "load").unwrap();
    assert_eq!(load.0.as_deref(), Some("get_or_load"));

    cache.reload("k", MINUTE, Runs::default().loader(2)).await.unwrap();
    cache.get_with_receipt::<i32>("k").await.unwrap();
    cache.ttl("k").await.unwrap();
    cache.get_many::<i32>(&["k", "l"]).await.unwrap();
    let load_none = |_| async { Ok::<_, std::io::Error>(std::collections::HashMap::<String, i32>::new()) };
    cache.get_many_or_load(&["l"], (), load_none).await.unwrap();
    let _ = cache.set_many(&[("m", 1)], ()).await.unwrap();
    let _ = cache.delete_many(&["m"]).await.unwrap();
    cache.keys("*").await.unwrap();
    let _ = cache.warm([("w", 1)], ()).await.unwrap();
    let _ = cache.preload(["w"], (), |_| async { Ok::<_, std::io::Error>(1) }).await.unwrap();
    cache.expire("k").await.unwrap();
    cache.delete("k").await.unwrap();
    cache.invalidate_tag("t").await.unwrap();
    cache.clear().await.unwrap();
    for operation in [
        "reload",
        "get_with_receipt",
        "ttl",
        "get_many",
        "get_many_or_load",
        "set_many",
        "delete_many",
        "keys",
        "warm",
        "preload",
        "expire",
        "delete",
        "invalidate_tag",
        "clear",
    ] {
        assert_eq!(of(&watcher.span(operation), "operation"), operation);
    }
    let reads =
        watcher.events().into_iter().filter(|(within, _)| within.as_deref() == Some("get_many")).count();
    assert_eq!(reads, 2, "one for each key");
}

#[tokio::test]
async fn nothing_is_told_at_the_level_of_information() {
    let watcher = Watcher::new(Level::INFO);
    let _guard = tracing::subscriber::set_default(watcher.clone());
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let process = process(&clock, &server);
    process.link.fail_next(Op::Get, 1, ErrorKind::Unavailable);
    process.cache.get::<u32>("k").await.unwrap();
    process.cache.set("k", &1, MINUTE).await.unwrap();
    process.cache.get::<i32>("k").await.unwrap();
    process.cache.clear().await.unwrap();
    let seen = watcher.seen.lock().unwrap();
    assert!(seen.spans.is_empty() && seen.events.is_empty());
}
