//! Remembers the fingerprints of entries that were let go, so that one that comes back is known.

const WAYS: usize = 8;
const EMPTY: u32 = 0;

/// Buckets of eight fingerprints, newest first; a new one pushes the bucket's oldest out.
///
/// Together they behave nearly like one long queue, need no index, and cost four bytes a fingerprint. A wrong answer
/// (two keys of one fingerprint) makes the policy a little worse and nothing wrong.
pub(crate) struct Ghost {
    buckets: Vec<[u32; WAYS]>,
    most: usize,
}

impl Ghost {
    /// A ghost of at most this many fingerprints; it takes memory as it fills.
    pub(crate) fn new(prints: usize) -> Self {
        Self { buckets: Vec::new(), most: prints.div_ceil(WAYS).max(1) }
    }

    /// Makes it long enough for this many fingerprints, as far as it may be.
    pub(crate) fn fit(&mut self, prints: usize) {
        let wanted = prints.div_ceil(WAYS);
        if wanted <= self.buckets.len() || self.buckets.len() == self.most {
            return;
        }
        let len = wanted.max(2 * self.buckets.len()).min(self.most);
        let old = std::mem::replace(&mut self.buckets, vec![[EMPTY; WAYS]; len]);
        for bucket in old {
            for &print in bucket.iter().rev().filter(|&&print| print != EMPTY) {
                self.remember(print);
            }
        }
    }

    pub(crate) fn remember(&mut self, hash: u32) {
        let print = hash.max(1);
        if let Some(bucket) = self.bucket(print) {
            bucket.copy_within(..WAYS - 1, 1);
            bucket[0] = print;
        }
    }

    /// Whether it was remembered; it no longer is.
    pub(crate) fn take(&mut self, hash: u32) -> bool {
        let print = hash.max(1);
        let Some(bucket) = self.bucket(print) else { return false };
        let Some(at) = bucket.iter().position(|&other| other == print) else { return false };
        bucket.copy_within(at + 1.., at);
        bucket[WAYS - 1] = EMPTY;
        true
    }

    fn bucket(&mut self, print: u32) -> Option<&mut [u32; WAYS]> {
        let at = (u64::from(print) * self.buckets.len() as u64) >> 32;
        self.buckets.get_mut(usize::try_from(at).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spreads small numbers over all 32 bits.
    fn print(n: u32) -> u32 {
        n.wrapping_mul(0x9E37_79B1)
    }

    #[test]
    fn it_remembers_about_as_many_as_it_is_made_for_and_forgets_the_oldest() {
        let mut ghost = Ghost::new(8000);
        ghost.fit(8000);
        for n in 0..20_000 {
            ghost.remember(print(n));
        }
        let kept =
            |ghost: &mut Ghost, range: std::ops::Range<u32>| range.filter(|&n| ghost.take(print(n))).count();
        assert!(kept(&mut ghost, 0..8000) < 400, "the oldest are forgotten");
        assert!(kept(&mut ghost, 16_000..20_000) > 3600, "the newest are remembered");
        assert!(!ghost.take(print(19_999)), "once");
    }

    #[test]
    fn growing_forgets_nothing() {
        let mut ghost = Ghost::new(1000);
        for n in 1..=1000 {
            ghost.fit(n as usize);
            ghost.remember(print(n));
        }
        assert!((1..=1000).filter(|&n| ghost.take(print(n))).count() > 950);
        assert_eq!(ghost.buckets.len(), 125);
    }
}
