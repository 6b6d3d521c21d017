//! The opaque version that starts every envelope, and the stamp of a namespace's sequence.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::hash::random_u64;

const VALUE: [u8; 4] = [0xF5, b'C', b'V', b'E'];
const LEASE: [u8; 4] = [0xF5, b'C', b'L', b'S'];

/// The first [`Version::LEN`] bytes of an envelope: four bytes that tell a value from a lease, and sixteen that no
/// other write has. A store compares it byte by byte and knows nothing else of what it moves.
///
/// It is made of a random number of this process and a counter, never of a clock.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version([u8; Self::LEN]);

impl Version {
    /// Length in bytes.
    pub const LEN: usize = 20;

    /// The version that these stored bytes start with, or `None` if they are no envelope.
    pub fn of(stored: &[u8]) -> Option<Self> {
        let bytes: [u8; Self::LEN] = stored.get(..Self::LEN)?.try_into().ok()?;
        (bytes.starts_with(&VALUE) || bytes.starts_with(&LEASE)).then_some(Self(bytes))
    }

    /// Whether it belongs to a lease: a placeholder under the key of a value that is being loaded.
    pub fn is_lease(&self) -> bool {
        self.0.starts_with(&LEASE)
    }

    /// As bytes, the start of the envelope.
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_lease() { "Lease(" } else { "Version(" })?;
        for byte in &self.0[4..] {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}

/// Makes versions that no other call and no other process makes.
#[derive(Debug)]
pub struct VersionSource {
    process: u64,
    counter: AtomicU64,
}

impl VersionSource {
    /// A source with a random number of its own.
    pub fn new() -> Self {
        Self { process: random_u64(), counter: AtomicU64::new(0) }
    }

    /// A version for a value.
    pub fn value(&self) -> Version {
        self.next(VALUE)
    }

    /// A version for a lease.
    pub fn lease(&self) -> Version {
        self.next(LEASE)
    }

    /// Which of this source's versions it is, counted from 0; `None` if another source made it.
    pub fn made(&self, version: &Version) -> Option<u64> {
        let (process, count) = version.0[4..].split_at(8);
        let count = count.try_into().map(u64::from_be_bytes).ok()?;
        (*process == self.process.to_be_bytes()).then_some(count)
    }

    fn next(&self, magic: [u8; 4]) -> Version {
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        let mut bytes = [0; Version::LEN];
        bytes[..4].copy_from_slice(&magic);
        bytes[4..12].copy_from_slice(&self.process.to_be_bytes());
        bytes[12..].copy_from_slice(&count.to_be_bytes());
        Version(bytes)
    }
}

impl Default for VersionSource {
    fn default() -> Self {
        Self::new()
    }
}

/// A position in a namespace's sequence of invalidations, in one incarnation of the namespace.
///
/// Positions of different incarnations cannot be compared: what was stored under the other is void.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// The incarnation: a random number chosen when the namespace's marks were first made.
    pub nonce: u64,
    /// How many invalidations by tag or clear came before.
    pub seq: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_versions_are_equal_and_stored_bytes_give_theirs_back() {
        let (a, b) = (VersionSource::new(), VersionSource::new());
        let all = [a.value(), a.value(), a.lease(), b.value(), b.lease()];
        for (i, one) in all.iter().enumerate() {
            let mut stored = one.as_bytes().to_vec();
            stored.extend_from_slice(b"payload");
            assert_eq!(Version::of(&stored), Some(*one));
            assert_eq!(a.made(one), [Some(0), Some(1), Some(2), None, None][i], "only its own, in order");
            assert!(all[i + 1..].iter().all(|other| other != one));
        }
    }

    #[test]
    fn foreign_bytes_have_no_version() {
        for foreign in
            [&b""[..], b"{\"json\":true, \"and\": \"long enough\"}", &[0x80; 40], &LEASE, &[0xF5; 19]]
        {
            assert_eq!(Version::of(foreign), None);
        }
    }
}
