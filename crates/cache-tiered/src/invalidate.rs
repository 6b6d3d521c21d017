//! Invalidation of many entries at once: by tag, and all.

use cache_core::{Error, Event, Mark, Store};

use crate::cache::Cache;
use crate::engine::Engine;
use crate::marks::Learned;

impl Cache {
    /// Voids every entry with this tag, in one step however many there are. What is being loaded just now is voided
    /// too, also if its loader names the tag only afterwards. An entry keeps the tags that it was stored with.
    ///
    /// A future that is dropped while it waits has let go of all entries in this process. Whether the store has its mark, is not
    /// known, and nothing is queued: invalidate again.
    ///
    /// ```
    /// # use cache_tiered::{Cache, Error, SetOptions};
    /// # async fn example(cache: &Cache) -> Result<(), Error> {
    /// cache.set("user:42", "Ann", SetOptions::default().tag("team:7")).await?;
    /// cache.invalidate_tag("team:7").await?;
    /// assert!(cache.get::<String>("user:42").await?.is_none());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Validation`](cache_core::ErrorKind::Validation) for a bad tag, and on a cache in production without
    /// [`confirmed`](Cache::confirmed);
    /// [`Closed`](cache_core::ErrorKind::Closed);
    /// [`Unsupported`](cache_core::ErrorKind::Unsupported) if the store has no marks; if the store is away,
    /// [`Unavailable`](cache_core::ErrorKind::Unavailable) with [`Error::is_queued`]: this process has let go of the
    /// entries, and the store will be told as soon as it is back. Any other error of the store's is handed on as it is.
    pub async fn invalidate_tag(&self, tag: impl AsRef<str> + Send) -> Result<(), Error> {
        let mark = Mark::tag(tag.as_ref()).map_err(|error| error.in_operation("invalidate_tag"))?;
        self.may_void_many().map_err(|error| error.in_operation("invalidate_tag"))?;
        let invalidating = self.engine.invalidate(mark, "invalidate_tag");
        Box::pin(self.engine.traced("invalidate_tag", "", invalidating)).await
    }

    /// Voids every entry of this cache's namespace, and no other's, in one step. In the store the void entries go by their TTL. A
    /// future that is dropped is as with [`Cache::invalidate_tag`].
    ///
    /// # Errors
    /// As [`Cache::invalidate_tag`].
    #[doc(alias = "invalidate_all")]
    #[doc(alias = "clear_all_cache")]
    pub async fn clear(&self) -> Result<(), Error> {
        self.may_void_many().map_err(|error| error.in_operation("clear"))?;
        Box::pin(self.engine.traced("clear", "", self.engine.invalidate(Mark::Clear, "clear"))).await
    }
}

impl Engine {
    async fn invalidate(&self, mark: Mark, operation: &'static str) -> Result<(), Error> {
        self.check_open()?;
        self.check_tags(true).map_err(|error| error.in_operation(operation))?;
        self.counters.invalidations.one();
        self.tell(|| Event::Invalidate { operation, key: None });
        let Some(store) = &self.store else {
            self.marks.bump(&mark);
            if mark == Mark::Clear {
                self.void_all();
            }
            return Ok(());
        };
        self.make_mark(&**store, &mark).await.map_err(|error| {
            let error = self.queued(error, |outbox| outbox.mark(&mark));
            if error.is_queued() {
                // There is no mark by which what is being read and loaded could be judged.
                self.fence_all();
                self.void_marked(&mark);
            }
            error.in_operation(operation)
        })
    }

    /// Makes a mark in the store, and voids here what it concerns, whether or not the store answers.
    pub(crate) async fn make_mark(&self, store: &dyn Store, mark: &Mark) -> Result<(), Error> {
        let mut unheard = Unheard { engine: self, mark, heard: false, failed: false };
        if *mark == Mark::Clear {
            self.void_all();
        }
        let bumped = self.timed("bump_mark", store.bump_mark(&self.namespace, mark)).await;
        unheard.failed = bumped.is_err();
        let at = bumped?;
        // Entries of a tag are judged when they are read, and loads when they end or are joined; so the mark does it.
        match (self.marks.learn(mark, at), mark) {
            (Learned::OtherIncarnation, _) | (_, Mark::Clear) => self.void_all(),
            (Learned::Late, Mark::Tag(tag)) => self.remove_tagged(tag),
            (Learned::InOrder | Learned::Known, Mark::Tag(_)) => {}
        }
        unheard.heard = true;
        Ok(())
    }
}

/// An invalidation whose answer has not come. The store may have made its mark, and does not announce it to this
/// process, which asked for it. So if the answer does not come (an error, or the caller left) this process lets go of
/// what the mark concerns and of what it knows of the marks, and asks anew.
struct Unheard<'a> {
    engine: &'a Engine,
    mark: &'a Mark,
    heard: bool,
    /// Whether an error came, so that the caller queues the mark or the store has not made it.
    failed: bool,
}

impl Drop for Unheard<'_> {
    fn drop(&mut self) {
        if !self.heard {
            match self.mark {
                Mark::Tag(tag) if self.failed => {
                    self.engine.marks.forget_tag(tag);
                    self.engine.remove_tagged(tag);
                }
                // If the caller left, nothing is queued that would hide what is being read and loaded just now, whatever
                // its tags; and what is set from now on must not be stamped with a position from before the mark.
                _ => {
                    self.engine.marks.forget();
                    self.engine.void_all();
                }
            }
        }
    }
}

impl Engine {
    /// Voids in tier 1 what a mark concerns.
    fn void_marked(&self, mark: &Mark) {
        match mark {
            Mark::Clear => self.void_all(),
            Mark::Tag(tag) => self.remove_tagged(tag),
        }
    }

    /// Removes the entries of a tag one by one, where no mark says that they are void.
    fn remove_tagged(&self, tag: &str) {
        let mut keys = Vec::new();
        self.local.for_each(self.timer.now(), &mut |key, entry| {
            if entry.meta.tags.iter().flat_map(|tags| tags.iter()).any(|it| **it == *tag) {
                keys.push(key.to_owned());
            }
        });
        for key in keys {
            self.void(self.seed.hash(&key), &key);
        }
    }
}
