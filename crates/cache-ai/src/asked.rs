//! A request on its way: named, and looked up.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cache_core::{Error, LoadOptions, Moment, Tier};
use cache_tiered::{Receipt, Status};

use crate::answer::{Answer, Generated};
use crate::answered::Source;
use crate::blocking::blocking;
use crate::cache::Shared;
use crate::control::{Control, Plan, Seen, plan};
use crate::entry::Entry;
use crate::gate::Refused;
use crate::key::Keyed;
use crate::ledger::About;
use crate::operation::OperationPolicy;
use crate::question::Question;
use crate::request::AiRequest;
use crate::samples::name_of;

/// A question on its way.
pub(crate) struct Asked<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) keyed: Arc<Keyed>,
    pub(crate) control: Control,
    pub(crate) policy: &'a OperationPolicy,
    pub(crate) sample: u32,
    pub(crate) name: String,
    pub(crate) began: Moment,
    /// How many generations there were when it began.
    pub(crate) before: u64,
}

/// What the cache said.
pub(crate) enum Looked<A: Answer> {
    /// An answer, and the whole of it.
    Hit(Arc<Entry<A>>, Arc<A>, Receipt),
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
        let (began, before) = (self.timer.now(), self.generations());
        control.check()?;
        let control = if self.only_if_cached { control.but_only_if_cached() } else { control };
        let question = Question::of(request, policy.schema.as_ref()).await?;
        let keyed = self.key(&question).await?;
        let sample = self.turns.pick(policy.repeats(), &keyed.digest, control.sample);
        let name = name_of(&keyed.name, sample);
        Ok(Asked { shared: self, keyed: Arc::new(keyed), control, policy, sample, name, began, before })
    }

    /// Names a question, and tells who watches how long that took.
    pub(crate) async fn key(&self, question: &Question<'_>) -> Result<Keyed, Error> {
        let began = self.cache.watched_since();
        let keyed = self.keyer.key(question).await;
        self.cache.tell_work("key", question.len(), began);
        keyed
    }

    /// How an answer is to be kept.
    pub(crate) fn options(&self, keyed: &Keyed, policy: &OperationPolicy) -> LoadOptions {
        let ttl = self.operations.ttl(policy, keyed.text_tier, &keyed.digest);
        let mut options = LoadOptions::ttl(ttl);
        options.entry.stale_for = policy.stale_for;
        options.entry.tags = keyed.tags();
        options
    }

    /// How many answers models gave so far.
    pub(crate) fn generations(&self) -> u64 {
        self.generations.load(Ordering::Relaxed)
    }

    /// Counts a request of this storage name that was answered, and how long that took if that is known.
    pub(crate) fn count<A: Answer>(
        &self,
        name: &str,
        entry: &Entry<A>,
        source: Source,
        tier: Option<Tier>,
        took: impl Into<Option<Duration>>,
    ) {
        let took = took.into();
        self.counters.answered(&entry.operation, entry.text_tier, source, tier, took);
        let about =
            About { operation: &entry.operation, model: entry.model.as_deref(), tenant: &entry.tenant };
        if let Some(worth) = &self.worth {
            worth.learn(name, self.books.cost(about, entry.usage), Duration::from_millis(entry.took_ms));
        }
        match source {
            // Noted where the model answered: whoever asked may have left.
            Source::Generated => {}
            Source::Cache | Source::Stale | Source::Joined => {
                let saved = Duration::from_millis(entry.took_ms).saturating_sub(took.unwrap_or_default());
                self.books.saved(about, entry.usage, saved);
            }
        }
    }

    /// Notes that a model gave this answer, and numbers it.
    pub(crate) fn spent<A: Answer>(&self, entry: &mut Entry<A>) {
        entry.head.number = self.generations.fetch_add(1, Ordering::Relaxed) + 1;
        let about =
            About { operation: &entry.operation, model: entry.model.as_deref(), tenant: &entry.tenant };
        self.books.spent(about, entry.usage);
    }

    /// The generated answer as an entry, refused if the gate says so.
    pub(crate) async fn entry_of<A: Answer>(
        self: &Arc<Self>,
        keyed: &Keyed,
        sample: u32,
        generated: Generated<A>,
        took: Duration,
    ) -> Entry<A> {
        let (shared, operation) = (Arc::clone(self), keyed.operation.clone());
        let is_short = self.gate.is_short(&generated);
        let is_part = generated.outcome.choices.is_some_and(|came| came < keyed.choices);
        let judge = move || (shared.gate.judge(&generated, shared.operations.of(&operation)), generated);
        let (refused, generated) = if is_short { judge() } else { blocking(judge).await };
        let mut entry = Entry::whole_of(keyed, sample, generated, took, self.timer.unix_millis());
        let refused = refused.or(is_part.then_some(Refused::Truncated));
        entry.head.refused = refused;
        if let Some(reason) = refused {
            self.counters.refused(&keyed.operation, reason);
        }
        entry
    }
}

impl Asked<'_> {
    /// Looks in the cache if the plan is to. Says also whether there is a stale answer.
    pub(crate) async fn look<A: Answer>(&self) -> Result<(Looked<A>, bool), Error> {
        let next = |seen| plan(&self.control, self.policy.repeats(), self.keyed.is_deterministic, seen);
        let first = next(None);
        if first != Plan::Look {
            return Ok((Looked::Go(first), false));
        }
        let (entry, receipt) = self.shared.cache.get_with_receipt::<Entry<A>>(&self.name).await?;
        let whole = entry.as_ref().and_then(|entry| entry.whole());
        let seen = match &entry {
            // What the store did not say may be too old as well.
            None if matches!(receipt.status, Status::Stale | Status::StoreUnavailable) => Seen::Stale,
            None => Seen::Nothing,
            Some(entry) if entry.is_of(&self.keyed, self.sample) && whole.is_none() => Seen::Broken,
            Some(entry) if entry.is_of(&self.keyed, self.sample) => {
                Seen::Answer(receipt.age.unwrap_or_default())
            }
            Some(_) => {
                self.shared.counters.verified_away(&self.keyed.operation);
                Seen::Another
            }
        };
        let was_stale = receipt.status == Status::Stale;
        Ok(match (next(Some(seen)), entry, whole) {
            (Plan::Serve, Some(entry), Some(whole)) => (Looked::Hit(entry, whole, receipt), was_stale),
            (plan, ..) => (Looked::Go(plan), was_stale),
        })
    }

    pub(crate) fn took(&self) -> Duration {
        self.shared.timer.now().since(self.began)
    }
}
