//! What becomes of a stream that was read.

use std::sync::Arc;
use std::time::Duration;

use cache_core::BoxError;

use super::tee::Ended;
use crate::answer::{Answer, Generated, Outcome};
use crate::answered::Source;
use crate::cache::Shared;
use crate::entry::{Body, Entry, Timed};
use crate::gate::Refused;
use crate::key::Keyed;
use crate::operation::OperationPolicy;
use crate::samples::name_of;

/// The entry of a stream that ended.
///
/// # Errors
/// The stream's, which those who wait for it get as well.
pub(super) fn finish<A: Answer>(
    shared: &Arc<Shared>,
    keyed: &Keyed,
    sample: u32,
    ended: Ended<A::Event>,
    took: Duration,
) -> Result<Entry<A>, BoxError> {
    let policy = shared.operations.of(&keyed.operation);
    let refuse = |reason| {
        shared.counters.refused(&keyed.operation, reason);
        let mut entry =
            Entry::new(keyed, sample, Body::Abandoned, &Outcome::default(), took, shared.timer.unix_millis());
        entry.head.refused = Some(reason);
        entry
    };
    match ended {
        Ended::Left => Ok(refuse(Refused::Cancelled)),
        Ended::Failed(error) => {
            shared.counters.refused(&keyed.operation, Refused::Error);
            Err(error.to_string().into())
        }
        Ended::Done(events) => match recorded::<A>(shared, keyed, sample, policy, events, took) {
            Some((entry, reason)) => {
                shared.count(&name_of(&keyed.name, sample), &entry, Source::Generated, None, took);
                if let Some(reason) = reason {
                    shared.counters.refused(&keyed.operation, reason);
                }
                Ok(entry)
            }
            None => Ok(refuse(Refused::Truncated)),
        },
    }
}

/// The entry of a stream that was read to its end, and why it must not be kept, if so; `None` if it is no whole answer.
pub(super) fn recorded<A: Answer>(
    shared: &Shared,
    keyed: &Keyed,
    sample: u32,
    policy: &OperationPolicy,
    events: Vec<Timed<A::Event>>,
    took: Duration,
) -> Option<(Entry<A>, Option<Refused>)> {
    let seen: Vec<&A::Event> = events.iter().map(|timed| &*timed.event).collect();
    let generated = Generated::of(A::from_events(&seen)?);
    let reason = shared.gate.judge(&generated, policy);
    let now = shared.timer.unix_millis();
    let mut entry = Entry::new(keyed, sample, Body::Events(events), &generated.outcome, took, now);
    entry.head.refused = reason;
    Some((entry, reason))
}
