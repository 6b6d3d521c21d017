//! What the whole process takes under hostile traffic, beside the bound that the cache was given.

pub mod options;
pub mod process;
pub mod run;
pub mod subject;
pub mod traffic;
