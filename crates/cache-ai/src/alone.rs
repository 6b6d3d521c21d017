//! What runs for one caller alone, within the bounds of what runs for several.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use cache_core::{BoxError, Error, ErrorKind};
use futures_util::FutureExt;

use crate::cache::Shared;
use crate::generate::failed;

/// Runs a generator until it is done, panics, or `load_timeout` is over.
pub(crate) async fn bounded<T>(
    shared: &Shared,
    generating: impl Future<Output = Result<T, BoxError>>,
) -> Result<T, Error> {
    let deadline = shared.timer.now() + shared.cache.settings().load_timeout;
    tokio::select! {
        biased;
        done = AssertUnwindSafe(generating).catch_unwind() => match done {
            Ok(done) => done.map_err(failed),
            Err(_panic) => Err(Error::new(ErrorKind::Load, "the generator panicked")),
        },
        () = shared.timer.sleep_until(deadline) => {
            Err(Error::new(ErrorKind::Timeout, "the generator was not done when load_timeout was over"))
        }
    }
}
