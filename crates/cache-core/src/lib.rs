#![doc = include_str!("../README.md")]

mod clock;
mod error;
mod feed;
mod forward;
mod hash;
mod health;
mod key;
mod key_space;
mod local;
mod observer;
mod options;
mod problems;
mod stats;
mod status;
mod store;
mod tally;
mod ttl;
mod ttl_policy;
mod value;
mod version;

pub use clock::{Clock, Moment, Sleep, SystemClock, Timer};
pub use error::{BoxError, Error, ErrorKind};
pub use feed::{FeedSink, MAX_TAG_LEN, Mark, check_tag};
pub use hash::{Seed, random_u64};
#[doc(alias = "is_open")]
pub use health::BreakerState;
pub use health::{Coherence, Health, HealthStatus};
pub use key::{Key, MAX_KEY_LEN, MAX_NAMESPACE_LEN, Namespace, check_key, redact};
#[doc(alias = "user_cache_key")]
#[doc(alias = "session_cache_key")]
pub use key_space::KeySpace;
pub use key_space::key_part;
pub use local::{Fill, FillToken, Filled, LocalEntry, LocalTier, LocalUsage, Meta};
pub use observer::{Event, LoadResult, Observer, ReadResult, Tier, Watched, WriteResult};
pub use options::{LoadOptions, MAX_TAGS, SetOptions, StaleMode};
pub use problems::Problems;
pub use stats::{
    BreakerStats, LoadStats, MemoryUsage, QueueStats, ReadStats, RefusedStats, Stats, WriteStats,
};
pub use status::Status;
pub use store::{
    Capability, Claim, Feed, FeedMode, LinkId, LinkState, LinkStatus, Marks, Page, PutIf, Read, RemoveIf,
    Store, Stored, Written,
};
pub use tally::{OwnTally, Tally};
pub use ttl::Ttl;
#[doc(alias = "TTL_STRATEGIES")]
#[doc(alias = "base_ttls")]
#[doc(alias = "calculate_dynamic_ttl")]
pub use ttl_policy::TtlPolicy;
pub use ttl_policy::{Aged, PolicyTtl, TtlPolicyBuilder};
pub use value::{Cacheable, Encoded, Format, Value};
pub use version::{Stamp, Version, VersionSource};
