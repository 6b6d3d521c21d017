//! Tells the store what it missed, when it is back.
//!
//! Marks first, then removals, then writes. Each step can be done again without harm, and a line leaves the
//! [`Outbox`] only when its step is done: what is dropped or fails midway is done again later.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use cache_core::{
    Error, ErrorKind, Fill, Filled, Key, LocalEntry, Mark, Moment, PutIf, RemoveIf, Stamp, Store, Ttl,
    Version,
};
use futures_util::future::join_all;

use crate::engine::Engine;
use crate::load::spawn;
use crate::outbox::{Before, LocalWrite, Outbox, Pending};
use crate::write::header_of;
use crate::writing::Write;

/// How many keys are told at a time, so that a recovery is no herd.
const AT_ONCE: usize = 8;
/// How many keys are looked up at a time.
const PAGE: usize = 256;
/// How long to wait after a replay that the store put an end to; a new link starts one at once.
const PAUSE: Duration = Duration::from_secs(1);
/// How often a write is tried over what this process itself wrote.
const TRIES: usize = 3;

/// Whether a replay runs, and when the next one may.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    runs: AtomicBool,
    not_before: AtomicU64,
}

/// A replay that runs, however it ends.
struct Run(Arc<Engine>);

impl Drop for Run {
    fn drop(&mut self) {
        self.0.replay.runs.store(false, Ordering::Release);
    }
}

impl Engine {
    /// The error of an invalidation that took effect here: if the store could not be told, it will be.
    pub(crate) fn queued(&self, error: Error, queue: impl FnOnce(&Outbox) -> bool) -> Error {
        if is_away(&error) && queue(&self.outbox) {
            let message = "the store could not be told";
            Error::new(ErrorKind::Unavailable, message).because(error).queued()
        } else {
            error
        }
    }

    /// Starts a replay of what the store missed, if anything waits and none runs. It is worth a try at any sign of life;
    /// a new link is `certain` of one.
    pub(crate) fn replay_missed(&self, certain: bool) {
        if self.outbox.is_empty() {
            return;
        }
        let not_before = Moment::from_nanos(self.replay.not_before.load(Ordering::Acquire));
        if !certain && self.timer.now() < not_before {
            return;
        }
        let Some(engine) = self.me.upgrade() else { return };
        if self.replay.runs.swap(true, Ordering::AcqRel) {
            return;
        }
        let run = Run(engine);
        // Outside a runtime the next sign of life has to do.
        spawn(async move {
            let engine = &run.0;
            let waited = engine.outbox.load().waiting;
            let may_go_on = engine.replay().await;
            if engine.outbox.is_empty() {
                tracing::info!(
                    cache = engine.namespace.as_str(),
                    waited,
                    "the store was told what it missed"
                );
            }
            let again = if may_go_on { Moment::START } else { engine.timer.now() + PAUSE };
            engine.replay.not_before.store(again.as_nanos(), Ordering::Release);
        })
        .ok();
    }

    /// Returns false if the store went away, or refused an invalidation: that is not tried again at once.
    async fn replay(&self) -> bool {
        let Some(store) = self.store.as_deref() else { return true };
        // The first goes alone: it may be the one call that tries the store out.
        let mut at_once = 1;
        // An invalidation that the store refuses waits on, because without it what was voided here would come back. What
        // waits behind it is told all the same.
        let (mut mark_refused, mut key_refused) = (false, false);
        while self.check_open().is_ok() {
            if let Some((mark, ticket)) = self.outbox.next_mark().filter(|_| !mark_refused) {
                match self.make_mark(store, &mark).await {
                    Ok(()) => {
                        self.count_replayed(true);
                        self.outbox.told_mark(&mark, ticket);
                    }
                    Err(error) if is_away(&error) => return false,
                    Err(_) => mark_refused = true,
                }
                continue;
            }
            let page = self.outbox.next_keys(PAGE, key_refused);
            if page.is_empty() {
                break;
            }
            let (before, refused_before) = (self.outbox.progress(), key_refused);
            for some in page.chunks(at_once) {
                for told in
                    join_all(some.iter().map(|(key, pending)| self.replay_key(store, key, pending))).await
                {
                    match told {
                        Ok(()) => {}
                        Err(error) if is_away(&error) => return false,
                        Err(_) => key_refused = true,
                    }
                }
                if at_once == 1 {
                    at_once = AT_ONCE;
                    break;
                }
            }
            if self.outbox.progress() == before && key_refused == refused_before {
                // Others are at all of these keys; the next sign of life goes on.
                break;
            }
        }
        !mark_refused && !key_refused
    }

    /// Does the next step for a key.
    ///
    /// # Errors
    /// The store's, if the step is to be done again.
    pub(crate) async fn replay_key(
        &self,
        store: &dyn Store,
        key: &str,
        pending: &Pending,
    ) -> Result<(), Error> {
        let hash = self.seed.hash(key);
        // Who changes the key just now settles what waits for it, or is waited for.
        let still = || self.outbox.is_waiting(key, pending.ticket);
        let Some(_turn) = self.turns.replay(key, self.timer.now(), still) else { return Ok(()) };
        // Others who write the key meanwhile see that they are not alone, and nothing fills tier 1.
        let (write, sent_at) = (Write::begin(self, hash, key), self.timer.now());
        let told = match self.namespace.key(key) {
            Err(error) => Err(error),
            Ok(full) => match (pending.before, &pending.write) {
                (Some(Before::Remove), _) => self.replay_remove(store, &full).await,
                (Some(Before::Expire), _) => self.expire_stored(store, &full, self.store_deadline()).await,
                (None, Some(value)) => match self.replay_write(store, &full, value).await {
                    Ok(Some((entry, tracked))) => {
                        self.outbox.told(key, pending.ticket);
                        self.count_replayed(true);
                        self.keep_written(write, hash, key, &entry, tracked, sent_at);
                        return Ok(());
                    }
                    Ok(None) => {
                        self.replay_remove(store, &full).await.inspect(|()| self.count_replayed(false))
                    }
                    Err(error) => Err(error),
                },
                (None, None) => Ok(()),
            },
        };
        if pending.before.is_some() {
            told?;
            self.count_replayed(true);
        } else if let Err(error) = told
            && is_away(&error)
        {
            return Err(error);
        }
        self.outbox.told(key, pending.ticket);
        Ok(())
    }

    async fn replay_remove(&self, store: &dyn Store, key: &Key) -> Result<(), Error> {
        self.timed("remove", store.remove(key, RemoveIf::Always)).await.map(drop)
    }

    /// Writes a value as what it is now. `None` if it must not be written: its time is over, somebody else wrote or
    /// invalidated something, or it cannot be stored. Then the key is to be removed, so that nobody disagrees.
    async fn replay_write(
        &self,
        store: &dyn Store,
        key: &Key,
        write: &LocalWrite,
    ) -> Result<Option<(LocalEntry, bool)>, Error> {
        let Some(stamp) = self.stamp_of(store, write).await? else { return Ok(None) };
        let mut entry = write.entry.clone();
        let meta = &mut entry.meta;
        meta.fresh_until = meta.made_at + write.keep.fresh.as_duration();
        meta.dead_at = meta.made_at + write.keep.total.as_duration();
        (meta.local_only, meta.stamp) = (false, stamp);
        let header = header_of(meta, &write.keep, &write.encoded, self.timer.unix_millis());
        let Ok(sealed) = self.seal(&header, key, &write.encoded.bytes).await else {
            return Ok(None);
        };
        let mut condition = write.over.map_or(PutIf::Absent, PutIf::Version);
        for _ in 0..TRIES {
            let Ok(left) = Ttl::new(entry.meta.dead_at.since(self.timer.now())) else { return Ok(None) };
            let put = self.timed("put", store.put(key, sealed.clone(), left, condition)).await;
            match put {
                Ok(written) if written.stored => return Ok(Some((entry, written.tracked))),
                Ok(_) => {}
                Err(error) if is_away(&error) => return Err(error),
                Err(_) => return Ok(None),
            }
            // What is there may be this process's own: this very write, of which no answer came, or an older one.
            let read = self.timed("get", store.get(key)).await?;
            let there = read.found.and_then(|stored| Version::of(&stored.bytes));
            match there.filter(|there| !there.is_lease()).map(|there| (there, self.versions.made(&there))) {
                Some((there, _)) if there == entry.meta.version => return Ok(Some((entry, false))),
                Some((there, Some(made))) if Some(made) < self.versions.made(&entry.meta.version) => {
                    condition = PutIf::Version(there);
                }
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The position of a write among the marks as they stand now; `None` if one that concerns it was made since.
    async fn stamp_of(&self, store: &dyn Store, write: &LocalWrite) -> Result<Option<Stamp>, Error> {
        if !self.has_marks() {
            return Ok(Some(Stamp::default()));
        }
        let mut asked = vec![Mark::Clear];
        asked.extend(write.keep.tags.iter().flat_map(|tags| tags.iter().cloned()).map(Mark::Tag));
        let marks = self.timed("read_marks", store.read_marks(&self.namespace, &asked)).await?;
        let Stamp { nonce, seq } = write.known;
        let same = nonce == 0 || nonce == marks.now.nonce;
        Ok((same && marks.seqs.iter().all(|&mark| mark <= seq)).then_some(marks.now))
    }

    /// Keeps a copy of what this process wrote to the store, if nothing crossed it.
    pub(crate) fn keep_written(
        &self,
        write: Write<'_>,
        hash: u64,
        key: &str,
        entry: &LocalEntry,
        tracked: bool,
        sent_at: Moment,
    ) {
        let fill = Fill::Load(write.token());
        let tags = entry.meta.tags.clone();
        let Some(copy) = self.copy_of(entry, tracked, sent_at) else { return };
        // If two writes crossed, or a change by somebody else came in between, which one the store took last is for the
        // next read to find out.
        if write.is_alone()
            && self.outbox.hides(key, tags.as_deref()).is_none()
            && self.local.insert(hash, key, copy, fill) == Filled::Stored
        {
            write.kept();
        }
    }

    fn count_replayed(&self, told: bool) {
        if told { self.counters.replayed.one() } else { self.counters.replay_dropped.one() }
    }
}

/// Whether the store could not be asked, or may have been without an answer.
pub(crate) fn is_away(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
}
