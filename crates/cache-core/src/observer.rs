//! What the engine tells those who watch.

use std::fmt::{self, Debug};
use std::time::Duration;

use crate::{Error, LinkStatus, redact};

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tier {
    /// This process's memory.
    Local,
    /// The store.
    Store,
    /// The caller's loader.
    Loader,
}

/// How a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReadResult {
    /// A fresh value.
    Hit,
    /// A stale value, on purpose.
    Stale,
    /// No value.
    Miss,
}

/// How a load ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LoadResult {
    /// With a value, which was stored.
    Stored,
    /// With a value, which an invalidation kept from being stored.
    Fenced,
    /// With an error: the loader's, a panic, a time-out.
    Failed(Error),
}

/// Something that happened. `Debug` shows keys redacted.
#[derive(Clone)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A read ended. Reported for those that did not end in tier 1, and for a sample of those that did.
    Read {
        /// The user's key.
        key: &'a str,
        /// The tier that answered, or the last one asked.
        tier: Tier,
        /// How it ended.
        result: ReadResult,
        /// How long it took, where it was measured.
        took: Option<Duration>,
    },
    /// A load ended.
    Load {
        /// The user's key.
        key: &'a str,
        /// How it ended.
        result: &'a LoadResult,
        /// How long the loader ran.
        took: Duration,
    },
    /// A value was written.
    Write {
        /// The user's key.
        key: &'a str,
        /// Length of the serialised value in bytes.
        bytes: usize,
        /// Length of what is stored, compressed where it was; `None` without a store.
        stored: Option<usize>,
        /// How long it took.
        took: Duration,
    },
    /// A key, a tag or everything was invalidated by this process.
    Invalidate {
        /// Which operation did it.
        operation: &'static str,
    },
    /// Stored bytes were passed over.
    Refused {
        /// The user's key.
        key: &'a str,
        /// Why, as one word for a label.
        reason: &'static str,
    },
    /// The store failed and the operation went on without it.
    Degraded {
        /// Which operation.
        operation: &'static str,
        /// What the store said.
        error: &'a Error,
    },
    /// The link to the store changed its state.
    Link {
        /// To this.
        status: LinkStatus,
    },
}

impl Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |f: &mut fmt::Formatter<'_>, name, key: &str| write!(f, "{name} of {}: ", redact(key));
        match self {
            Self::Read { key, tier, result, took } => {
                of(f, "Read", key)?;
                write!(f, "{result:?} in {tier:?}, took {took:?}")
            }
            Self::Load { key, result, took } => {
                of(f, "Load", key)?;
                write!(f, "{result:?}, took {took:?}")
            }
            Self::Write { key, bytes, stored, took } => {
                of(f, "Write", key)?;
                write!(f, "{bytes} bytes, stored {stored:?}, took {took:?}")
            }
            Self::Invalidate { operation } => write!(f, "Invalidate by {operation}"),
            Self::Refused { key, reason } => {
                of(f, "Refused", key)?;
                f.write_str(reason)
            }
            Self::Degraded { operation, error } => write!(f, "Degraded in {operation}: {error:?}"),
            Self::Link { status } => write!(f, "Link: {status:?}"),
        }
    }
}

/// Watches a cache. Called in the path of operations: be quick, never block, never call the cache.
///
/// A panic in an observer is the observer's defect and ends the operation's task as any panic would.
pub trait Observer: Debug + Send + Sync {
    /// Takes note of an event.
    fn event(&self, event: &Event<'_>);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_event_shows_a_key() {
        let (key, took) = ("session:SECRET", Duration::ZERO);
        let stored = LoadResult::Stored;
        let events = [
            Event::Read { key, tier: Tier::Local, result: ReadResult::Hit, took: None },
            Event::Load { key, result: &stored, took },
            Event::Write { key, bytes: 1, stored: None, took },
            Event::Refused { key, reason: "foreign" },
        ];
        for event in events {
            let shown = format!("{event:?}");
            assert!(shown.contains("`session:…` (14 bytes)") && !shown.contains("SECRET"), "{shown}");
        }
    }
}
