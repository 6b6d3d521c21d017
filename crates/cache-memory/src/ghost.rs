//! Remembers the fingerprints of entries that were let go, so that one that comes back is known.

/// Fingerprints of a bucket that belong to the small and to the main queue. Together they take a cache line.
const SMALL: usize = 12;
const MAIN: usize = 4;
/// Entries for which there is a bucket.
const LOAD: usize = SMALL + MAIN;
const EMPTY: u32 = 0;

/// The queue that an entry was let go from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    Small,
    Main,
}

/// Two ghosts side by side: three quarters as many fingerprints as entries for the small queue, one quarter for the main
/// one. Both are asked about every new entry, and so one look at memory does.
///
/// Within a bucket the newest come first, and a new one pushes the oldest of its queue out. All buckets together behave
/// nearly like two long queues, need no index, and cost four bytes an entry. A wrong answer (two keys of one
/// fingerprint) makes the policy a little worse and nothing wrong.
pub(crate) struct Ghosts {
    buckets: Vec<Bucket>,
    most: usize,
}

#[repr(align(64))]
#[derive(Clone)]
struct Bucket {
    small: [u32; SMALL],
    main: [u32; MAIN],
}

impl Bucket {
    const FORGOTTEN: Self = Self { small: [EMPTY; SMALL], main: [EMPTY; MAIN] };

    fn remember(&mut self, print: u32, left: Left) {
        match left {
            Left::Small => push(&mut self.small, print),
            Left::Main => push(&mut self.main, print),
        }
    }

    fn take(&mut self, print: u32) -> Option<Left> {
        // Nearly all new entries are unknown; counting, unlike searching, is done for several at a time.
        let known = self.small.iter().chain(&self.main).map(|&other| u32::from(other == print)).sum::<u32>();
        if known == 0 {
            return None;
        }
        if pull(&mut self.small, print) {
            return Some(Left::Small);
        }
        pull(&mut self.main, print).then_some(Left::Main)
    }
}

impl Ghosts {
    /// Ghosts for at most so many entries; they take memory as they fill.
    pub(crate) const fn new(max_entries: usize) -> Self {
        Self { buckets: Vec::new(), most: max_entries.div_ceil(LOAD) }
    }

    /// Remembers an entry that was let go when so many were held.
    pub(crate) fn remember(&mut self, hash: u32, left: Left, held: usize) {
        if held > self.buckets.len() * LOAD && self.buckets.len() < self.most {
            self.grow(held);
        }
        let print = print(hash);
        if let Some(bucket) = self.bucket(print) {
            bucket.remember(print, left);
        }
    }

    /// Where an entry of this hash had been let go from, if that is remembered. It no longer is.
    pub(crate) fn take(&mut self, hash: u32) -> Option<Left> {
        let print = print(hash);
        self.bucket(print)?.take(print)
    }

    #[cold]
    fn grow(&mut self, held: usize) {
        let len = held.div_ceil(LOAD).max(2 * self.buckets.len()).min(self.most);
        let old = std::mem::replace(&mut self.buckets, vec![Bucket::FORGOTTEN; len]);
        for bucket in old {
            let small = bucket.small.into_iter().rev().map(|print| (print, Left::Small));
            let main = bucket.main.into_iter().rev().map(|print| (print, Left::Main));
            for (print, left) in small.chain(main).filter(|&(print, _)| print != EMPTY) {
                if let Some(bucket) = self.bucket(print) {
                    bucket.remember(print, left);
                }
            }
        }
    }

    #[inline]
    fn bucket(&mut self, print: u32) -> Option<&mut Bucket> {
        let at = (u64::from(print) * self.buckets.len() as u64) >> 32;
        self.buckets.get_mut(usize::try_from(at).unwrap_or(0))
    }
}

fn print(hash: u32) -> u32 {
    hash.max(EMPTY + 1)
}

fn push<const N: usize>(prints: &mut [u32; N], print: u32) {
    prints.copy_within(..N - 1, 1);
    prints[0] = print;
}

fn pull<const N: usize>(prints: &mut [u32; N], print: u32) -> bool {
    let Some(at) = prints.iter().position(|&other| other == print) else { return false };
    prints.copy_within(at + 1.., at);
    prints[N - 1] = EMPTY;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spreads small numbers over all 32 bits.
    fn hash(n: u32) -> u32 {
        n.wrapping_mul(0x9E37_79B1)
    }

    #[test]
    fn it_remembers_about_as_many_as_it_is_made_for_and_forgets_the_oldest() {
        // The kept ones are fewer than there is room for by chance: the fewer ways, the more.
        for (left, room, newest) in [(Left::Small, 6000, 2700), (Left::Main, 2000, 750)] {
            let mut ghosts = Ghosts::new(8000);
            for n in 0..20_000 {
                ghosts.remember(hash(n), left, 8000);
            }
            let mut kept =
                |range: std::ops::Range<u32>| range.filter(|&n| ghosts.take(hash(n)) == Some(left)).count();
            assert!(kept(0..20_000 - 2 * room) < 400, "the oldest are forgotten");
            assert!(kept(20_000 - room / 2..20_000) > newest, "the newest are remembered");
            assert_eq!(kept(19_999..20_000), 0, "once");
        }
    }

    #[test]
    fn one_queue_forgets_nothing_of_the_other() {
        let mut ghosts = Ghosts::new(16);
        ghosts.remember(1, Left::Main, 16);
        (2..100).for_each(|n| ghosts.remember(n, Left::Small, 16));
        assert_eq!(ghosts.take(1), Some(Left::Main));
    }

    #[test]
    fn growing_forgets_nothing() {
        let mut ghosts = Ghosts::new(1600);
        for n in 1..=600 {
            ghosts.remember(hash(n), Left::Small, 2 * n as usize);
        }
        assert_eq!((1..=600).filter(|&n| ghosts.take(hash(n)) == Some(Left::Small)).count(), 600);
        assert_eq!(ghosts.buckets.len(), 100, "and it stops at what it was made for");
    }

    #[test]
    fn a_bucket_is_a_cache_line() {
        assert_eq!(size_of::<Bucket>(), 64);
    }
}
