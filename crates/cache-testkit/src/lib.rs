#![cfg_attr(any(not(doctest), feature = "processes"), doc = include_str!("../README.md"))]

mod asserts;
#[cfg(feature = "browser")]
pub mod browser;
mod clock;
pub mod conformance;
mod feed_log;
#[cfg(feature = "processes")]
mod folder;
mod namespace;
#[cfg(feature = "processes")]
mod port;
#[cfg(feature = "processes")]
pub mod proxy;
mod recorder;
#[cfg(feature = "processes")]
pub mod redis;
mod reference;
#[cfg(feature = "processes")]
mod resp;
mod sweep;
mod wait;
#[cfg(feature = "processes")]
mod watchdog;

#[cfg(feature = "processes")]
pub use crate::redis::{RedisFixture, RedisServer};
#[doc(alias = "populate_test_cache")]
pub use asserts::populate;
pub use clock::FakeClock;
pub use feed_log::{FeedEvent, FeedLog};
pub use namespace::fresh_namespace;
#[cfg(feature = "processes")]
pub use proxy::FaultProxy;
pub use recorder::{Recorded, Recorder};
pub use reference::{Gate, Op, ReferenceBuilder, ReferenceServer, ReferenceStore};
pub use sweep::{SweepError, sweep};
pub use wait::{NotInTime, eventually, settle};

/// What the macros need.
#[doc(hidden)]
pub mod __private {
    pub use crate::asserts::{Literal, is_absent, is_there, is_value};
}
