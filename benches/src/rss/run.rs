//! Two threads that insert, and one that watches.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cache_memory::{EntryOptions, MemoryCache};
use serde_json::{Value, json};

use super::options::Options;
use super::process::resident;
use super::traffic::{Act, Traffic};

/// As it is called in reports.
pub const NAME: &str = "rss";
/// More than fit of any size but the smallest.
const MAX_ENTRIES: usize = 1_000_000;
/// What an entry takes in the map: key and value as they are held, bookkeeping, its share of the table.
const ENTRY: u64 = 104;
const SEED: u64 = 7;
const WATCH: Duration = Duration::from_millis(10);

type Cache = MemoryCache<Box<str>, Box<[u8]>>;

/// What was seen.
pub struct Seen {
    bound: u64,
    /// Resident before there was a cache, and with an empty one.
    before: u64,
    empty: u64,
    peak: u64,
    heaviest: u64,
    most_entries: u64,
    calls: u64,
    seconds: u64,
}

/// Fills the cache for so long.
///
/// # Errors
/// If the cache cannot be made, or the system does not say what is resident.
pub fn run(options: &Options) -> Result<Seen, String> {
    let bound = options.bound_mib << 20;
    let before = resident()?.now;
    let builder = Cache::builder()
        .max_entries(MAX_ENTRIES)
        .max_weight(bound)
        .weigher(|key, value| ENTRY + chunk(key.len()) + chunk(value.len()));
    let cache = builder.build().map_err(|error| error.to_string())?;
    let empty = resident()?.now;
    let (over, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    let (mut peak, mut heaviest, mut most_entries) = (0, 0, 0);
    let start = Instant::now();
    let watched = thread::scope(|scope| {
        for seed in [SEED, SEED + 1] {
            let (cache, over, calls) = (&cache, &over, &calls);
            scope.spawn(move || {
                calls.fetch_add(caller(cache, Traffic::new(seed), start, over), Ordering::Relaxed)
            });
        }
        let watched = loop {
            match resident() {
                Ok(resident) => peak = resident.peak.max(peak),
                Err(problem) => break Err(problem),
            }
            let stats = cache.stats();
            heaviest = stats.weight.max(heaviest);
            most_entries = stats.entries.max(most_entries);
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
    Ok(Seen { bound, before, empty, peak, heaviest, most_entries, calls, seconds: options.seconds })
}

/// What the system's allocator takes for so many bytes: eight more, in steps of 16, and at least 32.
fn chunk(bytes: usize) -> u64 {
    (bytes as u64 + 8).next_multiple_of(16).max(32)
}

fn caller(cache: &Cache, mut traffic: Traffic, start: Instant, over: &AtomicBool) -> u64 {
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
                    // What is too heavy is refused, and that is right.
                    drop(cache.insert(name(key), value, EntryOptions::ttl(ttl)));
                }
                Act::Remove { key } => drop(cache.remove(&name(key))),
                Act::Read { key } => {
                    black_box(cache.get_with(&name(key), |value| value.len()));
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
            "bench": NAME, "crate": "cache-memory", "threads": 2, "seconds": self.seconds,
            "bound_bytes": self.bound, "peak_bytes": self.peak, "before_bytes": self.before,
            "tables_bytes": self.empty - self.before, "ratio_to_bound": self.ratio(),
            "ratio_without_tables": ratio(self.peak - self.empty, self.bound),
            "heaviest_bytes": self.heaviest, "most_entries": self.most_entries, "calls": self.calls,
        })
    }

    /// The same for people.
    pub fn table(&self) -> String {
        let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
        format!(
            "{NAME}: {} s, {} calls by two threads\n  bound            {:>12}\n  heaviest         {:>12}   by the \
             weigher, {} entries at most\n  before           {:>12}   resident\n  empty cache      {:>12}   more\n  \
             peak             {:>12}   resident\n  peak to bound    {:>12.3}   without what was there before\n",
            self.seconds,
            self.calls,
            mib(self.bound),
            mib(self.heaviest),
            self.most_entries,
            mib(self.before),
            mib(self.empty - self.before),
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
        let options = Options { seconds: 0, bound_mib: 8, json: false };
        let seen = run(&options).unwrap();
        assert!(seen.is_within_bound() && seen.peak >= seen.before);
        assert_eq!(seen.json()["bound_bytes"], 8 << 20);
    }

    #[test]
    fn ratios_leave_out_what_was_there_before() {
        let seen = Seen {
            bound: 100,
            before: 50,
            empty: 60,
            peak: 170,
            heaviest: 100,
            most_entries: 3,
            calls: 9,
            seconds: 1,
        };
        let line = seen.json();
        assert_eq!((&line["ratio_to_bound"], &line["ratio_without_tables"]), (&1.2.into(), &1.1.into()));
        assert_eq!(line["tables_bytes"], 10);
        assert!(seen.is_within_bound() && !Seen { heaviest: 101, ..seen }.is_within_bound());
    }

    #[test]
    fn a_chunk_is_what_the_allocator_makes_of_it() {
        assert_eq!([0, 24, 25, 40, 41].map(chunk), [32, 32, 48, 48, 64]);
    }
}
