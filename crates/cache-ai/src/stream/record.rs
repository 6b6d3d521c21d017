//! What becomes of a stream that was read.

use std::sync::Arc;
use std::time::Duration;

use cache_core::BoxError;

use super::tee::Ended;
use crate::answer::{Answer, Generated, Outcome};
use crate::answered::Source;
use crate::blocking::blocking;
use crate::cache::Shared;
use crate::entry::{Body, Entry, Recorded, Timed};
use crate::gate::Refused;
use crate::key::Keyed;
use crate::samples::name_of;

/// The entry of a stream that ended, and was opened in so long.
///
/// # Errors
/// The stream's, which those who wait for it get as well.
pub(super) async fn finish<A: Answer>(
    shared: &Arc<Shared>,
    keyed: &Keyed,
    sample: u32,
    ended: Ended<A::Event>,
    opening: Duration,
) -> Result<Entry<A>, BoxError> {
    let fail = |reason| {
        shared.counters.missed(&keyed.operation, keyed.text_tier);
        shared.counters.refused(&keyed.operation, reason);
    };
    let refuse = |reason| {
        fail(reason);
        unkept(shared, keyed, sample, reason, opening)
    };
    match ended {
        Ended::Left => Ok(refuse(Refused::Cancelled)),
        Ended::Failed(error) => {
            fail(Refused::Error);
            Err(error.to_string().into())
        }
        Ended::Done(events, waited) => {
            match recorded::<A>(shared, keyed, sample, events, opening + waited).await {
                Some((entry, reason)) => {
                    if let Some(reason) = reason {
                        shared.counters.refused(&keyed.operation, reason);
                    }
                    Ok(entry)
                }
                None => Ok(refuse(Refused::Truncated)),
            }
        }
        Ended::TooLong(waited) => {
            shared.counters.refused(&keyed.operation, Refused::TooLarge);
            Ok(too_long(shared, keyed, sample, opening + waited))
        }
    }
}

/// The entry of a stream of which nothing is held, because it was longer than may be kept: it is counted. How many tokens it took is
/// said at an end that nobody waits for.
pub(super) fn too_long<A: Answer>(shared: &Shared, keyed: &Keyed, sample: u32, took: Duration) -> Entry<A> {
    let mut entry = unkept(shared, keyed, sample, Refused::TooLarge, took);
    shared.spent(&mut entry);
    shared.count(&name_of(&keyed.name, sample), &entry, Source::Generated, None, took);
    entry
}

/// The entry of a stream of which nothing is held.
fn unkept<A: Answer>(
    shared: &Shared,
    keyed: &Keyed,
    sample: u32,
    reason: Refused,
    took: Duration,
) -> Entry<A> {
    let (outcome, now) = (Outcome::default(), shared.timer.unix_millis());
    let mut entry = Entry::new(keyed, sample, Body::Abandoned, &outcome, took, now);
    entry.head.refused = Some(reason);
    entry
}

/// The entry of a stream that was read to its end, and why it must not be kept, if so; `None` if it is no whole answer. A
/// whole one is counted.
pub(super) async fn recorded<A: Answer>(
    shared: &Arc<Shared>,
    keyed: &Keyed,
    sample: u32,
    events: Vec<Timed<A::Event>>,
    took: Duration,
) -> Option<(Entry<A>, Option<Refused>)> {
    let (own, operation, choices) = (Arc::clone(shared), keyed.operation.clone(), keyed.choices);
    // Nobody waits for it, and there is no saying how long it takes.
    let judged = blocking(move || {
        let seen: Vec<&A::Event> = events.iter().map(|timed| &*timed.event).collect();
        let generated = Generated::of(A::from_events(&seen)?);
        // Whole answers, but not all that were asked for: the stream was cut between two of them.
        if generated.outcome.choices.is_some_and(|came| came < choices) {
            return None;
        }
        let reason = own.gate.judge(&generated, own.operations.of(&operation));
        Some((generated.outcome, reason, events))
    });
    let (outcome, reason, events) = judged.await?;
    let now = shared.timer.unix_millis();
    let mut entry = Entry::new(keyed, sample, Body::Events(Recorded::new(events)), &outcome, took, now);
    entry.head.refused = reason;
    shared.spent(&mut entry);
    shared.count(&name_of(&keyed.name, sample), &entry, Source::Generated, None, took);
    Some((entry, reason))
}
