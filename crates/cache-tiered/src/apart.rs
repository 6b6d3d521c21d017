//! Work on large values, on a thread that may be blocked.

use std::future::pending;
use std::panic::resume_unwind;

use bytes::Bytes;
use cache_codec::{Header, OpenError, Opened};
use cache_core::{Error, Key};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::engine::Engine;
use crate::settings::Settings;

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
    /// As [`cache_codec::seal`], and sealed with a key if there is one.
    pub(crate) async fn seal(&self, header: &Header, key: &Key, payload: &Bytes) -> Result<Bytes, Error> {
        let (began, bytes) = (self.watched_since(), payload.len());
        let sealed = if bytes <= LARGE {
            seal(&self.settings, header, key, payload)
        } else {
            let (header, key, payload) = (header.clone(), key.clone(), payload.clone());
            let settings = self.settings.clone();
            apart(bytes, move || seal(&settings, &header, &key, &payload)).await
        };
        self.tell_work("compress", bytes, began);
        sealed
    }

    /// As [`cache_codec::open`], of what [`Engine::seal`] made.
    pub(crate) async fn open(&self, stored: &Bytes, key: &Key) -> Result<Opened, OpenError> {
        let (began, bytes) = (self.watched_since(), stored.len());
        let opened = if bytes <= LARGE {
            open(&self.settings, stored, key)
        } else {
            let (stored, key, settings) = (stored.clone(), key.clone(), self.settings.clone());
            apart(bytes, move || open(&settings, &stored, &key)).await
        };
        self.tell_work("decompress", bytes, began);
        opened
    }
}

fn seal(settings: &Settings, header: &Header, key: &Key, payload: &Bytes) -> Result<Bytes, Error> {
    #[cfg(feature = "seal")]
    if let Some(ring) = &settings.sealing {
        return cache_codec::seal_with(header, key, payload, &settings.compression, ring);
    }
    cache_codec::seal(header, key, payload, &settings.compression)
}

fn open(settings: &Settings, stored: &Bytes, key: &Key) -> Result<Opened, OpenError> {
    #[cfg(feature = "seal")]
    if let Some(ring) = &settings.sealing {
        return cache_codec::open_sealed(stored, key, &settings.limits, ring);
    }
    cache_codec::open(stored, key, &settings.limits)
}
