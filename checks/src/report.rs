//! What a run found, for people and for programs.

use serde_json::{Map, Value, json};

use crate::options::Options;
use crate::verdicts::{BUCKETS, Verdicts};

/// What one fault brought. Times in nanoseconds.
pub(crate) struct Row {
    pub(crate) fault: &'static str,
    pub(crate) seconds: f64,
    pub(crate) reads: u64,
    /// Whose receipts said that they may be out of step.
    pub(crate) marked_reads: u64,
    pub(crate) misses: u64,
    pub(crate) writes: u64,
    pub(crate) loads_per_key: u64,
    pub(crate) longest_stall: u64,
    /// The longest from the end of a fault of links to the first answer of the store; `None` if no link was lost.
    pub(crate) link_back: Option<u64>,
    pub(crate) verdicts: Verdicts,
}

#[expect(clippy::cast_precision_loss, reason = "for display")]
fn millis(nanos: u64) -> f64 {
    (nanos as f64 / 10_000.0).round() / 100.0
}

impl Row {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "for display"
    )]
    fn reads_per_second(&self) -> u64 {
        (self.reads as f64 / self.seconds.max(0.001)) as u64
    }

    fn json(&self) -> Value {
        let staleness = &self.verdicts.staleness;
        let mut row = json!(self.verdicts);
        let more = json!({
            "reads": self.reads,
            "reads_per_second": self.reads_per_second(),
            "marked_reads": self.marked_reads,
            "misses": self.misses,
            "writes": self.writes,
            "loads_per_key": self.loads_per_key,
            "max_staleness_ms": millis(staleness.max),
            "max_staleness_net_ms": millis(staleness.net),
            "outside_change_ms": millis(staleness.outside_net),
            "outside_flush_ms": millis(staleness.flush_net),
            "longest_stall_ms": millis(self.longest_stall),
            "link_back_ms": self.link_back.map(millis),
            "staleness_histogram": histogram(&staleness.histogram),
        });
        if let (Value::Object(row), Value::Object(more)) = (&mut row, more) {
            row.extend(more);
        }
        row
    }
}

fn histogram(counts: &[u64]) -> Value {
    let name = |at: usize| match BUCKETS.get(at) {
        Some(0) => "none".to_owned(),
        Some(end) => format!("up_to_{}_ms", end / 1_000_000),
        None => "more".to_owned(),
    };
    counts.iter().enumerate().map(|(at, count)| (name(at), json!(count))).collect::<Map<_, _>>().into()
}

/// One object with the sums of all faults.
pub(crate) fn json(rows: &[Row], options: &Options) -> Value {
    let sum = |of: fn(&Row) -> u64| rows.iter().map(of).sum::<u64>();
    let most = |of: fn(&Row) -> u64| millis(rows.iter().map(of).max().unwrap_or(0));
    let mut counts = vec![0; BUCKETS.len() + 1];
    for row in rows {
        counts.iter_mut().zip(row.verdicts.staleness.histogram).for_each(|(sum, more)| *sum += more);
    }
    json!({
        "reads": sum(|row| row.reads),
        "wrong_key": sum(|row| row.verdicts.wrong_key),
        "beyond_lease_unmarked": sum(|row| row.verdicts.beyond_lease_unmarked),
        "impossible": sum(|row| row.verdicts.impossible),
        "went_back": sum(|row| row.verdicts.went_back),
        "own_write_lost": sum(|row| row.verdicts.own_write_lost),
        "hangs": sum(|row| row.verdicts.hangs),
        "acked_lost": sum(|row| row.verdicts.acked_lost),
        "permanently_stale": sum(|row| row.verdicts.permanently_stale),
        "max_staleness_ms": most(|row| row.verdicts.staleness.max),
        "max_staleness_net_ms": most(|row| row.verdicts.staleness.net),
        "reads_per_second": rows.iter().map(Row::reads_per_second).max().unwrap_or(0),
        "loads_per_key": sum(|row| row.loads_per_key),
        "staleness_histogram": histogram(&counts),
        "strict": options.strict,
        "feed": options.feed.name(),
        "seed": options.seed,
        "per_fault": rows.iter().map(|row| (row.fault.to_owned(), row.json())).collect::<Map<_, _>>(),
    })
}

/// The heading of the table.
pub(crate) fn heading() -> String {
    format!(
        "{:<16} {:>9} {:>8} {:>7} {:>5} {:>5} {:>5} {:>5} {:>5} {:>5} {:>5} {:>5}  {:>8} {:>8} {:>8} {:>8} {:>8}",
        "fault",
        "reads",
        "reads/s",
        "marked",
        "key",
        "lease",
        "imp",
        "back",
        "own",
        "hang",
        "lost",
        "perm",
        "max ms",
        "net ms",
        "out ms",
        "flush ms",
        "back ms",
    )
}

/// A line of the table, and what is wrong below it.
pub(crate) fn line(row: &Row) -> String {
    let Verdicts { staleness, details, .. } = &row.verdicts;
    let v = &row.verdicts;
    let back = row.link_back.map_or("-".to_owned(), |nanos| millis(nanos).to_string());
    let mut line = format!(
        "{:<16} {:>9} {:>8} {:>7} {:>5} {:>5} {:>5} {:>5} {:>5} {:>5} {:>5} {:>5}  {:>8} {:>8} {:>8} {:>8} {:>8}",
        row.fault,
        row.reads,
        row.reads_per_second(),
        row.marked_reads,
        v.wrong_key,
        v.beyond_lease_unmarked,
        v.impossible,
        v.went_back,
        v.own_write_lost,
        v.hangs,
        v.acked_lost,
        v.permanently_stale,
        millis(staleness.max),
        millis(staleness.net),
        millis(staleness.outside_net),
        millis(staleness.flush_net),
        back,
    );
    for detail in details {
        line.push_str("\n    ");
        line.push_str(detail);
    }
    line
}

/// What the columns mean.
pub(crate) const LEGEND: &str = "\
key: another key's value · lease: older than the lease and not marked · imp: nobody wrote it · back: older after newer ·
own: own write not seen · hang: longer than its bound · lost: acknowledged and gone · perm: still old in the end ·
max: staleness of unmarked answers; net: without stalls of machine and server; out, flush: of changes by plain commands;
back: from the end of a link's fault to the store's next answer";
