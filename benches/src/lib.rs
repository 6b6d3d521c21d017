//! What the programs that measure have in common. They are run by `cargo xtask bench`.

#![allow(missing_debug_implementations, reason = "nobody prints what is measured")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and times are far from the ends of their types"
)]

pub mod contender;
pub mod contenders;
pub mod cpu_time;
pub mod hit_ratio;
pub mod instructions;
pub mod l1;
pub mod machine;
pub mod random;
pub mod report;
pub mod rss;
pub mod statistics;
