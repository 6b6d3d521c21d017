//! What every [`Store`](cache_core::Store) must keep, one case for each promise.
//!
//! A backend makes a [`Bed`] with two clients of one server and writes
//!
//! ```
//! # use cache_testkit::conformance::Bed;
//! async fn bed() -> Bed {
//!     Bed::reference()
//! }
//!
//! cache_testkit::conformance_suite!(bed);
//! # fn main() {}
//! ```
//!
//! which makes one test of each case, or calls [`run_all`], which runs them one after another. A case that needs what
//! the store's [`Capability`](cache_core::Capability) does not offer checks instead that the store refuses it, as
//! `Unsupported` or by saying that nothing is tracked.
#![expect(clippy::expect_used, reason = "the cases are tests: they fail by panicking")]

mod bed;
mod cancellation;
mod cases;
mod claims;
mod conditions;
mod feed;
mod link;
mod many;
mod marks;
mod need;
mod report;
mod scan;
mod sharing;
mod time;
mod values;

pub use bed::Bed;
pub use cases::{Case, CaseFuture, all};
pub use need::Need;
pub use report::{Report, check, run_all, run_one};
