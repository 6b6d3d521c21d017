//! Each operation as a span, and what happened in it as events, for those who look at debug level. Nobody else pays more
//! than one look at whether somebody does.

use std::time::Duration;

use cache_core::{Event, Namespace, ReadResult, Status, Tier, redact};
use tracing::field::Empty;
use tracing::instrument::Instrumented;
use tracing::{Instrument, Level, Span};

use crate::engine::Engine;

/// What filters name: `cache=debug`.
macro_rules! target {
    () => {
        "cache"
    };
}

/// Whether somebody looks.
#[inline]
pub(crate) fn is_on() -> bool {
    tracing::enabled!(target: target!(), Level::DEBUG)
}

impl Engine {
    /// Does this in the span of an operation. `what` is a key, a pattern or nothing; of keys their first part is shown.
    pub(crate) fn traced<F: Future>(&self, operation: &'static str, what: &str, work: F) -> Instrumented<F> {
        work.instrument(tracing::debug_span!(
            target: target!(),
            "cache",
            operation,
            cache = self.namespace.as_str(),
            key = (!what.is_empty()).then(|| redact(what)),
            result = Empty,
            tier = Empty,
            status = Empty,
            took_us = Empty,
        ))
    }
}

/// A read of one key that ended, for the span that it is in.
pub(crate) fn record(result: ReadResult, tier: Tier, status: Status, took: Duration) {
    let span = Span::current();
    // Without a span of ours, because it is filtered out, this one is somebody else's.
    if span.metadata().is_some_and(|metadata| metadata.target() == target!()) {
        span.record("result", word(result));
        span.record("tier", tier_word(tier));
        span.record("status", status.as_str());
        span.record("took_us", u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }
}

/// What happened, as one line.
pub(crate) fn event(namespace: &Namespace, event: &Event<'_>) {
    let cache = namespace.as_str();
    match event {
        // One of a sample: each of its kind was told when it happened.
        Event::Read { stands_for: 2.., .. } => {}
        Event::Read { key, operation, tier, result, status, took, .. } => tracing::debug!(
            target: target!(), cache, operation, key = redact(key), result = word(*result), tier = tier_word(*tier),
            status = status.as_str(), ?took, "read"
        ),
        Event::Write { key, operation, result, bytes, fresh_for, took, .. } => tracing::debug!(
            target: target!(), cache, operation, key = redact(key), ?result, bytes, ?fresh_for, ?took, "write"
        ),
        Event::Load { key, result, took } => {
            tracing::debug!(target: target!(), cache, key = redact(key), ?result, ?took, "load");
        }
        Event::Invalidate { operation, key } => {
            tracing::debug!(target: target!(), cache, operation, key = key.map(redact), "invalidate");
        }
        // Parts of an operation.
        other => tracing::trace!(target: target!(), cache, event = ?other, "within"),
    }
}

fn word(result: ReadResult) -> &'static str {
    match result {
        ReadResult::Hit => "hit",
        ReadResult::Stale => "stale",
        _ => "miss",
    }
}

fn tier_word(tier: Tier) -> &'static str {
    match tier {
        Tier::Local => "memory",
        Tier::Store => "store",
        _ => "loader",
    }
}
