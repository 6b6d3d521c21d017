//! Looks a key up in both tiers and says how what it found stands.

use std::sync::Arc;
use std::time::Duration;

use cache_codec::{Action, OpenError, Opened};
use cache_core::{
    Coherence, Error, ErrorKind, Feed, Fill, FillToken, Key, LocalEntry, Mark, Meta, Moment, Read, RemoveIf,
    Stamp, Status, Store, Stored, Tier, Value, Version,
};

use crate::decide::{self, Freshness};
use crate::engine::Engine;
use crate::flight::{Ending, Joined, Seat};
use crate::lease::Trust;
use crate::marks::Soundness;
use crate::receipt::{Receipt, kept_by};

/// What a look-up brought. The entry, if there is one, is fresh or stale, and sound.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) entry: Option<(LocalEntry, Tier)>,
    pub(crate) status: Status,
    pub(crate) seen: Seen,
    /// Whether the entry is tier 1's and may be out of step with the store, which could not be asked.
    pub(crate) disconnected: bool,
    /// Why the store could not be asked.
    pub(crate) error: Option<Error>,
}

/// What was so when the store was asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    token: FillToken,
    sent_at: Moment,
    /// When whoever asks is to be done with asking the store.
    deadline: Moment,
    /// Whether something waited for the key then: the answer may have come before the store was told.
    hidden: bool,
    /// Whether tier 1 is to have a copy of the answer.
    pub(crate) copies: bool,
}

/// What tier 2 holds under the key, as far as a later write must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Nothing, or nobody looked.
    Nothing,
    /// A value of this version that may still be served stale.
    Stale(Version),
    /// A value of this version that others are answered with until there is a newer one.
    Held(Version),
    /// A value of this version that nobody can use.
    Useless(Version),
    /// Something that is not ours to replace.
    Foreign {
        /// Whether a change of it will be announced.
        tracked: bool,
    },
}

impl Found {
    pub(crate) fn nothing(status: Status, seen: Seen) -> Self {
        Self { entry: None, status, seen, disconnected: false, error: None }
    }

    pub(crate) fn local(entry: LocalEntry, freshness: Freshness) -> Self {
        let status = if freshness == Freshness::Fresh { Status::Fresh } else { Status::Stale };
        let entry = Some((entry, Tier::Local));
        Self { entry, status, seen: Seen::Nothing, disconnected: false, error: None }
    }

    pub(crate) fn failed(error: Error) -> Self {
        Self { error: Some(error), ..Self::nothing(Status::StoreUnavailable, Seen::Nothing) }
    }

    /// Whether the store did not answer in time.
    fn is_late(&self) -> bool {
        self.error.as_ref().is_some_and(|error| error.kind() == ErrorKind::Timeout)
    }

    /// How its entry stands.
    pub(crate) fn freshness(&self) -> Option<Freshness> {
        match self.status {
            Status::Fresh => Some(Freshness::Fresh),
            Status::Stale if self.entry.is_some() => Some(Freshness::Stale),
            _ => None,
        }
    }
}

impl Engine {
    /// What both tiers hold. Tier 1 answers if it is fresh; else the store is asked, once for all who ask at a time.
    pub(crate) async fn find(&self, hash: u64, key: &str) -> Found {
        let local = self.find_local(hash, key);
        let Some(store) = &self.store else {
            return local.unwrap_or_else(|| Found::nothing(Status::Absent, Seen::Nothing));
        };
        if let Some(fresh) = local.as_ref().filter(|found| found.status == Status::Fresh) {
            return fresh.clone();
        }
        let found = self.find_stored(&**store, hash, key).await;
        self.or_held(hash, key, found)
    }

    /// What the store said; if it said nothing, what tier 1 holds. The store knows better what is stale and what was
    /// missed. Tier 1 is looked at after the store was asked, because meanwhile the key may have been invalidated.
    pub(crate) fn or_held(&self, hash: u64, key: &str, found: Found) -> Found {
        if found.error.is_none() {
            return found;
        }
        match self.find_held(hash, key) {
            Some(held) => Found { error: found.error, ..held },
            None => found,
        }
    }

    /// What tier 1 holds, if it is sound and in step with the store.
    pub(crate) fn find_local(&self, hash: u64, key: &str) -> Option<Found> {
        self.find_held(hash, key).filter(|found| !found.disconnected)
    }

    /// What tier 1 holds, if it is sound, also if it may be out of step with a store that cannot be asked.
    fn find_held(&self, hash: u64, key: &str) -> Option<Found> {
        let held = self.find_in_tier(hash, key);
        if held.as_ref().is_some_and(|found| found.entry.is_some()) {
            return held;
        }
        // A value that waits for the store is this process's to serve, also if tier 1 let go of it.
        let waiting = self.outbox.write_of(key).filter(|entry| self.judge(&entry.meta) != Soundness::Void);
        let freshness = |entry: &LocalEntry| decide::freshness(&entry.meta, self.timer.now());
        match waiting.map(|entry| (freshness(&entry), entry)) {
            Some((Freshness::Dead, _)) | None => held,
            Some((freshness, entry)) => Some(Found::local(entry, freshness)),
        }
    }

    fn find_in_tier(&self, hash: u64, key: &str) -> Option<Found> {
        let now = self.timer.now();
        let entry = self.local.get(hash, key, now)?;
        let trust = if entry.meta.local_only { Trust::Proven } else { self.lease.trust(now) };
        if trust == Trust::Lost {
            return None;
        }
        match self.judge(&entry.meta) {
            Soundness::Sound(marks) if entry.meta.tags.is_some() => {
                self.local.vouch(hash, key, &entry.meta.version, marks);
            }
            Soundness::Sound(_) => {}
            Soundness::Void => {
                return Some(Found::nothing(Status::Invalidated, Seen::Nothing))
                    .filter(|_| self.store.is_none());
            }
            Soundness::Unknown => return None,
        }
        let freshness = decide::freshness(&entry.meta, now);
        let disconnected = trust == Trust::Disconnected;
        (freshness != Freshness::Dead).then(|| Found { disconnected, ..Found::local(entry, freshness) })
    }

    /// Whether a mark voids an entry, as far as this process knows.
    pub(crate) fn judge(&self, meta: &Meta) -> Soundness {
        let tags = meta.tags.as_deref();
        if !self.has_marks() {
            Soundness::Sound(0)
        } else if meta.local_only {
            self.marks.judge_local(meta.stamp.seq, tags)
        } else {
            self.marks.judge(meta.stamp, tags)
        }
    }

    async fn find_stored(&self, store: &dyn Store, hash: u64, key: &str) -> Found {
        // Whoever waited for another's read and then asks himself does not begin to count anew.
        let deadline = self.store_deadline();
        let is_over = |seat: &Seat<Found>| (seat.deadline()..deadline).contains(&self.timer.now());
        loop {
            match self.reads.join(hash, key, deadline, 0) {
                Joined::Lead(lead) => {
                    let found = self.fetch(store, hash, key, deadline).await;
                    lead.answer(found.clone());
                    return found;
                }
                Joined::Wait(seat) => tokio::select! {
                    biased;
                    ending = seat.wait() => {
                        match ending {
                            // The leader may have judged it before an invalidation that came before this caller asked.
                            Ending::Settled(found) if self.is_void_now(&found) => seat.detach(),
                            // The leader's time is over, and this caller's is not.
                            Ending::Settled(found) if found.is_late() && is_over(&seat) => seat.detach(),
                            Ending::Settled(found) => return found,
                            Ending::Panicked | Ending::Abandoned => {}
                        }
                    }
                    // The leader is a caller, who may hold his future without polling it.
                    () = seat.over(&*self.timer) => seat.detach(),
                },
            }
        }
    }

    fn is_void_now(&self, found: &Found) -> bool {
        found.entry.as_ref().is_some_and(|(entry, _)| self.judge(&entry.meta) == Soundness::Void)
    }

    async fn fetch(&self, store: &dyn Store, hash: u64, key: &str, deadline: Moment) -> Found {
        let full = match self.namespace.key(key) {
            Ok(full) => full,
            Err(error) => return Found::failed(error),
        };
        let asked = Question { deadline, ..self.question(hash, key, self.timer.now()) };
        match self.timed_by(deadline, "get", store.get(&full)).await {
            Ok(read) => self.admit(store, &full, hash, read, asked).await,
            Err(error) => Found::failed(error.for_key(key)),
        }
    }

    /// To be taken before the store is asked for a key.
    pub(crate) fn question(&self, hash: u64, key: &str, now: Moment) -> Question {
        let hidden = self.outbox.hides(key, None).is_some();
        let deadline = now + self.settings.store_timeout;
        Question { token: self.local.token(hash), sent_at: now, deadline, hidden, copies: true }
    }

    /// Takes in a store's answer: opens it, judges it, and keeps a copy in tier 1 if nothing happened to the key
    /// meanwhile.
    pub(crate) async fn admit(
        &self,
        store: &dyn Store,
        key: &Key,
        hash: u64,
        read: Read,
        asked: Question,
    ) -> Found {
        let Question { token, sent_at, deadline, hidden, copies } = asked;
        let Read { found: Some(stored), link, tracked } = read else {
            return Found::nothing(Status::Absent, Seen::Nothing);
        };
        let (header, payload) = match self.open(&stored.bytes, key).await {
            Ok(Opened::Lease(_)) => return Found::nothing(Status::Loading, Seen::Nothing),
            Ok(Opened::Value(header, payload)) => (header, payload),
            Err(error) => {
                if error.action() == Action::SuspectLink {
                    store.suspect(link);
                }
                return self.refuse(store, key, &stored, tracked, &error, deadline).await;
            }
        };
        // Before the marks are looked at: a mark that waited is known by the time that it waits no more.
        let hidden = hidden.then_some(Status::Absent);
        if let Some(status) = hidden.or_else(|| self.outbox.hides(key.user(), header.tags.as_deref())) {
            return Found::nothing(status, Seen::Useless(header.version));
        }
        match self.judge_stored(store, header.stamp, header.tags.as_deref(), deadline).await {
            Ok(true) => {}
            Ok(false) => return Found::nothing(Status::Invalidated, Seen::Useless(header.version)),
            Err(error) => return Found::failed(error),
        }
        let span = decide::place(header.fresh, header.total, stored.remaining, sent_at);
        let weight = Self::weight(key.user(), payload.bytes.len());
        let meta = Meta {
            fresh_until: span.fresh_until,
            dead_at: span.dead_at,
            made_at: span.made_at,
            stamp: header.stamp,
            tags: header.tags,
            version: header.version,
            schema: header.schema,
            cost: header.cost,
            local_only: false,
        };
        let freshness = decide::freshness(&meta, self.timer.now());
        if freshness == Freshness::Dead {
            return Found::nothing(Status::Absent, Seen::Useless(meta.version));
        }
        let entry = LocalEntry { value: Value::Encoded(Arc::new(payload)), meta, weight };
        if copies
            && let Some(copy) = self.copy_of(&entry, tracked, sent_at)
            && !self.writing.is_under_way(hash, key.user())
        {
            self.copy(hash, key.user(), copy, Fill::Promote(token));
        }
        let (status, seen) = match freshness {
            Freshness::Fresh => (Status::Fresh, Seen::Nothing),
            _ => (Status::Stale, Seen::Stale(entry.meta.version)),
        };
        Found { entry: Some((entry, Tier::Store)), status, seen, disconnected: false, error: None }
    }

    /// Whether no mark voids a stored entry. Asks the store for marks that it does not announce.
    async fn judge_stored(
        &self,
        store: &dyn Store,
        stamp: Stamp,
        tags: Option<&[Box<str>]>,
        deadline: Moment,
    ) -> Result<bool, Error> {
        if !self.has_marks() {
            return Ok(true);
        }
        let announced = store.capability().feed != Feed::None;
        match self.marks.judge(stamp, tags) {
            Soundness::Void => return Ok(false),
            Soundness::Sound(_) if announced => return Ok(true),
            Soundness::Sound(_) | Soundness::Unknown => {}
        }
        let (mut asked, asked_in) = (vec![Mark::Clear], self.marks.generation());
        asked.extend(tags.unwrap_or_default().iter().cloned().map(Mark::Tag));
        let marks = self.timed_by(deadline, "read_marks", store.read_marks(&self.namespace, &asked)).await?;
        self.learn_all(asked_in, marks.now, &asked, &marks.seqs);
        Ok(marks.now.nonce == stamp.nonce && marks.seqs.iter().all(|&mark| mark <= stamp.seq))
    }

    /// Passes over stored bytes that cannot be used, and does what their fault asks for.
    async fn refuse(
        &self,
        store: &dyn Store,
        key: &Key,
        stored: &Stored,
        tracked: bool,
        error: &OpenError,
        deadline: Moment,
    ) -> Found {
        let counters = &self.counters;
        let count = match error {
            OpenError::Future(_) => &counters.refused_future,
            OpenError::MissingCodec(_) => &counters.refused_codec,
            OpenError::WrongKey => &counters.refused_wrong_key,
            OpenError::Corrupt(_) => &counters.refused_corrupt,
            OpenError::TooLarge { .. } => &counters.refused_too_large,
            _ => &counters.refused_foreign,
        };
        self.refused(key.user(), error.reason(), count);
        let seen = match error.action() {
            Action::RemoveIfSame => {
                let same = RemoveIf::Bytes(stored.bytes.clone());
                // If this fails the damaged bytes stay until the next read; there is nothing else to do about them.
                self.timed_by(deadline, "remove", store.remove(key, same)).await.ok();
                Seen::Nothing
            }
            Action::SuspectLink => Seen::Nothing,
            _ => Seen::Foreign { tracked },
        };
        Found::nothing(Status::Refused, seen)
    }

    pub(crate) fn receipt(&self, found: &Found) -> Receipt {
        let now = self.timer.now();
        let entry = found.entry.as_ref().filter(|_| found.status == Status::Fresh);
        Receipt {
            tier: entry.map(|(_, tier)| *tier),
            age: entry.map(|(entry, _)| now.since(entry.meta.made_at)),
            fresh_for: entry.map(|(entry, _)| entry.meta.fresh_until.since(now)),
            status: found.status,
            coherence: match entry {
                Some((entry, _)) if entry.meta.local_only => Coherence::Unsynced,
                Some((_, Tier::Store)) => kept_by(self.shared_feed()),
                Some(_) if found.disconnected => Coherence::Disconnected,
                _ => self.coherence(),
            },
        }
    }

    /// How long the entry is still fresh.
    pub(crate) fn fresh_for(&self, found: &Found) -> Option<Duration> {
        self.receipt(found).fresh_for
    }
}
