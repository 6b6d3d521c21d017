//! Work on large values, on a thread that may be blocked.

use std::future::pending;
use std::panic::resume_unwind;

use bytes::Bytes;
use cache_codec::{Header, OpenError, Opened};
use cache_core::{Error, Key};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::engine::Engine;

/// Longer values are worked on apart, in bytes. Compressing this much takes a few tenths of a millisecond, which is what a
/// task may take of its thread.
const LARGE: usize = 256 << 10;

/// Does the work here if it is on few bytes, else on a thread that may be blocked. Dropping the future leaves the work to
/// end by itself.
pub(crate) async fn apart<R: Send + 'static>(bytes: usize, work: impl FnOnce() -> R + Send + 'static) -> R {
    if bytes <= LARGE || Handle::try_current().is_err() {
        return work();
    }
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime is ending, and the caller with it.
            Err(_) => pending().await,
        },
    }
}

impl Engine {
    /// As [`cache_codec::seal`].
    pub(crate) async fn seal(&self, header: &Header, key: &Key, payload: &Bytes) -> Result<Bytes, Error> {
        if payload.len() <= LARGE {
            return cache_codec::seal(header, key, payload, &self.settings.compression);
        }
        let (header, key, payload) = (header.clone(), key.clone(), payload.clone());
        let compression = self.settings.compression;
        apart(payload.len(), move || cache_codec::seal(&header, &key, &payload, &compression)).await
    }

    /// As [`cache_codec::open`].
    pub(crate) async fn open(&self, stored: &Bytes, key: &Key) -> Result<Opened, OpenError> {
        if stored.len() <= LARGE {
            return cache_codec::open(stored, key, &self.settings.limits);
        }
        let (stored, key, limits) = (stored.clone(), key.clone(), self.settings.limits);
        apart(stored.len(), move || cache_codec::open(&stored, &key, &limits)).await
    }
}
