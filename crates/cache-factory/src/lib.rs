#![cfg_attr(
    any(not(doctest), all(feature = "memory", feature = "redis", feature = "macros", feature = "monitor")),
    doc = include_str!("../README.md")
)]

#[cfg(feature = "ai")]
mod ai_setup;
mod assemble;
#[cfg(feature = "macros")]
mod cached;
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
#[cfg(all(feature = "ai", feature = "monitor"))]
mod savings;
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
    Aged, Cacheable, Clock, Event, FeedMode, KeySpace, LinkStatus, LoadResult, MAX_KEY_LEN, MAX_TAG_LEN,
    MAX_TAGS, Moment, Observer, PolicyTtl, ReadResult, Sleep, Store, Timer, TtlPolicy, TtlPolicyBuilder,
    key_part,
};
#[cfg(feature = "macros")]
pub use cache_macros::{cached, key};
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
    Loader, MemoryUsage, Namespace, OnStoreError, Plain, Progress, ReadStats, Receipt, RefusedStats, Scoped,
    SetOptions, Settings, StaleMode, Stats, Status, Tier, TokioTimer, Ttl, TypedCache, WarmOptions,
    WriteStats,
};
#[doc(alias = "CACHE_CONFIG")]
#[doc(alias = "CACHE_CONFIGS")]
#[doc(alias = "create_production_cache")]
#[doc(alias = "create_high_performance_cache")]
pub use config::CacheConfig;
#[doc(alias = "type")]
pub use config::CacheType;
pub use config::{AiConfig, BreakerConfig, MonitorConfig, RedisConfig};
pub use environment::Environment;
pub use factory::CacheFactory;
#[cfg(feature = "redis")]
#[doc(alias = "validate_cache_config")]
pub use inspect::Inspection;
pub use redis_url::RedisUrl;
pub use secret::Secret;
pub use setup::CacheSetup;

#[cfg(all(doctest, feature = "memory", feature = "redis", feature = "ai", feature = "monitor"))]
mod guide;

#[doc(hidden)]
#[cfg(feature = "macros")]
pub mod __private {
    pub use crate::cached::*;
}
