//! What is compared, one file each.

pub mod floors;
pub mod foyer;
pub mod moka;
pub mod ours;
pub mod quick_cache;
pub mod sharded_lru;
pub mod tiny_ufo;

use std::time::Duration;

/// The hash of all contenders that let themselves be given one.
pub type Hasher = foldhash::quality::RandomState;

/// The TTL where there is one: far enough that nothing expires while it is measured.
pub const TTL: Duration = Duration::from_secs(3600);
