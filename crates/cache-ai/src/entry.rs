//! What is stored for an answer.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cache_core::random_u64;
use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Finish, Generated, Outcome, Usage};
use crate::digest::Digest;
use crate::gate::Refused;
use crate::key::Keyed;
use crate::text_tier::TextTier;

/// An answer as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "A: Answer", deserialize = "A: Answer"))]
pub(crate) struct Entry<A: Answer> {
    pub(crate) head: Head,
    pub(crate) body: Body<A>,
}

/// What is known of a stored answer. Holds nothing of the request but its digest and what statistics go by.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    /// Compared with the request's on every hit.
    pub(crate) digest: Digest,
    pub(crate) sample: u32,
    /// [`Answer::KIND`] of who generated it.
    #[serde(default)]
    pub(crate) kind: Option<String>,
    /// Which generation brought it.
    pub(crate) id: u64,
    /// Which one it is of those of this process, from 1; 0 for another's.
    #[serde(skip)]
    pub(crate) number: u64,
    pub(crate) tenant: String,
    pub(crate) operation: String,
    pub(crate) model: Option<String>,
    pub(crate) prompt_version: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) text_length: u64,
    pub(crate) text_tier: TextTier,
    /// By the wall clock, for display.
    pub(crate) cached_at_ms: u64,
    pub(crate) finish: Finish,
    pub(crate) usage: Usage,
    /// How long the model took.
    pub(crate) took_ms: u64,
    /// Why it is not kept, for those who wait for it.
    pub(crate) refused: Option<Refused>,
}

#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "A: Answer", deserialize = "A: Answer"))]
pub(crate) enum Body<A: Answer> {
    Whole(Arc<A>),
    Events(Recorded<A>),
    /// Whoever read the stream left before its end. Never stored; tells those who wait to ask for themselves.
    Abandoned,
}

/// What was streamed.
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound(serialize = "A: Answer", deserialize = "A: Answer"))]
pub(crate) struct Recorded<A: Answer> {
    pub(crate) events: Arc<[Timed<A::Event>]>,
    /// Made of the events when it is first wanted: that takes longer the more there are.
    #[serde(skip)]
    whole: Arc<OnceLock<Option<Arc<A>>>>,
}

impl<A: Answer> Recorded<A> {
    pub(crate) fn new(events: Vec<Timed<A::Event>>) -> Self {
        Self { events: events.into(), whole: Arc::default() }
    }

    fn whole(&self) -> Option<Arc<A>> {
        let fold = || {
            let events: Vec<&A::Event> = self.events.iter().map(|timed| &*timed.event).collect();
            A::from_events(&events).map(Arc::new)
        };
        self.whole.get_or_init(fold).clone()
    }
}

impl<A: Answer> Clone for Recorded<A> {
    fn clone(&self) -> Self {
        Self { events: Arc::clone(&self.events), whole: Arc::clone(&self.whole) }
    }
}

/// An event, and when it came after the first, in milliseconds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(serialize = "E: Serialize", deserialize = "E: Deserialize<'de>"))]
pub(crate) struct Timed<E> {
    pub(crate) after_ms: u32,
    pub(crate) event: Arc<E>,
}

impl<E> Clone for Timed<E> {
    fn clone(&self) -> Self {
        Self { after_ms: self.after_ms, event: Arc::clone(&self.event) }
    }
}

impl<A: Answer> Clone for Body<A> {
    fn clone(&self) -> Self {
        match self {
            Self::Whole(answer) => Self::Whole(Arc::clone(answer)),
            Self::Events(events) => Self::Events(events.clone()),
            Self::Abandoned => Self::Abandoned,
        }
    }
}

impl<A: Answer> Clone for Entry<A> {
    fn clone(&self) -> Self {
        Self { head: self.head.clone(), body: self.body.clone() }
    }
}

impl<A: Answer> Deref for Entry<A> {
    type Target = Head;

    fn deref(&self) -> &Head {
        &self.head
    }
}

impl<A: Answer> Entry<A> {
    /// An entry for what was generated.
    pub(crate) fn new(
        keyed: &Keyed,
        sample: u32,
        body: Body<A>,
        outcome: &Outcome,
        took: Duration,
        now_ms: u64,
    ) -> Self {
        let head = Head {
            digest: keyed.digest,
            sample,
            kind: A::KIND.map(str::to_owned),
            id: random_u64(),
            number: 0,
            tenant: keyed.tenant.label().to_owned(),
            operation: keyed.operation.clone(),
            model: keyed.model.clone(),
            prompt_version: keyed.prompt_version.clone(),
            tags: keyed.tags(),
            text_length: keyed.text_length as u64,
            text_tier: keyed.text_tier,
            cached_at_ms: now_ms,
            finish: outcome.finish,
            usage: outcome.usage,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            refused: None,
        };
        Self { head, body }
    }

    pub(crate) fn whole_of(
        keyed: &Keyed,
        sample: u32,
        generated: Generated<A>,
        took: Duration,
        now_ms: u64,
    ) -> Self {
        let Generated { answer, outcome, .. } = generated;
        Self::new(keyed, sample, Body::Whole(Arc::new(answer)), &outcome, took, now_ms)
    }

    /// Whether this is the answer to that request, and one that its reader can make something of.
    pub(crate) fn is_of(&self, keyed: &Keyed, sample: u32) -> bool {
        let is_kind = A::KIND.is_none_or(|kind| self.kind.as_deref() == Some(kind));
        self.digest == keyed.digest && self.sample == sample && is_kind
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        matches!(self.body, Body::Abandoned)
    }

    /// The whole answer; `None` if its events do not make one.
    pub(crate) fn whole(&self) -> Option<Arc<A>> {
        match &self.body {
            Body::Whole(answer) => Some(Arc::clone(answer)),
            Body::Events(recorded) => recorded.whole(),
            Body::Abandoned => None,
        }
    }
}
