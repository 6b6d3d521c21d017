//! Values that are made when they are missing, once for all who ask.

use std::convert::Infallible;
use std::hash::Hash;

use cache_core::{BoxError, Error, ErrorKind, Fill, Ttl};

use crate::cache::MemoryCache;
use crate::flight::Boarding;
use crate::options::EntryOptions;

impl<K: Hash + Eq + Clone, V: Clone> MemoryCache<K, V> {
    /// The key's value, or what `make` returns, which is then held. Of all threads that miss a key at the same time,
    /// one makes the value and the others wait for it.
    ///
    /// ```
    /// # use cache_memory::MemoryCache;
    /// let cache: MemoryCache<u64, u64> = MemoryCache::new(100)?;
    /// assert_eq!(cache.get_or_insert_with(12, (), || 12 * 12)?, 144);
    /// assert_eq!(cache.get_or_insert_with(12, (), || unreachable!())?, 144);
    /// # Ok::<(), cache_core::Error>(())
    /// ```
    ///
    /// `make` runs with no lock held and may use this cache, also for other keys of the same kind. If the key itself is
    /// written or removed meanwhile, or everything is, the value is returned to those who asked before, and not held; what
    /// becomes of other keys does not matter. A value that is too
    /// large is returned and not held either. If `make` panics, the panic passes to its caller, and the next of those
    /// who wait makes the value. Threads block while they wait: do not call this in async code.
    ///
    /// # Errors
    /// [`ErrorKind::Validation`] for a TTL below 1 ms or above 365 days, before anything is made.
    /// [`ErrorKind::Load`] if `make` asks for the key that it makes, in this thread or through other threads that wait
    /// for one another: nobody could ever answer. A circle through two caches is not seen, and waits for ever.
    pub fn get_or_insert_with(
        &self,
        key: K,
        options: impl Into<EntryOptions>,
        make: impl FnOnce() -> V,
    ) -> Result<V, Error> {
        self.get_or_try_insert_with(key, options, || Ok::<V, Infallible>(make()))
    }

    /// As [`get_or_insert_with`](MemoryCache::get_or_insert_with), for a value that cannot always be made. An error is
    /// not held; all who wait at that time share it.
    ///
    /// # Errors
    /// Also [`ErrorKind::Load`] if `make` fails; [`Error::downcast_ref`] gives its own error back.
    pub fn get_or_try_insert_with<E: Into<BoxError>>(
        &self,
        key: K,
        options: impl Into<EntryOptions>,
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, Error> {
        if let Some(value) = self.get(&key) {
            return Ok(value);
        }
        let options = options.into();
        options.ttl.map(Ttl::new).transpose()?;
        let hash = self.hash(&key);
        let lead = loop {
            match self.flights.board(hash, &key, &self.engine, || self.peek(&key)) {
                Boarding::Held(value) => return Ok(value),
                Boarding::Circle => return Err(circle()),
                Boarding::Lead(lead) => break lead,
                Boarding::Landed(flight) => {
                    if let Some(result) = flight.landing() {
                        return result;
                    }
                }
            }
        };
        match make() {
            Ok(value) => {
                // Refused or too large, it is an answer all the same.
                let when = |_: Option<&V>| lead.is_valid(self.engine.epoch());
                let _ = self.put(key, value.clone(), options, Fill::Write, when);
                lead.land(Ok(value.clone()));
                Ok(value)
            }
            Err(error) => {
                let error = Error::new(ErrorKind::Load, "the value could not be made").because(error);
                lead.land(Err(error.clone()));
                Err(error)
            }
        }
    }
}

#[cold]
fn circle() -> Error {
    Error::new(
        ErrorKind::Load,
        "the value is being made by a caller that waits for this one; a value cannot need itself",
    )
    .in_operation("get_or_insert_with")
}
