//! What goes into tier 1: by the size of the text.
//!
//! Stands in front of the real tier, so that it holds for whatever brings a value: a write, a load, a read of the store.
//! Only where there is a store behind: without one tier 1 is all there is.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use cache_core::{Fill, FillToken, Filled, LocalEntry, LocalTier, LocalUsage, Moment, Value, Version};
use serde::Serialize;

use crate::key::Named;
use crate::text_tier::TextTier;

/// When an answer is copied into tier 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Admit {
    /// Always.
    Always,
    /// If the operation is stable, or after so many hits in the store: 0 (at once) to 255. Hits are counted in 4096 counters, so
    /// two keys that share one are let in a little early.
    StableOrAfter(u8),
    /// If the operation is stable.
    Stable,
    /// Never.
    Never,
}

/// When answers are copied into tier 1, by the size of the text that was asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdmissionPolicy {
    /// Always, by default.
    pub small: Admit,
    /// For stable operations or after 10 hits, by default.
    pub medium: Admit,
    /// For stable operations, by default.
    pub large: Admit,
    /// Never, by default.
    pub xlarge: Admit,
}

impl Default for AdmissionPolicy {
    fn default() -> Self {
        Self {
            small: Admit::Always,
            medium: Admit::StableOrAfter(10),
            large: Admit::Stable,
            xlarge: Admit::Never,
        }
    }
}

impl AdmissionPolicy {
    /// All answers, whatever their size.
    pub fn all() -> Self {
        let always = Admit::Always;
        Self { small: always, medium: always, large: always, xlarge: always }
    }

    /// This policy, with another answer for texts of this tier.
    #[must_use]
    pub fn with(mut self, tier: TextTier, admit: Admit) -> Self {
        *match tier {
            TextTier::Small => &mut self.small,
            TextTier::Medium => &mut self.medium,
            TextTier::Large => &mut self.large,
            TextTier::XLarge => &mut self.xlarge,
        } = admit;
        self
    }

    fn of(&self, tier: TextTier) -> Admit {
        match tier {
            TextTier::Small => self.small,
            TextTier::Medium => self.medium,
            TextTier::Large => self.large,
            TextTier::XLarge => self.xlarge,
        }
    }
}

/// How many answers were and were not copied into tier 1, by the size of the text. All zero where there is no store, because
/// everything goes into tier 1 then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AdmissionStats {
    /// Copied, for small, medium, large and xlarge texts.
    pub admitted: [u64; 4],
    /// Not copied because of the text's size.
    pub refused: [u64; 4],
}

/// Counters of hits in the store. Two keys that share one are admitted a little early.
const COUNTERS: usize = 4096;

/// A tier 1 that takes in what the policy says.
pub(crate) struct AdmittingTier {
    tier: Arc<dyn LocalTier>,
    policy: AdmissionPolicy,
    /// Escaped, as in names.
    stable: HashSet<String>,
    hits: Box<[AtomicU8]>,
    admitted: [AtomicU64; 4],
    refused: [AtomicU64; 4],
}

impl fmt::Debug for AdmittingTier {
    /// Without the counters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdmittingTier")
            .field("tier", &self.tier)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl AdmittingTier {
    pub(crate) fn new(tier: Arc<dyn LocalTier>, policy: AdmissionPolicy, stable: HashSet<String>) -> Self {
        let hits = (0..COUNTERS).map(|_| AtomicU8::new(0)).collect();
        let (admitted, refused) = Default::default();
        Self { tier, policy, stable, hits, admitted, refused }
    }

    pub(crate) fn stats(&self) -> AdmissionStats {
        let read = |counts: &[AtomicU64; 4]| counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        AdmissionStats { admitted: read(&self.admitted), refused: read(&self.refused) }
    }

    fn admits(&self, hash: u64, named: &Named<'_>, fill: Fill) -> bool {
        let is_stable = || self.stable.contains(named.operation);
        match self.policy.of(named.tier) {
            Admit::Always => true,
            Admit::Never => false,
            Admit::Stable => is_stable(),
            Admit::StableOrAfter(hits) => is_stable() || self.hits_so_far(hash, fill) >= hits,
        }
    }

    /// Hits of the key in the store, this one included if it is one.
    fn hits_so_far(&self, hash: u64, fill: Fill) -> u8 {
        #[allow(clippy::cast_possible_truncation, reason = "any bits will do")]
        let count = &self.hits[hash as usize % COUNTERS];
        if matches!(fill, Fill::Promote(_)) {
            let raised = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |it| it.checked_add(1));
            return raised.map_or(u8::MAX, |before| before + 1);
        }
        count.load(Ordering::Relaxed)
    }
}

impl LocalTier for AdmittingTier {
    fn get_fresh(&self, hash: u64, key: &str, now: Moment, marks: u64) -> Option<Value> {
        self.tier.get_fresh(hash, key, now, marks)
    }

    fn get(&self, hash: u64, key: &str, now: Moment) -> Option<LocalEntry> {
        self.tier.get(hash, key, now)
    }

    fn token(&self, hash: u64) -> FillToken {
        self.tier.token(hash)
    }

    fn insert(&self, hash: u64, key: &str, entry: LocalEntry, fill: Fill) -> Filled {
        // What the store could not take is this process's to serve, whatever its size.
        let named = if entry.meta.local_only { None } else { Named::of(key) };
        let Some(named) = named else {
            return self.tier.insert(hash, key, entry, fill);
        };
        let at = named.tier as usize;
        if self.admits(hash, &named, fill) {
            self.admitted[at].fetch_add(1, Ordering::Relaxed);
            return self.tier.insert(hash, key, entry, fill);
        }
        self.refused[at].fetch_add(1, Ordering::Relaxed);
        // An older value must not outlive a newer one that is not let in. A read of the store brings nothing newer.
        if !matches!(fill, Fill::Promote(_)) {
            self.tier.remove(hash, key);
        }
        Filled::TooLarge
    }

    fn replace_value(&self, hash: u64, key: &str, version: &Version, value: Value) {
        self.tier.replace_value(hash, key, version, value);
    }

    fn vouch(&self, hash: u64, key: &str, version: &Version, marks: u64) {
        self.tier.vouch(hash, key, version, marks);
    }

    fn expire(&self, hash: u64, key: &str, now: Moment) -> bool {
        self.tier.expire(hash, key, now)
    }

    fn remove(&self, hash: u64, key: &str) -> bool {
        self.tier.remove(hash, key)
    }

    fn retire(&self) -> u64 {
        self.tier.retire()
    }

    fn for_each(&self, now: Moment, visit: &mut dyn FnMut(&str, &LocalEntry)) {
        self.tier.for_each(now, visit);
    }

    fn usage(&self) -> LocalUsage {
        self.tier.usage()
    }
}
