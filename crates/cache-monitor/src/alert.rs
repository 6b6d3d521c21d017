//! Alerts: raised and taken back by a pure function of what was so before, what is measured and when, and the thresholds.

use std::collections::BTreeMap;

use cache_core::{BreakerState, Moment};
use serde::Serialize;

use crate::snapshot::{CacheSnapshot, Snapshot};
use crate::thresholds::Thresholds;

/// So many reads are needed for a verdict on the hit ratio, and so many operations for one on slow ones.
const ENOUGH_READS: u64 = 100;
const ENOUGH_OPERATIONS: u64 = 20;
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
/// once that is enough, however long it takes.
pub(crate) fn judge(
    before: &AlertState,
    snapshot: &Snapshot,
    thresholds: &Thresholds,
) -> (AlertState, Vec<AlertChange>) {
    let (mut state, mut changes) = (AlertState::default(), Vec::new());
    for cache in snapshot.caches.iter().filter(|cache| cache.is_there) {
        // Another cache may have come under the name since.
        let start =
            before.windows.get(&cache.cache).copied().filter(|it| it.attached_at == cache.attached_at);
        let start = start.unwrap_or(Windows { attached_at: cache.attached_at, ..Windows::default() });
        let (windows, verdicts) = verdicts(cache, start, thresholds);
        state.windows.insert(cache.cache.clone(), windows);
        for (kind, verdict) in verdicts {
            let at = (cache.cache.clone(), kind);
            let old = before.active.get(&at);
            let new = next(old, verdict, &cache.cache, kind, snapshot.at_unix_ms);
            changes.extend(change(old, new.as_ref()));
            state.active.extend(new.map(|new| (at, new)));
        }
    }
    // Of caches that are gone nothing is up.
    let gone = before.active.iter().filter(|((cache, _), _)| !state.windows.contains_key(cache));
    changes.extend(gone.map(|(_, alert)| AlertChange::Cleared(alert.clone())));
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
    let ratio = share(hits, start.hits, all, start.reads, ENOUGH_READS).map(|ratio| {
        (windows.hits, windows.reads) = (hits, all);
        let least = thresholds.hit_ratio_warning;
        let stays = ratio < (least + RATIO_BACK).min(1.0);
        Verdict::of(Severity::Warning, ratio < least, stays && least > 0.0, ratio, least)
    });
    let judged = || cache.reads.iter().chain(&cache.store).chain(&cache.writes);
    let (slow, operations) =
        (judged().map(|timing| timing.slow).sum(), judged().map(|timing| timing.count).sum());
    let slowness = share(slow, start.slow, operations, start.operations, ENOUGH_OPERATIONS).map(|share| {
        (windows.slow, windows.operations) = (slow, operations);
        Verdict::of(Severity::Warning, share >= SLOW_SHARE, share >= SLOW_BACK, share, SLOW_SHARE)
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

/// The share of what came since the window began, if that is enough.
fn share(part: u64, part_before: u64, all: u64, all_before: u64, enough: u64) -> Option<f64> {
    let came = all.checked_sub(all_before)?;
    (came >= enough).then(|| part.saturating_sub(part_before) as f64 / came as f64)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::snapshot::Timing;

    fn with(change: impl FnOnce(&mut CacheSnapshot)) -> Snapshot {
        let mut cache = CacheSnapshot { cache: "app".to_owned(), is_there: true, ..Default::default() };
        change(&mut cache);
        Snapshot { at_unix_ms: 7, caches: vec![cache], ..Default::default() }
    }

    fn memory_of(bytes: u64) -> Snapshot {
        with(|cache| cache.stats.memory_usage.bytes = bytes)
    }

    fn reads(hits: u64, misses: u64) -> Snapshot {
        with(|cache| (cache.stats.reads.tier1_hits, cache.stats.reads.misses) = (hits, misses))
    }

    fn slow(slow: u64, count: u64) -> Snapshot {
        with(|cache| cache.reads = vec![Timing { slow, count, ..Default::default() }])
    }

    /// What is up of this kind after each of these, and how many changes there were.
    fn run(kind: AlertKind, steps: &[Snapshot]) -> (Vec<Option<Severity>>, usize) {
        let (mut state, mut up, mut changed) = (AlertState::default(), Vec::new(), 0);
        for step in steps {
            let changes;
            (state, changes) = judge(&state, step, &Thresholds::default());
            changed += changes.len();
            up.push(state.active.get(&("app".to_owned(), kind)).map(|alert| alert.severity));
        }
        (up, changed)
    }

    const MB: u64 = 1_000_000;
    const UP: Option<Severity> = Some(Severity::Warning);
    const GRAVE: Option<Severity> = Some(Severity::Critical);

    #[test]
    fn memory_is_worth_a_warning_and_then_critical_and_wavers_not() {
        let steps = [49, 50, 49, 46, 44, 60, 100, 95, 91, 89, 120, 20].map(|mb| memory_of(mb * MB));
        let up = vec![None, UP, UP, UP, None, UP, GRAVE, GRAVE, GRAVE, UP, GRAVE, None];
        assert_eq!(run(AlertKind::Memory, &steps), (up, 7));
    }

    #[test]
    fn the_hit_ratio_is_judged_over_enough_reads_since_the_last_verdict() {
        // Few reads; then bad; then a window that is too short; good enough to stay; good enough to end.
        let steps =
            [reads(0, 99), reads(50, 100), reads(50, 120), reads(110, 160), reads(310, 200), reads(310, 400)];
        let up = vec![None, UP, UP, UP, None, UP];
        assert_eq!(run(AlertKind::HitRatio, &steps), (up, 3));
    }

    #[test]
    fn one_in_a_hundred_may_not_be_slow() {
        let steps = [slow(1, 19), slow(1, 20), slow(1, 30), slow(2, 220), slow(2, 1000)];
        assert_eq!(run(AlertKind::SlowOperations, &steps), (vec![None, UP, UP, UP, None], 2));
    }

    #[test]
    fn a_store_that_is_given_up_is_critical_until_it_works_again() {
        let step = |state| with(|cache| cache.stats.breaker.state = state);
        let states =
            [BreakerState::HalfOpen, BreakerState::Open, BreakerState::HalfOpen, BreakerState::Closed];
        assert_eq!(run(AlertKind::Store, &states.map(step)), (vec![None, GRAVE, GRAVE, None], 2));
    }

    #[test]
    fn of_a_cache_that_is_gone_nothing_is_up() {
        let mut gone = memory_of(60 * MB);
        gone.caches[0].is_there = false;
        assert_eq!(run(AlertKind::Memory, &[memory_of(60 * MB), gone]), (vec![UP, None], 2));
    }

    #[test]
    fn an_alert_says_what_was_measured_and_since_when() {
        let (state, changes) = judge(&AlertState::default(), &memory_of(60 * MB), &Thresholds::default());
        let alert = state.active.values().next().unwrap();
        assert_eq!((alert.value, alert.threshold, alert.raised_unix_ms), (6e7, 5e7, 7));
        assert_eq!(changes, [AlertChange::Raised(alert.clone())]);
    }

    proptest! {
        /// Whatever happens, what is up agrees with the changes that were told, an alert is up where the threshold is
        /// passed, and none where it is missed by the margin.
        #[test]
        fn changes_add_up_to_what_is_up(sizes in prop::collection::vec(0_u64..150, 1..60)) {
            let thresholds = Thresholds::default();
            let (mut state, mut told) = (AlertState::default(), None);
            for mb in sizes {
                let (next, changes) = judge(&state, &memory_of(mb * MB), &thresholds);
                for change in changes {
                    told = match change {
                        AlertChange::Raised(alert) => {
                            prop_assert!(told < Some(alert.severity));
                            Some(alert.severity)
                        }
                        AlertChange::Eased(alert) => {
                            prop_assert!(told > Some(alert.severity));
                            Some(alert.severity)
                        }
                        AlertChange::Cleared(alert) => {
                            prop_assert_eq!(told, Some(alert.severity));
                            None
                        }
                    };
                }
                let up = next.active.values().next().map(|alert| alert.severity);
                prop_assert_eq!(up, told);
                prop_assert_eq!(judge(&next, &memory_of(mb * MB), &thresholds).1, []);
                let (least, most) = match mb {
                    100.. => (GRAVE, GRAVE),
                    90..100 => (UP, GRAVE),
                    50..90 => (UP, UP),
                    45..50 => (None, UP),
                    _ => (None, None),
                };
                prop_assert!(least <= up && up <= most, "{} {:?}", mb, up);
                state = next;
            }
        }
    }
}
