//! What the programs that measure have in common. They are run by `cargo xtask bench`.

#![allow(missing_debug_implementations, reason = "nobody prints what is measured")]

pub mod contender;
pub mod contenders;
pub mod l1;
pub mod random;
pub mod statistics;
