//! When to try to connect again.

use std::time::Duration;

/// What the last attempt or connection ended with, as far as the next attempt is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The server cannot be reached, or went away.
    Away,
    /// The server refuses these credentials or this database: trying often only fills its log.
    Refused,
}

/// The wait before the next attempt, the first included: random within a range, so that the clients of a server that
/// restarts do not come all at once. `random` is any 64 random bits. An attempt that `took` a while before it failed has
/// done most of the waiting: what remains is at least a fifth.
pub(crate) fn delay(trouble: Trouble, took: Duration, random: u64) -> Duration {
    let (least, most) = match trouble {
        Trouble::Away => (20, 500),
        Trouble::Refused => (2_000, 5_000),
    };
    let wait = Duration::from_millis(least + random % (most - least + 1));
    wait.saturating_sub(took).max(wait / 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_spread_over_their_whole_range_and_never_left() {
        for (trouble, least, most) in [(Trouble::Away, 20, 500), (Trouble::Refused, 2_000, 5_000)] {
            let waits =
                (0..10_000u64).map(|i| delay(trouble, Duration::ZERO, i.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
            let millis: Vec<u128> = waits.map(|wait| wait.as_millis()).collect();
            assert!(millis.iter().all(|wait| (least..=most).contains(wait)));
            let tenth = (most - least) / 10;
            for part in 0..10 {
                let from = least + part * tenth;
                let here = millis.iter().filter(|&&wait| wait >= from && wait < from + tenth).count();
                assert!((500..=2_000).contains(&here), "{here} of 10 000 wait {from} ms and a little");
            }
        }
    }

    #[test]
    fn an_attempt_that_hung_has_waited() {
        let (short, long) = (Duration::from_millis(40), Duration::from_millis(500));
        for random in [0, 100, 480] {
            let whole = delay(Trouble::Away, Duration::ZERO, random);
            assert_eq!(delay(Trouble::Away, long, random), whole / 5);
            assert_eq!(delay(Trouble::Away, short, random), (whole - short.min(whole)).max(whole / 5));
        }
    }
}
