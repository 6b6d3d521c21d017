//! The loads of the reference model: who may load, who waits, what is kept, and what everybody is told.

use cache_core::ErrorKind;
use cache_tiered::{StaleMode, Status};

use crate::op::{Ending, Handle, Key};
use crate::reference::Reference;
use crate::rules::*;

impl Reference {
    pub(crate) fn number(&mut self) -> usize {
        self.next += 1;
        self.next
    }

    /// In a store an entry whose time is over is found when somebody asks for it, and all who read it are told.
    pub(crate) fn touch(&mut self, key: Key) {
        let is_over = matches!(self.items.get(&key), Some(Item::Value(entry)) if self.now >= entry.dead_at);
        if is_over && self.setup.store {
            self.items.remove(&key);
            self.fence(key);
        }
    }

    /// The key was changed: nobody joins its loads any more.
    pub(crate) fn fence(&mut self, key: Key) {
        self.fence_but(key, None);
    }

    fn fence_but(&mut self, key: Key, own: Option<Handle>) {
        let others = |flight: &&mut Flight| flight.key == key && Some(flight.handle) != own;
        for flight in self.flights.values_mut().filter(others) {
            flight.registered = false;
            if flight.permit == Permit::Waiting {
                flight.waited = true;
                self.wakes.push_back(key);
            } else {
                flight.fenced = true;
            }
        }
    }

    /// Lets happen what happens by itself.
    pub(crate) fn run(&mut self) {
        loop {
            if let Some(key) = self.wakes.pop_front() {
                self.wake(key);
                continue;
            }
            let done = self.loads.iter().find(|(_, load)| load.started && load.ending.is_some());
            let Some(id) = done.map(|(&id, _)| id) else { return };
            let load = self.loads.remove(&id).expect("it was just found");
            self.end_all(&load);
        }
    }

    /// A process that waited for another's lease asks again.
    fn wake(&mut self, key: Key) {
        let waiting = |flight: &Flight| flight.key == key && flight.permit == Permit::Waiting;
        let Some((&id, flight)) = self.flights.iter().find(|(_, flight)| waiting(flight)) else { return };
        let load = flight.load;
        let found = self.find(key);
        match (found.status, found.entry) {
            (Status::Loading, _) => {}
            (Status::Fresh, Some(entry)) => {
                self.loads.remove(&load);
                self.end_flight(id, &Outcome::Loaded(entry));
            }
            (_, entry) => {
                let permit = self.permit(id, key, entry);
                if let Some(flight) = self.flights.get_mut(&id) {
                    flight.permit = permit;
                }
                self.start(load);
            }
        }
    }

    /// The terms on which a flight may begin, given the stale entry that it found.
    fn permit(&mut self, flight: FlightId, key: Key, stale: Option<Entry>) -> Permit {
        if !self.setup.store {
            return Permit::Local;
        }
        match (stale, self.items.get(&key)) {
            (Some(entry), _) => Permit::Over(entry.version),
            (None, Some(Item::Lease(_))) => Permit::Waiting,
            (None, _) => {
                let handle = self.flights[&flight].handle;
                self.items.insert(key, Item::Lease(flight));
                self.fence_but(key, Some(handle));
                Permit::Leased
            }
        }
    }

    /// A caller with a loader looks, and loads if it must.
    pub(crate) fn ask(&mut self, id: CallId, first: bool) {
        let call = self.calls[&id].clone();
        let as_of = self.marks.now();
        let found: Vec<Found> = call.keys.iter().map(|&key| self.find(key)).collect();
        let mut members = Vec::new();
        for (part, (&key, found)) in call.keys.iter().zip(found).enumerate() {
            let failure = self.failures.get(&(call.handle, key)).filter(|it| self.now < it.until).copied();
            let value = found.entry.as_ref().map(|entry| entry.value);
            let is_fresh = found.status == Status::Fresh;
            let serve = is_fresh
                || value.is_some() && (failure.is_some() || call.wish.mode == StaleMode::WhileRevalidate);
            if first {
                let counts = &mut self.counts[call.handle];
                *(match (serve, is_fresh) {
                    (_, true) => &mut counts.hits,
                    (true, false) => &mut counts.stale,
                    (false, false) => &mut counts.misses,
                }) += 1;
            }
            match (serve, failure) {
                (true, _) => self.know(id, part, Ok(value)),
                (false, Some(failure)) => self.know(id, part, Err(failure.kind)),
                (false, None) => {}
            }
            if is_fresh || failure.is_some() {
                continue;
            }
            let flight = self.join(&call, key, found.entry, &mut members);
            // A batch loads a key itself if a load that is under way began too early, or waits to see what it brings:
            // which of the two depends on its other keys. Tests of their own look at both.
            self.uncertain |= call.batch && self.flights[&flight].stamp < as_of;
            if !serve {
                self.flights.get_mut(&flight).expect("it was joined").waiters.push(Waiter {
                    call: id,
                    part,
                    as_of,
                });
            }
        }
        if let Some(&member) = members.first() {
            let load = self.flights[&member].load;
            let (deadline, ending) = (self.now + call.timeout, call.wish.ending);
            self.loads.insert(load, Load { call: id, members, deadline, started: false, ending });
            self.start(load);
        }
        if call.keys.is_empty() {
            self.answers.insert(id, Answer::Many(Ok(Vec::new())));
        }
    }

    /// The key's flight, or a new one that becomes a member of this call's load.
    fn join(&mut self, call: &Call, key: Key, stale: Option<Entry>, members: &mut Vec<FlightId>) -> FlightId {
        let joinable =
            |flight: &Flight| flight.registered && (flight.handle, flight.key) == (call.handle, key);
        if let Some((&id, _)) = self.flights.iter().find(|(_, flight)| joinable(flight)) {
            return id;
        }
        let id = self.number();
        let load = members.first().map_or(id, |first| self.flights[first].load);
        let flight = Flight {
            handle: call.handle,
            key,
            load,
            registered: true,
            fenced: false,
            waited: false,
            permit: Permit::Local,
            stamp: self.marks.now(),
            waiters: Vec::new(),
        };
        self.uncertain |= self.is_crowded(call.handle, key, call.batch);
        self.flights.insert(id, flight);
        let permit = self.permit(id, key, stale);
        self.flights.get_mut(&id).expect("it was just inserted").permit = permit;
        members.push(id);
        id
    }

    /// The loader runs, if all its keys may be loaded.
    fn start(&mut self, id: LoadId) {
        let load = self.loads.get_mut(&id).expect("the load is there");
        if load.members.iter().any(|member| self.flights[member].permit == Permit::Waiting) {
            return;
        }
        load.started = true;
        for member in &load.members {
            self.flights.get_mut(member).expect("a member is there").stamp = self.marks.now();
        }
        let handle = self.flights[&load.members[0]].handle;
        self.counts[handle].started += 1;
    }

    fn end_all(&mut self, load: &Load) {
        let call = self.calls[&load.call].clone();
        for &id in &load.members {
            let flight = &self.flights[&id];
            let outcome = match load.ending {
                Some(Ending::Bring(bits)) if !call.batch || bits & (1 << flight.key) != 0 => {
                    let (key, stamp) = (flight.key, flight.stamp);
                    let value = value_of(load.call, key);
                    let version = self.number();
                    Outcome::Loaded(Entry::new(version, value, &call.wish.keep, self.now, stamp))
                }
                Some(Ending::Bring(_)) => Outcome::NotFound,
                _ => Outcome::Failed(ErrorKind::Load),
            };
            self.end(id, &outcome);
        }
    }

    /// A flight ends: its value is kept if nothing speaks against that, and its waiters are answered.
    pub(crate) fn end(&mut self, id: FlightId, outcome: &Outcome) {
        let Flight { handle, key, permit, fenced, waited, .. } = self.flights[&id];
        if let Outcome::Failed(kind) = *outcome {
            self.counts[handle].failed += 1;
            self.uncertain |= waited && !fenced;
            if !fenced {
                let until = self.now + NEGATIVE_WINDOW;
                self.failures.insert((handle, key), Failure { until, kind });
            }
        }
        let kept = match outcome {
            Outcome::Loaded(entry) => {
                let kept = self.keep(id, entry);
                self.counts[handle].fenced += u64::from(!kept);
                kept
            }
            _ => false,
        };
        if permit == Permit::Leased && !kept {
            self.touch(key);
            if self.has_lease(id, key) {
                self.items.remove(&key);
                self.fence_but(key, Some(handle));
            }
        }
        self.end_flight(id, outcome);
    }

    /// Keeps what was loaded on the terms of the flight's permit. Returns whether it did.
    fn keep(&mut self, id: FlightId, entry: &Entry) -> bool {
        let Flight { handle, key, permit, fenced, .. } = self.flights[&id];
        let leased = permit == Permit::Leased;
        if self.marks.void(entry.tags, entry.stamp, u64::MAX) || fenced && !leased {
            return false;
        }
        self.touch(key);
        let holds = match (permit, self.items.get(&key)) {
            (Permit::Over(version), Some(Item::Value(held))) => held.version == version,
            (Permit::Over(_), _) => false,
            _ => !leased || self.has_lease(id, key),
        };
        if holds {
            self.items.insert(key, Item::Value(entry.clone()));
            self.fence_but(key, Some(handle));
        }
        holds
    }

    fn has_lease(&self, id: FlightId, key: Key) -> bool {
        matches!(self.items.get(&key), Some(Item::Lease(owner)) if *owner == id)
    }

    fn end_flight(&mut self, id: FlightId, outcome: &Outcome) {
        let flight = self.flights.remove(&id).expect("the flight is there");
        for Waiter { call, part, as_of } in flight.waiters {
            let batch = self.calls[&call].batch;
            match outcome {
                Outcome::Loaded(entry) if self.marks.void(entry.tags, entry.stamp, as_of) => {
                    self.ask(call, false);
                }
                Outcome::Loaded(entry) => self.know(call, part, Ok(Some(entry.value))),
                Outcome::NotFound if batch => self.know(call, part, Ok(None)),
                Outcome::NotFound => self.ask(call, false),
                Outcome::Failed(kind) => {
                    let stale = self.find(flight.key).entry;
                    self.know(call, part, stale.map(|entry| Some(entry.value)).ok_or(*kind));
                }
            }
        }
    }

    fn know(&mut self, id: CallId, part: usize, known: Result<Option<u64>, ErrorKind>) {
        let call = self.calls.get_mut(&id).expect("the call is there");
        call.parts[part] = Some(known);
        let Some(parts) = call.parts.iter().copied().collect::<Option<Vec<_>>>() else { return };
        let answer = if call.batch {
            Answer::Many(parts.into_iter().collect())
        } else {
            Answer::One(parts[0].map(|value| value.expect("a single load brings a value")))
        };
        self.answers.insert(id, answer);
    }
}
