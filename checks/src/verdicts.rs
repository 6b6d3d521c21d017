//! What the notes of all processes prove. Pure: times in, verdicts out.

use serde::Serialize;

use crate::child::Look;
use crate::keys::{KeySpec, Kind, Writer};
use crate::log::{HandleLog, ProcessLog, Run, Span, Write};
use crate::stalls::Stalls;

/// What the lease is shorter by, for a coarse clock that lags.
const LAG: u64 = 10_000_000;
/// What a call may take beyond its bound on a machine that has other things to do.
const SLACK: u64 = 100_000_000;
/// So many are told in words.
const DETAILS: usize = 12;

/// All that was noted down under one fault.
pub(crate) struct Evidence<'a> {
    pub(crate) keys: &'a [KeySpec],
    pub(crate) logs: &'a [ProcessLog],
    /// What was written from outside.
    pub(crate) outside: &'a [Write],
    pub(crate) flushes: &'a [Span],
    /// What each process finds in the end.
    pub(crate) looks: &'a [Look],
    /// When some process of the check did not run.
    pub(crate) stalls: &'a Stalls,
    /// The same, and when the server kept others waiting.
    pub(crate) waits: &'a Stalls,
    /// Whether the server kept what it was given, but for flushes.
    pub(crate) keeps_data: bool,
    /// In nanoseconds.
    pub(crate) lease: u64,
}

/// How often each promise was broken. Staleness is the time from the acknowledgement of a newer version to the beginning
/// of a read that still brought an older one without saying so.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Verdicts {
    pub(crate) wrong_key: u64,
    pub(crate) beyond_lease_unmarked: u64,
    pub(crate) impossible: u64,
    pub(crate) went_back: u64,
    pub(crate) own_write_lost: u64,
    pub(crate) hangs: u64,
    pub(crate) acked_lost: u64,
    pub(crate) permanently_stale: u64,
    #[serde(skip)]
    pub(crate) staleness: Staleness,
    #[serde(skip)]
    pub(crate) details: Vec<String>,
}

/// In nanoseconds; `net` is without the time in which some process of the check did not run, or the server let others wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Staleness {
    pub(crate) max: u64,
    pub(crate) net: u64,
    /// Of what was changed by plain commands, without flushes.
    pub(crate) outside_net: u64,
    pub(crate) flush_net: u64,
    /// How old values were that had been superseded when a handle read them last, by [`BUCKETS`].
    pub(crate) histogram: [u64; BUCKETS.len() + 1],
}

/// Upper ends of the histogram's buckets in nanoseconds: 0, 1, 2, 5, 10, 50, 100, 500 and 1000 ms.
pub(crate) const BUCKETS: [u64; 9] =
    [0, 1_000_000, 2_000_000, 5_000_000, 10_000_000, 50_000_000, 100_000_000, 500_000_000, 1_000_000_000];

impl Verdicts {
    pub(crate) fn broken(&self) -> u64 {
        self.wrong_key
            + self.beyond_lease_unmarked
            + self.impossible
            + self.went_back
            + self.own_write_lost
            + self.hangs
            + self.acked_lost
            + self.permanently_stale
    }

    fn tell(&mut self, detail: impl FnOnce() -> String) {
        if self.details.len() < DETAILS {
            self.details.push(detail());
        }
    }
}

/// The versions of one key in order, and when each was superseded.
struct History {
    writes: Vec<Write>,
    /// By index: when the first later version was acknowledged; `u64::MAX` for never.
    superseded: Vec<u64>,
    /// By index: when the first later version held in its writer's process.
    superseded_here: Vec<u64>,
}

impl History {
    fn of(key: usize, all: &[&Write]) -> Self {
        let mut writes: Vec<Write> = all.iter().filter(|write| write.key == key).map(|it| **it).collect();
        writes.sort_by_key(|write| write.version);
        let later = |time: fn(&Write) -> u64| {
            let mut earliest = u64::MAX;
            let mut times: Vec<u64> = Vec::with_capacity(writes.len());
            for write in writes.iter().rev() {
                times.push(earliest);
                earliest = earliest.min(if time(write) == 0 { u64::MAX } else { time(write) });
            }
            times.reverse();
            times
        };
        let (superseded, superseded_here) = (later(|write| write.acked), later(|write| write.here));
        Self { writes, superseded, superseded_here }
    }

    fn place(&self, version: u32) -> Option<usize> {
        self.writes.binary_search_by_key(&version, |write| write.version).ok()
    }

    /// The oldest version that may be found in the end.
    fn floor(&self) -> u32 {
        let told = self.writes.iter().filter(|write| write.acked > 0 || write.here > 0);
        told.map(|write| write.version).max().unwrap_or(0)
    }
}

/// Judges all of it.
pub(crate) fn judge(evidence: &Evidence<'_>) -> Verdicts {
    let mut verdicts = Verdicts::default();
    let histories = histories(evidence);
    for log in evidence.logs {
        for handle in &log.handles {
            for text in &handle.wrong_key {
                verdicts.wrong_key += 1;
                verdicts.tell(|| format!("wrong key: {text}"));
            }
            for text in &handle.impossible {
                verdicts.impossible += 1;
                verdicts.tell(|| format!("impossible: {text}"));
            }
            hangs(evidence, handle, &mut verdicts);
            for (key, runs) in handle.runs.iter().enumerate() {
                let subject = Subject { evidence, log, handle, key, history: &histories[key] };
                subject.runs(runs, &mut verdicts);
            }
        }
    }
    let ended = end_of(evidence, &histories);
    for (lost, text) in ended {
        if lost {
            verdicts.acked_lost += 1;
        } else {
            verdicts.permanently_stale += 1;
        }
        verdicts.tell(|| text);
    }
    verdicts
}

fn histories(evidence: &Evidence<'_>) -> Vec<History> {
    let all: Vec<&Write> = evidence.logs.iter().flat_map(|log| &log.writes).chain(evidence.outside).collect();
    (0..evidence.keys.len()).map(|key| History::of(key, &all)).collect()
}

fn hangs(evidence: &Evidence<'_>, handle: &HandleLog, verdicts: &mut Verdicts) {
    for slow in &handle.slow {
        let took = evidence.stalls.without(slow.span);
        if took > slow.bound + SLACK {
            verdicts.hangs += 1;
            verdicts.tell(|| {
                let took = took / 1_000_000;
                format!("hang: {} of {} took {took} ms", slow.operation, handle.name)
            });
        }
    }
}

/// What one handle read of one key.
struct Subject<'a> {
    evidence: &'a Evidence<'a>,
    log: &'a ProcessLog,
    handle: &'a HandleLog,
    key: usize,
    history: &'a History,
}

impl Subject<'_> {
    fn runs(&self, runs: &[Run], verdicts: &mut Verdicts) {
        let mut newest: Option<&Run> = None;
        for run in runs {
            let Some(place) = self.place(run) else {
                verdicts.impossible += 1;
                verdicts.tell(|| self.about("impossible", run, "nobody wrote it"));
                continue;
            };
            self.staleness(run, place, verdicts);
            self.own(run, place, verdicts);
            match newest {
                Some(newer) if run.version < newer.version => self.back(run, place, newer, verdicts),
                _ => newest = Some(run),
            }
        }
    }

    fn place(&self, run: &Run) -> Option<usize> {
        let place = self.history.place(run.version)?;
        let write = &self.history.writes[place];
        (!write.gone && write.sent == run.sent).then_some(place)
    }

    fn staleness(&self, run: &Run, place: usize, verdicts: &mut Verdicts) {
        let write = &self.history.writes[place];
        let spec = &self.evidence.keys[self.key];
        let superseded = self.history.superseded[place];
        let mut flushed = u64::MAX;
        if spec.kind == Kind::Written && write.acked > 0 {
            let flush = self.evidence.flushes.iter().find(|flush| flush.from > write.acked);
            flushed = flush.map_or(u64::MAX, |flush| flush.to);
        }
        let since = superseded.min(flushed);
        if since == u64::MAX || run.last == 0 {
            return;
        }
        let age = run.last.saturating_sub(since);
        let net = self.evidence.waits.without(Span { from: since, to: run.last.max(since) });
        let staleness = &mut verdicts.staleness;
        let bucket = BUCKETS.iter().position(|end| age <= *end).unwrap_or(BUCKETS.len());
        staleness.histogram[bucket] += 1;
        staleness.max = staleness.max.max(age);
        staleness.net = staleness.net.max(net);
        if flushed < superseded {
            staleness.flush_net = staleness.flush_net.max(net);
        } else if spec.writer == Writer::Outside {
            staleness.outside_net = staleness.outside_net.max(net);
        }
        // A read that began later than this was let through by nothing that may let it through.
        let allowed = self.evidence.lease + self.log.coarse_lag.saturating_sub(LAG);
        if age > allowed {
            verdicts.beyond_lease_unmarked += 1;
            verdicts.tell(|| self.about("beyond lease", run, &format!("{} ms old", age / 1_000_000)));
        }
    }

    /// Whoever changed it knows at once.
    fn own(&self, run: &Run, place: usize, verdicts: &mut Verdicts) {
        if self.evidence.keys[self.key].writer != Writer::Process(self.log.process) {
            return;
        }
        let read = run.last.max(run.marked);
        let since = self.history.superseded_here[place];
        if read > since {
            verdicts.own_write_lost += 1;
            verdicts.tell(|| {
                self.about("own write lost", run, &format!("{} us after a newer one", (read - since) / 1_000))
            });
        }
    }

    /// An older version after a newer one.
    fn back(&self, run: &Run, place: usize, newer: &Run, verdicts: &mut Verdicts) {
        let is_unmarked = run.last > newer.first;
        // What is loaded is new before what is stored is removed: until that is acknowledged, who is served from where may
        // see either.
        let may = self.evidence.keys[self.key].kind != Kind::Written
            && self.history.superseded[place] > newer.first;
        if is_unmarked && !may {
            verdicts.went_back += 1;
            verdicts.tell(|| self.about("went back", run, &format!("after version {}", newer.version)));
        }
    }

    fn about(&self, what: &str, run: &Run, why: &str) -> String {
        let name = &self.evidence.keys[self.key].name;
        let superseded = self.history.place(run.version).map_or(0, |place| self.history.superseded[place]);
        let from_then = |at: u64| {
            if at == 0 || superseded == u64::MAX { "never".into() } else { signed_millis(at, superseded) }
        };
        format!(
            "{what}: {} read {name} version {}: {why} (relative to its successor, in ms: first read {}, last {}, marked {})",
            self.handle.name,
            run.version,
            from_then(run.first),
            from_then(run.last),
            from_then(run.marked)
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "for display")]
fn signed_millis(at: u64, zero: u64) -> String {
    let away = at.abs_diff(zero) as f64 / 1_000_000.0;
    format!("{}{away:.1}", if at < zero { "-" } else { "" })
}

/// What is wrong in the end: whether something acknowledged is lost (else it is stale), and the words.
fn end_of(evidence: &Evidence<'_>, histories: &[History]) -> Vec<(bool, String)> {
    let mut wrong = Vec::new();
    let last_flush = evidence.flushes.iter().map(|flush| flush.to).max().unwrap_or(0);
    for (key, (spec, history)) in evidence.keys.iter().zip(histories).enumerate() {
        let floor = history.floor();
        let found = |process: &Look| process.get(key).copied().unwrap_or_default();
        for (process, look) in evidence.looks.iter().enumerate() {
            let (held, stored) = found(look);
            for version in [held, stored].into_iter().flatten().filter(|version| *version < floor) {
                let text = format!(
                    "permanently stale: process {process} has {} version {version} of {floor}",
                    spec.name
                );
                wrong.push((false, text));
            }
        }
        let mut seen: Vec<u32> = evidence.looks.iter().filter_map(|look| found(look).1).collect();
        seen.dedup();
        if seen.len() > 1 {
            wrong.push((false, format!("permanently stale: processes see {} as {seen:?}", spec.name)));
        }
        let Some(last) = history.writes.last() else { continue };
        let must_be_there = spec.kind == Kind::Written
            && evidence.keeps_data
            && !last.gone
            && last.acked > 0
            && last.sent > last_flush;
        if must_be_there && evidence.looks.iter().any(|look| found(look).1.is_none()) {
            wrong.push((true, format!("acknowledged and lost: {} version {}", spec.name, last.version)));
        }
    }
    wrong
}

#[cfg(test)]
#[path = "verdicts_tests.rs"]
mod tests;
