//! Instructions of a call, counted: the same on a busy machine as on an idle one.

pub mod baseline;
pub mod callgrind;
pub mod guest;
pub mod options;
