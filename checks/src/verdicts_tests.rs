use super::*;
use crate::keys::layout;
use crate::log::Slow;

const MS: u64 = 1_000_000;
const LEASE: u64 = 1_000 * MS;

/// Two processes: `cached:0` is written by the first, `plain:0` from outside, `loaded:0` is loaded.
struct Case {
    keys: Vec<KeySpec>,
    logs: Vec<ProcessLog>,
    outside: Vec<Write>,
    flushes: Vec<Span>,
    looks: Vec<Look>,
    stalls: Stalls,
}

impl Case {
    fn new() -> Self {
        let keys = layout(2, true);
        let handle = || vec![HandleLog::new("reader", keys.len())];
        let logs = (0..2).map(|process| ProcessLog { process, handles: handle(), ..ProcessLog::default() });
        let (logs, stalls) = (logs.collect(), Stalls::default());
        Self { logs, keys, outside: Vec::new(), flushes: Vec::new(), looks: Vec::new(), stalls }
    }

    fn key(&self, name: &str) -> usize {
        self.keys.iter().position(|key| key.name == name).unwrap()
    }

    /// A version that was sent at a time and acknowledged 1 ms later; all in milliseconds.
    fn write(&mut self, name: &str, version: u32, sent: u64) -> &mut Write {
        let (key, sent) = (self.key(name), sent * MS);
        let write = Write { key, version, sent, acked: sent + MS, here: sent + MS, ..Write::default() };
        let to = match self.keys[key].writer {
            Writer::Process(process) => &mut self.logs[process].writes,
            Writer::Outside => &mut self.outside,
        };
        to.push(write);
        to.last_mut().unwrap()
    }

    /// Reads of the handle of one process from one time to another.
    fn read(&mut self, process: usize, name: &str, version: u32, sent: u64, from: u64, to: u64) -> &mut Run {
        let key = self.key(name);
        let runs = &mut self.logs[process].handles[0].runs[key];
        runs.push(Run { version, sent: sent * MS, first: from * MS, last: to * MS, marked: 0 });
        runs.last_mut().unwrap()
    }

    fn judge(&self) -> Verdicts {
        judge(&Evidence {
            keys: &self.keys,
            logs: &self.logs,
            outside: &self.outside,
            flushes: &self.flushes,
            looks: &self.looks,
            stalls: &self.stalls,
            waits: &self.stalls,
            keeps_data: true,
            lease: LEASE,
        })
    }

    fn look(&mut self, name: &str, found: [Option<u32>; 2]) {
        let key = self.key(name);
        let look = |version| {
            let mut look = vec![(None, None); self.keys.len()];
            look[key] = (None, version);
            look
        };
        self.looks = found.map(look).to_vec();
    }
}

#[test]
fn nothing_is_wrong_with_fresh_reads() {
    let mut case = Case::new();
    case.write("plain:0", 1, 10);
    case.write("plain:0", 2, 100);
    case.read(0, "plain:0", 1, 10, 11, 100);
    case.read(0, "plain:0", 2, 100, 100, 5_000);
    let verdicts = case.judge();
    assert_eq!((verdicts.broken(), verdicts.staleness.max), (0, 0), "{:?}", verdicts.details);
}

#[test]
fn staleness_counts_from_the_acknowledgement_of_the_next_version_and_ends_with_the_lease() {
    for (last, beyond) in [(1_101, 0), (1_102, 1)] {
        let mut case = Case::new();
        case.write("plain:0", 1, 10);
        case.write("plain:0", 2, 100);
        case.write("plain:0", 3, 200);
        case.read(1, "plain:0", 1, 10, 11, last);
        let verdicts = case.judge();
        assert_eq!(verdicts.beyond_lease_unmarked, beyond);
        assert_eq!(verdicts.staleness.max, (last - 101) * MS);
        assert_eq!(verdicts.staleness.outside_net, (last - 101) * MS);
        assert_eq!(verdicts.broken(), beyond);
    }
}

#[test]
fn a_coarse_clock_that_lags_stretches_the_lease_by_what_it_lags_beyond_its_allowance() {
    let mut case = Case::new();
    case.write("plain:0", 1, 10);
    case.write("plain:0", 2, 100);
    case.read(1, "plain:0", 1, 10, 11, 1_110);
    assert_eq!(case.judge().beyond_lease_unmarked, 1);
    case.logs[1].coarse_lag = 20 * MS;
    assert_eq!(case.judge().beyond_lease_unmarked, 0);
}

#[test]
fn marked_answers_and_writes_without_an_acknowledgement_make_nothing_stale() {
    let mut case = Case::new();
    case.write("plain:0", 1, 10);
    case.write("plain:0", 2, 100);
    let run = case.read(1, "plain:0", 1, 10, 11, 500);
    run.marked = 9_000 * MS;
    case.write("plain:1", 1, 10);
    case.write("plain:1", 2, 100).acked = 0;
    case.read(1, "plain:1", 1, 10, 11, 9_000);
    assert_eq!(case.judge().broken(), 0);
}

#[test]
fn a_flush_supersedes_what_was_acknowledged_before_it() {
    let mut case = Case::new();
    case.write("plain:0", 1, 10);
    case.flushes = vec![Span { from: 50 * MS, to: 60 * MS }];
    case.read(1, "plain:0", 1, 10, 11, 2_000);
    case.read(1, "loaded:0", 1, 10, 11, 2_000);
    case.write("loaded:0", 1, 10);
    let verdicts = case.judge();
    assert_eq!((verdicts.beyond_lease_unmarked, verdicts.staleness.flush_net), (1, 1_940 * MS));
}

#[test]
fn stalls_are_taken_off_the_net_staleness_and_off_calls() {
    let mut case = Case::new();
    case.write("plain:0", 1, 10);
    case.write("plain:0", 2, 100);
    case.read(1, "plain:0", 1, 10, 11, 201);
    let slow = |to| Slow { operation: "get".into(), span: Span { from: 0, to }, bound: 250 * MS };
    case.logs[0].handles[0].slow = vec![slow(420 * MS), slow(470 * MS)];
    case.stalls = Stalls::of(vec![Span { from: 110 * MS, to: 200 * MS }]);
    let verdicts = case.judge();
    assert_eq!((verdicts.staleness.max, verdicts.staleness.net), (100 * MS, 10 * MS));
    assert_eq!(verdicts.hangs, 1);
}

#[test]
fn whoever_wrote_reads_it_marked_or_not() {
    for marked in [false, true] {
        let mut case = Case::new();
        case.write("cached:0", 1, 10);
        case.write("cached:0", 2, 100).acked = 0;
        let run = case.read(0, "cached:0", 1, 10, 11, 102);
        if marked {
            (run.last, run.marked) = (20 * MS, 102 * MS);
        }
        case.read(1, "cached:0", 1, 10, 11, 102);
        assert_eq!(case.judge().own_write_lost, 1, "one process wrote it, the other did not");
    }
}

#[test]
fn an_older_version_after_a_newer_one_went_back() {
    let mut case = Case::new();
    for version in 1..=3 {
        case.write("plain:0", version, 10 * u64::from(version));
        case.write("loaded:0", version, 10 * u64::from(version));
    }
    for name in ["plain:0", "loaded:0"] {
        // Read before the removal of its predecessor was acknowledged.
        case.read(0, name, 2, 20, 20, 20);
        case.read(0, name, 1, 10, 21, 22);
    }
    assert_eq!(case.judge().went_back, 1, "what is loaded may be newer than what is stored");
    case.read(1, "loaded:0", 2, 20, 25, 25);
    case.read(1, "loaded:0", 1, 10, 26, 26);
    assert_eq!(case.judge().went_back, 2, "but not after the removal");
    case.read(1, "plain:0", 2, 20, 25, 25);
    *case.read(1, "plain:0", 1, 10, 26, 0) =
        Run { version: 1, sent: 10 * MS, marked: 26 * MS, ..Run::default() };
    assert_eq!(case.judge().went_back, 2, "and not if it says so");
}

#[test]
fn what_nobody_wrote_is_impossible() {
    let mut case = Case::new();
    case.write("plain:0", 1, 10);
    case.write("plain:0", 2, 20).gone = true;
    case.read(0, "plain:0", 1, 11, 12, 12);
    case.read(0, "plain:0", 2, 20, 21, 21);
    case.read(0, "plain:0", 3, 30, 31, 31);
    assert_eq!(case.judge().impossible, 3, "another time, a removal, an unknown version");
}

#[test]
fn in_the_end_everybody_sees_the_last_version() {
    let table = [
        ([Some(2), Some(2)], 0, 0),
        ([Some(2), Some(1)], 2, 0),
        ([Some(1), Some(1)], 2, 0),
        ([Some(2), None], 0, 1),
        ([None, None], 0, 1),
    ];
    for (found, stale, lost) in table {
        let mut case = Case::new();
        case.write("plain:0", 1, 10);
        case.write("plain:0", 2, 20);
        case.look("plain:0", found);
        let verdicts = case.judge();
        assert_eq!((verdicts.permanently_stale, verdicts.acked_lost), (stale, lost), "{found:?}");
    }
}

#[test]
fn what_was_flushed_or_never_acknowledged_may_be_missing() {
    let mut case = Case::new();
    case.write("plain:0", 1, 10);
    case.write("plain:0", 2, 20).acked = 0;
    case.write("plain:1", 1, 10);
    case.look("plain:1", [None, None]);
    case.flushes = vec![Span { from: 30 * MS, to: 40 * MS }];
    assert_eq!(case.judge().broken(), 0);
}
