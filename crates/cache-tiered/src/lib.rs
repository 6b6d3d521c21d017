#![doc = include_str!("../README.md")]

mod apart;
mod batch;
mod batch_load;
mod breaker;
mod builder;
mod cache;
mod claim;
mod counters;
mod data;
mod deadline;
mod decide;
mod engine;
mod find;
mod flight;
mod gate;
mod health;
mod invalidate;
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
mod turn;
mod watched;
mod write;
mod writing;

pub use batch::BatchReport;
pub use breaker::BreakerSettings;
pub use builder::CacheBuilder;
pub use cache::Cache;
#[cfg(feature = "seal")]
pub use cache_codec::Keyring;
pub use cache_codec::{Compression, Limits};
pub use cache_core::{
    BreakerState, BreakerStats, Coherence, Error, ErrorKind, Format, Health, HealthStatus, LoadOptions,
    LoadStats, MemoryUsage, Namespace, QueueStats, ReadStats, RefusedStats, SetOptions, StaleMode, Stats,
    Status, Tier, Ttl, WriteStats,
};
pub use data::Data;
pub use loader::{LoadScope, Loaded, Loader, Plain, Scoped};
pub use receipt::Receipt;
pub use settings::{OnStoreError, Settings};
pub use timer::TokioTimer;
