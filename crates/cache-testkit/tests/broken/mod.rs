//! A store that breaks one promise.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{
    Capability, Claim, Error, ErrorKind, FeedSink, Key, LinkId, LinkState, Mark, Marks, Moment, Namespace,
    Page, PutIf, Read, RemoveIf, Stamp, Store, Stored, Ttl, Version, VersionSource, Written,
};
use parking_lot::Mutex;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    ForgetsTtl,
    StaleRemaining,
    NoRemaining,
    IgnoresPutCondition,
    ChecksThenPuts,
    IgnoresRemoveCondition,
    RemoveSaysYes,
    ReversesMany,
    DedupesMany,
    CutsAtNul,
    EmptyIsNone,
    TrimsKeys,
    MergesNamespaces,
    GrantsAll,
    WrongToken,
    ClaimsOverAll,
    ClaimsOverNone,
    HidesLeases,
    MergesMarks,
    NewNonce,
    SortsMarks,
    ScanLeaks,
    ScanForgets,
    PushesOwnWrites,
    PushesNothing,
    PushesLate,
    PushesAllNamespaces,
    KeepsSinks,
    IgnoresSuspicion,
    MixesReplies,
    LosesLock,
    DeniesClaims,
    HidesScan,
    InventsValues,
    UnderstatesMaxValue,
    KeepsToItself,
    AnswersNobody,
    BumpsInTwoSteps,
    NamesWrongLink,
    LowercasesTags,
    ForgetsOldSubscribers,
    SuspectsAnyLink,
    ScansByOffset,
    FirstWins,
    TruncatesLong,
    PutsInHalves,
    BumpsByTwo,
    AnswersFew,
    UntrackedMiss,
    UntrackedPut,
    UntrackedMany,
    UntrackedClaim,
    MutesMarks,
    MutesRetirement,
}

#[derive(Debug)]
pub(crate) struct Broken<S> {
    inner: S,
    flaw: Flaw,
    ttls: Mutex<HashMap<Key, Duration>>,
    sinks: Mutex<Sinks>,
    /// The reply that a dropped caller left behind.
    left_behind: Mutex<Option<Option<Read>>>,
    locked: Mutex<bool>,
    /// Keys whose changes are kept from the sinks.
    muted: Arc<Mutex<HashSet<Vec<u8>>>>,
    /// Different for each client.
    own: Namespace,
}

#[derive(Default)]
struct Sinks {
    weak: Vec<Weak<dyn FeedSink>>,
    /// Only here to keep them.
    strong: Vec<Arc<dyn FeedSink>>,
}

impl std::fmt::Debug for Sinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} sinks", self.weak.len() + self.strong.len())
    }
}

impl<S: Store> Broken<S> {
    pub(crate) fn new(inner: S, flaw: Flaw) -> Self {
        Self {
            inner,
            flaw,
            ttls: Mutex::default(),
            sinks: Mutex::default(),
            left_behind: Mutex::default(),
            locked: Mutex::default(),
            muted: Arc::default(),
            own: Namespace::new(&format!("own-{}", cache_core::random_u64())).unwrap(),
        }
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    fn key(&self, key: &Key) -> Key {
        match self.flaw {
            Flaw::TrimsKeys => {
                let namespace = Namespace::new(key.prefix().trim_end_matches(':')).unwrap();
                namespace.key(key.user().trim()).unwrap_or_else(|_| key.clone())
            }
            Flaw::MergesNamespaces => Namespace::new("all").unwrap().key(key.user()).unwrap(),
            Flaw::KeepsToItself => self.own.key(key.user()).unwrap(),
            _ => key.clone(),
        }
    }

    /// The namespace that marks are kept in.
    fn home(&self, namespace: &Namespace) -> Namespace {
        match self.flaw {
            Flaw::MergesMarks => Namespace::new("all").unwrap(),
            Flaw::KeepsToItself => self.own.clone(),
            _ => namespace.clone(),
        }
    }

    fn mark(&self, mark: &Mark) -> Mark {
        match mark {
            Mark::Tag(tag) if self.is(Flaw::LowercasesTags) => Mark::Tag(tag.to_lowercase().into()),
            _ => mark.clone(),
        }
    }

    fn mute(&self, key: &Key, mute: bool) {
        let mut muted = self.muted.lock();
        if mute {
            muted.insert(key.as_bytes().to_vec());
        } else {
            muted.remove(key.as_bytes());
        }
    }

    fn found(&self, key: &Key, mut read: Read) -> Read {
        self.mute(key, self.is(Flaw::UntrackedMiss) && read.found.is_none());
        if self.is(Flaw::NamesWrongLink) {
            read.link = LinkId(read.link.0 + 1);
        }
        if self.is(Flaw::InventsValues) && read.found.is_none() {
            read.found = Some(Stored { bytes: Bytes::new(), remaining: None });
        }
        read.found = read.found.and_then(|stored| self.stored(key, stored));
        read
    }

    fn stored(&self, key: &Key, mut stored: Stored) -> Option<Stored> {
        match self.flaw {
            Flaw::NoRemaining => stored.remaining = None,
            Flaw::StaleRemaining => stored.remaining = self.ttls.lock().get(key).copied(),
            Flaw::CutsAtNul => {
                let end = stored.bytes.iter().position(|byte| *byte == 0).unwrap_or(stored.bytes.len());
                stored.bytes.truncate(end);
            }
            Flaw::TruncatesLong => stored.bytes.truncate(1 << 16),
            Flaw::EmptyIsNone if stored.bytes.is_empty() => return None,
            Flaw::HidesLeases if Version::of(&stored.bytes).is_some_and(|v| v.is_lease()) => return None,
            _ => {}
        }
        Some(stored)
    }
}

/// A sink that holds invalidations back until it is told that the link is alive, by the wrapper alone.
struct Late {
    to: Weak<dyn FeedSink>,
    held: Mutex<Vec<Vec<u8>>>,
}

impl FeedSink for Late {
    fn invalidate(&self, key: &[u8]) {
        self.held.lock().push(key.to_vec());
    }

    fn retire_all(&self, link: LinkId) {
        self.to.upgrade().inspect(|to| to.retire_all(link));
    }

    fn mark(&self, mark: &Mark, at: Stamp) {
        self.to.upgrade().inspect(|to| to.mark(mark, at));
    }

    fn alive(&self, link: LinkId, _: Moment) {
        if link == LinkId(0) {
            let held = std::mem::take(&mut *self.held.lock());
            held.iter().for_each(|key| self.to.upgrade().iter().for_each(|to| to.invalidate(key)));
        }
    }
}

/// A sink that keeps some things to itself.
struct Muted {
    flaw: Flaw,
    to: Weak<dyn FeedSink>,
    muted: Arc<Mutex<HashSet<Vec<u8>>>>,
}

impl FeedSink for Muted {
    fn invalidate(&self, key: &[u8]) {
        if !self.muted.lock().contains(key) {
            self.to.upgrade().inspect(|to| to.invalidate(key));
        }
    }

    fn retire_all(&self, link: LinkId) {
        if self.flaw != Flaw::MutesRetirement {
            self.to.upgrade().inspect(|to| to.retire_all(link));
        }
    }

    fn mark(&self, mark: &Mark, at: Stamp) {
        if self.flaw != Flaw::MutesMarks {
            self.to.upgrade().inspect(|to| to.mark(mark, at));
        }
    }

    fn alive(&self, link: LinkId, sent_at: Moment) {
        self.to.upgrade().inspect(|to| to.alive(link, sent_at));
    }
}

/// What another namespace is told, told to this one.
struct Leak(Weak<dyn FeedSink>);

impl FeedSink for Leak {
    fn invalidate(&self, key: &[u8]) {
        self.0.upgrade().inspect(|to| to.invalidate(key));
    }

    fn retire_all(&self, _: LinkId) {}

    fn mark(&self, _: &Mark, _: Stamp) {}

    fn alive(&self, _: LinkId, _: Moment) {}
}

#[async_trait]
impl<S: Store> Store for Broken<S> {
    fn capability(&self) -> Capability {
        let mut capability = self.inner.capability();
        capability.scan &= !self.is(Flaw::HidesScan);
        if self.is(Flaw::UnderstatesMaxValue) {
            capability.max_value = 1000;
        }
        capability
    }

    fn link_state(&self) -> LinkState {
        self.inner.link_state()
    }

    fn subscribe(&self, namespace: &Namespace, sink: Weak<dyn FeedSink>) {
        let mut sinks = self.sinks.lock();
        if self.is(Flaw::ForgetsOldSubscribers) {
            sinks.strong.clear();
        }
        let mut keep = |sink: Arc<dyn FeedSink>| {
            let weak = Arc::downgrade(&sink);
            sinks.strong.push(sink);
            weak
        };
        match self.flaw {
            Flaw::PushesNothing => {}
            Flaw::PushesOwnWrites => {
                sinks.weak.push(Weak::clone(&sink));
                self.inner.subscribe(namespace, sink);
            }
            Flaw::PushesLate => {
                let late = keep(Arc::new(Late { to: sink, held: Mutex::default() }));
                sinks.weak.push(Weak::clone(&late));
                self.inner.subscribe(namespace, late);
            }
            Flaw::PushesAllNamespaces => {
                let longer = Namespace::new(&format!("{}Abc", namespace.as_str())).unwrap();
                self.inner.subscribe(namespace, Weak::clone(&sink));
                self.inner.subscribe(&longer, keep(Arc::new(Leak(sink))));
            }
            Flaw::KeepsSinks => {
                let kept = keep(sink.upgrade().unwrap());
                self.inner.subscribe(namespace, kept);
            }
            Flaw::ForgetsOldSubscribers
            | Flaw::UntrackedMiss
            | Flaw::UntrackedPut
            | Flaw::UntrackedMany
            | Flaw::UntrackedClaim
            | Flaw::MutesMarks
            | Flaw::MutesRetirement => {
                let muted = Muted { flaw: self.flaw, to: sink, muted: Arc::clone(&self.muted) };
                self.inner.subscribe(namespace, keep(Arc::new(muted)));
            }
            _ => self.inner.subscribe(namespace, sink),
        }
    }

    fn suspect(&self, link: LinkId) {
        match self.flaw {
            Flaw::IgnoresSuspicion => {}
            Flaw::SuspectsAnyLink => self.inner.suspect(self.inner.link_state().link),
            _ => self.inner.suspect(link),
        }
    }

    async fn get(&self, key: &Key) -> Result<Read, Error> {
        let real = self.key(key);
        match self.flaw {
            Flaw::MixesReplies => {
                // The reply of the call before, if nobody took it.
                if let Some(Some(read)) = self.left_behind.lock().take() {
                    return Ok(read);
                }
                let read = self.inner.get(&real).await?;
                *self.left_behind.lock() = Some(Some(read.clone()));
                tokio::task::yield_now().await;
                self.left_behind.lock().take();
                return Ok(read);
            }
            Flaw::LosesLock => {
                // Given back by hand, not by a guard.
                if std::mem::replace(&mut *self.locked.lock(), true) {
                    return Err(Error::new(ErrorKind::Timeout, "nobody gives the lock back"));
                }
                let read = self.inner.get(&real).await;
                *self.locked.lock() = false;
                return read;
            }
            _ => {}
        }
        let read = self.inner.get(&real).await?;
        if self.is(Flaw::PushesLate) {
            // After the reply is with its caller.
            let held: Vec<_> = self.sinks.lock().weak.clone();
            tokio::spawn(async move {
                for sink in held.iter().filter_map(Weak::upgrade) {
                    sink.alive(LinkId(0), Moment::START);
                }
            });
        }
        Ok(self.found(key, read))
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Read, Error>> {
        let mut real: Vec<Key> = keys.iter().map(|key| self.key(key)).collect();
        if self.is(Flaw::DedupesMany) {
            let mut seen = HashSet::new();
            real.retain(|key| seen.insert(key.clone()));
        }
        if self.is(Flaw::AnswersFew) {
            real.truncate(500);
        }
        let mut reads = self.inner.get_many(&real).await;
        if self.is(Flaw::ReversesMany) {
            reads.reverse();
        }
        if self.is(Flaw::AnswersNobody) && keys.is_empty() {
            return self.inner.get_many(&[self.own.key("k").unwrap()]).await;
        }
        let answer = |(read, key): (Result<Read, Error>, &Key)| {
            let read = self.found(key, read?);
            self.mute(
                key,
                self.is(Flaw::UntrackedMany) || self.is(Flaw::UntrackedMiss) && read.found.is_none(),
            );
            Ok(read)
        };
        reads.into_iter().zip(keys).map(answer).collect()
    }

    async fn put(&self, key: &Key, bytes: Bytes, ttl: Ttl, condition: PutIf) -> Result<Written, Error> {
        let real = self.key(key);
        self.ttls.lock().insert(key.clone(), ttl.as_duration());
        let ttl = if self.is(Flaw::ForgetsTtl) { Ttl::MAX } else { ttl };
        let condition = match (self.flaw, condition) {
            (Flaw::IgnoresPutCondition, _) => PutIf::Always,
            (Flaw::FirstWins, PutIf::Always) => {
                let written = self.inner.put(&real, bytes, ttl, PutIf::Absent).await?;
                return Ok(Written { stored: true, ..written });
            }
            (Flaw::ChecksThenPuts, condition) => {
                let read = self.inner.get(&real).await?;
                let holds = match condition {
                    PutIf::Always => true,
                    PutIf::Absent => read.found.is_none(),
                    PutIf::Version(version) => {
                        read.found.is_some_and(|found| Version::of(&found.bytes) == Some(version))
                    }
                };
                if !holds {
                    return Ok(Written { stored: false, link: read.link, tracked: read.tracked });
                }
                PutIf::Always
            }
            (Flaw::PutsInHalves, condition) => {
                let half = bytes.slice(..bytes.len() / 2);
                let written = self.inner.put(&real, half, ttl, condition).await?;
                if !written.stored {
                    return Ok(written);
                }
                PutIf::Always
            }
            (_, condition) => condition,
        };
        let written = self.inner.put(&real, bytes, ttl, condition).await;
        self.mute(key, self.is(Flaw::UntrackedPut));
        if self.is(Flaw::PushesOwnWrites) {
            for sink in self.sinks.lock().weak.iter().filter_map(Weak::upgrade) {
                sink.invalidate(key.as_bytes());
            }
        }
        written
    }

    async fn remove(&self, key: &Key, condition: RemoveIf) -> Result<bool, Error> {
        let condition = if self.is(Flaw::IgnoresRemoveCondition) { RemoveIf::Always } else { condition };
        let removed = self.inner.remove(&self.key(key), condition).await?;
        Ok(removed || self.is(Flaw::RemoveSaysYes))
    }

    async fn claim(&self, key: &Key, lease: Bytes, ttl: Ttl, over: Option<Version>) -> Result<Claim, Error> {
        let real = self.key(key);
        let token = Version::of(&lease).unwrap();
        match self.flaw {
            Flaw::DeniesClaims => return Err(Error::new(ErrorKind::Unsupported, "no")),
            Flaw::GrantsAll => {
                self.inner.put(&real, lease, ttl, PutIf::Always).await?;
                return Ok(Claim::Granted(token));
            }
            _ => {}
        }
        let over = match self.flaw {
            Flaw::ClaimsOverAll if over.is_some() => {
                self.inner.get(&real).await?.found.and_then(|stored| Version::of(&stored.bytes))
            }
            Flaw::ClaimsOverNone => None,
            _ => over,
        };
        let claim = self.inner.claim(&real, lease, ttl, over).await?;
        self.mute(key, self.is(Flaw::UntrackedClaim));
        Ok(match claim {
            Claim::Granted(_) if self.is(Flaw::WrongToken) => Claim::Granted(VersionSource::new().lease()),
            claim => claim,
        })
    }

    async fn read_marks(&self, namespace: &Namespace, marks: &[Mark]) -> Result<Marks, Error> {
        let namespace = &self.home(namespace);
        let marks: Vec<Mark> = marks.iter().map(|mark| self.mark(mark)).collect();
        let mut read = self.inner.read_marks(namespace, &marks).await?;
        match self.flaw {
            Flaw::NewNonce => read.now.nonce = cache_core::random_u64(),
            Flaw::SortsMarks => read.seqs.sort_unstable(),
            _ => {}
        }
        Ok(read)
    }

    async fn bump_mark(&self, namespace: &Namespace, mark: &Mark) -> Result<Stamp, Error> {
        let namespace = &self.home(namespace);
        if self.is(Flaw::BumpsByTwo) {
            self.inner.bump_mark(namespace, mark).await?;
        }
        if self.is(Flaw::BumpsInTwoSteps) {
            let before = self.inner.read_marks(namespace, &[]).await?.now;
            self.inner.bump_mark(namespace, mark).await?;
            return Ok(Stamp { seq: before.seq + 1, ..before });
        }
        self.inner.bump_mark(namespace, &self.mark(mark)).await
    }

    async fn scan(&self, namespace: &Namespace, cursor: u64, count: usize) -> Result<Page, Error> {
        if self.is(Flaw::ScansByOffset) {
            let mut keys = self.inner.scan(namespace, 0, 1_000_000).await?.keys;
            keys.sort_unstable();
            let from = usize::try_from(cursor).unwrap();
            let next = (keys.len() > from + count).then_some((from + count) as u64);
            return Ok(Page { keys: keys.into_iter().skip(from).take(count).collect(), next });
        }
        let mut page = self.inner.scan(namespace, cursor, count).await?;
        if self.is(Flaw::ScanLeaks) {
            let longer = Namespace::new(&format!("{}Abc", namespace.as_str())).unwrap();
            page.keys.extend(self.inner.scan(&longer, cursor, count).await?.keys);
        }
        if self.is(Flaw::ScanForgets) && cursor > 0 {
            page.keys.pop();
        }
        Ok(page)
    }
}
