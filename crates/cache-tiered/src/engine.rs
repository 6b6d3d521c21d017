//! The engine behind every clone of one `Cache`: the two tiers, the flights, the marks, and what the feed reports.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use cache_core::{
    Coherence, Error, ErrorKind, Event, Feed, FeedSink, Fill, Filled, LinkId, LinkStatus, LocalEntry,
    LocalTier, Mark, Moment, Namespace, Observer, Seed, SetOptions, Stamp, Store, Timer, Ttl, VersionSource,
    Watched,
};

use crate::apart::apart;
use crate::breaker::Breaker;
use crate::counters::Counters;
use crate::data;
use crate::decide;
use crate::find::Found;
use crate::flight::Flights;
use crate::lease::{Lease, Trust};
use crate::load_task::LoadOutcome;
use crate::marks::{Learned, MarkTable};
use crate::negative::Negative;
use crate::outbox::Outbox;
use crate::receipt::kept_by;
use crate::replay::Replay;
use crate::settings::Settings;
use crate::trace;
use crate::turn::Turns;
use crate::writing::Writing;

#[derive(Debug)]
pub(crate) struct Engine {
    /// Tells this cache from others inside one task.
    pub(crate) id: u64,
    pub(crate) namespace: Namespace,
    pub(crate) settings: Settings,
    pub(crate) local: Arc<dyn LocalTier>,
    pub(crate) store: Option<Arc<dyn Store>>,
    pub(crate) timer: Arc<dyn Timer>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) seed: Seed,
    pub(crate) versions: VersionSource,
    pub(crate) marks: MarkTable,
    pub(crate) reads: Flights<Found>,
    pub(crate) loads: Flights<LoadOutcome>,
    pub(crate) negative: Negative,
    pub(crate) counters: Counters,
    pub(crate) writing: Writing,
    pub(crate) breaker: Breaker,
    pub(crate) lease: Lease,
    pub(crate) outbox: Outbox,
    pub(crate) replay: Replay,
    pub(crate) turns: Turns,
    /// Itself, for its tasks.
    pub(crate) me: Weak<Self>,
    /// How far the coarse clock may lag.
    pub(crate) coarse_error: Duration,
    closed: AtomicBool,
}

/// How an entry is to be kept, with every default filled in.
#[derive(Clone, Debug)]
pub(crate) struct Keep {
    pub(crate) fresh: Ttl,
    pub(crate) total: Ttl,
    pub(crate) tags: Option<Arc<[Box<str>]>>,
}

impl Engine {
    pub(crate) fn new(
        namespace: Namespace,
        settings: Settings,
        local: Arc<dyn LocalTier>,
        store: Option<Arc<dyn Store>>,
        timer: Arc<dyn Timer>,
        observer: Option<Arc<dyn Observer>>,
    ) -> Arc<Self> {
        let linked = store.as_ref().is_some_and(|store| store.capability().feed != Feed::None);
        let marks = if store.is_some() { MarkTable::follower() } else { MarkTable::authority() };
        let can_clear = store.as_ref().is_some_and(|store| store.capability().marks);
        let engine = Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            observer: observer.map(|given| {
                let watched: Weak<dyn Watched> = me.clone();
                given.attach(&namespace, watched).unwrap_or(given)
            }),
            outbox: Outbox::new(settings.replay_queue, can_clear),
            replay: Replay::default(),
            turns: Turns::default(),
            id: cache_core::random_u64(),
            negative: Negative::new(settings.negative_window),
            lease: Lease::new(linked, settings.lease, settings.disconnected_max_age),
            breaker: Breaker::new(namespace.clone(), settings.breaker),
            namespace,
            settings,
            local,
            store,
            seed: Seed::random(),
            versions: VersionSource::new(),
            marks,
            reads: Flights::new(),
            loads: Flights::new(),
            counters: Counters::default(),
            writing: Writing::new(),
            coarse_error: timer.coarse_error(),
            timer,
            closed: AtomicBool::new(false),
        });
        if let Some(store) = &engine.store {
            let sink: Arc<dyn FeedSink> = engine.clone();
            store.subscribe(&engine.namespace, Arc::downgrade(&sink));
        }
        engine
    }

    /// # Errors
    /// [`ErrorKind::Closed`] once the cache is closed.
    pub(crate) fn check_open(&self) -> Result<(), Error> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Closed, "the cache was closed"));
        }
        Ok(())
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.void_all();
    }

    /// Fills in the defaults of these options, which were validated.
    pub(crate) fn keep(&self, options: &SetOptions) -> Keep {
        let fresh = options.fresh_for.map_or(self.settings.default_ttl, Ttl::clamped);
        let stale = options.stale_for.unwrap_or(self.settings.stale_for);
        let tags: Option<Arc<[Box<str>]>> = if options.tags.is_empty() {
            None
        } else {
            Some(options.tags.iter().map(|tag| tag.as_str().into()).collect())
        };
        Keep { fresh, total: fresh.plus(stale), tags }
    }

    /// # Errors
    /// [`ErrorKind::Unsupported`] if tags were given and the store has no marks: a tag that cannot be invalidated
    /// would be a promise that is not kept.
    pub(crate) fn check_tags(&self, tagged: bool) -> Result<(), Error> {
        match &self.store {
            Some(store) if tagged && !store.capability().marks => Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "the store `{}` has no marks, so tags cannot be invalidated",
                    store.capability().name
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Nobody joins a read or a load of this key that is under way, and nothing that they bring is kept.
    pub(crate) fn fence(&self, hash: u64, key: &str) {
        self.reads.fence(hash, key);
        self.loads.fence(hash, key);
    }

    /// The key's value is void as of now, in this process.
    pub(crate) fn void(&self, hash: u64, key: &str) {
        self.fence(hash, key);
        self.local.remove(hash, key);
    }

    /// Everything is void as of now, in this process.
    pub(crate) fn void_all(&self) {
        // In this order: who finds no fence holds a token of tier 1 that is void then, or puts in what is removed then.
        self.fence_all();
        self.local.retire();
        self.negative.clear_all();
    }

    /// Nobody joins what is being read and loaded, and nothing that it brings is kept.
    pub(crate) fn fence_all(&self) {
        self.reads.fence_all();
        self.loads.fence_all();
    }

    /// Puts a copy of what the store has into tier 1, unless something that waits for the store hides it.
    pub(crate) fn copy(&self, hash: u64, key: &str, entry: LocalEntry, fill: Fill) {
        let tags = entry.meta.tags.clone();
        let hidden = || self.outbox.hides(key, tags.as_deref()).is_some();
        if hidden() || self.local.insert(hash, key, entry, fill) != Filled::Stored {
            return;
        }
        // What was queued since the first look may have found nothing to remove.
        if hidden() {
            self.local.remove(hash, key);
        }
    }

    /// Whether marks exist here: always without a store, else if the store keeps them.
    pub(crate) fn has_marks(&self) -> bool {
        self.store.as_ref().is_none_or(|store| store.capability().marks)
    }

    /// The feed in use, or `None` if there is nobody else. Without a link it is the one that the store is able to give.
    pub(crate) fn shared_feed(&self) -> Option<Feed> {
        let store = self.store.as_ref().filter(|store| store.capability().shared)?;
        Some(match store.link_state().feed {
            Feed::None => store.capability().feed,
            feed => feed,
        })
    }

    /// What keeps tier 1 in step with other processes now.
    pub(crate) fn coherence(&self) -> Coherence {
        match self.lease.trust(self.timer.now()) {
            Trust::Proven if self.lease.allows_copies() => kept_by(self.shared_feed()),
            // Also where there never was a link.
            Trust::Proven | Trust::Disconnected | Trust::Lost => Coherence::Disconnected,
        }
    }

    /// A copy for tier 1 of an entry that the store has, if there is to be one. Where later changes are not announced it
    /// ends `untracked_max_age` after the store was asked, at the latest.
    pub(crate) fn copy_of(&self, entry: &LocalEntry, tracked: bool, sent_at: Moment) -> Option<LocalEntry> {
        if !self.lease.allows_copies() || self.check_open().is_err() {
            return None;
        }
        let mut copy = entry.clone();
        match if tracked { None } else { self.shared_feed() } {
            // Of this one they are not, although they are of others: it waits until it can be read as one of those.
            Some(feed) if feed.announces() => return None,
            Some(_) => decide::end_by(&mut copy.meta, sent_at + self.settings.untracked_max_age),
            None => {}
        }
        Some(copy).filter(|copy| copy.meta.dead_at > sent_at)
    }

    /// The position for a load that began then, once it has asked for its claim. A claim that was not answered has used
    /// up the time in which the store may be asked. `None` if the store cannot tell.
    pub(crate) async fn stamp_of_load(&self, began: Moment, leased: bool) -> Option<Stamp> {
        let since = if leased { self.timer.now() } else { began };
        self.stamp_by(since + self.settings.store_timeout).await.ok()
    }

    /// The position that a write or load which starts now gets.
    pub(crate) async fn stamp_by(&self, deadline: Moment) -> Result<Stamp, Error> {
        let Some(store) = self.store.as_ref().filter(|_| self.has_marks()) else {
            return Ok(self.marks.stamp().unwrap_or_default());
        };
        let announced = store.capability().feed != Feed::None;
        if let Some(stamp) = self.marks.stamp().filter(|_| announced) {
            return Ok(stamp);
        }
        let (asked, asked_in) = ([Mark::Clear], self.marks.generation());
        let marks = self.timed_by(deadline, "read_marks", store.read_marks(&self.namespace, &asked)).await?;
        self.learn_all(asked_in, marks.now, &asked, &marks.seqs);
        Ok(marks.now)
    }

    pub(crate) fn learn_all(&self, asked_in: u64, now: Stamp, marks: &[Mark], seqs: &[u64]) {
        if !self.marks.learn_all(asked_in, now, marks, seqs) {
            self.void_all();
        }
    }

    pub(crate) fn tell<'a>(&self, event: impl FnOnce() -> Event<'a>) {
        let traced = trace::is_on();
        if !traced && self.observer.is_none() {
            return;
        }
        let event = event();
        if traced {
            trace::event(&self.namespace, &event);
        }
        if let Some(observer) = &self.observer {
            observer.event(&event);
        }
    }

    /// The weight of an entry in tier 1, in bytes.
    pub(crate) fn weight(key: &str, encoded_len: usize) -> u64 {
        /// Entry, `Arc`, table slot and allocator slack, roughly.
        const OVERHEAD: usize = 160;
        (OVERHEAD + key.len() + encoded_len) as u64
    }

    pub(crate) fn value_limit(&self) -> usize {
        self.settings.limits.value
    }

    /// A held value as `T`; an entry that had to be decoded keeps what came of it.
    pub(crate) async fn read_as<T: data::Data>(
        &self,
        hash: u64,
        key: &str,
        entry: LocalEntry,
    ) -> Result<Arc<T>, Error> {
        let (format, limit) = (self.settings.format, self.settings.limits.decoded);
        let version = entry.meta.version;
        let bytes = data::bytes_to_decode(&entry.value);
        let read = apart(bytes, move || data::read_as::<T>(entry.value, format, limit))
            .await
            .inspect_err(|_| self.refused(key, "wrong_type", &self.counters.refused_type))?;
        if let Some(keep) = read.keep {
            self.local.replace_value(hash, key, &version, keep);
        }
        Ok(read.value)
    }

    pub(crate) fn refused(&self, key: &str, reason: &'static str, count: &crate::counters::Count) {
        count.one();
        self.tell(|| Event::Refused { key, reason });
    }

    /// How long a load that starts now may take.
    pub(crate) fn load_deadline(&self, timeout: Option<Duration>) -> Moment {
        self.timer.now() + timeout.unwrap_or(self.settings.load_timeout)
    }
}

impl FeedSink for Engine {
    fn invalidate(&self, key: &[u8]) {
        if let Some(user) = self.namespace.strip(key) {
            self.void(self.seed.hash(user), user);
            self.tell(|| Event::Invalidate { operation: "told", key: Some(user) });
        }
    }

    fn retire_all(&self, link: LinkId) {
        self.lease.renewed(link);
        self.breaker.heartbeat();
        self.marks.forget();
        self.void_all();
        self.replay_missed(true);
        self.tell(|| Event::Link { status: LinkStatus::Up });
    }

    fn mark(&self, mark: &Mark, at: Stamp) {
        let learned = self.marks.learn(mark, at);
        if learned != Learned::Known {
            self.tell(|| Event::Invalidate { operation: "told_mark", key: None });
        }
        match (learned, mark) {
            (Learned::Known, _) | (Learned::InOrder, Mark::Tag(_)) => {}
            // A late mark names entries that may have been vouched for; looking for them here would take too long.
            (Learned::InOrder | Learned::Late | Learned::OtherIncarnation, _) => self.void_all(),
        }
    }

    fn alive(&self, link: LinkId, sent_at: Moment) {
        self.lease.alive(link, sent_at);
        self.breaker.heartbeat();
        self.replay_missed(false);
    }
}
