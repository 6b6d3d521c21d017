//! Two threads that insert, and one that watches.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::options::Options;
use super::process::resident;
use super::subject::{Subject, subject};
use super::traffic::{Act, Traffic};

/// As it is called in reports.
pub const NAME: &str = "rss";
/// More than fit of any size but the smallest.
const MAX_ENTRIES: usize = 1_000_000;
const SEED: u64 = 7;
const WATCH: Duration = Duration::from_millis(10);

/// What was seen.
pub struct Seen {
    name: &'static str,
    bound: u64,
    /// Resident before there was a cache, and with an empty one.
    before: u64,
    empty: u64,
    peak: u64,
    /// The most that the program asked the allocator for: what is resident beyond it is the allocator's.
    allocated: u64,
    heaviest: u64,
    most_entries: u64,
    calls: u64,
    seconds: u64,
}

/// Fills the cache for so long. `allocated` tells the bytes that the program holds at the moment, as they were asked
/// for; the counting allocator is the program's.
///
/// # Errors
/// If the cache cannot be made, or the system does not say what is resident.
pub fn run(options: &Options, allocated: &dyn Fn() -> usize) -> Result<Seen, String> {
    let bound = options.bound_mib << 20;
    let before = resident()?.now;
    let cache = subject(&options.subject, bound, MAX_ENTRIES)?;
    let empty = resident()?.now;
    let (over, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    let (mut peak, mut most_allocated, mut heaviest, mut most_entries) = (0, 0, 0, 0);
    let start = Instant::now();
    let watched = thread::scope(|scope| {
        for seed in [SEED, SEED + 1] {
            let (cache, over, calls) = (&*cache, &over, &calls);
            scope.spawn(move || {
                calls.fetch_add(caller(cache, Traffic::new(seed), start, over), Ordering::Relaxed)
            });
        }
        let watched = loop {
            match resident() {
                Ok(resident) => peak = resident.peak.max(peak),
                Err(problem) => break Err(problem),
            }
            most_allocated = (allocated() as u64).max(most_allocated);
            let (weight, entries) = cache.held();
            heaviest = weight.max(heaviest);
            most_entries = entries.max(most_entries);
            if start.elapsed().as_secs() >= options.seconds {
                break Ok(());
            }
            thread::sleep(WATCH);
        };
        over.store(true, Ordering::Relaxed);
        watched
    });
    watched?;
    let calls = calls.load(Ordering::Relaxed);
    Ok(Seen {
        name: cache.name(),
        bound,
        before,
        empty,
        peak,
        allocated: most_allocated,
        heaviest,
        most_entries,
        calls,
        seconds: options.seconds,
    })
}

fn caller(cache: &dyn Subject, mut traffic: Traffic, start: Instant, over: &AtomicBool) -> u64 {
    let mut calls = 0;
    while !over.load(Ordering::Relaxed) {
        let (acts, pause) = traffic.burst();
        for _ in 0..acts {
            // One look at the flag for each call: a burst of large values is long.
            if over.load(Ordering::Relaxed) {
                break;
            }
            let since = start.elapsed();
            match traffic.act(since) {
                Act::Insert { key, size, ttl } => {
                    let value = vec![1; size].into_boxed_slice();
                    cache.insert(name(key), value, ttl);
                }
                Act::Remove { key } => cache.remove(&name(key)),
                Act::Read { key } => {
                    black_box(cache.read(&name(key)));
                }
            }
            calls += 1;
        }
        thread::sleep(pause);
    }
    calls
}

fn name(key: usize) -> Box<str> {
    format!("file:{key:012}").into()
}

impl Seen {
    /// The most that was resident beside what was there before, over the bound.
    fn ratio(&self) -> f64 {
        ratio(self.peak - self.before, self.bound)
    }

    /// Whether the cache kept its own count.
    pub fn is_within_bound(&self) -> bool {
        self.heaviest <= self.bound
    }

    /// One object.
    pub fn json(&self) -> Value {
        json!({
            "bench": NAME, "crate": self.name, "threads": 2, "seconds": self.seconds,
            "bound_bytes": self.bound, "peak_bytes": self.peak, "before_bytes": self.before,
            "tables_bytes": self.empty - self.before, "ratio_to_bound": self.ratio(),
            "allocated_bytes": self.allocated, "allocated_to_bound": ratio(self.allocated, self.bound),
            "heaviest_bytes": self.heaviest, "most_entries": self.most_entries, "calls": self.calls,
        })
    }

    /// The same for people.
    pub fn table(&self) -> String {
        let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
        format!(
            "{NAME}: {}, {} s, {} calls by two threads\n  bound            {:>12}\n  heaviest         {:>12}   by the \
             weigher, {} entries at most\n  before           {:>12}   resident\n  empty cache      {:>12}   more\n  \
             allocated        {:>12}   at most, as it was asked for: {:.3} of the bound\n  \
             peak             {:>12}   resident, with what the allocator does not give back\n  peak to bound    \
             {:>12.3}   without what was there before\n",
            self.name,
            self.seconds,
            self.calls,
            mib(self.bound),
            mib(self.heaviest),
            self.most_entries,
            mib(self.before),
            mib(self.empty - self.before),
            mib(self.allocated),
            ratio(self.allocated, self.bound),
            mib(self.peak),
            self.ratio(),
        )
    }
}

fn ratio(bytes: u64, bound: u64) -> f64 {
    (bytes as f64 / bound as f64 * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_run_stays_within_its_bound() {
        let options = Options { seconds: 0, bound_mib: 8, json: false, subject: "cache-memory".into() };
        let seen = run(&options, &|| 7).unwrap();
        assert!(seen.is_within_bound() && seen.peak >= seen.before);
        assert_eq!(seen.json()["bound_bytes"], 8 << 20);
    }

    #[test]
    fn ratios_leave_out_what_was_there_before() {
        let seen = Seen {
            name: "x",
            bound: 100,
            before: 50,
            empty: 60,
            peak: 170,
            allocated: 110,
            heaviest: 100,
            most_entries: 3,
            calls: 9,
            seconds: 1,
        };
        let line = seen.json();
        assert_eq!((&line["ratio_to_bound"], &line["allocated_to_bound"]), (&1.2.into(), &1.1.into()));
        assert_eq!(line["tables_bytes"], 10);
        assert!(seen.is_within_bound() && !Seen { heaviest: 101, ..seen }.is_within_bound());
    }
}
