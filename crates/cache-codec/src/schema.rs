//! The fingerprint of a declared schema.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The fingerprint of a schema that the application declares by name and version.
///
/// It guards against mistakes, such as reading a value as the type that it had before a change. The fingerprints of
/// two schemas differ, but for a chance of 1 in 2⁶⁴.
///
/// ```
/// use cache_codec::fingerprint;
///
/// assert_eq!(fingerprint("user", 1), fingerprint("user", 1));
/// assert_ne!(fingerprint("user", 1), fingerprint("user", 2));
/// ```
pub fn fingerprint(name: &str, version: u32) -> u64 {
    xxh3_64_with_seed(name.as_bytes(), u64::from(version))
}
