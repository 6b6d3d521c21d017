use proptest::prelude::*;

use super::*;

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
    sampled(slow, count, 1)
}

/// Of what stands for so many others each.
fn sampled(slow_seen: u64, seen: u64, times: u64) -> Snapshot {
    let (slow, count) = (slow_seen * times, seen * times);
    with(|cache| cache.reads = vec![Timing { slow, count, slow_seen, seen, ..Default::default() }])
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
    // Few reads; then bad; then a window that is too short; one that is not clear; clearly good; clearly bad.
    let steps =
        [reads(0, 99), reads(50, 100), reads(50, 120), reads(110, 160), reads(310, 200), reads(310, 400)];
    let up = vec![None, UP, UP, UP, None, UP];
    assert_eq!(run(AlertKind::HitRatio, &steps), (up, 3));
}

#[test]
fn one_in_a_hundred_may_not_be_slow() {
    // Few; one is chance; two are not; not enough to take it back; enough.
    let steps = [slow(2, 19), slow(1, 20), slow(2, 25), slow(3, 825), slow(4, 1625)];
    assert_eq!(run(AlertKind::SlowOperations, &steps), (vec![None, None, UP, UP, None], 2));
}

#[test]
fn one_measurement_that_stands_for_many_is_no_alert() {
    let one = with(|cache| {
        let store = Timing { count: 1000, seen: 1000, ..Default::default() };
        let memory = Timing { count: 256, seen: 1, slow: 256, slow_seen: 1, ..Default::default() };
        cache.reads = vec![store, memory];
    });
    assert_eq!(run(AlertKind::SlowOperations, &[one]), (vec![None], 0));
    assert_eq!(run(AlertKind::SlowOperations, &[sampled(1, 30, 256)]), (vec![None], 0));
    assert_eq!(run(AlertKind::SlowOperations, &[sampled(3, 30, 256)]), (vec![UP], 1));
}

/// Throws a die with so many sides, the same each time.
fn die() -> impl FnMut(u64) -> u64 {
    let mut state = 88_172_645_463_325_252_u64;
    move |sides| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % sides
    }
}

#[test]
fn what_is_steady_around_a_threshold_does_not_flap() {
    let mut die = die();
    for a_check in [20, 100, 1000, 5000] {
        for percent in [57, 60, 62, 64] {
            let (mut hits, mut all) = (0, 0);
            let hour = (0..360).map(|_| {
                hits += (0..a_check).filter(|_| die(100) < percent).count() as u64;
                all += a_check;
                reads(hits, all - hits)
            });
            let (up, changes) = run(AlertKind::HitRatio, &hour.collect::<Vec<_>>());
            assert!(changes <= 4, "{changes} changes in an hour, {percent} %, {a_check} reads a check");
            assert!(percent >= 60 || all < 10_000 || up.contains(&UP), "{percent} % {a_check}");
        }
        for one_in in [90, 150] {
            let (mut bad, mut all) = (0, 0);
            let hour = (0..360).map(|_| {
                bad += (0..a_check).filter(|_| die(one_in) == 0).count() as u64;
                all += a_check;
                slow(bad, all)
            });
            let (_, changes) = run(AlertKind::SlowOperations, &hour.collect::<Vec<_>>());
            assert!(changes <= 4, "{changes} changes in an hour, one in {one_in}, {a_check} a check");
        }
    }
}

#[test]
fn a_cache_that_came_under_the_name_of_another_is_judged_for_itself() {
    let anew = |snapshot: &mut Snapshot| {
        snapshot.caches[0].attached_at = Moment::START + std::time::Duration::from_secs(61);
    };
    // The old one had many hits; of the new one nearly nothing is found.
    let mut bad = reads(10, 20_000);
    anew(&mut bad);
    assert_eq!(run(AlertKind::HitRatio, &[reads(100_000, 0), bad]), (vec![None, UP], 1));
    // The old one had many misses, which raised an alert; it is over with it.
    let mut good = reads(20_000, 300);
    anew(&mut good);
    assert_eq!(run(AlertKind::HitRatio, &[reads(0, 10_000), good]), (vec![UP, None], 2));
    // What is up is told as the new one's.
    let mut full = memory_of(60 * MB);
    anew(&mut full);
    assert_eq!(run(AlertKind::Memory, &[memory_of(60 * MB), full]), (vec![UP, UP], 3));
}

#[test]
fn a_store_that_is_given_up_is_critical_until_it_works_again() {
    let step = |state| with(|cache| cache.stats.breaker.state = state);
    let states = [BreakerState::HalfOpen, BreakerState::Open, BreakerState::HalfOpen, BreakerState::Closed];
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
