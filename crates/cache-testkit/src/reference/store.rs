//! The store: one client of the server.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{
    Capability, Claim, Error, ErrorKind, Feed, FeedSink, Key, LinkId, LinkState, LinkStatus, Mark, Marks,
    Moment, Namespace, Page, PutIf, Read, RemoveIf, Stamp, Store, Stored, Ttl, Version, Written,
};

use super::client::{Client, Push};
use super::faults::{Op, Point};
use super::state::State;
use super::{Gate, ReferenceServer};

/// A client of a [`ReferenceServer`], with a connection and a tracking table of its own. A clone is the same client.
///
/// A call gives way twice, once before it takes effect and once before its reply is handed out, so a caller can be
/// dropped in both places as with a real store.
#[derive(Clone, Debug)]
pub struct ReferenceStore {
    server: Arc<ReferenceServer>,
    client: Arc<Client>,
}

impl ReferenceStore {
    pub(super) fn new(server: Arc<ReferenceServer>, client: Arc<Client>) -> Self {
        Self { server, client }
    }

    /// How often this client called this operation, calls that failed included.
    pub fn calls(&self, op: Op) -> u64 {
        self.client.faults.calls(op)
    }

    /// Fails this client's next `n` calls of this operation, before they do anything.
    pub fn fail_next(&self, op: Op, n: usize, kind: ErrorKind) {
        self.client.faults.fail_next(op, n, kind);
    }

    /// Holds this client's next call of this operation, before it does anything.
    pub fn hold(&self, op: Op) -> Gate {
        self.client.faults.hold(op, Point::BeforeEffect)
    }

    /// Holds this client's next call of this operation when it is done, before the reply is handed out.
    pub fn hold_reply(&self, op: Op) -> Gate {
        self.client.faults.hold(op, Point::BeforeReply)
    }

    /// Ends the connection. Calls fail with [`ErrorKind::Unavailable`], also those under way (whose effect, if they
    /// had any, stays), and pushes are lost until [`reconnect`](ReferenceStore::reconnect).
    pub fn disconnect(&self) {
        self.server.state.lock().sessions[self.client.id].cut();
    }

    /// Makes a new connection, in place of the one there is, and tells the sinks that every copy is void.
    pub fn reconnect(&self) {
        {
            let mut state = self.server.state.lock();
            let link = state.next_link();
            let announce = self.server.capability.feed != Feed::None;
            state.sessions[self.client.id].renew(link, self.server.now(), announce);
        }
        self.server.deliver(&self.client);
    }

    /// The connection stays, and nothing comes back over it: calls take effect and hang, pushes wait, as on a
    /// connection that is open on one side only. Until [`thaw`](ReferenceStore::thaw) or a new connection.
    pub fn freeze(&self) {
        let _state = self.server.state.lock();
        self.client.link.send_modify(|link| link.frozen = true);
    }

    /// What was held back comes, pushes first.
    pub fn thaw(&self) {
        {
            let _state = self.server.state.lock();
            self.client.link.send_modify(|link| link.frozen = false);
        }
        self.server.deliver(&self.client);
    }

    async fn call<T>(&self, op: Op, effect: impl FnOnce(&mut Step<'_>) -> T + Send) -> Result<T, Error> {
        self.count(op);
        let asked = async {
            let sent_at = self.server.now();
            let link = self.begin(op)?;
            self.pause(op, Point::BeforeEffect, link).await?;
            let answer = self.effect(link, effect)?;
            self.pause(op, Point::BeforeReply, link).await?;
            self.answered(link, sent_at)?;
            Ok(answer)
        };
        asked.await.map_err(|error: Error| error.in_operation(op.name()))
    }

    fn count(&self, op: Op) {
        self.client.faults.count(op);
        self.server.faults.count(op);
    }

    fn begin(&self, op: Op) -> Result<LinkId, Error> {
        let failure = self.client.faults.failure(op).or_else(|| self.server.faults.failure(op));
        let link = *self.client.link.borrow();
        match failure {
            Some(error) => Err(error),
            None if link.up => Ok(link.id),
            None => Err(unavailable()),
        }
    }

    /// Waits as the test wants, or until the connection is gone.
    async fn pause(&self, op: Op, point: Point, link: LinkId) -> Result<(), Error> {
        let mut links = self.client.link.subscribe();
        let held = async {
            tokio::task::yield_now().await;
            let faults = [&self.client.faults, &self.server.faults];
            for gate in faults.into_iter().filter_map(|faults| faults.gate(op, point)) {
                gate.pass().await;
            }
            if point == Point::BeforeReply {
                let _ = self.client.link.subscribe().wait_for(|link| !link.frozen).await;
            }
        };
        tokio::select! {
            () = held => Ok(()),
            _ = links.wait_for(|now| !now.is(link)) => Err(unavailable()),
        }
    }

    /// One atomic step, and the pushes that follow from it.
    fn effect<T>(&self, link: LinkId, effect: impl FnOnce(&mut Step<'_>) -> T) -> Result<T, Error> {
        let answer = {
            let mut state = self.server.state.lock();
            if !self.client.link.borrow().is(link) {
                return Err(unavailable());
            }
            let now = self.server.now();
            effect(&mut Step { state: &mut state, client: self.client.id, link, now })
        };
        self.server.deliver_all();
        Ok(answer)
    }

    /// Tells what arrived before the reply does.
    fn answered(&self, link: LinkId, sent_at: Moment) -> Result<(), Error> {
        {
            let mut state = self.server.state.lock();
            if !self.client.link.borrow().is(link) {
                return Err(unavailable());
            }
            let session = &mut state.sessions[self.client.id];
            session.alive_at = session.alive_at.max(Some(sent_at));
            if self.server.capability.feed != Feed::None {
                session.push(Push::Alive(link, sent_at));
            }
        }
        self.server.deliver(&self.client);
        Ok(())
    }

    fn able(&self, op: Op, able: bool) -> Result<(), Error> {
        if able {
            return Ok(());
        }
        self.count(op);
        Err(Error::new(ErrorKind::Unsupported, "this store was built without it").in_operation(op.name()))
    }
}

fn unavailable() -> Error {
    Error::new(ErrorKind::Unavailable, "there is no connection")
}

/// The state, as a client's call sees and changes it.
struct Step<'a> {
    state: &'a mut State,
    client: usize,
    link: LinkId,
    now: Moment,
}

impl Step<'_> {
    fn find(&mut self, key: &Key) -> Option<Stored> {
        self.state.find(Some(self.client), key.as_str(), self.now)
    }

    fn read(&mut self, key: &Key) -> Read {
        let found = self.find(key);
        Read { found, link: self.link, tracked: self.state.track(self.client, key.as_str()) }
    }

    fn set(&mut self, key: &Key, bytes: Bytes, ttl: Ttl) {
        self.state.set(Some(self.client), key.as_str(), bytes, Some(ttl.as_duration()), self.now);
    }

    fn put(&mut self, key: &Key, bytes: Bytes, ttl: Ttl, condition: PutIf) -> Written {
        let found = self.find(key);
        let stored = match condition {
            PutIf::Always => true,
            PutIf::Absent => found.is_none(),
            PutIf::Version(version) => starts_with(found.as_ref(), &version),
        };
        if stored {
            self.set(key, bytes, ttl);
        }
        // A change ends all tracking, so the key is tracked last.
        Written { stored, link: self.link, tracked: self.state.track(self.client, key.as_str()) }
    }

    fn remove(&mut self, key: &Key, condition: &RemoveIf) -> bool {
        let found = self.find(key);
        let holds = match condition {
            RemoveIf::Always => true,
            RemoveIf::Version(version) => starts_with(found.as_ref(), version),
            RemoveIf::Bytes(bytes) => found.is_some_and(|found| found.bytes == *bytes),
        };
        holds && self.state.remove(Some(self.client), key.as_str())
    }

    fn claim(&mut self, key: &Key, lease: Bytes, token: Version, ttl: Ttl, over: Option<Version>) -> Claim {
        let found = self.find(key);
        let free = match (&found, over) {
            (None, _) => true,
            (Some(_), Some(over)) => starts_with(found.as_ref(), &over),
            (Some(_), None) => false,
        };
        if free {
            self.set(key, lease, ttl);
        }
        let tracked = self.state.track(self.client, key.as_str());
        match found {
            Some(found) if !free => match Version::of(&found.bytes) {
                Some(version) if version.is_lease() => {
                    Claim::Held { remaining: found.remaining.unwrap_or(Ttl::MAX.as_duration()) }
                }
                _ => Claim::Hit(Read { found: Some(found), link: self.link, tracked }),
            },
            _ => Claim::Granted(token),
        }
    }
}

fn starts_with(found: Option<&Stored>, version: &Version) -> bool {
    found.is_some_and(|found| found.bytes.starts_with(version.as_bytes()))
}

#[async_trait]
impl Store for ReferenceStore {
    fn capability(&self) -> Capability {
        self.server.capability
    }

    fn link_state(&self) -> LinkState {
        let state = self.server.state.lock();
        let session = &state.sessions[self.client.id];
        let link = session.link();
        LinkState {
            link: link.id,
            status: if link.up { LinkStatus::Up } else { LinkStatus::Down },
            feed: if link.up { self.server.capability.feed } else { Feed::None },
            alive_at: session.alive_at,
            reason: (!link.up).then(|| "disconnected by the test".into()),
        }
    }

    fn subscribe(&self, namespace: &Namespace, sink: Weak<dyn FeedSink>) {
        if self.server.capability.feed != Feed::None {
            let now = self.server.now();
            {
                let mut state = self.server.state.lock();
                let session = &mut state.sessions[self.client.id];
                session.sinks.retain(|(_, sink)| sink.strong_count() > 0);
                session.sinks.push((namespace.clone(), sink));
                let link = session.link();
                if link.up && !link.frozen {
                    session.push(Push::Alive(link.id, now));
                }
            }
            self.server.deliver(&self.client);
        }
    }

    fn suspect(&self, link: LinkId) {
        self.count(Op::Suspect);
        if self.client.link.borrow().is(link) {
            self.reconnect();
        }
    }

    async fn get(&self, key: &Key) -> Result<Read, Error> {
        let read = self.call(Op::Get, |step| step.read(key)).await;
        read.map_err(|error| error.for_key(key.user()))
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Read, Error>> {
        let read = |step: &mut Step<'_>| keys.iter().map(|key| step.read(key)).collect::<Vec<_>>();
        match self.call(Op::GetMany, read).await {
            Ok(reads) => reads.into_iter().map(Ok).collect(),
            Err(error) => keys.iter().map(|key| Err(error.clone().for_key(key.user()))).collect(),
        }
    }

    async fn put(&self, key: &Key, bytes: Bytes, ttl: Ttl, condition: PutIf) -> Result<Written, Error> {
        let max = self.server.capability.max_value;
        if bytes.len() > max {
            let message = format!("the value is {} bytes long, at most {max} are allowed", bytes.len());
            return Err(Error::new(ErrorKind::TooLarge, message).in_operation("put").for_key(key.user()));
        }
        let written = self.call(Op::Put, |step| step.put(key, bytes, ttl, condition)).await;
        written.map_err(|error| error.for_key(key.user()))
    }

    async fn remove(&self, key: &Key, condition: RemoveIf) -> Result<bool, Error> {
        let removed = self.call(Op::Remove, |step| step.remove(key, &condition)).await;
        removed.map_err(|error| error.for_key(key.user()))
    }

    async fn claim(&self, key: &Key, lease: Bytes, ttl: Ttl, over: Option<Version>) -> Result<Claim, Error> {
        self.able(Op::Claim, self.server.capability.claims)?;
        let Some(token) = Version::of(&lease).filter(Version::is_lease) else {
            let message = "the lease does not start with a lease version";
            return Err(Error::new(ErrorKind::Validation, message).in_operation("claim").for_key(key.user()));
        };
        let claim = self.call(Op::Claim, |step| step.claim(key, lease, token, ttl, over)).await;
        claim.map_err(|error| error.for_key(key.user()))
    }

    async fn read_marks(&self, namespace: &Namespace, marks: &[Mark]) -> Result<Marks, Error> {
        self.able(Op::ReadMarks, self.server.capability.marks)?;
        self.call(Op::ReadMarks, |step| step.state.space(Some(step.client)).read_marks(namespace, marks))
            .await
    }

    async fn bump_mark(&self, namespace: &Namespace, mark: &Mark) -> Result<Stamp, Error> {
        self.able(Op::BumpMark, self.server.capability.marks)?;
        self.call(Op::BumpMark, |step| step.state.bump_mark(step.client, namespace, mark)).await
    }

    async fn scan(&self, namespace: &Namespace, cursor: u64, count: usize) -> Result<Page, Error> {
        self.able(Op::Scan, self.server.capability.scan)?;
        let page = |step: &mut Step<'_>| {
            let now = step.now;
            step.state.space(Some(step.client)).page(namespace, cursor, count, now)
        };
        self.call(Op::Scan, page).await
    }
}
