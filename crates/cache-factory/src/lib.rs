#![doc = include_str!("../README.md")]

mod config;
#[cfg(feature = "redis")]
mod connect;
pub mod durations;
mod factory;
mod presets;
mod ranges;
mod redis_url;
mod resolve;
mod secret;
mod setup;
mod tiers;

pub use cache_core::{
    Cacheable, Clock, Event, FeedMode, LinkStatus, LoadResult, MAX_KEY_LEN, MAX_TAG_LEN, MAX_TAGS, Moment,
    Observer, ReadResult, Sleep, Store, Timer,
};
pub use cache_tiered::{
    BatchReport, BreakerSettings, BreakerState, Cache, CacheBuilder, Coherence, Compression, Data, Error,
    ErrorKind, Format, Health, HealthStatus, Limits, LoadOptions, LoadScope, LoadStats, Loaded, Loader,
    MemoryUsage, Namespace, OnStoreError, Plain, ReadStats, Receipt, RefusedStats, Scoped, SetOptions,
    Settings, StaleMode, Stats, Status, Tier, TokioTimer, Ttl, WriteStats,
};
pub use config::{BreakerConfig, CacheConfig, CacheType, RedisConfig};
pub use factory::CacheFactory;
pub use redis_url::RedisUrl;
pub use secret::Secret;
pub use setup::CacheSetup;

/// The README of the whole project, whose examples must compile as well.
#[cfg(all(doctest, feature = "memory"))]
#[doc = include_str!("../../../README.md")]
mod project {}
