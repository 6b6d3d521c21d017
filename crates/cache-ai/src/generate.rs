//! A whole request: from the cache, from another caller's generation, or generated.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{BoxError, Error, ErrorKind};
use cache_tiered::{Data, LoadScope, Receipt};

use crate::alone::bounded;
use crate::answer::{Answer, Generated, Plain};
use crate::answered::{AnswerMeta, Answered, Source};
use crate::asked::{Asked, Looked};
use crate::cache::AiCache;
use crate::control::{Control, NotCached, Plan, Renewal};
use crate::entry::Entry;
use crate::request::AiRequest;
use crate::slot::{Generator, Slot};

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
    /// [`ErrorKind::Validation`] for a request that cannot be named, and for a control that contradicts itself;
    /// [`ErrorKind::Timeout`] after `load_timeout`, 2 minutes by default; else as [`cache_tiered::Cache::get_or_load`].
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

impl Asked<'_> {
    async fn answer<A: Answer>(&self, generator: Generator<A>) -> Result<Answered<A>, Error> {
        let (plan, was_stale) = match self.look().await? {
            (Looked::Hit(entry, whole, receipt), _) => return Ok(self.served(&entry, whole, &receipt)),
            (Looked::Go(plan), was_stale) => (plan, was_stale),
        };
        let slot = Arc::new(Slot::new(generator));
        let answered = match plan {
            Plan::Look | Plan::Serve | Plan::NotCached => Err(NotCached.into_error()),
            Plan::Alone => self.alone(&slot).await,
            Plan::Share => self.share(&slot, None, was_stale).await,
            Plan::Renew(renewal) => self.share(&slot, Some(renewal), false).await,
        };
        answered.inspect_err(|_| self.missed())
    }

    /// Counts that there was no answer.
    pub(crate) fn missed(&self) {
        self.shared.counters.missed(&self.keyed.operation, self.keyed.text_tier);
    }

    fn served<A: Answer>(&self, entry: &Entry<A>, whole: Arc<A>, receipt: &Receipt) -> Answered<A> {
        self.shared.count(&self.name, entry, Source::Cache, receipt.tier, self.took());
        Answered::new(whole, AnswerMeta::of(entry, Source::Cache, receipt.tier, receipt.age))
    }

    /// Generates for this caller, and keeps nothing.
    async fn alone<A: Answer>(&self, slot: &Slot<A>) -> Result<Answered<A>, Error> {
        let generator = slot.take()?;
        let began = self.shared.timer.now();
        let generating = async {
            let generated = generator().await?;
            let took = self.shared.timer.now().since(began);
            let mut entry = self.shared.entry_of(&self.keyed, self.sample, generated, took).await;
            self.shared.spent(&mut entry);
            Ok(entry)
        };
        let entry = bounded(self.shared, generating).await?;
        self.hand_out(&entry, Source::Generated)
    }

    fn hand_out<A: Answer>(&self, entry: &Entry<A>, source: Source) -> Result<Answered<A>, Error> {
        let whole = entry
            .whole()
            .ok_or_else(|| Error::new(ErrorKind::Internal, "an answer was handed out that is not whole"))?;
        self.shared.count(&self.name, entry, source, None, self.took());
        let age = (source == Source::Generated).then_some(Duration::ZERO);
        Ok(Answered::new(whole, AnswerMeta::of(entry, source, None, age)))
    }

    /// Joins the generation of this request or starts it. A renewal leaves what is there until there is a new answer.
    async fn share<A: Answer>(
        &self,
        slot: &Arc<Slot<A>>,
        renewal: Option<Renewal>,
        was_stale: bool,
    ) -> Result<Answered<A>, Error> {
        /// Readers of streams may leave again and again; at some time a caller asks for himself.
        const TRIES: usize = 8;
        for _ in 0..TRIES {
            let (cache, loader) = (&self.shared.cache, self.loader(slot));
            let options = self.shared.options(&self.keyed, self.policy);
            let entry = match renewal {
                None => cache.get_or_load::<Entry<A>, _>(&self.name, options, loader).await?,
                Some(_) => cache.reload::<Entry<A>, _>(&self.name, options, loader).await?,
            };
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
            // Events of another kind of answer may make none of this one.
            if !is_ours || entry.whole().is_none() || renewal.is_some_and(|renewal| renewal.own) {
                return self.only_own(slot).await;
            }
            let source = if was_stale { Source::Stale } else { Source::Joined };
            return self.hand_out(&entry, source);
        }
        self.only_own(slot).await
    }

    /// What this caller's own generator brings, which may be running for the cache already.
    async fn only_own<A: Answer>(&self, slot: &Slot<A>) -> Result<Answered<A>, Error> {
        if slot.is_full() {
            return self.alone(slot).await;
        }
        slot.done().await;
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
                let generator = slot.take()?;
                let _running = slot.running();
                let began = shared.timer.now();
                let generated = generator().await?;
                let took = shared.timer.now().since(began);
                let mut entry = shared.entry_of(&keyed, sample, generated, took).await;
                shared.spent(&mut entry);
                if entry.refused.is_some() {
                    scope.do_not_store();
                }
                slot.put(Arc::new(entry.clone()));
                Ok(entry)
            })
        }
    }
}

pub(crate) fn failed(source: BoxError) -> Error {
    Error::new(ErrorKind::Load, format!("the generator failed: {source}")).because(source)
}
