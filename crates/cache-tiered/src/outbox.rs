//! What this process did while the store was away, until the store has been told.
//!
//! Bounded by a number of keys and tags and by the bytes of the values; one line a key. What is too much becomes one
//! clear of the namespace, which covers everything. What the store need not be told has as many lines for itself. While something waits for a key, this process does not serve what the
//! store has under it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cache_core::{Encoded, LocalEntry, Mark, Stamp, Status, Version};
use parking_lot::Mutex;

use crate::engine::Keep;

/// The most bytes of values that wait; of a value that is too much its key is removed from the store instead.
const MAX_BYTES: u64 = 16 << 20;

/// What is to happen to a key in the store before anything is written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    Remove,
    Expire,
}

/// A value that the store could not take.
#[derive(Debug)]
pub(crate) struct LocalWrite {
    /// As this process serves it meanwhile.
    pub(crate) entry: LocalEntry,
    pub(crate) encoded: Encoded,
    pub(crate) keep: Keep,
    /// What this process knew of the marks when it was written.
    pub(crate) known: Stamp,
    /// The version that this process knew the store to have.
    pub(crate) over: Option<Version>,
}

/// What waits for a key. With neither a step before nor a write, tier 1 has a value which the store was not told of and
/// is to let go of it.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) ticket: u64,
    pub(crate) before: Option<Before>,
    pub(crate) write: Option<Arc<LocalWrite>>,
}

impl Pending {
    fn hides(&self) -> bool {
        self.before.is_some() || self.write.is_some()
    }

    /// Whether only this process is to let go of something.
    fn is_local(&self) -> bool {
        !self.hides()
    }

    fn bytes(&self) -> u64 {
        self.write.as_ref().map_or(0, |write| write.entry.weight)
    }
}

#[derive(Debug, Default)]
struct Inner {
    /// How many changes were taken in; a line carries the number of its last one.
    tickets: u64,
    keys: HashMap<Box<str>, Pending>,
    tags: HashMap<Box<str>, u64>,
    clear: Option<u64>,
    /// How many of the keys' lines are of this process alone.
    local: usize,
    bytes: u64,
    overflows: u64,
    /// Steps that were told, and lines that were settled.
    ended: u64,
}

/// How much waits, and what did not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) waiting: usize,
    pub(crate) bytes: u64,
    pub(crate) overflows: u64,
}

#[derive(Debug)]
pub(crate) struct Outbox {
    capacity: usize,
    /// Whether the store can clear the namespace, which is what becomes of too much.
    can_clear: bool,
    /// Lines, readable without the lock.
    waiting: AtomicUsize,
    inner: Mutex<Inner>,
}

impl Outbox {
    pub(crate) fn new(capacity: usize, can_clear: bool) -> Self {
        Self { capacity, can_clear, waiting: AtomicUsize::new(0), inner: Mutex::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0
    }

    pub(crate) fn load(&self) -> Load {
        let inner = self.inner.lock();
        Load { waiting: inner.lines(), bytes: inner.bytes, overflows: inner.overflows }
    }

    /// The number of the last change that was taken in.
    pub(crate) fn position(&self) -> u64 {
        self.inner.lock().tickets
    }

    /// The key is to be removed or expired. Returns false if there is no room.
    #[must_use]
    pub(crate) fn invalidate(&self, key: &str, before: Before) -> bool {
        self.put(key, |old| {
            let only_expire = old.is_none_or(|old| old.write.is_none() && old.before != Some(Before::Remove));
            (Some(if only_expire { before } else { Before::Remove }), None)
        })
    }

    /// The value is to be written. Returns false if there is no room.
    #[must_use]
    pub(crate) fn write(&self, key: &str, mut write: LocalWrite) -> bool {
        self.put(key, move |old| {
            let before = old.and_then(|old| old.before).map(|_| Before::Remove);
            if let Some(older) = old.and_then(|old| old.write.as_ref()) {
                write.over = older.over;
            }
            (before, Some(Arc::new(write)))
        })
    }

    /// Tier 1 has a value of this key which it is to let go of when the store is back. Returns false if there is no room.
    #[must_use]
    pub(crate) fn forget(&self, key: &str) -> bool {
        self.put(key, |old| match old {
            // What was loaded is newer than the value that waits.
            Some(old) if old.write.is_some() => (Some(Before::Remove), None),
            old => (old.and_then(|old| old.before), None),
        })
    }

    /// The mark is to be made. Returns false if there is no room.
    #[must_use]
    pub(crate) fn mark(&self, mark: &Mark) -> bool {
        self.change(|inner| {
            let ticket = inner.ticket();
            match mark {
                _ if inner.clear.is_some() => inner.clear = Some(ticket),
                Mark::Clear => inner.clear_all(ticket),
                Mark::Tag(tag) => {
                    let of_tag = |write: &LocalWrite| {
                        write.keep.tags.iter().flat_map(|tags| tags.iter()).any(|it| it == tag)
                    };
                    for pending in inner.keys.values_mut() {
                        if pending.write.as_ref().is_some_and(|write| of_tag(write)) {
                            inner.bytes -= pending.bytes();
                            (pending.ticket, pending.before, pending.write) =
                                (ticket, Some(Before::Remove), None);
                        }
                    }
                    if !inner.tags.contains_key(tag) && !self.make_room(inner, ticket) {
                        return false;
                    }
                    if inner.clear.is_none() {
                        inner.tags.insert(tag.clone(), ticket);
                    }
                }
            }
            true
        })
    }

    /// Whether what the store has must not be served, and as what it counts.
    pub(crate) fn hides(&self, key: &str, tags: Option<&[Box<str>]>) -> Option<Status> {
        if self.is_empty() {
            return None;
        }
        let inner = self.inner.lock();
        if inner.keys.get(key).is_some_and(Pending::hides) {
            return Some(Status::Absent);
        }
        let voided =
            inner.clear.is_some() || tags.unwrap_or_default().iter().any(|tag| inner.tags.contains_key(tag));
        voided.then_some(Status::Invalidated)
    }

    /// The value that waits to be written.
    pub(crate) fn write_of(&self, key: &str) -> Option<LocalEntry> {
        if self.is_empty() {
            return None;
        }
        let inner = self.inner.lock();
        inner.keys.get(key)?.write.as_ref().map(|write| write.entry.clone())
    }

    /// What waits for the key, if it ends with a value.
    pub(crate) fn writing(&self, key: &str) -> Option<Pending> {
        if self.is_empty() {
            return None;
        }
        self.inner.lock().keys.get(key).filter(|pending| pending.write.is_some()).cloned()
    }

    /// The store took a later change of the key: what had been taken in up to `position` is of no interest any more.
    pub(crate) fn settle(&self, key: &str, position: u64) {
        if !self.is_empty() {
            self.change(|inner| inner.remove_if(key, |pending| pending.ticket <= position));
        }
    }

    /// The next mark to be made.
    pub(crate) fn next_mark(&self) -> Option<(Mark, u64)> {
        let inner = self.inner.lock();
        let tag = || inner.tags.iter().next().map(|(tag, ticket)| (Mark::Tag(tag.clone()), *ticket));
        inner.clear.map(|ticket| (Mark::Clear, ticket)).or_else(tag)
    }

    /// How many changes were taken in and how many lines were told or settled.
    pub(crate) fn progress(&self) -> (u64, u64) {
        let inner = self.inner.lock();
        (inner.tickets, inner.ended)
    }

    /// Whether this line still waits as it was.
    pub(crate) fn is_waiting(&self, key: &str, ticket: u64) -> bool {
        self.inner.lock().keys.get(key).is_some_and(|pending| pending.ticket == ticket)
    }

    /// Some of what waits for keys: what is to be removed and expired before what is to be written, or `only_writes`.
    pub(crate) fn next_keys(&self, most: usize, only_writes: bool) -> Vec<(Box<str>, Pending)> {
        let inner = self.inner.lock();
        let some = |first: bool| -> Vec<_> {
            let due = inner.keys.iter().filter(|(_, pending)| pending.before.is_some() == first);
            due.take(most).map(|(key, pending)| (key.clone(), pending.clone())).collect()
        };
        let first = if only_writes { Vec::new() } else { some(true) };
        if first.is_empty() { some(false) } else { first }
    }

    /// The mark was made, unless it is to be made again.
    pub(crate) fn told_mark(&self, mark: &Mark, ticket: u64) {
        self.change(|inner| match mark {
            Mark::Clear if inner.clear == Some(ticket) => inner.clear = None,
            Mark::Tag(tag) if inner.tags.get(tag) == Some(&ticket) => drop(inner.tags.remove(tag)),
            _ => {}
        });
    }

    /// The next step of what waited for the key was done, unless something else waits by now.
    pub(crate) fn told(&self, key: &str, ticket: u64) {
        self.change(|inner| match inner.keys.get_mut(key) {
            Some(Pending { ticket: now, before: before @ Some(_), write: Some(_) }) if *now == ticket => {
                *before = None;
                inner.ended += 1;
            }
            _ => inner.remove_if(key, |pending| pending.ticket == ticket),
        });
    }

    fn put(
        &self,
        key: &str,
        change: impl FnOnce(Option<&Pending>) -> (Option<Before>, Option<Arc<LocalWrite>>),
    ) -> bool {
        self.change(|inner| {
            let ticket = inner.ticket();
            if inner.clear.is_some() {
                // It covers this as well, and is to be made after it.
                inner.clear = Some(ticket);
                return true;
            }
            let old = inner.keys.get(key);
            let (mut before, mut write) = change(old);
            let is_local = before.is_none() && write.is_none();
            let has_room = old.is_some_and(|old| old.is_local() == is_local)
                || if is_local { inner.local < self.capacity } else { self.make_room(inner, ticket) };
            if !has_room {
                return false;
            }
            if inner.clear.is_some() {
                return true;
            }
            let old = inner.keys.get(key);
            let bytes = inner.bytes - old.map_or(0, Pending::bytes);
            inner.local =
                inner.local + usize::from(is_local) - usize::from(old.is_some_and(Pending::is_local));
            if write.as_ref().is_some_and(|write| bytes + write.entry.weight > MAX_BYTES) {
                (before, write) = (Some(Before::Remove), None);
            }
            let pending = Pending { ticket, before, write };
            inner.bytes = bytes + pending.bytes();
            inner.keys.insert(key.into(), pending);
            true
        })
    }

    /// Room for one more line; if there is none, everything becomes one clear.
    fn make_room(&self, inner: &mut Inner, ticket: u64) -> bool {
        // What the store is not to be told is no reason to clear what others have.
        if inner.lines() - inner.local < self.capacity {
            return true;
        }
        if self.can_clear {
            inner.overflows += 1;
            inner.clear_all(ticket);
        }
        self.can_clear
    }

    fn change<R>(&self, change: impl FnOnce(&mut Inner) -> R) -> R {
        let mut inner = self.inner.lock();
        let result = change(&mut inner);
        self.waiting.store(inner.lines(), Ordering::Release);
        result
    }
}

impl Inner {
    fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    fn lines(&self) -> usize {
        self.keys.len() + self.tags.len() + usize::from(self.clear.is_some())
    }

    fn clear_all(&mut self, ticket: u64) {
        (self.keys, self.tags, self.bytes, self.local) = (HashMap::new(), HashMap::new(), 0, 0);
        self.clear = Some(ticket);
    }

    fn remove_if(&mut self, key: &str, condition: impl FnOnce(&Pending) -> bool) {
        if self.keys.get(key).is_some_and(condition)
            && let Some(pending) = self.keys.remove(key)
        {
            self.bytes -= pending.bytes();
            self.local -= usize::from(pending.is_local());
            self.ended += 1;
        }
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
