#![doc = include_str!("../README.md")]

pub mod durations;
mod factory;
#[cfg(feature = "memory")]
mod presets;
#[cfg(feature = "memory")]
mod resolve;
#[cfg(feature = "memory")]
mod setup;

pub use cache_core::{
    Cacheable, Clock, Event, LinkStatus, LoadResult, MAX_KEY_LEN, MAX_TAG_LEN, MAX_TAGS, Moment, Observer,
    ReadResult, Sleep, Store, Timer,
};
pub use cache_tiered::{
    BatchReport, Cache, CacheBuilder, Coherence, Compression, Data, Error, ErrorKind, Format, Health,
    HealthStatus, Limits, LoadOptions, LoadScope, LoadStats, Loaded, Loader, MemoryUsage, Namespace,
    OnStoreError, Plain, ReadStats, Receipt, RefusedStats, Scoped, SetOptions, Settings, StaleMode, Stats,
    Status, Tier, TokioTimer, Ttl, WriteStats,
};
pub use factory::CacheFactory;
#[cfg(feature = "memory")]
pub use setup::CacheSetup;

/// The README of the whole project, whose examples must compile as well.
#[cfg(all(doctest, feature = "memory"))]
#[doc = include_str!("../../../README.md")]
mod project {}
