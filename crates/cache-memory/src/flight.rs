//! Loads under way: one for each key, whoever asks.

use std::sync::{Arc, OnceLock};

use cache_core::{Error, FillToken};

use crate::hash::Hashed;
use crate::sync::{Condvar, Mutex, ThreadId, current};

/// The loads of one cache. There are few at a time, at most one a thread and level of nesting, so they are searched
/// one after the other.
pub(crate) struct Flights<K, V> {
    table: Mutex<Table<K, V>>,
}

struct Table<K, V> {
    flying: Vec<(K, Arc<Flight<V>>)>,
    /// Who waits for whose load.
    waiting: Vec<(ThreadId, ThreadId)>,
}

pub(crate) struct Flight<V> {
    hash: u64,
    /// Taken when it began: a load that an invalidation has overtaken takes no more passengers.
    token: FillToken,
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
    /// Joins the key's load and waits for its end, or begins one. `look` and `token` are asked when there is none.
    pub(crate) fn board(
        &self,
        hash: Hashed,
        key: &K,
        token: impl Fn() -> FillToken,
        look: impl FnOnce() -> Option<V>,
    ) -> Boarding<'_, K, V> {
        let me = current().id();
        let mut table = self.table.lock();
        let now = token();
        let joins = |(other, flight): &&(K, Arc<Flight<V>>)| {
            flight.hash == hash.0 && flight.token == now && other == key
        };
        if let Some((_, flight)) = table.flying.iter().find(joins) {
            let flight = flight.clone();
            if table.waits_for(flight.leader, me) {
                return Boarding::Circle;
            }
            table.waiting.push((me, flight.leader));
            while flight.landing.get().is_none() {
                flight.landed.wait(&mut table);
            }
            table.waiting.retain(|&(waiter, _)| waiter != me);
            return Boarding::Landed(flight);
        }
        // A load that has just landed has put its value in before it left the table.
        if let Some(value) = look() {
            return Boarding::Held(value);
        }
        let flight =
            Flight { hash: hash.0, token: now, leader: me, landed: Condvar::new(), landing: OnceLock::new() };
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
            match self.waiting.iter().find(|&&(waiter, _)| waiter == thread) {
                Some(&(_, leader)) => thread = leader,
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
    pub(crate) fn token(&self) -> FillToken {
        self.flight.token
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
