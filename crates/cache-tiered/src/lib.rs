#![doc = include_str!("../README.md")]

mod apart;
mod batch;
mod batch_load;
mod breaker;
mod builder;
mod cache;
mod claim;
mod confirm;
mod counters;
mod data;
mod deadline;
mod decide;
mod engine;
mod find;
mod flight;
mod gate;
mod glob;
mod health;
mod invalidate;
mod keys;
mod lease;
mod load;
mod load_task;
mod loader;
mod marks;
mod negative;
mod none;
mod outbox;
mod peek;
mod read;
mod receipt;
mod reentry;
mod reload;
mod replay;
mod settings;
mod shards;
mod stats;
mod timer;
mod trace;
mod turn;
mod typed;
mod warm;
mod watched;
mod write;
mod writing;

pub use batch::BatchReport;
#[doc(alias = "CircuitBreaker")]
#[doc(alias = "CacheWithCircuitBreaker")]
#[doc(alias = "record_success")]
#[doc(alias = "record_failure")]
pub use breaker::BreakerSettings;
pub use builder::CacheBuilder;
pub use cache::Cache;
#[cfg(feature = "seal")]
pub use cache_codec::Keyring;
pub use cache_codec::{Compression, Limits};
pub use cache_core::{
    Aged, BreakerState, BreakerStats, Coherence, Error, ErrorKind, Format, Health, HealthStatus, KeySpace,
    LoadOptions, LoadStats, MemoryUsage, Namespace, QueueStats, ReadStats, RefusedStats, SetOptions,
    StaleMode, Stats, Status, Tier, Ttl, TtlPolicy, WriteStats,
};
pub use confirm::Confirm;
pub use data::Data;
pub use loader::{LoadScope, Loaded, Loader, Plain, Scoped};
pub use receipt::Receipt;
pub use settings::{OnStoreError, Settings};
pub use timer::TokioTimer;
pub use typed::TypedCache;
pub use warm::{Progress, WarmOptions};
