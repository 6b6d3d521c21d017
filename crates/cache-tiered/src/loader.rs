//! What a caller gives to have a value loaded.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{BoxError, SetOptions, Timer, Value};
use parking_lot::Mutex;

use crate::Data;
use crate::flight::Flight;
use crate::load_task::LoadOutcome;

/// The result of a loader's body, for `async` blocks that use `?` and would otherwise need a type for their error:
/// end them with `Loaded::Ok(value)`.
pub type Loaded<T> = Result<T, BoxError>;

/// Loads the value of a key.
///
/// Implemented for closures without arguments, and for closures that take a [`LoadScope`], which say more about the
/// entry while they load. The future runs as a task of its own: it goes on when its callers leave, until the load
/// time-out. `Kind` is inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot load a value",
    label = "a loader is a closure that returns an async block, without argument or with a `LoadScope`",
    note = "its future brings a `Result` and is `Send`; end it with `Loaded::Ok(value)`",
    note = "its error turns into `Box<dyn Error + Send + Sync>`: a `&str`, a `String`, or an error type that is both"
)]
pub trait Loader<T, Kind>: Send + 'static {
    /// Starts loading.
    fn load(self, scope: LoadScope) -> impl Future<Output = Loaded<T>> + Send + 'static;
}

/// The kind of a [`Loader`] that takes no argument.
#[derive(Debug)]
pub enum Plain {}

/// The kind of a [`Loader`] that takes a [`LoadScope`].
#[derive(Debug)]
pub enum Scoped {}

impl<T, F, Fut, E> Loader<T, Plain> for F
where
    T: 'static,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    fn load(self, _scope: LoadScope) -> impl Future<Output = Loaded<T>> + Send + 'static {
        let future = self();
        async move { future.await.map_err(Into::into) }
    }
}

impl<T, F, Fut, E> Loader<T, Scoped> for F
where
    T: 'static,
    F: FnOnce(LoadScope) -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    fn load(self, scope: LoadScope) -> impl Future<Output = Loaded<T>> + Send + 'static {
        let future = self(scope);
        async move { future.await.map_err(Into::into) }
    }
}

/// Lets a loader say how the value that it brings is to be kept, once it knows.
///
/// ```
/// # use cache_tiered::{Cache, Error, LoadScope, Loaded};
/// # use std::{sync::Arc, time::Duration};
/// # async fn example(cache: &Cache) -> Result<(), Error> {
/// let user: Arc<String> = cache
///     .get_or_load("user:42", (), |scope: LoadScope| async move {
///         scope.tag("team:7");
///         scope.ttl(Duration::from_secs(60));
///         Loaded::Ok("Ann".to_owned())
///     })
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct LoadScope {
    said: Arc<Mutex<Said>>,
    alive: Alive,
}

#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) options: SetOptions,
    pub(crate) store: bool,
}

impl LoadScope {
    pub(crate) fn new(options: SetOptions, alive: Alive) -> Self {
        Self { said: Arc::new(Mutex::new(Said { options, store: true })), alive }
    }

    /// Adds a tag of 1 to 256 bytes to those of the options. More than 16 in all, or one that is too long, fail the load with a
    /// `Validation` error.
    pub fn tag(&self, tag: impl Into<String>) {
        self.said.lock().options.tags.push(tag.into());
    }

    /// Fresh for this long (1 ms to 365 days, else the load fails), instead of what the options say: a `Duration`, a [`Ttl`](cache_core::Ttl), or what a
    /// [`TtlPolicy`](cache_core::TtlPolicy) answered.
    pub fn ttl(&self, fresh_for: impl Into<Duration>) {
        self.said.lock().options.fresh_for = Some(fresh_for.into());
    }

    /// Servable stale for this long after that, instead of what the options say: 0 to 365 days, else the load fails.
    pub fn stale_for(&self, stale_for: Duration) {
        self.said.lock().options.stale_for = Some(stale_for);
    }

    /// The load makes progress: from now on it has the load time-out again, and so long those wait who joined it. For
    /// what comes in parts, such as a stream; a loader that hangs says nothing and is given up. Who waits in another
    /// process does not hear it.
    pub fn keep_alive(&self) {
        self.alive.put_off();
    }

    /// The value goes to those who wait for it and is not kept.
    pub fn do_not_store(&self) {
        self.said.lock().store = false;
    }

    pub(crate) fn said(&self) -> Said {
        self.said.lock().clone()
    }
}

impl fmt::Debug for LoadScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LoadScope").field(&*self.said.lock()).finish()
    }
}

/// Puts off the end of a load.
#[derive(Clone)]
pub(crate) struct Alive {
    flight: Arc<Flight<LoadOutcome>>,
    timer: Arc<dyn Timer>,
    patience: Duration,
}

impl Alive {
    pub(crate) fn new(flight: &Arc<Flight<LoadOutcome>>, timer: &Arc<dyn Timer>, patience: Duration) -> Self {
        Self { flight: Arc::clone(flight), timer: Arc::clone(timer), patience }
    }

    fn put_off(&self) {
        self.flight.put_off(self.timer.now() + self.patience);
    }
}

/// Where a loader is put that was not wanted.
pub(crate) type Back = Arc<Mutex<Option<ErasedLoader>>>;

/// A loader whose type is forgotten, so that the engine's code is compiled once.
pub(crate) type ErasedLoader =
    Box<dyn FnOnce(LoadScope) -> Pin<Box<dyn Future<Output = Loaded<Value>> + Send>> + Send>;

pub(crate) fn erase<T: Data, Kind: 'static>(loader: impl Loader<T, Kind>) -> ErasedLoader {
    Box::new(move |scope| {
        // The call itself is user code that may panic, so it happens inside the future.
        Box::pin(async move { Ok(Value::typed(Arc::new(loader.load(scope).await?))) })
    })
}
