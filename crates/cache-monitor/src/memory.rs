//! What is remembered of single keys, to say why one missed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cache_core::{Moment, Seed, Status, WriteResult};

use crate::miss::{Last, Marks, MissReason, What, judge};
use crate::ring::{Ring, plain_form};

/// So close to the end of a key, what a store tells of it is that it ended, and that it is found still is no other value:
/// the store counts from when it was told.
const END: Duration = Duration::from_secs(1);

/// A key, hashed once for all who remember something of it.
#[derive(Clone, Copy)]
pub(crate) struct Hashed<'a> {
    pub(crate) key: &'a str,
    pub(crate) hash: u64,
}

/// The last that happened to each of a bounded number of keys.
#[derive(Debug)]
pub(crate) struct Memory {
    keys: Ring<Remembered>,
    /// By plain form: which key was stored, and when.
    alike: Ring<(u64, Moment)>,
    seed: Seed,
    clear: AtomicU64,
    tag: AtomicU64,
    told: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Remembered {
    last: Last,
    /// What the last read said, if it found nothing.
    missed: Option<Status>,
}

/// A miss, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missed {
    pub(crate) reason: MissReason,
    /// Whether nothing was remembered of the key.
    pub(crate) is_first: bool,
    /// How long after it was stored it was wanted, if it had expired and this is the first read since.
    pub(crate) wanted_after: Option<Duration>,
}

impl Memory {
    pub(crate) fn new(keys: usize) -> Self {
        Self {
            keys: Ring::new(keys),
            alike: Ring::new(keys),
            seed: Seed::random(),
            clear: AtomicU64::new(0),
            tag: AtomicU64::new(0),
            told: AtomicU64::new(0),
        }
    }

    /// The key, as all else here takes it.
    pub(crate) fn hashed<'a>(&self, key: &'a str) -> Hashed<'a> {
        Hashed { key, hash: self.seed.hash(key) }
    }

    /// Memory that it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.keys.bytes() + self.alike.bytes()
    }

    pub(crate) fn wrote(&self, key: Hashed<'_>, result: WriteResult, fresh_for: Duration, now: Moment) {
        let what = match result {
            WriteResult::Failed => What::NotKept,
            _ => What::Stored { until: now + fresh_for },
        };
        self.set(key, what, now);
        if what != What::NotKept {
            self.alike.update(self.plain(key), now, |_| (Some((key.hash, now)), ()));
        }
    }

    pub(crate) fn refused(&self, key: Hashed<'_>, why: &'static str, now: Moment) {
        self.set(key, What::Refused { why }, now);
    }

    pub(crate) fn invalidated(&self, key: Option<Hashed<'_>>, by: &'static str, now: Moment) {
        let Some(key) = key else {
            let mark = match by {
                "clear" => &self.clear,
                "invalidate_tag" => &self.tag,
                _ => &self.told,
            };
            mark.store(now.as_nanos().max(1), Ordering::Relaxed);
            return;
        };
        self.keys.update(key.hash, now, |held| match held.map(|held| held.last.what) {
            Some(What::Stored { until }) if by == "told" && until <= now + END => (None, ()),
            _ => (
                Some(Remembered { last: Last { what: What::Invalidated { by }, at: now }, missed: None }),
                (),
            ),
        });
    }

    pub(crate) fn found(&self, key: Hashed<'_>, now: Moment) {
        self.keys.update(key.hash, now, |held| {
            let last = match held {
                Some(Remembered { last, .. }) if matches!(last.what, What::Stored { until } if now < until + END) => last,
                _ => Last { what: What::Seen, at: now },
            };
            (Some(Remembered { last, missed: None }), ())
        });
    }

    pub(crate) fn missed(&self, key: Hashed<'_>, status: Status, now: Moment) -> Missed {
        let marks = self.marks();
        let (held, reason) = self.keys.update(key.hash, now, |held| {
            let last = held.map_or(Last { what: What::Asked, at: now }, |held| held.last);
            let reason = judge(held.map(|held| held.last), status, marks, None, now);
            (Some(Remembered { last, missed: Some(status) }), (held, reason))
        });
        let wanted_after = match (&reason, held) {
            (MissReason::Expired { .. }, Some(Remembered { last, missed: None })) => {
                matches!(last.what, What::Stored { .. }).then(|| now.since(last.at))
            }
            _ => None,
        };
        let reason = if reason == MissReason::NeverStored { self.never_stored(key, now) } else { reason };
        Missed { reason, is_first: held.is_none(), wanted_after }
    }

    /// Why the key was missed when it was last asked for, or would be now; and when something happened to it last.
    pub(crate) fn why_missed(&self, key: &str, now: Moment) -> (MissReason, Option<Moment>) {
        let key = self.hashed(key);
        let held = self.keys.get(key.hash);
        let status = match held {
            Some(Remembered { missed: Some(status), .. }) => status,
            Some(Remembered { last, .. }) => match last.what {
                What::Stored { until } if now < until => Status::Fresh,
                What::Seen => Status::Fresh,
                _ => Status::Absent,
            },
            None => Status::Absent,
        };
        let reason = match judge(held.map(|held| held.last), status, self.marks(), None, now) {
            MissReason::NeverStored => self.never_stored(key, now),
            reason => reason,
        };
        (reason, held.map(|held| held.last.at))
    }

    fn never_stored(&self, key: Hashed<'_>, now: Moment) -> MissReason {
        match self.alike.get(self.plain(key)) {
            Some((other, stored)) if other != key.hash => MissReason::OtherKey { stored: now.since(stored) },
            _ => MissReason::NeverStored,
        }
    }

    fn plain(&self, key: Hashed<'_>) -> u64 {
        self.seed.hash(&plain_form(key.key))
    }

    fn set(&self, key: Hashed<'_>, what: What, now: Moment) {
        self.keys
            .update(key.hash, now, |_| (Some(Remembered { last: Last { what, at: now }, missed: None }), ()));
    }

    fn marks(&self) -> Marks {
        let when = |mark: &AtomicU64| {
            Some(mark.load(Ordering::Relaxed)).filter(|&at| at > 0).map(Moment::from_nanos)
        };
        Marks { clear: when(&self.clear), tag: when(&self.tag), told: when(&self.told) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Moment {
        Moment::START + Duration::from_secs(seconds)
    }

    fn reason(memory: &Memory, key: &str, seconds: u64) -> &'static str {
        memory.why_missed(key, at(seconds)).0.as_str()
    }

    #[test]
    fn a_key_goes_through_its_life() {
        let memory = Memory::new(100);
        let first = memory.missed(memory.hashed("user:1"), Status::Absent, at(1));
        assert_eq!((first.reason, first.is_first), (MissReason::NeverStored, true));
        assert!(!memory.missed(memory.hashed("user:1"), Status::Absent, at(2)).is_first);

        memory.wrote(memory.hashed("user:1"), WriteResult::Stored, MINUTE, at(10));
        assert_eq!(reason(&memory, "user:1", 11), "not_missing");
        let expired = memory.missed(memory.hashed("user:1"), Status::Absent, at(100));
        assert_eq!(expired.reason, MissReason::Expired { ago: Duration::from_secs(30) });
        assert_eq!(expired.wanted_after, Some(Duration::from_secs(90)));
        assert_eq!(
            memory.missed(memory.hashed("user:1"), Status::Absent, at(101)).wanted_after,
            None,
            "counted once"
        );

        memory.wrote(memory.hashed("user:1"), WriteResult::Waiting, MINUTE, at(110));
        memory.invalidated(Some(memory.hashed("user:1")), "delete", at(120));
        assert_eq!(reason(&memory, "user:1", 121), "invalidated");
        memory.found(memory.hashed("user:1"), at(130));
        assert_eq!(reason(&memory, "user:1", 131), "not_missing", "another process stored it");

        memory.wrote(memory.hashed("user:1"), WriteResult::Failed, MINUTE, at(140));
        assert_eq!(reason(&memory, "user:1", 141), "not_kept");
        memory.refused(memory.hashed("user:1"), "foreign", at(150));
        let refused = memory.missed(memory.hashed("user:1"), Status::Refused, at(150));
        assert_eq!(refused.reason, MissReason::Refused { why: "foreign" });

        memory.wrote(memory.hashed("user:1"), WriteResult::Stored, MINUTE, at(160));
        memory.invalidated(None, "clear", at(161));
        assert_eq!(
            memory.missed(memory.hashed("user:1"), Status::Absent, at(162)).reason.as_str(),
            "invalidated"
        );
        assert_eq!(reason(&memory, "user:1", 163), "invalidated");
    }

    #[test]
    fn what_a_store_tells_of_a_key_at_its_end_is_no_invalidation() {
        let memory = Memory::new(100);
        memory.wrote(memory.hashed("a"), WriteResult::Stored, MINUTE, at(0));
        memory.wrote(memory.hashed("b"), WriteResult::Stored, MINUTE, at(0));
        memory.invalidated(Some(memory.hashed("a")), "told", at(60));
        memory.invalidated(Some(memory.hashed("b")), "told", at(30));
        assert_eq!((reason(&memory, "a", 61), reason(&memory, "b", 61)), ("expired", "invalidated"));
    }

    #[test]
    fn a_value_that_is_found_a_moment_after_its_end_is_no_other_one() {
        let memory = Memory::new(100);
        for key in ["a", "b"] {
            memory.wrote(memory.hashed(key), WriteResult::Stored, MINUTE, at(0));
        }
        memory.found(memory.hashed("a"), at(60));
        memory.found(memory.hashed("b"), at(70));
        let why = |key| memory.missed(memory.hashed(key), Status::Absent, at(80)).reason;
        assert_eq!((why("a").as_str(), why("b").as_str()), ("expired", "evicted"));
    }

    #[test]
    fn a_key_that_was_written_otherwise_is_found() {
        let memory = Memory::new(100);
        memory.wrote(memory.hashed("user:42:profile"), WriteResult::Stored, MINUTE, at(5));
        let missed = memory.missed(memory.hashed("User:42:Profile"), Status::Absent, at(9)).reason;
        assert_eq!(missed, MissReason::OtherKey { stored: Duration::from_secs(4) });
        assert_eq!(reason(&memory, "user_42_profile", 9), "other_key");
        assert_eq!(reason(&memory, "user:43:profile", 9), "never_stored");
        assert_eq!(reason(&memory, "user:42:profile", 9), "not_missing");
    }

    #[test]
    fn no_key_is_kept_as_text() {
        let memory = Memory::new(10);
        memory.wrote(memory.hashed("c4n4ry:c4n4ry"), WriteResult::Stored, MINUTE, at(5));
        memory.missed(memory.hashed("c4n4ry"), Status::Absent, at(9));
        assert!(!format!("{memory:?}").contains("c4n4ry"));
    }

    #[test]
    fn a_key_takes_about_100_bytes() {
        let bytes = Memory::new(8192).bytes();
        assert!((80 * 8192..110 * 8192).contains(&bytes), "{bytes}");
    }
}
