//! One caller's generator, which runs once, wherever that is.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use cache_core::{BoxError, Error, ErrorKind};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::answer::{Answer, Generated};
use crate::entry::Entry;

/// A generator whose type is forgotten.
pub(crate) type Generator<A> = Box<dyn FnOnce() -> Generating<A> + Send>;
type Generating<A> = Pin<Box<dyn Future<Output = Result<Generated<A>, BoxError>> + Send>>;

/// A generator that runs once, wherever it is taken; and which entry came of it.
pub(crate) struct Slot<A: Answer> {
    generator: Mutex<Option<Generator<A>>>,
    made: Mutex<Option<Arc<Entry<A>>>>,
    done: Notify,
}

impl<A: Answer> Slot<A> {
    pub(crate) fn new(generator: Generator<A>) -> Self {
        Self { generator: Mutex::new(Some(generator)), made: Mutex::new(None), done: Notify::new() }
    }

    /// Whether the generator was not taken yet.
    pub(crate) fn is_full(&self) -> bool {
        self.generator.lock().is_some()
    }

    /// # Errors
    /// If it was taken before, which cannot be.
    pub(crate) fn take(&self) -> Result<Generator<A>, Error> {
        let taken = self.generator.lock().take();
        taken.ok_or_else(|| Error::new(ErrorKind::Internal, "a caller's generator was wanted twice"))
    }

    /// What came of it.
    pub(crate) fn put(&self, entry: Arc<Entry<A>>) {
        *self.made.lock() = Some(entry);
    }

    pub(crate) fn made(&self) -> Option<Arc<Entry<A>>> {
        self.made.lock().clone()
    }

    /// Waits for the end of what [`running`](Self::running) began.
    pub(crate) async fn done(&self) {
        self.done.notified().await;
    }

    /// Whoever waits for this generator alone learns of its end when this is dropped, however it ends.
    pub(crate) fn running(&self) -> Running<'_> {
        Running(&self.done)
    }
}

/// The generator is running.
pub(crate) struct Running<'a>(&'a Notify);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}
