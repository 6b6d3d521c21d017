//! The defaults and ranges of all presets. Everything else reads them here.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::durations::{mins, secs};

/// What a cache is unless its setup says otherwise.
#[derive(Debug)]
pub(crate) struct Preset {
    /// The method that starts with it.
    pub(crate) name: &'static str,
    pub(crate) namespace: &'static str,
    pub(crate) default_ttl: Duration,
    /// Entries of tier 1.
    pub(crate) l1_cache_size: usize,
    /// Whether tier 1 is on beside a store too.
    pub(crate) l1_beside_store: bool,
    pub(crate) l1_max_bytes: u64,
    /// Longer values are stored compressed, in bytes.
    pub(crate) compression_threshold: usize,
    pub(crate) compression_level: u8,
}

pub(crate) const WEB_APP: Preset = Preset {
    name: "for_web_app",
    namespace: "app",
    default_ttl: mins(30),
    l1_cache_size: 200,
    l1_beside_store: true,
    l1_max_bytes: 64 << 20,
    compression_threshold: 2000,
    compression_level: 1,
};

pub(crate) const TESTING: Preset = Preset {
    name: "for_testing",
    default_ttl: secs(60),
    l1_cache_size: 50,
    l1_beside_store: false,
    compression_threshold: 1000,
    ..WEB_APP
};

/// Entries of tier 1; 0 switches it off.
pub(crate) const L1_CACHE_SIZE: RangeInclusive<usize> = 0..=cache_memory::MAX_ENTRIES;
/// Bytes of tier 1: 64 KiB to 1 TiB.
pub(crate) const L1_MAX_BYTES: RangeInclusive<u64> = 64 << 10..=1 << 40;
