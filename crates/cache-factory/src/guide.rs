//! The pages of the guide and those beside it: their snippets are compiled and run by the tests, as they stand there, where the
//! features that a page speaks of are there. None of it is in a build.

#[doc = include_str!("../../../docs/guide/quickstart.md")]
mod quickstart {}

#[doc = include_str!("../../../docs/guide/choosing.md")]
mod choosing {}

#[doc = include_str!("../../../docs/guide/pitfalls.md")]
mod pitfalls {}

#[cfg(feature = "macros")]
#[doc = include_str!("../../../docs/guide/tuning.md")]
mod tuning {}

#[cfg(feature = "http")]
#[doc = include_str!("../../../docs/guide/watching.md")]
mod watching {}

#[doc = include_str!("../../../docs/guide/errors.md")]
mod errors {}

#[doc = include_str!("../../../docs/guide/developing.md")]
mod developing {}

#[doc = include_str!("../../../docs/guide/testing.md")]
mod testing {}

#[doc = include_str!("../../../docs/guide/deploying.md")]
mod deploying {}

#[doc = include_str!("../../../docs/guide/troubleshooting.md")]
mod troubleshooting {}

#[doc = include_str!("../../../docs/guide/configurations.md")]
mod configurations {}

#[cfg(feature = "macros")]
#[doc = include_str!("../../../docs/migrating.md")]
mod migrating {}

#[cfg(feature = "http")]
#[doc = include_str!("../../../README.md")]
mod project {}
