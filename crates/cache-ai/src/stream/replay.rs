//! An answer that is there, as events.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use cache_core::{Moment, Sleep, Timer};

use crate::answer::Answer;
use crate::entry::{Body, Entry, Timed};

/// How a cached answer is streamed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replay {
    /// All events at once, as they were recorded. An answer that was not streamed comes in as few events as may be.
    #[default]
    AtOnce,
    /// In the rhythm in which they were recorded, to the millisecond. An answer that was not streamed comes at once.
    AsRecorded,
    /// In pieces of at most so many characters, so long after one another.
    Rechunked {
        /// The most characters in an event; 0 counts as 1.
        characters: usize,
        /// From one event to the next; 0 for all at once. The first comes at once.
        every: Duration,
    },
}

/// A replay under way.
pub(super) struct Replaying<E> {
    events: std::vec::IntoIter<Timed<E>>,
    /// The event that waits for its time.
    next: Option<Timed<E>>,
    timer: Arc<dyn Timer>,
    began: Moment,
    sleep: Option<Sleep>,
}

impl<E> Replaying<E> {
    pub(super) fn of<A: Answer<Event = E>>(entry: &Entry<A>, replay: Replay, timer: Arc<dyn Timer>) -> Self {
        let events = match (replay, &entry.body) {
            (Replay::Rechunked { characters, every }, _) => rechunked(entry, characters, every),
            (Replay::AsRecorded, Body::Events(recorded)) => recorded.events.to_vec(),
            (Replay::AtOnce, Body::Events(recorded)) => {
                let now = |timed: &Timed<E>| Timed { after_ms: 0, event: Arc::clone(&timed.event) };
                recorded.events.iter().map(now).collect()
            }
            (Replay::AtOnce | Replay::AsRecorded, _) => rechunked(entry, usize::MAX, Duration::ZERO),
        };
        let began = timer.now();
        Self { events: events.into_iter(), next: None, timer, began, sleep: None }
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Arc<E>>> {
        let Some(timed) = self.next.take().or_else(|| self.events.next()) else {
            return Poll::Ready(None);
        };
        if timed.after_ms == 0 {
            return Poll::Ready(Some(timed.event));
        }
        let at = self.began + Duration::from_millis(u64::from(timed.after_ms));
        if self.timer.now() < at {
            let sleep = self.sleep.get_or_insert_with(|| self.timer.sleep_until(at));
            if sleep.as_mut().poll(context).is_pending() {
                self.next = Some(timed);
                return Poll::Pending;
            }
        }
        self.sleep = None;
        Poll::Ready(Some(timed.event))
    }
}

fn rechunked<A: Answer>(entry: &Entry<A>, characters: usize, every: Duration) -> Vec<Timed<A::Event>> {
    let Some(whole) = entry.whole() else { return Vec::new() };
    let limit = (characters < usize::MAX).then_some(characters.max(1));
    let after = |at: usize| {
        let after = every.saturating_mul(u32::try_from(at).unwrap_or(u32::MAX));
        u32::try_from(after.as_millis()).unwrap_or(u32::MAX)
    };
    let events = whole.to_events(limit).into_iter().enumerate();
    events.map(|(at, event)| Timed { after_ms: after(at), event: Arc::new(event) }).collect()
}
