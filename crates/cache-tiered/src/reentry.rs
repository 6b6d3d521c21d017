//! Which keys the current task is loading, so that a loader that asks for its own key is told instead of hanging.

use std::future::Future;
use std::sync::Arc;

use cache_core::{Error, ErrorKind};

tokio::task_local! {
    static LOADING: Arc<Frame>;
}

/// A load and the load inside which it was started.
#[derive(Debug)]
pub(crate) struct Frame {
    cache: u64,
    keys: Box<[Box<str>]>,
    parent: Option<Arc<Self>>,
}

impl Frame {
    /// A frame for a load of these keys in the cache with this number, which is started inside the `parent`.
    pub(crate) fn new<'a>(
        cache: u64,
        keys: impl IntoIterator<Item = &'a str>,
        parent: Option<Arc<Self>>,
    ) -> Arc<Self> {
        Arc::new(Self { cache, keys: keys.into_iter().map(Into::into).collect(), parent })
    }

    /// Runs a loader inside this frame.
    pub(crate) async fn enter<F: Future>(self: Arc<Self>, loader: F) -> F::Output {
        LOADING.scope(self, loader).await
    }
}

/// # Errors
/// [`ErrorKind::Load`] if the current task is inside a load of this key.
pub(crate) fn check(cache: u64, key: &str) -> Result<(), Error> {
    let innermost = current();
    let mut frame = innermost.as_deref();
    while let Some(here) = frame {
        if here.cache == cache && here.keys.iter().any(|it| **it == *key) {
            let message = "a loader asked for the key that it is loading";
            return Err(Error::new(ErrorKind::Load, message).in_operation("load").for_key(key));
        }
        frame = here.parent.as_deref();
    }
    Ok(())
}

/// The load that the current task is inside of.
pub(crate) fn current() -> Option<Arc<Frame>> {
    LOADING.try_with(Arc::clone).ok()
}
