//! The server: raw access, outages, and the script of what goes wrong for all its clients.

use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use cache_core::{Capability, Clock, ErrorKind, Feed, Moment, Stored, Timer};
use parking_lot::Mutex;

use super::client::{Client, Push};
use super::faults::{Faults, Op, Point};
use super::state::State;
use super::{Gate, ReferenceBuilder, ReferenceStore};
use crate::FakeClock;

/// An in-memory server for [`ReferenceStore`]s that keeps the contract of [`Store`](cache_core::Store) to the letter:
/// the model that backends are measured by, and what the engine is tested on.
///
/// Its time is the injected clock's, to the nanosecond. With [`Feed::Tracking`] (the default) it behaves as Redis does
/// with `CLIENT TRACKING ON NOLOOP`: a `get`, `get_many`, `put` or `claim` makes the key tracked for the client, whether
/// or not anything is stored; the next change of the key, by anybody, ends that; if another made it, or if its time was
/// found to be over, the client is told, once. Expiry is found when anybody asks for the key, or by
/// [`expire`](ReferenceServer::expire). Marks are announced to all clients but the one that bumped, which has the
/// answer.
///
/// Sinks are called by the thread that makes the change, before that call returns, and always before a later reply to
/// their client. They must not call the server.
#[derive(Debug)]
pub struct ReferenceServer {
    clock: Arc<dyn Clock>,
    pub(super) capability: Capability,
    pub(super) faults: Faults,
    pub(super) state: Mutex<State>,
}

impl ReferenceServer {
    /// A server that can do everything.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::builder(clock).build()
    }

    /// A server that can do less.
    pub fn builder(clock: Arc<dyn Clock>) -> ReferenceBuilder {
        ReferenceBuilder::new(clock)
    }

    pub(super) fn with(clock: Arc<dyn Clock>, capability: Capability) -> Arc<Self> {
        Arc::new(Self {
            clock,
            capability,
            faults: Faults::default(),
            state: Mutex::new(State::new(capability)),
        })
    }

    /// A new client, connected.
    pub fn connect(self: &Arc<Self>) -> ReferenceStore {
        let client = self.state.lock().connect();
        ReferenceStore::new(Arc::clone(self), client)
    }

    /// How often clients called this operation, calls that failed included.
    pub fn calls(&self, op: Op) -> u64 {
        self.faults.calls(op)
    }

    /// Fails the next `n` calls of this operation by any client, before they do anything.
    pub fn fail_next(&self, op: Op, n: usize, kind: ErrorKind) {
        self.faults.fail_next(op, n, kind);
    }

    /// Holds the next call of this operation by any client, before it does anything.
    pub fn hold(&self, op: Op) -> Gate {
        self.faults.hold(op, Point::BeforeEffect)
    }

    /// Holds the next call of this operation by any client when it is done, before the reply is handed out.
    pub fn hold_reply(&self, op: Op) -> Gate {
        self.faults.hold(op, Point::BeforeReply)
    }

    /// What is stored under a full key.
    pub fn raw_get(&self, key: &str) -> Option<Stored> {
        let now = self.now();
        let found = self.state.lock().find(None, key, now);
        self.deliver_all();
        found
    }

    /// Stores bytes under a full key, as another program would. Without a TTL they never end.
    pub fn raw_set(&self, key: &str, bytes: impl Into<Bytes>, ttl: Option<Duration>) {
        let now = self.now();
        self.state.lock().set(None, key, bytes.into(), ttl, now);
        self.deliver_all();
    }

    /// Removes a full key, as another program would. Returns whether there was one.
    pub fn raw_del(&self, key: &str) -> bool {
        let now = self.now();
        let removed = {
            let mut state = self.state.lock();
            state.find(None, key, now);
            state.remove(None, key)
        };
        self.deliver_all();
        removed
    }

    /// All full keys, in the order in which they came, leases included.
    pub fn keys(&self) -> Vec<String> {
        let now = self.now();
        self.state.lock().space(None).keys(now)
    }

    /// Removes everything, marks included, and tells every client that all its copies are void.
    pub fn flush_all(&self) {
        self.state.lock().flush();
        self.deliver_all();
    }

    /// Loses all marks, as a server does that evicts them or starts anew: namespaces get another incarnation at the
    /// next use. Nobody is told.
    pub fn lose_marks(&self) {
        self.state.lock().spaces().for_each(|space| space.lose_marks());
    }

    /// Removes every entry whose time is over, and tells those who track it.
    pub fn expire(&self) {
        let now = self.now();
        self.state.lock().expire(now);
        self.deliver_all();
    }

    /// A question and its answer on every connection that works, sent and answered now.
    pub fn heartbeat(&self) {
        let now = self.now();
        for client in self.clients() {
            let mut state = self.state.lock();
            let session = &mut state.sessions[client.id];
            let link = session.link();
            if link.up && !link.frozen {
                session.alive_at = Some(now);
                if self.capability.feed != Feed::None {
                    session.push(Push::Alive(link.id, now));
                }
            }
        }
        self.deliver_all();
    }

    /// Sends a [`heartbeat`](ReferenceServer::heartbeat) whenever `clock` moves, so that links stay alive however far it
    /// moves at once. A client's [`freeze`](ReferenceStore::freeze) and [`disconnect`](ReferenceStore::disconnect) keep
    /// its own from being answered.
    pub fn beat_with(self: &Arc<Self>, clock: &FakeClock) {
        let server: Weak<Self> = Arc::downgrade(self);
        clock.on_advance(move || {
            let server = server.upgrade();
            server.iter().for_each(|server| server.heartbeat());
            server.is_some()
        });
    }

    /// Sends a [`heartbeat`](ReferenceServer::heartbeat) every so often, until the server is dropped. For a test that
    /// wants links to stay alive while it advances time: spawn it.
    pub fn keep_alive(
        self: &Arc<Self>,
        timer: Arc<dyn Timer>,
        every: Duration,
    ) -> impl Future<Output = ()> + Send + use<> {
        let server: Weak<Self> = Arc::downgrade(self);
        async move {
            while let Some(server) = server.upgrade() {
                server.heartbeat();
                drop(server);
                timer.sleep_until(timer.now() + every).await;
            }
        }
    }

    pub(super) fn now(&self) -> Moment {
        self.clock.now()
    }

    pub(super) fn deliver_all(&self) {
        self.clients().iter().for_each(|client| self.deliver(client));
    }

    /// Tells the client's sinks what has arrived. They are called without the lock of the state.
    pub(super) fn deliver(&self, client: &Client) {
        let _in_order = client.delivering.lock();
        while let Some((push, sinks)) = self.next_push(client) {
            sinks.iter().for_each(|sink| push.tell(&**sink));
        }
    }

    fn next_push(&self, client: &Client) -> Option<(Push, Vec<Arc<dyn cache_core::FeedSink>>)> {
        self.state.lock().sessions[client.id].arrived()
    }

    fn clients(&self) -> Vec<Arc<Client>> {
        self.state.lock().sessions.iter().map(|session| Arc::clone(&session.client)).collect()
    }
}
