//! All that the server knows, and who is told of a change. Changed under one lock; nobody is called from here.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_core::{Capability, Feed, LinkId, Mark, Moment, Namespace, Stamp, Stored};

use super::client::{Client, Push, Session};
use super::space::Space;

pub(super) struct State {
    capability: Capability,
    spaces: HashMap<usize, Space>,
    pub(super) sessions: Vec<Session>,
    last_link: u64,
}

/// Who changes something; the rest of the world is `None`.
pub(super) type By = Option<usize>;

impl State {
    pub(super) fn new(capability: Capability) -> Self {
        Self { capability, spaces: HashMap::new(), sessions: Vec::new(), last_link: 0 }
    }

    pub(super) fn connect(&mut self) -> Arc<Client> {
        let link = self.next_link();
        let session = Session::new(self.sessions.len(), link);
        let client = Arc::clone(&session.client);
        self.sessions.push(session);
        client
    }

    pub(super) fn next_link(&mut self) -> LinkId {
        self.last_link += 1;
        LinkId(self.last_link)
    }

    /// Where `by` finds its entries: all in one place, or each client for itself, and the rest of the world apart.
    fn home(&self, by: By) -> usize {
        match by {
            Some(client) if !self.capability.shared => client + 1,
            _ => 0,
        }
    }

    pub(super) fn space(&mut self, by: By) -> &mut Space {
        self.spaces.entry(self.home(by)).or_default()
    }

    pub(super) fn spaces(&mut self) -> impl Iterator<Item = &mut Space> {
        self.spaces.values_mut()
    }

    /// What is stored. An entry that is found to be over is removed, and everybody who tracks it is told.
    pub(super) fn find(&mut self, by: By, key: &str, now: Moment) -> Option<Stored> {
        if self.space(by).is_over(key, now) {
            self.space(by).remove(key);
            self.announce(key, None);
        }
        self.space(by).get(key, now)
    }

    pub(super) fn set(&mut self, by: By, key: &str, bytes: Bytes, ttl: Option<Duration>, now: Moment) {
        self.space(by).set(key, bytes, ttl, now);
        self.announce(key, by);
    }

    /// Removes what [`find`](State::find) has found.
    pub(super) fn remove(&mut self, by: By, key: &str) -> bool {
        let removed = self.space(by).remove(key);
        if removed {
            self.announce(key, by);
        }
        removed
    }

    /// Removes all that is over, as a server does now and then in the background.
    pub(super) fn expire(&mut self, now: Moment) {
        let over: Vec<_> = self.spaces.iter().map(|(home, space)| (*home, space.over(now))).collect();
        for (home, keys) in over {
            for key in keys {
                self.spaces.entry(home).or_default().remove(&key);
                self.announce(&key, None);
            }
        }
    }

    pub(super) fn flush(&mut self) {
        self.spaces.clear();
        if self.capability.feed != Feed::None {
            for session in &mut self.sessions {
                session.tracked.clear();
                let link = session.link().id;
                session.push(Push::RetireAll(link));
            }
        }
    }

    /// Tells the client of later changes of the key. Returns whether there is a feed to do so.
    pub(super) fn track(&mut self, client: usize, key: &str) -> bool {
        if self.capability.feed == Feed::Tracking {
            self.sessions[client].tracked.insert(key.into());
        }
        self.capability.feed.announces()
    }

    pub(super) fn bump_mark(&mut self, by: usize, namespace: &Namespace, mark: &Mark) -> Stamp {
        let at = self.space(Some(by)).bump_mark(namespace, mark);
        if self.capability.feed != Feed::None {
            for session in self.sessions.iter_mut().filter(|session| session.client.id != by) {
                session.push(Push::Mark(namespace.clone(), mark.clone(), at));
            }
        }
        at
    }

    /// One change, one push to each that tracks the key, and then nobody tracks it any more. With a published feed the
    /// writer tells all other clients, and what the rest of the world does stays unsaid.
    fn announce(&mut self, key: &str, by: By) {
        for session in &mut self.sessions {
            let told = match self.capability.feed {
                Feed::Tracking => session.tracked.remove(key),
                Feed::PubSub => by.is_some(),
                _ => false,
            };
            if told && by != Some(session.client.id) {
                session.push(Push::Invalidate(key.into()));
            }
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("clients", &self.sessions.len()).finish_non_exhaustive()
    }
}
