//! What a caller gets.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use cache_core::Tier;
use serde::{Serialize, Serializer};

use crate::answer::{Answer, Finish, Usage};
use crate::entry::Entry;
use crate::gate::Refused;
use crate::text_tier::TextTier;

/// An answer, and what is known of it. Is the answer itself wherever that is wanted.
#[derive(Clone, Debug)]
pub struct Answered<A> {
    answer: Arc<A>,
    meta: AnswerMeta,
}

impl<A> Answered<A> {
    pub(crate) fn new(answer: Arc<A>, meta: AnswerMeta) -> Self {
        Self { answer, meta }
    }

    /// What is known of the answer.
    pub fn meta(&self) -> &AnswerMeta {
        &self.meta
    }

    /// The answer, shared with the cache.
    pub fn into_inner(self) -> Arc<A> {
        self.answer
    }
}

impl<A> Deref for Answered<A> {
    type Target = A;

    fn deref(&self) -> &A {
        &self.answer
    }
}

/// What is known of an answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AnswerMeta {
    /// When it was made, in milliseconds since 1970 by the wall clock of whoever made it.
    pub cached_at: u64,
    /// Whether it came out of the cache.
    pub cache_hit: bool,
    /// Who answered.
    pub source: Source,
    /// How old it is; zero if it was made for this call, `None` if that is not known: of a stale one, and of a joined one.
    pub age: Option<Duration>,
    /// The tier that answered, if one did.
    #[serde(serialize_with = "tier_name")]
    pub tier: Option<Tier>,
    /// The operation.
    pub operation: String,
    /// Length of the text, in characters.
    pub text_length: u64,
    /// Its tier.
    pub text_tier: TextTier,
    /// Why the model stopped.
    pub finish: Finish,
    /// What was used when it was made.
    pub usage: Usage,
    /// Why it is not kept, if it is not.
    pub refused: Option<Refused>,
}

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Source {
    /// The cache, with a fresh answer.
    Cache,
    /// The cache, with one that is to be replaced.
    Stale,
    /// The generation of another caller who asked the same at the same time; or the cache, where it had nothing or did not answer when
    /// it was looked at, and had this a moment later.
    Joined,
    /// The caller's own generator.
    Generated,
}

impl AnswerMeta {
    pub(crate) fn of<A: Answer>(
        entry: &Entry<A>,
        source: Source,
        tier: Option<Tier>,
        age: Option<Duration>,
    ) -> Self {
        Self {
            cached_at: entry.cached_at_ms,
            cache_hit: matches!(source, Source::Cache | Source::Stale),
            source,
            age,
            tier,
            operation: entry.operation.clone(),
            text_length: entry.text_length,
            text_tier: entry.text_tier,
            finish: entry.finish,
            usage: entry.usage,
            refused: entry.refused,
        }
    }
}

fn tier_name<S: Serializer>(tier: &Option<Tier>, serializer: S) -> Result<S::Ok, S::Error> {
    match tier {
        Some(Tier::Local) => serializer.serialize_some("tier1"),
        Some(Tier::Store) => serializer.serialize_some("tier2"),
        _ => serializer.serialize_none(),
    }
}
