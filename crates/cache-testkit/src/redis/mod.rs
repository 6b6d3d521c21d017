//! A real server for tests.
//!
//! [`RedisServer`] finds one in four ways and ends it with the test process; [`Options`] say what it is like,
//! [`fresh_namespace`] keeps tests apart that share one, and [`Connection`] is somebody else who writes to it.
//!
//! Four variables of the environment decide. `CACHE_TEST_REDIS_URL` names a server that runs already; only what is
//! shared between tests runs on it. `CACHE_TEST_REDIS` forces a [`Way`]. `CACHE_TEST_REDIS_IMAGE` names the image for
//! containers. `CACHE_TEST_REDIS_REPORT` names a file in which each launch leaves a line.
//!
//! There is no global: tests of one process share a server by a `static OnceLock` of their own, which need not be
//! dropped.
//!
//! ```no_run
//! use cache_testkit::redis::{Options, RedisServer};
//!
//! let server = RedisServer::launch(&Options::new().arguments(["--maxmemory", "1mb"]))?;
//! server.command(&["SET", "key", "value"])?;
//! server.stop()?; // takes connections and answers nothing
//! server.cont()?;
//! server.restart()?; // on the same port
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod connection;
#[cfg(feature = "redis")]
mod container;
mod control;
mod error;
mod fetch;
mod fixture;
#[cfg(feature = "redis")]
mod image;
mod launch;
mod lock;
mod native;
mod options;
mod program;
mod server;
mod way;

pub use crate::namespace::fresh_namespace;
pub use crate::resp::Reply;
pub use connection::Connection;
pub use error::{LaunchError, ServerError};
#[doc(alias = "redis_test_cache")]
pub use fixture::RedisFixture;
pub use options::Options;
pub use server::RedisServer;
pub use way::Way;
