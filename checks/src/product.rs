//! The cache itself, built as an application builds it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use cache_core::SystemClock;
use cache_factory::{Cache, CacheFactory, Coherence, Error, LoadOptions, Namespace, Settings, Status};
use cache_memory::MemoryTier;
use cache_redis::RedisStore;

use crate::child::Role;
use crate::clock::Jumping;
use crate::keys::NAMESPACE;
use crate::origin::Origin;
use crate::sabotage::{self, AnyKey, FreshTokens, Immortal};
use crate::subject::{Answer, Change, Standing, Subject};
use crate::value::Stamped;

const TTL: Duration = Duration::from_secs(3_600);

pub(crate) struct Product {
    cache: Cache,
    origin: Origin,
    /// Whether only receipts can tell what an answer is worth, because tier 1 goes on without the store.
    goes_on: bool,
    /// Whether keys are changed that a feed of published changes does not tell of.
    hears_all: bool,
}

impl Product {
    /// A cache for web applications, as the factory makes it.
    pub(crate) async fn new(role: &Role, origin: Origin) -> Result<Self, String> {
        let mut setup = CacheFactory::new()
            .for_web_app()
            .redis_url(role.url.as_str())
            .feed(role.feed.of(role.process))
            .namespace(NAMESPACE)
            .default_ttl(TTL)
            .load_timeout(LOAD_TIMEOUT)
            .disconnected_max_age(role.disconnected_max_age);
        if role.wall_clock_jumps {
            setup = setup.timer(Arc::new(Jumping::new()));
        }
        let cache = setup.await.map_err(|error| error.to_string())?;
        let hears_all = role.feed.hears_plain_commands();
        Ok(Self { cache, origin, goes_on: !role.disconnected_max_age.is_zero(), hears_all })
    }

    /// The same parts with one protection taken away from outside.
    pub(crate) fn sabotaged(
        url: &str,
        protection: sabotage::Protection,
        keys: &[String],
        origin: Origin,
    ) -> Result<Self, String> {
        let build = || -> Result<Cache, Error> {
            let namespace = Namespace::new(NAMESPACE)?;
            let store = RedisStore::builder(url).build()?;
            let tier = MemoryTier::new(10_000, 64 << 20, Arc::new(SystemClock::new()))?;
            let mut settings = Settings::default();
            settings.load_timeout = LOAD_TIMEOUT;
            let builder = Cache::builder(namespace.clone()).settings(settings);
            let builder = match protection {
                sabotage::Protection::Token => {
                    builder.store(Arc::new(store)).local(Arc::new(FreshTokens::new(tier)))
                }
                sabotage::Protection::Lease => {
                    builder.store(Arc::new(Immortal::new(store))).local(Arc::new(tier))
                }
                sabotage::Protection::EnvelopeKey => {
                    let keys = keys.iter().map(|key| namespace.key(key)).collect::<Result<_, _>>()?;
                    builder.store(Arc::new(AnyKey::new(store, keys))).local(Arc::new(tier))
                }
            };
            builder.build()
        };
        Ok(Self {
            cache: build().map_err(|error| error.to_string())?,
            origin,
            goes_on: false,
            hears_all: true,
        })
    }

    fn standing(&self, coherence: Coherence) -> Standing {
        match coherence {
            Coherence::Feed | Coherence::TtlOnly | Coherence::Private => Standing::InStep,
            Coherence::PubSub if !self.hears_all => Standing::InStep,
            Coherence::Unsynced => Standing::Unsynced,
            _ => Standing::OutOfStep,
        }
    }

    /// What tier 1 holds of the key, with a receipt.
    fn peek_with_receipt(&self, key: &str) -> Option<Answer> {
        let (value, receipt) = at_once(self.cache.get_with_receipt::<Stamped>(key))?.ok()?;
        Some(Answer { value: value?, standing: self.standing(receipt.coherence) })
    }

    /// An answer that came without a receipt, with that of a look just before or after. `None` if there is none and only
    /// a receipt could tell: another's read of the key, which is under way for a moment, makes a look wait.
    fn judged(&self, value: Arc<Stamped>, before: Option<Answer>) -> Option<Answer> {
        let after = self.peek_with_receipt(&value.key);
        let mut standings = [before, after]
            .into_iter()
            .flatten()
            .filter(|look| look.value.version == value.version)
            .map(|look| look.standing);
        let standing = match (standings.next(), standings.next()) {
            (Some(Standing::InStep), Some(marked)) | (Some(marked), _) => marked,
            (None, _) if self.goes_on => return None,
            (None, _) => Standing::InStep,
        };
        Some(Answer { value, standing })
    }
}

/// The longest that a load may take.
pub(crate) const LOAD_TIMEOUT: Duration = Duration::from_secs(10);

#[async_trait]
impl Subject for Product {
    fn peek(&self, key: &str) -> Option<Answer> {
        let before = self.peek_with_receipt(key);
        // A hit in tier 1 is answered at the first poll.
        let value = at_once(self.cache.get::<Stamped>(key))?.ok()??;
        self.judged(value, before)
    }

    async fn get(&self, key: &str) -> Option<Answer> {
        let (value, receipt) = self.cache.get_with_receipt::<Stamped>(key).await.ok()?;
        Some(Answer { value: value?, standing: self.standing(receipt.coherence) })
    }

    async fn load(&self, key: usize, name: &str, tag: Option<String>) -> Option<Answer> {
        let before = self.peek_with_receipt(name);
        let (origin, owned) = (self.origin.clone(), name.to_owned());
        let mut options = LoadOptions::ttl(TTL);
        if let Some(tag) = tag {
            options = options.tag(tag);
        }
        let value = self.cache.get_or_load(name, options, move || origin.load(key, owned)).await.ok()?;
        self.judged(value, before)
    }

    async fn set(&self, key: &str, value: &Stamped) -> Change {
        match self.cache.set(key, value, TTL).await {
            Ok(()) => Change::Done,
            Err(_) => Change::Unknown,
        }
    }

    async fn delete(&self, key: &str) -> Change {
        change(self.cache.delete(key).await)
    }

    async fn invalidate_tag(&self, tag: &str) -> Change {
        change(self.cache.invalidate_tag(tag).await)
    }

    async fn reaches_store(&self) -> bool {
        let look = self.cache.get_with_receipt::<Stamped>("never-written").await;
        look.is_ok_and(|(_, receipt)| receipt.status == Status::Absent)
    }
}

fn change(result: Result<(), Error>) -> Change {
    match result {
        Ok(()) => Change::Done,
        Err(error) if error.is_queued() => Change::Queued,
        Err(_) => Change::Unknown,
    }
}

/// What a future brings at its first poll, if it does.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
