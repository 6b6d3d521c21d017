//! What the macros need at run time. Nobody else does.

use std::future::Future;
use std::time::Duration;

pub use std::borrow::{Borrow, ToOwned};
pub use std::clone::Clone;
pub use std::convert::From;

use cache_core::BoxError;
use cache_tiered::{Cache, Data, Error, LoadOptions};

/// What a cached function answers with.
#[diagnostic::on_unimplemented(
    message = "a cached function answers with a `Result<T, E>`, and this is `{Self}`",
    label = "not a `Result` whose value can be cached",
    note = "`T` derives `Serialize`, `Deserialize` and `Clone`; wrap what is large in an `Arc`",
    note = "`E` is made from a `cache_factory::Error`, because the load can also fail by its time-out, and turns into a `Box<dyn Error + Send + Sync>`"
)]
pub trait CachedResult: Send + 'static {
    /// What is cached.
    type Value: Data + Clone;
    /// What is not.
    type Error: From<Error> + Into<BoxError> + Send + 'static;

    /// As a `Result`.
    ///
    /// # Errors
    /// What the function answered, if that was one.
    fn into_result(self) -> Result<Self::Value, Self::Error>;
    /// From a `Result`.
    fn from_result(result: Result<Self::Value, Self::Error>) -> Self;
}

impl<T, E> CachedResult for Result<T, E>
where
    T: Data + Clone,
    E: From<Error> + Into<BoxError> + Send + 'static,
{
    type Value = T;
    type Error = E;

    fn into_result(self) -> Result<T, E> {
        self
    }

    fn from_result(result: Result<T, E>) -> Self {
        result
    }
}

/// The answer of the cache, or that of `load`.
pub async fn cached<R, F, Fut>(cache: &Cache, key: String, options: LoadOptions, load: F) -> R
where
    R: CachedResult,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = R> + Send + 'static,
{
    let loader = || async move { load().await.into_result() };
    let answer = cache.get_or_load::<R::Value, _>(key, options, loader).await;
    R::from_result(answer.map(|value| R::Value::clone(&value)).map_err(R::Error::from))
}

/// So many milliseconds.
pub const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
