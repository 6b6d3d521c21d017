//! `get_many_or_load`: one loader call for all keys that nobody has and nobody is loading.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use cache_core::{BoxError, Error, ErrorKind, LoadOptions, Moment, SetOptions, StaleMode, Value, check_key};
use futures_util::future::join_all;

use crate::cache::Cache;
use crate::claim::{Asked, Attempt, Permit};
use crate::data::Data;
use crate::deadline::Deadline;
use crate::decide::Plan;
use crate::engine::Engine;
use crate::find::{Found, Seen};
use crate::flight::{Joined, Lead, Seat};
use crate::load::{OTHER_TYPES, Planned, Waited, spawn};
use crate::load_task::{Load, LoadOutcome};
use crate::loader::{Loaded, Said};
use crate::reentry::{self, Frame};
use crate::watched::Reading;

/// A batch loader whose types are forgotten.
type ErasedBatchLoader = Box<
    dyn FnOnce(Vec<String>) -> Pin<Box<dyn Future<Output = Loaded<HashMap<String, Value>>> + Send>> + Send,
>;

impl Cache {
    /// The values of many keys, in their order. What neither tier has is asked of `loader` in one call, which gets those
    /// keys and answers with what it found; `None` means that it found nothing for a key.
    ///
    /// Keys that somebody is loading already are waited for. Otherwise as [`Cache::get_or_load`]; a key whose load
    /// failed a moment ago fails the call. Across processes a key that another process is loading is loaded here too,
    /// and then kept in tier 1 only, so that two batches never wait for one another. The loader runs as a task of its own and goes
    /// on if its caller leaves.
    ///
    /// ```
    /// # use cache_tiered::{Cache, Error, Loaded};
    /// # use std::{collections::HashMap, time::Duration};
    /// # async fn from_database(keys: Vec<String>) -> Loaded<HashMap<String, u64>> { Ok(HashMap::new()) }
    /// # async fn example(cache: &Cache) -> Result<(), Error> {
    /// let keys = ["stock:1", "stock:2", "stock:3"];
    /// let stock = cache.get_many_or_load(&keys, Duration::from_secs(60), from_database).await?;
    /// assert_eq!(stock.len(), 3);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Cache::get_or_load`]. An error of the loader fails the call; keys that were cached meanwhile stay so.
    /// [`Load`](ErrorKind::Load) also if what another load brought had been invalidated before the call asked, and the loader has
    /// run for other keys by then.
    pub async fn get_many_or_load<T, F, Fut, E>(
        &self,
        keys: &[impl AsRef<str> + Sync],
        options: impl Into<LoadOptions> + Send,
        loader: F,
    ) -> Result<Vec<Option<Arc<T>>>, Error>
    where
        T: Data,
        F: FnOnce(Vec<String>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<HashMap<String, T>, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let keys: Vec<&str> = keys.iter().map(AsRef::as_ref).collect();
        for key in &keys {
            check_key(key)?;
        }
        let options = options.into();
        options.validate()?;
        let loader: ErasedBatchLoader = Box::new(move |missing| {
            Box::pin(async move {
                let values = loader(missing).await.map_err(Into::into)?;
                Ok(values.into_iter().map(|(key, value)| (key, Value::typed(Arc::new(value)))).collect())
            })
        });
        let loading = self.engine.get_many_or_load(&keys, options, loader);
        Box::pin(self.engine.traced("get_many_or_load", "", loading)).await
    }
}

/// What is known of a key so far.
enum Part<T> {
    Known(Result<Option<Arc<T>>, Error>),
    /// The batch loads it.
    Led(Seat<LoadOutcome>),
    /// Somebody else loads it.
    Joined(Seat<LoadOutcome>),
}

/// What was waited for is of no use to this call: look again.
enum Again {
    /// It had been invalidated before this call asked.
    Outdated,
    OtherType(Error),
}

impl<T: Data> Part<T> {
    /// Makes the key a member of the batch, although somebody else loads it.
    fn lead_instead(&mut self, engine: &Engine, key: &str, deadline: Moment, members: &mut Vec<Member>) {
        // A key may be asked for twice in one call.
        let member = members.iter().find(|member| *member.key == *key).map(|member| member.lead.seat());
        *self = Self::Led(member.unwrap_or_else(|| {
            let hash = engine.seed.hash(key);
            let lead = engine.loads.alone(hash, key, deadline);
            let seat = lead.seat();
            members.push(Member { lead, hash, key: key.into(), seen: Seen::Nothing });
            seat
        }));
    }

    /// Whether the load that it waits for, which is somebody else's, may not bring what this call wants: it began before
    /// the marks stood at `as_of`, or brings another type.
    fn may_disappoint(&self, as_of: u64) -> bool {
        matches!(self, Self::Joined(seat) if seat.marks() < as_of || seat.brings_no::<T>())
    }
}

impl Engine {
    async fn get_many_or_load<T: Data>(
        self: &Arc<Self>,
        keys: &[&str],
        options: LoadOptions,
        loader: ErasedBatchLoader,
    ) -> Result<Vec<Option<Arc<T>>>, Error> {
        self.check_open()?;
        self.check_tags(!options.entry.tags.is_empty())?;
        let deadline = self.load_deadline(options.load_timeout);
        let mut loader = Some(loader);
        let mut reading = Some(self.reading_many("get_many_or_load"));
        let mut other_types = 0;
        let mut answers: Vec<Option<Result<_, Error>>> = keys.iter().map(|_| None).collect();
        loop {
            let open: Vec<usize> = (0..keys.len()).filter(|&at| answers[at].is_none()).collect();
            if open.is_empty() {
                return answers.into_iter().flatten().collect();
            }
            let asked: Vec<&str> = open.iter().map(|&at| keys[at]).collect();
            let as_of = self.marks.newest();
            let found = self.find_many(&asked, true).await?;
            let mut members = Vec::new();
            let mut parts = Vec::with_capacity(asked.len());
            for (&key, found) in asked.iter().zip(found) {
                // Once the loader has run, nothing becomes its key.
                let members = loader.is_some().then_some(&mut members);
                let part = self.part_of::<T>(key, found, options.stale, deadline, reading, members);
                parts.push(part.await);
            }
            reading = None;
            let is_alone = other_types >= OTHER_TYPES;
            for (&key, part) in asked.iter().zip(&mut parts) {
                // If the loader runs anyway, it also loads what others may not bring.
                let instead = is_alone || !members.is_empty() && part.may_disappoint(as_of);
                if instead && matches!(part, Part::Joined(_)) {
                    part.lead_instead(self, key, deadline, &mut members);
                }
            }
            if !members.is_empty()
                && let Some(loader) = loader.take()
            {
                let options = options.clone();
                // Nobody waits for a batch that only refreshes what is stale.
                let is_waited_for = parts.iter().any(|part| matches!(part, Part::Led(_)));
                let inside = if is_waited_for { reentry::current() } else { None };
                let engine = Arc::clone(self);
                spawn(BatchTask { engine, members, options, loader, deadline, inside }.run())?;
            }
            let waits = asked.iter().zip(parts).map(|(&key, part)| async move {
                match part {
                    Part::Known(value) => Ok(value),
                    Part::Led(seat) => self.wait_for_part(&seat, key, 0).await,
                    Part::Joined(seat) => self.wait_for_part(&seat, key, as_of).await,
                }
            });
            for (at, answer) in open.into_iter().zip(join_all(waits).await) {
                answers[at] = match answer {
                    Ok(answer) => Some(answer),
                    Err(Again::OtherType(error)) if loader.is_none() => Some(Err(error)),
                    Err(Again::OtherType(_)) => {
                        other_types += 1;
                        None
                    }
                    Err(Again::Outdated) => None,
                };
            }
        }
    }

    /// Answers a key from what was found, or joins its load, or makes it one of the `members`, if there still may be any.
    async fn part_of<T: Data>(
        &self,
        key: &str,
        found: Found,
        stale: StaleMode,
        deadline: Moment,
        reading: Option<Reading>,
        members: Option<&mut Vec<Member>>,
    ) -> Part<T> {
        let hash = self.seed.hash(key);
        let Planned { found, value, plan, failure } = self.plan::<T>(hash, key, found, stale, reading).await;
        match (plan, failure) {
            (Plan::Serve | Plan::ServeStale, _) => return Part::Known(Ok(value)),
            (Plan::Refuse, Some(failure)) => return Part::Known(Err(failure)),
            _ => {}
        }
        let Some(members) = members else {
            // What others brought of this key was void before the call asked, and the loader has run for the other keys.
            let message =
                "what another load brought had been invalidated, and the batch's loader has run: ask again";
            let error = || Error::new(ErrorKind::Load, message).in_operation("load").for_key(key);
            return Part::Known(value.map(Some).ok_or_else(error));
        };
        let serve = value.filter(|_| plan == Plan::ServeStaleAndLoad);
        let part = match self.join_load::<T>(hash, key, deadline, &found) {
            Ok(Joined::Wait(seat)) => Part::Joined(seat),
            Ok(Joined::Lead(lead)) => {
                let seat = lead.seat();
                members.push(Member { lead, hash, key: key.into(), seen: found.seen });
                Part::Led(seat)
            }
            Err(error) => Part::Known(Err(error)),
        };
        serve.map_or(part, |value| Part::Known(Ok(Some(value))))
    }

    async fn wait_for_part<T: Data>(
        &self,
        seat: &Seat<LoadOutcome>,
        key: &str,
        as_of: u64,
    ) -> Result<Result<Option<Arc<T>>, Error>, Again> {
        let hash = self.seed.hash(key);
        Ok(match self.wait(seat, hash, key, as_of).await {
            Waited::Value(value) => Ok(Some(value)),
            Waited::OtherType(error) => return Err(Again::OtherType(error)),
            Waited::Failed(error) => self.stale_or(hash, key, error).await.map(Some),
            Waited::NotFound => Ok(None),
            Waited::Again => return Err(Again::Outdated),
        })
    }
}

/// A key whose load is the batch's to make.
struct Member {
    lead: Lead<LoadOutcome>,
    hash: u64,
    key: Box<str>,
    seen: Seen,
}

struct BatchTask {
    engine: Arc<Engine>,
    members: Vec<Member>,
    options: LoadOptions,
    loader: ErasedBatchLoader,
    deadline: Moment,
    /// The load whose loader started this one.
    inside: Option<Arc<Frame>>,
}

impl BatchTask {
    async fn run(self) {
        let Self { engine, members, options, loader, deadline, inside } = self;
        let began = engine.timer.now();
        let claims = members.into_iter().map(|member| engine.claim_member(member, began));
        let mut loads: Vec<Load> = join_all(claims).await.into_iter().flatten().collect();
        if loads.is_empty() {
            return;
        }
        // Sampled before the loader looks at anything, so that whatever is invalidated from now on voids the values.
        let known = engine.marks.newest();
        let leased = loads.iter().any(|load| load.permit.lease().is_some());
        let stamp = engine.stamp_of_load(began, leased).await;
        loads.iter_mut().for_each(|load| (load.stamp, load.known) = (stamp, known));
        engine.counters.loads.one();
        let missing = loads.iter().map(|load| String::from(&*load.key)).collect();
        let frame = Frame::new(engine.id, loads.iter().map(|load| &*load.key), inside);
        let leases: Vec<_> =
            loads.iter().filter_map(|load| Some((&*load.key, load.permit.lease()?))).collect();
        let loaded = engine.watch(&Deadline::new(deadline), &leases, frame.enter(loader(missing))).await;
        let mut values = loaded;
        let ends = loads.into_iter().map(|load| {
            let outcome =
                values.as_mut().map(|values| values.remove(&*load.key)).map_err(|error| error.clone());
            engine.finish_member(load, outcome, options.entry.clone())
        });
        join_all(ends.collect::<Vec<_>>()).await;
    }
}

impl Engine {
    /// Asks for the right to load a member's key, without waiting for others: a batch that holds some keys and waits for
    /// more could wait for a batch that waits for it.
    async fn claim_member(&self, member: Member, began: Moment) -> Option<Load> {
        let Member { lead, hash, key, seen } = member;
        let permit = match self.try_claim(hash, &key, seen).await {
            Ok(Attempt::Done(Asked::Load(permit))) => permit,
            Ok(Attempt::Held(_)) => Permit::Beside,
            Ok(Attempt::Done(Asked::Answered(entry))) => {
                lead.answer(LoadOutcome::Loaded(entry));
                return None;
            }
            Err(error) => {
                self.load_failed(&lead, &key, error, began);
                return None;
            }
        };
        Some(Load { lead, hash, key, permit, stamp: None, known: 0, began })
    }

    async fn finish_member(&self, load: Load, outcome: Result<Option<Value>, Error>, options: SetOptions) {
        match outcome {
            Ok(Some(value)) => return self.finish(load, value, Said { options, store: true }).await,
            Ok(None) => {
                load.lead.answer(LoadOutcome::NotFound);
            }
            Err(error) => self.load_failed(&load.lead, &load.key, error.for_key(&load.key), load.began),
        }
        self.release(&load.key, &load.permit).await;
    }
}
