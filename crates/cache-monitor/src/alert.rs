//! Alerts: raised and taken back by a pure function of what was so before, what is measured and when, and the thresholds.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use cache_core::{BreakerState, Moment};
use serde::Serialize;

use crate::snapshot::{CacheSnapshot, Snapshot, Timing};
use crate::thresholds::Thresholds;

/// So many make a verdict on a share, whatever it is.
const ENOUGH: u64 = 5000;
/// So many reads make one on the hit ratio, and so many operations one on slow ones, if what they say cannot be chance.
const EARLY_READS: u64 = 100;
const EARLY_OPERATIONS: u64 = 20;
/// Memory has to fall below this share of its threshold until its alert is taken back.
const MEMORY_BACK: f64 = 0.9;
/// The hit ratio has to rise above its threshold by this.
const RATIO_BACK: f64 = 0.05;
/// The share of slow operations that raises an alert, and the one that takes it back.
const SLOW_SHARE: f64 = 0.01;
const SLOW_BACK: f64 = 0.005;

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AlertKind {
    /// Tier 1 holds much.
    Memory,
    /// Few reads find a value.
    HitRatio,
    /// Many operations are slow.
    SlowOperations,
    /// The store is not asked because it kept failing.
    Store,
}

impl AlertKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Memory, Self::HitRatio, Self::SlowOperations, Self::Store];

    /// The kind as one word, for labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::HitRatio => "hit_ratio",
            Self::SlowOperations => "slow_operations",
            Self::Store => "store",
        }
    }
}

/// How grave an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth a look.
    Warning,
    /// Worth getting up.
    Critical,
}

/// An alert that is up.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Alert {
    /// The cache that it is about.
    pub cache: String,
    /// What it is about.
    pub kind: AlertKind,
    /// How grave it is.
    pub severity: Severity,
    /// What was measured: bytes in tier 1, the hit ratio or the share of slow operations (0 to 1), for the store 1.
    pub value: f64,
    /// What it was compared with, in the same unit.
    pub threshold: f64,
    /// When it was raised, in milliseconds since 1970 by the wall clock.
    pub raised_unix_ms: u64,
}

/// An alert was raised, changed in gravity, or taken back.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "change", content = "alert")]
#[non_exhaustive]
pub enum AlertChange {
    /// It is up, and was not, or not as grave.
    Raised(Alert),
    /// It is not as grave as it was.
    Eased(Alert),
    /// It is no longer up.
    Cleared(Alert),
}

/// What is known between two judgements.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct AlertState {
    pub(crate) active: BTreeMap<(String, AlertKind), Alert>,
    windows: BTreeMap<String, Windows>,
}

/// Where the counters of a cache stood when its present windows began.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Windows {
    attached_at: Moment,
    hits: u64,
    reads: u64,
    slow: u64,
    operations: u64,
    slow_seen: u64,
    seen: u64,
}

/// What is found of one kind: as grave as `floor` whatever was so before, and as `ceiling` if it was so before.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Verdict {
    floor: Option<Severity>,
    ceiling: Option<Severity>,
    value: f64,
    /// What a warning is compared with, and what a critical alert is.
    thresholds: (f64, f64),
}

impl Verdict {
    /// Of a kind that has one severity: whether it is bad, and whether an alert would stay.
    fn of(severity: Severity, is_bad: bool, stays: bool, value: f64, threshold: f64) -> Self {
        let floor = is_bad.then_some(severity);
        let ceiling = (is_bad || stays).then_some(severity);
        Self { floor, ceiling, value, thresholds: (threshold, threshold) }
    }
}

/// What is up now, and what changed. The snapshot says when now is. Ratios are taken over what came since the last verdict,
/// until that is enough for the next, however long it takes.
pub(crate) fn judge(
    before: &AlertState,
    snapshot: &Snapshot,
    thresholds: &Thresholds,
) -> (AlertState, Vec<AlertChange>) {
    let (mut state, mut changes) = (AlertState::default(), Vec::new());
    let there = || snapshot.caches.iter().filter(|cache| cache.is_there);
    // Another cache may have come under the name since.
    let is_known = |cache: &CacheSnapshot| {
        before.windows.get(&cache.cache).is_some_and(|it| it.attached_at == cache.attached_at)
    };
    // Of caches that are gone nothing is up.
    let is_gone = |name: &str| !there().any(|cache| cache.cache == name && is_known(cache));
    let gone = before.active.iter().filter(|((cache, _), _)| is_gone(cache));
    changes.extend(gone.map(|(_, alert)| AlertChange::Cleared(alert.clone())));
    for cache in there() {
        let is_known = is_known(cache);
        let start = before.windows.get(&cache.cache).copied().filter(|_| is_known);
        let start = start.unwrap_or(Windows { attached_at: cache.attached_at, ..Windows::default() });
        let (windows, verdicts) = verdicts(cache, start, thresholds);
        state.windows.insert(cache.cache.clone(), windows);
        for (kind, verdict) in verdicts {
            let at = (cache.cache.clone(), kind);
            let old = before.active.get(&at).filter(|_| is_known);
            let new = next(old, verdict, &cache.cache, kind, snapshot.at_unix_ms);
            changes.extend(change(old, new.as_ref()));
            state.active.extend(new.map(|new| (at, new)));
        }
    }
    (state, changes)
}

fn change(old: Option<&Alert>, new: Option<&Alert>) -> Option<AlertChange> {
    match (old, new) {
        (None, Some(new)) => Some(AlertChange::Raised(new.clone())),
        (Some(old), Some(new)) if new.severity > old.severity => Some(AlertChange::Raised(new.clone())),
        (Some(old), Some(new)) if new.severity < old.severity => Some(AlertChange::Eased(new.clone())),
        (Some(old), None) => Some(AlertChange::Cleared(old.clone())),
        _ => None,
    }
}

/// The alert that is up from now on. Without a verdict it is the old one.
fn next(
    old: Option<&Alert>,
    verdict: Option<Verdict>,
    cache: &str,
    kind: AlertKind,
    at_unix_ms: u64,
) -> Option<Alert> {
    let Some(Verdict { floor, ceiling, value, thresholds }) = verdict else { return old.cloned() };
    let severity = old.map(|old| old.severity).min(ceiling).max(floor)?;
    Some(Alert {
        cache: cache.to_owned(),
        kind,
        severity,
        value,
        threshold: if severity == Severity::Critical { thresholds.1 } else { thresholds.0 },
        raised_unix_ms: old.map_or(at_unix_ms, |old| old.raised_unix_ms),
    })
}

/// Where the windows stand now, and what is found of each kind; nothing where there is not enough to go by.
fn verdicts(
    cache: &CacheSnapshot,
    start: Windows,
    thresholds: &Thresholds,
) -> (Windows, [(AlertKind, Option<Verdict>); 4]) {
    let mut windows = start;
    let reads = &cache.stats.reads;
    let (hits, all) = (reads.hits(), reads.total());
    let ratio = share(hits, start.hits, all, start.reads).and_then(|ratio| {
        let (seen, least) = (all - start.reads, thresholds.hit_ratio_warning);
        let chance = chance(least, seen);
        let is_bad = ratio + chance < least;
        let is_good = least <= 0.0 || ratio >= (least + RATIO_BACK).min(1.0) && ratio >= least + chance;
        is_verdict(seen, EARLY_READS, is_bad || is_good).then(|| {
            (windows.hits, windows.reads) = (hits, all);
            Verdict::of(Severity::Warning, is_bad, !is_good, ratio, least)
        })
    });
    let judged = || cache.reads.iter().chain(&cache.store).chain(&cache.writes);
    let sum = |of: fn(&Timing) -> u64| judged().map(of).sum::<u64>();
    let (slow, operations) = (sum(|timing| timing.slow), sum(|timing| timing.count));
    let (slow_seen, seen) = (sum(|timing| timing.slow_seen), sum(|timing| timing.seen));
    let slowness = share(slow, start.slow, operations, start.operations).and_then(|share| {
        // What is timed for many others is seen once all the same, and once is chance.
        let (came, slow_came) = (seen.checked_sub(start.seen)?, slow_seen.saturating_sub(start.slow_seen));
        let chance = chance(SLOW_SHARE, came);
        let is_bad = slow_came > 1 && share >= SLOW_SHARE + chance;
        let is_good = share < SLOW_BACK && share + chance < SLOW_SHARE;
        is_verdict(came, EARLY_OPERATIONS, is_bad || is_good).then(|| {
            (windows.slow, windows.operations) = (slow, operations);
            (windows.slow_seen, windows.seen) = (slow_seen, seen);
            Verdict::of(Severity::Warning, is_bad, !is_good, share, SLOW_SHARE)
        })
    });
    let breaker = cache.stats.breaker.state;
    let (is_open, is_shut) = (breaker == BreakerState::Open, breaker == BreakerState::Closed);
    let store = Verdict::of(Severity::Critical, is_open, !is_shut, f64::from(!is_shut), 1.0);
    let verdicts = [
        (AlertKind::Memory, Some(memory(cache.stats.memory_usage.bytes as f64, thresholds))),
        (AlertKind::HitRatio, ratio),
        (AlertKind::SlowOperations, slowness),
        (AlertKind::Store, Some(store)),
    ];
    (windows, verdicts)
}

/// The share of what came since the window began, if anything did.
fn share(part: u64, part_before: u64, all: u64, all_before: u64) -> Option<f64> {
    let came = all.checked_sub(all_before)?;
    (came > 0).then(|| part.saturating_sub(part_before) as f64 / came as f64)
}

/// Whether what was seen is enough for a verdict, which is early if it is clear.
fn is_verdict(seen: u64, early: u64, is_clear: bool) -> bool {
    seen >= ENOUGH || seen >= early && is_clear
}

/// How far chance alone takes a share of so many from what it is: three standard deviations. What is enough is believed.
fn chance(share: f64, seen: u64) -> f64 {
    if seen >= ENOUGH { 0.0 } else { 3.0 * (share * (1.0 - share) / seen.max(1) as f64).sqrt() }
}

fn memory(bytes: f64, thresholds: &Thresholds) -> Verdict {
    let (warning, critical) = (thresholds.memory_warning as f64, thresholds.memory_critical as f64);
    let grave = |share: f64| {
        if bytes >= critical * share {
            Some(Severity::Critical)
        } else {
            (bytes >= warning * share).then_some(Severity::Warning)
        }
    };
    Verdict { floor: grave(1.0), ceiling: grave(MEMORY_BACK), value: bytes, thresholds: (warning, critical) }
}
