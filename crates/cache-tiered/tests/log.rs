//! The log: a line when the store is given up and one when it is back, none a call, and no key in any.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use cache_core::ErrorKind;
use cache_testkit::{FakeClock, Op, ReferenceServer, settle};
use common::{MINUTE, Process, SECOND, pass, process};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Keeps every line of the level `info` and above.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn an_outage_is_a_line_at_its_beginning_and_one_at_its_end() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let Process { cache, link, .. } = process(&clock, &server);
    link.disconnect();
    for _ in 0..200 {
        cache.get::<u32>("token:SECRET").await.unwrap();
        cache.delete("token:SECRET").await.unwrap_err();
        clock.advance(SECOND);
    }
    for _ in 0..20 {
        link.fail_next(Op::Get, 1, ErrorKind::Timeout);
        cache.get::<u32>("token:SECRET").await.unwrap();
        clock.advance(MINUTE);
    }
    assert_eq!(lines.0.lock().unwrap().len(), 1, "{lines:?}", lines = lines.0);
    link.reconnect();
    settle().await;
    cache.get::<u32>("token:SECRET").await.unwrap();
    let lines = lines.0.lock().unwrap();
    let levels: Vec<&str> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(levels, ["WARN", "INFO", "INFO"], "given up, back, and told: {lines:?}");
    assert!(
        lines.iter().all(|line| line.contains("cache=\"test\"") && !line.contains("SECRET")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn the_store_is_said_to_be_told_when_it_was_and_not_when_it_refused() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let Process { cache, link, .. } = process(&clock, &server);
    let told = || lines.0.lock().unwrap().iter().filter(|line| line.contains("it missed")).count();
    for (op, kind) in [(Op::Remove, ErrorKind::Configuration), (Op::BumpMark, ErrorKind::Configuration)] {
        let before = told();
        link.disconnect();
        cache.delete("k").await.unwrap_err();
        cache.invalidate_tag("t").await.unwrap_err();
        link.fail_next(op, 1, kind);
        link.reconnect();
        settle().await;
        assert_eq!((told(), cache.stats().queue.waiting), (before, 1), "{op:?}");
        pass(&clock, 2 * SECOND).await;
        assert_eq!((told(), cache.stats().queue.waiting), (before + 1, 0), "{op:?}");
    }
}
