//! A whole request: from the cache, from another caller's generation, or generated.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{BoxError, Error, ErrorKind, LoadOptions, Moment, Tier};
use cache_tiered::{Data, LoadScope, Receipt, Status};
use parking_lot::Mutex;

use crate::answer::{Answer, Generated, Plain};
use crate::answered::{AnswerMeta, Answered, Source};
use crate::cache::{AiCache, Shared};
use crate::control::{Control, NotCached, Plan, Seen, plan};
use crate::entry::Entry;
use crate::gate::Refused;
use crate::key::Keyed;
use crate::ledger::About;
use crate::operation::OperationPolicy;
use crate::question::Question;
use crate::request::AiRequest;
use crate::samples::name_of;

/// An answer on its way.
type Loading<A> = Pin<Box<dyn Future<Output = Result<Entry<A>, BoxError>> + Send>>;

impl AiCache {
    /// The answer to a request: from the cache, from the generation of another caller who asks the same at the same time,
    /// or from `generator`, which then runs as a task of its own. What the gate lets through is kept.
    ///
    /// A caller may leave at any time; the generation goes on for the others, and is kept. An error of the generator
    /// answers all who wait for it, and is not kept.
    ///
    /// ```
    /// # use cache_ai::{AiCache, AiRequest, Control, Error, Finish, Generated, Loaded, Tenant, Usage};
    /// # async fn ask_a_model() -> Result<String, std::io::Error> { Ok(String::new()) }
    /// # async fn example(cache: &AiCache) -> Result<(), Error> {
    /// let request = AiRequest::new(Tenant::new("acme")?, "qa").model("gpt-4o").message("user", "Where is Paris?");
    /// let answer = cache
    ///     .get_or_generate(&request, Control::new(), || async {
    ///         let text: String = ask_a_model().await?;
    ///         Loaded::Ok(Generated::new(text).usage(Usage::new(12, 30)).finish(Finish::Stop))
    ///     })
    ///     .await?;
    /// println!("{} ({})", **answer, if answer.meta().cache_hit { "cached" } else { "generated" });
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Load`] if the generator failed (its error is the source), or with [`NotCached`] as the source;
    /// [`ErrorKind::Validation`] for a request that cannot be named; else as [`cache_tiered::Cache::get_or_load`].
    pub async fn get_or_generate<T, G, Fut, E>(
        &self,
        request: &AiRequest,
        control: Control,
        generator: G,
    ) -> Result<Answered<Plain<T>>, Error>
    where
        T: Data,
        G: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Generated<T>, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let wrapped = || async {
            let Generated { answer, outcome, invalid } = generator().await.map_err(Into::into)?;
            Ok(Generated { answer: Plain(answer), outcome, invalid })
        };
        self.answer(request, control, Box::new(move || Box::pin(wrapped()))).await
    }

    /// As [`get_or_generate`](Self::get_or_generate) for an [`Answer`] that says of itself how it ended, and that readers
    /// of streams share.
    ///
    /// # Errors
    /// As [`get_or_generate`](Self::get_or_generate).
    pub async fn complete<A, G, Fut, E>(
        &self,
        request: &AiRequest,
        control: Control,
        generator: G,
    ) -> Result<Answered<A>, Error>
    where
        A: Answer,
        G: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<A, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let wrapped = || async { generator().await.map(Generated::of).map_err(Into::into) };
        self.answer(request, control, Box::new(move || Box::pin(wrapped()))).await
    }

    async fn answer<A: Answer>(
        &self,
        request: &AiRequest,
        control: Control,
        generator: Generator<A>,
    ) -> Result<Answered<A>, Error> {
        let policy = self.shared.operations.of(&request.operation);
        let asked = self.shared.ask(request, control, policy).await?;
        Box::pin(asked.answer(generator)).await
    }
}

/// A generator whose type is forgotten.
pub(crate) type Generator<A> = Box<dyn FnOnce() -> Generating<A> + Send>;
type Generating<A> = Pin<Box<dyn Future<Output = Result<Generated<A>, BoxError>> + Send>>;

/// A question on its way.
pub(crate) struct Asked<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) keyed: Arc<Keyed>,
    pub(crate) control: Control,
    pub(crate) policy: &'a OperationPolicy,
    pub(crate) sample: u32,
    pub(crate) name: String,
    pub(crate) began: Moment,
}

/// What the cache said.
pub(crate) enum Looked<A: Answer> {
    Hit(Arc<Entry<A>>, Receipt),
    Go(Plan),
}

impl Shared {
    /// Names a request.
    pub(crate) async fn ask<'a>(
        self: &'a Arc<Self>,
        request: &AiRequest,
        control: Control,
        policy: &'a OperationPolicy,
    ) -> Result<Asked<'a>, Error> {
        let began = self.timer.now();
        control.check()?;
        let control = if self.only_if_cached { Control::only_if_cached() } else { control };
        let question = Question::of(request, policy.schema.as_ref()).await?;
        let keyed = self.keyer.key(&question).await?;
        let sample = self.turns.pick(policy.repeat, &keyed.digest, control.sample);
        let name = name_of(&keyed.name, sample);
        Ok(Asked { shared: self, keyed: Arc::new(keyed), control, policy, sample, name, began })
    }

    /// How an answer is to be kept.
    pub(crate) fn options(&self, keyed: &Keyed, policy: &OperationPolicy) -> LoadOptions {
        let ttl = self.operations.ttl(&keyed.operation, keyed.text_tier, &keyed.digest);
        let mut options = LoadOptions::ttl(ttl);
        options.entry.stale_for = policy.stale_for;
        options.entry.tags.clone_from(&keyed.tags);
        options
    }

    /// Counts a request that was answered.
    pub(crate) fn count<A: Answer>(
        &self,
        entry: &Entry<A>,
        source: Source,
        tier: Option<Tier>,
        took: Duration,
    ) {
        self.counters.answered(&entry.operation, entry.text_tier, source, tier, took);
        let about =
            About { operation: &entry.operation, model: entry.model.as_deref(), tenant: &entry.tenant };
        match source {
            Source::Generated => self.books.spent(about, entry.usage),
            Source::Cache | Source::Stale | Source::Joined => {
                let saved = Duration::from_millis(entry.took_ms).saturating_sub(took);
                self.books.saved(about, entry.usage, saved);
            }
        }
    }

    /// The generated answer as an entry, refused if the gate says so.
    pub(crate) fn entry_of<A: Answer>(
        &self,
        keyed: &Keyed,
        sample: u32,
        policy: &OperationPolicy,
        generated: Generated<A>,
        took: Duration,
    ) -> Entry<A> {
        let refused = self.gate.judge(&generated, policy);
        let mut entry = Entry::whole_of(keyed, sample, generated, took, self.timer.unix_millis());
        entry.head.refused = refused;
        if let Some(reason) = refused {
            self.counters.refused(&keyed.operation, reason);
        }
        entry
    }
}

/// A generator that runs once, wherever it is taken; and which entry came of it.
struct Slot<A: Answer> {
    generator: Mutex<Option<Generator<A>>>,
    made: Mutex<Option<Arc<Entry<A>>>>,
    done: tokio::sync::Notify,
}

impl<A: Answer> Slot<A> {
    fn made(&self) -> Option<Arc<Entry<A>>> {
        self.made.lock().clone()
    }
}

/// The error of a caller that has to generate twice, which cannot be.
fn spent() -> Error {
    Error::new(ErrorKind::Internal, "a caller's generator was wanted twice")
}

impl Asked<'_> {
    async fn answer<A: Answer>(&self, generator: Generator<A>) -> Result<Answered<A>, Error> {
        let (plan, was_stale) = match self.look().await? {
            (Looked::Hit(entry, receipt), _) => match entry.whole() {
                Some(whole) => return Ok(self.served(&entry, whole, &receipt)),
                // Events that make no answer were not meant to be stored.
                None => (Plan::Renew { own: false }, false),
            },
            (Looked::Go(plan), was_stale) => (plan, was_stale),
        };
        let slot = Arc::new(Slot {
            generator: Mutex::new(Some(generator)),
            made: Mutex::new(None),
            done: tokio::sync::Notify::new(),
        });
        match plan {
            Plan::Look | Plan::Serve | Plan::NotCached => {
                self.shared.counters.missed(&self.keyed.operation, self.keyed.text_tier);
                Err(NotCached.into_error())
            }
            Plan::Alone => self.alone(&slot).await,
            Plan::Share => self.share(&slot, false, was_stale).await,
            Plan::Renew { own } => {
                self.renew().await?;
                self.share(&slot, own, false).await
            }
        }
    }

    /// Looks in the cache if the plan is to. Says also whether there is a stale answer.
    pub(crate) async fn look<A: Answer>(&self) -> Result<(Looked<A>, bool), Error> {
        let next = |seen| plan(&self.control, self.policy.repeat, self.keyed.is_deterministic, seen);
        let first = next(None);
        if first != Plan::Look {
            return Ok((Looked::Go(first), false));
        }
        let (entry, receipt) = self.shared.cache.get_with_receipt::<Entry<A>>(&self.name).await?;
        let seen = match &entry {
            None => Seen::Nothing,
            Some(entry) if entry.is_of(&self.keyed, self.sample) => {
                Seen::Answer(receipt.age.unwrap_or_default())
            }
            Some(_) => {
                self.shared.counters.verified_away(&self.keyed.operation);
                Seen::Another
            }
        };
        let was_stale = receipt.status == Status::Stale;
        Ok(match (next(Some(seen)), entry) {
            (Plan::Serve, Some(entry)) => (Looked::Hit(entry, receipt), was_stale),
            (plan, _) => (Looked::Go(plan), was_stale),
        })
    }

    /// What is there is gone, and nobody joins or keeps what is under way.
    pub(crate) async fn renew(&self) -> Result<(), Error> {
        match self.shared.cache.delete(&self.name).await {
            // The store is told when it is back.
            Err(error) if error.is_queued() || error.is_infrastructure() => Ok(()),
            done => done,
        }
    }

    fn served<A: Answer>(&self, entry: &Entry<A>, whole: Arc<A>, receipt: &Receipt) -> Answered<A> {
        self.shared.count(entry, Source::Cache, receipt.tier, self.took());
        Answered::new(whole, AnswerMeta::of(entry, Source::Cache, receipt.tier, receipt.age))
    }

    pub(crate) fn took(&self) -> Duration {
        self.shared.timer.now().since(self.began)
    }

    /// Generates for this caller, and keeps nothing.
    async fn alone<A: Answer>(&self, slot: &Slot<A>) -> Result<Answered<A>, Error> {
        let generator = slot.generator.lock().take().ok_or_else(spent)?;
        let began = self.shared.timer.now();
        let generated = generator().await.map_err(failed)?;
        let took = self.shared.timer.now().since(began);
        let entry = self.shared.entry_of(&self.keyed, self.sample, self.policy, generated, took);
        self.hand_out(&entry, Source::Generated)
    }

    fn hand_out<A: Answer>(&self, entry: &Entry<A>, source: Source) -> Result<Answered<A>, Error> {
        let whole = entry.whole().ok_or_else(|| {
            Error::new(ErrorKind::Load, "the stream of this answer made no whole answer").because(Cut)
        })?;
        self.shared.count(entry, source, None, self.took());
        let age = (source != Source::Stale).then_some(Duration::ZERO);
        Ok(Answered::new(whole, AnswerMeta::of(entry, source, None, age)))
    }

    /// Joins the generation of this request or starts it.
    async fn share<A: Answer>(
        &self,
        slot: &Arc<Slot<A>>,
        own: bool,
        was_stale: bool,
    ) -> Result<Answered<A>, Error> {
        /// Readers of streams may leave again and again; at some time a caller asks for himself.
        const TRIES: usize = 8;
        for _ in 0..TRIES {
            let options = self.shared.options(&self.keyed, self.policy);
            let entry =
                self.shared.cache.get_or_load::<Entry<A>, _>(&self.name, options, self.loader(slot)).await?;
            if entry.is_abandoned() {
                continue;
            }
            let is_own = slot.made().is_some_and(|made| made.id == entry.id);
            if is_own {
                return self.hand_out(&entry, Source::Generated);
            }
            let is_ours = entry.is_of(&self.keyed, self.sample);
            if !is_ours {
                self.shared.counters.verified_away(&self.keyed.operation);
            }
            if own || !is_ours {
                return self.only_own(slot).await;
            }
            let source = if was_stale { Source::Stale } else { Source::Joined };
            return self.hand_out(&entry, source);
        }
        self.only_own(slot).await
    }

    /// What this caller's own generator brings, which may be running for the cache already.
    async fn only_own<A: Answer>(&self, slot: &Slot<A>) -> Result<Answered<A>, Error> {
        if slot.generator.lock().is_some() {
            return self.alone(slot).await;
        }
        slot.done.notified().await;
        match slot.made() {
            Some(entry) => self.hand_out(&entry, Source::Generated),
            None => Err(Error::new(ErrorKind::Load, "the generation failed")),
        }
    }

    fn loader<A: Answer>(
        &self,
        slot: &Arc<Slot<A>>,
    ) -> impl FnOnce(LoadScope) -> Loading<A> + Send + 'static {
        let (shared, keyed, sample) = (Arc::clone(self.shared), Arc::clone(&self.keyed), self.sample);
        let slot = Arc::clone(slot);
        move |scope| {
            Box::pin(async move {
                let Some(generator) = slot.generator.lock().take() else {
                    return Err(spent().into());
                };
                // Whoever waits for this generator alone learns of its end, however it ends.
                let _done = Done(&slot.done);
                let began = shared.timer.now();
                let generated = generator().await?;
                let took = shared.timer.now().since(began);
                let policy = shared.operations.of(&keyed.operation);
                let entry = shared.entry_of(&keyed, sample, policy, generated, took);
                if entry.refused.is_some() {
                    scope.do_not_store();
                }
                *slot.made.lock() = Some(Arc::new(entry.clone()));
                Ok(entry)
            })
        }
    }
}

struct Done<'a>(&'a tokio::sync::Notify);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

pub(crate) fn failed(source: BoxError) -> Error {
    Error::new(ErrorKind::Load, format!("the generator failed: {source}")).because(source)
}

/// The source of the error of an answer whose stream ended too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(Refused::Truncated.as_str())
    }
}

impl std::error::Error for Cut {}
