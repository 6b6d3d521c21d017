#![doc = include_str!("../README.md")]

mod budget;
mod builder;
mod cache;
mod engine;
mod entry;
mod flight;
mod garbage;
mod ghost;
mod hash;
mod hasher;
mod idle;
mod index;
mod iter;
mod limits;
mod load;
mod options;
mod policy;
mod room;
mod shard;
mod slab;
mod stats;
mod sweep;
mod sync;
mod tier;
mod time;
mod underway;
mod walk;

pub use builder::MemoryCacheBuilder;
#[doc(alias = "InMemoryCache")]
pub use cache::MemoryCache;
pub use garbage::RemovalCause;
pub use iter::Iter;
pub use limits::MAX_ENTRIES;
pub use options::EntryOptions;
pub use stats::MemoryStats;
pub use tier::MemoryTier;
