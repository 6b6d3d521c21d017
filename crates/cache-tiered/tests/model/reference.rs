//! The reference model: a map of entries, the marks, and the loads that run. Every method says what a cache must answer.

use std::collections::{BTreeMap, HashMap, VecDeque};

use cache_core::ErrorKind;
use cache_tiered::Status;

use crate::op::{Ending, Handle, Keep, Key, Tag};
use crate::rules::*;

#[derive(Debug)]
pub(crate) struct Reference {
    pub(crate) setup: Setup,
    pub(crate) now: u64,
    pub(crate) counts: Vec<Counts>,
    pub(crate) answers: HashMap<CallId, Answer>,
    /// What comes next depends on which of two tasks is quicker.
    pub(crate) uncertain: bool,
    pub(crate) loads: BTreeMap<LoadId, Load>,
    pub(crate) items: HashMap<Key, Item>,
    pub(crate) marks: Marks,
    pub(crate) failures: HashMap<(Handle, Key), Failure>,
    pub(crate) calls: HashMap<CallId, Call>,
    pub(crate) flights: BTreeMap<FlightId, Flight>,
    /// Numbers writes, flights and loads.
    pub(crate) next: usize,
    /// Keys whose lease ended while another process waited for that.
    pub(crate) wakes: VecDeque<Key>,
}

impl Reference {
    pub(crate) fn new(setup: Setup) -> Self {
        Self {
            setup,
            now: 0,
            counts: vec![Counts::default(); setup.handles],
            answers: HashMap::new(),
            uncertain: false,
            loads: BTreeMap::new(),
            items: HashMap::new(),
            marks: Marks::default(),
            failures: HashMap::new(),
            calls: HashMap::new(),
            flights: BTreeMap::new(),
            next: 0,
            wakes: VecDeque::new(),
        }
    }

    /// What a read without a loader finds.
    pub(crate) fn read(&mut self, handle: Handle, key: Key) -> Found {
        let found = self.find(key);
        self.count_read(handle, found.status == Status::Fresh);
        found
    }

    pub(crate) fn count_read(&mut self, handle: Handle, hit: bool) {
        let counts = &mut self.counts[handle];
        *(if hit { &mut counts.hits } else { &mut counts.misses }) += 1;
    }

    pub(crate) fn find(&mut self, key: Key) -> Found {
        self.touch(key);
        let (status, entry) = match self.items.get(&key) {
            None => (Status::Absent, None),
            Some(Item::Lease(_)) => (Status::Loading, None),
            Some(Item::Value(entry)) if self.now >= entry.dead_at => (Status::Absent, None),
            Some(Item::Value(entry)) if self.marks.void(entry.tags, entry.stamp, u64::MAX) => {
                (Status::Invalidated, None)
            }
            Some(Item::Value(entry)) if self.now < entry.fresh_until => (Status::Fresh, Some(entry.clone())),
            Some(Item::Value(entry)) => (Status::Stale, Some(entry.clone())),
        };
        Found { status, entry }
    }

    pub(crate) fn set(&mut self, handle: Handle, key: Key, value: u64, keep: &Keep) {
        let entry = Entry::new(self.number(), value, keep, self.now, self.marks.now());
        self.failures.remove(&(handle, key));
        self.items.insert(key, Item::Value(entry));
        self.fence(key);
        self.run();
    }

    pub(crate) fn delete(&mut self, handle: Handle, key: Key) {
        self.failures.remove(&(handle, key));
        self.foreign_delete(key);
    }

    pub(crate) fn foreign_delete(&mut self, key: Key) {
        self.items.remove(&key);
        self.fence(key);
        self.run();
    }

    pub(crate) fn expire(&mut self, handle: Handle, key: Key) {
        self.failures.remove(&(handle, key));
        self.touch(key);
        let (version, now) = (self.number(), self.now);
        match self.items.get_mut(&key) {
            Some(Item::Value(entry)) if now < entry.fresh_until => {
                let stale_for = entry.dead_at - entry.fresh_until;
                (entry.version, entry.fresh_until, entry.dead_at) = (version, now, now + stale_for);
                if stale_for == 0 {
                    self.items.remove(&key);
                }
            }
            Some(Item::Lease(_)) => drop(self.items.remove(&key)),
            _ => {}
        }
        self.fence(key);
        self.run();
    }

    pub(crate) fn invalidate_tag(&mut self, tag: Tag) {
        self.marks.add(1 << tag);
        // A cache remembers the latest mark of a tag only, so it cannot always tell whether an earlier one came before
        // a caller asked. Then it may load anew without need.
        self.uncertain |= self.flights.values().any(|flight| {
            let tags = self.calls[&self.loads[&flight.load].call].wish.keep.tags;
            tags & (1 << tag) != 0
                && flight.waiters.iter().any(|waiter| {
                    waiter.as_of > flight.stamp && !self.marks.void(tags, flight.stamp, waiter.as_of)
                })
        });
    }

    pub(crate) fn clear(&mut self) {
        self.uncertain |=
            self.flights.values().any(|flight| flight.waiters.iter().any(|it| it.as_of > flight.stamp));
        self.marks.add(Marks::CLEAR);
        self.failures.clear();
        if !self.setup.store {
            self.items.clear();
        }
        for flight in self.flights.values_mut() {
            flight.registered = false;
            if flight.permit == Permit::Waiting {
                flight.waited = true;
            } else {
                flight.fenced = true;
            }
        }
    }

    pub(crate) fn call(&mut self, id: CallId, call: Call) {
        self.calls.insert(id, call);
        self.ask(id, true);
        self.run();
    }

    /// Loaders that run and wait to be told how to end.
    pub(crate) fn staged(&self) -> Vec<LoadId> {
        let waits = |load: &Load| load.started && load.ending.is_none();
        self.loads.iter().filter(|(_, load)| waits(load)).map(|(&id, _)| id).collect()
    }

    /// Ends a loader.
    pub(crate) fn finish(&mut self, load: LoadId, ending: Ending) {
        if let Some(load) = self.loads.get_mut(&load) {
            load.ending = Some(ending);
        }
        self.run();
    }

    pub(crate) fn advance(&mut self, to: u64) {
        while let Some((deadline, id)) = self.next_deadline().filter(|(deadline, _)| *deadline <= to) {
            self.now = deadline;
            let load = self.loads.remove(&id).expect("the load runs");
            for flight in load.members {
                self.end(flight, &Outcome::Failed(ErrorKind::Timeout));
            }
            self.run();
        }
        self.now = to;
    }

    pub(crate) fn next_deadline(&self) -> Option<(u64, LoadId)> {
        self.loads.iter().map(|(&id, load)| (load.deadline, id)).min()
    }

    /// When the entry stops being fresh, and when it is gone.
    pub(crate) fn ends_of(&self, key: Key) -> Option<(u64, u64)> {
        match self.items.get(&key) {
            Some(Item::Value(entry)) => Some((entry.fresh_until, entry.dead_at)),
            _ => None,
        }
    }

    pub(crate) fn forgiven_at(&self, key: Key) -> Option<u64> {
        self.failures.iter().filter(|((_, of), _)| *of == key).map(|(_, failure)| failure.until).max()
    }

    /// Whether a load of the key might have to wait for a lease in a way that the model does not follow: a lease of this
    /// process's own that nobody may join, or one that several wait for.
    pub(crate) fn is_crowded(&self, handle: Handle, key: Key, batch: bool) -> bool {
        let waiting = |flight: &Flight| flight.key == key && flight.permit == Permit::Waiting;
        if self.flights.values().any(waiting) {
            return true;
        }
        let Some(Item::Lease(owner)) = self.items.get(&key) else { return false };
        let owner = &self.flights[owner];
        if owner.handle == handle {
            return !owner.registered;
        }
        let its_own_call = self.loads.get(&owner.load).map(|load| load.call);
        batch || owner.waiters.iter().any(|waiter| Some(waiter.call) != its_own_call)
    }

    /// Whether this process waits for another's lease on the key.
    pub(crate) fn waits(&self, handle: Handle, key: Key) -> bool {
        let at = (handle, key, Permit::Waiting);
        self.flights.values().any(|flight| (flight.handle, flight.key, flight.permit) == at)
    }
}
