//! Why a key missed: a pure function of what is remembered of it.

use std::time::Duration;

use cache_core::{Moment, Status};
use serde::Serialize;

/// Why there was no value under a key, as far as this process can know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
#[non_exhaustive]
pub enum MissReason {
    /// Nobody is remembered to have stored it. So much is remembered that this may also mean: long ago.
    NeverStored,
    /// Nobody stored it, but a key that differs only in case, in separators or in spaces was.
    OtherKey {
        /// How long ago that was.
        #[serde(rename = "stored_seconds_ago", serialize_with = "seconds")]
        stored: Duration,
    },
    /// Its time was over.
    Expired {
        /// How long ago.
        #[serde(rename = "seconds_ago", serialize_with = "seconds")]
        ago: Duration,
    },
    /// It was stored, its time is not over, and nobody is known to have invalidated it: tier 1 or the store let go of it to
    /// make room, or somebody removed it unseen.
    Evicted {
        /// How long ago it was stored.
        #[serde(rename = "stored_seconds_ago", serialize_with = "seconds")]
        stored: Duration,
    },
    /// It was removed, made stale, or voided by a tag or a clear.
    Invalidated {
        /// By what: `delete`, `expire`, `invalidate_tag`, `clear`; `told` and `told_mark` if another process did it.
        by: &'static str,
        /// How long ago.
        #[serde(rename = "seconds_ago", serialize_with = "seconds")]
        ago: Duration,
    },
    /// Something is stored that cannot be read.
    Refused {
        /// Why: `wrong_type`, `foreign`, `corrupt`, …
        why: &'static str,
    },
    /// It was loaded or set, and not kept: too large, refused by the store, or invalidated meanwhile.
    NotKept,
    /// Somebody is loading it.
    Loading,
    /// The store did not answer.
    StoreUnavailable,
    /// The last read that was seen found a value.
    NotMissing,
}

impl MissReason {
    /// The reason as one word, for labels.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NeverStored => "never_stored",
            Self::OtherKey { .. } => "other_key",
            Self::Expired { .. } => "expired",
            Self::Evicted { .. } => "evicted",
            Self::Invalidated { .. } => "invalidated",
            Self::Refused { .. } => "refused",
            Self::NotKept => "not_kept",
            Self::Loading => "loading",
            Self::StoreUnavailable => "store_unavailable",
            Self::NotMissing => "not_missing",
        }
    }
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// What happened to a key last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// It was stored, to be fresh until then.
    Stored { until: Moment },
    /// A value was found whose end is not known.
    Seen,
    /// It was asked for, and there was nothing.
    Asked,
    /// It was invalidated by this.
    Invalidated { by: &'static str },
    /// What is stored was passed over, for this reason.
    Refused { why: &'static str },
    /// A value was not kept.
    NotKept,
}

/// What is remembered of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Last {
    pub(crate) what: What,
    pub(crate) at: Moment,
}

/// When many keys were invalidated last, and by what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) clear: Option<Moment>,
    pub(crate) tag: Option<Moment>,
    pub(crate) told: Option<Moment>,
}

impl Marks {
    /// The last that came after `at`; of two at a time the one that reaches more.
    fn after(&self, at: Moment) -> Option<(&'static str, Moment)> {
        let all = [("told_mark", self.told), ("invalidate_tag", self.tag), ("clear", self.clear)];
        all.into_iter()
            .filter_map(|(by, when)| Some((by, when?)))
            .filter(|&(_, when)| when >= at)
            .max_by_key(|&(_, when)| when)
    }
}

/// Why a read of a key found nothing. `status` is what the read said; `alike` is when a key was stored that looks like it.
pub(crate) fn judge(
    last: Option<Last>,
    status: Status,
    marks: Marks,
    alike: Option<Moment>,
    now: Moment,
) -> MissReason {
    match status {
        Status::StoreUnavailable => return MissReason::StoreUnavailable,
        Status::Loading => return MissReason::Loading,
        Status::Fresh => return MissReason::NotMissing,
        _ => {}
    }
    let since = last.map_or(Moment::START, |last| last.at);
    match (status, last.map(|last| last.what)) {
        (_, Some(What::Refused { why })) => MissReason::Refused { why },
        (Status::Refused, _) => MissReason::Refused { why: "unknown" },
        (_, Some(What::Invalidated { by })) => MissReason::Invalidated { by, ago: now.since(since) },
        (_, Some(What::NotKept)) => MissReason::NotKept,
        (Status::Invalidated, _) => {
            let (by, when) = marks.after(since).unwrap_or(("told_mark", now));
            MissReason::Invalidated { by, ago: now.since(when) }
        }
        (_, Some(What::Stored { until })) if until <= now => MissReason::Expired { ago: now.since(until) },
        (Status::Stale, _) => MissReason::Expired { ago: Duration::ZERO },
        (_, Some(What::Stored { .. } | What::Seen)) => match marks.clear.filter(|&when| when >= since) {
            Some(when) => MissReason::Invalidated { by: "clear", ago: now.since(when) },
            // A tag's mark leaves the entry where it is, and the read says so.
            None => MissReason::Evicted { stored: now.since(since) },
        },
        (_, Some(What::Asked) | None) => match alike {
            Some(stored) => MissReason::OtherKey { stored: now.since(stored) },
            None => MissReason::NeverStored,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::START + Duration::from_secs(seconds)
    }

    fn last(what: What, seconds: u64) -> Option<Last> {
        Some(Last { what, at: at(seconds) })
    }

    #[test]
    fn the_reason_for_every_case() {
        let none = Marks::default();
        let cleared = Marks { clear: Some(at(50)), ..none };
        let tagged = Marks { tag: Some(at(50)), ..none };
        let told = Marks { told: Some(at(60)), ..tagged };
        let secs = Duration::from_secs;
        let stored = last(What::Stored { until: at(1000) }, 10);
        let over = last(What::Stored { until: at(70) }, 10);
        let deleted = last(What::Invalidated { by: "delete" }, 20);
        let table = [
            (None, Status::Absent, none, MissReason::NeverStored),
            (last(What::Asked, 5), Status::Absent, none, MissReason::NeverStored),
            (stored, Status::Absent, none, MissReason::Evicted { stored: secs(90) }),
            (last(What::Seen, 10), Status::Absent, none, MissReason::Evicted { stored: secs(90) }),
            (over, Status::Absent, none, MissReason::Expired { ago: secs(30) }),
            (None, Status::Stale, none, MissReason::Expired { ago: secs(0) }),
            (deleted, Status::Absent, none, MissReason::Invalidated { by: "delete", ago: secs(80) }),
            (deleted, Status::Absent, cleared, MissReason::Invalidated { by: "delete", ago: secs(80) }),
            (stored, Status::Absent, cleared, MissReason::Invalidated { by: "clear", ago: secs(50) }),
            (
                last(What::Stored { until: at(1000) }, 55),
                Status::Absent,
                cleared,
                MissReason::Evicted { stored: secs(45) },
            ),
            (stored, Status::Absent, tagged, MissReason::Evicted { stored: secs(90) }),
            (
                stored,
                Status::Invalidated,
                tagged,
                MissReason::Invalidated { by: "invalidate_tag", ago: secs(50) },
            ),
            (stored, Status::Invalidated, told, MissReason::Invalidated { by: "told_mark", ago: secs(40) }),
            (None, Status::Invalidated, none, MissReason::Invalidated { by: "told_mark", ago: secs(0) }),
            (stored, Status::Refused, none, MissReason::Refused { why: "unknown" }),
            (
                last(What::Refused { why: "foreign" }, 9),
                Status::Refused,
                none,
                MissReason::Refused { why: "foreign" },
            ),
            (last(What::NotKept, 9), Status::Absent, none, MissReason::NotKept),
            (stored, Status::Loading, none, MissReason::Loading),
            (stored, Status::StoreUnavailable, none, MissReason::StoreUnavailable),
            (stored, Status::Fresh, none, MissReason::NotMissing),
        ];
        for (last, status, marks, expected) in table {
            assert_eq!(judge(last, status, marks, None, at(100)), expected, "{last:?} {status:?} {marks:?}");
        }
        let alike = judge(None, Status::Absent, none, Some(at(40)), at(100));
        assert_eq!(alike, MissReason::OtherKey { stored: secs(60) });
        assert_eq!(judge(stored, Status::Absent, none, Some(at(40)), at(100)).as_str(), "evicted");
    }
}
