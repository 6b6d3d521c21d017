//! Real threads and real time: nobody who asks after an acknowledged invalidation gets a value from before it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cache_memory::MemoryTier;
use cache_testkit::ReferenceServer;
use cache_tiered::{Cache, LoadOptions, Loaded, Namespace, Settings, TokioTimer};

const KEYS: usize = 4;
const FOR: Duration = Duration::from_millis(400);
const WAYS: [&str; 4] = ["delete", "expire", "invalidate_tag", "clear"];

/// The source of truth of each key: a number that only grows, and how far its invalidations are acknowledged.
#[derive(Default)]
struct Source {
    value: AtomicU64,
    acknowledged: AtomicU64,
}

fn cache(timer: &Arc<TokioTimer>, server: Option<&Arc<ReferenceServer>>) -> Cache {
    let tier = Arc::new(MemoryTier::new(1_000, 1 << 20, timer.clone()).unwrap());
    // A busy machine is no broken store.
    let mut settings = Settings::default();
    settings.store_timeout = Duration::from_secs(60);
    let namespace = Namespace::new("stress").unwrap();
    let builder = Cache::builder(namespace).local(tier).timer(timer.clone()).settings(settings);
    match server {
        Some(server) => builder.store(Arc::new(server.connect())).build().unwrap(),
        None => builder.build().unwrap(),
    }
}

async fn change(cache: &Cache, way: &str, key: &str, source: &Source) {
    let value = source.value.fetch_add(1, Ordering::SeqCst) + 1;
    match way {
        "delete" => cache.delete(key).await.unwrap(),
        "expire" => cache.expire(key).await.unwrap(),
        "invalidate_tag" => cache.invalidate_tag(key).await.unwrap(),
        _ => cache.clear().await.unwrap(),
    }
    source.acknowledged.fetch_max(value, Ordering::SeqCst);
}

/// Reads a key in one of four ways.
async fn read(
    cache: &Cache,
    how: usize,
    key: &str,
    sources: &Arc<[Source; KEYS]>,
    at: usize,
) -> Option<(usize, u64)> {
    let options = LoadOptions::ttl(Duration::from_secs(60)).tag(key);
    let source = Arc::clone(sources);
    let look = move || async move {
        let value = source[at].value.load(Ordering::SeqCst);
        tokio::task::yield_now().await;
        (at, value)
    };
    let found = match how {
        0 => cache.get(key).await.unwrap(),
        1 => cache.get_many(&[key]).await.unwrap().remove(0),
        2 => {
            let load = |missing: Vec<String>| async move {
                let value = look().await;
                Loaded::Ok(missing.into_iter().map(|key| (key, value)).collect())
            };
            cache.get_many_or_load(&[key], options, load).await.unwrap().remove(0)
        }
        _ => Some(cache.get_or_load(key, options, || async { Loaded::Ok(look().await) }).await.unwrap()),
    };
    found.map(|value| *value)
}

/// Returns how many reads there were.
async fn stress(caches: Vec<Cache>, way: &'static str) -> usize {
    let sources: Arc<[Source; KEYS]> = Arc::default();
    let end = Instant::now() + FOR;
    let workers = caches.into_iter().cycle().take(8).enumerate().map(|(worker, cache)| {
        let sources = Arc::clone(&sources);
        tokio::spawn(async move {
            let mut reads = 0;
            while Instant::now() < end {
                reads += 1;
                // Hits never wait, so the workers would take turns too rarely.
                tokio::task::yield_now().await;
                let at = (reads * 7 + worker) % KEYS;
                let key = format!("k{at}");
                if worker < 2 && reads.is_multiple_of(12) {
                    change(&cache, way, &key, &sources[at]).await;
                    continue;
                }
                let floor = sources[at].acknowledged.load(Ordering::SeqCst);
                if let Some((of, value)) = read(&cache, reads % 4, &key, &sources, at).await {
                    assert_eq!(of, at, "a value of another key");
                    assert!(value >= floor, "{way}: {value} was read after {floor} was acknowledged");
                }
            }
            reads
        })
    });
    let mut reads = 0;
    for worker in workers.collect::<Vec<_>>() {
        reads += worker.await.unwrap();
    }
    reads
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_invalidated_is_read_again_in_memory() {
    for way in WAYS {
        assert!(stress(vec![cache(&Arc::default(), None)], way).await > 1_000);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_invalidated_is_read_again_in_two_processes() {
    for way in WAYS {
        let timer = Arc::new(TokioTimer::new());
        let server = ReferenceServer::new(timer.clone());
        let processes = vec![cache(&timer, Some(&server)), cache(&timer, Some(&server))];
        assert!(stress(processes, way).await > 1_000);
    }
}
