//! A stream that is handed on and recorded.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use cache_core::{BoxError, Error, Moment, Timer};
use cache_tiered::LoadScope;
use futures_util::Stream;
use tokio::sync::oneshot;

use crate::answer::Answer;
use crate::entry::Timed;
use crate::gate::length_up_to;
use crate::generate::failed;

/// The model's own stream.
pub(super) type Upstream<A> = Pin<Box<dyn Stream<Item = Result<<A as Answer>::Event, BoxError>> + Send>>;

/// How a recorded stream ended.
pub(super) enum Ended<E> {
    /// By its own end, after so long a wait for the model.
    Done(Vec<Timed<E>>, Duration),
    /// Not yet, and what was recorded is longer than may be kept, after so long a wait.
    TooLong(Duration),
    /// With an error.
    Failed(Error),
    /// Its reader left.
    Left,
}

/// Polls the model's stream when it is polled itself, so that the reader's pace is the model's.
pub(super) struct Tee<A: Answer> {
    upstream: Option<Upstream<A>>,
    recorded: Vec<Timed<A::Event>>,
    /// How many bytes of events, as JSON, may still be recorded.
    room: usize,
    /// Where to tell the end. Dropped with the reader, which tells that he left.
    ended: Option<oneshot::Sender<Ended<A::Event>>>,
    timer: Arc<dyn Timer>,
    /// The load that others wait for.
    waited_for: Option<LoadScope>,
    first_at: Option<Moment>,
    /// Since when the reader waits for the model, if he does.
    waits_since: Option<Moment>,
    /// How long he waited so far. What he took for himself is not the model's time.
    waited: Duration,
}

impl<A: Answer> Tee<A> {
    pub(super) fn new(
        upstream: Upstream<A>,
        ended: oneshot::Sender<Ended<A::Event>>,
        timer: Arc<dyn Timer>,
        waited_for: Option<LoadScope>,
        room: usize,
    ) -> Self {
        let (upstream, ended) = (Some(upstream), Some(ended));
        let (recorded, waited) = (Vec::new(), Duration::ZERO);
        Self { upstream, recorded, room, ended, timer, waited_for, first_at: None, waits_since: None, waited }
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Arc<A::Event>, Error>>> {
        let Some(upstream) = &mut self.upstream else { return Poll::Ready(None) };
        let since = *self.waits_since.get_or_insert_with(|| self.timer.now());
        let next = match upstream.as_mut().poll_next(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(next) => next,
        };
        self.waits_since = None;
        self.waited += self.timer.now().since(since);
        Poll::Ready(match next {
            Some(Ok(event)) => Some(Ok(self.record(event))),
            Some(Err(source)) => {
                let error = failed(source);
                self.end(Ended::Failed(error.clone()));
                Some(Err(error))
            }
            None => {
                let recorded = std::mem::take(&mut self.recorded);
                self.end(Ended::Done(recorded, self.waited));
                None
            }
        })
    }

    fn record(&mut self, event: A::Event) -> Arc<A::Event> {
        if let Some(load) = &self.waited_for {
            load.keep_alive();
        }
        let now = self.timer.now();
        let first_at = *self.first_at.get_or_insert(now);
        let after_ms = u32::try_from(now.since(first_at).as_millis()).unwrap_or(u32::MAX);
        let event = Arc::new(event);
        if self.ended.is_some() {
            match length_up_to(&event, self.room) {
                Some(bytes) => {
                    self.room -= bytes;
                    self.recorded.push(Timed { after_ms, event: Arc::clone(&event) });
                }
                None => {
                    self.recorded = Vec::new();
                    self.waited_for = None;
                    self.tell(Ended::TooLong(self.waited));
                }
            }
        }
        event
    }

    fn end(&mut self, how: Ended<A::Event>) {
        self.upstream = None;
        self.tell(how);
    }

    fn tell(&mut self, how: Ended<A::Event>) {
        if let Some(ended) = self.ended.take() {
            // Whoever waited may have given up.
            drop(ended.send(how));
        }
    }
}
