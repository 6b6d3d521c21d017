//! An observer that writes down what happened.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{
    Error, ErrorKind, Event, LinkStatus, LoadResult, Observer, ReadResult, Status, Tier, WriteResult,
};
use parking_lot::Mutex;

/// An [`Event`] that may be kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Recorded {
    /// A read ended.
    Read {
        /// The user's key.
        key: String,
        /// The tier that answered, or the last one asked.
        tier: Tier,
        /// How it ended.
        result: ReadResult,
        /// How what was found stood, or why there was nothing.
        status: Status,
        /// How long it took.
        took: Duration,
        /// For how many reads it stands.
        stands_for: u32,
    },
    /// A load ended.
    Load {
        /// The user's key.
        key: String,
        /// How it ended.
        result: LoadResult,
        /// How long the loader ran.
        took: Duration,
    },
    /// A value was written.
    Write {
        /// The user's key.
        key: String,
        /// What wrote it.
        operation: &'static str,
        /// How it ended.
        result: WriteResult,
        /// Length of the serialised value in bytes.
        bytes: usize,
        /// Length of what is stored; `None` without a store.
        stored: Option<usize>,
        /// How long it took.
        took: Duration,
    },
    /// A key, a tag or everything was invalidated.
    Invalidate {
        /// Which operation did it.
        operation: &'static str,
        /// The user's key, if it was one.
        key: Option<String>,
    },
    /// Stored bytes were passed over.
    Refused {
        /// The user's key.
        key: String,
        /// Why.
        reason: &'static str,
    },
    /// The store was asked.
    Store {
        /// Which of its methods.
        operation: &'static str,
        /// How it failed, if it did.
        error: Option<ErrorKind>,
    },
    /// Work on a key or value was done.
    Work {
        /// Which.
        what: &'static str,
        /// On how many bytes.
        bytes: usize,
    },
    /// The store failed and the operation went on without it.
    Degraded {
        /// Which operation.
        operation: &'static str,
        /// What the store said.
        error: Error,
    },
    /// The link to the store changed its state.
    Link {
        /// To this.
        status: LinkStatus,
    },
    /// An event that this version does not know, as `Debug` shows it.
    Other(String),
}

impl From<&Event<'_>> for Recorded {
    fn from(event: &Event<'_>) -> Self {
        match *event {
            Event::Read { key, tier, result, status, took, stands_for, .. } => {
                Self::Read { key: key.into(), tier, result, status, took, stands_for }
            }
            Event::Load { key, result, took } => Self::Load { key: key.into(), result: result.clone(), took },
            Event::Write { key, operation, result, bytes, stored, took, .. } => {
                Self::Write { key: key.into(), operation, result, bytes, stored, took }
            }
            Event::Invalidate { operation, key } => {
                Self::Invalidate { operation, key: key.map(str::to_owned) }
            }
            Event::Refused { key, reason } => Self::Refused { key: key.into(), reason },
            Event::Store { operation, error, .. } => Self::Store { operation, error },
            Event::Work { what, bytes, .. } => Self::Work { what, bytes },
            Event::Degraded { operation, error } => Self::Degraded { operation, error: error.clone() },
            Event::Link { status } => Self::Link { status },
            _ => Self::Other(format!("{event:?}")),
        }
    }
}

/// An [`Observer`] that keeps the latest events, for assertions.
///
/// ```
/// use cache_core::{Event, Observer};
/// use cache_testkit::{Recorded, Recorder};
///
/// let recorder = Recorder::new(1000);
/// recorder.event(&Event::Refused { key: "k", reason: "foreign" });
/// let refused = recorder.count(|e| matches!(e, Recorded::Refused { reason: "foreign", .. }));
/// assert_eq!(refused, 1);
/// ```
pub struct Recorder {
    capacity: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    events: VecDeque<Recorded>,
    forgotten: u64,
}

impl Recorder {
    /// A recorder that keeps this many events and forgets the oldest; with 0 it counts only what it forgot.
    pub fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { capacity, kept: Mutex::default() })
    }

    /// The events, the oldest first.
    pub fn events(&self) -> Vec<Recorded> {
        self.kept.lock().events.iter().cloned().collect()
    }

    /// The events, the oldest first; none of them is kept.
    pub fn take(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.kept.lock().events).into()
    }

    /// How many of the events kept are like this.
    pub fn count(&self, like: impl Fn(&Recorded) -> bool) -> usize {
        self.kept.lock().events.iter().filter(|event| like(event)).count()
    }

    /// How many events made room for later ones.
    pub fn forgotten(&self) -> u64 {
        self.kept.lock().forgotten
    }
}

impl Observer for Recorder {
    fn event(&self, event: &Event<'_>) {
        let mut kept = self.kept.lock();
        kept.events.push_back(event.into());
        if kept.events.len() > self.capacity {
            kept.events.pop_front();
            kept.forgotten += 1;
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.kept.lock();
        f.debug_struct("Recorder")
            .field("events", &kept.events.len())
            .field("forgotten", &kept.forgotten)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_events_are_kept_and_no_more() {
        let recorder = Recorder::new(2);
        for operation in ["a", "b", "c"] {
            recorder.event(&Event::Invalidate { operation, key: None });
        }
        let operations: Vec<_> = recorder
            .take()
            .into_iter()
            .map(|event| match event {
                Recorded::Invalidate { operation, .. } => operation,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!((operations, recorder.forgotten()), (vec!["b", "c"], 1));
        assert!(recorder.events().is_empty());
    }
}
