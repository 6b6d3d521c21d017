//! `get_or_load`: answers from the cache, or loads once for all who ask at a time.

use std::sync::Arc;

use cache_core::{
    Error, ErrorKind, LoadOptions, Meta, Moment, ReadResult, StaleMode, Status, Tier, check_key,
};
use tracing::Instrument;

use crate::cache::Cache;
use crate::data::Data;
use crate::decide::{self, Plan};
use crate::engine::Engine;
use crate::find::{Found, Seen};
use crate::flight::{Ending, GaveUp, Joined, Lead, Seat};
use crate::load_task::{self, LoadOutcome, LoadTask};
use crate::loader::{self, Back, ErasedLoader, Loader};
use crate::reentry::{self, Frame};
use crate::trace;
use crate::watched::Reading;

impl Cache {
    /// The value of `key`; if there is none, what `loader` brings, which is then kept for `options`.
    ///
    /// One loader runs for a key at a time, in this process and, through a store that can [claim], in all; only the
    /// refresh of a stale value is begun by each process that meets it, and what ends first is kept. It runs as a task of
    /// its own: callers only wait, may leave at any time, and share one result. A load that fails answers all who wait;
    /// for a short window after that (1 s by default) the error answers at once. A stale value is served as [`StaleMode`]
    /// says. A value that is invalidated while it is being loaded answers those who asked before and is not kept.
    ///
    /// Who joins a load waits as long as the one who started it said; a loader that says that it is alive
    /// ([`LoadScope::keep_alive`](crate::LoadScope::keep_alive)) is waited for longer. With a store, the value may reach it a moment after
    /// the answer (unless `wait_for_write` is set), so that a `get` in between misses.
    ///
    /// Must be called within a tokio runtime whose timer is enabled.
    ///
    /// ```
    /// # use cache_tiered::{Cache, Error, Loaded};
    /// # use std::{sync::Arc, time::Duration};
    /// # async fn example(cache: &Cache) -> Result<(), Error> {
    /// let weather: Arc<String> = cache
    ///     .get_or_load("weather:paris", Duration::from_secs(3600), || async { Loaded::Ok("sunny".to_owned()) })
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Load`] if the loader failed (its own error is the source, see [`Error::downcast_ref`]), panicked,
    /// was abandoned by its runtime, or asked for its own key; [`ErrorKind::Timeout`] after `load_timeout`;
    /// [`ErrorKind::Validation`] for a bad key or options, also those that the loader named, [`ErrorKind::TooLarge`] for a key that is
    /// too long; [`ErrorKind::Unsupported`] for tags on a store without marks; [`ErrorKind::Configuration`] outside a tokio runtime;
    /// [`ErrorKind::Closed`]. A store that fails is no reason, whatever [`OnStoreError`](crate::OnStoreError) says.
    ///
    /// [claim]: cache_core::Store::claim
    #[doc(alias = "get_or_set")]
    pub async fn get_or_load<T: Data, Kind: 'static>(
        &self,
        key: impl AsRef<str> + Send,
        options: impl Into<LoadOptions> + Send,
        loader: impl Loader<T, Kind>,
    ) -> Result<Arc<T>, Error> {
        let asked = Ask::new(&self.engine, key.as_ref(), options.into())?;
        if trace::is_on() {
            let (engine, key) = (asked.engine, asked.key);
            return Box::pin(engine.traced("get_or_load", key, asked.answer_traced(loader::erase(loader))))
                .await;
        }
        if let Some(value) = self.engine.peek(asked.hash, asked.key, "get_or_load") {
            return Ok(value);
        }
        Box::pin(asked.answer(loader::erase(loader))).await
    }
}

/// So often a caller who was brought a value of another type tries to have his own kept in its place.
pub(crate) const OTHER_TYPES: u32 = 3;

/// One caller's question.
pub(crate) struct Ask<'a> {
    pub(crate) engine: &'a Arc<Engine>,
    pub(crate) hash: u64,
    pub(crate) key: &'a str,
    pub(crate) options: LoadOptions,
}

/// What waiting for a flight brought.
pub(crate) enum Waited<T> {
    Value(Arc<T>),
    Failed(Error),
    /// A batch loader brought nothing for the key.
    NotFound,
    /// It was of no use to this caller: look again.
    Again,
    /// It is of another type than this caller wants.
    OtherType(Error),
}

impl<'a> Ask<'a> {
    /// A question that can be answered.
    pub(crate) fn new(engine: &'a Arc<Engine>, key: &'a str, options: LoadOptions) -> Result<Self, Error> {
        check_key(key)?;
        options.validate()?;
        Ok(Self { engine, hash: engine.seed.hash(key), key, options })
    }
}

impl Ask<'_> {
    async fn answer_traced<T: Data>(self, loader: ErasedLoader) -> Result<Arc<T>, Error> {
        match self.engine.peek_traced(self.hash, self.key, "get_or_load") {
            Some(value) => Ok(value),
            None => self.answer(loader).await,
        }
    }

    pub(crate) async fn answer<T: Data>(self, loader: ErasedLoader) -> Result<Arc<T>, Error> {
        let Self { engine, hash, key, .. } = self;
        engine.check_open()?;
        engine.check_tags(!self.options.entry.tags.is_empty())?;
        let mut loader = Some(loader);
        let mut reading = Some(engine.reading("get_or_load"));
        let mut other_types = 0;
        loop {
            let as_of = engine.marks.newest();
            let found = engine.find(hash, key).await;
            let Planned { found, value, plan, failure } =
                engine.plan::<T>(hash, key, found, self.options.stale, reading).await;
            reading = None;
            match (plan, value, failure) {
                (Plan::Serve | Plan::ServeStale, Some(value), _) => return Ok(value),
                (Plan::ServeStaleAndLoad, Some(value), _) => {
                    self.refresh::<T>(&found, &mut loader)?;
                    return Ok(value);
                }
                (Plan::Refuse, _, Some(failure)) => return Err(failure),
                _ => {}
            }
            let (seat, back) = self.join::<T>(&found, &mut loader, reentry::current())?;
            // What this caller's own loader brings was asked for after everything that this caller knows of.
            let as_of = if back.is_some() { 0 } else { as_of };
            let waited = engine.wait::<T>(&seat, hash, key, as_of).await;
            // Somebody else's value may have answered this caller's flight.
            loader = loader.or_else(|| back?.lock().take());
            match waited {
                Waited::Value(value) => return Ok(value),
                Waited::Failed(error) => return engine.stale_or(hash, key, error).await,
                Waited::OtherType(error) if other_types >= OTHER_TYPES => {
                    return self.alone(&mut loader, error).await;
                }
                Waited::OtherType(_) => other_types += 1,
                Waited::Again | Waited::NotFound => {}
            }
        }
    }

    /// Joins the key's load, or starts it with this caller's loader, which comes back if it was not wanted.
    fn join<T: Data>(
        &self,
        found: &Found,
        loader: &mut Option<ErasedLoader>,
        inside: Option<Arc<Frame>>,
    ) -> Result<(Seat<LoadOutcome>, Option<Back>), Error> {
        let Self { engine, hash, key, ref options } = *self;
        match engine.join_load::<T>(hash, key, engine.load_deadline(options.load_timeout), found)? {
            Joined::Wait(seat) => Ok((seat, None)),
            Joined::Lead(lead) => {
                self.lead(lead, found.seen.clone(), loader, inside).map(|(seat, back)| (seat, Some(back)))
            }
        }
    }

    /// What this caller's own loader brings, which is not kept: the key is wanted as several types at a time, and the
    /// others' `error` is all that there would be.
    pub(crate) async fn alone<T: Data>(
        &self,
        loader: &mut Option<ErasedLoader>,
        error: Error,
    ) -> Result<Arc<T>, Error> {
        let Self { engine, hash, key, ref options } = *self;
        if loader.is_none() {
            return Err(error);
        }
        let lead = engine.loads.alone(hash, key, engine.load_deadline(options.load_timeout));
        let (seat, _) = self.lead(lead, Seen::Foreign { tracked: false }, loader, reentry::current())?;
        match engine.wait::<T>(&seat, hash, key, 0).await {
            Waited::Value(value) => Ok(value),
            Waited::Failed(error) | Waited::OtherType(error) => Err(error),
            Waited::Again | Waited::NotFound => Err(error),
        }
    }

    /// Starts the key's load with this caller's loader; `inside` is the load that waits for it.
    pub(crate) fn lead(
        &self,
        lead: Lead<LoadOutcome>,
        seen: Seen,
        loader: &mut Option<ErasedLoader>,
        inside: Option<Arc<Frame>>,
    ) -> Result<(Seat<LoadOutcome>, Back), Error> {
        let Self { engine, hash, key, ref options } = *self;
        let Some(loader) = loader.take() else {
            // Its load brought nothing that this caller may have, though it asked first: that cannot be.
            return Err(Error::new(ErrorKind::Internal, "a caller's loader was wanted twice").for_key(key));
        };
        let (seat, back) = (lead.seat(), Back::default());
        let task = LoadTask {
            engine: Arc::clone(engine),
            lead,
            hash,
            key: key.into(),
            options: options.clone(),
            seen,
            loader,
            back: Arc::clone(&back),
            frame: Frame::new(engine.id, [key], inside),
        };
        spawn(task.run())?;
        Ok((seat, back))
    }

    /// Loads in the background, if nobody does.
    fn refresh<T: Data>(&self, found: &Found, loader: &mut Option<ErasedLoader>) -> Result<(), Error> {
        if reentry::check(self.engine.id, self.key).is_err() {
            return Ok(());
        }
        // Nobody waits for it: its loader may ask for what this caller's is loading.
        self.join::<T>(found, loader, None).map(drop)
    }
}

/// What a caller with a loader found, and what it is to do.
pub(crate) struct Planned<T> {
    pub(crate) found: Found,
    pub(crate) value: Option<Arc<T>>,
    pub(crate) plan: Plan,
    /// The error of a load that failed a moment ago.
    pub(crate) failure: Option<Error>,
}

impl Engine {
    /// Plans for a caller with a loader, and counts its read, the first time.
    pub(crate) async fn plan<T: Data>(
        &self,
        hash: u64,
        key: &str,
        mut found: Found,
        stale: StaleMode,
        reading: Option<Reading>,
    ) -> Planned<T> {
        let mut value = None;
        if let Some((entry, _)) = &found.entry {
            match self.read_as::<T>(hash, key, entry.clone()).await {
                Ok(typed) => value = Some(typed),
                // Another type is stored; what the loader brings takes its place.
                Err(_) => found = Found::nothing(Status::Refused, Seen::Useless(entry.meta.version)),
            }
        }
        let failure = self.negative.get(key, self.timer.now());
        let plan = decide::plan(found.freshness(), stale, failure.is_some());
        if plan == Plan::Refuse {
            self.counters.negative_answers.one();
        }
        if let Some(reading) = reading {
            let tier = found.entry.as_ref().map(|(_, tier)| *tier);
            let result = match plan {
                Plan::Serve => ReadResult::Hit,
                Plan::ServeStale | Plan::ServeStaleAndLoad => ReadResult::Stale,
                Plan::LoadOrStale | Plan::Load | Plan::Refuse => ReadResult::Miss,
            };
            self.count_read(tier, result);
            self.tell_read(key, reading, tier, result, &found);
        }
        Planned { found, value, plan, failure }
    }

    /// Joins the key's load, or gets the lead of a new one.
    ///
    /// # Errors
    /// [`ErrorKind::Load`] inside a load of the same key.
    pub(crate) fn join_load<T: Data>(
        &self,
        hash: u64,
        key: &str,
        deadline: Moment,
        found: &Found,
    ) -> Result<Joined<LoadOutcome>, Error> {
        reentry::check(self.id, key)?;
        let lead = match self.loads.join(hash, key, deadline, self.marks.newest()) {
            Joined::Lead(lead) => lead,
            Joined::Wait(seat) => {
                self.counters.loads_joined.one();
                return Ok(Joined::Wait(seat));
            }
        };
        lead.brings::<T>();
        // Another load may have ended between the look-up and this flight's start. Its value was published before its
        // slot was free, so it is seen here; unless the value that is there was refused already.
        let published = self.find_local(hash, key).filter(|_| found.status != Status::Refused);
        if let Some(Found { entry: Some((entry, _)), status: Status::Fresh, .. }) = published {
            let seat = lead.seat();
            lead.answer(LoadOutcome::Loaded(entry));
            return Ok(Joined::Wait(seat));
        }
        Ok(Joined::Lead(lead))
    }

    /// Waits for what a load brings. `as_of` is where the marks stood when the caller asked.
    pub(crate) async fn wait<T: Data>(
        &self,
        seat: &Seat<LoadOutcome>,
        hash: u64,
        key: &str,
        as_of: u64,
    ) -> Waited<T> {
        match self.wait_until_done(seat, key).await {
            Ok(LoadOutcome::Loaded(entry)) => {
                if self.is_outdated(&entry.meta, as_of) {
                    // Nobody else who asks from now on is to join it either.
                    seat.detach();
                    return Waited::Again;
                }
                match self.read_as(hash, key, entry).await {
                    Ok(value) => Waited::Value(value),
                    Err(error) => Waited::OtherType(error),
                }
            }
            Ok(LoadOutcome::NotFound) => Waited::NotFound,
            Ok(LoadOutcome::Failed(error)) | Err(error) => Waited::Failed(error),
        }
    }

    /// Whether a loaded value may have been voided before a caller asked, when the marks stood at `as_of`. Who asked
    /// before an invalidation may have what was loaded before it.
    fn is_outdated(&self, meta: &Meta, as_of: u64) -> bool {
        // A mark remembers its last invalidation only, so one that came after the question may hide one before it.
        meta.stamp.seq < as_of && self.is_void(meta)
    }

    /// After a failed load: the stale value if there still is one, else the error.
    pub(crate) async fn stale_or<T: Data>(
        &self,
        hash: u64,
        key: &str,
        error: Error,
    ) -> Result<Arc<T>, Error> {
        // Looked up anew: what was deleted while the load ran is gone for this purpose too.
        let found = self.find(hash, key).await;
        match found.entry {
            Some((entry, _)) => self.read_as(hash, key, entry).await.map_err(|_| error),
            None => Err(error),
        }
    }

    pub(crate) fn count_read(&self, tier: Option<Tier>, result: ReadResult) {
        match (result, tier) {
            (ReadResult::Hit, Some(Tier::Local)) => self.counters.local_hits.own().one(0),
            (ReadResult::Hit, _) => self.counters.store_hits.one(),
            (ReadResult::Stale, _) => self.counters.stale_hits.one(),
            _ => self.counters.misses.one(),
        }
    }

    /// Waits for a load until its time is over; then frees all who wait.
    ///
    /// # Errors
    /// If the loader panicked, was abandoned, or its time is over.
    async fn wait_until_done(&self, seat: &Seat<LoadOutcome>, key: &str) -> Result<LoadOutcome, Error> {
        let ending = tokio::select! {
            biased;
            ending = seat.wait() => ending,
            () = seat.over(&*self.timer) => {
                // The task ends its flight at this moment too, unless its loader blocks the thread or the task is
                // starved. What it brings later is fenced.
                let error = load_task::timed_out().for_key(key);
                let failed = LoadOutcome::Failed(error.clone());
                match seat.give_up(failed) {
                    GaveUp::First { fenced } => {
                        self.counters.load_failures.one();
                        if !fenced {
                            self.negative.put(key, error, self.timer.now());
                        }
                    }
                    GaveUp::Late => {}
                }
                seat.wait().await
            }
        };
        match ending {
            Ending::Settled(outcome) => Ok(outcome),
            Ending::Panicked => Err(load_task::panicked().for_key(key)),
            Ending::Abandoned => {
                self.check_open()?;
                Err(Error::new(ErrorKind::Load, "the load was abandoned: its runtime shut down").for_key(key))
            }
        }
    }
}

/// Spawns a task of the cache.
///
/// # Errors
/// [`ErrorKind::Configuration`] outside a tokio runtime.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => {
            // What a load logs belongs to the operation that began it.
            runtime.spawn(task.in_current_span());
            Ok(())
        }
        Err(_) => Err(Error::new(
            ErrorKind::Configuration,
            "loading needs a tokio runtime, and none is running here",
        )),
    }
}
