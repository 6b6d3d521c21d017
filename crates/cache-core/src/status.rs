//! How an answer stands.

use serde::Serialize;

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
