//! What a call of tier 1 costs, beside other crates.

pub mod calls;
pub mod case;
pub mod field;
pub mod measure;
pub mod memory;
pub mod options;
pub mod result;
pub mod tail;
