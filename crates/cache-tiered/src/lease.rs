//! How long tier 1 may answer for what the store backs, given when the link to the store last showed that it lives.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use cache_core::{LinkId, Moment};
use parking_lot::Mutex;

/// How far the clock of the hit path usually lags; the lease is shorter by this. The clock's own bound is a second on
/// some systems, which would leave nothing of the lease: ticks that are later than this stretch it by what they are late.
const LAG: Duration = Duration::from_millis(10);

/// Whether an entry of tier 1 that the store backs may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// It is in step with the store.
    Proven,
    /// Nobody knows; it may answer if the store cannot be asked, and says so.
    Disconnected,
    /// No more.
    Lost,
}

/// What an entry that the store backs is worth at `now`, when the lease ends at `end`.
pub(crate) fn trust(now: Moment, end: Moment, disconnected_max_age: Duration) -> Trust {
    if now < end {
        Trust::Proven
    } else if now < end + disconnected_max_age {
        Trust::Disconnected
    } else {
        Trust::Lost
    }
}

/// The lease of a cache.
#[derive(Debug)]
pub(crate) struct Lease {
    /// Whether a link shows that it lives; without one, copies live by their TTL alone.
    linked: bool,
    length: Duration,
    disconnected_max_age: Duration,
    /// Its end in nanoseconds; never until there was a link, because then nothing here came from the store.
    end: AtomicU64,
    /// Whether the store ever answered.
    was_up: AtomicBool,
    /// The link that counts: signs of life of older ones say nothing about this one.
    link: Mutex<Option<LinkId>>,
}

impl Lease {
    pub(crate) fn new(linked: bool, length: Duration, disconnected_max_age: Duration) -> Self {
        Self {
            linked,
            length: length.saturating_sub(LAG),
            disconnected_max_age,
            end: AtomicU64::new(Moment::NEVER.as_nanos()),
            was_up: AtomicBool::new(false),
            link: Mutex::new(None),
        }
    }

    /// When entries that the store backs stop answering by themselves.
    #[inline]
    pub(crate) fn end(&self) -> Moment {
        Moment::from_nanos(self.end.load(Ordering::Acquire))
    }

    pub(crate) fn trust(&self, now: Moment) -> Trust {
        trust(now, self.end(), self.disconnected_max_age)
    }

    /// Whether copies of what the store holds may be kept: not before the link has shown that it lives, for until then
    /// nothing ends them.
    pub(crate) fn allows_copies(&self) -> bool {
        !self.linked || self.end() != Moment::NEVER
    }

    /// Whether there ever was a store to be in step with.
    pub(crate) fn was_up(&self) -> bool {
        self.was_up.load(Ordering::Acquire)
    }

    /// The store answered.
    pub(crate) fn answered(&self) {
        if !self.was_up() {
            self.was_up.store(true, Ordering::Release);
        }
    }

    /// A new link counts from now on.
    pub(crate) fn renewed(&self, link: LinkId) {
        self.answered();
        *self.link.lock() = Some(link);
    }

    /// The link answered a question that was sent at this moment.
    pub(crate) fn alive(&self, link: LinkId, sent_at: Moment) {
        let known = self.link.lock();
        if known.is_some_and(|known| known != link) {
            return;
        }
        self.answered();
        let end = (sent_at + self.length).as_nanos();
        if self.end() == Moment::NEVER {
            self.end.store(end, Ordering::Release);
        } else {
            self.end.fetch_max(end, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(millis: u64) -> Moment {
        Moment::START + Duration::from_millis(millis)
    }

    #[test]
    fn what_an_entry_is_worth() {
        let table = [
            (999, 0, Trust::Proven),
            (1000, 0, Trust::Lost),
            (1000, 60, Trust::Disconnected),
            (60_999, 60, Trust::Disconnected),
            (61_000, 60, Trust::Lost),
        ];
        for (now, max_age, expected) in table {
            assert_eq!(trust(at(now), at(1000), SECOND * max_age), expected, "{now} ms, {max_age} s");
        }
    }

    #[test]
    fn a_lease_counts_from_the_question_and_only_of_the_link_that_counts() {
        let lease = Lease::new(true, SECOND, Duration::ZERO);
        assert!(!lease.allows_copies() && !lease.was_up());
        assert_eq!(lease.trust(at(1_000_000)), Trust::Proven, "nothing here came from the store");
        lease.renewed(LinkId(2));
        lease.alive(LinkId(1), at(5000));
        assert!(!lease.allows_copies(), "an older link says nothing about this one");
        lease.alive(LinkId(2), at(5000));
        assert_eq!(lease.end(), at(5990), "less the lag of the clock");
        lease.alive(LinkId(2), at(4000));
        assert_eq!(lease.end(), at(5990), "an older sign of life takes nothing away");
        assert!(lease.allows_copies() && lease.was_up());
    }

    #[test]
    fn without_a_feed_copies_live_by_their_time() {
        let lease = Lease::new(false, SECOND, Duration::ZERO);
        assert!(lease.allows_copies() && !lease.was_up());
        assert_eq!(lease.trust(at(u64::MAX / 1_000_000)), Trust::Proven);
    }
}
