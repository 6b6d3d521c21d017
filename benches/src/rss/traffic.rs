//! What a caller does who wants the cache to take more than it may.

use std::time::Duration;

use crate::random::Random;

/// Keys in use; new ones come all the time, old ones are overwritten and removed.
const KEYS: usize = 4_000_000;

/// Sizes of values for a while: from the first number of bytes to the second, all orders of magnitude alike.
const PHASES: &[(u64, u64)] = &[
    (1, 64),
    (1, 1 << 20),
    (200, 4_096),
    (64 << 10, 1 << 20),
    (1, 16),
    (4_096, 64 << 10),
    (120_000, 140_000),
    (30, 1_000),
];
/// How long sizes stay as they are.
pub const PHASE: Duration = Duration::from_millis(1_500);

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Holds a value of so many bytes.
    Insert {
        /// The key.
        key: usize,
        /// Bytes of the value.
        size: usize,
        /// How long it is served.
        ttl: Duration,
    },
    /// Removes the key.
    Remove {
        /// The key.
        key: usize,
    },
    /// Reads the key, so that some stay.
    Read {
        /// The key.
        key: usize,
    },
}

/// Draws what one thread does.
#[derive(Debug)]
pub struct Traffic {
    random: Random,
    recent: Vec<usize>,
}

impl Traffic {
    /// The same seed and times give the same calls.
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), recent: vec![0; 10_000] }
    }

    /// The next call, so long after the start.
    pub fn act(&mut self, since: Duration) -> Act {
        let phase = (since.as_millis() / PHASE.as_millis()) as usize % PHASES.len();
        let place = self.random.below(self.recent.len());
        let key = self.recent[place];
        match self.random.below(100) {
            0..12 => Act::Remove { key },
            12..24 => Act::Read { key },
            // In place of another value, mostly of another size.
            24..40 => self.insert(key, phase),
            _ => {
                let key = self.random.below(KEYS);
                self.recent[place] = key;
                self.insert(key, phase)
            }
        }
    }

    /// How many calls come in one burst, and how long nothing comes after it.
    pub fn burst(&mut self) -> (usize, Duration) {
        (1 + self.random.below(20_000), Duration::from_micros(self.random.below(5_000) as u64))
    }

    fn insert(&mut self, key: usize, phase: usize) -> Act {
        let (least, most) = PHASES[phase];
        let size = least as f64 * (most as f64 / least as f64).powf(self.random.unit());
        // A third dies young, and its memory comes back only when somebody sweeps it.
        let ttl = if self.random.below(3) == 0 { 1 + self.random.below(400) } else { 60_000 };
        Act::Insert { key, size: size as usize, ttl: Duration::from_millis(ttl as u64) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_phase_and_everything_happens() {
        let mut traffic = Traffic::new(1);
        for (at, &(least, most)) in PHASES.iter().enumerate() {
            let (mut inserted, mut removed, mut read, mut young) = (0, 0, 0, 0);
            for _ in 0..2000 {
                match traffic.act(PHASE * at as u32) {
                    Act::Insert { size, ttl, .. } => {
                        assert!((least..=most).contains(&(size as u64)), "{size}");
                        inserted += 1;
                        young += usize::from(ttl < Duration::from_secs(1));
                    }
                    Act::Remove { .. } => removed += 1,
                    Act::Read { .. } => read += 1,
                }
            }
            assert!(inserted > 1300 && removed > 150 && read > 150 && young > 350);
        }
    }
}
