//! Loads under way: one for each key, whoever asks.

use std::sync::{Arc, OnceLock};

use cache_core::Error;

use crate::engine::Engine;
use crate::hash::Hashed;
use crate::sync::{Condvar, Mutex, ThreadId, current};
use crate::underway::Ticket;

/// The loads of one cache. There are few at a time, at most one a thread and level of nesting, so they are searched
/// one after the other.
pub(crate) struct Flights<K, V> {
    table: Mutex<Table<K, V>>,
}

struct Table<K, V> {
    flying: Vec<(K, Arc<Flight<V>>)>,
    /// Who waits for whose load.
    waiting: Vec<(ThreadId, Arc<Flight<V>>)>,
}

pub(crate) struct Flight<V> {
    hash: u64,
    /// Taken when it began: a load that an invalidation has overtaken takes no more passengers.
    ticket: Arc<Ticket>,
    leader: ThreadId,
    landed: Condvar,
    landing: OnceLock<Landing<V>>,
}

/// How a load ended.
enum Landing<V> {
    Value(V),
    Failed(Error),
    /// Its loader panicked.
    Abandoned,
}

/// What a caller has to do.
pub(crate) enum Boarding<'a, K: Eq, V> {
    /// Nothing: it was there after all.
    Held(V),
    /// To load, and to land.
    Lead(Lead<'a, K, V>),
    /// To take what another's load brought.
    Landed(Arc<Flight<V>>),
    /// Nothing will come: the key's load waits for this very thread.
    Circle,
}

impl<K: Eq + Clone, V> Flights<K, V> {
    /// Joins the key's load and waits for its end, or begins one. `look` is asked when there is none.
    pub(crate) fn board(
        &self,
        hash: Hashed,
        key: &K,
        engine: &Engine<K, V>,
        look: impl FnOnce() -> Option<V>,
    ) -> Boarding<'_, K, V> {
        let me = current().id();
        let mut table = self.table.lock();
        let epoch = engine.epoch();
        let mut joins = None;
        for (other, flight) in &table.flying {
            if flight.hash == hash.0 && other == key {
                // Its own load it could never wait for, nor make the value without beginning all over again.
                if flight.leader == me {
                    return Boarding::Circle;
                }
                if flight.ticket.is_valid(epoch) {
                    joins = Some(flight.clone());
                }
            }
        }
        if let Some(flight) = joins {
            if table.waits_for(flight.leader, me) {
                return Boarding::Circle;
            }
            table.waiting.push((me, flight.clone()));
            while flight.landing.get().is_none() {
                flight.landed.wait(&mut table);
            }
            table.waiting.retain(|(waiter, _)| *waiter != me);
            return Boarding::Landed(flight);
        }
        // Before it looks: what is written from here on either is seen or ends the ticket.
        let ticket = engine.ticket(hash);
        // A load that has just landed has put its value in before it left the table.
        if let Some(value) = look() {
            return Boarding::Held(value);
        }
        let flight =
            Flight { hash: hash.0, ticket, leader: me, landed: Condvar::new(), landing: OnceLock::new() };
        let flight = Arc::new(flight);
        table.flying.push((key.clone(), flight.clone()));
        Boarding::Lead(Lead { flights: self, flight })
    }
}

impl<K, V> Flights<K, V> {
    pub(crate) const fn new() -> Self {
        Self { table: Mutex::new(Table { flying: Vec::new(), waiting: Vec::new() }) }
    }
}

impl<K, V> Table<K, V> {
    /// Whether this thread is `other`, or waits for a load of `other`'s, or for one that waits for that.
    fn waits_for(&self, mut thread: ThreadId, other: ThreadId) -> bool {
        // Nobody waits in a circle, because nobody may begin to.
        while thread != other {
            // A load that has landed keeps nobody: who waited for it has only not woken up yet.
            let waits = |(waiter, flight): &&(ThreadId, Arc<Flight<V>>)| {
                *waiter == thread && flight.landing.get().is_none()
            };
            match self.waiting.iter().find(waits) {
                Some((_, flight)) => thread = flight.leader,
                None => return false,
            }
        }
        true
    }
}

impl<V: Clone> Flight<V> {
    /// What the load brought; `None` if it was abandoned.
    pub(crate) fn landing(&self) -> Option<Result<V, Error>> {
        match self.landing.get()? {
            Landing::Value(value) => Some(Ok(value.clone())),
            Landing::Failed(error) => Some(Err(error.clone())),
            Landing::Abandoned => None,
        }
    }
}

/// The duty to load. Dropped without a landing, as by a panic, it lets the next one try.
pub(crate) struct Lead<'a, K: Eq, V> {
    flights: &'a Flights<K, V>,
    flight: Arc<Flight<V>>,
}

impl<K: Eq, V> Lead<'_, K, V> {
    /// Whether what was loaded may be held: asked under the lock that it goes in by.
    pub(crate) fn is_valid(&self, epoch: u64) -> bool {
        self.flight.ticket.is_valid(epoch)
    }

    /// Tells those who wait. The value must be in the cache by now, or nobody would find it.
    pub(crate) fn land(self, result: Result<V, Error>) {
        self.end(match result {
            Ok(value) => Landing::Value(value),
            Err(error) => Landing::Failed(error),
        });
    }

    fn end(&self, landing: Landing<V>) {
        let mut table = self.flights.table.lock();
        let own = table.flying.iter().position(|(_, flight)| Arc::ptr_eq(flight, &self.flight));
        let gone = own.map(|at| table.flying.swap_remove(at));
        let unused = self.flight.landing.set(landing);
        self.flight.landed.notify_all();
        drop(table);
        // Keys and values are dropped with no lock held.
        drop((gone, unused));
    }
}

impl<K: Eq, V> Drop for Lead<'_, K, V> {
    fn drop(&mut self) {
        if self.flight.landing.get().is_none() {
            self.end(Landing::Abandoned);
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::underway::Underway;

    /// Between the landing and the waking of those who waited for it there is time for another load of its leader's.
    #[test]
    fn who_waited_for_what_has_landed_waits_for_nobody() {
        let other = std::thread::spawn(|| current().id()).join().unwrap_or_else(|_| current().id());
        let me = current().id();
        let ticket = Underway::default().begin(Hashed(1), 0);
        let flight = Flight { hash: 1, ticket, leader: me, landed: Condvar::new(), landing: OnceLock::new() };
        let flight = Arc::new(flight);
        let table = Table::<u8, u8> { flying: Vec::new(), waiting: vec![(other, flight.clone())] };
        assert!(table.waits_for(other, me));
        assert!(flight.landing.set(Landing::Value(7)).is_ok());
        assert!(!table.waits_for(other, me));
    }
}
