//! What the caller may say.

use std::path::PathBuf;

const USAGE: &str = "[--json] [--trace FILE]... [--capacity N]...";

/// Shares of the distinct keys that capacities are, when none are given.
const SHARES: [f64; 5] = [0.001, 0.01, 0.05, 0.10, 0.25];
/// A loop is told from the rest only by caches that hold almost all of it.
const LOOP_SHARES: [f64; 3] = [0.5, 0.8, 0.95];
/// Less than this is a detail of rounding and shards, and no cache.
const LEAST: usize = 100;

/// The command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// One JSON object a line, in place of tables.
    pub json: bool,
    /// Files in place of what is made up.
    pub traces: Vec<PathBuf>,
    /// Entries, in place of shares of the distinct keys.
    pub capacities: Vec<usize>,
}

impl Options {
    /// Reads the arguments.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn read(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} what?"));
            match argument.as_str() {
                "--json" => options.json = true,
                "--trace" => options.traces.push(value()?.into()),
                "--capacity" => {
                    let capacity = value()?.parse().ok().filter(|&capacity| capacity > 0);
                    options.capacities.push(capacity.ok_or("--capacity takes a number from 1 up")?);
                }
                other => return Err(format!("`{other}` is of no use here: {USAGE}")),
            }
        }
        Ok(options)
    }

    /// The capacities for a trace of this many distinct keys.
    pub fn capacities(&self, distinct: usize, is_loop: bool) -> Vec<usize> {
        if !self.capacities.is_empty() {
            return self.capacities.clone();
        }
        let shares: &[f64] = if is_loop { &LOOP_SHARES } else { &SHARES };
        let share = |share: &f64| ((distinct as f64 * share).round() as usize).max(LEAST);
        let mut capacities: Vec<usize> = shares.iter().map(share).collect();
        capacities.dedup();
        capacities
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        Options::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn files_and_capacities_may_be_several() {
        let options = read("--capacity 10 --trace a.gz --json --capacity 20 --trace b").unwrap();
        assert_eq!((options.traces.len(), options.json), (2, true));
        assert_eq!(options.capacities(1_000_000, false), [10, 20]);
        for line in ["--trace", "--capacity 0", "--capacity x", "file"] {
            assert!(read(line).is_err(), "{line}");
        }
    }

    #[test]
    fn capacities_are_shares_of_the_keys_but_not_tiny() {
        let options = Options::default();
        assert_eq!(options.capacities(100_000, false), [100, 1_000, 5_000, 10_000, 25_000]);
        assert_eq!(options.capacities(4_000, false), [100, 200, 400, 1_000]);
        assert_eq!(options.capacities(10_000, true), [5_000, 8_000, 9_500]);
    }
}
