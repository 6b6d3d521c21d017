//! What the engine tells those who watch.

use std::fmt::{self, Debug};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;

use crate::{Error, ErrorKind, Health, LinkStatus, Namespace, Stats, Status, redact};

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
    /// With a value, which cannot be stored: the store refuses it.
    NotKept,
    /// With an error: the loader's, a panic, a time-out.
    Failed(Error),
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WriteResult {
    /// It is kept.
    Stored,
    /// It is served here, and waits for a store that is away.
    Waiting,
    /// It is not kept.
    Failed,
}

/// Something that happened. `Debug` shows keys redacted.
#[derive(Clone)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A read ended. Reported for those that the hit path of tier 1 did not answer, and for a sample of those that it did.
    Read {
        /// The user's key.
        key: &'a str,
        /// Which call: `get`, `get_or_load`, `get_many`, …
        operation: &'static str,
        /// The tier that answered, or the last one asked.
        tier: Tier,
        /// How it ended.
        result: ReadResult,
        /// How what was found stood, or why there was nothing.
        status: Status,
        /// How long a value that was served stale had been so, where that is known.
        stale_by: Option<Duration>,
        /// How long it took. A read of many keys took so long for all of them.
        took: Duration,
        /// For how many reads of its kind it stands: 1, or more if it is one of a sample.
        stands_for: u32,
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
    /// A value was written, by the caller or by a load.
    Write {
        /// The user's key.
        key: &'a str,
        /// What wrote it: `set` or `load`.
        operation: &'static str,
        /// How it ended.
        result: WriteResult,
        /// Length of the serialised value in bytes.
        bytes: usize,
        /// Length of what is stored, compressed where it was; `None` if no store was asked.
        stored: Option<usize>,
        /// For how long it is fresh.
        fresh_for: Duration,
        /// How long it took.
        took: Duration,
    },
    /// A key, a tag or everything was invalidated.
    Invalidate {
        /// Which operation did it: `delete`, `expire`, `invalidate_tag` or `clear` of this process; `told` and
        /// `told_mark` if the store told that somebody else changed a key, or invalidated a tag or everything.
        operation: &'static str,
        /// The user's key, if it was one.
        key: Option<&'a str>,
    },
    /// Stored bytes were passed over.
    Refused {
        /// The user's key.
        key: &'a str,
        /// Why, as one word for a label.
        reason: &'static str,
    },
    /// The store was asked and answered, failed, or took too long.
    Store {
        /// Which of its methods.
        operation: &'static str,
        /// How long it took.
        took: Duration,
        /// How it failed, if it did.
        error: Option<ErrorKind>,
    },
    /// The store failed, or was not asked because it kept failing.
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
    /// Work on a key or value was done.
    Work {
        /// Which: `key`, `serialize`, `compress`, `decompress`. Compressing includes all that makes stored bytes of a
        /// serialised value, and back.
        what: &'static str,
        /// On how many bytes.
        bytes: usize,
        /// How long it took.
        took: Duration,
    },
}

impl Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |f: &mut fmt::Formatter<'_>, name, key: &str| write!(f, "{name} of {}: ", redact(key));
        match self {
            Self::Read { key, operation, tier, result, status, took, stands_for, .. } => {
                of(f, "Read", key)?;
                write!(
                    f,
                    "{result:?} in {tier:?} by {operation} ({status:?}), took {took:?}, {stands_for} times"
                )
            }
            Self::Load { key, result, took } => {
                of(f, "Load", key)?;
                write!(f, "{result:?}, took {took:?}")
            }
            Self::Write { key, operation, result, bytes, stored, took, .. } => {
                of(f, "Write", key)?;
                write!(f, "{result:?} by {operation}, {bytes} bytes, stored {stored:?}, took {took:?}")
            }
            Self::Invalidate { operation, key: None } => write!(f, "Invalidate by {operation}"),
            Self::Invalidate { operation, key: Some(key) } => {
                of(f, "Invalidate", key)?;
                write!(f, "by {operation}")
            }
            Self::Refused { key, reason } => {
                of(f, "Refused", key)?;
                f.write_str(reason)
            }
            Self::Store { operation, took, error } => {
                write!(f, "Store asked to {operation}: {error:?}, took {took:?}")
            }
            Self::Degraded { operation, error } => write!(f, "Degraded in {operation}: {error:?}"),
            Self::Link { status } => write!(f, "Link: {status:?}"),
            Self::Work { what, bytes, took } => write!(f, "Work: {what} of {bytes} bytes, took {took:?}"),
        }
    }
}

/// Watches caches. Called in the path of operations: be quick, never block, never call the cache.
///
/// A panic in an observer is the observer's defect and ends the operation's task as any panic would.
pub trait Observer: Debug + Send + Sync {
    /// Takes note of an event.
    fn event(&self, event: &Event<'_>);

    /// A cache is being built that reports here: the observer that is told of its events instead of this one, if there is
    /// to be another. One that watches many caches tells them apart by this.
    ///
    /// `cache` can be asked once it is built, and not from within [`event`](Observer::event).
    fn attach(&self, namespace: &Namespace, cache: Weak<dyn Watched>) -> Option<Arc<dyn Observer>> {
        let _ = (namespace, cache);
        None
    }
}

/// A cache as those who watch it see it.
#[async_trait]
pub trait Watched: Debug + Send + Sync {
    /// What it did so far and holds now.
    fn stats(&self) -> Stats;

    /// Tries its store out, in a bounded time, and says how it is. Dropping the future leaves nothing behind for long.
    async fn health(&self) -> Health;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_event_shows_a_key() {
        let (key, took) = ("session:SECRET", Duration::ZERO);
        let stored = LoadResult::Stored;
        let events = [
            Event::Read {
                key,
                operation: "get",
                tier: Tier::Local,
                result: ReadResult::Hit,
                status: Status::Fresh,
                stale_by: None,
                took,
                stands_for: 1,
            },
            Event::Load { key, result: &stored, took },
            Event::Write {
                key,
                operation: "set",
                result: WriteResult::Stored,
                bytes: 1,
                stored: None,
                fresh_for: took,
                took,
            },
            Event::Invalidate { operation: "delete", key: Some(key) },
            Event::Refused { key, reason: "foreign" },
        ];
        for event in events {
            let shown = format!("{event:?}");
            assert!(shown.contains("`session:…` (14 bytes)") && !shown.contains("SECRET"), "{shown}");
        }
    }
}
