//! A table in parts, each under a lock of its own.

use parking_lot::Mutex;

const SHARDS: usize = 64;

/// Parts of a table, picked by a key's hash.
pub(crate) type Shards<T> = [Mutex<T>];

/// Empty parts.
pub(crate) fn empty<T: Default, C: FromIterator<Mutex<T>>>() -> C {
    (0..SHARDS).map(|_| Mutex::default()).collect()
}

/// The part in which the key of this hash is.
pub(crate) fn of<T>(shards: &Shards<T>, hash: u64) -> &Mutex<T> {
    // Which bits are cut off does not matter.
    #[expect(clippy::cast_possible_truncation)]
    let at = (hash as usize) % shards.len();
    &shards[at]
}
