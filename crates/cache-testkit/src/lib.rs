#![doc = include_str!("../README.md")]

#[cfg(feature = "browser")]
pub mod browser;
mod clock;
pub mod conformance;
mod feed_log;
#[cfg(feature = "processes")]
mod folder;
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

pub use clock::FakeClock;
pub use feed_log::{FeedEvent, FeedLog};
pub use recorder::{Recorded, Recorder};
pub use reference::{Gate, Op, ReferenceBuilder, ReferenceServer, ReferenceStore};
pub use sweep::{SweepError, sweep};
pub use wait::{NotInTime, eventually, settle};
