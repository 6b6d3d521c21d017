//! Streamed answers: recorded as they pass, and replayed.

mod record;
mod replay;
mod tee;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use cache_core::{BoxError, Error, ErrorKind, StaleMode};
use cache_tiered::LoadScope;
use futures_util::{Stream, StreamExt};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use self::record::{finish, recorded, too_long};
pub use self::replay::Replay;
use self::replay::Replaying;
use self::tee::{Ended, Tee, Upstream};
use crate::alone::bounded;
use crate::answer::Answer;
use crate::answered::{AnswerMeta, Source};
use crate::asked::{Asked, Looked};
use crate::cache::AiCache;
use crate::control::{Control, NotCached, Plan, Renewal};
use crate::entry::Entry;
use crate::request::AiRequest;

impl AiCache {
    /// The answer to a request as events: from the cache, all at once or in a rhythm, or from the stream that `generator`
    /// opens.
    ///
    /// A stream that comes from the model is the caller's: it runs when it is polled, each event is handed on at once
    /// and recorded. What was recorded is kept after the stream's own end, and only if it makes a whole answer that the
    /// gate lets through; then it serves readers of streams and those who want the whole answer. Who asks the same
    /// meanwhile waits for that end, however long the stream is, as long as no two events are further apart than
    /// `load_timeout`; if they are, those who wait get a [`Timeout`](ErrorKind::Timeout), and what the stream still brings
    /// goes to its reader alone. If the stream is dropped before, nothing is kept, and one of those who wait asks the model.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use cache_ai::{AiCache, AiRequest, Chat, Control, Error, Loaded, Replay};
    /// # use futures_util::{Stream, StreamExt};
    /// # use serde_json::Value;
    /// # async fn ask_a_model() -> Result<impl Stream<Item = Loaded<Value>> + Send + 'static, cache_core::BoxError> {
    /// #     Ok(futures_util::stream::empty())
    /// # }
    /// # async fn example(cache: &AiCache, request: &AiRequest) -> Result<(), Error> {
    /// let mut chunks = cache.stream::<Chat, _, _, _, _>(request, Control::new(), Replay::AtOnce, ask_a_model).await?;
    /// while let Some(chunk) = chunks.next().await {
    ///     let chunk: Arc<Value> = chunk?;
    ///     print!("{}", chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`get_or_generate`](Self::get_or_generate). An error of the stream itself is an event of it.
    pub async fn stream<A, G, Fut, S, E>(
        &self,
        request: &AiRequest,
        control: Control,
        replay: Replay,
        generator: G,
    ) -> Result<AnswerStream<A>, Error>
    where
        A: Answer,
        G: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<S, E>> + Send + 'static,
        S: Stream<Item = Result<A::Event, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let opening = || async {
            let events = generator().await.map_err(Into::into)?;
            let events: Upstream<A> = Box::pin(events.map(|event| event.map_err(Into::into)));
            Ok(events)
        };
        let opener: Opener<A> = Box::new(move || Box::pin(opening()));
        let policy = self.shared.operations.of(&request.operation);
        let asked = self.shared.ask(request, control, policy).await?;
        Box::pin(asked.open(replay, opener)).await
    }
}

type Opener<A> = Box<dyn FnOnce() -> Opening<A> + Send>;
type Opening<A> = Pin<Box<dyn Future<Output = Result<Upstream<A>, BoxError>> + Send>>;

/// The events of an answer. Dropping it before its end keeps nothing of a stream that comes from the model, and takes nothing from
/// one that is replayed.
pub struct AnswerStream<A: Answer> {
    source: Source,
    meta: Option<AnswerMeta>,
    events: Events<A>,
}

enum Events<A: Answer> {
    Live(Box<Tee<A>>),
    Replay(Replaying<A::Event>),
}

impl<A: Answer> AnswerStream<A> {
    /// Who answers.
    pub fn source(&self) -> Source {
        self.source
    }

    /// What is known of an answer that was there already; `None` while it is being generated.
    pub fn meta(&self) -> Option<&AnswerMeta> {
        self.meta.as_ref()
    }
}

impl<A: Answer> std::fmt::Debug for AnswerStream<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnswerStream").field("source", &self.source).finish_non_exhaustive()
    }
}

impl<A: Answer> Stream for AnswerStream<A> {
    type Item = Result<Arc<A::Event>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.events {
            Events::Live(tee) => tee.poll(context),
            Events::Replay(replay) => replay.poll(context).map(|event| event.map(Ok)),
        }
    }
}

/// An opener that runs once.
type Slot<A> = Arc<Mutex<Option<Opener<A>>>>;

/// What the task of a shared stream tells its caller.
enum Told<A: Answer> {
    /// The caller's own stream is open. What was recorded goes to the sender; with each event those who wait learn that
    /// it goes on.
    Open(Upstream<A>, oneshot::Sender<Ended<A::Event>>, LoadScope),
    /// The answer of another generation.
    Entry(Arc<Entry<A>>),
    Failed(Error),
}

impl Asked<'_> {
    async fn open<A: Answer>(self, replay: Replay, opener: Opener<A>) -> Result<AnswerStream<A>, Error> {
        let (plan, was_stale) = match self.look().await? {
            (Looked::Hit(entry, _, receipt), _) => {
                self.shared.count(&self.name, &entry, Source::Cache, receipt.tier, self.took());
                let meta = AnswerMeta::of(&entry, Source::Cache, receipt.tier, receipt.age);
                return Ok(self.replayed(&entry, Source::Cache, meta, replay));
            }
            (Looked::Go(plan), was_stale) => (plan, was_stale),
        };
        let opened = match plan {
            Plan::Look | Plan::Serve | Plan::NotCached => Err(NotCached.into_error()),
            Plan::Alone => self.open_alone(opener).await,
            Plan::Share => self.open_shared(replay, opener, None, was_stale).await,
            Plan::Renew(renewal) => self.open_shared(replay, opener, Some(renewal), was_stale).await,
        };
        // What opens is counted at its end.
        opened.inspect_err(|_| self.missed())
    }

    fn replayed<A: Answer>(
        &self,
        entry: &Entry<A>,
        source: Source,
        meta: AnswerMeta,
        replay: Replay,
    ) -> AnswerStream<A> {
        let replaying = Replaying::of(entry, replay, Arc::clone(&self.shared.timer));
        AnswerStream { source, meta: Some(meta), events: Events::Replay(replaying) }
    }

    /// A stream of which nothing is kept.
    async fn open_alone<A: Answer>(&self, opener: Opener<A>) -> Result<AnswerStream<A>, Error> {
        let began = self.shared.timer.now();
        let upstream = bounded(self.shared, async { opener().await }).await?;
        let opening = self.shared.timer.now().since(began);
        let (sender, ended) = oneshot::channel();
        // What it cost is known at its end.
        let (shared, keyed, sample) = (Arc::clone(self.shared), Arc::clone(&self.keyed), self.sample);
        spawn(async move {
            let is_counted = match ended.await {
                Ok(Ended::Done(events, waited)) => {
                    recorded::<A>(&shared, &keyed, sample, events, opening + waited).await.is_some()
                }
                Ok(Ended::TooLong(waited)) => {
                    too_long::<A>(&shared, &keyed, sample, opening + waited);
                    true
                }
                Ok(Ended::Failed(_) | Ended::Left) | Err(_) => false,
            };
            if !is_counted {
                shared.counters.missed(&keyed.operation, keyed.text_tier);
            }
        })?;
        let tee = Tee::new(upstream, sender, Arc::clone(&self.shared.timer), None, self.shared.gate.room());
        Ok(AnswerStream { source: Source::Generated, meta: None, events: Events::Live(Box::new(tee)) })
    }

    async fn open_shared<A: Answer>(
        &self,
        replay: Replay,
        opener: Opener<A>,
        renewal: Option<Renewal>,
        was_stale: bool,
    ) -> Result<AnswerStream<A>, Error> {
        let slot: Slot<A> = Arc::new(Mutex::new(Some(opener)));
        let (tell, told) = oneshot::channel();
        let tell = Arc::new(Mutex::new(Some(tell)));
        self.spawn_load(&slot, tell, renewal.is_some())?;
        let answer = told.await.unwrap_or_else(|_| Told::Failed(abandoned()));
        match answer {
            Told::Open(upstream, sender, waited_for) => {
                let timer = Arc::clone(&self.shared.timer);
                let tee = Tee::new(upstream, sender, timer, Some(waited_for), self.shared.gate.room());
                let events = Events::Live(Box::new(tee));
                Ok(AnswerStream { source: Source::Generated, meta: None, events })
            }
            Told::Failed(error) => Err(error),
            Told::Entry(entry) => {
                let is_ours = entry.is_of(&self.keyed, self.sample);
                if !is_ours {
                    self.shared.counters.verified_away(&self.keyed.operation);
                }
                // As of an abandoned one, of events of another kind of answer there may be no whole.
                if !is_ours || entry.whole().is_none() || renewal.is_some_and(|renewal| renewal.own) {
                    let opener = slot.lock().take().ok_or_else(abandoned)?;
                    return self.open_alone(opener).await;
                }
                // What was not made meanwhile is the stale answer, served because nothing better came.
                let is_old = was_stale && entry.number <= self.before;
                let source = if is_old { Source::Stale } else { Source::Joined };
                self.shared.count(&self.name, &entry, source, None, self.took());
                let meta = AnswerMeta::of(&entry, source, None, None);
                Ok(self.replayed(&entry, source, meta, replay))
            }
        }
    }

    /// Starts the task that joins the request's generation or leads it.
    fn spawn_load<A: Answer>(
        &self,
        slot: &Slot<A>,
        tell: Arc<Mutex<Option<oneshot::Sender<Told<A>>>>>,
        renews: bool,
    ) -> Result<(), Error> {
        /// As for whole answers.
        const TRIES: usize = 8;
        let (shared, keyed, sample) = (Arc::clone(self.shared), Arc::clone(&self.keyed), self.sample);
        let (name, slot) = (self.name.clone(), Arc::clone(slot));
        // A stream that a reader waits for is better than a stale answer.
        let options = self.shared.options(&self.keyed, self.policy).stale(StaleMode::OnError);
        spawn(async move {
            let (mut last, waiting) = (None, tell);
            for _ in 0..TRIES {
                let (own, keyed) = (Arc::clone(&shared), Arc::clone(&keyed));
                let (slot, tell) = (Arc::clone(&slot), Arc::clone(&waiting));
                let loader = move |scope: LoadScope| async move {
                    let opener = slot.lock().take().ok_or("the stream was wanted twice")?;
                    let began = own.timer.now();
                    let upstream = opener().await?;
                    let opening = own.timer.now().since(began);
                    scope.keep_alive();
                    let (sender, ended) = oneshot::channel();
                    let Some(tell) = tell.lock().take() else { return Err("nobody listens".into()) };
                    // A caller who has left drops both ends.
                    drop(tell.send(Told::Open(upstream, sender, scope.clone())));
                    // A task of its own: a load that is given up was paid for all the same.
                    let finished = tokio::spawn(async move {
                        let ended = ended.await.unwrap_or(Ended::Left);
                        finish::<A>(&own, &keyed, sample, ended, opening).await
                    });
                    let entry = finished.await??;
                    if entry.refused.is_some() {
                        scope.do_not_store();
                    }
                    Ok::<_, BoxError>(entry)
                };
                let loaded = if renews {
                    shared.cache.reload::<Entry<A>, _>(&name, options.clone(), loader).await
                } else {
                    shared.cache.get_or_load::<Entry<A>, _>(&name, options.clone(), loader).await
                };
                match loaded {
                    Ok(entry) if entry.is_abandoned() => last = Some(Told::Entry(entry)),
                    Ok(entry) => {
                        last = Some(Told::Entry(entry));
                        break;
                    }
                    Err(error) => {
                        last = Some(Told::Failed(error));
                        break;
                    }
                }
                // What was told is all that the caller wants to know.
                if waiting.lock().is_none() {
                    break;
                }
            }
            if let (Some(tell), Some(last)) = (waiting.lock().take(), last) {
                drop(tell.send(last));
            }
        })
    }
}

fn abandoned() -> Error {
    Error::new(ErrorKind::Load, "the generation of this stream was abandoned")
}

fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => {
            runtime.spawn(task);
            Ok(())
        }
        Err(_) => Err(Error::new(
            ErrorKind::Configuration,
            "a stream needs a tokio runtime, and none is running here",
        )),
    }
}
