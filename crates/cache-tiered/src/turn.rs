//! Whose turn a key is: the caller's who changes it, or the replay's of what was done to it before.
//!
//! Without turns an older write that is being replayed could reach the store after a newer change.

use std::collections::{HashMap, HashSet};

use cache_core::Moment;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::settings::LONGEST_STORE_TIMEOUT;

#[derive(Debug, Default)]
struct Inner {
    /// Keys that a replay is at.
    replayed: HashSet<Box<str>>,
    /// How many callers are at a key, and when the turn of the last of them is over.
    changed: HashMap<Box<str>, (usize, Moment)>,
}

/// The keys that somebody is at.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    inner: Mutex<Inner>,
    /// A replay left a key.
    left: Notify,
}

impl Turns {
    /// A caller's turn, as soon as no replay is at the key.
    pub(crate) async fn change<'a>(&'a self, key: &'a str, now: Moment) -> Changing<'a> {
        loop {
            let mut left = std::pin::pin!(self.left.notified());
            // Before the key is looked at, so that a replay that leaves in between is noticed.
            left.as_mut().enable();
            {
                let mut inner = self.inner.lock();
                if !inner.replayed.contains(key) {
                    let (count, until) = inner.changed.entry(key.into()).or_insert((0, now));
                    (*count, *until) = (*count + 1, (*until).max(now + LONGEST_STORE_TIMEOUT));
                    return Changing { turns: self, key };
                }
            }
            left.await;
        }
    }

    /// A replay's turn, if nobody is at the key and what is to be replayed is `still` so then.
    pub(crate) fn replay<'a>(
        &'a self,
        key: &'a str,
        now: Moment,
        still: impl FnOnce() -> bool,
    ) -> Option<Replaying<'a>> {
        let mut inner = self.inner.lock();
        if inner.changed.get(key).is_some_and(|&(_, until)| now < until)
            || !still()
            || !inner.replayed.insert(key.into())
        {
            return None;
        }
        Some(Replaying { turns: self, key })
    }
}

/// A caller changes the key.
#[derive(Debug)]
pub(crate) struct Changing<'a> {
    turns: &'a Turns,
    key: &'a str,
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        let mut inner = self.turns.inner.lock();
        if let Some((count, _)) = inner.changed.get_mut(self.key) {
            *count -= 1;
            if *count == 0 {
                inner.changed.remove(self.key);
            }
        }
    }
}

/// A replay is at the key.
#[derive(Debug)]
pub(crate) struct Replaying<'a> {
    turns: &'a Turns,
    key: &'a str,
}

impl Drop for Replaying<'_> {
    fn drop(&mut self) {
        self.turns.inner.lock().replayed.remove(self.key);
        self.turns.left.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_waits_for_the_replay_and_a_replay_does_not_begin_during_a_change() {
        let turns = Turns::default();
        let replay = turns.replay("k", Moment::START, || true);
        assert!(replay.is_some() && turns.replay("k", Moment::START, || true).is_none());
        let other = turns.change("other", Moment::START).await;
        let mut change = std::pin::pin!(turns.change("k", Moment::START));
        assert!(futures_util::poll!(&mut change).is_pending());
        drop(replay);
        let change = change.await;
        let second = turns.change("k", Moment::START).await;
        drop(change);
        assert!(turns.replay("k", Moment::START, || true).is_none(), "the second change is under way");
        assert!(
            turns.replay("k", Moment::START + LONGEST_STORE_TIMEOUT, || true).is_some(),
            "nobody polls it"
        );
        drop(second);
        assert!(turns.replay("k", Moment::START, || false).is_none(), "nothing waits any more");
        assert!(turns.replay("k", Moment::START, || true).is_some());
        drop(other);
        let inner = turns.inner.lock();
        assert!(inner.replayed.is_empty() && inner.changed.is_empty(), "nothing is left");
    }
}
