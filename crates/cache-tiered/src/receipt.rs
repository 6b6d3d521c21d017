//! What an answer says of itself.

use std::time::Duration;

use cache_core::{Feed, Tier};
use serde::Serialize;

/// Where an answer came from, how old it is, and why it is what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The tier that answered; `None` for a miss.
    pub tier: Option<Tier>,
    /// How long ago the value was made; `None` for a miss.
    pub age: Option<Duration>,
    /// How much longer it is fresh; zero when it is not; `None` for a miss.
    pub fresh_for: Option<Duration>,
    /// How it stands, or why there is nothing.
    pub status: Status,
    /// What keeps tier 1 in step with other processes.
    pub coherence: Coherence,
}

/// How an answer stands, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Status {
    /// A fresh value.
    Fresh,
    /// Nothing is stored under the key, as far as this cache knows.
    Absent,
    /// A value is there but its time is over; `get_or_load` may serve it stale.
    Stale,
    /// A value was there and was voided by `invalidate_tag` or `clear`.
    Invalidated,
    /// Somebody is loading the value just now.
    Loading,
    /// Something is stored that cannot be read as this: wrong key, damaged, foreign, another type.
    Refused,
    /// The store did not answer.
    StoreUnavailable,
}

impl Status {
    /// The status as one word, stable for labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Absent => "absent",
            Self::Stale => "stale",
            Self::Invalidated => "invalidated",
            Self::Loading => "loading",
            Self::Refused => "refused",
            Self::StoreUnavailable => "store_unavailable",
        }
    }
}

/// What keeps tier 1 in step with other processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Coherence {
    /// There is nobody to keep in step with: the cache is this process's own.
    Private,
    /// The store announces what others change.
    Feed,
    /// Writers publish what they change. What others change who do not is not announced.
    PubSub,
    /// Nothing: copies live by their TTL, and no longer than `untracked_max_age`.
    TtlOnly,
    /// Nothing: the link to the store does not show that it lives, so changes by others may have been missed.
    Disconnected,
    /// Nothing: the store could not take this value, so only this process has it, until the store can be told.
    Unsynced,
}

impl Coherence {
    pub(crate) fn of(shared_feed: Option<Feed>) -> Self {
        match shared_feed {
            None => Self::Private,
            Some(Feed::Tracking) => Self::Feed,
            Some(Feed::PubSub) => Self::PubSub,
            Some(_) => Self::TtlOnly,
        }
    }
}
