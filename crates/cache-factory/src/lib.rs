#![doc = include_str!("../README.md")]

#[cfg(feature = "ai")]
mod ai_setup;
mod assemble;
mod config;
#[cfg(feature = "redis")]
mod connect;
pub mod durations;
mod environment;
mod factory;
#[cfg(feature = "redis")]
mod inspect;
mod logged;
mod presets;
mod ranges;
mod redis_url;
mod resolve;
mod secret;
mod setup;
mod tiers;
#[cfg(feature = "monitor")]
mod watching;

#[cfg(feature = "ai")]
pub use ai_setup::AiSetup;
/// The cache for answers of language models: its types.
#[cfg(feature = "ai")]
pub use cache_ai as ai;
pub use cache_core::{
    Cacheable, Clock, Event, FeedMode, LinkStatus, LoadResult, MAX_KEY_LEN, MAX_TAG_LEN, MAX_TAGS, Moment,
    Observer, ReadResult, Sleep, Store, Timer,
};
/// Watching: the monitor's types.
#[cfg(feature = "monitor")]
pub use cache_monitor as monitor;
#[cfg(feature = "monitor")]
pub use cache_monitor::{PerformanceMonitor, Thresholds};
#[cfg(feature = "seal")]
pub use cache_tiered::Keyring;
pub use cache_tiered::{
    BatchReport, BreakerSettings, BreakerState, Cache, CacheBuilder, Coherence, Compression, Confirm, Data,
    Error, ErrorKind, Format, Health, HealthStatus, Limits, LoadOptions, LoadScope, LoadStats, Loaded,
    Loader, MemoryUsage, Namespace, OnStoreError, Plain, ReadStats, Receipt, RefusedStats, Scoped,
    SetOptions, Settings, StaleMode, Stats, Status, Tier, TokioTimer, Ttl, WriteStats,
};
pub use config::{AiConfig, BreakerConfig, CacheConfig, CacheType, MonitorConfig, RedisConfig};
pub use environment::Environment;
pub use factory::CacheFactory;
#[cfg(feature = "redis")]
pub use inspect::Inspection;
pub use redis_url::RedisUrl;
pub use secret::Secret;
pub use setup::CacheSetup;

/// The README of the whole project, whose examples must compile as well.
#[cfg(all(doctest, feature = "memory"))]
#[doc = include_str!("../../../README.md")]
mod project {}
