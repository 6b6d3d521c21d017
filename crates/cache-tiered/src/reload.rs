//! `reload`: loads although there is a value, which stays until there is a newer one.

use std::sync::Arc;

use cache_core::{Error, ErrorKind, LoadOptions};

use crate::cache::Cache;
use crate::data::Data;
use crate::find::Seen;
use crate::flight::Joined;
use crate::load::{Ask, Waited};
use crate::loader::{self, ErasedLoader, Loader};
use crate::reentry;

impl Cache {
    /// What `loader` brings, whatever is cached, which then takes the place of what is there. If the load fails, is
    /// invalidated meanwhile, or is not to be stored, what is there stays as it is.
    ///
    /// It is kept before it is handed out, whatever `wait_for_write` says, so that this caller reads it from then on.
    ///
    /// What this process was loading for the key before is not kept, and nobody joins it. Calls at a time share a load only
    /// if it began after each of them. Others read the old value meanwhile. If somebody else writes the key meanwhile, that
    /// write stays and this value is not kept. Where nothing is cached this is [`delete`](Cache::delete) and
    /// [`get_or_load`](Cache::get_or_load). The load is a task of its own and goes on if its callers leave.
    ///
    /// ```
    /// # use cache_tiered::{Cache, Error, Loaded};
    /// # use std::time::Duration;
    /// # async fn example(cache: &Cache) -> Result<(), Error> {
    /// let load = || async { Loaded::Ok("rainy".to_owned()) };
    /// let weather = cache.reload("weather:paris", Duration::from_secs(3600), load).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`get_or_load`](Cache::get_or_load). A load that fails is an error although there is an older value.
    #[doc(alias = "refresh")]
    pub async fn reload<T: Data, Kind: 'static>(
        &self,
        key: impl AsRef<str> + Send,
        options: impl Into<LoadOptions> + Send,
        loader: impl Loader<T, Kind>,
    ) -> Result<Arc<T>, Error> {
        let asked = Ask::new(&self.engine, key.as_ref(), options.into())?;
        let (engine, key) = (asked.engine, asked.key);
        Box::pin(engine.traced("reload", key, asked.reload(loader::erase(loader)))).await
    }
}

impl Ask<'_> {
    async fn reload<T: Data>(self, loader: ErasedLoader) -> Result<Arc<T>, Error> {
        let Self { engine, hash, key, .. } = self;
        engine.check_open()?;
        engine.check_tags(!self.options.entry.tags.is_empty())?;
        reentry::check(engine.id, key)?;
        let Some((entry, _)) = engine.find(hash, key).await.entry else {
            // There is nothing to lose, and what somebody began to load before goes with it.
            return match engine.delete(key).await {
                Err(error) if !error.is_queued() && !error.is_infrastructure() => Err(error),
                _ => self.answer(loader).await,
            };
        };
        engine.loads.fence(hash, key);
        engine.negative.clear(key);
        let deadline = engine.load_deadline(self.options.load_timeout);
        let mut loader = Some(loader);
        let seat = match engine.loads.join(hash, key, deadline, engine.marks.newest()) {
            // Another that began after the fence.
            Joined::Wait(seat) => {
                engine.counters.loads_joined.one();
                seat
            }
            // Written over this version only.
            Joined::Lead(lead) => {
                let seen = Seen::Held(entry.meta.version);
                self.lead(lead, seen, &mut loader, reentry::current())?.0
            }
        };
        match engine.wait::<T>(&seat, hash, key, 0).await {
            Waited::Value(value) => Ok(value),
            Waited::Failed(error) => Err(error),
            Waited::OtherType(error) => self.alone(&mut loader, error).await,
            // The load of a batch, which knows nothing of the key.
            Waited::Again | Waited::NotFound => match loader {
                Some(loader) => Box::pin(self.reload(loader)).await,
                None => Err(Error::new(ErrorKind::Internal, "a loader brought nothing").for_key(key)),
            },
        }
    }
}
