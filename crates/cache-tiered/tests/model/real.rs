//! The caches that are tested, and the words of the operations as they understand them.

use std::sync::Arc;
use std::time::Duration;

use cache_memory::MemoryTier;
use cache_testkit::{FakeClock, ReferenceStore};
use cache_tiered::{Cache, LoadOptions, Loaded, Namespace, SetOptions, Settings, Status, Ttl};
use tokio::sync::oneshot;

use crate::op::{Ending, Keep, Key, TAGS, Wish};
use crate::rules::*;

pub(crate) fn cache(setup: Setup, clock: &Arc<FakeClock>, link: Option<&Arc<ReferenceStore>>) -> Cache {
    let mut settings = Settings::default();
    settings.default_ttl = Ttl::clamped(Duration::from_millis(DEFAULT_TTL));
    settings.negative_window = Duration::from_millis(NEGATIVE_WINDOW);
    let mut builder =
        Cache::builder(Namespace::new("model").unwrap()).settings(settings).timer(clock.clone());
    if setup.local {
        builder = builder.local(Arc::new(MemoryTier::new(1_000, 1 << 20, clock.clone()).unwrap()));
    }
    if let Some(link) = link {
        builder = builder.store(link.clone());
    }
    builder.build().unwrap()
}

pub(crate) async fn read(cache: Cache, key: Key) -> Option<u64> {
    cache.get::<u64>(name(key)).await.unwrap().map(|value| *value)
}

pub(crate) async fn ending_of(ending: Option<Ending>, staged: Option<oneshot::Receiver<Ending>>) -> Ending {
    match (ending, staged) {
        (Some(ending), _) => ending,
        (None, Some(staged)) => staged.await.unwrap_or(Ending::Fail),
        (None, None) => Ending::Fail,
    }
}

pub(crate) fn bring<T>(ending: Ending, value: impl FnOnce() -> T) -> Loaded<T> {
    match ending {
        Ending::Bring(_) => Ok(value()),
        Ending::Fail => Err("the source is down".into()),
        // A panic that prints nothing.
        Ending::Panic => std::panic::resume_unwind(Box::new("the loader panics")),
    }
}

pub(crate) fn fresh(found: &Found) -> Option<u64> {
    found.entry.as_ref().filter(|_| found.status == Status::Fresh).map(|entry| entry.value)
}

pub(crate) fn set_options(keep: &Keep) -> SetOptions {
    let fresh = keep.fresh.map(Duration::from_millis);
    let mut options = fresh.map_or_else(SetOptions::default, SetOptions::ttl);
    if keep.stale > 0 {
        options = options.stale_for(Duration::from_millis(keep.stale));
    }
    tags(keep).fold(options, SetOptions::tag)
}

pub(crate) fn load_options(wish: &Wish, timeout: u64) -> LoadOptions {
    let early = Keep { tags: if wish.keep.late { 0 } else { wish.keep.tags }, ..wish.keep.clone() };
    let options: LoadOptions = set_options(&early).into();
    options.stale(wish.mode).load_timeout(Duration::from_millis(timeout))
}

pub(crate) fn tags(keep: &Keep) -> impl Iterator<Item = String> {
    let bits = keep.tags;
    (0..TAGS).filter(move |tag| bits & (1 << tag) != 0).map(tag_name)
}

pub(crate) fn tag_name(tag: usize) -> String {
    format!("tag-{tag}")
}

pub(crate) fn name(key: Key) -> String {
    format!("key-{key}")
}

pub(crate) fn names(keys: &[Key]) -> Vec<String> {
    keys.iter().map(|&key| name(key)).collect()
}

pub(crate) fn key_of(name: &str) -> Key {
    name["key-".len()..].parse().unwrap()
}
