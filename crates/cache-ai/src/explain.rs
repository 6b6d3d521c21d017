//! What a key is made of, for people.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::cache::Shared;
use crate::canonical;
use crate::digest::Digest;
use crate::key::Keyed;
use crate::operation::OperationPolicy;
use crate::question::Question;
use crate::text_tier::TextTier;

/// What the key of a request is made of, and what follows from the request.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// Length of the text, in characters.
    pub text_length: usize,
    /// Its tier.
    pub text_tier: TextTier,
    /// Whether the text stands readable in the key, or only its digest.
    pub text_is_readable: bool,
    /// The operation.
    pub operation: String,
    /// The options that went in, as JSON in canonical order, those that the operation's schema adds included.
    pub options: String,
    /// The storage name.
    pub key: String,
    /// Its length in bytes.
    pub key_length: usize,
    /// What answers are compared by.
    pub digest: Digest,
    /// How long the answer would be fresh, with factors, jitter and clamps.
    pub ttl: Duration,
    /// What it can be invalidated by.
    pub tags: Vec<String>,
    /// Whether temperature 0 was given.
    pub is_deterministic: bool,
}

impl Explanation {
    pub(crate) fn of(
        shared: &Shared,
        policy: &OperationPolicy,
        question: &Question<'_>,
        keyed: Keyed,
    ) -> Self {
        Self {
            text_length: keyed.text_length,
            text_tier: keyed.text_tier,
            text_is_readable: keyed.is_readable,
            options: canonical::to_json(question.options()),
            ttl: shared.operations.ttl(policy, keyed.text_tier, &keyed.digest),
            tags: keyed.tags(),
            operation: keyed.operation,
            key_length: keyed.name.len(),
            key: keyed.name,
            digest: keyed.digest,
            is_deterministic: keyed.is_deterministic,
        }
    }

    /// The options as a value of JSON.
    pub fn options_value(&self) -> Value {
        serde_json::from_str(&self.options).unwrap_or_default()
    }
}
