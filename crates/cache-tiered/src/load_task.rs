//! A load: the task that asks for the right to load, runs the loader, and keeps what it brings.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use cache_core::{
    Encoded, Error, ErrorKind, Event, Fill, Filled, LoadOptions, LoadResult, LocalEntry, Meta, Moment, PutIf,
    Stamp, Value, Version, WriteResult,
};
use futures_util::FutureExt;

use crate::claim::{Asked, Permit};
use crate::data;
use crate::deadline::Deadline;
use crate::engine::{Engine, Keep};
use crate::find::Seen;
use crate::flight::Lead;
use crate::loader::{Alive, Back, ErasedLoader, LoadScope, Loaded, Said};
use crate::marks::Soundness;
use crate::reentry::Frame;
use crate::replay::is_away;
use crate::watched::Wrote;
use crate::write;
use crate::writing::Write;

/// What comes of a load, shared by all who wait for it.
#[derive(Clone, Debug)]
pub(crate) enum LoadOutcome {
    /// A value.
    Loaded(LocalEntry),
    /// A batch loader brought nothing for this key.
    NotFound,
    /// An error.
    Failed(Error),
}

/// A load that is about to start.
pub(crate) struct LoadTask {
    pub(crate) engine: Arc<Engine>,
    pub(crate) lead: Lead<LoadOutcome>,
    pub(crate) hash: u64,
    pub(crate) key: Box<str>,
    pub(crate) options: LoadOptions,
    pub(crate) seen: Seen,
    pub(crate) loader: ErasedLoader,
    pub(crate) back: Back,
    pub(crate) frame: Arc<Frame>,
}

impl LoadTask {
    pub(crate) async fn run(self) {
        let Self { engine, lead, hash, key, options, seen, loader, back, frame } = self;
        let began = engine.timer.now();
        let permit = match engine.claim(&lead, hash, &key, seen).await {
            Ok(Asked::Load(permit)) => permit,
            Ok(Asked::Answered(entry)) => {
                *back.lock() = Some(loader);
                lead.answer(LoadOutcome::Loaded(entry));
                return;
            }
            Err(error) => return engine.load_failed(&lead, &key, error, began),
        };
        // Sampled before the loader looks at anything, so that whatever is invalidated from now on voids the value.
        let known = engine.marks.newest();
        let stamp = engine.stamp_of_load(began, permit.lease().is_some()).await;
        engine.counters.loads.one();
        let patience = options.load_timeout.unwrap_or(engine.settings.load_timeout);
        let alive = Alive::new(lead.flight(), &engine.timer, patience);
        let scope = LoadScope::new(options.entry, alive);
        let loading = frame.enter(loader(scope.clone()));
        let leases: Vec<_> = permit.lease().map(|lease| (&*key, lease)).into_iter().collect();
        let loaded = engine.watch(lead.deadline(), &leases, loading).await;
        match loaded {
            Ok(value) => {
                let load = Load { lead, hash, key, permit, stamp, known, began };
                engine.finish(load, value, scope.said()).await;
            }
            Err(error) => {
                engine.load_failed(&lead, &key, error.for_key(&key), began);
                engine.release(&key, &permit).await;
            }
        }
    }
}

/// A load whose loader is to run or done.
pub(crate) struct Load {
    pub(crate) lead: Lead<LoadOutcome>,
    pub(crate) hash: u64,
    pub(crate) key: Box<str>,
    pub(crate) permit: Permit,
    /// The position of the marks before the loader ran; `None` if the store could not say.
    pub(crate) stamp: Option<Stamp>,
    /// What this process knew of it.
    pub(crate) known: u64,
    pub(crate) began: Moment,
}

/// The error of a load whose time is over.
pub(crate) fn timed_out() -> Error {
    Error::new(ErrorKind::Timeout, "the loader was not done when load_timeout was over").in_operation("load")
}

/// The error of a load whose loader panicked.
pub(crate) fn panicked() -> Error {
    Error::new(ErrorKind::Load, "the loader panicked").in_operation("load")
}

impl Engine {
    /// Runs a loader until it is done, panics, or its time is over, and prolongs its leases meanwhile.
    pub(crate) async fn watch<T>(
        &self,
        deadline: &Deadline,
        leases: &[(&str, Version)],
        loading: impl Future<Output = Loaded<T>>,
    ) -> Result<T, Error> {
        tokio::select! {
            biased;
            done = AssertUnwindSafe(loading).catch_unwind() => match done {
                Ok(Ok(value)) => Ok(value),
                Ok(Err(source)) => {
                    let message = format!("the loader failed: {source}");
                    Err(Error::new(ErrorKind::Load, message).because(source).in_operation("load"))
                }
                Err(_panic) => Err(panicked()),
            },
            () = deadline.over(&*self.timer) => Err(timed_out()),
            () = self.renew(leases) => Err(timed_out()),
        }
    }

    /// Keeps what the loader brought and answers those who wait.
    pub(crate) async fn finish(&self, load: Load, value: Value, said: Said) {
        let now = self.timer.now();
        if let Err(error) =
            said.options.validate().and_then(|()| self.check_tags(!said.options.tags.is_empty()))
        {
            let error = error.in_operation("load").for_key(&load.key);
            self.load_failed(&load.lead, &load.key, error, load.began);
            return self.release(&load.key, &load.permit).await;
        }
        let keep = self.keep(&said.options);
        let serializing = self.watched_since();
        // Serialising is the caller's code, which may panic.
        let encoding =
            catch_unwind(AssertUnwindSafe(|| data::encode(&value, self.settings.format, self.value_limit())));
        let Ok(encoded) = encoding else {
            self.load_failed(&load.lead, &load.key, panicked().for_key(&load.key), load.began);
            return self.release(&load.key, &load.permit).await;
        };
        let mut meta = Meta {
            fresh_until: now + keep.fresh.as_duration(),
            dead_at: now + keep.total.as_duration(),
            made_at: now,
            stamp: load.stamp.unwrap_or_default(),
            tags: keep.tags.clone(),
            version: self.versions.value(),
            schema: None,
            cost: now.since(load.began),
            local_only: false,
        };
        if load.stamp.is_none() {
            write::stay_local(&mut meta, now, load.known, self.local_only_for());
        }
        let encoded_len = encoded.as_ref().map_or(0, |encoded| encoded.bytes.len());
        self.tell_work("serialize", encoded_len, serializing);
        let entry = LocalEntry { value, meta, weight: Self::weight(&load.key, encoded_len) };
        let outcome = LoadOutcome::Loaded(entry.clone());
        let encoded = match encoded {
            Ok(encoded) if said.store => encoded,
            _ => {
                // The value answers those who wait, but cannot be kept (or is not to be): who asks from now on is to load.
                self.counters.not_kept.one();
                load.lead.close();
                load.lead.answer(outcome);
                return self.release(&load.key, &load.permit).await;
            }
        };
        let (mut stored, mut refused) = (None, false);
        let kept = if let Some(tracked) = load.permit.here_alone() {
            // Others may change what is in the store without a word: a copy like any other.
            let kept = match self.copy_of(&entry, tracked, load.began) {
                Some(copy) => self.keep_local(&load, &copy),
                None => {
                    refused = true;
                    self.counters.not_kept.one();
                    true
                }
            };
            load.lead.answer(outcome);
            kept
        } else if self.settings.wait_for_write || matches!(load.permit, Permit::Instead(_)) {
            // Who was brought what takes the place of another is not to read that one after it.
            let kept = self.keep_stored(&load, entry, &keep, &encoded, &mut stored, &mut refused).await;
            load.lead.answer(outcome);
            kept
        } else {
            load.lead.answer(outcome);
            self.keep_stored(&load, entry, &keep, &encoded, &mut stored, &mut refused).await
        };
        if !kept {
            self.counters.fills_fenced.one();
        }
        let (result, ended) = match kept {
            _ if refused => (WriteResult::Failed, LoadResult::NotKept),
            true => (WriteResult::Stored, LoadResult::Stored),
            false => (WriteResult::Failed, LoadResult::Fenced),
        };
        self.tell_write(&Wrote {
            key: &load.key,
            operation: "load",
            result,
            bytes: encoded_len,
            stored,
            fresh_for: keep.fresh.as_duration(),
            began: now,
        });
        self.tell_load(&load.key, &ended, load.began);
    }

    /// Puts a loaded value into tier 1 unless its key was invalidated. Returns whether it was not.
    fn keep_local(&self, load: &Load, entry: &LocalEntry) -> bool {
        // The token is taken before the fences are looked at, and an invalidation raises the fence before it removes:
        // so either the fence is seen here, or the token is void, or the removal comes after the insert. A stripe is
        // shared with other keys, so a void token alone says nothing and is taken anew.
        loop {
            let token = self.local.token(load.hash);
            if load.lead.fences() > 0 || self.is_void(&entry.meta) {
                return false;
            }
            match self.local.insert(load.hash, &load.key, entry.clone(), Fill::Load(token)) {
                // What fenced it since the first look may have found nothing to remove.
                Filled::Stored if load.lead.fences() > 0 => {
                    self.local.remove(load.hash, &load.key);
                    return false;
                }
                Filled::Stored => return true,
                Filled::TooLarge => {
                    self.counters.not_kept.one();
                    return true;
                }
                Filled::Fenced => {}
            }
        }
    }

    /// Writes a loaded value to the store on the terms of its permit, and keeps a copy in tier 1 if that was accepted.
    /// Returns whether no invalidation forbade it; it is `refused` if it cannot be stored.
    async fn keep_stored(
        &self,
        load: &Load,
        entry: LocalEntry,
        keep: &Keep,
        encoded: &Encoded,
        stored: &mut Option<usize>,
        refused: &mut bool,
    ) -> bool {
        let Some(store) = &self.store else { return false };
        // A lease dies with any invalidation; without one the fences of this process are all there is.
        let leased = matches!(load.permit, Permit::Leased(_));
        let token = self.local.token(load.hash);
        if load.stamp.is_none() || matches!(load.permit, Permit::Meanwhile(_)) {
            let kept = self.keep_meanwhile(load, entry);
            self.release(&load.key, &load.permit).await;
            return kept;
        }
        if (!leased && load.lead.fences() > 0) || self.is_void(&entry.meta) {
            self.release(&load.key, &load.permit).await;
            return false;
        }
        let Ok(full) = self.namespace.key(&load.key) else { return false };
        let header = write::header_of(&entry.meta, keep, encoded, self.timer.unix_millis());
        let Ok(sealed) = self.seal(&header, &full, &encoded.bytes).await else {
            *refused = true;
            self.counters.not_kept.one();
            self.release(&load.key, &load.permit).await;
            return true;
        };
        *stored = Some(sealed.len());
        // Looked at before its own write, if it has one, fences the load.
        let is_untouched = load.lead.fences() == 0;
        let condition = match &load.permit {
            Permit::Leased(version) | Permit::Over(version) | Permit::Instead(version) => {
                PutIf::Version(*version)
            }
            _ => PutIf::Absent,
        };
        let sent_at = self.timer.now();
        // The store tells everybody but this process of the change. Whatever comes of it, what tier 1 has is old then.
        let write =
            matches!(load.permit, Permit::Instead(_)).then(|| Write::begin(self, load.hash, &load.key));
        match self.timed("put", store.put(&full, sealed, keep.total, condition)).await {
            Ok(written) if written.stored => {
                if let Some(write) = write {
                    self.keep_written(write, load.hash, &load.key, &entry, written.tracked, sent_at);
                } else if let Some(copy) = self.copy_of(&entry, written.tracked, sent_at)
                    // A lease outlives a lost link, whose news of marks this process has missed.
                    && load.lead.fences() == 0
                    && !self.writing.is_under_way(load.hash, &load.key)
                {
                    self.copy(load.hash, &load.key, copy, Fill::Load(token));
                }
                true
            }
            Ok(_) => false,
            Err(error) => {
                let kept = if is_away(&error) {
                    match write {
                        Some(write) => is_untouched && self.keep_instead(write, load, entry),
                        None => self.keep_meanwhile(load, entry),
                    }
                } else {
                    // Nobody invalidated it.
                    *refused = true;
                    self.counters.not_kept.one();
                    true
                };
                // If the write takes effect after all, it is no longer conditional on anything that is there.
                self.release(&load.key, &load.permit).await;
                kept
            }
        }
    }

    /// The store is away: the value is kept here alone, unless this process invalidated it.
    fn keep_meanwhile(&self, load: &Load, mut entry: LocalEntry) -> bool {
        write::stay_local(&mut entry.meta, self.timer.now(), load.known, self.local_only_for());
        let kept = self.keep_local(load, &entry);
        // The store goes on without it, so it is let go when the store is back. Queued after it is held, so that it is
        // found then.
        if kept && !self.outbox.forget(&load.key) {
            self.local.remove(load.hash, &load.key);
            return false;
        }
        kept
    }

    /// The same for a value that was to take the place of another. Its own write has fenced its load, so the write says
    /// whether anything else happened to the key since; what happened before is for the caller to know.
    fn keep_instead(&self, write: Write<'_>, load: &Load, mut entry: LocalEntry) -> bool {
        write::stay_local(&mut entry.meta, self.timer.now(), load.known, self.local_only_for());
        let fill = Fill::Load(write.token());
        let kept = write.is_alone()
            && !self.is_void(&entry.meta)
            && self.local.insert(load.hash, &load.key, entry, fill) == Filled::Stored
            && self.outbox.forget(&load.key);
        if kept {
            write.kept();
        }
        kept
    }

    /// Whether a mark voids what was loaded.
    pub(crate) fn is_void(&self, meta: &Meta) -> bool {
        self.judge(meta) == Soundness::Void
    }

    pub(crate) fn load_failed(&self, lead: &Lead<LoadOutcome>, key: &str, error: Error, began: Moment) {
        // The negative window is opened first, so that who is answered and asks again finds it. It stays shut if the
        // key was invalidated since the load began: then the next load may succeed.
        if lead.fences() == 0 {
            self.negative.put(key, error.clone(), self.timer.now());
            // An invalidation that came in between found no window to close.
            if lead.fences() > 0 {
                self.negative.clear(key);
            }
        }
        // Those who waited may have given up, and counted it.
        if lead.answer(LoadOutcome::Failed(error.clone())) {
            self.counters.load_failures.one();
            self.tell_load(key, &LoadResult::Failed(error), began);
        }
    }

    pub(crate) fn tell_load(&self, key: &str, result: &LoadResult, began: Moment) {
        let took: Duration = self.timer.now().since(began);
        self.tell(|| Event::Load { key, result, took });
    }
}
