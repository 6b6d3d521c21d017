//! What to do with an entry: pure functions of the entry, the policy and the time. The asynchronous code obeys them.

use std::time::Duration;

use cache_core::{Meta, Moment, StaleMode};

/// How an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    Fresh,
    Stale,
    Dead,
}

/// How an entry of tier 1 stands at `now`.
pub(crate) fn freshness(meta: &Meta, now: Moment) -> Freshness {
    if now < meta.fresh_until {
        Freshness::Fresh
    } else if now < meta.dead_at {
        Freshness::Stale
    } else {
        Freshness::Dead
    }
}

/// Where a stored entry lies on this process's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) made_at: Moment,
    pub(crate) fresh_until: Moment,
    pub(crate) dead_at: Moment,
}

/// Places an entry that a store said has `remaining` time left, by the question that was sent at `sent_at`.
///
/// No wall clock is involved: the age is what is gone of the total. An entry that has more time left than it was ever
/// given was tampered with by somebody who does not know its age, so it counts as stale.
pub(crate) fn place(fresh: Duration, total: Duration, remaining: Option<Duration>, sent_at: Moment) -> Span {
    match remaining {
        Some(remaining) if remaining <= total => {
            let age = total.saturating_sub(remaining);
            Span {
                made_at: sent_at.before(age),
                fresh_until: sent_at + fresh.saturating_sub(age),
                dead_at: sent_at + remaining,
            }
        }
        _ => Span {
            made_at: sent_at.before(fresh),
            fresh_until: sent_at,
            dead_at: sent_at + total.saturating_sub(fresh),
        },
    }
}

/// The entry answers until `end` at the latest, fresh or stale.
pub(crate) fn end_by(meta: &mut Meta, end: Moment) {
    meta.dead_at = meta.dead_at.min(end);
    meta.fresh_until = meta.fresh_until.min(end);
}

/// What a caller with a loader is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Answer with the entry.
    Serve,
    /// Answer with the stale entry, and load a new one meanwhile.
    ServeStaleAndLoad,
    /// Answer with the stale entry; a load failed a moment ago.
    ServeStale,
    /// Load; if that fails, a stale entry may answer.
    LoadOrStale,
    /// Load.
    Load,
    /// Answer with the error of the load that failed a moment ago.
    Refuse,
}

/// `found` is the best entry of both tiers; `negative` says that a load of the key failed within the negative window.
pub(crate) fn plan(found: Option<Freshness>, mode: StaleMode, negative: bool) -> Plan {
    match (found, negative) {
        (Some(Freshness::Fresh), _) => Plan::Serve,
        (Some(Freshness::Stale), true) => Plan::ServeStale,
        (Some(Freshness::Stale), false) if mode == StaleMode::OnError => Plan::LoadOrStale,
        (Some(Freshness::Stale), false) => Plan::ServeStaleAndLoad,
        (Some(Freshness::Dead) | None, true) => Plan::Refuse,
        (Some(Freshness::Dead) | None, false) => Plan::Load,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn the_plan_for_every_case() {
        use Freshness::{Dead, Fresh, Stale};
        use StaleMode::{OnError, WhileRevalidate};
        let table = [
            (Some(Fresh), WhileRevalidate, false, Plan::Serve),
            (Some(Fresh), WhileRevalidate, true, Plan::Serve),
            (Some(Fresh), OnError, false, Plan::Serve),
            (Some(Fresh), OnError, true, Plan::Serve),
            (Some(Stale), WhileRevalidate, false, Plan::ServeStaleAndLoad),
            (Some(Stale), WhileRevalidate, true, Plan::ServeStale),
            (Some(Stale), OnError, false, Plan::LoadOrStale),
            (Some(Stale), OnError, true, Plan::ServeStale),
            (Some(Dead), WhileRevalidate, false, Plan::Load),
            (Some(Dead), WhileRevalidate, true, Plan::Refuse),
            (Some(Dead), OnError, false, Plan::Load),
            (Some(Dead), OnError, true, Plan::Refuse),
            (None, WhileRevalidate, false, Plan::Load),
            (None, WhileRevalidate, true, Plan::Refuse),
            (None, OnError, false, Plan::Load),
            (None, OnError, true, Plan::Refuse),
        ];
        for (found, mode, negative, expected) in table {
            assert_eq!(plan(found, mode, negative), expected, "{found:?} {mode:?} {negative}");
        }
    }

    #[test]
    fn the_age_is_what_is_gone_of_the_total() {
        let now = Moment::START + secs(1000);
        let span = place(secs(60), secs(100), Some(secs(70)), now);
        assert_eq!(
            span,
            Span { made_at: now.before(secs(30)), fresh_until: now + secs(30), dead_at: now + secs(70) }
        );
        let stale = place(secs(60), secs(100), Some(secs(10)), now);
        assert_eq!((stale.fresh_until, stale.dead_at), (now, now + secs(10)));
    }

    #[test]
    fn more_time_left_than_was_given_is_stale() {
        let now = Moment::START + secs(1000);
        for remaining in [Some(secs(101)), None] {
            let span = place(secs(60), secs(100), remaining, now);
            assert_eq!(span.fresh_until, now);
            assert_eq!(span.dead_at, now + secs(40));
        }
    }
}
