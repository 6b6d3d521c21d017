//! A store of one's own: a map that the caches of one process share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{
    Capability, Claim, Error, ErrorKind, Feed, FeedSink, Key, LinkId, LinkState, LinkStatus, Mark, Marks,
    Namespace, Page, PutIf, Read, RemoveIf, Stamp, Store, Stored, Ttl, Version, Written,
};

/// The map. Its clones are one store.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedMap {
    entries: Arc<Mutex<HashMap<String, (Bytes, Instant)>>>,
    link: Arc<AtomicU64>,
}

impl SharedMap {
    /// Does something with what is stored under a key, in one step.
    fn with<T>(&self, key: &Key, act: impl FnOnce(&mut Option<(Bytes, Instant)>) -> T) -> T {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entry = entries.remove(key.as_str()).filter(|(_, end)| *end > Instant::now());
        let done = act(&mut entry);
        if let Some(entry) = entry {
            entries.insert(key.as_str().to_owned(), entry);
        }
        done
    }

    fn read(&self, key: &Key) -> Read {
        let left = |end: Instant| Some(end.saturating_duration_since(Instant::now()));
        let found = self.with(key, |entry| entry.clone());
        let found = found.map(|(bytes, end)| Stored { bytes, remaining: left(end) });
        Read { found, link: self.link(), tracked: false }
    }

    fn link(&self) -> LinkId {
        LinkId(self.link.load(Ordering::SeqCst))
    }
}

/// What this store cannot do, as its capability says.
fn no<T>(what: &str) -> Result<T, Error> {
    Err(Error::new(ErrorKind::Unsupported, format!("a shared map has no {what}")))
}

#[async_trait]
impl Store for SharedMap {
    fn capability(&self) -> Capability {
        // Longer values than its settings allow are refused by the cache itself.
        let (name, feed, max_value) = ("shared-map", Feed::None, usize::MAX);
        Capability { name, shared: true, claims: false, marks: false, scan: true, feed, max_value }
    }

    fn link_state(&self) -> LinkState {
        let (link, status, feed) = (self.link(), LinkStatus::Up, Feed::None);
        LinkState { link, status, feed, alive_at: None, reason: None }
    }

    fn subscribe(&self, _: &Namespace, _: Weak<dyn FeedSink>) {}

    fn suspect(&self, link: LinkId) {
        // There is nothing to connect anew; a number that is not this link's is an older one's.
        let _ = self.link.compare_exchange(link.0, link.0 + 1, Ordering::SeqCst, Ordering::SeqCst);
    }

    async fn get(&self, key: &Key) -> Result<Read, Error> {
        Ok(self.read(key))
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Read, Error>> {
        keys.iter().map(|key| Ok(self.read(key))).collect()
    }

    async fn put(&self, key: &Key, bytes: Bytes, ttl: Ttl, condition: PutIf) -> Result<Written, Error> {
        let stored = self.with(key, |entry| {
            let holds = match condition {
                PutIf::Always => true,
                PutIf::Absent => entry.is_none(),
                PutIf::Version(it) => entry.as_ref().and_then(|(bytes, _)| Version::of(bytes)) == Some(it),
            };
            if holds {
                *entry = Some((bytes, Instant::now() + Duration::from(ttl)));
            }
            holds
        });
        Ok(Written { stored, link: self.link(), tracked: false })
    }

    async fn remove(&self, key: &Key, condition: RemoveIf) -> Result<bool, Error> {
        Ok(self.with(key, |entry| {
            let there = entry.as_ref().map(|(bytes, _)| bytes);
            let holds = match &condition {
                RemoveIf::Always => there.is_some(),
                RemoveIf::Version(version) => there.and_then(|it| Version::of(it)) == Some(*version),
                RemoveIf::Bytes(bytes) => there == Some(bytes),
            };
            holds && entry.take().is_some()
        }))
    }

    async fn claim(&self, _: &Key, _: Bytes, _: Ttl, _: Option<Version>) -> Result<Claim, Error> {
        no("claims")
    }

    async fn read_marks(&self, _: &Namespace, _: &[Mark]) -> Result<Marks, Error> {
        no("marks")
    }

    async fn bump_mark(&self, _: &Namespace, _: &Mark) -> Result<Stamp, Error> {
        no("marks")
    }

    async fn scan(&self, namespace: &Namespace, _: u64, _: usize) -> Result<Page, Error> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let is_mine = |key: &str, end: &Instant| key.starts_with(namespace.prefix()) && *end > Instant::now();
        let alive = entries.iter().filter(|(key, (_, end))| is_mine(key, end));
        // One page: nothing of the map changes while it is looked at.
        Ok(Page { keys: alive.map(|(key, _)| key.clone()).collect(), next: None })
    }
}
