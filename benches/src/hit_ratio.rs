//! How many reads find something, beside other crates and beside what is possible.

pub mod belady;
pub mod generate;
pub mod lru;
pub mod options;
pub mod replay;
pub mod summary;
pub mod table;
pub mod trace;
