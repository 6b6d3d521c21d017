#![doc = include_str!("../README.md")]

mod budget;
mod builder;
mod cache;
mod engine;
mod entry;
mod ghost;
mod hash;
mod hasher;
mod limits;
mod options;
mod policy;
mod room;
mod shard;
mod slab;
mod stats;
mod tier;

pub use builder::MemoryCacheBuilder;
pub use cache::MemoryCache;
pub use limits::MAX_ENTRIES;
pub use options::EntryOptions;
pub use stats::MemoryStats;
pub use tier::MemoryTier;
