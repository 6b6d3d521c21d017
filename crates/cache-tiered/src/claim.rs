//! The right to load a key: claimed in the store, so that one process loads and an invalidation by anybody voids it.

use std::time::Duration;

use cache_core::{Claim, Error, ErrorKind, Key, LocalEntry, PutIf, RemoveIf, Store, Version};
use futures_util::future::join_all;

use crate::engine::Engine;
use crate::find::Seen;
use crate::flight::Lead;
use crate::load_task::LoadOutcome;

/// How long to wait for another's load before asking again, where nothing announces its end.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// On what terms a loaded value may be kept.
#[derive(Clone, Debug)]
pub(crate) enum Permit {
    /// In tier 1; there is no store.
    Local,
    /// In the store in place of this lease, which any invalidation kills.
    Leased(Version),
    /// In the store in place of this version.
    Over(Version),
    /// The same, and tier 1 may still answer with that version.
    Instead(Version),
    /// In the store if nothing is there.
    IfAbsent,
    /// In tier 1 only: another's lease is in the store, and a change of what he brings is not announced for sure.
    Beside,
    /// In tier 1 only: what is in the store is not ours to replace.
    Foreign {
        /// Whether a change of it will be announced.
        tracked: bool,
    },
    /// In tier 1 until the store is back, which could not be asked. It may have taken this lease all the same.
    Meanwhile(Option<Version>),
}

/// What came of asking for the right to load.
pub(crate) enum Asked {
    /// Load, and keep the value on these terms.
    Load(Permit),
    /// Somebody else loaded it meanwhile.
    Answered(LocalEntry),
}

/// What came of asking once.
pub(crate) enum Attempt {
    Done(Asked),
    /// Somebody else is loading it and has this much time before he must say so again.
    Held(Duration),
}

impl Engine {
    /// Asks for the right to load, waiting while somebody else has it.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] if the flight's time is over before the other is done.
    pub(crate) async fn claim(
        &self,
        lead: &Lead<LoadOutcome>,
        hash: u64,
        key: &str,
        seen: Seen,
    ) -> Result<Asked, Error> {
        loop {
            let remaining = match self.try_claim(hash, key, seen.clone()).await? {
                Attempt::Held(remaining) => remaining,
                Attempt::Done(asked) => return Ok(asked),
            };
            let now = self.timer.now();
            let deadline = lead.deadline().at();
            if now >= deadline {
                let late = "another process was still loading when load_timeout was over";
                return Err(Error::new(ErrorKind::Timeout, late).in_operation("load").for_key(key));
            }
            let again = (now + remaining.min(ASK_AGAIN)).min(deadline);
            lead.idle_until_touched(self.timer.sleep_until(again)).await;
            self.check_open()?;
        }
    }

    /// Asks for the right to load without waiting for whoever has it.
    pub(crate) async fn try_claim(&self, hash: u64, key: &str, seen: Seen) -> Result<Attempt, Error> {
        let Some(store) = self.store.as_deref() else { return Ok(Permit::Local.into()) };
        let over = match seen {
            Seen::Stale(version) => return Ok(Permit::Over(version).into()),
            Seen::Held(version) => return Ok(Permit::Instead(version).into()),
            Seen::Foreign { tracked } => return Ok(Permit::Foreign { tracked }.into()),
            Seen::Useless(version) => Some(version),
            Seen::Nothing => None,
        };
        if !store.capability().claims {
            return Ok(over.map_or(Permit::IfAbsent, Permit::Over).into());
        }
        let full = self.namespace.key(key)?;
        match self.ask_store(store, &full, hash, over).await? {
            // A value came up that nobody can use, so it is claimed over; if that fails too, somebody is quicker.
            Err(useless) => Ok(self
                .ask_store(store, &full, hash, Some(useless))
                .await?
                .unwrap_or(Attempt::Held(ASK_AGAIN))),
            Ok(asked) => Ok(asked),
        }
    }

    /// Claims the key in the store. The inner error is the version of a useless value that is in the way.
    async fn ask_store(
        &self,
        store: &dyn Store,
        key: &Key,
        hash: u64,
        over: Option<Version>,
    ) -> Result<Result<Attempt, Version>, Error> {
        let lease = self.versions.lease();
        let asked = self.question(hash, key.user(), self.timer.now());
        let mut was_asked = false;
        let claim = async {
            was_asked = true;
            store.claim(key, cache_codec::lease(lease, key), self.settings.claim_ttl, over).await
        };
        let read = match self.timed("claim", claim).await {
            Ok(Claim::Granted(lease)) => {
                self.loads.leased(hash, key.user(), lease);
                return Ok(Ok(Permit::Leased(lease).into()));
            }
            // Whoever does not wait for others keeps nothing in the store beside what they will.
            Ok(Claim::Held { .. }) if !self.settings.claims => return Ok(Ok(Permit::Beside.into())),
            Ok(Claim::Held { remaining }) => return Ok(Ok(Attempt::Held(remaining))),
            Ok(Claim::Hit(read)) => read,
            // Without the store everybody loads for himself; what is loaded still must not undo what is stored, and a
            // delete by somebody else meanwhile could not be told from nothing.
            Err(_) => return Ok(Ok(Permit::Meanwhile(was_asked.then_some(lease)).into())),
        };
        let found = self.admit(store, key, hash, read, asked).await;
        if found.error.is_some() {
            // Nobody can say whether what is there may be served, and asking again may never end.
            return Ok(Ok(Permit::Meanwhile(None).into()));
        }
        Ok(match (found.entry, found.seen) {
            (Some((entry, _)), Seen::Nothing) => Ok(Attempt::Done(Asked::Answered(entry))),
            (_, Seen::Stale(version) | Seen::Held(version)) => Ok(Permit::Over(version).into()),
            (_, Seen::Foreign { tracked }) => Ok(Permit::Foreign { tracked }.into()),
            (_, Seen::Useless(version)) => Err(version),
            // Damaged bytes were removed, or came over a link that is being closed: ask anew, but not in a rush.
            // So if the value went away between the claim and the look at it.
            (None, Seen::Nothing) => Ok(Attempt::Held(ASK_AGAIN)),
        })
    }

    /// Prolongs these leases until it is dropped; never ends by itself.
    pub(crate) async fn renew(&self, leases: &[(&str, Version)]) {
        let Some(store) = self.store.as_deref().filter(|_| !leases.is_empty()) else {
            return std::future::pending().await;
        };
        let ttl = self.settings.claim_ttl;
        loop {
            self.timer.sleep_until(self.timer.now() + ttl.as_duration() / 3).await;
            join_all(leases.iter().map(|&(key, lease)| async move {
                let full = self.namespace.key(key)?;
                let put = store.put(&full, cache_codec::lease(lease, &full), ttl, PutIf::Version(lease));
                let renewed = self.timed("renew", put).await?;
                if !renewed.stored {
                    // Somebody changed the key, which may not have been announced. The conditional write at the end
                    // does not keep what is loaded, and nobody who asks from now on is to have it.
                    self.loads.fence_leased(self.seed.hash(key), key, lease);
                }
                Ok::<_, Error>(())
            }))
            .await;
        }
    }

    /// Gives a lease back, so that the next caller need not wait for its end.
    pub(crate) async fn release(&self, key: &str, permit: &Permit) {
        let lease = match permit {
            Permit::Meanwhile(lease) => *lease,
            _ => permit.lease(),
        };
        let (Some(store), Some(lease)) = (&self.store, lease) else { return };
        let Ok(full) = self.namespace.key(key) else { return };
        // If this fails the lease ends by itself.
        self.timed("release", store.remove(&full, RemoveIf::Version(lease))).await.ok();
    }
}

impl From<Permit> for Attempt {
    fn from(permit: Permit) -> Self {
        Self::Done(Asked::Load(permit))
    }
}

impl Permit {
    /// Whether the value is not for the store, and then whether a change by others will be announced.
    pub(crate) fn here_alone(&self) -> Option<bool> {
        match self {
            Self::Local => Some(true),
            Self::Beside => Some(false),
            Self::Foreign { tracked } => Some(*tracked),
            _ => None,
        }
    }

    pub(crate) fn lease(&self) -> Option<Version> {
        match self {
            Self::Leased(lease) => Some(*lease),
            _ => None,
        }
    }
}
